//! Tasks that block their worker: against a tokio program in which they were planted.

use serde_json::Value;
use tests::{Lab, Missing, require};

/// What `profiler report --view async` finds in a program that ran for 3 s in this mode.
fn find(lab: &Lab, program: &str, mode: &str, probes: &str) -> Result<Value, Missing> {
    let path = lab.workload(program)?;
    let recording = lab
        .record()
        .arguments(["--probe", probes])
        .command([path.as_os_str(), mode.as_ref(), "3".as_ref()])
        .run();
    assert!(recording.status.success(), "{}", recording.stderr);
    let text = recording.report(["--view", "async"]).success();
    let json = recording.report(["--view", "async", "--json"]).success();
    let mut document: Value = serde_json::from_str(&json.stdout).expect("the report is JSON");
    let mut found = document["async"].take();
    found["text"] = text.stdout.into();
    assert!(found["workers"].as_u64() > Some(0), "{found:#}");
    assert!(found["poll_samples"].as_u64() > Some(0), "{found:#}");
    Ok(found)
}

/// The functions that are said to block, each with its operation, in the order of their names.
fn blocked(found: &Value) -> Vec<(&str, &str)> {
    let rows = found["blocked"].as_array().expect("a list").iter();
    let text = |value: &'_ Value| value.as_str().map_or(0, str::len);
    let mut rows: Vec<_> = rows
        .map(|row| {
            assert!(text(&row["task"]) > 0, "{row:#}");
            let function = row["function"].as_str().unwrap_or_default();
            let operation = row["operation"].as_str().unwrap_or_default();
            (function.rsplit("::").next().unwrap_or_default(), operation)
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// How long the function was blocked, in seconds, estimated.
fn seconds(found: &Value, function: &str) -> f64 {
    let rows = found["blocked"].as_array().expect("a list").iter();
    let named = rows.filter(|row| {
        row["function"]
            .as_str()
            .is_some_and(|name| name.ends_with(function))
    });
    named
        .map(|row| row["total"]["value"].as_f64().unwrap_or_default() / 1e9)
        .sum()
}

/// The three that were planted, and nothing else.
fn assert_planted(found: &Value, operations: [&str; 3]) {
    let functions = ["planted_lock", "planted_read", "planted_sleep"];
    let expected: Vec<_> = functions.into_iter().zip(operations).collect();
    assert_eq!(blocked(found), expected, "{found:#}");
    assert_eq!(found["suspected"], Value::Array(vec![]), "{found:#}");
    // In 3 s, a task that sleeps for 20 ms and then waits for 30 ms sleeps for 1.2 s; on a busy machine, for less.
    let slept = seconds(found, "planted_sleep");
    assert!((0.4..1.7).contains(&slept), "slept for {slept} s: {found:#}");
    let text = found["text"].as_str().unwrap_or_default();
    for function in functions {
        assert!(text.contains(function), "{text}");
    }
}

fn assert_nothing(found: &Value) {
    assert_eq!(found["blocked"], Value::Array(vec![]), "{found:#}");
    assert_eq!(found["suspected"], Value::Array(vec![]), "{found:#}");
    let text = found["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("No task of an async runtime was seen blocking its worker"),
        "{text}"
    );
}

#[test]
fn three_planted_calls_are_found_and_nothing_else() {
    let lab = Lab::new();
    let found = require!(find(&lab, "async_blocking", "planted", "cpu,off-cpu,syscalls"));
    assert_planted(
        &found,
        [
            "std::sync::poison::mutex::lock",
            "std::io::read_exact",
            "std::thread::functions::sleep",
        ],
    );
    let rows = found["blocked"].as_array().expect("a list");
    let read = rows.iter().find(|row| row["longest"]["call"] == "read");
    assert!(
        read.is_some_and(|row| row["calls"].as_u64() > Some(10)),
        "{found:#}"
    );
}

#[test]
fn they_are_found_without_debug_information() {
    let lab = Lab::new();
    let found = require!(find(&lab, "async_blocking_stripped", "planted", "cpu,off-cpu"));
    assert_planted(
        &found,
        [
            "std::sys::sync::mutex::futex::Mutex::lock_contended",
            "read",
            "clock_nanosleep",
        ],
    );
}

#[test]
fn they_are_found_in_a_runtime_of_one_thread() {
    let lab = Lab::new();
    let found = require!(find(&lab, "async_blocking", "current-thread", "cpu,off-cpu"));
    let functions: Vec<_> = blocked(&found)
        .into_iter()
        .map(|(function, _)| function)
        .collect();
    assert_eq!(
        functions,
        ["planted_lock", "planted_read", "planted_sleep"],
        "{found:#}"
    );
    assert_eq!(found["workers"], 1, "{found:#}");
}

/// A busy server, whose blocking pool blocks all the time.
#[test]
fn a_healthy_server_is_not_accused() {
    let lab = Lab::new();
    for (program, mode) in [
        ("async_blocking", "healthy"),
        ("async_blocking", "healthy-current-thread"),
        ("async_blocking_stripped", "healthy"),
    ] {
        assert_nothing(&require!(find(&lab, program, mode, "cpu,off-cpu,syscalls")));
    }
}

#[test]
fn a_long_poll_is_suspected() {
    let lab = Lab::new();
    let found = require!(find(&lab, "async_blocking", "long-poll", "cpu,off-cpu"));
    assert_eq!(blocked(&found), [], "{found:#}");
    let suspected = found["suspected"].as_array().expect("a list");
    assert_eq!(suspected.len(), 1, "{found:#}");
    let poll = &suspected[0];
    for (field, name) in [("function", "planted_computation"), ("task", "start_long_poll")] {
        assert!(
            poll[field].as_str().is_some_and(|text| text.contains(name)),
            "{poll:#}"
        );
    }
    let (start, end) = (&poll["longest"]["start_ns"], &poll["longest"]["end_ns"]);
    let long = end
        .as_u64()
        .zip(start.as_u64())
        .map_or(0, |(end, start)| end - start);
    // It computes for 300 ms by the clock on the wall.
    assert!((100_000_000..320_000_000).contains(&long), "{poll:#}");
}
