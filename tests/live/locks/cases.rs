//! Locks in trouble: deadlocks, words that are no locks, too many waits, threads that are killed or of another namespace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    time::Duration,
};

use profiler::profile::{Extent, Waker};
use serde_json::Value;
use tests::{Lab, Running, not_run, require};

use super::{
    PROBES, Waits, brief, functions, is_on, length, list, number, record, said, seconds, share, show,
};

/// There is one deadlock, of the two threads that wait for each other.
fn assert_deadlock(waits: &Waits, extent: &str) {
    let deadlocks = list(&waits.all["deadlocks"]);
    assert_eq!(deadlocks.len(), 1, "{:#}", waits.all["deadlocks"]);
    let links = list(&deadlocks[0]);
    assert_eq!(links.len(), 2, "{:#}", waits.all["deadlocks"]);
    let named = |name: &str| links.iter().position(|link| link["lock"] == name);
    let (Some(left), Some(right)) = (named("mutex left_lock"), named("mutex right_lock")) else {
        panic!("{:#}", waits.all["deadlocks"]);
    };
    for (wants, other, function) in [(right, left, "left_then_right"), (left, right, "right_then_left")] {
        let (link, other) = (&links[wants], &links[other]);
        assert!(
            is_on(&link["stack"], function) && is_on(&link["stack"], "start_thread"),
            "{:?}",
            functions(&link["stack"])
        );
        assert_eq!(link["extent"], extent);
        assert_ne!(link["tid"], other["tid"]);
        let holder = &link["holder"];
        assert_eq!(
            (&holder["tid"], &holder["evidence"]),
            (&other["tid"], &"owner".into())
        );
    }
    let text = waits.recording.report(["--view", "locks"]).success().stdout;
    assert!(text.contains("suspected deadlock: 2 threads"), "{text}");
}

pub(crate) fn a_deadlock_is_suspected(lab: &Lab) {
    let waits = require!(record(lab, "locks", "deadlock", 2));
    assert_deadlock(&waits, "not_ended");
}

#[test]
fn a_deadlock_of_a_command_is_suspected() {
    a_deadlock_is_suspected(&Lab::new());
}

/// Neither thread makes a call while it is recorded.
#[test]
fn a_process_that_is_stuck_already_is_suspected() {
    let lab = Lab::new();
    let program = require!(lab.workload("locks"));
    let stuck = Running::spawn(Command::new(program).args(["deadlock", "60"]));
    std::thread::sleep(Duration::from_millis(700));
    let recording = lab.record().arguments(PROBES).pid(stuck.pid()).seconds(3.0).run();
    drop(stuck);
    assert_deadlock(&Waits::of(recording), "throughout");
}

/// Where a word looks like a lock of glibc and is none, there is no owner: neither a thread that does not exist nor one
/// of another process.
#[test]
fn what_only_looks_like_a_lock_has_no_holder() {
    let waits = require!(record(&Lab::new(), "locks", "garbage", 3));
    let row = &list(&waits.all["rows"])[0];
    let count = number(&row["waits"]["count"]);
    assert!(count > 100.0, "{}", brief(&waits.all));
    assert_eq!(row["holders"], Value::Array(vec![]), "{}", brief(&waits.all));
    assert_eq!(number(&row["not_known_count"]), count);
    let profile = &waits.recording.profile;
    for wait in &profile.lock_waits {
        assert_eq!(wait.owner, Waker::Unknown, "{wait:?}");
    }
    for (_, thread) in profile.threads.iter() {
        assert!(![1, 0x7fff_fff0].contains(&thread.tid), "{thread:?}");
    }
}

/// Thousands of waits a second for thousands of locks: some are kept, and stand for all.
#[test]
fn many_waits_for_many_locks_are_estimated() {
    const SECONDS: u32 = 5;
    let lab = Lab::new();
    let waits = require!(record(&lab, "locks", "many", SECONDS));
    let (count, long) = (waits.said("waits "), waits.said("waited ") / 1e9);
    if count < 1_000.0 * f64::from(SECONDS) {
        not_run!("the machine is too busy: {count} waits");
    }
    let found = &waits.all["contention"];
    let (total, plus_minus) = seconds(found);
    let number_of = (number(&found["count"]), number(&found["count_plus_minus"]));
    show(&format!(
        "{total:.3} ± {plus_minus:.3} s, the program says {long:.3}; {number_of:?} waits of {count}"
    ));
    assert_eq!(found["exact"], false);
    // What the program does before it is asleep in the kernel, and after, is no part of a wait.
    let around = 10e-6 * count;
    assert!(
        (total - long).abs() <= 2.0 * plus_minus + around,
        "{total} ± {plus_minus} s, the program says {long}"
    );
    // The shortest waits, which the program does not count, stand for many.
    assert!(
        (number_of.0 - count).abs() <= 2.0 * number_of.1 + 0.05 * count,
        "{number_of:?} waits, the program says {count}"
    );
    let (kept, rows) = (
        waits.recording.profile.lock_waits.len(),
        list(&waits.all["rows"]).len(),
    );
    // Of each CPU 400 a second, and as many again while it finds out how many there are.
    let bound = 800 * waits.recording.profile.metadata.cpus * (SECONDS + 2);
    let size = fs::metadata(&waits.recording.path)
        .expect("the trace is there")
        .len();
    show(&format!("{kept} kept, {rows} rows, {size} bytes"));
    assert!(
        kept < bound as usize && rows <= kept && size < 1_000_000,
        "{kept} kept, {rows} rows, {size} bytes"
    );
}

/// Threads that are killed while they wait.
#[test]
fn waits_of_a_killed_process_are_there_and_have_not_ended() {
    let lab = Lab::new();
    let program = require!(lab.workload("locks"));
    let script = format!("{} deadlock 60 & sleep 2; kill -9 $!; sleep 1", program.display());
    let recording = lab
        .record()
        .arguments(PROBES)
        .command(["sh", "-c", &script])
        .run();
    let profile = &recording.profile;
    let waits: Vec<_> = profile
        .lock_waits
        .iter()
        .filter(|wait| wait.contention.is_futex())
        .filter(|wait| profile.processes[profile.threads[wait.thread].process].name == "locks")
        .collect();
    assert_eq!(waits.len(), 2, "{waits:?}");
    for wait in waits {
        let long = wait.duration_ns as f64 / 1e9;
        assert_eq!(wait.extent, Extent::NotEnded, "{wait:?}");
        assert!((1.0..2.1).contains(&long), "{wait:?}");
    }
    let waits = Waits::of(recording);
    for function in ["left_then_right", "right_then_left"] {
        let rows = waits.rows("contention");
        let found = rows.iter().any(|row| is_on(&row["longest"]["stack"], function));
        assert!(found, "{function}: {}", brief(&waits.all));
    }
}

/// The ids of the threads of a process, by those that its own pid namespace has for them.
fn ids_inside(pid: u32) -> BTreeMap<u32, u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let both = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        let mut ids = line.split_whitespace().map_while(|id| id.parse::<u32>().ok());
        let outside = ids.next()?;
        Some((ids.last()?, outside))
    };
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok())
        .filter_map(both)
        .collect()
}

fn child_of(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// A lock's word has the id that its holder has there.
#[test]
fn an_owner_in_another_pid_namespace_is_the_right_thread() {
    let lab = Lab::new();
    let program = require!(lab.workload("locks"));
    let unshare = require!(tests::find_program("unshare"));
    let outer = Running::spawn(
        Command::new(unshare)
            .args(["--pid", "--fork"])
            .arg(program)
            .args(["mutex", "12"]),
    );
    std::thread::sleep(Duration::from_millis(700));
    let Some(inner) = child_of(outer.pid()) else {
        not_run!("there is no pid namespace to be had: {}", outer.stderr());
    };
    let ids = ids_inside(inner);
    assert_eq!(ids.len(), 10, "{ids:?}");
    let recording = lab.record().arguments(PROBES).pid(inner).seconds(6.0).run();
    let output = outer.wait(Duration::from_secs(30)).success().stdout;
    let inside = said(&output, "holder ") as u32;
    let outside = ids[&inside];
    assert_ne!(inside, outside);
    let waits = Waits::of(recording);
    let row = waits.contended();
    assert_eq!(row["lock"], "mutex hot_lock");
    let named = share(row, "holders", |one| {
        one["tid"] == outside && one["evidence"] == "owner"
    });
    show(&format!(
        "{inside} is {outside}, named in {named:.3} of the waits"
    ));
    assert!(named > 0.9, "{outside} in {named:.3}: {}", brief(&waits.all));
    let profile = &waits.recording.profile;
    let known: BTreeSet<u32> = ids.into_values().collect();
    for holder in list(&row["holders"]) {
        let tid = holder["tid"].as_u64().unwrap_or_default() as u32;
        assert!(known.contains(&tid), "{holder:#}");
    }
    let (found, length) = (profile.lock_waits.len(), require!(length(&waits.recording)));
    assert!(found as f64 > 20.0 * length, "{found} waits in {length} s");
}

#[test]
fn waits_of_other_processes_are_left_out() {
    let lab = Lab::new();
    let program = require!(lab.workload("locks"));
    let run = || Running::spawn(Command::new(&program).args(["mutex", "20"]));
    let (wanted, other) = (run(), run());
    let recording = lab
        .record()
        .arguments(PROBES)
        .pid(wanted.pid())
        .seconds(6.0)
        .run();
    let (wanted_pid, _other) = (wanted.pid(), other);
    let profile = &recording.profile;
    let (found, length) = (profile.lock_waits.len(), require!(length(&recording)));
    assert!(found as f64 > 20.0 * length, "{found} waits in {length} s");
    for wait in &profile.lock_waits {
        let process = &profile.processes[profile.threads[wait.thread].process];
        assert_eq!(process.pid, wanted_pid, "{wait:?}");
    }
}

/// Who ended the wait for a pipe is told, and what it was at.
#[test]
fn a_slow_call_has_the_stack_of_who_ended_its_wait() {
    const TIMES: usize = 40;
    let lab = Lab::new();
    let program = require!(lab.workload("calls"));
    let directory = lab.path(".");
    let recording = lab
        .record()
        .arguments(["--probe", "states,syscalls,lock", "--slow", "5ms"])
        .command([
            program.as_os_str(),
            "slow".as_ref(),
            TIMES.to_string().as_ref(),
            directory.as_os_str(),
        ])
        .run();
    assert!(recording.status.success(), "{}", recording.stderr);
    let ended = recording.report(["--view", "slow", "--json"]).success();
    let document: Value = serde_json::from_str(&ended.stdout).expect("the report is JSON");
    let rows = list(&document["slow"]["rows"]).iter();
    let reads: Vec<_> = rows.filter(|row| is_on(&row["stack"], "slow_pipe")).collect();
    assert!(reads.len() * 10 >= TIMES * 9, "{} of {TIMES}", reads.len());
    let is_told = |row: &&&Value| {
        let waker = &row["waker"];
        waker["thread"]["thread"] == "partner"
            && is_on(&waker["stack"], "partner")
            && is_on(&waker["stack"], "write")
            && is_on(&waker["stack"], "start_thread")
    };
    let told = reads.iter().filter(is_told).count();
    show(&format!("{told} of {} reads", reads.len()));
    assert!(
        told * 10 >= reads.len() * 9,
        "{told} of {}: {:#?}",
        reads.len(),
        reads[reads.len() / 2]["waker"]
    );
    let text = recording.report(["--view", "slow"]).success().stdout;
    let mut lines = text.lines();
    assert!(lines.any(|line| line.contains("woken by partner")), "{text}");
}
