//! Reports of small profiles, as text and as JSON.

use super::{Report, Sort, View, json, text};
use crate::{
    profile::{Outcome, Profile, QualityWindow, folded::from_folded},
    query::{Direction, GroupBy, Owner, Selection},
};

mod async_blocking;
mod calls;
mod locks;
mod schema;
mod snapshots;
mod states;

const FUNCTIONS: View = View::Functions(Sort::SelfValue);

const PLAIN: text::Layout = text::Layout {
    width: Some(100),
    color: false,
};

fn report<'a>(profile: &'a Profile, selection: &'a Selection, view: View) -> Report<'a> {
    Report {
        trace: "profiler.trace",
        profile,
        notes: &[],
        selection,
        view,
        percent_limit: 0.0,
        at_least: 0,
        limit: None,
    }
}

/// The report as text, without the blanks at the ends of lines.
fn as_text(report: &Report<'_>, layout: text::Layout) -> String {
    let mut out = Vec::new();
    text::write(report, &layout, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn as_json(report: &Report<'_>) -> String {
    let mut out = Vec::new();
    json::write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn show(profile: &Profile, view: View) -> String {
    as_text(&report(profile, &Selection::default(), view), PLAIN)
}

/// Two processes, 1,000 samples in 10 s.
fn busy() -> Profile {
    from_folded(
        "app/7;_start;main;hot;spin 599
         app/7;_start;main;warm;spin 200
         app/7;_start;main;warm;libc.so.6`read;vfs_read_[k] 101
         other/9;_start;main 100",
    )
}

/// As [`busy`], recorded badly.
fn bad() -> Profile {
    let mut profile = busy();
    for sample in profile.samples.iter_mut().take(20) {
        sample.outcome = Outcome::NoUnwindInfo;
    }
    let window = &mut profile.quality[0];
    window.lost = [("ring full".to_owned(), 10), ("side band lost".to_owned(), 2)].into();
    window.expected = 2_090;
    window.own_cpu_ns = 40_000_000;
    window.bpf_ns = 1_000_000;
    window.bpf_measured_ns = 1_000_000_000;
    window.host_idle_ns = 10_000_000_000;
    profile
}

/// A recording of 10 s without a single sample.
fn without_samples(window: QualityWindow) -> Profile {
    let mut profile = from_folded("");
    profile.quality = vec![QualityWindow {
        end_ns: 10_000_000_000,
        ..window
    }];
    profile
}
