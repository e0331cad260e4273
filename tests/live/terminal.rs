//! Whatever becomes of the terminal of `profiler top`, it ends soon, leaves nothing in the kernel, and completes what it
//! records.

use std::{
    fs, io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tests::{Lab, OnTerminal, is_loaded, profiler_binary, programs, read_trace};

/// How long it may take to load the programs and to draw the first picture.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END: Duration = Duration::from_secs(1);

/// A dashboard that shows something, and the BPF programs that it lives on.
fn dashboard(command: &mut Command) -> (OnTerminal, Vec<u32>) {
    let mut top = OnTerminal::spawn(command.args(["top", "--no-config", "--no-locks"]));
    // It collects, and has drawn what it has collected.
    top.wait_for("% busy", START);
    let loaded = programs(top.pid());
    assert!(loaded.len() > 3, "it has programs in the kernel: {loaded:?}");
    (top, loaded)
}

/// As nohup does. It touches no memory.
fn ignore_hang_ups() -> io::Result<()> {
    // SAFETY: takes numbers.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    Ok(())
}

#[track_caller]
fn assert_gone(session: u32, loaded: &[u32]) {
    // The kernel frees programs a moment after the last that held them.
    let end = Instant::now() + Duration::from_secs(5);
    while loaded.iter().any(|&program| is_loaded(program)) {
        assert!(
            Instant::now() < end,
            "of the programs {loaded:?} some are still loaded"
        );
        thread::sleep(Duration::from_millis(20));
    }
    let orphans = sessions().filter(|(_, of)| *of == session);
    assert_eq!(orphans.count(), 0, "something of its session still runs");
}

/// Every process, and its session.
fn sessions() -> impl Iterator<Item = (u32, u32)> {
    let entries = fs::read_dir("/proc").expect("there is a /proc");
    entries.filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // State, parent, group and session follow the name.
        let session = stat.rsplit_once(')')?.1.split_whitespace().nth(3)?;
        Some((pid, session.parse().ok()?))
    })
}

#[test]
fn a_lost_line_ends_it_within_a_second_and_completes_what_it_records() {
    let lab = Lab::new();
    let trace = lab.path("lost.trace");
    let (mut top, loaded) = dashboard(&mut Command::new(profiler_binary()));
    record_to(&mut top, &trace);
    top.hang_up();
    let (_, took) = top.wait(START, false);
    assert!(took < END, "{took:?}");
    assert_gone(top.pid(), &loaded);
    let (profile, notes) = read_trace(&trace);
    assert!(profile.ended && notes.is_empty(), "{notes:?}");
    assert!(!profile.quality.is_empty() && !profile.thread_times.is_empty());
}

#[test]
fn a_lost_line_ends_it_though_the_signal_is_ignored() {
    let _lab = Lab::new();
    let mut command = Command::new(profiler_binary());
    // SAFETY: what is called may be called between fork and exec.
    unsafe { command.pre_exec(ignore_hang_ups) };
    let (mut top, loaded) = dashboard(&mut command);
    top.hang_up();
    let (_, took) = top.wait(START, false);
    assert!(took < END, "{took:?}");
    assert_gone(top.pid(), &loaded);
}

#[test]
fn a_signal_ends_it_though_nobody_reads_what_it_draws() {
    let _lab = Lab::new();
    let (mut top, loaded) = dashboard(&mut Command::new(profiler_binary()));
    // The screen is drawn anew until the terminal takes no more.
    for _ in 0..100 {
        top.type_keys("\x0c");
        thread::sleep(Duration::from_millis(30));
    }
    top.signal(libc::SIGTERM);
    let (status, took) = top.wait(START, false);
    assert!(took < 2 * END, "{took:?}");
    assert_eq!(status.code(), Some(128 + libc::SIGTERM));
    assert_gone(top.pid(), &loaded);
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    let _lab = Lab::new();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        let (mut top, loaded) = dashboard(&mut Command::new(profiler_binary()));
        top.signal(signal);
        let (status, took) = top.wait(START, true);
        assert!(took < END, "{signal}: {took:?}");
        assert_eq!(status.code(), Some(128 + signal));
        let seen = top.seen();
        let left = seen.rfind("\x1b[?1049l").expect("the alternate screen was left");
        assert!(left > seen.rfind("\x1b[?1049h").expect("it was entered"));
        assert!(seen[left..].contains("\x1b[?25h"), "the cursor is back");
        assert_gone(top.pid(), &loaded);
    }
}

#[test]
fn a_killed_dashboard_leaves_nothing_in_the_kernel_and_a_trace_that_can_be_read() {
    let lab = Lab::new();
    let trace = lab.path("killed.trace");
    let (mut top, loaded) = dashboard(&mut Command::new(profiler_binary()));
    record_to(&mut top, &trace);
    top.signal(libc::SIGKILL);
    top.wait(START, false);
    assert_gone(top.pid(), &loaded);
    let (profile, notes) = read_trace(&trace);
    assert!(!profile.ended && !profile.quality.is_empty());
    assert!(notes.iter().any(|note| note.contains("good order")), "{notes:?}");
}

/// Records for two windows at least.
fn record_to(top: &mut OnTerminal, trace: &Path) {
    top.type_keys("r");
    top.wait_for("record to: ", START);
    top.type_keys(&format!("\x15{}\r", trace.display()));
    top.wait_for("recording all to ", START);
    // What is drawn are but the digits that change; the file grows in any case.
    let end = Instant::now() + START;
    while read_trace(trace).0.quality.len() < 2 {
        assert!(Instant::now() < end, "nothing is recorded");
        thread::sleep(Duration::from_millis(100));
    }
}
