//! Waits for locks: which lock, how long, who waited and who held it, against programs that know it themselves.

mod cases;
mod kernel;

use profiler::profile::{Profile, State};
use serde_json::Value;
use tests::{Lab, Missing, Recording, require};

pub(crate) use cases::a_deadlock_is_suspected;

/// Shows what was measured, if the test fails or is asked for its output.
#[expect(clippy::print_stdout, reason = "libtest keeps it for those who want it")]
fn show(figures: &str) {
    println!("{figures}");
}

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

/// Without the lock that Rust's standard library has for threads that begin and end, and others that a program's threads meet
/// at once or twice: these are contended for indeed.
fn wanted(mut rows: Vec<&Value>) -> Vec<&Value> {
    let is_of_std = |row: &Value| {
        row["lock"]
            .as_str()
            .is_some_and(|name| name.contains("stack_overflow"))
    };
    let total = |row: &Value| seconds(&row["waits"]).0;
    let most = rows.iter().map(|row| total(row)).fold(0.0, f64::max);
    rows.retain(|row| !is_of_std(row) && total(row) > 0.01 * most);
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
    show(&format!("threads waited {waited:.1} s for a CPU"));
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
    show(&format!(
        "{found:.3} ± {plus_minus:.3} s, the program says {truth:.3}"
    ));
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
    show(&format!(
        "the holder in {thread:.3}, in {function} {place:.3} of the waits"
    ));
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
    show(&format!("{wanted:?} {sum:.3}, start_thread {whole:.3}"));
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

/// musl does not say how to unwind it, and its mutexes do not say who holds them as glibc's do.
fn of_musl(program: &str) {
    let waits = require!(record(&Lab::new(), program, "mutex", 6));
    assert_eq!(waits.contended()["class"], "mutex");
    assert_total(&waits, 0.05);
    assert_holder(&waits, "waker", "hot_section", 0.8);
    let row = waits.contended_later();
    let through = share(row, "waiters", |one| is_on(&one["stack"], "wait_for_it"));
    assert!(through > 0.98, "{through:.3}: {}", brief(&waits.settled));
    let view = waits.recording.view();
    view.through("hot_section").assert_complete(0.98);
}

#[test]
fn a_mutex_of_musl_has_who_let_it_go() {
    of_musl("locks_musl");
}

/// As on Alpine: its library has no names but those that it exports.
#[test]
fn a_mutex_of_a_shared_musl_has_who_let_it_go() {
    of_musl("locks_shared_musl");
}

#[test]
fn a_pool_of_musl_without_work_is_idle() {
    idle(&Lab::new(), "locks_musl", 5, &["condition variable"]);
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
    show(&format!(
        "{found:.3} ± {plus_minus:.3} s, the program says {truth:.3}"
    ));
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
    show(&format!(
        "waits of {told:.3} s, blocked for {blocked:.3}, late by {late:.3}"
    ));
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
        show(&format!("{class}: {count} waits, {long:.3} s, for {jobs} jobs"));
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
