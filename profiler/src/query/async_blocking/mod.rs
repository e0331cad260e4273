//! Tasks of an async runtime that keep their worker from other tasks.
//!
//! A worker polls one task after the other, and a task has to return soon: while it blocks, or computes, every other
//! task of the worker waits. Workers are told from threads that may block by their frames and not by their names, which
//! programs choose: even in one thread, the blocking pool's, a worker's poll and a call that may block differ only in
//! the frames between. The runtime is tokio's, of which the program must have symbols.

mod blocked;
mod chance;
mod long_poll;
pub(super) mod path;
mod place;
mod role;

#[cfg(test)]
pub(crate) mod tests;

use rustc_hash::{FxHashMap, FxHashSet};

use self::place::{Place, places};
pub use self::{
    blocked::Blocked,
    long_poll::{LongPoll, Span},
    place::{FrameId, Poll},
};
use super::{Sampled, Selection};
use crate::profile::{Id, Operation, Profile, Sample, Thread};

/// The shortest poll that is suspected unless another is asked for.
pub const THRESHOLD_NS: u64 = 100_000_000;

/// Tasks that keep their worker from other tasks.
#[derive(Clone, Debug, Default)]
pub struct AsyncBlocking<'a> {
    /// How many threads were seen at work as a worker.
    pub workers: u64,
    /// Their samples as workers, on a CPU and off it.
    pub samples: u64,
    /// Value of these: the workers' time, estimated, in nanoseconds.
    pub value: u64,
    /// How many of these samples were in the poll of a task.
    pub in_polls: u64,
    /// What left the CPU within the poll of a task: by value, largest first.
    pub blocked: Vec<Blocked<'a>>,
    /// Polls that seem to have lasted: the longest first. They are suspected: between two samples, a task may have
    /// returned and another of the same code begun.
    pub long_polls: Vec<LongPoll>,
}

/// A thread, whatever its name was: programs rename their threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Tid {
    pid: u32,
    tid: u32,
}

/// Tasks that keep their worker from other tasks, by blocking it or by polls that last for `threshold_ns` or longer.
///
/// Of a selection, what it says of threads and of time applies.
pub fn async_blocking<'a>(
    profile: &'a Profile,
    selection: &Selection,
    threshold_ns: u64,
) -> AsyncBlocking<'a> {
    let places = places(profile);
    let selection = Selection {
        sample_types: Sampled::Wall
            .sample_types(profile)
            .or_else(|| Sampled::Cpu.sample_types(profile))
            .unwrap_or_default(),
        ..selection.clone()
    };
    let matcher = selection.matcher(profile);
    let samples: Vec<Sample> = matcher.samples().collect();
    let workers: FxHashSet<Tid> = samples
        .iter()
        .filter(|sample| place_of(&places, sample) != Place::Outside)
        .map(|sample| tid(profile, sample.thread))
        .collect();
    let mut found = AsyncBlocking {
        workers: workers.len() as u64,
        ..AsyncBlocking::default()
    };
    let mut by_thread: FxHashMap<Tid, Vec<&Sample>> = FxHashMap::default();
    for sample in &samples {
        let thread = tid(profile, sample.thread);
        if !workers.contains(&thread) {
            continue;
        }
        by_thread.entry(thread).or_default().push(sample);
        // Threads of the blocking pool become workers, and workers become threads that may block.
        if place_of(&places, sample) == Place::Outside {
            continue;
        }
        found.samples += 1;
        found.value = found.value.saturating_add(sample.value);
        found.in_polls += u64::from(matches!(place_of(&places, sample), Place::Poll(_)));
    }
    let off_cpu = Sampled::OffCpu.sample_types(profile).unwrap_or_default();
    let waits = |sample: &Sample| off_cpu.contains(&sample.sample_type);
    let waited = by_thread
        .values()
        .flatten()
        .filter(|sample| waits(sample))
        .map(|&sample| *sample);
    let slow = profile.slow.iter().filter(|event| {
        // Who is preempted does not block.
        event.operation != Operation::RunQueue
            && matcher.matches_at(event.thread, event.stack)
            && selection.touches(super::slow::start_ns(event), event.end_ns)
    });
    found.blocked = blocked::blocked(profile, &places, waited, slow);
    found.long_polls = long_poll::long_polls(profile, &places, &by_thread, waits, threshold_ns);
    found
}

fn tid(profile: &Profile, thread: Id<Thread>) -> Tid {
    let thread = &profile.threads[thread];
    Tid {
        pid: profile.processes[thread.process].pid,
        tid: thread.tid,
    }
}

fn place_of(places: &[Place], sample: &Sample) -> Place {
    sample.stack.map_or(Place::Outside, |stack| places[stack.index()])
}
