//! What threads do, exactly: against a program that knows its own schedule.

use std::{process::Command, time::Duration};

use profiler::profile::{Outcome, Profile, State, ThreadTime};
use tests::{Lab, Missing, Recording, Running, View, not_run, require};

/// Records `schedule` with `threads` pairs of threads on CPU 0 for `seconds`. On one CPU, because the time that a thread
/// waits for a CPU is then no matter of chance.
fn record_schedule(lab: &Lab, seconds: u32, threads: u32) -> Result<Recording, Missing> {
    let program = lab.workload("schedule")?;
    let (seconds, threads) = (seconds.to_string(), threads.to_string());
    let recording = lab
        .record()
        .arguments(["--probe", "cpu,states,off-cpu"])
        .command([
            "taskset".as_ref(),
            "-c".as_ref(),
            "0".as_ref(),
            program.as_os_str(),
            seconds.as_ref(),
            threads.as_ref(),
        ])
        .run();
    assert!(recording.status.success(), "{}", recording.stderr);
    Ok(recording)
}

/// The spans of the thread or threads called `name`.
fn spans<'a>(profile: &'a Profile, name: &'a str) -> impl Iterator<Item = &'a ThreadTime> {
    let named = move |span: &&ThreadTime| profile.threads[span.thread].name == name;
    profile.thread_times.iter().filter(named)
}

/// Seconds in a state.
fn seconds<'a>(spans: impl Iterator<Item = &'a ThreadTime>, state: State) -> f64 {
    spans.map(|span| span.ns[state as usize]).sum::<u64>() as f64 / 1e9
}

/// What the program says of itself, as in `periods 20`.
fn said(recording: &Recording, what: &str) -> f64 {
    let line = recording.stdout.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| panic!("the program does not say {what:?}:\n{}", recording.stdout))
}

/// Seconds that the hypervisor has taken from CPU 0 (`proc_stat(5)`, hundredths of a second). A thread is on the CPU all
/// that time, but the kernel does not count it as the thread's.
fn stolen() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu0 "));
    let ticks = line.and_then(|line| line.split(' ').nth(7)?.parse::<f64>().ok());
    ticks.unwrap_or(0.0) / 100.0
}

/// Each wait within 2 % or 1 ms a period, and the time on the CPU as the kernel has it.
pub(crate) fn known_schedule(lab: &Lab, seconds_long: u32) {
    let mut left = 3;
    let (recording, stolen) = loop {
        let before = stolen();
        let recording = require!(record_schedule(lab, seconds_long, 1));
        // A kernel may keep a switch or a wake-up from us (one was met whose second idle task is never traced). Then it
        // must be called unknown; here it is only in the way.
        let unknown = seconds(spans(&recording.profile, "scheduled"), State::Unknown);
        left -= 1;
        if unknown == 0.0 || left == 0 {
            break (recording, stolen() - before);
        }
    };
    let profile = &recording.profile;
    let periods = said(&recording, "periods ");
    let waited = seconds(spans(profile, "scheduled"), State::Runnable);
    if waited > 0.1 * f64::from(seconds_long) {
        not_run!("the machine is too busy: the thread waited {waited} s for a CPU");
    }
    let (running, cpu) = (
        seconds(spans(profile, "scheduled"), State::Running),
        said(&recording, "thread_cpu "),
    );
    assert!(
        (cpu * 0.99..cpu * 1.01 + 0.005 + stolen).contains(&running),
        "{running} s on the CPU; the thread got {cpu} s, and {stolen} s were stolen"
    );
    for (state, ms) in [(State::Sleep, 50.0), (State::Ipc, 30.0), (State::Lock, 20.0)] {
        let measured = seconds(spans(profile, "scheduled"), state) * 1e3 / periods;
        // A partner that waits for a CPU makes its waits longer by as much.
        let late = (waited + stolen) * 1e3 / periods;
        let tolerance = f64::max(0.02 * ms, 1.0);
        assert!(
            (ms - tolerance..ms + tolerance + late).contains(&measured),
            "{state:?}: {measured:.2} ms a period, not {ms}"
        );
    }
    assert_whole(profile);
    assert_stacks(profile, periods, (waited + stolen) * 1e3);
}

/// The waits are sampled with the stacks that waited, complete through the C library, and weigh what they last.
/// `late_ms` is by how much the waits may be longer.
fn assert_stacks(profile: &Profile, periods: f64, late_ms: f64) {
    const OFF_CPU: u8 = 1;
    /// `profiler_common::waits::PERIOD`.
    const PERIOD_MS: f64 = (1 << 23) as f64 / 1e6;
    let waits = View::of_type(profile, OFF_CPU).command("schedule");
    // Where the machine is busy, threads are taken off the CPU: their user stacks are not to be had.
    let in_calls = waits.filter(|_, sample| sample.outcome != Outcome::NotInCall);
    in_calls.assert_complete(0.98);
    for (function, ms) in [("sleep_50", 50.0), ("read_pipe_30", 30.0), ("wait_lock_20", 20.0)] {
        let view = waits.through(function);
        for caller in ["start_thread", "scheduled"] {
            assert!(
                view.total_share_of(caller) > 0.99,
                "{function}: {}",
                view.describe()
            );
        }
        let weight = view.samples().iter().map(|sample| sample.value).sum::<u64>() as f64 / 1e6;
        // Each wait weighs a whole number of sampling periods, so it is wrong by half of one at most (one standard
        // deviation); four of them for the sum.
        let tolerance = 0.05 * ms * periods + 2.0 * PERIOD_MS * periods.sqrt() + late_ms;
        assert!(
            (weight - ms * periods).abs() < tolerance,
            "{function} weighs {weight:.1} ms, not {:.1} ± {tolerance:.1}",
            ms * periods
        );
    }
}

/// The states of every span sum to its length, and nothing is missing between spans.
fn assert_whole(profile: &Profile) {
    let mut ends = std::collections::BTreeMap::new();
    for span in &profile.thread_times {
        let (length, sum) = (span.end_ns - span.start_ns, span.ns.iter().sum::<u64>());
        assert!(
            length.abs_diff(sum) * 100 <= length,
            "{span:?}: its states sum to {sum} ns, not {length}"
        );
        let thread = &profile.threads[span.thread];
        if let Some(end) = ends.insert(thread.tid, span.end_ns) {
            assert_eq!(end, span.start_ns, "a gap in the time of thread {}", thread.tid);
        }
    }
}

#[test]
fn a_known_schedule_for_ten_seconds() {
    known_schedule(&Lab::new(), 10);
}

/// 200 threads on one CPU: what they got and what they waited for is all there is.
#[test]
fn two_hundred_threads_share_a_cpu() {
    let lab = Lab::new();
    let stolen_before = stolen();
    let recording = require!(record_schedule(&lab, 6, 100));
    let stolen = stolen() - stolen_before;
    let profile = &recording.profile;
    assert_whole(profile);
    let running = seconds(profile.thread_times.iter(), State::Running);
    let cpu = said(&recording, "cpu ");
    assert!(
        (cpu * 0.98..cpu * 1.02 + 0.05 + stolen).contains(&running),
        "{running} s on the CPU; the program got {cpu}, and {stolen} s were stolen"
    );
    let unknown = seconds(profile.thread_times.iter(), State::Unknown);
    let all: f64 = profile
        .thread_times
        .iter()
        .map(|span| (span.end_ns - span.start_ns) as f64 / 1e9)
        .sum();
    assert!(unknown < 0.01 * all, "{unknown} s of {all} s are unknown");
}

/// bpftrace on the same run: the same time off the CPU, and the samples of waits add up to it within their own error.
#[test]
fn time_off_the_cpu_is_that_of_bpftrace() {
    let lab = Lab::new();
    let program = "tracepoint:sched:sched_switch { if (args->prev_comm == \"scheduled\") { @since[args->prev_pid] = nsecs; } \
                   if (@since[args->next_pid]) { @ns = sum(nsecs - @since[args->next_pid]); delete(@since[args->next_pid]); } } \
                   END { clear(@since); }";
    let referee = require!(lab.bpftrace(program));
    let recording = require!(record_schedule(&lab, 8, 1));
    let sum = require!(referee.map("@ns"));
    let theirs = sum.as_u64().expect("a sum is a number");
    let profile = &recording.profile;
    let in_state = |state: State| {
        spans(profile, "scheduled")
            .map(|span| span.ns[state as usize])
            .sum::<u64>()
    };
    let all = State::ALL.map(in_state);
    let ours = all.iter().sum::<u64>() - in_state(State::Running);
    // Where a switch was missed, the thread may have been on the CPU or not.
    let known = ours - in_state(State::Unknown);
    let range = known as f64 * 0.95..ours as f64 * 1.05;
    assert!(
        range.contains(&(theirs as f64)),
        "{ours} ns here, {theirs} there: {all:?}"
    );
    let waits = View::of_type(profile, 1).thread("scheduled");
    let estimate: u64 = waits.samples().iter().map(|sample| sample.value).sum();
    let estimated = estimate as f64 / ours as f64;
    assert!(
        (0.9..1.1).contains(&estimated),
        "{estimate} ns by samples, {ours} by switches"
    );
}

/// A thread that waits all the time has its whole wait in the profile, with the stack that waits.
#[test]
fn a_thread_that_never_wakes_is_there_with_its_stack() {
    let lab = Lab::new();
    let program = require!(lab.workload("calls"));
    let running = Running::spawn(Command::new(program).arg("flight"));
    std::thread::sleep(Duration::from_millis(300));
    let recording = lab
        .record()
        .arguments(["--probe", "cpu,off-cpu"])
        .pid(running.pid())
        .seconds(3.0)
        .run();
    drop(running);
    let profile = &recording.profile;
    let waits = View::of_type(profile, 1).thread("sleeper");
    let exact: u64 = spans(profile, "sleeper")
        .map(|span| span.ns.iter().sum::<u64>())
        .sum();
    let estimate: u64 = waits.samples().iter().map(|sample| sample.value).sum();
    // One wait: its points are its length in periods, one more or less.
    assert!(
        exact.abs_diff(estimate) <= 2 << 23,
        "{estimate} ns by samples, {exact} ns in all"
    );
    for sample in waits.samples() {
        let stack = waits.stack(sample);
        assert!(
            sample.outcome == Outcome::Complete && stack.contains(&"sleep_long".to_owned()),
            "{stack:?}"
        );
    }
    assert!(!waits.is_empty());
}
