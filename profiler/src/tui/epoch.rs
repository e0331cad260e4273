//! From the ids of a feed to the ids of what the dashboard keeps.

use crate::profile::{
    Delta, ExtendError, Function, Id, Line, Location, Mapping, MappingKind, Process, Profile, Sample,
    SampleType, Stack, Thread, Waker,
};

/// Where each row of the feed's tables is in the dashboard's own. It begins anew whenever the feed begins its tables
/// anew, while the dashboard's own rows stay, so that a sample from before and one from after meet in the same row.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    sample_types: Vec<u8>,
    mappings: Vec<Id<Mapping>>,
    locations: Vec<Id<Location>>,
    stacks: Vec<Id<Stack>>,
    processes: Vec<Id<Process>>,
    threads: Vec<Id<Thread>>,
    functions: Vec<Id<Function>>,
}

impl Epoch {
    /// Puts the tables of `delta` into `profile`; its samples come back with the ids they have there. Latencies and slow
    /// events are not looked at: the dashboard does not show them.
    ///
    /// # Errors
    /// If the delta refers to a row that the feed never sent. What came before that row is in `profile` then; that
    /// does no harm, since no sample refers to it.
    pub(super) fn take(
        &mut self,
        profile: &mut Profile,
        delta: &mut Delta,
    ) -> Result<Vec<Sample>, ExtendError> {
        for sample_type in delta.sample_types.drain(..) {
            self.sample_types.push(number(profile, sample_type)?);
        }
        for process in delta.processes.drain(..) {
            self.processes.push(profile.processes.intern(process));
        }
        for mut mapping in delta.mappings.drain(..) {
            if let MappingKind::Anonymous(process) | MappingKind::Unknown(process) = &mut mapping.kind {
                *process = find("processes", &self.processes, *process)?;
            }
            self.mappings.push(profile.mappings.intern(mapping));
        }
        for location in delta.locations.drain(..) {
            let mapping = find("mappings", &self.mappings, location.mapping)?;
            let location = Location { mapping, ..location };
            self.locations.push(profile.locations.intern(location));
        }
        for stack in delta.stacks.drain(..) {
            let location = find("locations", &self.locations, stack.location)?;
            let caller = match stack.caller {
                Some(caller) => Some(find("stacks", &self.stacks, caller)?),
                None => None,
            };
            self.stacks
                .push(profile.stacks.intern_node(Stack { caller, location }));
        }
        for thread in delta.threads.drain(..) {
            let process = find("processes", &self.processes, thread.process)?;
            self.threads
                .push(profile.threads.intern(Thread { process, ..thread }));
        }
        for function in delta.functions.drain(..) {
            self.functions.push(profile.functions.intern(function));
        }
        for (location, lines) in delta.lines.drain(..) {
            let location = find("locations", &self.locations, location)?;
            let lines: Result<Vec<Line>, _> = lines
                .into_iter()
                .map(|line| {
                    let function = find("functions", &self.functions, line.function)?;
                    Ok(Line { function, ..line })
                })
                .collect();
            profile.lines.insert(location, lines?);
        }
        delta
            .samples
            .drain(..)
            .map(|sample| self.sample(sample))
            .collect()
    }

    fn sample(&self, sample: Sample) -> Result<Sample, ExtendError> {
        Ok(Sample {
            thread: find("threads", &self.threads, sample.thread)?,
            stack: match sample.stack {
                Some(stack) => Some(find("stacks", &self.stacks, stack)?),
                None => None,
            },
            sample_type: *self.sample_types.get(usize::from(sample.sample_type)).ok_or(
                ExtendError::Missing {
                    table: "sample types",
                    row: sample.sample_type.into(),
                },
            )?,
            waker: match sample.waker {
                Waker::Thread(thread) => Waker::Thread(find("threads", &self.threads, thread)?),
                other => other,
            },
            ..sample
        })
    }
}

fn find<T>(table: &'static str, ids: &[Id<T>], id: Id<T>) -> Result<Id<T>, ExtendError> {
    ids.get(id.index())
        .copied()
        .ok_or(ExtendError::Missing { table, row: id.raw() })
}

fn number(profile: &mut Profile, sample_type: SampleType) -> Result<u8, ExtendError> {
    let types = &mut profile.sample_types;
    let index = types
        .iter()
        .position(|known| *known == sample_type)
        .unwrap_or(types.len());
    let number = u8::try_from(index).map_err(|_| ExtendError::Missing {
        table: "sample types",
        row: u32::MAX,
    })?;
    if index == types.len() {
        types.push(sample_type);
    }
    Ok(number)
}
