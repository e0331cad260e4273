//! How threads spent their time, those first whose work took or waited most.
//!
//! What counts as busy is what ran, or was held up by the host: by the want of a CPU, by a disk, by memory, by the kernel,
//! or by a lock that another thread had. Waits for a lock count as far as they were recorded one by one and found to be
//! contention: a parked pool of workers waits in the same way. Threads that wait for children, pipes and sockets mostly
//! wait for something to do.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::{off::Gaps, waits::fewer};
use crate::{
    profile::{Profile, State, Thread},
    query::{
        GroupBy, GroupRow, Modes, Owner, Selection, StateRow, StateTimes, States, groups,
        locks::{contended, weight_within_ns},
        states,
    },
};

/// The shortest time that rates are taken over, in nanoseconds: spans of threads are about as long.
const SHORTEST: u64 = 1_000_000_000;

/// The most waits for locks that are judged: more stand for each other.
const FEW_WAITS: usize = 20_000;

/// How threads spent their time.
#[derive(Debug)]
pub(super) struct Times {
    /// Their rows in the order of [`Self::busy`].
    pub(super) states: States,
    /// Of each row.
    pub(super) busy: Vec<Busy>,
    /// Of all together.
    pub(super) total: Busy,
    /// For how long it was measured, in nanoseconds.
    pub(super) measured_ns: u64,
    /// Whether it is all from samples of running threads, as their states were not measured.
    pub(super) sampled: bool,
}

/// Time that was busy, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Busy {
    /// All of it.
    pub(super) ns: u64,
    /// What of it were waits for locks that other threads had.
    pub(super) lock_ns: u64,
}

impl Busy {
    fn of(times: &StateTimes, contended_ns: f64) -> Self {
        let lock_ns = (contended_ns as u64).min(times.of(State::Lock));
        Self {
            ns: times.held_up_ns().saturating_add(lock_ns),
            lock_ns,
        }
    }
}

impl Times {
    /// Of what is selected, in `within`, less the time in which nothing was measured.
    pub(super) fn of(
        profile: &Profile,
        selection: &Selection,
        by: Owner,
        gaps: &Gaps,
        within: &Range<u64>,
    ) -> Self {
        let states = states(profile, selection, by);
        let mut waited: FxHashMap<(&str, u32, Option<u32>), f64> = FxHashMap::default();
        for wait in contended(profile, &fewer(&profile.lock_waits, FEW_WAITS)) {
            let Thread { process, tid, name } = &profile.threads[wait.thread];
            let process = &profile.processes[*process];
            let key = match by {
                Owner::Thread => (name.as_str(), process.pid, Some(*tid)),
                _ => (process.name.as_str(), process.pid, None),
            };
            *waited.entry(key).or_default() += weight_within_ns(wait, within);
        }
        let contended = |row: &StateRow| {
            let key = (row.label.as_str(), row.pid.unwrap_or(0), row.tid);
            waited.get(&key).copied().unwrap_or(0.0)
        };
        let busy = states.rows.iter().map(|row| Busy::of(&row.times, contended(row)));
        let busy = busy.collect();
        Self::sorted(states, busy, gaps.measured_ns(within), false)
    }

    /// As [`Self::of`], of samples of running threads: the rest is not known.
    pub(super) fn sampled(profile: &Profile, selection: &Selection, by: Owner, within: &Range<u64>) -> Self {
        let by = match by {
            Owner::Thread => GroupBy::Thread,
            _ => GroupBy::Process,
        };
        let rows = groups(profile, selection, by).into_iter().map(ran);
        let states = States {
            rows: rows.collect(),
            ..States::default()
        };
        let busy = states.rows.iter().map(|row| Busy::of(&row.times, 0.0)).collect();
        Self::sorted(states, busy, within.end.saturating_sub(within.start), true)
    }

    /// Whether too little was measured to take rates of it.
    pub(super) fn says_nothing(&self, within: &Range<u64>) -> bool {
        let long = within.end.saturating_sub(within.start);
        self.states.rows.is_empty() || self.measured_ns < SHORTEST.min(long)
    }

    fn sorted(mut states: States, busy: Vec<Busy>, measured_ns: u64, sampled: bool) -> Self {
        let add = |sum: Busy, busy: &Busy| Busy {
            ns: sum.ns.saturating_add(busy.ns),
            lock_ns: sum.lock_ns.saturating_add(busy.lock_ns),
        };
        let total = busy.iter().fold(Busy::default(), add);
        let mut rows: Vec<_> = std::mem::take(&mut states.rows).into_iter().zip(busy).collect();
        // Stable: equal rows stay in the order of the answer.
        rows.sort_by_key(|(_, busy)| std::cmp::Reverse(busy.ns));
        let (rows, busy) = rows.into_iter().unzip();
        Self {
            states: States { rows, ..states },
            busy,
            total,
            measured_ns,
            sampled,
        }
    }
}

fn ran(row: GroupRow) -> StateRow {
    let mut times = StateTimes::default();
    times.ns[State::Running as usize] = row.value;
    StateRow {
        label: row.label,
        pid: row.pid,
        tid: row.tid,
        threads: 0,
        times,
        modes: Modes::default(),
        run_queue: None,
    }
}
