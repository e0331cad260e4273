//! What is new in a profile since some moment, and how deltas become a profile again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Function, Id, Line, Location, Mapping, MappingKind, Metadata, Process, Profile, QualityWindow, Sample,
    SampleType, Stack, Thread,
};

/// The tails of all tables since a [`Mark`]. Ids count from the begin of the recording, so deltas must be put
/// together in order, each once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Set in the first delta, and again when something in it changed.
    pub metadata: Option<Metadata>,
    /// New sample types.
    pub sample_types: Vec<SampleType>,
    /// New mappings.
    pub mappings: Vec<Mapping>,
    /// New locations.
    pub locations: Vec<Location>,
    /// New nodes of the tree of stacks.
    pub stacks: Vec<Stack>,
    /// New program images.
    pub processes: Vec<Process>,
    /// New threads.
    pub threads: Vec<Thread>,
    /// New samples.
    pub samples: Vec<Sample>,
    /// New functions.
    pub functions: Vec<Function>,
    /// Locations that were symbolised, or symbolised better than before.
    pub lines: Vec<(Id<Location>, Vec<Line>)>,
    /// New quality windows.
    pub quality: Vec<QualityWindow>,
    /// Set in the last delta of a recording that ended in good order.
    pub ended: bool,
}

impl Delta {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How far a follower of a profile has come: how many rows of each table it has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    sample_types: usize,
    mappings: usize,
    locations: usize,
    stacks: usize,
    processes: usize,
    threads: usize,
    functions: usize,
    started: bool,
}

/// A delta that does not fit the profile it was given to: it refers to a row that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendError {
    /// The table that lacks the row.
    pub table: &'static str,
    /// The row that was referred to.
    pub row: u32,
}

impl fmt::Display for ExtendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "refers to row {} of {}, which is not there",
            self.row, self.table
        )
    }
}

impl std::error::Error for ExtendError {}

fn check<T>(table: &'static str, id: Id<T>, len: usize) -> Result<(), ExtendError> {
    if id.index() < len {
        Ok(())
    } else {
        Err(ExtendError { table, row: id.raw() })
    }
}

impl Profile {
    /// What is new since `mark`, which moves on. Samples and quality windows are handed over: they leave this
    /// profile, so that a recording of any length needs bounded memory. Lines are not included (the symboliser makes
    /// them, not the collector).
    pub fn take_delta(&mut self, mark: &mut Mark) -> Delta {
        let delta = Delta {
            metadata: (!mark.started).then(|| self.metadata.clone()),
            sample_types: self
                .sample_types
                .get(mark.sample_types..)
                .unwrap_or_default()
                .to_vec(),
            mappings: self.mappings.since(mark.mappings).to_vec(),
            locations: self.locations.since(mark.locations).to_vec(),
            stacks: self.stacks.since(mark.stacks).to_vec(),
            processes: self.processes.since(mark.processes).to_vec(),
            threads: self.threads.since(mark.threads).to_vec(),
            samples: std::mem::take(&mut self.samples),
            functions: self.functions.since(mark.functions).to_vec(),
            lines: Vec::new(),
            quality: std::mem::take(&mut self.quality),
            ended: self.ended,
        };
        *mark = Mark {
            sample_types: self.sample_types.len(),
            mappings: self.mappings.len(),
            locations: self.locations.len(),
            stacks: self.stacks.len(),
            processes: self.processes.len(),
            threads: self.threads.len(),
            functions: self.functions.len(),
            started: true,
        };
        delta
    }

    /// Puts the next delta onto this profile. A delta that does not fit is refused whole: the profile stays as it was.
    ///
    /// # Errors
    /// If the delta refers to a row that neither the profile nor the delta has.
    pub fn extend(&mut self, delta: Delta) -> Result<(), ExtendError> {
        self.check(&delta)?;
        let Delta {
            metadata,
            sample_types,
            mappings,
            locations,
            stacks,
            processes,
            threads,
            samples,
            functions,
            lines,
            quality,
            ended,
        } = delta;
        if let Some(metadata) = metadata {
            self.metadata = metadata;
        }
        self.sample_types.extend(sample_types);
        self.mappings.append(mappings).map_err(|id| ExtendError {
            table: "mappings",
            row: id.raw(),
        })?;
        self.locations.append(locations).map_err(|id| ExtendError {
            table: "locations",
            row: id.raw(),
        })?;
        self.stacks.append(stacks).map_err(|id| ExtendError {
            table: "stacks",
            row: id.raw(),
        })?;
        self.processes.append(processes).map_err(|id| ExtendError {
            table: "processes",
            row: id.raw(),
        })?;
        self.threads.append(threads).map_err(|id| ExtendError {
            table: "threads",
            row: id.raw(),
        })?;
        self.functions.append(functions).map_err(|id| ExtendError {
            table: "functions",
            row: id.raw(),
        })?;
        self.samples.extend(samples);
        self.lines.extend(lines);
        self.quality.extend(quality);
        self.ended |= ended;
        Ok(())
    }

    fn check(&self, delta: &Delta) -> Result<(), ExtendError> {
        let sample_types = self.sample_types.len() + delta.sample_types.len();
        let mappings = self.mappings.len() + delta.mappings.len();
        let locations = self.locations.len() + delta.locations.len();
        let stacks = self.stacks.len() + delta.stacks.len();
        let processes = self.processes.len() + delta.processes.len();
        let threads = self.threads.len() + delta.threads.len();
        let functions = self.functions.len() + delta.functions.len();
        for mapping in &delta.mappings {
            if let MappingKind::Anonymous(process) | MappingKind::Unknown(process) = mapping.kind {
                check("processes", process, processes)?;
            }
        }
        for location in &delta.locations {
            check("mappings", location.mapping, mappings)?;
        }
        for (index, stack) in delta.stacks.iter().enumerate() {
            check("locations", stack.location, locations)?;
            if let Some(caller) = stack.caller {
                // A caller precedes its callees, which also rules out cycles.
                check("stacks", caller, self.stacks.len() + index)?;
            }
        }
        for thread in &delta.threads {
            check("processes", thread.process, processes)?;
        }
        for sample in &delta.samples {
            check("threads", sample.thread, threads)?;
            check(
                "sample types",
                Id::<SampleType>::new(sample.sample_type.into()),
                sample_types,
            )?;
            if let Some(stack) = sample.stack {
                check("stacks", stack, stacks)?;
            }
        }
        for (location, lines) in &delta.lines {
            check("locations", *location, locations)?;
            for line in lines {
                check("functions", line.function, functions)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Stack {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.caller, self.location).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stack {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (caller, location) = Deserialize::deserialize(deserializer)?;
        Ok(Self { caller, location })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Unit;

    fn recorded() -> Profile {
        let mut profile = Profile::default();
        profile.sample_types.push(SampleType {
            name: "cpu".into(),
            unit: Unit::Nanoseconds,
        });
        let mapping = profile.mappings.intern(Mapping {
            kind: MappingKind::File,
            path: "/bin/a".into(),
            build_id: vec![],
        });
        let location = profile.locations.intern(Location { mapping, address: 16 });
        profile.stacks.intern([location]);
        profile
    }

    #[test]
    fn deltas_put_together_are_the_profile() {
        let mut profile = recorded();
        let (mut mark, mut copy) = (Mark::default(), Profile::default());
        copy.extend(profile.take_delta(&mut mark)).unwrap();
        let next = profile.locations.intern(Location {
            mapping: Id::new(0),
            address: 32,
        });
        profile.stacks.intern([Id::new(0), next]);
        let delta = profile.take_delta(&mut mark);
        assert_eq!(
            (
                delta.locations.len(),
                delta.stacks.len(),
                delta.metadata.is_none()
            ),
            (1, 1, true)
        );
        copy.extend(delta).unwrap();
        assert_eq!(copy.stacks.len(), 2);
        assert!(profile.take_delta(&mut mark).is_empty());
    }

    #[test]
    fn a_delta_that_refers_to_nothing_is_refused_whole() {
        let mut profile = recorded();
        let delta = Delta {
            mappings: vec![],
            stacks: vec![Stack {
                caller: Some(Id::new(1)),
                location: Id::new(0),
            }],
            ..Delta::default()
        };
        assert_eq!(
            profile.extend(delta),
            Err(ExtendError {
                table: "stacks",
                row: 1
            })
        );
        assert_eq!(profile.stacks.len(), 1);
    }
}
