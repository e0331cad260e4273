//! The core, under a minute: stacks of every difficult kind, and recordings that end in every way.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use tests::{Lab, Running, not_run, require};

use crate::{deep_chain, record_workload};

/// How long a recorder may take to end: names are resolved then, which takes an unoptimised build its time.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 2 });

#[test]
fn twelve_calls_deep_without_frame_pointers() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "deep", 4));
    let view = recording.view().command("deep");
    view.assert_truth(&recording.truth());
    view.assert_complete(0.99);
    for leaf in ["leaf_60", "leaf_30", "leaf_10"] {
        let chain = deep_chain(leaf);
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        view.through(leaf).assert_chain(&chain, 0.99);
    }
}

#[test]
fn a_known_schedule_of_running_and_waiting() {
    crate::states::known_schedule(&Lab::new(), 3);
}

#[test]
fn system_calls_are_counted_to_the_call() {
    crate::calls::counts_are_exact(&Lab::new(), 2_000);
}

#[test]
fn slow_calls_are_explained() {
    crate::calls::slow_calls_are_explained(&Lab::new(), 20);
}

#[test]
fn a_mutex_has_its_holder_and_its_waiters() {
    crate::locks::a_mutex_has_its_holder(&Lab::new(), 3);
}

#[test]
fn a_pool_without_work_is_idle() {
    crate::locks::an_idle_pool_is_not_accused(&Lab::new(), 2);
}

#[test]
fn a_deadlock_is_suspected() {
    crate::locks::a_deadlock_is_suspected(&Lab::new());
}

#[test]
fn the_dashboard_shows_the_hot_function_and_the_planted_wait() {
    crate::dashboard::the_hot_function_and_the_planted_wait_are_on_the_screen(&Lab::new());
}

#[test]
fn the_c_library_calls_back() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "qsort", 2));
    let view = recording.view().command("qsort");
    assert!(view.share_of("compare") > 0.95, "{}", view.describe());
    assert!(
        view.through("compare").total_share_of("sort_once") > 0.99,
        "{}",
        view.describe()
    );
    view.assert_complete(0.99);
}

#[test]
fn signal_handlers_on_both_stacks_are_walked_through() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "signal", 3));
    let view = recording.view().command("signal");
    view.assert_truth(&recording.truth());
    view.assert_complete(0.99);
    for handler in ["in_handler", "in_handler_on_alternate_stack"] {
        let inside = view.through(handler);
        assert!(
            inside.total_share_of("main") > 0.97,
            "behind {handler}: {}",
            inside.describe()
        );
    }
}

#[test]
fn a_rust_release_binary_with_two_threads() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "rust_release", 2));
    recording.view().assert_truth(&recording.truth());
    recording.view().assert_complete(0.99);
    let beside = recording.view().thread("beside");
    assert!(
        beside.len() > 500,
        "{} samples of the second thread",
        beside.len()
    );
    beside.assert_complete(0.99);
}

#[test]
fn a_stripped_binary_has_whole_stacks_and_no_invented_names() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "deep_stripped", 2));
    let view = recording.view().command("deep_stripped");
    view.assert_complete(0.99);
    let depths = view.stacks();
    let deepest = depths.keys().map(Vec::len).max().unwrap_or(0);
    assert!(
        deepest >= 16,
        "the deepest stack has {deepest} frames: {}",
        view.describe()
    );
    let own = view
        .stacks()
        .into_keys()
        .flatten()
        .find(|name| name.contains("deep_stripped"));
    assert_eq!(own.as_deref(), Some("deep_stripped+?"), "{}", view.describe());
    let named = view.names_in("deep_stripped");
    assert!(
        named.is_empty(),
        "this binary has no names, and {named:?} were found in it"
    );
}

#[test]
fn short_lived_processes_have_names_and_whole_stacks() {
    let lab = Lab::new();
    crate::processes::fork_storm(&lab, 3);
}

#[test]
fn the_exit_status_of_the_command_is_kept() {
    let lab = Lab::new();
    let record = |script: &str| lab.record().command(["sh", "-c", script]).start().wait().0;
    assert_eq!(record("exit 0").code(), 0);
    assert_eq!(record("exit 7").code(), 7);
    assert_eq!(record("kill -TERM $$").code(), 143);
    let own = lab
        .record()
        .output("/no/such/directory/x")
        .command(["true"])
        .start()
        .wait()
        .0;
    assert_eq!(own.code(), 125, "{}", own.stderr);
    assert!(own.stderr.contains("/no/such/directory"), "{}", own.stderr);
    let absent = lab.record().command(["/no/such/command"]).start().wait().0;
    assert!(absent.code() >= 125, "{}", absent.code());
    assert!(absent.stderr.contains("/no/such/command"), "{}", absent.stderr);
}

#[test]
fn ctrl_c_ends_a_recording_cleanly() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let deep = Running::spawn(Command::new(program).arg("20"));
    let mut recorder = lab.record().frequency(999).pid(deep.pid()).start();
    recorder.wait_for_trace();
    std::thread::sleep(Duration::from_secs(1));
    let asked = Instant::now();
    recorder.signal(libc::SIGINT);
    let recording = recorder.finish();
    assert!(asked.elapsed() < LIMIT, "it took {:?} to end", asked.elapsed());
    assert!(
        recording.status.success(),
        "{}: {}",
        recording.status,
        recording.stderr
    );
    assert!(
        recording.profile.ended,
        "the trace was not closed in good order: {:?}",
        recording.notes
    );
    assert!(
        recording.view().pid(deep.pid()).len() > 20,
        "{}",
        recording.view().describe()
    );
    let closing = recording.closing_line();
    assert!(
        closing.contains("samples") && closing.contains("recording.trace"),
        "the closing line is {closing:?}"
    );
}

#[test]
fn a_killed_recorder_leaves_a_trace_that_reports_with_names() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let deep = Running::spawn(Command::new(program).arg("20"));
    let mut recorder = lab.record().frequency(999).pid(deep.pid()).start();
    recorder.wait_for_trace();
    std::thread::sleep(Duration::from_millis(3500));
    recorder.signal(libc::SIGKILL);
    let recording = recorder.finish();
    assert!(!recording.status.success() && !recording.profile.ended);
    let view = recording.view().pid(deep.pid());
    // Up to the last flush, which is a second old at most, and a little more where the machine is busy.
    let kept = recording.profile.duration_ns();
    assert!(kept > 1_500_000_000, "{kept} ns survived");
    assert!(view.len() > 50, "{} samples survived", view.len());
    assert!(view.share_of("leaf_60") > 0.5, "{}", view.describe());
    let report = recording.report(["--percent-limit", "0"]).success();
    assert!(
        report.stdout.contains("leaf_60"),
        "{}{}",
        report.stdout,
        report.stderr
    );
}

#[test]
fn a_recording_ends_with_its_target() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let deep = Running::spawn(Command::new(program).arg("4"));
    let recording = lab.record().frequency(999).pid(deep.pid()).start().finish();
    assert!(recording.status.success(), "{}", recording.stderr);
    assert!(
        recording.elapsed < Duration::from_secs(4) + LIMIT,
        "it went on for {:?}",
        recording.elapsed
    );
    assert!(recording.view().len() > 100, "{}", recording.view().describe());
}

#[test]
fn the_command_runs_as_the_user_who_called_sudo() {
    let lab = Lab::new();
    let Ok(passwd) = std::fs::read_to_string("/etc/passwd") else {
        not_run!("there is no /etc/passwd");
    };
    if !passwd.contains("nobody:x:65534:65534") {
        not_run!("there is no user nobody with the id 65534");
    }
    let recorder = lab
        .record()
        .environment("SUDO_UID", "65534")
        .environment("SUDO_GID", "65534")
        .environment("SUDO_USER", "nobody")
        .command(["sh", "-c", "id -u; id -g; echo $USER $HOME"])
        .start();
    let (ended, path) = recorder.wait();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("65534\n65534\nnobody /"),
        "{}",
        ended.stdout
    );
    let file = std::fs::metadata(&path).expect("the trace is there");
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(
        (file.uid(), file.mode() & 0o777),
        (65534, 0o600),
        "the trace's owner and mode"
    );
}
