//! System calls, slow calls, block I/O and wakers.

use super::*;
use crate::{
    profile::{
        BlockOperation, Extent, Id, Latency, LatencyKey, ObjectKind, Operation, Process, SlowEvent, Stack,
        Target, Thread, Waker, folded::with_waits,
    },
    query::{Targets, timing::tests::counted},
    report::Idle,
};

mod letters;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;

const READ: Operation = Operation::Call(0);
const OPENAT: Operation = Operation::Call(257);
const FUTEX: Operation = Operation::Call(202);
const FDATASYNC: Operation = Operation::Call(75);
const RECVFROM: Operation = Operation::Call(45);
const EPOLL_WAIT: Operation = Operation::Call(232);

const SYSCALLS: View = View::Syscalls(Owner::Process);
const SLOW: View = View::Slow(Idle::LeftOut);
const FILES: View = View::Targets(Targets::Files, Idle::LeftOut);
const SOCKETS: View = View::Targets(Targets::Sockets, Idle::LeftOut);
const WAKERS: View = View::Wakers(Owner::Process);
const BLOCK: View = View::Block(Owner::Process);

const fn columns(width: usize) -> text::Layout {
    text::Layout {
        width: Some(width),
        color: false,
    }
}

/// Adds as many operations of each duration, in nanoseconds, and their errors.
fn add(
    profile: &mut Profile,
    process: Id<Process>,
    (operation, object, device): (Operation, ObjectKind, u32),
    durations: &[(u64, u64)],
    errors: &[(u16, u64)],
) {
    let row = counted(durations);
    profile.latencies.push(Latency {
        key: LatencyKey {
            process,
            operation,
            object,
            device,
        },
        // What never returns has no duration.
        count: row.count.max(1),
        errors: errors.to_vec(),
        ..row
    });
}

struct World {
    profile: Profile,
    postgres: Id<Thread>,
    writer: Id<Thread>,
    nginx: Id<Thread>,
    stack: Id<Stack>,
}

/// 10 s of a database, the process that writes for it, and a web server.
fn world() -> World {
    let mut profile = with_waits(
        from_folded("postgres/1207;main 998\nwalwriter/1208;main 1\nnginx/88;main 1"),
        "postgres/1207;_start;main;exec;commit;wait_for_wal;libc.so.6`syscall;do_syscall_64_[k];futex_wait_[k];schedule_[k] 900
         postgres/1207;main 90
         walwriter/1208;main 60
         nginx/88;main 2000
         nginx/88;main 5",
    );
    let thread = |sample: usize, profile: &Profile| profile.samples[sample].thread;
    let [postgres, writer, nginx] = [0, 998, 999].map(|sample| thread(sample, &profile));
    let stack = profile.samples[1_000].stack.unwrap();
    let wakers = [
        Waker::Thread(writer),
        Waker::Nobody,
        Waker::Interrupt,
        Waker::Interrupt,
        Waker::Unknown,
    ];
    for (sample, waker) in profile.samples[1_000..].iter_mut().zip(wakers) {
        sample.waker = waker;
    }
    World {
        profile,
        postgres,
        writer,
        nginx,
        stack,
    }
}

/// Durations in nanoseconds, and how often each.
type Durations = &'static [(u64, u64)];
/// Errors by number, and how often each.
type Errors = &'static [(u16, u64)];

fn with_latencies(mut profile: Profile, threads: [Id<Thread>; 3]) -> Profile {
    let [postgres, writer, nginx] = threads.map(|thread| profile.threads[thread].process);
    let file = ObjectKind::File;
    let none = ObjectKind::None;
    let rows: [(_, _, Durations, Errors); 11] = [
        (
            postgres,
            (READ, file, 0),
            &[(2 * US, 100_000), (90 * US, 2_000), (20 * MS, 3)],
            &[],
        ),
        (
            postgres,
            (FUTEX, none, 0),
            &[(5 * MS, 600)],
            &[(11, 42), (110, 7)],
        ),
        (
            postgres,
            (OPENAT, none, 0),
            &[(8 * US, 1_500)],
            &[(2, 1_200), (13, 3), (0, 1)],
        ),
        (writer, (FDATASYNC, file, 0), &[(4 * MS, 500), (80 * MS, 2)], &[]),
        (
            nginx,
            (RECVFROM, ObjectKind::Socket, 0),
            &[(700, 40_000)],
            &[(11, 9_000)],
        ),
        (
            nginx,
            (EPOLL_WAIT, ObjectKind::Event, 0),
            &[(900 * US, 9_000), (S, 1)],
            &[(4, 1)],
        ),
        (nginx, (Operation::IoUring(22), file, 0), &[(30 * US, 50)], &[]),
        (
            nginx,
            (Operation::CompatCall(3), ObjectKind::Pipe, 0),
            &[(20 * US, 10)],
            &[],
        ),
        (nginx, (Operation::Call(999), none, 0), &[(200, 1)], &[(38, 1)]),
        (nginx, (Operation::Call(231), none, 0), &[], &[]),
        (
            postgres,
            (Operation::RunQueue, none, 0),
            &[(15 * US, 5_000), (12 * MS, 60)],
            &[],
        ),
    ];
    for (process, key, durations, errors) in rows {
        add(&mut profile, process, key, durations, errors);
    }
    let (sda, nvme) = (8 << 20, 259 << 20 | 3);
    let block = ObjectKind::None;
    for (process, operation, device, io, queue) in [
        (writer, BlockOperation::Write, nvme, 3 * MS, 40 * US),
        (writer, BlockOperation::Flush, nvme, MS, 2 * US),
        (postgres, BlockOperation::Read, sda, 9 * MS, 250 * US),
    ] {
        add(
            &mut profile,
            process,
            (Operation::Block(operation), block, device),
            &[(io, 400), (io * 9, 5)],
            &[],
        );
        add(
            &mut profile,
            process,
            (Operation::BlockQueue(operation), block, device),
            &[(queue, 400), (queue * 20, 5)],
            &[],
        );
    }
    profile
}

fn with_slow(world: World) -> Profile {
    let World {
        mut profile,
        postgres,
        writer,
        nginx,
        stack,
    } = world;
    let mut target = |text: &str| Some(profile.targets.intern(Target(text.into())));
    let wal = target("/var/lib/postgresql/15/main/pg_wal/000000010000000000000001");
    let table = target("/var/lib/postgresql/15/main/base/13397/2610");
    let client = target("10.0.0.17:40312");
    let missing = target("/etc/missing");
    let plain = |thread, start: u64, end: u64, operation, object, target| SlowEvent {
        thread,
        end_ns: end,
        duration_ns: end - start,
        extent: Extent::Whole,
        operation,
        object,
        target,
        result: 0,
        arguments: [5, 0x7fff_0000_1000, 8_192, 0, 0, 0],
        stack: None,
        outcome: Outcome::Complete,
        wait_ns: 0,
        waker: Waker::Unknown,
        woken_ns: 0,
    };
    let (file, socket, none) = (ObjectKind::File, ObjectKind::Socket, ObjectKind::None);
    profile.slow = vec![
        SlowEvent {
            stack: Some(stack),
            wait_ns: 79 * MS,
            waker: Waker::Thread(writer),
            ..plain(postgres, 3_217 * MS, 3_298 * MS, FUTEX, none, None)
        },
        SlowEvent {
            wait_ns: 80 * MS,
            waker: Waker::Interrupt,
            ..plain(writer, 3_216 * MS, 3_297 * MS, FDATASYNC, file, wal)
        },
        SlowEvent {
            result: 8_192,
            waker: Waker::Nobody,
            ..plain(postgres, 4 * S, 4 * S + 20 * MS, READ, file, table)
        },
        SlowEvent {
            result: -2,
            ..plain(postgres, 5 * S, 5 * S + 3 * MS, OPENAT, none, missing)
        },
        SlowEvent {
            result: 1,
            wait_ns: 2 * MS,
            ..plain(nginx, 6 * S, 6 * S + 2_100 * US, RECVFROM, socket, client)
        },
        SlowEvent {
            extent: Extent::BegunBefore,
            result: -11,
            ..plain(nginx, 0, 30 * MS, RECVFROM, socket, client)
        },
        SlowEvent {
            extent: Extent::NotEnded,
            ..plain(nginx, 9 * S, 10 * S, READ, ObjectKind::Pipe, None)
        },
        SlowEvent {
            extent: Extent::Throughout,
            ..plain(nginx, 0, 10 * S, EPOLL_WAIT, ObjectKind::Event, None)
        },
    ];
    profile
}

/// All of it.
pub(super) fn calls() -> Profile {
    let world = world();
    let threads = [world.postgres, world.writer, world.nginx];
    with_latencies(with_slow(world), threads)
}

fn waits() -> Selection {
    Selection {
        sample_types: vec![1],
        ..Selection::default()
    }
}

fn show(view: View, width: usize) -> String {
    let (profile, selection) = (calls(), Selection::default());
    let waits = waits();
    let selection = if matches!(view, View::Wakers(_)) {
        &waits
    } else {
        &selection
    };
    let text = as_text(&report(&profile, selection, view), columns(width));
    let (_, below) = text.split_once("whole system\n").expect("the line of the host");
    let table = below.split_once("\n\n").map_or("", |(_, table)| table);
    let longest = table.lines().max_by_key(|line| line.chars().count());
    assert!(
        longest.is_none_or(|line| line.chars().count() <= width),
        "{longest:?} {text}"
    );
    below.to_owned()
}

#[test]
fn where_nothing_was_recorded_it_says_so() {
    for (view, text) in [
        (SYSCALLS, "No calls: none was recorded."),
        (SLOW, "No slow calls: none was recorded."),
        (FILES, "No slow calls: none was recorded."),
        (SOCKETS, "No slow calls: none was recorded."),
        (BLOCK, "No requests: none was recorded."),
    ] {
        let shown = super::show(&busy(), view);
        assert!(shown.ends_with(&format!("\n{text}\n")), "{shown}");
    }
}

fn every_view() -> Vec<View> {
    vec![
        SYSCALLS,
        View::Syscalls(Owner::Comm),
        SLOW,
        View::Slow(Idle::Shown),
        FILES,
        SOCKETS,
        WAKERS,
        View::Wakers(Owner::Thread),
        BLOCK,
    ]
}

#[test]
fn hostile_text_is_cleaned() {
    let mut profile = calls();
    let evil = "\x1b[2Jev\u{9b}il\u{202e}\n";
    let process = profile.processes.intern(Process {
        name: evil.into(),
        ..profile.processes[Id::new(0)].clone()
    });
    let thread = profile.threads.intern(Thread {
        process,
        tid: 66,
        name: evil.into(),
    });
    let target = Some(profile.targets.intern(Target(evil.into())));
    for event in &mut profile.slow {
        (event.thread, event.target, event.waker) = (thread, target, Waker::Thread(event.thread));
    }
    for window in &mut profile.latencies {
        window.key.process = process;
    }
    for sample in &mut profile.samples {
        (sample.thread, sample.waker) = (thread, Waker::Thread(thread));
    }
    for view in every_view() {
        for selection in [Selection::default(), waits()] {
            let report = report(&profile, &selection, view);
            for text in [80, 120].map(|width| as_text(&report, columns(width))) {
                assert!(
                    !text.chars().any(|c| c != '\n' && crate::query::acts(c)),
                    "{text:?}"
                );
                assert!(text.contains("ev�il��"), "{text}");
            }
            let json = as_json(&report);
            assert!(!json.trim_end().chars().any(crate::query::acts), "{json:?}");
        }
    }
}

#[test]
fn colour_only_adds_escape_sequences() {
    let (profile, selection) = (calls(), Selection::default());
    for view in every_view() {
        let report = report(&profile, &selection, view);
        let coloured = text::Layout {
            color: true,
            ..columns(120)
        };
        let mut text = as_text(&report, coloured);
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[36m"] {
            text = text.replace(code, "");
        }
        let text: String = text
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        assert_eq!(text, as_text(&report, columns(120)));
    }
}

#[test]
fn figures_in_json_are_exact() {
    let (profile, selection, waits) = (calls(), Selection::default(), waits());
    let json = |view, selection| -> serde_json::Value {
        serde_json::from_str(&as_json(&report(&profile, selection, view))).unwrap()
    };
    let all = json(SYSCALLS, &selection);
    let syscalls = &all["syscalls"];
    assert_eq!(syscalls["calls"], 144_667);
    assert_eq!(syscalls["idle_calls"], 9_001);
    let futex = &syscalls["rows"][0];
    assert_eq!((&futex["call"], &futex["number"]), (&"futex".into(), &202.into()));
    assert_eq!(
        (&futex["pid"], &futex["interface"]),
        (&1207.into(), &"call".into())
    );
    assert_eq!(
        futex["errors"][0],
        serde_json::json!({"errno": 11, "error": "EAGAIN", "count": 42})
    );
    assert_eq!(
        futex["histogram"],
        serde_json::json!([{"from_ns": 4_718_592, "to_ns": 5_242_880, "count": 600}])
    );
    assert_eq!(syscalls["rows"][9]["idle"], true);
    let extents: Vec<_> = syscalls["unfinished"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["extent"].as_str().unwrap())
        .collect();
    assert_eq!(extents, ["begun_before", "throughout", "not_ended"]);

    let all = json(SLOW, &selection);
    let slow = &all["slow"];
    assert_eq!((&slow["count"], &slow["idle_left_out"]), (&7.into(), &1.into()));
    let futex = &slow["rows"][1];
    assert_eq!(
        (&futex["start_ns"], &futex["result"]),
        (&(3_217 * MS).into(), &0.into())
    );
    assert_eq!(futex["waker"]["thread"]["tid"], 1208);
    assert_eq!(futex["chain"][0]["call"], "fdatasync");
    assert_eq!(
        futex["stack"][0],
        serde_json::json!({"function": "schedule", "module": "[kernel.kallsyms]", "kernel": true})
    );
    assert_eq!(futex["stack"].as_array().unwrap().len(), 9);
    let openat = &slow["rows"][4];
    assert_eq!(
        (&openat["result"], &openat["error"]),
        (&(-2).into(), &"ENOENT".into())
    );
    // One that did not end comes last.
    assert_eq!(slow["rows"][6]["result"], serde_json::Value::Null);

    let files = json(FILES, &selection);
    assert_eq!(files["files"]["rows"][3]["target"], "/etc/missing");
    let sockets = json(SOCKETS, &selection);
    assert_eq!(sockets["sockets"]["rows"][0]["calls"][0]["count"], 2);
    let wakers = json(WAKERS, &waits);
    assert_eq!(wakers["sample_type"]["name"], "off_cpu");
    assert_eq!(
        wakers["wakers"]["rows"][1]["waker"],
        serde_json::json!({"kind": "thread", "name": "walwriter", "pid": 1208})
    );
    let block = json(BLOCK, &selection);
    assert_eq!(
        (
            &block["block"]["rows"][1]["major"],
            &block["block"]["rows"][1]["minor"]
        ),
        (&259.into(), &3.into())
    );
    assert_eq!(block["block"]["rows"][1]["device"]["max_ns"], 27 * MS);
}
