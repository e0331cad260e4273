//! What the page has of each stretch of time, so that its tables follow a range.

use super::*;
use crate::{
    profile::{Latency, LatencyKey, Operation},
    query::timing::tests::{counted, window},
};

const SECOND: u64 = 1_000_000_000;

/// The windows of a process's calls, one a second, each with calls that took so long.
fn windows(profile: &mut Profile, process: u32, operation: Operation, durations: &[&[u64]]) {
    for (second, durations) in (0..).zip(durations) {
        let row = window(durations);
        profile.latencies.push(Latency {
            key: LatencyKey {
                process: Id::new(process),
                operation,
                ..row.key
            },
            start_ns: second * SECOND,
            end_ns: (second + 1) * SECOND,
            ..row
        });
    }
}

#[test]
fn each_sample_says_which_process_it_is_of_though_they_have_one_name() {
    let mut profile = from_folded("a/7;main 2\na/8;main 3\nb/9;main 1\na/7;main 1");
    profile.samples[1].outcome = Outcome::TooDeep;
    let (_, data) = page(&profile);
    let stream = &data["sides"][0]["streams"][0];
    // The first of each root, and where the process is another than before: `a/7` has the first row, `a/8` the second.
    assert_eq!(numbers(&stream["rows"]), [0, 0, 1, 1, 2, 2, 0, 0]);
    let follows = &table(&data, "processes")["follows"];
    assert_eq!(follows["by"], "samples");
    assert_eq!(follows["streams"], serde_json::json!(["cpu"]));
    let rows = &table(&data, "processes")["rows"];
    assert_eq!((&rows[0][1], &rows[1][1]), (&7.into(), &8.into()));
}

#[test]
fn calls_are_told_second_by_second() {
    let mut profile = from_folded("a/7;main 1\nb/8;main 1");
    windows(
        &mut profile,
        0,
        Operation::Call(0),
        &[&[1_000], &[], &[100, 100, 2_000]],
    );
    profile.latencies[2].errors = vec![(0, 1), (11, 2)];
    profile.latencies.remove(1);
    windows(&mut profile, 1, Operation::Call(1), &[&[5_000, 6_000]]);
    let (_, data) = page(&profile);
    assert_eq!(
        data["sides"][0]["borders"],
        serde_json::json!([0, SECOND, 2 * SECOND, 3 * SECOND])
    );
    let follows = &table(&data, "calls")["follows"];
    assert_eq!((&follows["by"], &follows["busy"]), (&"calls".into(), &2.into()));
    assert_eq!(follows["errors"], serde_json::json!({ "11": "EAGAIN" }));
    // `b` has one interval, which the row itself tells of.
    assert_eq!(table(&data, "calls")["rows"][0][0], "b");
    assert_eq!(numbers(&follows["rows"][0]), [0]);
    let one = [1, 1_000];
    // The buckets of 100 ns and 2 µs.
    let (short, long) = (5, 40);
    let more = [2 << 2 | 2, 3, 2, short, 2, long - short, 1, 2_200, 100, 2_000];
    let errors = [2, 0, 1, 11, 2];
    assert_eq!(numbers(&follows["rows"][1]), [&one[..], &more, &errors].concat());
}

#[test]
fn of_what_had_not_ended_the_longest_is_another_than_the_sum() {
    let mut profile = from_folded("a/7;main 1");
    windows(&mut profile, 0, Operation::Call(0), &[&[1_000], &[1_000]]);
    profile.latencies[1].max_ns = 1_023;
    let (_, data) = page(&profile);
    let bucket_of_1_us = 32;
    assert_eq!(
        numbers(&table(&data, "calls")["follows"]["rows"][0]),
        [1, 1_000, 1 << 2, 1, 1, bucket_of_1_us, 1, 1_000, 1_000, 1_023]
    );
}

#[test]
fn states_are_told_second_by_second_and_long_spans_in_three() {
    let mut profile = from_folded("a/7;main 1");
    windows(&mut profile, 0, Operation::RunQueue, &[&[10u64][..]; 5]);
    let span = |start_ns: u64, end_ns: u64, state: State, waits| {
        let mut ns = [0; State::COUNT];
        ns[state as usize] = end_ns - start_ns;
        ThreadTime {
            thread: Id::new(0),
            start_ns,
            end_ns,
            ns,
            waits,
            preemptions: 0,
            in_calls_ns: None,
        }
    };
    profile.thread_times = vec![
        span(SECOND / 2, SECOND, State::Lock, 3),
        span(SECOND, 5 * SECOND, State::Events, 0),
    ];
    let (_, data) = page(&profile);
    let follows = &table(&data, "states")["follows"];
    let (lock, events) = (1 << State::Lock as u64, 1 << State::Events as u64);
    let [waits, user, came, went] = [0, 4, 7, 8].map(|place| 1 << (State::COUNT + place));
    let first = [0, 0, lock | waits | user | came, SECOND / 2, 3, 1, 1];
    let second = [1, 0, events, SECOND];
    let middle = [1, 1, events, 2 * SECOND];
    let last = [2, 0, events | went, SECOND, 1];
    assert_eq!(
        numbers(&follows["rows"][0]),
        [&first[..], &second, &middle, &last].concat()
    );
    assert_eq!(
        numbers(&follows["queues"][0]),
        [1, 10, 5, 10, 5, 10, 5, 10, 5, 10]
    );
}

#[test]
fn waits_for_locks_are_told_by_the_seconds_that_they_touch() {
    let mut profile = from_folded("app/7;main;get;libc.so.6`pthread_mutex_lock;futex_wait_[k]");
    windows(&mut profile, 0, Operation::RunQueue, &[&[10u64][..]; 3]);
    let holder = crate::query::locks::tests::thread(&mut profile, "holder", 8);
    let lock = crate::query::locks::tests::lock(&mut profile, 0);
    let wait = LockWait {
        lock,
        stack: profile.samples[0].stack,
        owner: Waker::Thread(holder),
        end_ns: 10_000_000,
        ..crate::query::locks::tests::wait(0, 10)
    };
    profile.lock_waits = vec![
        wait,
        wait,
        LockWait {
            end_ns: SECOND + 1,
            ..wait
        },
        LockWait {
            end_ns: 2 * SECOND + 5_000_000,
            threshold_ns: 2_500_000,
            owner: Waker::Unknown,
            ..wait
        },
    ];
    let (_, data) = page(&profile);
    let follows = &table(&data, "locks")["follows"];
    assert_eq!(
        (&follows["by"], &follows["ranks"]),
        (&"waits".into(), &serde_json::json!([0]))
    );
    let text = |number: &Value| follows["texts"][number.as_u64().unwrap() as usize].clone();
    assert_eq!(text(&follows["waiters"][0][0][0]), "get");
    assert_eq!(text(&follows["holders"][0][0][0]), "held by holder/8");
    assert_eq!(text(&follows["processes"][0][0]), "app/7");
    let node = follows["waiters"][0][0][1].as_u64().unwrap() as usize;
    assert!(
        paths(&data)[node].ends_with("pthread_mutex_lock;futex_wait"),
        "{}",
        paths(&data)[node]
    );
    let ms = 1_000_000;
    let two = [0, 0, 0, 1, 0, 2, 2 * ms, ms];
    // All but a nanosecond of it is in the first second.
    let across = [2, 1, 0, 1, 0, 1, ms, ms, ms - 1, 1, ms];
    // Half of the 95 % interval of 2.5 ms: 1.96 times the root of 2.5 times 1.5.
    let estimated = [2 << 2 | 1, 0, 0, 0, 0, 2_500, 2_500_000, 3_795_454, ms];
    assert_eq!(
        numbers(&follows["rows"][0]),
        [&two[..], &across, &estimated].concat()
    );
}

#[test]
fn many_seconds_of_many_calls_make_intervals_longer_and_lose_nothing() {
    let mut profile = from_folded("a/7;main 1");
    for operation in (0..10).map(Operation::Call) {
        windows(&mut profile, 0, operation, &[&[100u64, 200][..]; 100]);
    }
    let (_, data) = page(&profile);
    let borders = data["sides"][0]["borders"].as_array().unwrap();
    // A thousand cells where there is room for 400: four seconds each.
    assert_eq!((borders.len(), borders[1].as_u64()), (26, Some(4 * SECOND)));
    assert_eq!(borders[25], 100 * SECOND);
    let row = numbers(&table(&data, "calls")["follows"]["rows"][0]);
    let counts: u64 = row.chunks(10).map(|cell| cell[1]).sum();
    assert_eq!(counts, 200);
}

#[test]
fn time_in_which_nothing_happened_has_intervals_too() {
    let mut profile = from_folded("a/7;main 1");
    windows(&mut profile, 0, Operation::Call(0), &[&[100]]);
    profile.latencies[0].end_ns = SECOND + 400_700;
    profile.samples[0].time_ns = 4 * SECOND + 100_001;
    let (_, data) = page(&profile);
    let borders = [0, 1_000_000_000, 2_000_000_000, 3_000_000_000, 4_000_100_001u64];
    assert_eq!(data["sides"][0]["borders"], serde_json::json!(borders));
    profile.latencies.clear();
    let (_, data) = page(&profile);
    assert_eq!(data["sides"][0]["borders"], serde_json::json!(borders));
}

#[test]
fn a_selected_time_has_intervals_of_its_own() {
    let mut profile = from_folded("a/7;main 1");
    windows(
        &mut profile,
        0,
        Operation::Call(0),
        &[&[100], &[200], &[300], &[400]],
    );
    let selection = Selection {
        time: Some(SECOND..3 * SECOND + 750_000_000),
        ..Selection::default()
    };
    let (_, data) = page_of(&profile, &selection, &Options::default());
    let borders = serde_json::json!([SECOND, 2 * SECOND, 3 * SECOND, 3 * SECOND + 750_000_000]);
    assert_eq!(data["sides"][0]["borders"], borders);
    assert_eq!(
        numbers(&table(&data, "calls")["follows"]["rows"][0]),
        [1, 200, 5, 300, 5, 400]
    );
}

#[test]
fn windows_that_a_file_made_up_do_no_harm() {
    let mut profile = with_waits(from_folded("a;main 2"), "a;main 1");
    let many: Vec<_> = (0..300)
        .map(|power| (u64::MAX >> (power % 64), u64::MAX >> 10))
        .take(3)
        .collect();
    for start_ns in (0..1_000).map(|at| at * 700_000_001).chain([u64::MAX]) {
        profile.latencies.push(Latency {
            start_ns,
            end_ns: 0,
            errors: vec![(0, u64::MAX), (u16::MAX, u64::MAX)],
            count: u64::MAX,
            total_ns: u64::MAX,
            ..counted(&[(1, 1)])
        });
    }
    profile.latencies[0].buckets = many.iter().map(|_| (255, u64::MAX)).collect();
    let (_, data) = page(&profile);
    let borders = data["sides"][0]["borders"].as_array().unwrap();
    assert!((2..=241).contains(&borders.len()), "{}", borders.len());
}
