//! The kernel's own locks, against bpftrace.

use std::{collections::BTreeMap, fs, process::Command};

use profiler::profile::{Contention, Operation};
use serde_json::Value;
use tests::{Lab, Recording, Running, not_run, require};

use super::{functions, list, number, report, show};

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
    show(&format!("here and there: {ours:?}"));
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
    show(&format!("here {here:?}\nthere {there:?}"));
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
