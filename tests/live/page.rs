//! The page, as a person uses it: a real recording in a real browser, by keyboard and by mouse.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use serde_json::json;
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
    let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("--json is JSON");
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
        let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("--json is JSON");
        // Modules may be spelt in another way: functions of one name are one here.
        let mut sums: BTreeMap<String, [f64; 4]> = BTreeMap::new();
        let mut add = |name: &serde_json::Value, at: usize, value: &serde_json::Value| {
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
    let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("--json is JSON");
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

#[test]
fn tables_show_the_chosen_range_or_say_that_they_do_not() {
    const SCOPE: &str = "document.querySelector('#table .scope')?.textContent ?? ''";
    let lab = Lab::new();
    let mut browser = require!(Browser::start(&lab));
    // Ten times a second it waits for a pipe and for a mutex.
    let program = require!(lab.workload("schedule"));
    let recording = lab
        .record()
        .arguments(["--probe", "cpu,states,syscalls,lock"])
        .command([program.as_os_str(), "4".as_ref()])
        .run();
    browser.open(&export(&lab, &recording, &[]));
    let rows = |browser: &mut Browser, table: &str| {
        browser.evaluate(&format!("document.getElementById('table-tabs-{table}').click()"));
        let rows = browser.evaluate("document.querySelectorAll('#table tbody tr:not(.stack)').length");
        rows.as_u64().expect("a number")
    };
    let all = rows(&mut browser, "slow");
    assert_eq!(browser.text(SCOPE), "", "nothing is chosen yet");

    browser.evaluate("app.select(app.data.sides[0], 1e9, 2e9)");
    browser.wait_for("document.querySelectorAll('.chip').length === 1");
    let range = browser.evaluate("[app.data.sides[0].range.from, app.data.sides[0].range.to]");
    let [from, to] = [0, 1].map(|at| range[at].as_u64().expect("ns") / 1_000_000);
    let time = format!("{from}ms-{to}ms");
    let report = recording
        .report(["--view", "slow", "--json", "--time", &time])
        .success();
    let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("--json is JSON");
    let within = rows(&mut browser, "slow");
    assert_eq!(json!(within), report["slow"]["count"], "{report}");
    assert!(0 < within && within < all, "{within} of {all}");
    let scope = browser.text(SCOPE);
    assert!(
        scope.starts_with("Only what lies in 1.00 s – 2.00")
            && scope.ends_with(&format!("{within} of {all}.")),
        "{scope}"
    );
    // Figures without times say what they are of, and what to ask.
    for (table, asked) in [
        ("states", "--view states"),
        ("calls", "--view syscalls"),
        ("processes", "--by process"),
        ("locks", "--view locks"),
    ] {
        assert!(rows(&mut browser, table) > 0);
        let scope = browser.text(SCOPE);
        let ask = format!("profiler report --time {time} {asked}");
        assert!(
            scope.starts_with("Of all of the time") && scope.contains(&ask),
            "{scope}"
        );
        let words: Vec<&str> = ask.split(' ').skip(2).collect();
        recording.report(words).success();
    }
    // The state of that name is no reason to leave the locks' names out.
    let head = browser.text("document.querySelector('#table thead').textContent");
    assert!(head.starts_with("lockprocess"), "{head}");
    assert_eq!(browser.complaints, Vec::<String>::new());
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
