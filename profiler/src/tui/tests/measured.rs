//! The views of what was measured, not sampled.

use super::*;
use crate::{
    profile::{
        Extent, Id, Latency, LatencyKey, ObjectKind, Operation, Process, SlowEvent, State, Target, Thread,
        ThreadTime, Waker,
    },
    query::timing::tests::counted,
};

const READ: Operation = Operation::Call(0);
const WRITE: Operation = Operation::Call(1);
const FSYNC: Operation = Operation::Call(74);
const WAIT: Operation = Operation::Call(61);
const EPOLL_WAIT: Operation = Operation::Call(232);
const MS: u64 = 1_000_000;

/// The process with this number; the first of its threads has the number, too.
fn process(profile: &Profile, pid: u32) -> Id<Process> {
    let mut processes = profile.processes.iter();
    processes
        .find(|(_, process)| process.pid == pid)
        .expect("it is there")
        .0
}

fn thread(profile: &mut Profile, pid: u32, tid: u32, name: &str) -> Id<Thread> {
    let process = process(profile, pid);
    let name = name.to_owned();
    profile.threads.intern(Thread { process, tid, name })
}

/// So many milliseconds in each state up to the end of the 7.15 s that are recorded.
fn add_time(profile: &mut Profile, thread: Id<Thread>, waits: u32, states: &[(State, u64)]) {
    let mut ns = [0; State::COUNT];
    states
        .iter()
        .for_each(|&(state, time)| ns[state as usize] = time * MS);
    let end_ns = profile.quality[0].end_ns;
    profile.thread_times.push(ThreadTime {
        thread,
        start_ns: end_ns - ns.iter().sum::<u64>(),
        end_ns,
        ns,
        waits,
        preemptions: 0,
        in_calls_ns: None,
    });
}

fn add_calls(
    profile: &mut Profile,
    pid: u32,
    (operation, object): (Operation, ObjectKind),
    times: &[(u64, u64)],
) {
    let row = counted(times);
    profile.latencies.push(Latency {
        key: LatencyKey {
            process: process(profile, pid),
            operation,
            object,
            device: 0,
        },
        errors: match operation {
            READ => vec![(11, 12), (4, 1)],
            _ => Vec::new(),
        },
        ..row
    });
}

fn add_slow(profile: &mut Profile, thread: Id<Thread>, call: SlowEvent, target: Option<&str>) {
    let target = target.map(|words| profile.targets.intern(Target(words.to_owned())));
    profile.slow.push(SlowEvent {
        thread,
        target,
        ..call
    });
}

fn slow(operation: Operation, object: ObjectKind, duration_ns: u64, result: i64) -> SlowEvent {
    SlowEvent {
        thread: Id::new(0),
        end_ns: 5_000 * MS + duration_ns,
        duration_ns,
        extent: Extent::Whole,
        operation,
        object,
        target: None,
        result,
        arguments: [0; 6],
        stack: None,
        outcome: Outcome::NoUserStack,
        wait_ns: duration_ns,
        waker: Waker::Interrupt,
        woken_ns: 0,
    }
}

/// A read from a socket that took so long.
pub(super) fn a_read(duration_ns: u64) -> SlowEvent {
    slow(READ, ObjectKind::Socket, duration_ns, 1)
}

/// [`web`], and what its threads did all the time.
pub(super) fn waiting() -> Profile {
    let mut profile = web();
    let redis = thread(&mut profile, 812, 812, "redis-server");
    let saver = thread(&mut profile, 812, 815, "bio_aof");
    let python = thread(&mut profile, 2201, 2201, "python3");
    let nginx = thread(&mut profile, 77, 77, "nginx");
    let kworker = thread(&mut profile, 31, 31, "kworker/u8");
    use State::{Blocked, Disk, Events, Ipc, Lock, Network, PageFault, Runnable, Running, Sleep};
    add_time(
        &mut profile,
        redis,
        12_345,
        &[(Running, 4_500), (Runnable, 400), (Network, 100), (Events, 2_150)],
    );
    add_time(
        &mut profile,
        saver,
        40,
        &[(Running, 2), (Disk, 5_148), (Lock, 2_000)],
    );
    add_time(
        &mut profile,
        python,
        900,
        &[(Running, 2_100), (Ipc, 3_000), (PageFault, 50), (Sleep, 2_000)],
    );
    add_time(
        &mut profile,
        nginx,
        3_000,
        &[(Running, 400), (Network, 50), (Events, 6_700)],
    );
    add_time(
        &mut profile,
        kworker,
        7,
        &[(Running, 100), (Blocked, 50), (Events, 7_000)],
    );
    for (pid, waits) in [
        (812, &[(2_000, 900), (6_000_000, 20)]),
        (77, &[(1_000, 50), (9_000, 2)]),
    ] {
        add_calls(&mut profile, pid, (Operation::RunQueue, ObjectKind::None), waits);
    }
    add_calls(
        &mut profile,
        812,
        (READ, ObjectKind::Socket),
        &[(1_500, 150_000), (40_000, 99)],
    );
    add_calls(
        &mut profile,
        812,
        (WRITE, ObjectKind::Socket),
        &[(9_000, 150_000), (400_000, 9)],
    );
    add_calls(
        &mut profile,
        812,
        (FSYNC, ObjectKind::File),
        &[(80 * MS, 60), (340 * MS, 1)],
    );
    add_calls(
        &mut profile,
        812,
        (EPOLL_WAIT, ObjectKind::Event),
        &[(100_000, 20_000)],
    );
    add_calls(&mut profile, 2201, (WAIT, ObjectKind::None), &[(1_500 * MS, 2)]);
    add_calls(&mut profile, 77, (WRITE, ObjectKind::File), &[(11_000, 420)]);
    add_slow(
        &mut profile,
        saver,
        slow(FSYNC, ObjectKind::File, 340 * MS, 0),
        Some("/var/lib/redis/appendonly.aof"),
    );
    add_slow(
        &mut profile,
        saver,
        slow(FSYNC, ObjectKind::File, 80 * MS, -5),
        Some("/var/lib/redis/appendonly.aof"),
    );
    let woken = SlowEvent {
        waker: Waker::Thread(kworker),
        ..slow(WAIT, ObjectKind::None, 1_500 * MS, 31)
    };
    add_slow(&mut profile, python, woken, None);
    let preempted = SlowEvent {
        waker: Waker::Nobody,
        ..slow(WRITE, ObjectKind::Socket, 3 * MS, 512)
    };
    add_slow(&mut profile, redis, preempted, Some("10.0.0.7:49152"));
    add_slow(
        &mut profile,
        nginx,
        slow(EPOLL_WAIT, ObjectKind::Event, 6_000 * MS, 1),
        None,
    );
    profile
}

#[test]
fn how_threads_spent_their_time() {
    let mut app = app_of(waiting());
    press(&mut app, "4");
    assert_screens("time", &mut app);
}

#[test]
fn system_calls_and_the_slowest() {
    let mut app = app_of(waiting());
    press(&mut app, "5");
    assert_screens("calls", &mut app);
    press(&mut app, "I");
    let drawn = screen(&mut app, 80, 24);
    assert_eq!(drawn.matches("epoll_wait").count(), 2, "{drawn}");
    assert_eq!(drawn.matches("wait4").count(), 2, "{drawn}");
}

#[test]
fn a_process_opens_into_its_threads_then_its_stacks_and_escape_finds_it_again() {
    let mut app = app_of(waiting());
    press(&mut app, "4↓\n");
    assert_screen("time-of-a-process-80x24", &screen(&mut app, 80, 24));
    assert_eq!(app.process(), Some((2201, "python3")));
    press(&mut app, "5I");
    let calls = screen(&mut app, 80, 24);
    assert!(calls.contains("wait4") && !calls.contains("fsync"), "{calls}");
    press(&mut app, "4\n");
    assert_eq!((app.tab, app.process().map(|it| it.0)), (Tab::Stacks, Some(2201)));
    press(&mut app, "\x1b");
    assert_eq!((app.tab, app.process().map(|it| it.0)), (Tab::Time, Some(2201)));
    press(&mut app, "\x1b");
    assert_eq!((app.tab, app.process()), (Tab::Time, None));
    app.prepare();
    assert_eq!(app.shown_list().cursor(), 1);
    press(&mut app, "5IG\n");
    assert_eq!((app.tab, app.process()), (Tab::Calls, Some((77, "nginx"))));
}

#[test]
fn a_filter_of_calls_is_one_of_slow_calls_too() {
    let mut app = app_of(waiting());
    press(&mut app, "5/aof\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("nothing here contains “aof”"), "{drawn}");
    assert_eq!(drawn.matches("bio_aof/815").count(), 2, "{drawn}");
    assert!(!drawn.contains("wait4"), "{drawn}");
}

#[test]
fn what_is_not_measured_is_said_in_words() {
    let reasons = [
        (Missing::Filter, "not measured: -G and --comm leave it out"),
        (
            Missing::Flag,
            "not measured, as --no-states or --no-calls asks for",
        ),
    ];
    for (reason, words) in reasons {
        let mut app = App::new(Options {
            no_states: Some(reason),
            no_calls: Some(reason),
            ..Options::default()
        });
        app.absorb(delta(web()));
        app.refresh();
        for tab in ["4", "5"] {
            press(&mut app, tab);
            for (width, height) in SIZES {
                let drawn = screen(&mut app, width, height);
                assert!(drawn.contains(words) && !drawn.contains("no calls"), "{drawn}");
            }
        }
    }
}

#[test]
fn views_without_data_say_why() {
    let mut app = App::new(Options::default());
    for (keys, before, without) in [
        (
            "4",
            "waiting for the first times of threads …",
            "no times of threads (last 10 s)",
        ),
        ("5", "waiting for the first calls …", "no calls (last 10 s)"),
    ] {
        let mut after = app_of(web());
        for (app, words) in [(&mut app, before), (&mut after, without)] {
            press(app, keys);
            for (width, height) in SIZES {
                let drawn = screen(app, width, height);
                assert!(drawn.contains(words), "{drawn}");
            }
        }
    }
    let mut idle = web();
    add_calls(&mut idle, 77, (EPOLL_WAIT, ObjectKind::Event), &[(MS, 1)]);
    let mut app = app_of(idle);
    press(&mut app, "5");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("no calls that were not idle (last 10 s): I shows the others"),
        "{drawn}"
    );
}

#[test]
fn names_and_paths_that_would_act_on_the_terminal_do_not() {
    let mut profile = from_folded(HOSTILE);
    for (pid, name) in [(13, "\x1b[2Jevil"), (14, "数据库服务器进程")] {
        let thread = thread(&mut profile, pid, pid, name);
        add_time(&mut profile, thread, 1, &[(State::Disk, 10)]);
        add_calls(&mut profile, pid, (READ, ObjectKind::File), &[(MS, 1)]);
        let call = SlowEvent {
            end_ns: 1,
            waker: Waker::Thread(thread),
            ..slow(READ, ObjectKind::File, MS, -4000)
        };
        add_slow(
            &mut profile,
            thread,
            call,
            Some(&format!("/tmp/\x1b]0;x\x07\u{202e}{}", "处理".repeat(99))),
        );
    }
    let mut app = app_of(profile);
    for tab in ["4", "5"] {
        press(&mut app, tab);
        for (width, height) in [(80, 24), (200, 60), (61, 16), (30, 9)] {
            let drawn = screen(&mut app, width, height);
            let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(
                (width < 60 || drawn.contains("evil")) && !drawn.contains(acts),
                "{drawn:?}"
            );
            assert!(
                drawn.lines().all(|line| text_width(line) <= width.into()),
                "{drawn}"
            );
        }
    }
}

#[test]
fn what_was_measured_is_shown_still_after_a_restart() {
    let mut app = app_of(waiting());
    app.absorb(Feed::Restart);
    app.absorb(delta(from_folded("new/1;main 1")));
    app.refresh();
    for (key, words) in [("4", "redis-server"), ("5", "appendonly.aof")] {
        press(&mut app, key);
        let drawn = screen(&mut app, 200, 60);
        assert!(drawn.contains(words), "{drawn}");
    }
}

#[test]
fn how_long_the_calls_under_the_cursor_took() {
    let mut app = app_of(waiting());
    press(&mut app, "5d");
    assert_screens("histogram", &mut app);
    press(&mut app, "d");
    assert!(screen(&mut app, 80, 24).contains("slowest calls"));
}

#[test]
fn a_view_whose_probe_was_too_dear_says_so() {
    let mut profile = from_folded("app/7;main 5");
    let mut app = app_of(profile.clone());
    press(&mut app, "7");
    assert!(screen(&mut app, 80, 24).contains("no thread waited for another"));
    profile.quality[0].shed_ns.insert("lock".into(), 1);
    let mut app = app_of(profile);
    press(&mut app, "7");
    let drawn = screen(&mut app, 110, 24);
    assert!(
        drawn.contains("lock was turned off") && !drawn.contains("no thread waited"),
        "{drawn}"
    );
}
