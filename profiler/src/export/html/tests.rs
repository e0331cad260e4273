//! What goes into the page and comes out of it.

use serde_json::Value;

mod ranges;

use super::*;
use crate::{
    profile::{
        Id, LockWait, Outcome, Sample, SlowEvent, State, ThreadTime, Waker,
        folded::{PERIOD_NS, from_folded, with_waits},
    },
    query::slow::tests::event,
};

/// The page, and the data in it.
fn page_of(profile: &Profile, selection: &Selection, options: &Options<'_>) -> (String, Value) {
    let mut out = Vec::new();
    write(profile, selection, options, &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    let data = page.split("id=\"data\">").nth(1).unwrap();
    let data = data.split("</script>").next().unwrap();
    let data = serde_json::from_str(data).unwrap();
    (page, data)
}

fn page(profile: &Profile) -> (String, Value) {
    page_of(profile, &Selection::default(), &Options::default())
}

fn numbers(text: &Value) -> Vec<u64> {
    numbers::tests::read(text.as_str().unwrap())
}

fn signed(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// The path of every node, as in folded text, in the page's order.
fn paths(data: &Value) -> Vec<String> {
    let tree = &data["tree"];
    let mut path: Vec<&str> = Vec::new();
    let mut paths = Vec::new();
    for pair in numbers(&tree["nodes"]).chunks_exact(2) {
        path.truncate(path.len() - pair[0] as usize);
        path.push(tree["labels"][pair[1] as usize].as_str().unwrap());
        paths.push(path.join(";"));
    }
    assert_eq!(paths.len() as u64, tree["count"].as_u64().unwrap());
    paths
}

/// A sample type's records: when, on which path, how many and how much.
fn records(data: &Value, side: usize, name: &str) -> Vec<(u64, String, u64, u64)> {
    let paths = paths(data);
    let streams = data["sides"][side]["streams"].as_array().unwrap();
    let stream = streams.iter().find(|stream| stream["name"] == name).unwrap();
    let scale = stream["scale"].as_u64().unwrap();
    let mut numbers = numbers(&stream["records"]).into_iter();
    let (mut tick, mut node) = (0, 0);
    let mut records = Vec::new();
    while let Some(first) = numbers.next() {
        tick += first >> 2;
        node += signed(numbers.next().unwrap());
        let samples = if first & 1 > 0 { numbers.next().unwrap() } else { 1 };
        let value = if first & 2 > 0 {
            numbers.next().unwrap()
        } else {
            samples
        };
        records.push((tick, paths[node as usize].clone(), samples, value * scale));
    }
    assert_eq!(records.len() as u64, stream["count"].as_u64().unwrap());
    records
}

fn table<'a>(data: &'a Value, id: &str) -> &'a Value {
    let tables = data["sides"][0]["tables"].as_array().unwrap();
    tables.iter().find(|table| table["id"] == id).unwrap()
}

const HOSTILE: &str = "</script><script>alert(1)</script>";

#[test]
fn a_hostile_name_is_text_and_nothing_else() {
    let mut profile = from_folded(&format!("ev\"'><b>/7;main;{HOSTILE};<!--;x&amp;{{script}} 2"));
    profile.metadata.hostname = HOSTILE.into();
    profile.metadata.command_line = vec![HOSTILE.into()];
    let options = Options {
        trace: HOSTILE,
        notes: &[HOSTILE.to_owned()],
        ..Options::default()
    };
    let (page, data) = page_of(&profile, &Selection::default(), &options);
    // The data and the program, and nothing that a name began or ended.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("alert(1)</"), "markup got through");
    assert_eq!(paths(&data)[2], format!("ev\"'><b>;main;{HOSTILE}"));
    assert_eq!(data["sides"][0]["host"], HOSTILE);
}

#[test]
fn the_policy_admits_this_script_and_nothing_else() {
    let (page, _) = page(&from_folded("a;main 1"));
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap();
    let policy = policy.split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
        let text = page.split(&format!("<{tag}>")).nth(1).unwrap();
        let text = text.split(&format!("</{tag}>")).next().unwrap();
        assert!(
            policy.contains(&format!("{directive} '{}'", sha256::source(text))),
            "{policy}"
        );
    }
    for outside in ["src=", "href=\"http", "url(", "@import", "innerHTML", "eval("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_tree_has_the_totals_of_the_folded_stacks() {
    let mut profile = with_waits(
        from_folded("app;main;f;g 3\napp;main;f 2\napp;main;read;vfs_read_[k] 4\nother;main 1\napp 1"),
        "app;main;read 30\napp;main 5",
    );
    profile.samples[0].outcome = Outcome::TooDeep;
    let folded = |sample_types: &[u8]| {
        let selection = Selection {
            sample_types: sample_types.to_vec(),
            ..Selection::default()
        };
        let mut out = Vec::new();
        let format = Format::named("folded").unwrap();
        (format.write)(&profile, &selection, &Options::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let (_, data) = page(&profile);
    let sums = |name: &str, measure: fn(u64, u64) -> u64| {
        let mut sums = std::collections::BTreeMap::new();
        for (_, path, samples, value) in records(&data, 0, name) {
            // Folded text marks kernel frames, and shows waits alone without saying that they wait.
            let path = path.replace("vfs_read", "vfs_read_[k]").replace(";[waiting]", "");
            *sums.entry(path).or_insert(0) += measure(samples, value);
        }
        let lines = sums.iter().map(|(path, sum)| format!("{path} {sum}\n"));
        lines.collect::<String>()
    };
    assert_eq!(sums("cpu", |samples, _| samples), folded(&[0]));
    assert_eq!(sums("off_cpu", |_, value| value / 1_000), folded(&[1]));
}

#[test]
fn samples_keep_their_time_and_their_value() {
    let (_, data) = page(&from_folded("a;main 2\nb;main 1"));
    let at = |tick, path: &str| (tick, path.to_owned(), 1, PERIOD_NS);
    assert_eq!(
        records(&data, 0, "cpu"),
        [at(0, "a;main"), at(10, "a;main"), at(20, "b;main")]
    );
    assert_eq!(data["sides"][0]["tick_ns"], 1_000_000);
    assert_eq!(data["sides"][0]["left_out"], serde_json::json!([]));
}

#[test]
fn what_is_not_selected_is_not_there() {
    let profile = from_folded("a/7;main;f 2\nb/8;main;secret 1");
    let selection = Selection {
        pids: vec![7],
        time: Some(10_000_000..u64::MAX),
        ..Selection::default()
    };
    let (page, data) = page_of(&profile, &selection, &Options::default());
    assert!(!page.contains("secret"));
    // Time begins with what is shown.
    assert_eq!(
        records(&data, 0, "cpu"),
        [(0, "a;main;f".to_owned(), 1, PERIOD_NS)]
    );
    assert_eq!(data["sides"][0]["selected"], "time 10 ms-, pid 7");
}

#[test]
fn an_empty_trace_makes_a_page_without_samples() {
    let (page, data) = page(&Profile::default());
    assert!(page.contains("No samples: no sample was selected, or none was recorded."));
    assert_eq!(data["tree"]["count"], 0);
    assert_eq!(data["sides"][0]["streams"], serde_json::json!([]));
    assert!(
        data["sides"][0]["quality"]
            .as_str()
            .unwrap()
            .contains("0 samples")
    );
}

#[test]
fn states_that_were_not_recorded_are_said_to_be_missing() {
    let mut profile = from_folded("a/7;main 1");
    let (_, data) = page(&profile);
    assert_eq!(data["sides"][0]["states"]["bins"], serde_json::json!([]));
    assert_eq!(data["sides"][0]["states"]["recorded"], false);
    let about = table(&data, "states")["about"].as_str().unwrap().to_owned();
    assert!(
        about.contains("was not recorded: record with --probe states"),
        "{about}"
    );

    let mut ns = [0; State::COUNT];
    ns[State::Lock as usize] = 5_000_000;
    profile.thread_times.push(ThreadTime {
        thread: profile.samples[0].thread,
        start_ns: 0,
        end_ns: 5_000_000,
        ns,
        waits: 1,
        preemptions: 0,
        in_calls_ns: None,
    });
    let (_, data) = page(&profile);
    let bins = &data["sides"][0]["states"]["bins"];
    assert_eq!(bins[0][State::Lock as usize], 5_000_000);
    assert_eq!(table(&data, "states")["rows"][0][0], "a");
}

#[test]
fn a_stack_of_a_slow_call_is_in_the_tree() {
    let mut profile = from_folded("app/7;main;read 1\napp/7;main;write 1");
    let stack = profile.samples[1].stack;
    profile.slow = vec![SlowEvent {
        stack,
        outcome: Outcome::Complete,
        ..event(0, 0, 5_000_000, Waker::Unknown)
    }];
    // Only the slow call has this stack.
    profile.samples.truncate(1);
    let (_, data) = page(&profile);
    let slow = table(&data, "slow");
    let columns = slow["columns"].as_array().unwrap();
    let at = columns
        .iter()
        .position(|column| column["kind"] == "node")
        .unwrap();
    let node = slow["rows"][0][at].as_u64().unwrap() as usize;
    assert_eq!(paths(&data)[node], "app;main;write");
    assert_eq!(records(&data, 0, "cpu").len(), 1);
}

#[test]
fn a_lock_has_who_waited_and_who_let_it_go() {
    let mut profile = from_folded(
        "app/7;main;get;libc.so.6`pthread_mutex_lock;futex_wait_[k]\napp/7;main;put;libc.so.6`pthread_mutex_unlock",
    );
    let holder = crate::query::locks::tests::thread(&mut profile, "holder", 8);
    let lock = crate::query::locks::tests::lock(&mut profile, 0);
    profile.lock_waits = vec![LockWait {
        lock,
        stack: profile.samples[0].stack,
        owner: Waker::Thread(holder),
        ..crate::query::locks::tests::wait(0, 10)
    }];
    let (_, data) = page(&profile);
    let locks = table(&data, "locks");
    let row = locks["rows"][0].as_array().unwrap();
    for cell in ["mutex in get", "app/7", "contention", "get", "held by holder/8"] {
        assert!(row.iter().any(|it| it == cell), "{cell}: {row:?}");
    }
    // Most recordings of one process have none, and then there is nothing to say.
    profile.lock_waits.clear();
    let (_, data) = page(&profile);
    let tables = data["sides"][0]["tables"].as_array().unwrap();
    assert!(tables.iter().all(|table| table["id"] != "locks"));
}

#[test]
fn two_recordings_share_one_tree() {
    let (now, before) = (from_folded("a;main;f 3\na;main;new 1"), from_folded("a;main;f 2"));
    let all = Selection::default();
    let options = Options {
        trace: "now.trace",
        against: Some(Recording {
            trace: "before.trace",
            profile: &before,
            notes: &[],
            selection: &all,
        }),
        ..Options::default()
    };
    let (_, data) = page_of(&now, &all, &options);
    assert_eq!(paths(&data), ["a", "a;main", "a;main;f", "a;main;new"]);
    assert_eq!(
        (records(&data, 0, "cpu").len(), records(&data, 1, "cpu").len()),
        (4, 2)
    );
    assert_eq!(data["sides"][1]["trace"], "before.trace");
}

/// So many samples, one each millisecond, by turns on two stacks.
fn many(samples: u64) -> Profile {
    let mut profile = from_folded("a;main;f 1\na;main;g 1");
    let (f, g) = (profile.samples[0], profile.samples[1]);
    profile.samples = (0..samples)
        .map(|at| Sample {
            time_ns: at * 1_000_000,
            ..if at % 2 == 0 { f } else { g }
        })
        .collect();
    profile
}

#[test]
fn many_records_make_time_coarser_and_lose_nothing() {
    let (_, data) = page(&many(1_600));
    let side = &data["sides"][0];
    assert_eq!(side["tick_ns"], 4_000_000);
    assert!(side["left_out"][0].as_str().unwrap().contains("told to 4 ms"));
    let records = records(&data, 0, "cpu");
    assert_eq!(records.iter().map(|record| record.2).sum::<u64>(), 1_600);
}

#[test]
fn too_many_records_leave_some_out_by_chance_and_keep_shares() {
    let (_, data) = page(&many(100_000));
    let side = &data["sides"][0];
    assert_eq!(side["tick_ns"], 16_000_000);
    let left_out = side["left_out"][1].as_str().unwrap();
    assert!(left_out.starts_with("one sample in 13 is here"), "{left_out}");
    let records = records(&data, 0, "cpu");
    assert!((500..2_000).contains(&records.len()), "{}", records.len());
    let value = |end: &str| -> f64 {
        let records = records.iter().filter(|record| record.1.ends_with(end));
        records.map(|record| record.3 as f64).sum()
    };
    let truth = 50_000.0 * PERIOD_NS as f64;
    for end in ["f", "g"] {
        assert!(
            (value(end) / truth - 1.0).abs() < 0.15,
            "{end}: {}",
            value(end) / truth
        );
    }
}

#[test]
fn kinds_stand_in_the_order_of_their_numbers() {
    for (place, (kind, _)) in KINDS.iter().enumerate() {
        assert_eq!(*kind as usize, place);
    }
    assert_ne!(shades(Kind::Kernel, true), shades(Kind::Kernel, false));
}

#[test]
fn figures_that_a_file_made_up_do_no_harm() {
    let mut profile = with_waits(from_folded("a;main 2"), "a;main 1");
    for sample in &mut profile.samples {
        (sample.time_ns, sample.value) = (u64::MAX, u64::MAX);
    }
    profile.thread_times.push(ThreadTime {
        thread: Id::new(0),
        start_ns: 0,
        end_ns: u64::MAX,
        ns: [u64::MAX; State::COUNT],
        waits: u32::MAX,
        preemptions: u32::MAX,
        in_calls_ns: None,
    });
    let (_, data) = page(&profile);
    let bins = data["sides"][0]["states"]["bins"].as_array().unwrap();
    assert!(bins.len() <= 241, "{}", bins.len());
}
