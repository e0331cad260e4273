//! What is new in a profile since some moment, and how deltas become a profile again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Function, Id, Line, Location, Mapping, MappingKind, Metadata, Process, Profile, QualityWindow, Sample,
    SampleType, Stack, Thread, ThreadTime,
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
    /// New spans of threads.
    pub thread_times: Vec<ThreadTime>,
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

/// A delta that does not fit the profile it was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendError {
    /// It refers to a row that is not there.
    Missing {
        /// The table that lacks the row.
        table: &'static str,
        /// The row that was referred to.
        row: u32,
    },
    /// It brings a row again, whose id would then not be its position.
    Repeated {
        /// The table that has the row.
        table: &'static str,
        /// Where the row is already, or would be.
        row: u32,
    },
    /// It brings a stretch of time that ends before it begins.
    Backwards {
        /// What the stretch is of.
        table: &'static str,
        /// Which one, counted from the delta's first.
        row: u32,
    },
}

impl fmt::Display for ExtendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { table, row } => write!(f, "refers to row {row} of {table}, which is not there"),
            Self::Repeated { table, row } => write!(f, "repeats row {row} of {table}"),
            Self::Backwards { table, row } => {
                write!(f, "brings row {row} of new {table}, which ends before it begins")
            }
        }
    }
}

impl std::error::Error for ExtendError {}

const CHECKED: &str = "`check` found every row to be new";

fn check<T>(table: &'static str, id: Id<T>, len: usize) -> Result<(), ExtendError> {
    if id.index() < len {
        Ok(())
    } else {
        Err(ExtendError::Missing { table, row: id.raw() })
    }
}

fn repeated<T>(table: &'static str) -> impl Fn(Id<T>) -> ExtendError {
    move |id| ExtendError::Repeated { table, row: id.raw() }
}

impl Profile {
    /// What is new since `mark`, which moves on. Samples, spans of threads and quality windows are handed over: they
    /// leave this profile, so that a recording of any length needs bounded memory. Lines are not included (the symboliser makes
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
            thread_times: std::mem::take(&mut self.thread_times),
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
    /// If the delta refers to a row that neither the profile nor the delta has, repeats a row, or has a span that ends
    /// before it begins.
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
            thread_times,
            functions,
            lines,
            quality,
            ended,
        } = delta;
        if let Some(metadata) = metadata {
            self.metadata = metadata;
        }
        self.sample_types.extend(sample_types);
        self.mappings.append(mappings).expect(CHECKED);
        self.locations.append(locations).expect(CHECKED);
        self.stacks.append(stacks).expect(CHECKED);
        self.processes.append(processes).expect(CHECKED);
        self.threads.append(threads).expect(CHECKED);
        self.functions.append(functions).expect(CHECKED);
        self.samples.extend(samples);
        self.thread_times.extend(thread_times);
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
        self.mappings
            .check_new(&delta.mappings)
            .map_err(repeated("mappings"))?;
        self.locations
            .check_new(&delta.locations)
            .map_err(repeated("locations"))?;
        self.stacks.check_new(&delta.stacks).map_err(repeated("stacks"))?;
        self.processes
            .check_new(&delta.processes)
            .map_err(repeated("processes"))?;
        self.threads
            .check_new(&delta.threads)
            .map_err(repeated("threads"))?;
        self.functions
            .check_new(&delta.functions)
            .map_err(repeated("functions"))?;
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
        for (row, span) in (0..).zip(&delta.thread_times) {
            check("threads", span.thread, threads)?;
            if span.end_ns < span.start_ns {
                let table = "thread times";
                return Err(ExtendError::Backwards { table, row });
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
    use crate::profile::{State, Unit};

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
            Err(ExtendError::Missing {
                table: "stacks",
                row: 1
            })
        );
        assert_eq!(profile.stacks.len(), 1);
    }

    #[test]
    fn a_delta_that_repeats_a_row_is_refused_whole_and_the_profile_stays_usable() {
        let mut profile = recorded();
        let function = |name: &str| Function {
            name: name.into(),
            file: String::new(),
        };
        let repeats_an_old_row = Delta {
            functions: vec![function("f")],
            mappings: profile.mappings.since(0).to_vec(),
            ..Delta::default()
        };
        let repeats_its_own_row = Delta {
            locations: vec![Location {
                mapping: Id::new(0),
                address: 99,
            }],
            functions: vec![function("f"), function("g"), function("f")],
            ..Delta::default()
        };
        for (delta, table, row) in [
            (repeats_an_old_row, "mappings", 0),
            (repeats_its_own_row, "functions", 2),
        ] {
            assert_eq!(profile.extend(delta), Err(ExtendError::Repeated { table, row }));
            assert_eq!((profile.functions.len(), profile.locations.len()), (0, 1));
        }
        profile
            .extend(Delta {
                functions: vec![function("f")],
                ..Delta::default()
            })
            .unwrap();
        assert_eq!(profile.functions[Id::new(0)].name, "f");
    }

    #[test]
    fn spans_are_handed_over_and_those_that_make_no_sense_are_refused() {
        let span = |thread, start_ns, end_ns| ThreadTime {
            thread: Id::new(thread),
            start_ns,
            end_ns,
            ns: [0; State::COUNT],
            waits: 0,
            preemptions: 0,
        };
        let mut profile = recorded();
        let process = profile.processes.intern(Process {
            pid: 7,
            ppid: 1,
            name: "a".into(),
            exe: String::new(),
            cgroup: String::new(),
            unit: String::new(),
            container: String::new(),
            start_ns: 0,
            kernel_thread: false,
        });
        profile.threads.intern(Thread {
            process,
            tid: 7,
            name: "a".into(),
        });
        profile.thread_times.push(span(0, 5, 9));
        let delta = profile.take_delta(&mut Mark::default());
        assert_eq!((delta.thread_times.len(), profile.thread_times.len()), (1, 0));
        let mut copy = Profile::default();
        copy.extend(delta).unwrap();
        assert_eq!((copy.thread_times.len(), copy.duration_ns()), (1, 9));
        let missing = ExtendError::Missing {
            table: "threads",
            row: 1,
        };
        let backwards = ExtendError::Backwards {
            table: "thread times",
            row: 1,
        };
        for (wrong, error) in [(span(1, 5, 9), missing), (span(0, 9, 5), backwards)] {
            let delta = Delta {
                thread_times: vec![span(0, 9, 9), wrong],
                ..Delta::default()
            };
            assert_eq!(copy.extend(delta), Err(error));
            assert_eq!(copy.thread_times.len(), 1);
        }
    }
}
