//! From the ids of a feed to the ids of what the dashboard keeps.

use crate::profile::{
    CallStack, Delta, ExtendError, Function, Id, Latency, LatencyKey, Line, Location, Lock, LockWait,
    Mapping, MappingKind, Process, Profile, Sample, SampleType, SlowEvent, Stack, Target, Thread, ThreadTime,
    Waker,
};

/// What was observed, with the ids of the dashboard's own tables.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) samples: Vec<Sample>,
    pub(super) thread_times: Vec<ThreadTime>,
    pub(super) latencies: Vec<Latency>,
    pub(super) slow: Vec<SlowEvent>,
    pub(super) lock_waits: Vec<LockWait>,
    pub(super) call_stacks: Vec<CallStack>,
    /// Locations that have names, or other ones than before.
    pub(super) named: Vec<Id<Location>>,
}

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
    targets: Vec<Id<Target>>,
    locks: Vec<Id<Lock>>,
}

impl Epoch {
    /// Puts the tables of `delta` into `profile`; what was observed comes back with the ids it has there.
    ///
    /// # Errors
    /// If the delta refers to a row that the feed never sent. What came before that row is in `profile` then; that
    /// does no harm, since nothing observed refers to it.
    pub(super) fn take(&mut self, profile: &mut Profile, delta: &mut Delta) -> Result<Observed, ExtendError> {
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
        let mut named = Vec::with_capacity(delta.lines.len());
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
            named.push(location);
        }
        for target in delta.targets.drain(..) {
            self.targets.push(profile.targets.intern(target));
        }
        for lock in delta.locks.drain(..) {
            let lock = self.lock(lock)?;
            self.locks.push(profile.locks.intern(lock));
        }
        let observed = self.observed(delta)?;
        Ok(Observed { named, ..observed })
    }

    fn observed(&self, delta: &mut Delta) -> Result<Observed, ExtendError> {
        let samples = delta.samples.drain(..).map(|sample| self.sample(sample));
        let times = delta.thread_times.drain(..).map(|span| self.thread_time(span));
        let latencies = delta.latencies.drain(..).map(|row| self.latency(row));
        let slow = delta.slow.drain(..).map(|event| self.slow(event));
        let waits = delta.lock_waits.drain(..).map(|wait| self.lock_wait(wait));
        let calls = delta.call_stacks.drain(..).map(|call| self.call_stack(call));
        Ok(Observed {
            samples: samples.collect::<Result<_, _>>()?,
            thread_times: times.collect::<Result<_, _>>()?,
            latencies: latencies.collect::<Result<_, _>>()?,
            slow: slow.collect::<Result<_, _>>()?,
            lock_waits: waits.collect::<Result<_, _>>()?,
            call_stacks: calls.collect::<Result<_, _>>()?,
            named: Vec::new(),
        })
    }

    fn sample(&self, sample: Sample) -> Result<Sample, ExtendError> {
        Ok(Sample {
            thread: find("threads", &self.threads, sample.thread)?,
            stack: self.stack(sample.stack)?,
            sample_type: *self.sample_types.get(usize::from(sample.sample_type)).ok_or(
                ExtendError::Missing {
                    table: "sample types",
                    row: sample.sample_type.into(),
                },
            )?,
            waker: self.waker(sample.waker)?,
            ..sample
        })
    }

    fn thread_time(&self, span: ThreadTime) -> Result<ThreadTime, ExtendError> {
        let thread = find("threads", &self.threads, span.thread)?;
        Ok(ThreadTime { thread, ..span })
    }

    fn latency(&self, row: Latency) -> Result<Latency, ExtendError> {
        let process = find("processes", &self.processes, row.key.process)?;
        let key = LatencyKey { process, ..row.key };
        Ok(Latency { key, ..row })
    }

    fn slow(&self, event: SlowEvent) -> Result<SlowEvent, ExtendError> {
        Ok(SlowEvent {
            thread: find("threads", &self.threads, event.thread)?,
            target: match event.target {
                Some(target) => Some(find("targets", &self.targets, target)?),
                None => None,
            },
            stack: self.stack(event.stack)?,
            waker: self.waker(event.waker)?,
            ..event
        })
    }

    fn lock(&self, lock: Lock) -> Result<Lock, ExtendError> {
        let process = lock.process.map(|id| find("processes", &self.processes, id));
        let place = lock.place.map(|(id, address)| {
            let mapping = find("mappings", &self.mappings, id)?;
            Ok((mapping, address))
        });
        Ok(Lock {
            process: process.transpose()?,
            place: place.transpose()?,
            ..lock
        })
    }

    fn lock_wait(&self, wait: LockWait) -> Result<LockWait, ExtendError> {
        Ok(LockWait {
            thread: find("threads", &self.threads, wait.thread)?,
            lock: find("locks", &self.locks, wait.lock)?,
            owner: self.waker(wait.owner)?,
            waker: self.waker(wait.waker)?,
            stack: self.stack(wait.stack)?,
            ..wait
        })
    }

    fn call_stack(&self, call: CallStack) -> Result<CallStack, ExtendError> {
        Ok(CallStack {
            thread: find("threads", &self.threads, call.thread)?,
            stack: self.stack(call.stack)?,
            ..call
        })
    }

    fn stack(&self, stack: Option<Id<Stack>>) -> Result<Option<Id<Stack>>, ExtendError> {
        match stack {
            Some(stack) => find("stacks", &self.stacks, stack).map(Some),
            None => Ok(None),
        }
    }

    fn waker(&self, waker: Waker) -> Result<Waker, ExtendError> {
        match waker {
            Waker::Thread(thread) => find("threads", &self.threads, thread).map(Waker::Thread),
            other => Ok(other),
        }
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
