//! What was measured is kept, joined and found again.

use super::{
    super::{
        history::{History, Window},
        kept::{Kept, Row as _, Stretch},
    },
    *,
};
use crate::{
    profile::{
        Delta, Extent, Id, LatencyKey, Mark, ObjectKind, Operation, Outcome, SlowEvent, State, Target, Waker,
        folded::from_folded,
    },
    query::{Owner, Selection, latencies, states},
};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const TEN: Window = Window::Last(Duration::from_secs(10));

fn span(thread: u32, from: u64, to: u64) -> ThreadTime {
    let mut ns = [0; State::COUNT];
    ns[State::Disk as usize] = to - from;
    ThreadTime {
        thread: Id::new(thread),
        start_ns: from,
        end_ns: to,
        ns,
        waits: 1,
        preemptions: 0,
        in_calls_ns: None,
    }
}

fn row(process: u32, second: u64, errors: &[(u16, u64)], buckets: &[(u8, u64)]) -> Latency {
    Latency {
        key: LatencyKey {
            process: Id::new(process),
            operation: Operation::Call(0),
            object: ObjectKind::File,
            device: 0,
        },
        start_ns: second * SECOND,
        end_ns: (second + 1) * SECOND,
        count: buckets.iter().map(|(_, count)| count).sum(),
        total_ns: 100,
        min_ns: 10,
        max_ns: 90,
        errors: errors.to_vec(),
        buckets: buckets.to_vec(),
    }
}

fn slow(thread: u32, end_ns: u64, duration_ns: u64) -> SlowEvent {
    SlowEvent {
        thread: Id::new(thread),
        end_ns,
        duration_ns,
        extent: Extent::Whole,
        operation: Operation::Call(0),
        object: ObjectKind::File,
        target: Some(Id::new(0)),
        result: 0,
        arguments: [0; 6],
        stack: None,
        outcome: Outcome::NoUserStack,
        wait_ns: 5,
        waker: Waker::Thread(Id::new(0)),
        woken_ns: 0,
    }
}

/// A delta of `text` that ends at `second`, as from a collector with tables of its own.
fn delta(text: &str, second: u64, fill: impl FnOnce(&mut Profile)) -> Delta {
    let mut profile = from_folded(text);
    fill(&mut profile);
    let mut delta = profile.take_delta(&mut Mark::default());
    delta.quality[0].end_ns = second * SECOND;
    // Or they would keep the rows that nothing else refers to.
    delta.samples.clear();
    delta
}

/// What `app` did in the second before `second`: its ids depend on what comes before it in `text`.
fn app_at(text: &str, app: u32, second: u64) -> Delta {
    delta(text, second, |profile| {
        let stack = profile.samples[app as usize].stack;
        // Targets that shift the number of the one that is meant.
        (0..app).for_each(|n| {
            profile.targets.intern(Target(format!("/other{n}")));
        });
        let target = Some(profile.targets.intern(Target("/data".into())));
        let end = second * SECOND;
        profile.thread_times = vec![span(app, end - SECOND, end)];
        profile.latencies = vec![row(app, second - 1, &[(2, 1)], &[(7, 3)])];
        profile.slow = vec![SlowEvent {
            target,
            stack,
            waker: Waker::Thread(Id::new(app)),
            ..slow(app, end, 7)
        }];
    })
}

#[track_caller]
fn assert_app(history: &mut History, window: Window, seconds: u64) {
    history.show(window);
    let profile = history.shown();
    let everything = Selection::default();
    let states = states(profile, &everything, Owner::Process);
    assert_eq!(states.rows.len(), 1, "{states:?}");
    let row = &states.rows[0];
    assert_eq!((row.label.as_str(), row.pid), ("app", Some(7)));
    assert_eq!(row.times.of(State::Disk), seconds * SECOND);
    let calls = latencies(profile, &everything, Owner::Process, |_| true);
    assert_eq!(calls.rows.len(), 1, "{calls:?}");
    let row = &calls.rows[0];
    assert_eq!((row.label.as_str(), row.pid), ("app", Some(7)));
    assert_eq!((row.timing.count, row.timing.failed()), (3 * seconds, seconds));
    assert_eq!(profile.slow.len() as u64, seconds);
    for event in &profile.slow {
        let Waker::Thread(waker) = event.waker else {
            panic!("{event:?}")
        };
        for thread in [event.thread, waker] {
            assert_eq!(profile.threads[thread].tid, 7);
        }
        assert_eq!(
            event.target.map(|id| profile.targets[id].0.as_str()),
            Some("/data")
        );
        let stack = event.stack.expect("it has a stack");
        let inner = profile.stacks.locations(stack).next().expect("with a frame");
        assert_eq!(profile.mapping_of(inner).path, "/usr/bin/app");
    }
}

#[test]
fn what_came_before_and_after_restarts_is_of_one_process() {
    let mut history = History::new(Duration::from_secs(60));
    // What nothing refers to goes at a restart, and what comes behind it gets other numbers.
    let nobody = delta("y/8;s\nz/9;q;r", 1, |profile| {
        profile.targets.intern(Target("/nothing".into()));
    });
    history.absorb(nobody).unwrap();
    history.restart();
    history
        .absorb(app_at("x/3;y;z\nw/4;v\napp/7;main", 2, 1))
        .unwrap();
    history.restart();
    // Other numbers for the same rows.
    history
        .absorb(app_at("a/1;x\nb/2;y;z\napp/7;main", 2, 2))
        .unwrap();
    for window in [TEN, Window::Start] {
        assert_app(&mut history, window, 2);
        // What is shown finds its rows again, too.
        history.restart();
        assert_app(&mut history, window, 2);
    }
    history.absorb(app_at("b/2;y\napp/7;main", 1, 40)).unwrap();
    assert_app(&mut history, TEN, 1);
    assert_app(&mut history, Window::Last(Duration::from_secs(60)), 3);
    history.restart();
    history.absorb(app_at("x/1;x\napp/7;main", 1, 99)).unwrap();
    assert_app(&mut history, Window::Last(Duration::from_secs(60)), 2);
    assert_app(&mut history, Window::Start, 4);
}

#[test]
fn what_is_shown_survives_a_restart_as_it_is() {
    let mut history = History::new(Duration::from_secs(60));
    history.absorb(delta("a/1;x\nb/2;y", 1, |_| {})).unwrap();
    history.restart();
    history.absorb(app_at("c/3;z\nd/4;z\napp/7;main", 2, 2)).unwrap();
    history.show(TEN);
    // The tables shrink, since nothing refers to `a` and `b` as soon as their samples are forgotten.
    history.absorb(delta("", 80, |_| {})).unwrap();
    history.restart();
    let profile = history.shown();
    let states = states(profile, &Selection::default(), Owner::Process);
    assert_eq!((states.rows.len(), states.rows[0].pid), (1, Some(7)));
    let calls = latencies(profile, &Selection::default(), Owner::Process, |_| true);
    assert_eq!((calls.rows.len(), calls.rows[0].pid), (1, Some(7)));
    assert_eq!(profile.threads[profile.slow[0].thread].tid, 7);
}

#[test]
fn rows_that_refer_to_nothing_are_refused_by_name() {
    type Break = fn(&mut Profile);
    let broken: [(&str, Break); 6] = [
        ("threads", |profile| profile.thread_times = vec![span(9, 0, 1)]),
        ("processes", |profile| {
            profile.latencies = vec![row(9, 0, &[], &[])]
        }),
        ("threads", |profile| profile.slow = vec![slow(9, 0, 1)]),
        ("targets", |profile| profile.slow = vec![slow(0, 0, 1)]),
        ("threads", |profile| {
            profile.slow = vec![SlowEvent {
                target: None,
                waker: Waker::Thread(Id::new(9)),
                ..slow(0, 0, 1)
            }];
        }),
        ("stacks", |profile| {
            profile.slow = vec![SlowEvent {
                target: None,
                stack: Some(Id::new(9)),
                ..slow(0, 0, 1)
            }];
        }),
    ];
    for (table, fill) in broken {
        let mut history = History::new(Duration::from_secs(60));
        let error = history.absorb(delta("app/7;main", 1, fill)).unwrap_err();
        assert!(error.to_string().contains(table), "{error}");
    }
}

#[test]
fn rows_about_the_same_add_up() {
    let mut a = row(0, 3, &[(2, 1), (11, 5)], &[(7, 3), (9, 1)]);
    let b = row(0, 5, &[(1, 2), (11, 5)], &[(8, 1), (9, 1)]);
    a.join(&b);
    assert_eq!((a.start_ns, a.end_ns), (3 * SECOND, 6 * SECOND));
    assert_eq!((a.count, a.total_ns, a.min_ns, a.max_ns), (6, 200, 10, 90));
    assert_eq!(a.errors, [(1, 2), (2, 1), (11, 10)]);
    assert_eq!(a.buckets, [(7, 3), (8, 1), (9, 2)]);
    // Calls that never return have no duration, and so no shortest one.
    let mut endless = Latency {
        min_ns: 0,
        ..row(0, 4, &[], &[])
    };
    endless.join(&b);
    assert_eq!(endless.min_ns, 10);
}

#[test]
fn many_windows_are_joined_and_their_sums_and_order_stay() {
    let mut profile = from_folded("app/7;main\nbpp/8;main");
    let mut kept = Kept::new(100, RECENT);
    for second in 0..1_000 {
        for process in 0..2 {
            kept.push(row(process, second, &[], &[(7, 1)]), &mut profile);
        }
        assert!(kept.iter().count() <= 100);
    }
    let count = |since: u64| {
        let rows = kept
            .iter()
            .filter(|row| row.start_ns.midpoint(row.end_ns) >= since * SECOND);
        rows.map(|row| row.count).sum::<u64>()
    };
    assert_eq!(count(0), 2_000);
    // The last ten, hundred seconds have their begin at most an eighth of them off.
    for seconds in [10, 100, 500] {
        let found = count(1_000 - seconds) / 2;
        assert!(found.abs_diff(seconds) * 8 <= seconds, "{seconds}: {found}");
    }
    assert!(kept.iter().map(|row| row.end_ns).is_sorted());
    assert_eq!(profile.processes.len(), 2);
}

#[test]
fn processes_that_are_gone_are_put_together_by_their_names() {
    let text: String = (0..1_000)
        .map(|pid| format!("cc{}/{};main\n", pid % 2, pid + 10))
        .collect();
    let mut profile = from_folded(&format!("{text}daemon/5;main"));
    let mut kept = Kept::new(100, &[Stretch::Any]);
    let mut times = Kept::new(100, &[Stretch::Any]);
    for second in 0..1_000u32 {
        for process in [second, 1_000] {
            kept.push(row(process, second.into(), &[], &[(7, 1)]), &mut profile);
            times.push(
                span(
                    process,
                    u64::from(second) * SECOND,
                    u64::from(second) * SECOND + 1,
                ),
                &mut profile,
            );
        }
    }
    profile.latencies = joined(kept.iter(), Stretch::Any).into();
    profile.thread_times = joined(times.iter(), Stretch::Any).into();
    assert!(profile.latencies.len() <= 100 && profile.thread_times.len() <= 100);
    let calls = latencies(&profile, &Selection::default(), Owner::Process, |_| true);
    let of = |label: &str, pid| {
        let found = calls
            .rows
            .iter()
            .find(|row| row.label == label && row.pid == Some(pid));
        found.map(|row| row.timing.count)
    };
    assert_eq!(calls.busy.count, 2_000);
    // Who still does something keeps its number.
    assert_eq!(of("daemon", 5), Some(1_000));
    assert_eq!(of("cc1", 1_009), Some(1));
    assert!(of("cc0", 0) > Some(400) && of("cc1", 0) > Some(400), "{calls:?}");
    let states = states(&profile, &Selection::default(), Owner::Process);
    assert_eq!((states.total.total_ns(), states.total.waits), (2_000, 2_000));
    assert!(
        states
            .rows
            .iter()
            .any(|row| (row.label.as_str(), row.pid) == ("cc0", Some(0)))
    );
}

#[test]
fn even_the_names_of_a_host_that_makes_them_up_are_bounded() {
    let text: String = (0..1_000)
        .map(|pid| format!("name{pid}/{};main\n", pid + 10))
        .collect();
    let mut profile = from_folded(&text);
    let mut kept = Kept::new(100, RECENT);
    for process in 0..1_000 {
        kept.push(row(process, 1, &[], &[(7, 1)]), &mut profile);
        assert!(kept.iter().count() <= 100);
    }
    assert_eq!(kept.iter().map(|row| row.count).sum::<u64>(), 1_000);
    let others = kept
        .iter()
        .find(|row| profile.processes[row.key.process].name == "[others]");
    assert!(others.is_some_and(|row| row.count > 100), "{others:?}");
}

#[test]
fn of_slow_calls_the_slowest_stay_and_who_is_idle_goes_first() {
    let mut slowest = Slowest::new(10);
    for number in 0..1_000u64 {
        // No order of durations.
        let mut event = slow(0, number, number * 7_919 % 1_000);
        if number % 3 == 0 {
            event.operation = Operation::Call(232); // epoll_wait
            event.duration_ns = 1_000_000;
        }
        slowest.push(event);
        assert!(slowest.iter().count() <= 10);
    }
    let read = |event: &&SlowEvent| event.operation == Operation::Call(0);
    let longest = slowest.iter().filter(read).map(|event| event.duration_ns).max();
    let truth = (0..1_000u64)
        .filter(|number| number % 3 != 0)
        .map(|number| number * 7_919 % 1_000);
    assert_eq!(longest, truth.max());
    assert!(slowest.iter().map(|event| event.end_ns).is_sorted());
    // As many of one length find their end, too.
    (0..100).for_each(|number| slowest.push(slow(0, number, 5_000)));
    assert!(slowest.iter().count() <= 10);
}
