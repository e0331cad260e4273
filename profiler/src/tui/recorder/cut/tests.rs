//! A trace has what was selected, from its begin on, and nothing else.

use super::*;
use crate::profile::{Id, Outcome, Waker, folded::from_folded};

const SECOND: u64 = 1_000_000_000;

const TWO: &str = "redis/7;main;f 3\nnginx/9;main;libc.so.6`read 2";

/// What a profile has, as it comes in, and the profile that it refers to.
fn observed(mut profile: Profile) -> (Profile, Observed) {
    let observed = Observed {
        samples: std::mem::take(&mut profile.samples),
        ..Observed::default()
    };
    (profile, observed)
}

fn of_pid(pid: u32) -> Selection {
    Selection {
        pids: vec![pid],
        ..Selection::default()
    }
}

/// The windows put together again, as a reader does.
fn put_together(deltas: Vec<Delta>) -> Profile {
    let mut profile = Profile::default();
    for delta in deltas {
        profile.extend(delta).expect("windows fit each other");
    }
    profile
}

fn names(profile: &Profile) -> Vec<&str> {
    profile
        .functions
        .iter()
        .map(|(_, function)| function.name.as_str())
        .collect()
}

#[test]
fn what_was_not_selected_is_in_no_table() {
    let (profile, observed) = observed(from_folded(TWO));
    let mut cut = Cut::new(&profile, 0, of_pid(7), vec!["pid 7".into()]);
    let trace = put_together(vec![
        cut.window(&profile, &observed, &[]),
        cut.window(&profile, &observed, &[]),
    ]);
    assert_eq!(trace.samples.len(), 6);
    assert_eq!(trace.metadata.filters, ["pid 7"]);
    assert_eq!(names(&trace), ["main", "f"]);
    let pids: Vec<u32> = trace.processes.iter().map(|(_, process)| process.pid).collect();
    assert_eq!(pids, [7]);
}

#[test]
fn time_begins_with_the_trace() {
    let (mut profile, mut observed) = observed(from_folded(TWO));
    profile.metadata.start_monotonic_ns = 5;
    for sample in &mut observed.samples {
        sample.time_ns = 61 * SECOND;
    }
    let quality = QualityWindow {
        start_ns: 60 * SECOND,
        end_ns: 62 * SECOND,
        samples: 5,
        ..QualityWindow::default()
    };
    let mut cut = Cut::new(&profile, 60 * SECOND, of_pid(9), Vec::new());
    let trace = put_together(vec![cut.window(&profile, &observed, &[quality])]);
    assert!(trace.samples.iter().all(|sample| sample.time_ns == SECOND));
    assert_eq!(trace.metadata.start_monotonic_ns, 60 * SECOND + 5);
    let window = &trace.quality[0];
    assert_eq!((window.start_ns, window.end_ns), (0, 2 * SECOND));
    // Samples of others were taken, too: nothing is missing.
    assert_eq!((window.samples, window.filtered), (2, 3));
}

#[test]
fn of_what_began_before_the_part_counts_that_was_seen() {
    let mut ns = [0; State::COUNT];
    ns[State::Running as usize] = 30;
    ns[State::Sleep as usize] = 70;
    let span = ThreadTime {
        thread: Id::new(0),
        start_ns: 100,
        end_ns: 200,
        ns,
        waits: 1,
        preemptions: 0,
        in_calls_ns: Some(15),
    };
    let part = span_from(span, 133).unwrap();
    assert_eq!((part.start_ns, part.end_ns), (0, 67));
    assert_eq!(part.ns.iter().sum::<u64>(), 67);
    assert_eq!(
        (part.ns[State::Running as usize], part.in_calls_ns),
        (20, Some(10))
    );
    assert_eq!(span_from(span, 200), None);
    let whole = span_from(span, 100).unwrap();
    assert_eq!((whole.end_ns, whole.ns), (100, ns));
    assert_eq!(seen(50, Extent::Whole, 60), (50, Extent::Whole));
    assert_eq!(seen(50, Extent::Whole, 20), (20, Extent::BegunBefore));
    assert_eq!(seen(50, Extent::NotEnded, 20), (20, Extent::Throughout));
}

#[test]
fn names_that_become_known_later_reach_the_trace() {
    let (mut profile, mut observed) = observed(from_folded(TWO));
    let lines = std::mem::take(&mut profile.lines);
    let mut cut = Cut::new(&profile, 0, of_pid(7), Vec::new());
    let first = cut.window(&profile, &observed, &[]);
    assert!(first.lines.is_empty());
    profile.lines = lines;
    observed.samples.clear();
    observed.named = profile.lines.keys().copied().collect();
    let trace = put_together(vec![first, cut.window(&profile, &observed, &[])]);
    // Not those of the other process.
    assert_eq!(trace.lines.len(), 2);
    let mut found = names(&trace);
    found.sort_unstable();
    assert_eq!(found, ["f", "main"]);
}

#[test]
fn the_trace_goes_on_where_what_comes_in_has_other_ids() {
    let mut cut = Cut::new(&Profile::default(), 0, Selection::default(), Vec::new());
    let (one, first) = observed(from_folded(TWO));
    let (other, second) = observed(from_folded("nginx/9;main;libc.so.6`read 2\nredis/7;main;f 3"));
    let first = cut.window(&one, &first, &[]);
    cut.restart();
    let trace = put_together(vec![first, cut.window(&other, &second, &[])]);
    assert_eq!((trace.samples.len(), trace.processes.len()), (10, 2));
    let f = trace.samples.iter().filter(|sample| {
        let thread = &trace.threads[sample.thread];
        trace.processes[thread.process].pid == 7
    });
    assert_eq!(f.count(), 6);
}

#[test]
fn who_ended_a_wait_is_known_with_its_stack() {
    let (profile, mut observed) = observed(from_folded(TWO));
    let (waited, waker) = (observed.samples[0].thread, observed.samples[4].thread);
    let sample = &mut observed.samples[0];
    sample.waker = Waker::Thread(waker);
    let stack = observed.samples[4].stack;
    observed.call_stacks = [waited, waker]
        .map(|thread| CallStack {
            thread,
            start_ns: 1,
            end_ns: 2,
            stack,
            outcome: Outcome::Complete,
        })
        .to_vec();
    let mut cut = Cut::new(&profile, 0, of_pid(7), Vec::new());
    let trace = put_together(vec![cut.window(&profile, &observed, &[])]);
    assert_eq!(trace.call_stacks.len(), 2);
    assert_eq!((trace.samples.len(), trace.processes.len()), (3, 2));
}

#[test]
fn a_wait_that_goes_on_is_in_the_trace_once() {
    let mut unfinished = FxHashMap::default();
    let wait = |duration_ns, end_ns, extent| LockWait {
        end_ns,
        duration_ns,
        extent,
        ..crate::query::locks::tests::wait(0, 0)
    };
    let mut ends = |wait| {
        let finished = finished(&mut unfinished, wait);
        finished.iter().map(|wait| wait.end_ns).collect::<Vec<_>>()
    };
    assert_eq!(ends(wait(50, 100, Extent::NotEnded)), [0; 0]);
    assert_eq!(ends(wait(150, 200, Extent::NotEnded)), [0; 0]);
    assert_eq!(ends(wait(200, 250, Extent::Whole)), [250]);
    // Nobody said that it ended, but the thread waits anew.
    assert_eq!(ends(wait(10, 300, Extent::NotEnded)), [0; 0]);
    assert_eq!(ends(wait(20, 400, Extent::NotEnded)), [300]);
    let mut cut = Cut::new(&Profile::default(), 0, Selection::default(), Vec::new());
    cut.unfinished = unfinished;
    let last = cut.last();
    assert_eq!((last.lock_waits.len(), last.lock_waits[0].end_ns), (1, 400));
}
