//! What is remembered, forgotten and found again.

use super::*;
use crate::{
    profile::{Id, Mark, Waker, folded::from_folded},
    query::{Selection, functions},
};

const SECOND: u64 = 1_000_000_000;

/// A delta of `text`, begun at `second`, as from a collector with tables of its own.
fn delta(text: &str, second: u64) -> Delta {
    let mut profile = from_folded(text);
    let lines = std::mem::take(&mut profile.lines);
    let mut delta = profile.take_delta(&mut Mark::default());
    delta.lines = lines.into_iter().collect();
    for sample in &mut delta.samples {
        sample.time_ns += second * SECOND;
    }
    for window in &mut delta.quality {
        window.start_ns += second * SECOND;
        window.end_ns += second * SECOND;
    }
    delta
}

fn hottest(history: &mut History, window: Window) -> Vec<(String, u64)> {
    history.show(window);
    let functions = functions(history.shown(), &Selection::default());
    let hot = functions.rows.into_iter().filter(|row| row.self_samples > 0);
    hot.map(|row| (row.label, row.self_samples)).collect()
}

fn expected(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
    rows.iter()
        .map(|&(label, samples)| (label.to_owned(), samples))
        .collect()
}

const TEN: Window = Window::Last(Duration::from_secs(10));

#[test]
fn a_window_forgets_and_since_the_start_does_not() {
    let mut history = History::new(Duration::from_secs(60));
    history.absorb(delta("app;main;f 5", 0)).unwrap();
    history.restart();
    history.absorb(delta("bpp;main;g 2", 30)).unwrap();
    assert_eq!(hottest(&mut history, TEN), expected(&[("g", 2)]));
    assert_eq!(
        history.shown_ns(),
        20 * SECOND + 20_000_000..30 * SECOND + 20_000_000
    );
    let both = expected(&[("f", 5), ("g", 2)]);
    assert_eq!(hottest(&mut history, Window::Last(Duration::from_secs(60))), both);
    assert_eq!(hottest(&mut history, Window::Start), both);
    history.restart();
    history.absorb(delta("cpp;main;h 1", 100)).unwrap();
    assert_eq!(
        hottest(&mut history, Window::Last(Duration::from_secs(60))),
        expected(&[("h", 1)])
    );
    assert_eq!(history.recent.len(), 1);
}

#[test]
fn samples_from_before_and_after_a_restart_meet_in_one_row() {
    let mut history = History::new(Duration::from_secs(60));
    history.absorb(delta("app/7;main;x;f 5", 0)).unwrap();
    history.restart();
    // Other numbers for the same rows.
    history
        .absorb(delta("other/9;start 1\napp/7;main;x;f 3", 1))
        .unwrap();
    assert_eq!(hottest(&mut history, TEN), expected(&[("f", 8), ("start", 1)]));
    let profile = history.shown();
    assert_eq!((profile.stacks.len(), profile.processes.len()), (4, 2));
}

#[test]
fn names_that_become_known_later_are_shown() {
    let mut history = History::new(Duration::from_secs(60));
    let mut first = delta("app;main;f 5", 0);
    let lines = std::mem::take(&mut first.lines);
    let functions = std::mem::take(&mut first.functions);
    history.absorb(first).unwrap();
    assert_eq!(hottest(&mut history, TEN), expected(&[("app+0x1010", 5)]));
    history
        .absorb(Delta {
            lines,
            functions,
            ..Delta::default()
        })
        .unwrap();
    assert_eq!(hottest(&mut history, TEN), expected(&[("f", 5)]));
}

#[test]
fn tables_stay_bounded_over_many_restarts() {
    let mut history = History::new(Duration::from_secs(60));
    history.since_start = Fair::new(100);
    for turn in 0..300 {
        let text = format!("app{turn};main{turn};f{turn};{turn} 10");
        history.absorb(delta(&text, turn)).unwrap();
        history.restart();
    }
    // 60 s of one stack of three nodes each, and at most 100 samples since the start.
    let stacks = history.shown().stacks.len();
    assert!(stacks <= 3 * (62 + 100), "{stacks}");
    assert!(history.shown().functions.len() <= stacks);
    assert!(history.shown().processes.len() <= stacks / 3);
    assert_eq!(history.shown().lines.len(), history.shown().locations.len());
    assert!(history.quality.len() <= 61);
}

#[test]
fn a_fair_choice_keeps_shares_and_sums() {
    let mut history = History::new(Duration::from_secs(1));
    history.since_start = Fair::new(4_000);
    for _ in 0..50 {
        history.restart();
        history.absorb(delta("app;f 750\napp;g 250", 0)).unwrap();
    }
    assert!(history.since_start.halvings >= 3);
    history.show(Window::Start);
    let functions = functions(history.shown(), &Selection::default());
    let share = functions.rows[0].self_value as f64 / functions.total_value as f64;
    assert_eq!(functions.rows[0].label, "f");
    assert!((share - 0.75).abs() < 0.03, "{share}");
    let samples = functions.total_value as f64 / crate::profile::folded::PERIOD_NS as f64;
    assert!((samples / 50_000.0 - 1.0).abs() < 0.1, "{samples}");
}

#[test]
fn who_ended_a_wait_is_known_still_after_a_restart() {
    let mut history = History::new(Duration::from_secs(60));
    let mut waits = delta("cat/9;main\napp/7;main\nsh/8;main", 0);
    waits.samples.remove(0);
    waits.samples[0].waker = Waker::Thread(Id::new(0));
    waits.samples[1].waker = Waker::Nobody;
    // Other numbers for the same rows.
    history.absorb(delta("first/5;main", 0)).unwrap();
    history.restart();
    history.absorb(waits).unwrap();
    for _ in 0..2 {
        history.show(TEN);
        let profile = history.shown();
        let wakers: Vec<_> = profile.samples[1..].iter().map(|sample| sample.waker).collect();
        let (Waker::Thread(waker), Waker::Nobody) = (wakers[0], wakers[1]) else {
            panic!("{wakers:?}")
        };
        assert_eq!(profile.threads[waker].tid, 9);
        history.restart();
    }
    let mut broken = delta("app;f 1", 0);
    broken.samples[0].waker = Waker::Thread(Id::new(1));
    let error = history.absorb(broken).unwrap_err();
    assert_eq!(
        error.to_string(),
        "refers to row 1 of threads, which is not there"
    );
}

#[test]
fn a_delta_that_refers_to_nothing_is_refused_by_name() {
    let mut history = History::new(Duration::from_secs(1));
    let mut broken = delta("app;f 1", 0);
    broken.locations.clear();
    let error = history.absorb(broken).unwrap_err();
    assert_eq!(
        error.to_string(),
        "refers to row 0 of locations, which is not there"
    );
    assert_eq!(hottest(&mut history, TEN), []);
}
