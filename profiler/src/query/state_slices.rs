//! What threads did, interval by interval: for a view that adds up whichever intervals somebody chooses.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Owner, Sampled, Selection, StateTimes,
    modes::{Evidence, ModesOfStacks},
    owner::Key,
    states::clip,
};
use crate::profile::{Profile, Sample};

/// What the threads of one owner did in some intervals that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateSlice {
    /// How they spent them. Of several intervals each has its part by its length: threads did the same all the time.
    pub times: StateTimes,
    /// How what they ran divides into the program's code and the kernel's.
    pub evidence: Evidence,
    /// How many threads are there from the first of the intervals on, and were not before.
    pub came: u64,
    /// How many threads are there until the last of the intervals, and not after it.
    pub went: u64,
}

/// Slices by the number of their first interval and of the one behind their last.
pub type Slices = std::collections::BTreeMap<(usize, usize), StateSlice>;

/// The intervals that `borders` divide time into: as many as borders, less one. `borders` ascend.
///
/// Whatever lies between two borders is as [`super::states()`] has it for that time, but for rounding of what spans across
/// the borders count: at most 1 for each span. The selection's own time does not apply. By the owner's name, raw, and
/// process id.
pub fn state_slices(
    profile: &Profile,
    selection: &Selection,
    by: Owner,
    borders: &[u64],
) -> FxHashMap<(String, Option<u32>), Slices> {
    let (Some(&start), Some(&end)) = (borders.first(), borders.last()) else {
        return FxHashMap::default();
    };
    let selected = selection.threads(profile);
    let mut all: FxHashMap<Key<'_>, Slices> = FxHashMap::default();
    let mut lives: FxHashMap<(Key<'_>, u32), FxHashSet<(usize, usize)>> = FxHashMap::default();
    for span in profile
        .thread_times
        .iter()
        .filter(|span| selected[span.thread.index()])
    {
        let (Some(whole), false) = (clip(span, Some(&(start..end))), borders.len() < 2) else {
            continue;
        };
        let owner = by.of(profile, span.thread);
        let kernel = profile.processes[profile.threads[span.thread].process].kernel_thread;
        let (first, behind) = between(borders, span.start_ns, span.end_ns);
        let life = lives
            .entry((owner, profile.threads[span.thread].tid))
            .or_default();
        life.insert((first, behind));
        let slices = all.entry(owner).or_default();
        let mut before = StateTimes::default();
        for (from, to) in parts(first, behind) {
            let until = match to == behind {
                true => whole,
                false => clip(span, Some(&(start..borders[to]))).unwrap_or_default(),
            };
            let times = until.less(&before);
            let slice = slices.entry((from, to)).or_default();
            slice.times.add(&times);
            slice.evidence.ran(&times, kernel);
            before = until;
        }
    }
    for ((owner, _), life) in lives {
        let slices = all.entry(owner).or_default();
        for (first, behind) in joined(life) {
            slices.entry((first, first + 1)).or_default().came += 1;
            slices.entry((behind - 1, behind)).or_default().went += 1;
        }
    }
    let modes = ModesOfStacks::of(profile);
    let is_within =
        |sample: &&Sample| selected[sample.thread.index()] && (start..end).contains(&sample.time_ns);
    for sample in Sampled::Cpu.samples(profile).filter(is_within) {
        let slices = all.get_mut(&by.of(profile, sample.thread));
        if let Some((slices, stack)) = slices.zip(sample.stack) {
            let at = between(borders, sample.time_ns, sample.time_ns);
            slices.entry(at).or_default().evidence.sampled(modes.at(stack));
        }
    }
    let named = |(Key { label, pid, .. }, slices): (Key<'_>, _)| ((label.to_owned(), pid), slices);
    all.into_iter().map(named).collect()
}

/// Which intervals a stretch of time touches: the first, and the one behind the last. There is at least one interval.
pub fn between(borders: &[u64], start_ns: u64, end_ns: u64) -> (usize, usize) {
    let last = borders.len().saturating_sub(2);
    let first = borders.partition_point(|&border| border <= start_ns);
    let first = first.saturating_sub(1).min(last);
    let behind = borders.partition_point(|&border| border < end_ns).min(last + 1);
    (first, behind.max(first + 1))
}

/// The first interval, all in between, and the last: of a long span the first and the last may be cut.
fn parts(first: usize, behind: usize) -> impl Iterator<Item = (usize, usize)> {
    let middle = (first + 1, behind - 1);
    let parts = [(first, first + 1), middle, (behind - 1, behind)];
    parts
        .into_iter()
        .enumerate()
        .filter_map(move |(place, part)| match place {
            0 => Some(part),
            1 => (part.0 < part.1).then_some(part),
            _ => (first + 1 < behind).then_some(part),
        })
}

/// Stretches that touch or overlap are one.
fn joined(life: FxHashSet<(usize, usize)>) -> Vec<(usize, usize)> {
    let mut life: Vec<_> = life.into_iter().collect();
    life.sort_unstable();
    life.dedup_by(|next, kept| {
        let same = next.0 <= kept.1;
        if same {
            kept.1 = kept.1.max(next.1);
        }
        same
    });
    life
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, State, ThreadTime, folded::from_folded},
        query::states,
    };

    fn span(thread: u32, start_ns: u64, end_ns: u64, state: State) -> ThreadTime {
        let mut ns = [0; State::COUNT];
        ns[state as usize] = end_ns - start_ns;
        ThreadTime {
            thread: Id::new(thread),
            start_ns,
            end_ns,
            ns,
            waits: 3,
            preemptions: 1,
            in_calls_ns: (state == State::Running).then_some((end_ns - start_ns) / 4),
        }
    }

    /// `app` runs and then waits for a lock; `idle` waits for events all the time, and goes.
    fn profile() -> Profile {
        let mut profile = from_folded("app/7;main 1\nidle/9;main 1");
        profile.thread_times = vec![
            span(0, 10, 101, State::Running),
            span(0, 101, 203, State::Lock),
            span(0, 203, 500, State::Running),
            span(1, 20, 430, State::Events),
        ];
        profile
    }

    /// What the intervals `from..to` add up to.
    fn sum(slices: &Slices, borders: &[u64], from: usize, to: usize) -> (StateTimes, u64) {
        let (mut times, mut threads) = (StateTimes::default(), 0);
        for (&(first, behind), slice) in slices {
            let length = borders[behind] - borders[first];
            let (a, b) = (
                borders[first.max(from)],
                borders[behind.min(to).max(first.max(from))],
            );
            let mut part = slice.times;
            let scale = |number: &mut u64| *number = *number * (b - a) / length;
            part.ns.iter_mut().for_each(scale);
            [&mut part.waits, &mut part.preemptions]
                .into_iter()
                .for_each(scale);
            times.add(&part);
            threads += if first < to { slice.came } else { 0 };
            threads -= if behind <= from { slice.went } else { 0 };
        }
        (times, threads)
    }

    #[test]
    fn any_run_of_intervals_adds_up_to_what_states_says_of_it() {
        let profile = profile();
        let borders = [0, 100, 200, 300, 400, 500];
        let slices = state_slices(&profile, &Selection::default(), Owner::Process, &borders);
        for (from, to) in (0..5).flat_map(|from| (from + 1..=5).map(move |to| (from, to))) {
            let selection = Selection {
                time: Some(borders[from]..borders[to]),
                ..Selection::default()
            };
            let asked = states(&profile, &selection, Owner::Process);
            for row in asked.rows {
                let (times, threads) = sum(&slices[&(row.label.clone(), row.pid)], &borders, from, to);
                assert_eq!(threads, row.threads, "{} {from}..{to}", row.label);
                for (ours, theirs) in times.ns.into_iter().zip(row.times.ns) {
                    assert!(
                        ours.abs_diff(theirs) <= 2,
                        "{} {from}..{to}: {times:?}",
                        row.label
                    );
                }
                assert!(
                    times.waits.abs_diff(row.times.waits) <= 2,
                    "{} {from}..{to}",
                    row.label
                );
            }
        }
    }

    #[test]
    fn a_long_span_is_three_slices_and_not_one_for_each_interval() {
        let borders: Vec<u64> = (0..=50).map(|border| border * 10).collect();
        let slices = state_slices(&profile(), &Selection::default(), Owner::Process, &borders);
        let idle = &slices[&("idle".to_owned(), Some(9))];
        let at: Vec<_> = idle.keys().copied().collect();
        assert_eq!(at, [(2, 3), (3, 42), (42, 43)]);
        assert_eq!((idle[&(2, 3)].came, idle[&(42, 43)].went), (1, 1));
        assert_eq!(idle[&(3, 42)].times.of(State::Events), 390);
    }

    #[test]
    fn what_a_file_made_up_saturates() {
        let mut profile = profile();
        for span in &mut profile.thread_times {
            span.ns = [u64::MAX; State::COUNT];
            (span.start_ns, span.end_ns) = (5, u64::MAX);
        }
        for borders in [vec![], vec![0], vec![0, 7], vec![0, 7, u64::MAX]] {
            state_slices(&profile, &Selection::default(), Owner::Process, &borders);
        }
        assert_eq!(between(&[0, 10], 50, 3), (0, 1));
        assert_eq!(between(&[10, 20, 30], 0, 20), (0, 1));
        assert_eq!(between(&[10, 20, 30], 20, 20), (1, 2));
    }
}
