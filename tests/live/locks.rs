//! Waits for locks: which lock, how long, who waited and who held it, against programs that know it themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    time::Duration,
};

use profiler::profile::{Contention, Extent, Operation, Profile, State, Waker};
use serde_json::Value;
use tests::{Lab, Missing, Recording, Running, not_run, require};

/// Everything that the view of locks draws on.
const PROBES: [&str; 2] = ["--probe", "cpu,states,syscalls,lock"];

/// After so long the rules for walking the stacks of a program and of its libraries are in the kernel, in milliseconds. Until
/// then there are fewer whole stacks.
const SETTLES_MS: u64 = if cfg!(debug_assertions) { 2_000 } else { 1_000 };

/// A recording, and what `--view locks` says of the locks of its programs.
struct Waits {
    recording: Recording,
    /// The whole recording.
    all: Value,
    /// Without its first moments.
    settled: Value,
}

impl Waits {
    fn of(recording: Recording) -> Self {
        assert!(recording.status.success(), "{}", recording.stderr);
        let waits = &recording.profile.lock_waits;
        let first = waits.iter().map(|wait| wait.end_ns - wait.duration_ns).min();
        let later = format!("{}ms-", first.unwrap_or(0) / 1_000_000 + SETTLES_MS);
        Self {
            all: report(&recording, &["--kind", "user"]),
            settled: report(&recording, &["--kind", "user", "--time", &later]),
            recording,
        }
    }

    /// The rows with this purpose.
    fn rows(&self, purpose: &str) -> Vec<&Value> {
        rows(&self.all, purpose)
    }

    /// What the program says of itself.
    fn said(&self, what: &str) -> f64 {
        said(&self.recording.stdout, what)
    }

    /// The one lock that there is contention for.
    fn contended(&self) -> &Value {
        let rows = wanted(self.rows("contention"));
        assert_eq!(rows.len(), 1, "{}", brief(&self.all));
        rows[0]
    }

    /// As [`Self::contended`], without the first moments.
    fn contended_later(&self) -> &Value {
        let rows = wanted(rows(&self.settled, "contention"));
        assert_eq!(rows.len(), 1, "{}", brief(&self.settled));
        rows[0]
    }
}

/// `--view locks` with more arguments.
fn report(recording: &Recording, arguments: &[&str]) -> Value {
    let all = ["--view", "locks", "--json"].iter().chain(arguments);
    let ended = recording.report(all).success();
    let mut document: Value = serde_json::from_str(&ended.stdout).expect("the report is JSON");
    document["locks"].take()
}

fn rows<'a>(locks: &'a Value, purpose: &str) -> Vec<&'a Value> {
    let rows = list(&locks["rows"]);
    rows.iter().filter(|row| row["purpose"] == purpose).collect()
}

/// Without the lock that Rust's standard library has for threads that begin and end: it is contended for indeed.
fn wanted(mut rows: Vec<&Value>) -> Vec<&Value> {
    let is_of_std = |row: &Value| {
        row["lock"]
            .as_str()
            .is_some_and(|name| name.contains("stack_overflow"))
    };
    rows.retain(|row| !is_of_std(row));
    rows
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn said(output: &str, what: &str) -> f64 {
    let line = output.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| panic!("the program does not say {what:?}:\n{output}"))
}

/// Whether a function is on a stack, whatever its path in Rust.
fn is_on(stack: &Value, function: &str) -> bool {
    list(stack).iter().any(|frame| {
        let name = frame["function"].as_str().unwrap_or_default();
        name.rsplit("::").next() == Some(function)
    })
}

/// A stack or a whole document for messages: only the names of functions.
fn functions(stack: &Value) -> Vec<&str> {
    let names = list(stack).iter().map(|frame| frame["function"].as_str());
    names.map(Option::unwrap_or_default).collect()
}

/// The rows for messages: without it a failure is thousands of lines long.
fn brief(locks: &Value) -> String {
    let mut text = String::new();
    for row in list(&locks["rows"]).iter().take(8) {
        text += &format!(
            "{} {}: {} waits, {} ns\n",
            row["purpose"], row["lock"], row["waits"]["count"], row["waits"]["total_ns"]
        );
        for (side, count) in [("waiters", "/waits/count"), ("holders", "/count")] {
            for one in list(&row[side]).iter().take(8) {
                text += &format!(
                    "  {side}: {} by {} {} {:?}\n",
                    one.pointer(count).unwrap_or(&Value::Null),
                    one["tid"],
                    one["evidence"],
                    functions(&one["stack"])
                );
            }
        }
    }
    text
}

/// The part of the waits of a row, by their estimated number, whose `side` is as wanted.
fn share(row: &Value, side: &str, wanted: impl Fn(&Value) -> bool) -> f64 {
    let count = |one: &Value| {
        number(if side == "holders" {
            &one["count"]
        } else {
            &one["waits"]["count"]
        })
    };
    let found: f64 = list(&row[side]).iter().filter(|one| wanted(one)).map(count).sum();
    found / number(&row["waits"]["count"])
}

/// How long the waits of a row or of a document were, in seconds, and half of the 95 % interval of that.
fn seconds(waits: &Value) -> (f64, f64) {
    (
        number(&waits["total_ns"]) / 1e9,
        number(&waits["total_plus_minus_ns"]) / 1e9,
    )
}

/// Records the workload `program` in `mode` from its first instruction.
fn record(lab: &Lab, program: &str, mode: &str, seconds: u32) -> Result<Waits, Missing> {
    let path = lab.workload(program)?;
    let recording = lab
        .record()
        .arguments(PROBES)
        .command([path.as_os_str(), mode.as_ref(), seconds.to_string().as_ref()])
        .run();
    let waits = Waits::of(recording);
    // A holder that is off its CPU holds for longer than it means to, and so do those that it wakes.
    let waited = in_state(&waits.recording.profile, program, State::Runnable);
    println!("threads waited {waited:.1} s for a CPU");
    if waited > 1.5 * f64::from(seconds) {
        return Err(Missing(format!(
            "the machine is too busy: threads waited {waited:.1} s for a CPU"
        )));
    }
    Ok(waits)
}

/// How long a recording of a process that runs already is, in seconds; it is what is left of the time that was asked for
/// when the programs are in the kernel.
fn length(recording: &Recording) -> Result<f64, Missing> {
    let seconds = recording.profile.duration_ns() as f64 / 1e9;
    if seconds < 1.0 {
        return Err(Missing(format!(
            "the machine is too busy: {seconds:.1} s were recorded"
        )));
    }
    Ok(seconds)
}

/// How long all threads of programs with this name were in a state, in seconds.
fn in_state(profile: &Profile, program: &str, state: State) -> f64 {
    let of_program = profile.thread_times.iter().filter(|span| {
        let process = &profile.processes[profile.threads[span.thread].process];
        process.name == program
    });
    of_program.map(|span| span.ns[state as usize]).sum::<u64>() as f64 / 1e9
}

/// The waits took as long as the program says, but for `part` of it and for what chance does to the estimate.
fn assert_total(waits: &Waits, part: f64) {
    let (found, plus_minus) = seconds(&waits.contended()["waits"]);
    let truth = waits.said("waited ") / 1e9;
    println!("{found:.3} ± {plus_minus:.3} s, the program says {truth:.3}");
    assert!(
        (found - truth).abs() <= part * truth + plus_minus,
        "{found} ± {plus_minus} s, the program says {truth}: {}",
        brief(&waits.all)
    );
}

/// The thread of whom the program says that it held the lock did so, as `evidence` says, in `function`.
fn assert_holder(waits: &Waits, evidence: &str, function: &str, least: f64) {
    let row = waits.contended_later();
    let tid = waits.said("holder ");
    let is_holder = |one: &Value| one["tid"] == tid as u64 && one["evidence"] == evidence;
    let thread = share(row, "holders", is_holder);
    let place = share(row, "holders", |one| {
        is_holder(one) && is_on(&one["stack"], function)
    });
    println!("the holder in {thread:.3}, in {function} {place:.3} of the waits");
    assert!(
        thread >= least && place >= least,
        "{tid} by {evidence} in {thread:.3}, in {function} {place:.3} of the waits: {}",
        brief(&waits.settled)
    );
}

/// Each of these functions waited, for `least` of the waits together, and all stacks reach the begin of the thread.
fn assert_waiters(waits: &Waits, wanted: &[&str], least: f64) {
    let row = waits.contended_later();
    let through = |function: &str| share(row, "waiters", |one| is_on(&one["stack"], function));
    let mut sum = 0.0;
    for function in wanted {
        let part = through(function);
        assert!(
            part > 0.5 / wanted.len() as f64,
            "{function} in {part:.3} of the waits: {}",
            brief(&waits.settled)
        );
        sum += part;
    }
    let whole = through("start_thread");
    println!("{wanted:?} {sum:.3}, start_thread {whole:.3}");
    assert!(
        sum > least && whole > 0.98,
        "{wanted:?} in {sum:.3}, start_thread in {whole:.3} of the waits: {}",
        brief(&waits.settled)
    );
}

/// A lock of which the word says who holds it.
fn owned(lab: &Lab, mode: &str, name: &str, seconds: u32) {
    let waits = require!(record(lab, "locks", mode, seconds));
    let row = waits.contended();
    assert_eq!(row["lock"], name);
    assert_eq!(
        (&row["class"], &row["library"]),
        (&"mutex".into(), &"glibc".into())
    );
    assert_total(&waits, 0.05);
    assert_holder(&waits, "owner", "hot_section", 0.9);
    assert_waiters(&waits, &["first_path", "second_path"], 0.95);
}

pub(crate) fn a_mutex_has_its_holder(lab: &Lab, seconds: u32) {
    owned(lab, "mutex", "mutex hot_lock", seconds);
}

#[test]
fn a_mutex_has_its_holder_and_its_waiters() {
    a_mutex_has_its_holder(&Lab::new(), 6);
}

/// The memory has no name; the holder is in the other process.
#[test]
fn a_mutex_of_two_processes_has_its_holder() {
    owned(&Lab::new(), "shared", "mutex in want", 6);
}

#[test]
fn a_mutex_of_a_library_has_its_name() {
    owned(&Lab::new(), "library", "mutex library_lock", 6);
}

#[test]
fn a_mutex_with_priority_inheritance_has_its_holder() {
    owned(&Lab::new(), "pi", "mutex hot_lock", 6);
}

/// Nothing in an rw lock says who holds it: who ended the wait is named, and that it is so known.
#[test]
fn an_rw_lock_has_who_let_it_go() {
    let waits = require!(record(&Lab::new(), "locks", "rwlock", 6));
    let row = waits.contended();
    assert_eq!(
        (&row["class"], &row["library"]),
        (&"rw lock".into(), &"glibc".into())
    );
    assert!(
        row["lock"].as_str().unwrap_or_default().contains("hot_rwlock"),
        "{}",
        row["lock"]
    );
    // Now and then the writer waits for them.
    let reads = number(&row["read"]["count"]) / number(&row["waits"]["count"]);
    assert!(reads > 0.8, "{reads}: {}", brief(&waits.all));
    assert_total(&waits, 0.1);
    assert_holder(&waits, "waker", "hot_write", 0.8);
    assert_waiters(&waits, &["hot_read"], 0.8);
}

/// A lock of Rust, whose word has no owner.
fn of_rust(mode: &str, class: &str, library: &str) -> Option<Waits> {
    let lab = Lab::new();
    let waits = match record(&lab, "rust_locks", mode, 6) {
        Ok(waits) => waits,
        Err(Missing(reason)) => {
            tests::say_not_run(&reason);
            return None;
        }
    };
    let row = waits.contended();
    assert_eq!((&row["class"], &row["library"]), (&class.into(), &library.into()));
    assert_holder(&waits, "waker", "hot_section", 0.8);
    assert_waiters(&waits, &["first_path", "second_path"], 0.95);
    Some(waits)
}

#[test]
fn a_mutex_of_rust_has_who_let_it_go() {
    if let Some(waits) = of_rust("std", "mutex", "Rust std") {
        assert_total(&waits, 0.1);
    }
}

#[test]
fn an_rw_lock_of_rust_has_who_let_it_go() {
    if let Some(waits) = of_rust("rwlock", "rw lock", "Rust std") {
        assert_total(&waits, 0.1);
    }
}

/// Before it sleeps, `parking_lot` gives its CPU away some times, and where others want it that takes as long as they
/// like: no wait for a lock, but the program counts it. So what is said of the waits is what the threads were blocked for,
/// which was measured apart from it, and no more than what the program says.
#[test]
fn a_mutex_of_parking_lot_has_who_let_it_go() {
    let Some(waits) = of_rust("parking_lot", "mutex", "parking_lot") else {
        return;
    };
    let (found, plus_minus) = seconds(&waits.contended()["waits"]);
    let truth = waits.said("waited ") / 1e9;
    let (joins, _) = seconds(&waits.all["idle"]);
    println!("{found:.3} ± {plus_minus:.3} s, the program says {truth:.3}");
    assert!(
        found <= 1.05 * truth + plus_minus,
        "{found} ± {plus_minus} s, the program says {truth}"
    );
    assert_blocked(
        &waits.recording.profile,
        "rust_locks",
        found + joins,
        0.1 + plus_minus / found,
    );
}

/// Waits took `told` seconds in all, and the program's threads were blocked for as long, as was measured apart from them:
/// but for a `part`, and for the time that threads which were woken waited for a CPU, which a wait goes on for.
fn assert_blocked(profile: &Profile, program: &str, told: f64, part: f64) {
    let blocked = in_state(profile, program, State::Lock);
    let late = in_state(profile, program, State::Runnable);
    println!("waits of {told:.3} s, blocked for {blocked:.3}, late by {late:.3}");
    assert!(
        (blocked * (1.0 - part)..(blocked + late) * (1.0 + part)).contains(&told),
        "waits of {told} s, threads were blocked for {blocked}, and waited {late} for CPUs"
    );
}

/// Workers without work wait, and that is no contention: every wait is there, and said to be idle.
fn idle(lab: &Lab, program: &str, seconds_long: u32, classes: &[&str]) {
    let waits = require!(record(lab, program, "pool", seconds_long));
    assert_eq!(
        waits.rows("contention"),
        [] as [&Value; 0],
        "{}",
        brief(&waits.all)
    );
    let jobs = waits.said("jobs ");
    for class in classes {
        let of_class = waits
            .rows("idle")
            .into_iter()
            .filter(|row| row["class"] == *class);
        let (mut count, mut long) = (0.0, 0.0);
        for row in of_class {
            count += number(&row["waits"]["count"]);
            long += seconds(&row["waits"]).0;
            for holder in list(&row["holders"]) {
                assert_eq!(holder["evidence"], "waker", "{holder:#}");
            }
        }
        println!("{class}: {count} waits, {long:.3} s, for {jobs} jobs");
        // A worker that is late finds more than one job, and does not wait for each.
        assert!(
            (0.8 * jobs..1.2 * jobs + 20.0).contains(&count),
            "{class}: {count} waits for {jobs} jobs: {}",
            brief(&waits.all)
        );
    }
    let profile = &waits.recording.profile;
    let told: f64 = ["contention", "unknown", "idle"]
        .map(|group| seconds(&waits.all[group]).0)
        .iter()
        .sum();
    assert_blocked(profile, program, told, 0.05);
    assert_eq!(profile.quality_total().lost_total(), 0);
}

pub(crate) fn an_idle_pool_is_not_accused(lab: &Lab, seconds: u32) {
    idle(lab, "locks", seconds, &["condition variable"]);
}

#[test]
fn a_pool_without_work_is_idle() {
    an_idle_pool_is_not_accused(&Lab::new(), 5);
}

#[test]
fn a_pool_of_rust_without_work_is_idle() {
    idle(
        &Lab::new(),
        "rust_locks",
        5,
        &["condition variable", "parked thread"],
    );
}

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
    println!("{total:.3} ± {plus_minus:.3} s, the program says {long:.3}; {number_of:?} waits of {count}");
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
    println!("{kept} kept, {rows} rows, {size} bytes");
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
    println!("{inside} is {outside}, named in {named:.3} of the waits");
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

/// What bpftrace counts of the locks of the kernel: by time and flags, and, of the storm, by stack. A mutex and a semaphore
/// are announced more than once in a wait.
const REFEREE: &str = "tracepoint:lock:contention_begin /(args->flags & 33) == 1/ \
        { @n[nsecs / 50000000, args->flags] = count(); if (comm == \"locks\") { @site[kstack(20)] = count(); } } \
    tracepoint:lock:contention_begin /(args->flags & 33) != 1/ \
        { if (@in[tid] != (uint64)args->lock_addr) { @n[nsecs / 50000000, args->flags] = count(); \
          if (comm == \"locks\") { @site[kstack(20)] = count(); } @in[tid] = (uint64)args->lock_addr; } } \
    tracepoint:lock:contention_end { if (@in[tid] == (uint64)args->lock_addr) { delete(@in[tid]); } } \
    END { clear(@in); }";
/// Into such stretches of time it sorts, in nanoseconds.
const STRETCH_NS: u64 = 50_000_000;

/// What the kernel's flags mean (`LCB_F_*`, include/trace/events/lock.h).
fn kind(flags: u64) -> Contention {
    let (spins, reads, writes, rt, per_cpu, mutex) = (1, 2, 4, 8, 16, 32);
    let has = |flag: u64| flags & flag != 0;
    match () {
        () if has(mutex) => Contention::Mutex,
        () if has(rt) => Contention::RtMutex,
        () if has(per_cpu) && has(writes) => Contention::PerCpuWrite,
        () if has(per_cpu) => Contention::PerCpuRead,
        () if has(spins) && has(reads) => Contention::ReadLock,
        () if has(spins) && has(writes) => Contention::WriteLock,
        () if has(spins) => Contention::Spin,
        () if has(reads) => Contention::SemaphoreRead,
        () if has(writes) => Contention::SemaphoreWrite,
        () => Contention::Semaphore,
    }
}

/// The function that wanted the lock: the innermost one that is not itself of the kernel's locking, as its name says.
fn site<'a>(mut functions: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let locking = ["lock", "contention", "down_", "rwsem", "mutex", "bpf_"];
    functions.find(|name| !locking.iter().any(|part| name.contains(part)))
}

/// The one that most waits were at.
fn most<'a>(sites: &BTreeMap<&'a str, f64>) -> Option<(&'a str, f64)> {
    let most = sites.iter().max_by(|a, b| a.1.total_cmp(b.1));
    most.map(|(site, count)| (*site, *count))
}

#[test]
fn locks_of_the_kernel_are_those_of_bpftrace() {
    let lab = Lab::new();
    if !fs::exists("/sys/kernel/tracing/events/lock/contention_begin").unwrap_or(false) {
        not_run!("this kernel has no tracepoint of contention for locks");
    }
    let program = require!(lab.workload("locks"));
    let referee = require!(lab.bpftrace(REFEREE));
    let mut recorder = lab
        .record()
        .all()
        .arguments(["--probe", "states,lock"])
        .seconds(7.0)
        .start();
    recorder.wait_for_trace();
    let storm = Running::spawn(Command::new(program).args(["storm", "3"]));
    let recording = recorder.finish();
    drop(storm);
    let [theirs, their_sites] = require!(referee.maps(["@n", "@site"]));
    let profile = &recording.profile;
    let mut ours: BTreeMap<Contention, (u64, u64)> = BTreeMap::new();
    let (mut from, mut to) = (u64::MAX, 0);
    for row in &profile.latencies {
        if let Operation::KernelLock(kind) = row.key.operation {
            // The recorder adds them up every second, if it gets to it: else they may be from after the end.
            let window = (row.end_ns - row.start_ns) / 1_000_000;
            if window > 2_500 {
                not_run!("the machine is too busy: the recorder did not look at its sums for {window} ms");
            }
            ours.entry(kind).or_default().0 += row.count;
            (from, to) = (from.min(row.start_ns), to.max(row.end_ns));
        }
    }
    let start = profile.metadata.start_monotonic_ns;
    let within = (start + from) / STRETCH_NS..=(start + to) / STRETCH_NS;
    for (key, count) in theirs.as_object().expect("a map") {
        let (stretch, flags) = key.split_once(',').expect("two keys");
        let number = |text: &str| text.trim().parse::<u64>().expect("a number");
        if within.contains(&number(stretch)) {
            ours.entry(kind(number(flags))).or_default().1 += count.as_u64().expect("a count");
        }
    }
    println!("here and there: {ours:?}");
    assert!(ours.values().any(|(here, _)| *here > 100), "{ours:?}");
    for (kind, (here, there)) in &ours {
        assert!(
            here.abs_diff(*there) <= (there / 20).max(30),
            "{kind:?}: {here} here, {there} there: {ours:?}"
        );
    }
    assert_same_site(&recording, &their_sites);
}

/// Most waits of the storm are at the same place by both.
fn assert_same_site(recording: &Recording, theirs: &Value) {
    let mut there: BTreeMap<&str, f64> = BTreeMap::new();
    for (stack, count) in theirs.as_object().expect("a map") {
        let names = stack
            .lines()
            .map(|line| line.trim().split('+').next().unwrap_or_default());
        if let Some(site) = site(names.filter(|name| !name.is_empty())) {
            *there.entry(site).or_default() += number(count);
        }
    }
    let locks = report(recording, &["--kind", "kernel", "--comm", "locks"]);
    let mut here: BTreeMap<&str, f64> = BTreeMap::new();
    for waiter in list(&locks["rows"]).iter().flat_map(|row| list(&row["waiters"])) {
        if let Some(site) = site(functions(&waiter["stack"]).into_iter()) {
            *here.entry(site).or_default() += number(&waiter["waits"]["count"]);
        }
    }
    println!("here {here:?}\nthere {there:?}");
    let (Some((ours, _)), Some((_, highest))) = (most(&here), most(&there)) else {
        not_run!("the storm met no lock: the machine is too busy");
    };
    if highest < 30.0 {
        not_run!("the storm met {highest} locks at one place: too few to tell places apart");
    }
    // Two places may be as good as even.
    let of_ours = there.get(ours).copied().unwrap_or(0.0);
    assert!(of_ours >= 0.8 * highest, "{ours} here\n{here:?}\nthere {there:?}");
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
    println!("{told} of {} reads", reads.len());
    assert!(
        told * 10 >= reads.len() * 9,
        "{told} of {}: {:#?}",
        reads.len(),
        reads[reads.len() / 2]["waker"]
    );
    let text = recording.report(["--view", "slow"]).success().stdout;
    let woken = text.lines().find(|line| line.contains("woken"));
    assert!(woken.is_some_and(|line| line.contains("partner")), "{text}");
}
