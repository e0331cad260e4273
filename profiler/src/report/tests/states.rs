//! What threads did all the time, letter by letter.

use super::*;
use crate::{
    profile::{Id, Latency, LatencyKey, Operation, Process, State, Thread, ThreadTime, folded::with_waits},
    query::timing::tests::counted,
};

const PROCESSES: View = View::States(Owner::Process);

const fn columns(width: usize) -> text::Layout {
    text::Layout {
        width: Some(width),
        color: false,
    }
}

/// Adds a thread of a process in `/system.slice/NAME.service` that was so long in each state, in milliseconds, from
/// second 0 on.
fn add(profile: &mut Profile, process: &str, pid: u32, tid: u32, waits: u32, states: &[(State, u64)]) {
    let process = profile.processes.intern(Process {
        pid,
        ppid: 1,
        name: process.into(),
        exe: format!("/usr/bin/{process}"),
        cgroup: format!("/system.slice/{process}.service"),
        unit: format!("{process}.service"),
        container: String::new(),
        start_ns: 0,
        kernel_thread: false,
    });
    let thread = profile.threads.intern(Thread {
        process,
        tid,
        name: format!("worker-{tid}"),
    });
    let mut ns = [0; State::COUNT];
    for &(state, milliseconds) in states {
        ns[state as usize] = milliseconds * 1_000_000;
    }
    profile.thread_times.push(ThreadTime {
        thread,
        start_ns: 0,
        end_ns: ns.iter().sum(),
        ns,
        waits,
        preemptions: waits / 2,
        in_calls_ns: Some(ns[State::Running as usize] / 4),
    });
}

/// 10 s of a database with two threads, a web server, and something that does nothing.
pub(super) fn waiting() -> Profile {
    let mut profile = from_folded("postgres/1207;main;exec 1000");
    profile.processes = Default::default();
    profile.threads = Default::default();
    add(
        &mut profile,
        "postgres",
        1207,
        1207,
        12_345,
        &[
            (State::Running, 6_000),
            (State::Runnable, 1_250),
            (State::Disk, 2_000),
            (State::Lock, 746),
            (State::PageFault, 4),
        ],
    );
    add(
        &mut profile,
        "postgres",
        1207,
        1208,
        55,
        &[(State::Running, 500), (State::Lock, 9_500)],
    );
    add(
        &mut profile,
        "nginx",
        88,
        88,
        40_000,
        &[
            (State::Running, 900),
            (State::Network, 300),
            (State::Ipc, 50),
            (State::Events, 8_500),
            (State::Unknown, 250),
        ],
    );
    add(&mut profile, "cron", 5, 5, 1, &[(State::Sleep, 10_000)]);
    profile
}

fn table(text: &str) -> &str {
    text.split_once("\n\n").expect("a blank line above the table").1
}

#[test]
fn at_120_columns() {
    let (profile, selection) = (waiting(), Selection::default());
    assert_eq!(
        as_text(&report(&profile, &selection, PROCESSES), columns(120)),
        "\
10.0 s · 1,000 samples · lost 0 % · complete stacks 100 % · unknown frames 0 % · own CPU not measured
host CPU 100 % busy, 0 % idle (1 CPU) · cpu-clock 99 Hz · example · Linux 6.1.0 · whole system
! 0.6 % of the time is in no known state, since switches were missed; it is among other: nginx 2.5 %
100 % = a row's own time, 40.0 s over 4 threads; measured at every switch, not sampled
user and kernel: exact in system calls, else by samples, ± 0.4 % of the running time

user  kernel  runnable  disk  network   ipc  lock  fault  sleep  events  other  waits/s   pid  process
24.4     8.1       6.2  10.0        ·     ·  51.2   <0.1      ·       ·      ·    1,240  1207  postgres
 6.8     2.2         ·     ·      3.0   0.5     ·      ·      ·    85.0    2.5    4,000    88  nginx
   ·       ·         ·     ·        ·     ·     ·      ·    100       ·      ·      0.1     5  cron
13.9     4.6       3.1   5.0      0.8   0.1  25.6   <0.1   25.0    21.2    0.6    5,240        [all]
"
    );
}

#[test]
fn at_80_columns() {
    let (profile, selection) = (waiting(), Selection::default());
    let text = as_text(&report(&profile, &selection, PROCESSES), columns(80));
    assert!(
        table(&text).lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert_eq!(
        table(&text),
        "user krnl runq disk  net  ipc lock  flt  slp evnt othr waits/s  pid process
24.4  8.1  6.2 10.0    ·    · 51.2 <0.1    ·    ·    ·   1,240 1207 postgres
 6.8  2.2    ·    ·  3.0  0.5    ·    ·    · 85.0  2.5   4,000   88 nginx
   ·    ·    ·    ·    ·    ·    ·    ·  100    ·    ·     0.1    5 cron
13.9  4.6  3.1  5.0  0.8  0.1 25.6 <0.1 25.0 21.2  0.6   5,240      [all]
"
    );
}

#[test]
fn threads_and_cgroups() {
    let (profile, selection) = (waiting(), Selection::default());
    let show = |by| {
        let report = report(&profile, &selection, View::States(by));
        table(&as_text(&report, columns(80))).to_owned()
    };
    assert_eq!(
        show(Owner::Thread),
        " run runq disk  net  ipc lock  flt  slp evnt othr waits/s  pid  tid thread
60.0 12.5 20.0    ·    ·  7.5 <0.1    ·    ·    ·   1,235 1207 1207 worker-1207
 5.0    ·    ·    ·    · 95.0    ·    ·    ·    ·     5.5 1207 1208 worker-1208
 9.0    ·    ·  3.0  0.5    ·    ·    · 85.0  2.5   4,000   88   88 worker-88
   ·    ·    ·    ·    ·    ·    ·  100    ·    ·     0.1    5    5 worker-5
18.5  3.1  5.0  0.8  0.1 25.6 <0.1 25.0 21.2  0.6   5,240           [all]
"
    );
    assert_eq!(
        show(Owner::Cgroup),
        "user krnl runq disk  net  ipc lock  flt  slp evnt othr waits/s cgroup
24.4  8.1  6.2 10.0    ·    · 51.2 <0.1    ·    ·    ·   1,240 /system.….service
 6.8  2.2    ·    ·  3.0  0.5    ·    ·    · 85.0  2.5   4,000 /system.….service
   ·    ·    ·    ·    ·    ·    ·    ·  100    ·    ·     0.1 /system.….service
13.9  4.6  3.1  5.0  0.8  0.1 25.6 <0.1 25.0 21.2  0.6   5,240 [all]
"
    );
}

#[test]
fn what_is_left_out_is_said() {
    let (profile, selection) = (waiting(), Selection::default());
    let report = |percent_limit, at_least, limit| Report {
        percent_limit,
        at_least,
        limit,
        ..report(&profile, &selection, PROCESSES)
    };
    let rows = |report| {
        let text = as_text(&report, columns(120));
        let rest = text.lines().last().unwrap().to_owned();
        (table(&text).lines().count() - 2, rest)
    };
    // What was idle all the time is small, however little else there is.
    let (shown, rest) = rows(report(0.5, 10, None));
    assert_eq!(shown, 3);
    assert_eq!(
        rest,
        "… 1 more, 0 % of the time that was not idle; --percent-limit 0 shows them"
    );
    let (shown, rest) = rows(report(0.0, 0, Some(1)));
    assert_eq!(shown, 2);
    assert_eq!(
        rest,
        "… 2 more, 7.0 % of the time that was not idle; a larger --limit shows them"
    );
}

#[test]
fn a_selection_is_of_time_and_of_threads() {
    let profile = waiting();
    let show = |selection: Selection| as_text(&report(&profile, &selection, PROCESSES), columns(120));
    let everything = Selection::default();
    let text = show(Selection {
        pids: vec![88],
        ..everything.clone()
    });
    assert!(
        text.contains("100 % = a row's own time, 10.0 s over 1 thread (of 4: pid 88); measured"),
        "{text}"
    );
    assert!(!text.contains("postgres"), "{text}");
    let text = show(Selection {
        cgroup: Some("/system.slice/cron.service".into()),
        ..everything.clone()
    });
    assert!(text.contains("  cron\n") && !text.contains("nginx"), "{text}");
    // A fifth of all spans, which all cross the border.
    let text = show(Selection {
        time: Some(0..2_000_000_000),
        ..everything.clone()
    });
    assert!(
        text.contains("100 % = a row's own time, 8.0 s over 4 threads (of 4: time 0 µs-2.0 s);"),
        "{text}"
    );
    assert!(
        text.contains("4,000"),
        "waits a second stay what they were: {text}"
    );
    let text = show(Selection {
        unit: Some("none".into()),
        ..everything
    });
    assert!(
        text.ends_with("\nNo thread matches: unit none. 4 threads recorded.\n"),
        "{text}"
    );
}

#[test]
fn where_no_states_were_recorded_it_says_so() {
    let text = show(&busy(), PROCESSES);
    assert!(
        text.ends_with("\nNo states: how threads spent their time was not recorded.\n"),
        "{text}"
    );
    let text = show(&Profile::default(), PROCESSES);
    assert!(text.ends_with("was not recorded.\n"), "{text}");
}

#[test]
fn hostile_names_are_cleaned() {
    let mut profile = waiting();
    add(
        &mut profile,
        "\x1b[2Jev\u{9b}il\u{202e}",
        66,
        66,
        1,
        &[(State::Unknown, 9_999)],
    );
    for by in Owner::ALL {
        let (selection, view) = (Selection::default(), View::States(by));
        for width in [80, 120] {
            let text = as_text(&report(&profile, &selection, view), columns(width));
            assert!(
                !text.chars().any(|c| c != '\n' && crate::query::acts(c)),
                "{text:?}"
            );
        }
        let json = as_json(&report(&profile, &selection, view));
        assert!(
            !json.chars().any(|c| c != '\n' && crate::query::acts(c)),
            "{json:?}"
        );
    }
    let text = show(&profile, PROCESSES);
    assert!(
        text.contains("is among other: �[2Jev�il� 100 %, nginx 2.5 %"),
        "{text}"
    );
}

#[test]
fn colour_only_adds_escape_sequences() {
    let (profile, selection) = (waiting(), Selection::default());
    let report = report(&profile, &selection, PROCESSES);
    let coloured = text::Layout {
        color: true,
        ..columns(120)
    };
    let mut text = as_text(&report, coloured);
    for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m"] {
        assert!(text.contains(code), "{text}");
        text = text.replace(code, "");
    }
    let text: String = text
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    assert_eq!(text, as_text(&report, columns(120)));
}

#[test]
fn figures_in_json_are_exact() {
    let (profile, selection) = (waiting(), Selection::default());
    let json = as_json(&report(&profile, &selection, View::States(Owner::Thread)));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let states = &value["states"];
    assert_eq!((&states["by"], &states["threads"]), (&"thread".into(), &4.into()));
    let first = &states["rows"][0];
    assert_eq!((&first["pid"], &first["tid"]), (&1207.into(), &1207.into()));
    assert_eq!(first["name"], "worker-1207");
    assert_eq!(first["ns"]["page_fault"], 4_000_000);
    assert_eq!(
        (&first["waits"], &first["preemptions"]),
        (&12_345.into(), &6_172.into())
    );
    assert_eq!(states["total"]["total_ns"], 40_000_000_000_u64);
    assert_eq!(states["total"]["active_ns"], 21_500_000_000_u64);
}

#[test]
fn waits_are_the_base_where_they_are_asked_for() {
    let profile = with_waits(
        busy(),
        "app/7;_start;main;read;wait_[k] 900\napp/7;_start;main;read 100",
    );
    let show = |sample_types: &[u8]| {
        let selection = Selection {
            sample_types: sample_types.to_vec(),
            ..Selection::default()
        };
        as_text(&report(&profile, &selection, FUNCTIONS), PLAIN)
    };
    let off_cpu = show(&[1]);
    assert_eq!(
        off_cpu,
        "\
10.0 s · 2 waiting samples · lost 0 % · complete stacks 100 % · unknown frames 0 % · own CPU not measured
host CPU 100 % busy, 0 % idle (1 CPU) · cpu-clock 99 Hz · example · Linux 6.1.0 · whole system
100 % = 2 waiting samples, 1.0 s of waiting time; ± is the 95 % interval

   self          total    samples  module    function
 90.0 % ±62.1   90.0 %          1  [kernel]  wait
 10.0 % ±62.1  100.0 %          1  app       read
  0.0 % ±65.8  100.0 %          0  app       _start
  0.0 % ±65.8  100.0 %          0  app       main
"
    );
    let wall = show(&[0, 1]);
    assert!(
        wall.contains(
            "100 % = 1,002 busy or waiting samples, 11.1 s of wall-clock time; ± is the 95 % interval"
        ),
        "{wall}"
    );
    assert_eq!(show(&[0]), show_without_waits());
}

fn show_without_waits() -> String {
    as_text(&report(&busy(), &Selection::default(), FUNCTIONS), PLAIN)
}

/// As [`waiting`], with how long waits for a CPU were.
fn queueing() -> Profile {
    let mut profile = waiting();
    let waits = [(0, [15_000_u64, 90_000, 12_000_000]), (1, [2_000, 3_000, 4_000])];
    for (process, durations) in waits {
        let row = counted(&durations.map(|duration| (duration, 100)));
        profile.latencies.push(Latency {
            key: LatencyKey {
                process: Id::new(process),
                operation: Operation::RunQueue,
                ..row.key
            },
            ..row
        });
    }
    profile
}

#[test]
fn waits_for_a_cpu_are_shown_where_there_is_room() {
    let (profile, selection) = (queueing(), Selection::default());
    let show = |by, width| {
        let report = report(&profile, &selection, View::States(by));
        let text = as_text(&report, columns(width));
        let table = table(&text).to_owned();
        assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
        table
    };
    assert_eq!(show(Owner::Process, 145), "\
user  kernel  runnable  disk  network   ipc  lock  fault  sleep  events  other  waits/s  runq p50  runq p99  runq max   pid  process
24.4     8.1       6.2  10.0        ·     ·  51.2   <0.1      ·       ·      ·    1,240   86.0 µs   12.0 ms   12.0 ms  1207  postgres
 6.8     2.2         ·     ·      3.0   0.5     ·      ·      ·    85.0    2.5    4,000   2.94 µs   3.97 µs   4.00 µs    88  nginx
   ·       ·         ·     ·        ·     ·     ·      ·    100       ·      ·      0.1         ·         ·         ·     5  cron
13.9     4.6       3.1   5.0      0.8   0.1  25.6   <0.1   25.0    21.2    0.6    5,240   3.97 µs   12.0 ms   12.0 ms        [all]
");
    assert_eq!(
        show(Owner::Process, 120),
        "\
user  kernel  runnable  disk  network   ipc  lock  fault  sleep  events  other  waits/s  runq p99   pid  process
24.4     8.1       6.2  10.0        ·     ·  51.2   <0.1      ·       ·      ·    1,240   12.0 ms  1207  postgres
 6.8     2.2         ·     ·      3.0   0.5     ·      ·      ·    85.0    2.5    4,000   3.97 µs    88  nginx
   ·       ·         ·     ·        ·     ·     ·      ·    100       ·      ·      0.1         ·     5  cron
13.9     4.6       3.1   5.0      0.8   0.1  25.6   <0.1   25.0    21.2    0.6    5,240   12.0 ms        [all]
"
    );
    assert!(!show(Owner::Process, 80).contains("runq p"));
    assert!(!show(Owner::Thread, 145).contains("runq p"));
}

#[test]
fn waits_for_a_cpu_are_always_in_json() {
    let (profile, selection) = (queueing(), Selection::default());
    let json = |by| -> serde_json::Value {
        let json = as_json(&report(&profile, &selection, View::States(by)));
        serde_json::from_str(&json).unwrap()
    };
    let states = &json(Owner::Process)["states"];
    assert_eq!(
        states["rows"][0]["run_queue"],
        serde_json::json!({
            "count": 300, "p50_ns": 86_016, "p90_ns": 12_000_000, "p99_ns": 12_000_000, "max_ns": 12_000_000
        })
    );
    assert_eq!(states["run_queue"]["count"], 600);
    assert_eq!(states["rows"][2]["run_queue"], serde_json::Value::Null);
    let threads = &json(Owner::Thread)["states"];
    assert_eq!(threads["rows"][0]["run_queue"], serde_json::Value::Null);
}
