//! What is new in a profile since some moment, and how deltas become a profile again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    CallStack, Function, Id, Latency, Line, Location, Lock, LockWait, Mapping, MappingKind, Metadata,
    Process, Profile, QualityWindow, Sample, SampleType, SlowEvent, Stack, Target, Thread, ThreadTime, Waker,
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
    /// New latencies, in the order of their windows and, in a window, of their keys.
    pub latencies: Vec<Latency>,
    /// New targets of slow events.
    pub targets: Vec<Target>,
    /// New slow events.
    pub slow: Vec<SlowEvent>,
    /// New locks.
    pub locks: Vec<Lock>,
    /// New waits for locks.
    pub lock_waits: Vec<LockWait>,
    /// New stacks of calls that wakers and waiters were in.
    pub call_stacks: Vec<CallStack>,
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
    targets: usize,
    locks: usize,
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

fn check_waker(waker: Waker, threads: usize) -> Result<(), ExtendError> {
    match waker {
        Waker::Thread(thread) => check("threads", thread, threads),
        Waker::Unknown | Waker::Nobody | Waker::Interrupt => Ok(()),
    }
}

fn repeated<T>(table: &'static str) -> impl Fn(Id<T>) -> ExtendError {
    move |id| ExtendError::Repeated { table, row: id.raw() }
}

impl Profile {
    /// What is new since `mark`, which moves on. Samples, spans of threads, latencies, slow events, waits for locks, stacks of
    /// calls and quality windows are handed over: they leave this profile, so that a recording of any length needs bounded
    /// memory. Lines are not included (the symboliser makes them, not the collector).
    pub fn take_delta(&mut self, mark: &mut Mark) -> Delta {
        // They come out of hash tables. Neighbours that are alike make a small trace.
        self.latencies.sort_by_key(|row| (row.start_ns, row.key));
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
            latencies: std::mem::take(&mut self.latencies),
            targets: self.targets.since(mark.targets).to_vec(),
            slow: std::mem::take(&mut self.slow),
            locks: self.locks.since(mark.locks).to_vec(),
            lock_waits: std::mem::take(&mut self.lock_waits),
            call_stacks: std::mem::take(&mut self.call_stacks),
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
            targets: self.targets.len(),
            locks: self.locks.len(),
            functions: self.functions.len(),
            started: true,
        };
        delta
    }

    /// Puts the next delta onto this profile. A delta that does not fit is refused whole: the profile stays as it was.
    ///
    /// # Errors
    /// If the delta refers to a row that neither the profile nor the delta has, repeats a row, or has a stretch of time
    /// that ends before it begins.
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
            latencies,
            targets,
            slow,
            locks,
            lock_waits,
            call_stacks,
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
        self.latencies.extend(latencies);
        self.targets.append(targets).expect(CHECKED);
        self.slow.extend(slow);
        self.locks.append(locks).expect(CHECKED);
        self.lock_waits.extend(lock_waits);
        self.call_stacks.extend(call_stacks);
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
        let targets = self.targets.len() + delta.targets.len();
        let locks = self.locks.len() + delta.locks.len();
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
        self.targets
            .check_new(&delta.targets)
            .map_err(repeated("targets"))?;
        self.locks.check_new(&delta.locks).map_err(repeated("locks"))?;
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
            check_waker(sample.waker, threads)?;
        }
        for (row, span) in (0..).zip(&delta.thread_times) {
            check("threads", span.thread, threads)?;
            if span.end_ns < span.start_ns {
                let table = "thread times";
                return Err(ExtendError::Backwards { table, row });
            }
        }
        for (row, latency) in (0..).zip(&delta.latencies) {
            check("processes", latency.key.process, processes)?;
            if latency.end_ns < latency.start_ns {
                let table = "latencies";
                return Err(ExtendError::Backwards { table, row });
            }
        }
        for event in &delta.slow {
            check("threads", event.thread, threads)?;
            if let Some(target) = event.target {
                check("targets", target, targets)?;
            }
            if let Some(stack) = event.stack {
                check("stacks", stack, stacks)?;
            }
            check_waker(event.waker, threads)?;
        }
        for lock in &delta.locks {
            if let Some(process) = lock.process {
                check("processes", process, processes)?;
            }
            if let Some((mapping, _)) = lock.place {
                check("mappings", mapping, mappings)?;
            }
        }
        for wait in &delta.lock_waits {
            check("threads", wait.thread, threads)?;
            check("locks", wait.lock, locks)?;
            check_waker(wait.owner, threads)?;
            check_waker(wait.waker, threads)?;
            if let Some(stack) = wait.stack {
                check("stacks", stack, stacks)?;
            }
        }
        for (row, call) in (0..).zip(&delta.call_stacks) {
            check("threads", call.thread, threads)?;
            if let Some(stack) = call.stack {
                check("stacks", stack, stacks)?;
            }
            if call.end_ns < call.start_ns {
                let table = "stacks of calls";
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
mod tests;
