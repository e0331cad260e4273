//! What was measured, not sampled: the time of threads, calls and waits for locks; of the latest stretch of time and since the start.

use super::{
    compact::Compaction,
    epoch::Observed,
    kept::{Kept, Stretch, joined},
    slowest::Slowest,
    waits::{Thinned, Waits},
};
use crate::profile::{Latency, LockWait, Profile, ThreadTime};

/// The most spans of threads, of the latest stretch of time and as many since the start: 13 MB each. 800 threads that
/// do something all the time fill it in 60 s; then their spans are joined.
const TIMES: usize = 100_000;
/// The most windows of operations, of the latest stretch of time and as many since the start: some 30 MB each.
const LATENCIES: usize = 100_000;
/// The most calls that took long, of the latest stretch of time and as many since the start: 2 MB each.
const SLOW: usize = 10_000;
/// The most waits for locks, and stacks that belong to them, of the latest stretch of time and as many since the start:
/// 15 MB each.
const WAITS: usize = 100_000;

/// What is old may be joined: the begin of a stretch of time is then so far off that an eighth of it is missing or too
/// much at most. Longer ones only if that does not suffice.
const RECENT: &[Stretch] = &[
    Stretch::PartOfAge(4),
    Stretch::PartOfAge(2),
    Stretch::PartOfAge(1),
];

/// What was measured, not sampled. In bounded memory: see the constants above.
#[derive(Debug)]
pub(super) struct Measured {
    recent: Rows,
    since_start: Rows,
}

#[derive(Debug)]
struct Rows {
    times: Kept<ThreadTime>,
    latencies: Kept<Latency>,
    slow: Slowest,
    waits: Waits,
}

impl Measured {
    /// Nothing yet; so many times less room than there could be.
    pub(super) fn new(smaller: usize) -> Self {
        Self {
            recent: Rows::new(RECENT, Thinned::Older, smaller),
            since_start: Rows::new(&[Stretch::Any], Thinned::All, smaller),
        }
    }

    /// What is new. What is put together becomes rows of `profile`.
    pub(super) fn take(&mut self, observed: Observed, profile: &mut Profile) {
        for span in observed.thread_times {
            self.since_start.times.push(span, profile);
            self.recent.times.push(span, profile);
        }
        for row in observed.latencies {
            self.since_start.latencies.push(row.clone(), profile);
            self.recent.latencies.push(row, profile);
        }
        for event in observed.slow {
            self.since_start.slow.push(event.clone());
            self.recent.slow.push(event);
        }
        for rows in [&mut self.since_start, &mut self.recent] {
            for &wait in &observed.lock_waits {
                rows.waits.push(wait);
            }
            for &call in &observed.call_stacks {
                rows.waits.push_call(call);
            }
        }
    }

    /// Forgets what ended by `start_ns`.
    pub(super) fn forget_until(&mut self, start_ns: u64) {
        self.recent.times.forget_until(start_ns);
        self.recent.latencies.forget_until(start_ns);
        self.recent.slow.forget_until(start_ns);
        self.recent.waits.forget_until(start_ns);
    }

    /// Takes along what is referred to.
    pub(super) fn keep(&mut self, compaction: &mut Compaction<'_>) {
        for rows in [&mut self.recent, &mut self.since_start] {
            rows.times.keep(compaction);
            rows.latencies.keep(compaction);
            rows.slow.keep(compaction);
            rows.waits.keep(compaction);
        }
    }

    /// How many rows of whatever kind there are.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let of = |rows: &Rows| {
            let measured = rows.times.iter().count() + rows.latencies.iter().count();
            measured + rows.slow.iter().count() + rows.waits.entries()
        };
        of(&self.recent) + of(&self.since_start)
    }

    /// How threads spent the latest stretch of time.
    pub(super) fn times(&self) -> impl Iterator<Item = &ThreadTime> {
        self.recent.times.iter()
    }

    /// The waits for locks in the latest stretch of time.
    pub(super) fn lock_waits(&self) -> impl Iterator<Item = &LockWait> {
        self.recent.waits.iter()
    }

    /// Lets `profile` have what was measured from `start_ns` on; `None`: since the start.
    pub(super) fn show(&self, start_ns: Option<u64>, profile: &mut Profile) {
        let rows = match start_ns {
            Some(_) => &self.recent,
            None => &self.since_start,
        };
        let start_ns = start_ns.unwrap_or(0);
        profile.thread_times.clear();
        let times = rows.times.iter();
        profile
            .thread_times
            .extend(times.filter(|span| span.end_ns > start_ns));
        let within = |row: &&Latency| row.start_ns.midpoint(row.end_ns) >= start_ns;
        profile.latencies = joined(rows.latencies.iter().filter(within), Stretch::Any).into();
        profile.slow.clear();
        let slow = rows.slow.iter().filter(|event| event.end_ns > start_ns);
        profile.slow.extend(slow.cloned());
        rows.waits.show(start_ns, profile);
    }
}

impl Rows {
    fn new(stretches: &'static [Stretch], thinned: Thinned, smaller: usize) -> Self {
        Self {
            times: Kept::new(TIMES / smaller, stretches),
            latencies: Kept::new(LATENCIES / smaller, stretches),
            slow: Slowest::new(SLOW / smaller),
            waits: Waits::new(WAITS / smaller, thinned),
        }
    }
}

#[cfg(test)]
mod tests;
