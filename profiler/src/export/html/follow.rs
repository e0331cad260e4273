//! How the figures of tables follow a range of time that somebody chooses on the page.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::numbers::Numbers;
use crate::{
    profile::{ObjectKind, Operation, Profile, State},
    query::{
        Latencies, LatencyRow, Owner, Selection, Timing, latencies,
        operation::errno,
        state_slices::{Slices, StateSlice},
    },
};

/// How the figures of a table follow a range.
#[derive(Debug, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(super) enum Follows {
    /// Each row has its time.
    Moments,
    /// Each sample on the page says which row it belongs to.
    Samples {
        /// The streams that columns are of, three columns each, behind the first two.
        streams: Vec<String>,
    },
    /// Operations are added up interval by interval, see [`timings()`].
    Calls {
        rows: Vec<Numbers>,
        /// How many rows stand before those that are idle.
        busy: usize,
        /// What errors are called.
        errors: BTreeMap<u16, String>,
    },
    /// So is time, see [`states()`], and waits for a CPU, as operations are.
    States {
        rows: Vec<Numbers>,
        queues: Vec<Numbers>,
    },
    /// Waits are added up by the intervals that they touch.
    Waits(super::locks::Waits),
}

/// Operations of one kind, of one owner.
type Key = (String, Option<u32>, Operation, ObjectKind, u32);

/// How long operations took, interval by interval.
#[derive(Debug, Default)]
pub(super) struct Timings(FxHashMap<Key, Vec<(usize, Timing)>>);

impl Timings {
    /// Those that `asked` wants to know of, by process.
    pub(super) fn of(
        profile: &Profile,
        selection: &Selection,
        borders: &[u64],
        asked: fn(Operation) -> bool,
    ) -> Self {
        let mut all: FxHashMap<Key, Vec<(usize, Timing)>> = FxHashMap::default();
        for (interval, ends) in borders.windows(2).enumerate() {
            let within = Selection {
                time: Some(ends[0]..ends[1]),
                ..selection.clone()
            };
            let Latencies { rows, .. } = latencies(profile, &within, Owner::Process, asked);
            for row in rows {
                all.entry(key(&row)).or_default().push((interval, row.timing));
            }
        }
        Self(all)
    }

    /// Those of a row of a table.
    pub(super) fn row(&self, row: &LatencyRow) -> Numbers {
        self.0
            .get(&key(row))
            .map_or_else(Numbers::default, |row| timings(row))
    }

    /// Those of a process, whatever the operation.
    pub(super) fn process(&self, label: &str, pid: Option<u32>) -> Numbers {
        let run_queue = (label.to_owned(), pid, Operation::RunQueue, ObjectKind::None, 0);
        self.0
            .get(&run_queue)
            .map_or_else(Numbers::default, |row| timings(row))
    }

    /// What the errors are called that there are.
    pub(super) fn errors(&self) -> BTreeMap<u16, String> {
        let timings = self.0.values().flatten();
        let errors = timings.flat_map(|(_, timing)| timing.errors.keys());
        errors
            .filter(|&&number| number > 0)
            .map(|&number| (number, errno(number).into_owned()))
            .collect()
    }
}

fn key(row: &LatencyRow) -> Key {
    (row.label.clone(), row.pid, row.operation, row.object, row.device)
}

/// What is known of each interval: intervals since the one before, times four, plus 2 if some failed, plus 1 if it is one
/// operation. Of one, how long it took; of more, how many, how many buckets, for each the distance from the one before and
/// how many lie in it, and unless there are none how long all, the shortest and the longest took. Then, if some failed, the
/// number of errors, and for each which and how often.
///
/// Where all lies in one interval, there is only its number: the row itself has the figures.
fn timings(cells: &[(usize, Timing)]) -> Numbers {
    let mut numbers = Numbers::default();
    if let [(interval, _)] = cells {
        numbers.push(*interval as u64);
        return numbers;
    }
    let mut before = 0;
    for (interval, timing) in cells {
        // Of what had not ended the longest is known by its bucket only.
        let single = (timing.count, timing.timed, timing.max_ns) == (1, 1, timing.total_ns)
            && timing.min_ns() == Some(timing.total_ns);
        let failed = !timing.errors.is_empty();
        numbers.push(((interval - before) as u64) << 2 | u64::from(failed) << 1 | u64::from(single));
        before = *interval;
        if single {
            numbers.push(timing.total_ns);
        } else {
            numbers.push(timing.count);
            numbers.push(timing.buckets().count() as u64);
            let mut last = 0;
            for bucket in timing.buckets() {
                numbers.push(u64::from(bucket.number - last));
                numbers.push(bucket.count);
                last = bucket.number;
            }
            if timing.timed > 0 {
                numbers.push(timing.total_ns);
                numbers.push(timing.min_ns().unwrap_or(0));
                numbers.push(timing.max_ns);
            }
        }
        if failed {
            numbers.push(timing.errors.len() as u64);
            for (&number, &count) in &timing.errors {
                numbers.push(number.into());
                numbers.push(count);
            }
        }
    }
    numbers
}

/// What is known of each run of intervals, in their order: how many intervals its first one is behind that of the one before,
/// how many it has more than one, which of the following there is, and these: the time in each state, how often threads left
/// the CPU to wait, how often they were taken off it, their time in calls, their time in spans without calls, their samples in
/// user mode, in the kernel and in calls, how many came, and how many went.
pub(super) fn states(slices: &Slices) -> Numbers {
    let mut numbers = Numbers::default();
    let mut before = 0;
    for (&(first, behind), slice) in slices {
        numbers.push((first - before) as u64);
        numbers.push((behind - first - 1) as u64);
        before = first;
        let figures = figures(slice);
        let some = figures.iter().zip(0..).filter(|(figure, _)| **figure > 0);
        numbers.push(some.fold(0, |mask, (_, place)| mask | 1 << place));
        figures
            .into_iter()
            .filter(|figure| *figure > 0)
            .for_each(|figure| numbers.push(figure));
    }
    numbers
}

fn figures(slice: &StateSlice) -> [u64; State::COUNT + 9] {
    let StateSlice {
        times,
        evidence,
        came,
        went,
    } = slice;
    let [user, kernel, call] = evidence.samples;
    let others = [
        times.waits,
        times.preemptions,
        evidence.calls_ns,
        evidence.anywhere_ns,
        user,
        kernel,
        call,
        *came,
        *went,
    ];
    let mut figures = [0; State::COUNT + 9];
    figures[..State::COUNT].copy_from_slice(&times.ns);
    figures[State::COUNT..].copy_from_slice(&others);
    figures
}
