//! What threads did all the time: measured at every switch, not sampled.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Owner, Sampled, Selection, latencies,
    modes::{Evidence, Modes, ModesOfStacks},
    owner::Key,
    percent,
    timing::Timing,
};
use crate::profile::{Operation, Profile, Sample, State, ThreadTime};

/// Time in each state, added up. Sums saturate: spans come from a file that anybody may have written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateTimes {
    /// Nanoseconds in each [`State`], by its discriminant.
    pub ns: [u64; State::COUNT],
    /// How often threads left the CPU to wait.
    pub waits: u64,
    /// How often threads were taken off the CPU though they could have gone on.
    pub preemptions: u64,
    /// Nanoseconds of [`State::Running`] in system calls; not those of spans in which calls were not recorded.
    pub in_calls_ns: u64,
    /// Nanoseconds of [`State::Running`] in spans in which calls were not recorded.
    pub not_divided_ns: u64,
}

impl StateTimes {
    /// Nanoseconds in one state.
    pub fn of(&self, state: State) -> u64 {
        self.ns[state as usize]
    }

    /// Nanoseconds in all states: wall-clock time times threads.
    pub fn total_ns(&self) -> u64 {
        self.ns.iter().fold(0, |sum, ns| sum.saturating_add(*ns))
    }

    /// Nanoseconds in which threads waited for events or slept, which nobody has to mend.
    pub fn idle_ns(&self) -> u64 {
        self.of(State::Events).saturating_add(self.of(State::Sleep))
    }

    /// Nanoseconds in all other states: what there was to do, done or held up.
    pub fn active_ns(&self) -> u64 {
        let active = State::ALL
            .into_iter()
            .filter(|state| !matches!(state, State::Events | State::Sleep));
        active.fold(0, |sum, state| sum.saturating_add(self.of(state)))
    }

    /// Nanoseconds in which there was work that ran, or was held up by the host: by the want of a CPU, by a disk, by
    /// memory or by something else in the kernel that cannot be interrupted. Waits for other threads are not among them:
    /// the state does not tell those for what another thread has from those for something to do.
    pub fn held_up_ns(&self) -> u64 {
        let states = [
            State::Running,
            State::Runnable,
            State::Disk,
            State::PageFault,
            State::Blocked,
        ];
        states
            .into_iter()
            .fold(0, |sum, state| sum.saturating_add(self.of(state)))
    }

    /// Time in one state in percent of the time in all; 0 of nothing is 0.
    pub fn percent(&self, state: State) -> f64 {
        percent(self.of(state), self.total_ns())
    }

    pub(super) fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        self.ns
            .iter_mut()
            .zip(other.ns)
            .for_each(|(sum, more)| add(sum, more));
        add(&mut self.waits, other.waits);
        add(&mut self.preemptions, other.preemptions);
        add(&mut self.in_calls_ns, other.in_calls_ns);
        add(&mut self.not_divided_ns, other.not_divided_ns);
    }

    /// What is more than in `other`.
    pub(super) fn less(&self, other: &Self) -> Self {
        let mut ns = self.ns;
        ns.iter_mut()
            .zip(other.ns)
            .for_each(|(rest, less)| *rest = rest.saturating_sub(less));
        Self {
            ns,
            waits: self.waits.saturating_sub(other.waits),
            preemptions: self.preemptions.saturating_sub(other.preemptions),
            in_calls_ns: self.in_calls_ns.saturating_sub(other.in_calls_ns),
            not_divided_ns: self.not_divided_ns.saturating_sub(other.not_divided_ns),
        }
    }
}

/// Whose time, and how it was spent.
#[derive(Clone, Debug, PartialEq)]
pub struct StateRow {
    /// The owner's name; raw. In brackets for what has none.
    pub label: String,
    /// The process id, for processes and threads.
    pub pid: Option<u32>,
    /// The thread id, for threads.
    pub tid: Option<u32>,
    /// How many threads it had, by their ids.
    pub threads: u64,
    /// How they spent their time.
    pub times: StateTimes,
    /// How what they ran divides into the program's code and the kernel's.
    pub modes: Modes,
    /// How long each wait for a CPU was, once it was woken or taken off one; `None` for single threads, which it is not
    /// known of, and where it was not recorded.
    pub run_queue: Option<Timing>,
}

/// How the selected threads spent their time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct States {
    /// By the time that was not idle, largest first, then by name and id.
    pub rows: Vec<StateRow>,
    /// All of them together.
    pub total: StateTimes,
    /// How what all of them ran divides into the programs' code and the kernel's.
    pub modes: Modes,
    /// How long each wait for a CPU was, of all of them; `None` as for rows.
    pub run_queue: Option<Timing>,
    /// How many threads there were, by their ids.
    pub threads: u64,
    /// How many threads the recording holds the time of.
    pub recorded_threads: u64,
}

impl States {
    /// Whether it is known how the time on a CPU divides into the programs' code and the kernel's.
    pub fn divides(&self) -> bool {
        let running = self.total.of(State::Running);
        running > self.total.not_divided_ns || (running > 0 && self.modes.plus_minus_ns.is_some())
    }
}

/// How the selected threads spent their time, by whose they are.
///
/// Conditions on stacks (modules, functions) do not apply: a thread's time is not tied to its stack. Of a span that
/// crosses an end of the selected time, as much of each state counts as lies within if the span was the same all
/// through; a span is about as long as the recorder's second, or as long as the thread did nothing else. All other
/// figures are exact. Waits for a CPU are known by process, not by thread: for what applies of a selection to them, see
/// [`latencies()`].
pub fn states(profile: &Profile, selection: &Selection, by: Owner) -> States {
    let selected = selection.threads(profile);
    let mut groups: FxHashMap<Key<'_>, Group> = FxHashMap::default();
    let mut states = States::default();
    let mut evidence = Evidence::default();
    let (mut threads, mut recorded) = (FxHashSet::default(), FxHashSet::default());
    for span in &profile.thread_times {
        let tid = profile.threads[span.thread].tid;
        recorded.insert(tid);
        let within = selected[span.thread.index()].then(|| clip(span, selection.time.as_ref()));
        let Some(times) = within.flatten() else {
            continue;
        };
        threads.insert(tid);
        states.total.add(&times);
        let group = groups.entry(by.of(profile, span.thread)).or_default();
        group.times.add(&times);
        group.tids.insert(tid);
        let is_kernel = profile.processes[profile.threads[span.thread].process].kernel_thread;
        group.evidence.ran(&times, is_kernel);
        evidence.ran(&times, is_kernel);
    }
    let modes = ModesOfStacks::of(profile);
    let is_selected = |sample: &&Sample| {
        let is_within = |time: &Range<u64>| time.contains(&sample.time_ns);
        selected[sample.thread.index()] && selection.time.as_ref().is_none_or(is_within)
    };
    for sample in Sampled::Cpu.samples(profile).filter(is_selected) {
        let group = groups.get_mut(&by.of(profile, sample.thread));
        if let Some((group, stack)) = group.zip(sample.stack) {
            group.evidence.sampled(modes.at(stack));
            evidence.sampled(modes.at(stack));
        }
    }
    states.modes = evidence.modes();
    states.threads = threads.len() as u64;
    states.recorded_threads = recorded.len() as u64;
    let (mut run_queues, run_queue) = run_queues(profile, selection, by);
    states.run_queue = run_queue;
    states.rows = groups
        .into_iter()
        .map(|(Key { label, pid, tid }, group)| StateRow {
            label: label.to_owned(),
            pid,
            tid,
            threads: group.tids.len() as u64,
            times: group.times,
            modes: group.evidence.modes(),
            run_queue: run_queues.remove(&(label.to_owned(), pid)),
        })
        .collect();
    states.rows.sort_by(|a, b| {
        let by_size = b.times.active_ns().cmp(&a.times.active_ns());
        by_size.then_with(|| (&a.label, a.pid, a.tid).cmp(&(&b.label, b.pid, b.tid)))
    });
    states
}

/// What is known of the threads of one owner.
#[derive(Default)]
struct Group {
    times: StateTimes,
    tids: FxHashSet<u32>,
    evidence: Evidence,
}

/// How long waits for a CPU were, by the owner's name and process id.
type RunQueues = FxHashMap<(String, Option<u32>), Timing>;

/// Those of each owner, and of all together.
fn run_queues(profile: &Profile, selection: &Selection, by: Owner) -> (RunQueues, Option<Timing>) {
    // Nothing is known of a part of a process.
    if by == Owner::Thread || !selection.tids.is_empty() {
        return Default::default();
    }
    let all = latencies(profile, selection, by, |operation| {
        operation == Operation::RunQueue
    });
    let total = (!all.rows.is_empty()).then_some(all.busy);
    let rows = all.rows.into_iter();
    (
        rows.map(|row| ((row.label, row.pid), row.timing)).collect(),
        total,
    )
}

/// What of a span lies within `time`; `None` if nothing does.
pub(super) fn clip(span: &ThreadTime, time: Option<&Range<u64>>) -> Option<StateTimes> {
    let (start, end) = (span.start_ns, span.end_ns.max(span.start_ns));
    let length = end - start;
    let (from, to) = time.map_or((start, end), |time| (time.start.max(start), time.end.min(end)));
    let inside = match to.checked_sub(from)? {
        // A span without length is a moment.
        0 if length == 0 => time.is_none_or(|time| time.contains(&start)),
        inside => inside > 0,
    };
    if !inside {
        return None;
    }
    let part = |number: u64| match to - from {
        whole if whole == length => number,
        some => (u128::from(number) * u128::from(some) / u128::from(length)) as u64,
    };
    // The nearest number: a border that cuts off a thousandth of a span leaves its only wait where nearly all of it is.
    let times = |number: u32| match to - from {
        whole if whole == length => u64::from(number),
        some => {
            ((u128::from(number) * u128::from(some) * 2 + u128::from(length)) / (u128::from(length) * 2))
                as u64
        }
    };
    // Shares of running sums, so that what is rounded away in one state is in the next, and no nanosecond is lost.
    let (mut sum, mut before) = (0u64, 0);
    let ns = span.ns.map(|ns| {
        sum = sum.saturating_add(ns);
        let until = part(sum);
        let share = until - before;
        before = until;
        share
    });
    let running = ns[State::Running as usize];
    let (in_calls_ns, not_divided_ns) = match span.in_calls_ns {
        // Not more than it ran: the file may say anything.
        Some(in_calls) => (part(in_calls).min(running), 0),
        None => (0, running),
    };
    Some(StateTimes {
        ns,
        waits: times(span.waits),
        preemptions: times(span.preemptions),
        in_calls_ns,
        not_divided_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, Latency, LatencyKey, folded::from_folded},
        query::{Glob, timing::tests::window},
    };

    fn span(thread: u32, range: Range<u64>, times: &[(State, u64)]) -> ThreadTime {
        let mut ns = [0; State::COUNT];
        times.iter().for_each(|&(state, time)| ns[state as usize] = time);
        ThreadTime {
            thread: Id::new(thread),
            start_ns: range.start,
            end_ns: range.end,
            ns,
            waits: 10,
            preemptions: 4,
            in_calls_ns: None,
        }
    }

    /// `app` (pid 7) runs half of its 200 ns and waits for a lock, `idle` (pid 9) waits for events.
    fn profile() -> Profile {
        let mut profile = from_folded("app/7;main 1\nidle/9;main 1");
        profile.thread_times = vec![
            span(0, 0..100, &[(State::Running, 100)]),
            span(1, 0..200, &[(State::Running, 1), (State::Events, 199)]),
            span(0, 100..200, &[(State::Running, 1), (State::Lock, 99)]),
        ];
        profile
    }

    fn of(selection: &Selection) -> States {
        states(&profile(), selection, Owner::Process)
    }

    #[test]
    fn rows_are_sorted_by_what_is_not_idle_and_sum_to_the_total() {
        let states = of(&Selection::default());
        let rows: Vec<_> = states
            .rows
            .iter()
            .map(|row| {
                (
                    row.label.as_str(),
                    row.pid,
                    row.times.active_ns(),
                    row.times.idle_ns(),
                )
            })
            .collect();
        assert_eq!(rows, [("app", Some(7), 200, 0), ("idle", Some(9), 1, 199)]);
        assert_eq!((states.total.total_ns(), states.total.waits), (400, 30));
        assert_eq!((states.threads, states.recorded_threads), (2, 2));
        assert!((states.rows[0].times.percent(State::Lock) - 49.5).abs() < 1e-9);
    }

    #[test]
    fn a_span_across_the_border_counts_in_proportion_and_no_other() {
        let selection = |time| Selection {
            time: Some(time),
            ..Selection::default()
        };
        let states = of(&selection(0..150));
        let app = states.rows[0].times;
        // Half of the second span: 50 of its 100 ns, the odd one in the later state.
        assert_eq!((app.of(State::Running), app.of(State::Lock)), (100, 50));
        assert_eq!((app.waits, app.preemptions, app.total_ns()), (15, 6, 150));
        assert_eq!(of(&selection(100..200)).rows[0].times.of(State::Lock), 99);
        assert_eq!(
            of(&selection(200..300)),
            States {
                recorded_threads: 2,
                modes: Modes {
                    plus_minus_ns: Some(0.0),
                    ..Modes::default()
                },
                ..States::default()
            }
        );
        assert_eq!(of(&selection(0..u64::MAX)), of(&Selection::default()));
    }

    #[test]
    fn filters_of_threads_apply_and_those_of_stacks_do_not() {
        let everything = Selection::default();
        let count = |selection: Selection| of(&selection).rows.len();
        assert_eq!(
            count(Selection {
                pids: vec![7],
                ..everything.clone()
            }),
            1
        );
        assert_eq!(
            count(Selection {
                tids: vec![8],
                ..everything.clone()
            }),
            0
        );
        assert_eq!(
            count(Selection {
                comm: Some(Glob::new("id*")),
                ..everything.clone()
            }),
            1
        );
        assert_eq!(
            count(Selection {
                cgroup: Some("/a".into()),
                ..everything.clone()
            }),
            0
        );
        assert_eq!(
            count(Selection {
                pattern: Some("nowhere".into()),
                ..everything
            }),
            2
        );
    }

    #[test]
    fn threads_that_have_no_owner_of_a_kind_are_together() {
        for (by, expected) in [
            (Owner::Thread, vec!["app", "idle"]),
            (Owner::Comm, vec!["app", "idle"]),
            (Owner::Cgroup, vec!["[no cgroup]"]),
            (Owner::Unit, vec!["[no unit]"]),
            (Owner::Container, vec!["[no container]"]),
        ] {
            let states = states(&profile(), &Selection::default(), by);
            let labels: Vec<_> = states.rows.iter().map(|row| row.label.as_str()).collect();
            assert_eq!(labels, expected, "{by:?}");
            assert_eq!(states.rows.iter().map(|row| row.threads).sum::<u64>(), 2);
        }
    }

    #[test]
    fn waits_for_a_cpu_are_known_by_process() {
        let mut profile = profile();
        let row = window(&[1_000, 2_000]);
        profile.latencies.push(Latency {
            key: LatencyKey {
                process: Id::new(1),
                operation: Operation::RunQueue,
                ..row.key
            },
            ..row
        });
        let counts = |selection: &Selection, by| {
            let states = states(&profile, selection, by);
            let total = states.run_queue.map(|timing| timing.count);
            let rows = states.rows.into_iter();
            let rows: Vec<_> = rows.map(|row| row.run_queue.map(|timing| timing.count)).collect();
            (rows, total)
        };
        let everything = Selection::default();
        assert_eq!(
            counts(&everything, Owner::Process),
            (vec![None, Some(2)], Some(2))
        );
        assert_eq!(counts(&everything, Owner::Unit), (vec![Some(2)], Some(2)));
        assert_eq!(counts(&everything, Owner::Thread), (vec![None, None], None));
        let one = Selection {
            tids: vec![9],
            ..everything
        };
        assert_eq!(counts(&one, Owner::Process), (vec![None], None));
    }

    #[test]
    fn a_moment_has_no_time_and_keeps_its_counts() {
        let mut profile = profile();
        profile.thread_times = vec![span(0, 50..50, &[])];
        let waits = |time| {
            let selection = Selection {
                time,
                ..Selection::default()
            };
            states(&profile, &selection, Owner::Process).total.waits
        };
        assert_eq!(
            (waits(None), waits(Some(50..60)), waits(Some(40..50))),
            (10, 10, 0)
        );
    }

    #[test]
    fn spans_that_a_file_made_up_saturate() {
        let mut profile = profile();
        for span in &mut profile.thread_times {
            span.ns = [u64::MAX; State::COUNT];
            (span.start_ns, span.end_ns) = (u64::MAX, 0);
        }
        for time in [None, Some(5..9), Some(0..u64::MAX)] {
            let selection = Selection {
                time,
                ..Selection::default()
            };
            let states = states(&profile, &selection, Owner::Process);
            assert!(states.total.active_ns() >= states.total.of(State::Running));
        }
    }
}
