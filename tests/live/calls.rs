//! System calls, counted and timed: against programs that know what they call, and against strace.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use profiler::{
    profile::{Extent, ObjectKind, Operation, Profile, SlowEvent, Waker},
    query::operation::operation,
};
use tests::{Lab, Recording, Running, View, find_program, not_run, require};

/// Calls by name and object, and how many failed by `errno`.
type Calls = BTreeMap<(String, String), (u64, BTreeMap<u16, u64>)>;

/// What all processes of a recording called, but the recorder's own child before it became the program.
fn calls(profile: &Profile) -> Calls {
    let mut calls = Calls::new();
    for row in &profile.latencies {
        let (Operation::Call(_) | Operation::CompatCall(_)) = row.key.operation else {
            continue;
        };
        if profile.processes[row.key.process].name == "profiler" {
            continue;
        }
        let name = operation(row.key.operation).replace(" (32-bit)", "_32");
        let object = format!("{:?}", row.key.object).to_lowercase();
        let (count, errors) = calls.entry((name, object)).or_default();
        *count += row.count;
        for (errno, failed) in &row.errors {
            *errors.entry(*errno).or_default() += failed;
        }
    }
    calls
}

/// Records `calls MODE …` with `arguments` of the recorder.
fn record(lab: &Lab, arguments: &[&str], mode: &[&str]) -> Result<Recording, tests::Missing> {
    let program = lab.workload("calls")?;
    let command = std::iter::once(program.as_os_str()).chain(mode.iter().map(|part| part.as_ref()));
    let recording = lab
        .record()
        .arguments(arguments.iter().copied())
        .command(command)
        .run();
    assert!(recording.status.success(), "{}", recording.stderr);
    Ok(recording)
}

/// Every call is counted, on what it was, and how it failed: threads, forks, an exec and 32-bit calls included.
pub(crate) fn counts_are_exact(lab: &Lab, times: u64) {
    let recording = require!(record(
        lab,
        &["--probe", "syscalls"],
        &["count", &times.to_string()]
    ));
    let counted = calls(&recording.profile);
    let mut said = 0;
    for line in recording
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("call "))
    {
        let words: Vec<_> = line.split(' ').collect();
        let [name, object, count, errno, errors] = words[..] else {
            panic!("not a line of the workload: {line}");
        };
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let key = (name.to_owned(), object.replace('_', ""));
        let (got, failed) = counted.get(&key).cloned().unwrap_or_default();
        // The C library calls access once as it starts, and its start reads and maps files.
        let (count, slack) = (number(count), if name == "access" { 2 } else { 0 });
        let is_exact = (count..=count + slack).contains(&got);
        let compat_is_off = name == "getppid_32" && count == 0;
        assert!(
            is_exact || compat_is_off,
            "{line}: counted {got}; all: {counted:#?}"
        );
        if number(errors) > 0 {
            let failed = failed.get(&(number(errno) as u16)).copied().unwrap_or(0);
            assert!(
                (number(errors)..=number(errors) + slack).contains(&failed),
                "{line}: {failed} failed"
            );
        }
        said += 1;
    }
    assert!(said > 15, "{}", recording.stdout);
    assert_eq!(recording.profile.quality_total().lost_total(), 0);
}

#[test]
fn every_call_is_counted() {
    counts_are_exact(&Lab::new(), 20_000);
}

/// `strace -c` of the same program: the same counts, to the call.
#[test]
fn counts_are_those_of_strace() {
    let lab = Lab::new();
    let strace = require!(find_program("strace"));
    let program = require!(lab.workload("calls"));
    let table = lab.path("strace");
    let traced = Running::spawn(
        Command::new(strace)
            .args(["-c", "-f", "-o"])
            .arg(&table)
            .arg(&program)
            .args(["count", "500"]),
    )
    .wait(Duration::from_secs(60));
    assert!(traced.status.success(), "{}", traced.stderr);
    let table = std::fs::read_to_string(table).expect("strace wrote its table");
    let recording = require!(record(&lab, &["--probe", "syscalls"], &["count", "500"]));
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for ((name, _), (count, _)) in calls(&recording.profile) {
        *counted
            .entry(name.trim_end_matches("_32").to_owned())
            .or_default() += count;
    }
    let mut compared = 0;
    for line in table.lines().skip(2).take_while(|line| !line.starts_with("---")) {
        // % time, seconds, usecs/call, calls, perhaps errors, name
        let words: Vec<_> = line.split_whitespace().collect();
        let (name, count) = (words[words.len() - 1], words[3].parse::<u64>().expect("a count"));
        // strace does not see the call by which the recorder's child becomes the program as we do; how threads wait for
        // each other is a matter of chance; and strace does not count calls that never return.
        if ["execve", "futex", "exit", "exit_group", "restart_syscall"].contains(&name) {
            continue;
        }
        // strace shows the 32-bit call by the name that its number has there.
        assert_eq!(
            counted.get(name).copied().unwrap_or(0),
            count,
            "{name}\n{table}\n{counted:#?}"
        );
        compared += 1;
    }
    assert!(compared > 25, "{table}");
}

/// The slow calls of the thread or threads called `name`.
fn slow<'a>(profile: &'a Profile, name: &'a str) -> impl Iterator<Item = &'a SlowEvent> {
    profile
        .slow
        .iter()
        .filter(move |event| profile.threads[event.thread].name == name)
}

/// The names of the functions of its stack, outermost first.
fn functions(profile: &Profile, event: &SlowEvent) -> Vec<String> {
    event
        .stack
        .map_or(Vec::new(), |stack| View::of(profile).names_of(stack))
}

fn target<'a>(profile: &'a Profile, event: &SlowEvent) -> &'a str {
    event
        .target
        .map_or("", |target| profile.targets[target].0.as_str())
}

/// Slow calls have their path or peer, their stack, and who ended their wait; a thread that spins beside is nobody's waker.
pub(crate) fn slow_calls_are_explained(lab: &Lab, times: u64) {
    let spinner = require!(lab.workload("deep"));
    // On the same CPU, so that it is there whenever an interrupt comes.
    let bystander = Running::spawn(Command::new("taskset").args(["-c", "0"]).arg(spinner).arg("60"));
    let program = require!(lab.workload("calls"));
    let directory = lab.path(".");
    let times_text = times.to_string();
    let recording = lab
        .record()
        .arguments(["--probe", "syscalls,off-cpu", "--slow", "5ms"])
        .command([
            "taskset".as_ref(),
            "-c".as_ref(),
            "0".as_ref(),
            program.as_os_str(),
            "slow".as_ref(),
            times_text.as_ref(),
            directory.as_os_str(),
        ])
        .run();
    let bystander_pid = bystander.pid();
    drop(bystander);
    assert!(recording.status.success(), "{}", recording.stderr);
    let profile = &recording.profile;
    let said = |what: &str| {
        let line = recording.stdout.lines().find_map(|line| line.strip_prefix(what));
        line.unwrap_or_else(|| panic!("{}", recording.stdout))
            .trim()
            .to_owned()
    };
    for (function, call, wanted) in [
        ("slow_pipe", "read", "pipe:".to_owned()),
        ("slow_tcp", "recvfrom", said("peer ")),
        ("slow_local", "recvfrom", said("local ")),
    ] {
        let found: Vec<_> = slow(profile, "waiter")
            .filter(|event| functions(profile, event).contains(&function.to_owned()))
            .collect();
        assert!(
            found.len() as u64 >= times * 9 / 10,
            "{function}: {} of {times}",
            found.len()
        );
        for event in &found {
            assert_eq!(operation(event.operation), call, "{event:?}");
            assert!(
                target(profile, event).contains(&wanted),
                "{function}: {:?}, not {wanted}",
                target(profile, event)
            );
            let length = event.duration_ns as f64 / 1e6;
            assert!((5.0..200.0).contains(&length), "{function} took {length} ms");
            let stack = functions(profile, event);
            assert!(stack.contains(&"main".to_owned()), "{stack:?}");
        }
        let by_partner = found
            .iter()
            .filter(|event| matches!(event.waker, Waker::Thread(thread) if profile.threads[thread].name == "partner"))
            .count();
        // A packet to this host itself is received in the guise of an interrupt, at work for its sender.
        assert!(
            by_partner * 10 >= found.len() * 9,
            "{function}: {by_partner} of {} by its partner",
            found.len()
        );
    }
    let wakers = profile
        .slow
        .iter()
        .map(|event| event.waker)
        .chain(profile.samples.iter().map(|sample| sample.waker));
    for waker in wakers {
        if let Waker::Thread(thread) = waker {
            let process = &profile.processes[profile.threads[thread].process];
            assert_ne!(process.pid, bystander_pid, "a bystander is named");
        }
    }
    // The partner sleeps, and a timer wakes it.
    let partner = profile
        .samples
        .iter()
        .filter(|sample| profile.threads[sample.thread].name == "partner");
    assert!(
        partner.clone().any(|sample| sample.waker == Waker::Interrupt),
        "{:?}",
        partner.collect::<Vec<_>>()
    );
}

#[test]
fn slow_calls_have_path_peer_stack_and_waker() {
    slow_calls_are_explained(&Lab::new(), 40);
}

/// Calls that ran when the recording began, that still run when it ends, and both.
#[test]
fn calls_in_flight_are_accounted_for_as_such() {
    let lab = Lab::new();
    let program = require!(lab.workload("calls"));
    let running = Running::spawn(Command::new(program).arg("flight"));
    std::thread::sleep(Duration::from_millis(300));
    let recording = lab
        .record()
        .arguments(["--probe", "syscalls"])
        .pid(running.pid())
        .seconds(5.0)
        .run();
    drop(running);
    let profile = &recording.profile;
    let extents = |name: &str| -> Vec<(Extent, String)> {
        slow(profile, name)
            .map(|event| (event.extent, operation(event.operation).into_owned()))
            .collect()
    };
    let throughout = |call: &str| vec![(Extent::Throughout, call.to_owned())];
    assert_eq!(extents("calls"), throughout("pause"));
    assert_eq!(extents("sleeper"), throughout("clock_nanosleep"));
    let napper = extents("napper");
    assert_eq!(napper.len(), 2, "{napper:?}");
    assert!(
        napper.contains(&(Extent::BegunBefore, "clock_nanosleep".to_owned())),
        "{napper:?}"
    );
    assert!(
        napper.contains(&(Extent::NotEnded, "clock_nanosleep".to_owned())),
        "{napper:?}"
    );
    // Those in between are whole, and idle.
    let whole: u64 = calls(profile).into_values().map(|(count, _)| count).sum();
    assert!((3..=7).contains(&whole), "{whole} naps");
}

/// A storm of calls, within a bound and without one.
#[test]
fn a_storm_of_calls_is_counted_or_shed_and_said() {
    let lab = Lab::new();
    const CALLS: u64 = 6_000_000;
    let storm = [
        "dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=1",
        &format!("count={}", CALLS / 2),
    ];
    let bounded = lab
        .record()
        .arguments(["--max-overhead", "1"])
        .output(lab.path("bounded"))
        .command(storm)
        .run();
    let total = bounded.profile.quality_total();
    let length = bounded.profile.duration_ns();
    let shed = total.shed_ns.get("syscalls").copied().unwrap_or(0);
    assert!(shed > length / 3, "shed for {shed} of {length} ns");
    let text = bounded.report(["--view", "states"]).stdout;
    assert!(text.contains("syscalls was off for"), "{text}");
    let whole = lab
        .record()
        .arguments(["--probe", "syscalls"])
        .output(lab.path("whole"))
        .command(storm)
        .run();
    let counted: u64 = calls(&whole.profile)
        .into_iter()
        .filter(|((_, object), _)| object == "device")
        .filter(|((name, _), _)| name == "read" || name == "write")
        .map(|(_, (count, _))| count)
        .sum();
    let total = whole.profile.quality_total();
    assert_eq!((counted, total.lost_total(), total.shed_ns.len()), (CALLS, 0, 0));
}

/// What a storm made too dear comes back when it is over, and counts each call again.
#[test]
fn calls_are_counted_again_after_a_storm() {
    let lab = Lab::new();
    let dd = "dd if=/dev/zero of=/dev/null bs=1";
    let recording = lab
        .record()
        .arguments(["--max-overhead", "2"])
        .command(["sh", "-c", &format!("timeout 2 {dd}; sleep 16; {dd} count=4321")])
        .run();
    let profile = &recording.profile;
    let shed = profile.quality_total().shed_ns.get("syscalls").copied();
    let length = profile.duration_ns();
    let most = length - 4_000_000_000;
    assert!(
        shed.is_some_and(|shed| (9_000_000_000..most).contains(&shed)),
        "off for {shed:?} of {length} ns: {}",
        recording.stderr
    );
    let mut reads: BTreeMap<u32, u64> = BTreeMap::new();
    for row in &profile.latencies {
        let process = &profile.processes[row.key.process];
        if process.name == "dd"
            && operation(row.key.operation) == "read"
            && row.key.object == ObjectKind::Device
        {
            *reads.entry(process.pid).or_default() += row.count;
        }
    }
    assert!(reads.values().any(|count| *count == 4_321), "{reads:?}");
}

/// Thousands of processes of a few calls each: nothing is lost, and every call is counted.
#[test]
fn processes_that_live_for_a_few_calls_are_counted() {
    let lab = Lab::new();
    let began = Instant::now();
    let recording = require!(record(&lab, &["--probe", "syscalls"], &["count", "30000"]));
    if began.elapsed() > Duration::from_secs(60) {
        not_run!("the machine is too busy");
    }
    let counted = calls(&recording.profile);
    let (children, _) = &counted[&("getpriority".to_owned(), "none".to_owned())];
    assert_eq!(*children, 30_000);
    assert_eq!(recording.profile.quality_total().lost_total(), 0);
}

/// For half a minute more switches and calls than a busy server makes: every one is counted, and nothing is lost.
#[test]
fn a_storm_of_switches_and_calls_loses_nothing() {
    let recording = require!(record(
        &Lab::new(),
        &["--probe", "states,syscalls"],
        &["storm", "30"]
    ));
    let profile = &recording.profile;
    let said = |what: &str| {
        let line = recording.stdout.lines().find_map(|line| line.strip_prefix(what));
        let number = line.and_then(|line| line.trim().parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("{}", recording.stdout))
    };
    let total = profile.quality_total();
    assert_eq!(total.lost_total(), 0, "{:?}", total.lost);
    let (counted, _) = calls(profile)[&("getppid".to_owned(), "none".to_owned())];
    assert_eq!(counted, said("getppid "));
    let switches: u64 = profile
        .thread_times
        .iter()
        .filter(|span| profile.processes[profile.threads[span.thread].process].name == "calls")
        .map(|span| u64::from(span.waits) + u64::from(span.preemptions))
        .sum();
    // The main thread waits for the others, and each has a switch or two before it counts and after.
    let of_threads = said("switches ");
    let found = switches as f64 / of_threads as f64;
    assert!(
        (0.999..1.001).contains(&found),
        "{switches} switches, the kernel counted {of_threads}"
    );
    println!("{} calls and {of_threads} switches", counted);
}

/// Requests to io_uring are counted, by what they ask for.
#[test]
fn requests_to_io_uring_are_counted() {
    let recording = require!(record(&Lab::new(), &["--probe", "syscalls"], &["uring", "3000"]));
    if recording.stdout.is_empty() {
        not_run!("there is no io_uring here");
    }
    const EBADF: u16 = 9;
    // IORING_OP_NOP, IORING_OP_READ
    for (opcode, count, failed) in [(0, 3_000, 0), (22, 3_300, 300)] {
        let rows = recording.profile.latencies.iter();
        let of_kind = rows.filter(|row| row.key.operation == Operation::IoUring(opcode));
        let errors = of_kind.clone().flat_map(|row| &row.errors);
        assert_eq!(
            (
                of_kind.map(|row| row.count).sum::<u64>(),
                errors
                    .map(|&(errno, failed)| (u64::from(errno == EBADF)) * failed)
                    .sum::<u64>(),
            ),
            (count, failed),
            "opcode {opcode}"
        );
    }
}

/// bpftrace on the same run: as many calls, and their latencies in the same octaves.
#[test]
fn latencies_are_those_of_bpftrace() {
    let lab = Lab::new();
    let program = "tracepoint:raw_syscalls:sys_enter { if (comm == \"calls\") { @s[tid] = nsecs; } } \
                   tracepoint:raw_syscalls:sys_exit { if (@s[tid]) { @h[args->id] = hist(nsecs - @s[tid]); delete(@s[tid]); } } \
                   END { clear(@s); }";
    let referee = require!(lab.bpftrace(program));
    let recording = require!(record(&lab, &["--probe", "syscalls"], &["count", "5000"]));
    let histograms = require!(referee.map("@h"));
    let profile = &recording.profile;
    let mut compared = 0;
    // read, write, pread64, access, fsync, getpgrp, getsid
    for number in [0u16, 1, 17, 21, 74, 111, 124] {
        let Some(theirs) = histograms[number.to_string()].as_array() else {
            panic!("bpftrace saw no call {number}: {histograms}");
        };
        let octave = |ns: u64| 63 - ns.max(1).leading_zeros();
        let mut their_octaves = BTreeMap::<u32, u64>::new();
        for bucket in theirs {
            let (min, count) = (
                bucket["min"].as_u64().unwrap_or(0),
                bucket["count"].as_u64().unwrap_or(0),
            );
            *their_octaves.entry(octave(min)).or_default() += count;
        }
        let mut our_octaves = BTreeMap::<u32, u64>::new();
        let rows = profile.latencies.iter().filter(|row| {
            row.key.operation == Operation::Call(number)
                && profile.processes[row.key.process].name != "profiler"
        });
        for (bucket, count) in rows.flat_map(|row| &row.buckets) {
            let from = profiler_common::histogram::lower_bound(u32::from(*bucket));
            *our_octaves.entry(octave(from)).or_default() += count;
        }
        let all = |octaves: &BTreeMap<u32, u64>| octaves.values().sum::<u64>();
        let (ours, theirs) = (all(&our_octaves), all(&their_octaves));
        // Its name is what it goes by, and before exec it has another.
        assert!(
            ours.abs_diff(theirs) <= 20,
            "call {number}: {ours} here, {theirs} there"
        );
        let at = |octaves: &BTreeMap<u32, u64>, part: f64| {
            let mut left = (all(octaves) as f64 * part) as u64;
            octaves
                .iter()
                .find(|(_, count)| {
                    let here = left < **count;
                    left = left.saturating_sub(**count);
                    here
                })
                .map_or(0, |(octave, _)| *octave)
        };
        for part in [0.1, 0.5, 0.9] {
            // One of the two is the outer one, and its latency holds the cost of the other.
            let (here, there) = (at(&our_octaves, part), at(&their_octaves, part));
            assert!(
                here.abs_diff(there) <= 1,
                "call {number}, {part}: octave {here} here, {there} there"
            );
        }
        compared += 1;
    }
    assert_eq!(compared, 7);
}
