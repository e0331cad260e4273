//! How long operations took: counted and timed one by one, not sampled.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Owner, Selection, operation::is_idle, owner::Key, timing::Timing};
use crate::profile::{ObjectKind, Operation, Profile};

/// Operations of one kind, of one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    /// The owner's name; raw. In brackets for what has none.
    pub label: String,
    /// The process id, for processes.
    pub pid: Option<u32>,
    /// What took the time.
    pub operation: Operation,
    /// On what.
    pub object: ObjectKind,
    /// Block I/O: the device's number, `major << 20 | minor`, else 0.
    pub device: u32,
    /// Whether it waits for events, a time or a person, so that nobody has to mend that it takes long.
    pub idle: bool,
    /// How long they took.
    pub timing: Timing,
}

/// How long the selected operations took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// What is not idle first; then by the time in all, longest first, then by name, id and operation.
    pub rows: Vec<LatencyRow>,
    /// All that are not idle together: what shares are of.
    pub busy: Timing,
    /// All idle ones together.
    pub idle: Timing,
    /// How many processes there were, by their ids.
    pub processes: u64,
    /// How many operations the recording holds, selected or not.
    pub recorded: u64,
}

/// How long operations took that `asked` wants to know of, by whose they are.
///
/// They are known by process, not by thread: a process's name stands for those of its threads, and conditions on thread
/// ids and stacks do not apply. They are added up window by window, each about as long as the recorder's second: a window
/// that an end of the selected time cuts counts whole if its middle lies within, else not at all.
pub fn latencies(
    profile: &Profile,
    selection: &Selection,
    by: Owner,
    asked: impl Fn(Operation) -> bool,
) -> Latencies {
    let selected = selection.processes(profile);
    let mut groups: FxHashMap<(Key<'_>, Operation, ObjectKind, u32), Timing> = FxHashMap::default();
    let mut all = Latencies::default();
    let mut pids = FxHashSet::default();
    for window in &profile.latencies {
        let key = window.key;
        if !asked(key.operation) {
            continue;
        }
        all.recorded = all.recorded.saturating_add(window.count);
        if !selected[key.process.index()] || !selection.holds_middle(window.start_ns, window.end_ns) {
            continue;
        }
        pids.insert(profile.processes[key.process].pid);
        let owner = by.of_process(profile, key.process);
        groups
            .entry((owner, key.operation, key.object, key.device))
            .or_default()
            .add(window);
        if is_idle(key.operation, key.object) {
            all.idle.add(window);
        } else {
            all.busy.add(window);
        }
    }
    all.processes = pids.len() as u64;
    all.rows = groups
        .into_iter()
        .map(|((owner, operation, object, device), timing)| LatencyRow {
            label: owner.label.to_owned(),
            pid: owner.pid,
            operation,
            object,
            device,
            idle: is_idle(operation, object),
            timing,
        })
        .collect();
    all.rows.sort_by(|a, b| {
        let key = |row: &LatencyRow| (row.idle, std::cmp::Reverse(row.timing.total_ns));
        let name = |row: &LatencyRow| (row.pid, row.operation, row.object, row.device);
        key(a)
            .cmp(&key(b))
            .then_with(|| a.label.cmp(&b.label))
            .then_with(|| name(a).cmp(&name(b)))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, Latency, LatencyKey, folded::from_folded},
        query::{Glob, operation::is_call, timing::tests::window},
    };

    const READ: Operation = Operation::Call(0);
    const EPOLL_WAIT: Operation = Operation::Call(232);

    fn add(profile: &mut Profile, process: u32, operation: Operation, second: u64, durations: &[u64]) {
        let row = window(durations);
        profile.latencies.push(Latency {
            key: LatencyKey {
                process: Id::new(process),
                operation,
                ..row.key
            },
            start_ns: second * 1_000_000_000,
            end_ns: (second + 1) * 1_000_000_000,
            ..row
        });
    }

    /// `app` (pid 7) reads in two windows and waits for events, `other` (pid 9) reads, and waits for a CPU.
    fn profile() -> Profile {
        let mut profile = from_folded("app/7;main 1\nother/9;main 1");
        add(&mut profile, 0, READ, 0, &[1_000, 3_000]);
        add(&mut profile, 0, EPOLL_WAIT, 0, &[900_000_000]);
        add(&mut profile, 0, READ, 1, &[10_000]);
        add(&mut profile, 1, READ, 1, &[20_000]);
        add(&mut profile, 1, Operation::RunQueue, 1, &[20_000]);
        profile
    }

    fn of(selection: &Selection, by: Owner) -> Vec<(String, Operation, u64, u64)> {
        latencies(&profile(), selection, by, is_call)
            .rows
            .into_iter()
            .map(|row| (row.label, row.operation, row.timing.count, row.timing.total_ns))
            .collect()
    }

    #[test]
    fn idle_calls_come_last_and_are_not_among_what_shares_are_of() {
        assert_eq!(
            of(&Selection::default(), Owner::Process),
            [
                ("other".into(), READ, 1, 20_000),
                ("app".into(), READ, 3, 14_000),
                ("app".into(), EPOLL_WAIT, 1, 900_000_000)
            ]
        );
        let all = latencies(&profile(), &Selection::default(), Owner::Process, is_call);
        assert_eq!((all.busy.total_ns, all.idle.total_ns), (34_000, 900_000_000));
        assert_eq!((all.busy.count, all.processes, all.recorded), (4, 2, 5));
    }

    #[test]
    fn a_window_counts_whole_if_its_middle_is_selected() {
        let count = |time| {
            let selection = Selection {
                time: Some(time),
                ..Selection::default()
            };
            latencies(&profile(), &selection, Owner::Process, is_call)
                .busy
                .count
        };
        assert_eq!(count(0..500_000_000), 0);
        assert_eq!(count(0..500_000_001), 2);
        assert_eq!(count(500_000_001..u64::MAX), 2);
        assert_eq!(count(0..u64::MAX), 4);
    }

    #[test]
    fn filters_of_processes_apply() {
        let everything = Selection::default();
        let count = |selection: Selection| of(&selection, Owner::Process).len();
        for (selection, expected) in [
            (
                Selection {
                    pids: vec![9],
                    ..everything.clone()
                },
                1,
            ),
            (
                Selection {
                    comm: Some(Glob::new("ap*")),
                    ..everything.clone()
                },
                2,
            ),
            (
                Selection {
                    cgroup: Some("/a".into()),
                    ..everything.clone()
                },
                0,
            ),
            (
                Selection {
                    unit: Some("x".into()),
                    ..everything
                },
                0,
            ),
        ] {
            assert_eq!(count(selection.clone()), expected, "{selection:?}");
        }
    }

    #[test]
    fn owners_of_one_kind_are_put_together() {
        let by_unit = of(&Selection::default(), Owner::Unit);
        assert_eq!(by_unit[0], ("[no unit]".into(), READ, 4, 34_000));
        assert_eq!(by_unit.len(), 2);
        assert_eq!(of(&Selection::default(), Owner::Comm).len(), 3);
    }
}
