//! What a trace survives.

mod damage;
mod hostile;
mod random;
mod versions;
mod write;

use super::{container::FILE_HEADER_LEN, *};
use crate::profile::{
    BlockOperation, CallStack, Contention, Delta, Extent, Id, Latency, LatencyKey, Lock, LockWait, Mark,
    ObjectKind, Operation, Outcome, Profile, QualityWindow, SlowEvent, State, Target, ThreadTime, Waker,
    folded::from_folded,
};
use random::Random;

/// A profile as one value that can be compared and printed.
fn everything(profile: &Profile) -> String {
    let mut lines: Vec<_> = profile.lines.iter().collect();
    lines.sort_by_key(|(location, _)| **location);
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{lines:?}\n{:?}\n{}",
        profile.metadata,
        profile.sample_types,
        profile.samples,
        profile.stacks.since(0),
        profile.locations,
        profile.mappings,
        profile.functions,
        profile.processes,
        profile.threads,
        profile.thread_times,
        profile.latencies,
        profile.targets,
        profile.slow,
        profile.locks,
        profile.lock_waits,
        profile.call_stacks,
        profile.quality,
        profile.ended,
    )
}

/// Uses every id there is, as a view might; panics if one refers to nothing.
fn walk(profile: &Profile) {
    for sample in &profile.samples {
        let _ = &profile.sample_types[usize::from(sample.sample_type)];
        let _ = &profile.processes[profile.threads[sample.thread].process];
        let frames = sample.stack.map(|stack| profile.stacks.locations(stack).count());
        assert!(frames.is_none_or(|frames| frames > 0));
        walk_waker(profile, sample.waker);
    }
    for (row, stack) in (0u32..).zip(profile.stacks.since(0)) {
        assert!(stack.caller.is_none_or(|caller| caller.raw() < row));
        let _ = profile.mapping_of(stack.location);
    }
    for (_, location) in profile.locations.iter() {
        let _ = &profile.mappings[location.mapping];
    }
    for (location, lines) in &profile.lines {
        let _ = &profile.locations[*location];
        lines
            .iter()
            .for_each(|line| assert!(line.function.index() < profile.functions.len()));
    }
    let _: u64 = profile.samples.iter().map(|sample| sample.value).sum();
    let mut spans = 0;
    for span in &profile.thread_times {
        let _ = &profile.threads[span.thread];
        assert!(span.start_ns <= span.end_ns);
        spans += span.ns.iter().sum::<u64>() + u64::from(span.waits) + u64::from(span.preemptions);
    }
    assert!(i64::try_from(spans).is_ok());
    let mut counts = 0;
    for row in &profile.latencies {
        let _ = &profile.processes[row.key.process];
        assert!(row.start_ns <= row.end_ns && row.end_ns.max(row.min_ns).max(row.max_ns) < 1 << 62);
        assert!(row.buckets.is_sorted_by_key(|(bucket, _)| *bucket) && row.buckets.len() < 250);
        let failed: u64 = row.errors.iter().map(|(_, count)| count).sum();
        counts += row.count + row.total_ns + failed + row.buckets.iter().map(|(_, count)| count).sum::<u64>();
    }
    assert!(i64::try_from(counts).is_ok());
    let mut durations = 0;
    for event in &profile.slow {
        let _ = &profile.processes[profile.threads[event.thread].process];
        let _ = event.target.map(|target| &profile.targets[target].0);
        let _ = event.stack.map(|stack| profile.stacks.locations(stack).count());
        walk_waker(profile, event.waker);
        durations += event.duration_ns + event.wait_ns;
    }
    assert!(i64::try_from(durations).is_ok());
    walk_locks(profile);
    let total = profile.quality_total();
    let _ = (
        total.end_ns - total.start_ns,
        total.samples + total.lost_total(),
        profile.duration_ns(),
    );
}

fn walk_locks(profile: &Profile) {
    for (_, lock) in profile.locks.iter() {
        let _ = lock.process.map(|process| &profile.processes[process]);
        let _ = lock.place.map(|(mapping, _)| &profile.mappings[mapping]);
    }
    let mut waited = 0;
    for wait in &profile.lock_waits {
        let _ = (&profile.threads[wait.thread], &profile.locks[wait.lock]);
        let _ = wait.stack.map(|stack| profile.stacks.locations(stack).count());
        walk_waker(profile, wait.owner);
        walk_waker(profile, wait.waker);
        assert!(wait.end_ns.max(wait.threshold_ns).max(wait.woken_ns) < 1 << 62);
        assert!(wait.weight_ns().is_finite());
        waited += wait.duration_ns + wait.blocked_ns;
    }
    assert!(i64::try_from(waited).is_ok());
    for call in &profile.call_stacks {
        let _ = &profile.threads[call.thread];
        let _ = call.stack.map(|stack| profile.stacks.locations(stack).count());
        assert!(call.start_ns <= call.end_ns && call.end_ns < 1 << 62);
    }
}

fn walk_waker(profile: &Profile, waker: Waker) {
    if let Waker::Thread(thread) = waker {
        let _ = &profile.processes[profile.threads[thread].process];
    }
}

/// The bytes of a trace of these deltas; `end` for one that was ended in good order.
fn trace(deltas: &[Delta], end: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::to(&mut bytes, "memory").unwrap();
    deltas.iter().for_each(|delta| writer.append(delta).unwrap());
    assert!(!end || writer.finish().is_ok());
    bytes
}

/// A profile as the deltas that a recorder would hand over, with the lines.
fn deltas(mut profile: Profile) -> Vec<Delta> {
    let mut delta = profile.take_delta(&mut Mark::default());
    delta.lines = profile.lines.drain().collect();
    delta.lines.sort_by_key(|(location, _)| *location);
    vec![delta]
}

/// How the first thread spent the 30 ms before `end_ns`.
fn span(end_ns: u64) -> ThreadTime {
    let mut ns = [0; State::COUNT];
    ns[State::Running as usize] = 10_000_000;
    ns[State::Lock as usize] = 20_000_000;
    ThreadTime {
        thread: Id::new(0),
        start_ns: end_ns - 30_000_000,
        end_ns,
        ns,
        waits: 12,
        preemptions: 3,
        in_calls_ns: None,
    }
}

/// What the first process wrote in the 30 ms before `end_ns`.
fn latency(end_ns: u64) -> Latency {
    Latency {
        key: LatencyKey {
            process: Id::new(0),
            operation: Operation::Call(1),
            object: ObjectKind::File,
            device: 0,
        },
        start_ns: end_ns - 30_000_000,
        end_ns,
        count: 9,
        total_ns: 20_000_000,
        min_ns: 300,
        max_ns: 15_000_000,
        errors: vec![(0, 1), (11, 2)],
        buckets: vec![(19, 5), (22, 3), (144, 1)],
    }
}

/// A flush that took the first thread 12 ms, until `end_ns`.
fn slow(end_ns: u64) -> SlowEvent {
    SlowEvent {
        thread: Id::new(0),
        end_ns,
        duration_ns: 12_000_000,
        extent: Extent::Whole,
        operation: Operation::BlockQueue(BlockOperation::Flush),
        object: ObjectKind::BlockDevice,
        target: Some(Id::new(0)),
        result: -5,
        arguments: [1, 2, 3, 4, 5, u64::MAX],
        stack: Some(Id::new(0)),
        outcome: Outcome::Complete,
        wait_ns: 11_000_000,
        waker: Waker::Interrupt,
        woken_ns: end_ns - 500_000,
    }
}

/// What the first process's threads wait for, once more each time.
fn lock(number: u64) -> Lock {
    Lock {
        process: Some(Id::new(0)),
        address: 0x7f00_0000_1000 * number,
        place: (number > 1).then(|| (Id::new(0), 0x40 * number)),
        name: String::new(),
    }
}

/// 2 ms that the first thread waited for the lock of that number, until `end_ns`.
fn lock_wait(number: u32, end_ns: u64) -> LockWait {
    LockWait {
        thread: Id::new(0),
        lock: Id::new(number),
        contention: Contention::FutexWait,
        value: 2,
        end_ns,
        duration_ns: 2_000_000,
        blocked_ns: 1_990_000,
        threshold_ns: 1_000_000,
        extent: Extent::Whole,
        errno: 0,
        owner: Waker::Unknown,
        waker: Waker::Thread(Id::new(0)),
        woken_ns: end_ns - 20_000,
        stack: Some(Id::new(0)),
        outcome: Outcome::Complete,
    }
}

/// The call in which it was woken.
fn call_stack(end_ns: u64) -> CallStack {
    CallStack {
        thread: Id::new(0),
        start_ns: end_ns - 25_000,
        end_ns: end_ns - 15_000,
        stack: Some(Id::new(1)),
        outcome: Outcome::Complete,
    }
}

/// Three flushes of a small recording: new stacks in each, names at the end of each. In the third, the second
/// process's thread has ended waits.
fn small() -> Vec<Delta> {
    let texts = [
        "app/7;main;f;g 3\napp/7;main;libc.so.6`read;vfs_read_[k] 2",
        "sh/9;main;h 2\napp/7;main;f;k",
        "app/7;main;f;g 1\nsh/9;main;libc.so.6`read;vfs_read_[k];copy_[k] 2",
    ];
    let (mut mark, mut whole) = (Mark::default(), Profile::default());
    let mut deltas = Vec::new();
    for end in 1..=texts.len() {
        // The whole up to here, of which only what is new is taken.
        let mut profile = from_folded(&texts[..end].join("\n"));
        let known = whole.samples.len();
        let mut delta = profile.clone().take_delta(&mut mark);
        delta.samples.drain(..known);
        delta.lines = profile
            .lines
            .drain()
            .filter(|(id, _)| !whole.lines.contains_key(id))
            .collect();
        delta.lines.sort_by_key(|(location, _)| *location);
        delta.quality[0] = QualityWindow {
            start_ns: known as u64 * 10_000_000,
            lost: [("ring full".to_owned(), 3)].into(),
            ..delta.quality[0].clone()
        };
        let end_ns = delta.quality[0].end_ns;
        delta.thread_times = vec![span(end_ns)];
        delta.latencies = vec![latency(end_ns)];
        delta.targets = vec![Target(format!("/dev/sd{end}"))];
        delta.slow = vec![slow(end_ns)];
        delta.locks = vec![lock(end as u64)];
        delta.lock_waits = vec![lock_wait(end as u32 - 1, end_ns)];
        delta.call_stacks = vec![call_stack(end_ns)];
        if end == 3 {
            delta.samples[0].waker = Waker::Thread(Id::new(1));
            delta.slow[0].waker = Waker::Thread(Id::new(1));
            delta.slow[0].target = Some(Id::new(2));
            delta.latencies[0].key.process = Id::new(1);
        }
        delta.ended = false;
        whole.extend(delta.clone()).unwrap();
        deltas.push(delta);
    }
    deltas
}

/// What these deltas are, put together without a file.
fn together(deltas: &[Delta], end: bool) -> Profile {
    let mut profile = Profile::default();
    deltas
        .iter()
        .for_each(|delta| profile.extend(delta.clone()).unwrap());
    profile.ended = end;
    profile
}

#[test]
fn a_trace_read_back_is_the_profile_that_was_written() {
    let deltas = small();
    let loaded = read_from(&trace(&deltas, true)[..]).unwrap();
    assert_eq!(loaded.notes, [""; 0]);
    assert_eq!(everything(&loaded.profile), everything(&together(&deltas, true)));
    walk(&loaded.profile);
}

#[test]
fn random_profiles_come_back_as_they_were() {
    for seed in 0..100 {
        let deltas = Random::new(seed).deltas();
        let loaded = read_from(&trace(&deltas, true)[..]).unwrap();
        assert_eq!(loaded.notes, [""; 0], "seed {seed}");
        assert_eq!(
            everything(&loaded.profile),
            everything(&together(&deltas, true)),
            "seed {seed}"
        );
        walk(&loaded.profile);
    }
}

#[test]
fn a_table_larger_than_a_chunk_comes_back_whole() {
    let mut profile = from_folded("app;main 70000");
    for (time, sample) in (0..).zip(&mut profile.samples) {
        sample.time_ns = time * 7919 % 1_000_003;
    }
    profile.metadata.command_line = vec!["x".repeat(50); 1000];
    let mut all = deltas(profile.clone());
    all[0]
        .functions
        .extend((0..150).map(|n| crate::profile::Function {
            name: format!("{n}{}", "y".repeat(60 << 10)),
            file: String::new(),
        }));
    let bytes = trace(&all, true);
    let loaded = read_from(&bytes[..]).unwrap();
    assert_eq!(loaded.notes, [""; 0]);
    assert_eq!(everything(&loaded.profile), everything(&together(&all, true)));
}

/// A minute of a busy host: 300 kinds of operations a second, each with 10 to 20 buckets in the shape of a bell.
#[test]
fn a_latency_costs_few_bytes() {
    let mut random = Random::new(3);
    let mut keys: Vec<_> = (0..300)
        .map(|n| {
            let object = [ObjectKind::None, ObjectKind::File, ObjectKind::Socket][n as usize % 3];
            let key = LatencyKey {
                process: Id::new(n / 8),
                operation: Operation::Call(random.below(330) as u16),
                object,
                device: 0,
            };
            (key, 8 * (1 + random.below(12)), random.below(11))
        })
        .collect();
    keys.sort_unstable();
    let window = |second: u64, random: &mut Random| {
        let row = |&(key, first, width): &(LatencyKey, u64, u64)| {
            let width = 10 + width;
            let bell = |at: u64| 1 + random.below(2 << (width / 2 - at.abs_diff(width / 2)));
            let buckets: Vec<_> = (0..width)
                .map(bell)
                .zip(first..)
                .map(|(n, at)| (at as u8, n))
                .collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let min_ns = (8 << (first / 8 + 3)) + random.below(64);
            let max_ns = (8 << ((first + width) / 8 + 3)) - random.below(64);
            Latency {
                key,
                start_ns: second * 1_000_000_000,
                end_ns: (second + 1) * 1_000_000_000,
                count,
                total_ns: (min_ns + max_ns) / 2 * count + random.below(1000 * count),
                min_ns,
                max_ns,
                errors: if random.below(10) == 0 {
                    vec![(11, count / 3)]
                } else {
                    vec![]
                },
                buckets,
            }
        };
        keys.iter().map(row).collect::<Vec<_>>()
    };
    let deltas: Vec<_> = (0..60)
        .map(|second| Delta {
            latencies: window(second, &mut random),
            ..Delta::default()
        })
        .collect();
    let rows: usize = deltas.iter().map(|delta| delta.latencies.len()).sum();
    let bytes = trace(&deltas, false).len() as f64 / rows as f64;
    println!("{bytes:.1} bytes a row");
    assert!(bytes < 40.0, "{bytes}");
}

#[test]
fn an_empty_recording_is_a_trace() {
    let loaded = read_from(&trace(&[], true)[..]).unwrap();
    assert_eq!((loaded.notes.len(), loaded.profile.ended), (0, true));
    let bytes = trace(&[], false);
    assert_eq!(bytes.len(), FILE_HEADER_LEN);
    let loaded = read_from(&bytes[..]).unwrap();
    assert!(
        loaded.notes[0].contains("not ended in good order"),
        "{:?}",
        loaded.notes
    );
}
