//! The page, as a person uses it: a real recording in a real browser, by keyboard and by mouse.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use serde_json::{Value, json};
use tests::{Browser, Lab, Missing, Recording, Running, profiler_binary, require};

/// Records a program with a known stack, and everything that the page shows of it.
fn record(lab: &Lab) -> Result<Recording, Missing> {
    let program = lab.workload("deep")?;
    Ok(lab
        .record()
        .frequency(499)
        .arguments(["--probe", "cpu,states,syscalls,off-cpu"])
        .command([program.as_os_str(), "4".as_ref()])
        .run())
}

fn export(lab: &Lab, recording: &Recording, arguments: &[&str]) -> PathBuf {
    let page = lab.path("page.html");
    Running::spawn(
        Command::new(profiler_binary())
            .arg("export")
            .arg(&recording.path)
            .args(arguments)
            .arg("-o")
            .arg(&page),
    )
    .wait(Duration::from_secs(60))
    .success();
    page
}

/// The first number with a decimal in a text: `matched 59.7 % ±1.2`.
fn number(text: &str) -> f64 {
    let from = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let digits: String = text[from..]
        .chars()
        .take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
        .filter(|&c| c != ',')
        .collect();
    digits.parse().unwrap_or_else(|_| panic!("no number in {text:?}"))
}

const MATCHED: &str = "document.getElementById('matched').textContent";
const ABOUT: &str = "document.querySelector('#table .about').textContent";
const FIRST: &str = "document.querySelector('#table tbody td.function').textContent";

#[test]
fn a_person_finds_zooms_and_chooses_a_range() {
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    let recording = require!(record(&lab));
    browser.open(&export(&lab, &recording, &[]));

    // It begins as `report` does, and its first function is the same.
    let report = recording.report(["--json"]).success();
    let report: Value = serde_json::from_str(&report.stdout).expect("--json is JSON");
    let text = recording.report(Vec::<&str>::new()).success();
    let quality = text.stdout.lines().next().expect("a line").to_owned();
    assert_eq!(
        browser.text("document.querySelector('#quality .line').textContent"),
        quality
    );
    let first = browser.text(FIRST);
    assert_eq!(json!(first), report["functions"][0]["function"], "{report}");

    // Search by keyboard alone.
    browser.press("/", false);
    assert_eq!(browser.text("document.activeElement.id"), "search");
    browser.type_text("^leaf_60$");
    browser.press("Enter", false);
    let matched = browser.text(MATCHED);
    let share = 100.0 * recording.view().total_share_of("leaf_60");
    assert!((number(&matched) - share).abs() < 0.1, "{matched}, not {share} %");
    assert_eq!(
        browser.evaluate("document.querySelectorAll('#table tbody tr').length"),
        json!(1),
        "the table shows what is searched for"
    );
    browser.press("/", false);
    browser.press("Escape", false);
    assert_eq!(browser.text(MATCHED), "");
    browser.press("/", false);
    browser.type_text("(");
    browser.press("Enter", false);
    assert_eq!(browser.text(MATCHED), "not a regular expression");
    browser.press("/", false);
    browser.press("Escape", false);

    // Zoom: down to the process and on, Enter, and back by Escape.
    browser.evaluate("document.querySelector('canvas.flame').focus()");
    browser.press("ArrowDown", false);
    browser.press("ArrowDown", false);
    browser.press("Enter", false);
    let said = browser.text("document.getElementById('said').textContent");
    assert!(said.starts_with("shows ") && said.contains('±'), "{said}");
    assert_eq!(
        browser.evaluate("document.getElementById('unzoom').disabled"),
        json!(false)
    );
    browser.press("Escape", false);
    assert_eq!(
        browser.evaluate("document.getElementById('unzoom').disabled"),
        json!(true)
    );

    // The pointer is told what it is on.
    let place = "(() => { const { left, top } = document.querySelector('canvas.flame').getBoundingClientRect(); \
                 return [left + 300, top + 8]; })()";
    let place = browser.evaluate(place);
    let (x, y) = (place[0].as_f64().expect("x"), place[1].as_f64().expect("y"));
    browser.mouse("mouseMoved", x, y);
    let tip = browser.text("document.querySelector('#tip:not([hidden])')?.textContent ?? ''");
    assert!(tip.starts_with("all") && tip.contains("100 %"), "{tip}");

    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn every_function_of_every_graph_weighs_what_report_says() {
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    let recording = require!(record(&lab));
    browser.open(&export(&lab, &recording, &[]));
    for profile in ["cpu", "wall", "off-cpu"] {
        browser.evaluate(&format!(
            "document.getElementById('graph-tabs-{profile}').click()"
        ));
        let rows = browser.evaluate(
            "functionRows(app.data.tree, app.weights[0]).map((row) => [app.data.tree.labels[row.frame], row.own, row.total])",
        );
        let report = recording.report(["--json", "--profile", profile]).success();
        let report: Value = serde_json::from_str(&report.stdout).expect("--json is JSON");
        // Modules may be spelt in another way: functions of one name are one here.
        let mut sums: BTreeMap<String, [f64; 4]> = BTreeMap::new();
        let mut add = |name: &Value, at: usize, value: &Value| {
            let name = name.as_str().expect("a name").to_owned();
            sums.entry(name).or_default()[at] += value.as_f64().expect("a number");
        };
        for row in rows.as_array().expect("rows") {
            add(&row[0], 0, &row[1]);
            add(&row[0], 1, &row[2]);
        }
        for row in report["functions"].as_array().expect("rows") {
            add(&row["function"], 2, &row["self"]["value"]);
            add(&row["function"], 3, &row["total"]["value"]);
        }
        assert!(sums.len() > 10, "{profile}: {sums:?}");
        for (name, [own, total, reported, reported_total]) in sums {
            assert_eq!((own, total), (reported, reported_total), "{profile}: {name}");
        }
    }
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_range_of_time_is_chosen_by_keyboard_and_by_mouse() {
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    let recording = require!(record(&lab));
    browser.open(&export(&lab, &recording, &[]));
    let all = browser.text(ABOUT);
    assert_eq!(number(&all), recording.view().len() as f64, "{all}");

    // Seconds 1 to 2 by keyboard: columns are 0.1 s here.
    browser.evaluate("document.querySelector('canvas.heat').focus()");
    for _ in 0..10 {
        browser.press("ArrowRight", false);
    }
    for _ in 0..10 {
        browser.press("ArrowRight", true);
    }
    // It is drawn when there is time for it.
    browser.wait_for("(document.querySelector('.chip')?.textContent ?? '').startsWith('1.00 s – 2.00')");
    let chosen = browser.text(ABOUT);
    assert!(chosen.contains("in the chosen range"), "{chosen}");
    let chip = browser.text("document.querySelector('.chip').textContent");
    assert!(chip.starts_with("1.00 s – 2.00"), "{chip}");
    let range = browser.evaluate("[app.data.sides[0].range.from, app.data.sides[0].range.to]");
    let (from, to) = (range[0].as_u64().expect("ns"), range[1].as_u64().expect("ns"));
    let within = recording.profile.samples.iter();
    let within = within.filter(|sample| sample.sample_type == 0 && (from..to).contains(&sample.time_ns));
    assert_eq!(number(&chosen), within.count() as f64, "{chosen}");
    // `report --time` answers the same question.
    let time = format!("{}ms-{}ms", from / 1_000_000, to / 1_000_000);
    let report = recording.report(["--json", "--time", &time]).success();
    let report: Value = serde_json::from_str(&report.stdout).expect("--json is JSON");
    assert_eq!(json!(browser.text(FIRST)), report["functions"][0]["function"]);
    browser.press("Escape", false);
    browser.wait_for("document.querySelectorAll('.chip').length === 0");
    assert_eq!(browser.text(ABOUT), all);

    // And by mouse, over the first half.
    let bounds = browser.evaluate(
        "(() => { const { left, top, width, height } = document.querySelector('canvas.overview').getBoundingClientRect(); \
         return [left, top + height / 2, width]; })()",
    );
    let [left, y, width] = [0, 1, 2].map(|at| bounds[at].as_f64().expect("a number"));
    browser.mouse("mouseMoved", left + 60.0, y);
    browser.mouse("mousePressed", left + 60.0, y);
    browser.mouse("mouseMoved", left + width / 2.0, y);
    browser.mouse("mouseReleased", left + width / 2.0, y);
    browser.wait_for("document.querySelectorAll('.chip').length === 1");
    let half = number(&browser.text(ABOUT));
    assert!(half > 0.0 && half < 0.7 * number(&all), "{half} of {all}");
    browser.evaluate("document.querySelector('.chip').click()");
    browser.wait_for("document.querySelectorAll('.chip').length === 0");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

/// The rows of a table as it is shown, each by the names of its columns, and what it says that it is of.
fn shown(browser: &mut Browser, table: &str) -> (Vec<Value>, String) {
    browser.evaluate(&format!("document.getElementById('table-tabs-{table}').click()"));
    let rows = browser.evaluate(
        "(() => { const { columns, rows } = app.tables.table(); \
         return rows.map((row) => Object.fromEntries(columns.map(({ name }, at) => [name, row[at]]))); })()",
    );
    let rows = rows.as_array().expect("rows").clone();
    let drawn = browser.evaluate("document.querySelectorAll('#table tbody tr:not(.stack)').length");
    assert_eq!(drawn, json!(rows.len().min(100)), "{table}");
    let scope = browser.text("document.querySelector('#table .scope')?.textContent ?? ''");
    (rows, scope)
}

/// Chooses a range of the first recording, in seconds.
fn choose(browser: &mut Browser, from: f64, to: f64) {
    browser.evaluate(&format!(
        "app.select(app.data.sides[0], {from} * 1e9, {to} * 1e9)"
    ));
    browser.wait_for(&format!(
        "(document.querySelector('.chip')?.textContent ?? '').startsWith('{from:.2} s – {to:.2} s')"
    ));
}

/// The answer of `report` to what the page says that it is to be asked.
fn asked(recording: &Recording, scope: &str) -> Value {
    let ask = scope.split("profiler report ").nth(1).expect("a command");
    let ask = ask.split(" tells more").next().expect("words");
    let report = recording.report(ask.split(' ').chain(["--json"])).success();
    serde_json::from_str(&report.stdout).expect("--json is JSON")
}

fn named<'a>(rows: &'a [Value], column: &str, name: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row[column] == name).collect()
}

#[test]
fn every_table_shows_the_chosen_range_as_report_does() {
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    // Five times a second it waits for a pipe and for a mutex; then nothing happens.
    let program = require!(lab.workload("schedule"));
    let recording = lab
        .record()
        .arguments(["--probe", "cpu,states,syscalls,lock"])
        .command([
            "sh".as_ref(),
            "-c".as_ref(),
            "\"$0\" 3; sleep 6".as_ref(),
            program.as_os_str(),
        ])
        .run();
    browser.open(&export(&lab, &recording, &[]));
    let (all, scope) = shown(&mut browser, "slow");
    assert_eq!(scope, "", "nothing is chosen yet");

    choose(&mut browser, 1.0, 2.0);
    let (within, scope) = shown(&mut browser, "slow");
    let report = asked_of_range(&recording, "--view slow", 1_000, 2_000);
    assert_eq!(json!(within.len()), report["slow"]["count"], "{report}");
    assert!(!within.is_empty() && within.len() < all.len());
    assert!(
        scope.starts_with("Only what lies in 1.00 s – 2.00")
            && scope.ends_with(&format!("{} of {}.", within.len(), all.len())),
        "{scope}"
    );

    // Samples have their times: it is the range itself.
    let (rows, scope) = shown(&mut browser, "processes");
    assert!(
        scope.starts_with("Only the samples in 1.00 s – 2.00 s."),
        "{scope}"
    );
    let report = asked(&recording, &scope);
    let groups = report["groups"]["rows"].as_array().expect("rows");
    let sampled: Vec<_> = rows.iter().filter(|row| row["CPU samples"] != 0).collect();
    assert_eq!(sampled.len(), groups.len());
    let (ours, theirs) = (
        named(&rows, "process", "schedule")[0],
        named(groups, "name", "schedule")[0],
    );
    assert_eq!(ours["on CPU"], theirs["total"]["value"]);
    assert_eq!(ours["CPU samples"], theirs["total"]["samples"]);
    // Half of each period it is on a CPU, if others leave it one.
    let busy = ours["on CPU"].as_f64().expect("ns") / 1e9;
    assert!((0.0..0.75).contains(&busy) && busy > 0.0, "{busy} s");

    // What is measured has the recorder's seconds, and says which.
    let (rows, scope) = shown(&mut browser, "states");
    assert!(
        scope.starts_with("Of ") && scope.contains("more than the chosen 1.00 s – 2.00 s"),
        "{scope}"
    );
    let report = asked(&recording, &scope);
    let theirs = report["states"]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), theirs.len(), "{rows:?}");
    let (ours, theirs) = (
        named(&rows, "process", "schedule")[0],
        named(theirs, "name", "schedule")[0],
    );
    assert_eq!(ours["threads"], theirs["threads"]);
    for (column, state) in [
        ("running", "running"),
        ("lock", "lock"),
        ("sleep (idle)", "sleep"),
    ] {
        let [ours, theirs] = [&ours[column], &theirs["ns"][state]].map(|ns| ns.as_f64().expect("ns"));
        // Rounded once for each span that a border cuts.
        assert!(
            theirs > 0.0 && (ours - theirs).abs() < 1_000.0,
            "{column}: {ours} {theirs}"
        );
    }
    let [waits, reported] = [&ours["waits"], &theirs["waits"]].map(|waits| waits.as_f64().expect("a number"));
    assert!((waits - reported).abs() <= 2.0, "{waits} {reported}");
    for (column, figure) in [("runq p99", "p99_ns"), ("runq max", "max_ns")] {
        assert_eq!(ours[column], theirs["run_queue"][figure], "{column}");
    }

    let (rows, scope) = shown(&mut browser, "calls");
    let report = asked(&recording, &scope);
    let theirs = report["syscalls"]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), theirs.len(), "{rows:?}");
    for (ours, theirs) in rows.iter().zip(theirs) {
        for (column, figure) in [
            ("process", "name"),
            ("pid", "pid"),
            ("call", "call"),
            ("calls", "count"),
            ("failed", "failed"),
            ("total", "total_ns"),
            ("p50", "p50_ns"),
            ("p90", "p90_ns"),
            ("p99", "p99_ns"),
            ("longest", "max_ns"),
        ] {
            assert_eq!(ours[column], theirs[figure], "{column} of {ours}, not {theirs}");
        }
    }
    assert!(
        rows.iter()
            .any(|row| row["process"] == "schedule" && row["call"] == "futex")
    );

    let (rows, scope) = shown(&mut browser, "locks");
    let report = asked(&recording, &scope);
    let theirs = report["locks"]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), theirs.len(), "{rows:?}");
    for (ours, theirs) in rows.iter().zip(theirs) {
        let waits = &theirs["waits"];
        assert_eq!(
            (&ours["lock"], &ours["what"]),
            (&theirs["lock"], &theirs["purpose"])
        );
        assert_eq!(ours["longest"], waits["max_ns"]);
        let total = [&ours["total"], &waits["total_ns"]].map(|ns| ns.as_f64().expect("ns"));
        assert!((total[0] - total[1]).abs() < 100.0, "{ours}, not {theirs}");
        let count = [&ours["waits"], &waits["count"]].map(|count| count.as_f64().expect("a number"));
        assert!((count[0] - count[1]).abs() <= 0.5, "{ours}, not {theirs}");
    }
    let mutexes: Vec<_> = rows
        .iter()
        .filter(|row| row["mostly waited at"] == "wait_lock_20")
        .collect();
    assert_eq!(mutexes.len(), 1, "{rows:?}");
    // Of 20 ms each, at most five a second, in one to three of the recorder's seconds.
    let waits = mutexes[0]["waits"].as_u64().expect("a number");
    assert!((1..=16).contains(&waits), "{waits} waits");
    let average = mutexes[0]["average"].as_f64().expect("ns");
    assert!((18e6..100e6).contains(&average), "{average} ns");

    // The state of that name is no reason to leave the locks' names out.
    let head = browser.text("document.querySelector('#table thead').textContent");
    assert!(head.starts_with("lockprocess"), "{head}");

    // Later there is nothing left of it anywhere, and with all of the time there is again.
    choose(&mut browser, 7.2, 7.8);
    for (table, column) in [
        ("processes", "process"),
        ("states", "process"),
        ("calls", "process"),
    ] {
        let (rows, _) = shown(&mut browser, table);
        assert_eq!(named(&rows, column, "schedule"), Vec::<&Value>::new(), "{table}");
    }
    let (rows, _) = shown(&mut browser, "locks");
    assert_eq!(
        named(&rows, "mostly waited at", "wait_lock_20"),
        Vec::<&Value>::new()
    );
    let (rows, _) = shown(&mut browser, "states");
    assert_eq!(named(&rows, "process", "sleep").len(), 1, "{rows:?}");
    browser.evaluate("document.querySelector('.chip').click()");
    browser.wait_for("document.querySelectorAll('.chip').length === 0");
    let (rows, scope) = shown(&mut browser, "states");
    assert_eq!(
        (named(&rows, "process", "schedule").len(), scope.as_str()),
        (1, "")
    );
    assert_eq!(browser.complaints, Vec::<String>::new());
}

/// What `report` says of a range, in milliseconds.
fn asked_of_range(recording: &Recording, view: &str, from: u64, to: u64) -> Value {
    asked(
        recording,
        &format!("profiler report --time {from}ms-{to}ms {view} tells more"),
    )
}

#[test]
fn each_of_two_recordings_follows_its_own_range() {
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    let recording = require!(record(&lab));
    let base = recording.path.to_str().expect("UTF-8").to_owned();
    browser.open(&export(&lab, &recording, &["--against", &base]));
    choose_now(&mut browser);
    let (chosen, scope) = shown(&mut browser, "processes");
    assert!(
        scope.starts_with("Only the samples in 1.00 s – 2.00 s."),
        "{scope}"
    );
    browser.evaluate("document.getElementById('side-tabs-1').click()");
    let (all, scope) = shown(&mut browser, "processes");
    assert_eq!(scope, "", "of the other nothing is chosen");
    let samples = |rows: &[Value]| named(rows, "process", "deep")[0]["CPU samples"].as_u64();
    assert!(samples(&chosen) < samples(&all), "{chosen:?} {all:?}");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

/// Chooses the second second of the newer of two recordings.
fn choose_now(browser: &mut Browser) {
    browser.evaluate("app.select(app.data.sides[0], 1e9, 2e9)");
    browser
        .wait_for("(document.querySelector('.chip')?.textContent ?? '').startsWith('now: 1.00 s – 2.00 s')");
}

#[test]
fn every_graph_and_every_table_is_drawn_in_light_and_dark() {
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    let recording = require!(record(&lab));
    let base = recording.path.to_str().expect("UTF-8").to_owned();
    for arguments in [&[][..], &["--against", &base]] {
        browser.open(&export(&lab, &recording, arguments));
        for _ in 0..2 {
            for tab in ["graph-tabs", "table-tabs"] {
                let tabs = browser.evaluate(&format!("document.querySelectorAll('#{tab} button').length"));
                let tabs = tabs.as_u64().expect("a number");
                assert!(tabs >= 3, "{tabs} {tab}");
                for place in 0..tabs {
                    browser.evaluate(&format!(
                        "document.querySelectorAll('#{tab} button')[{place}].click()"
                    ));
                    let rows = browser.evaluate("document.querySelectorAll('#table tbody tr').length");
                    assert!(rows.as_u64() > Some(0), "{tab} {place}: an empty table");
                }
            }
            browser.evaluate("document.getElementById('theme').focus()");
            browser.press("t", false);
            browser.press("i", false);
        }
        assert_eq!(browser.text("document.documentElement.dataset.theme"), "light");
    }
    // A recording held against itself has not changed.
    browser.evaluate("document.querySelector('#table-tabs button').click()");
    assert_eq!(
        browser.evaluate("document.querySelectorAll('td.grown, td.shrunk').length"),
        json!(0)
    );
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_name_that_is_markup_stays_text() {
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    let recording = require!(crate::hostile::record_hostile(&lab));
    browser.open(&export(&lab, &recording, &[]));
    assert_eq!(
        browser.evaluate("document.scripts.length"),
        json!(2),
        "the data and the program"
    );
    assert_eq!(
        browser.evaluate("document.querySelectorAll('#table b').length"),
        json!(0)
    );
    assert_eq!(browser.complaints, Vec::<String>::new());
}
