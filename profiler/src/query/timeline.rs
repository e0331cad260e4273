//! What threads did when: the states of a stretch of time, bin by bin.

use std::ops::Range;

use super::{Selection, StateTimes, states::clip};
use crate::profile::Profile;

/// How the selected threads spent `time`, cut into so many bins of one length (the last may be shorter).
///
/// As with [`super::states()`], of a span that crosses the end of a bin as much of each state counts in each bin as lies
/// within, as if the span were the same all through: bins shorter than the recorder's second show no more than it knows.
pub fn timeline(profile: &Profile, selection: &Selection, time: &Range<u64>, bin_ns: u64) -> Vec<StateTimes> {
    let bin_ns = bin_ns.max(1);
    let bins = time.end.saturating_sub(time.start).div_ceil(bin_ns);
    let mut sums = vec![StateTimes::default(); usize::try_from(bins).unwrap_or(0)];
    let selected = selection.threads(profile);
    for span in &profile.thread_times {
        if !selected[span.thread.index()] || sums.is_empty() {
            continue;
        }
        let (start, end) = (span.start_ns.max(time.start), span.end_ns.min(time.end));
        if end < start {
            continue;
        }
        let bin = |at: u64| ((at - time.start) / bin_ns).min(bins - 1);
        for number in bin(start)..=bin(end) {
            let from = time.start + number * bin_ns;
            let within = from..from.saturating_add(bin_ns).min(time.end);
            if let Some(times) = clip(span, Some(&within)) {
                sums[number as usize].add(&times);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, State, ThreadTime, folded::from_folded},
        query::{Owner, states},
    };

    fn profile() -> Profile {
        let mut profile = from_folded("app/7;main 1\nidle/9;main 1");
        let span = |thread, range: Range<u64>, state: State| {
            let mut ns = [0; State::COUNT];
            ns[state as usize] = range.end - range.start;
            ThreadTime {
                thread: Id::new(thread),
                start_ns: range.start,
                end_ns: range.end,
                ns,
                waits: 0,
                preemptions: 0,
                in_calls_ns: None,
            }
        };
        profile.thread_times = vec![
            span(0, 0..100, State::Running),
            span(1, 0..250, State::Events),
            span(0, 100..250, State::Lock),
        ];
        profile
    }

    #[test]
    fn bins_add_up_to_the_whole() {
        let (profile, all) = (profile(), Selection::default());
        let bins = timeline(&profile, &all, &(0..250), 100);
        let of = |state| bins.iter().map(|bin| bin.of(state)).collect::<Vec<_>>();
        assert_eq!(of(State::Running), [100, 0, 0]);
        assert_eq!(of(State::Lock), [0, 100, 50]);
        assert_eq!(of(State::Events), [100, 100, 50]);
        let mut sum = StateTimes::default();
        bins.iter().for_each(|bin| sum.add(bin));
        assert_eq!(sum, states(&profile, &all, Owner::Process).total);
    }

    #[test]
    fn what_is_not_selected_is_not_there() {
        let one = Selection {
            pids: vec![9],
            ..Selection::default()
        };
        let bins = timeline(&profile(), &one, &(50..150), 1_000);
        assert_eq!(bins.len(), 1);
        assert_eq!((bins[0].of(State::Events), bins[0].total_ns()), (100, 100));
        assert_eq!(timeline(&profile(), &one, &(5..5), 10), []);
    }
}
