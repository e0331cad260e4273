//! `profiler top`.

use std::{
    process::ExitCode,
    sync::mpsc::{Receiver, Sender, channel},
};

use anyhow::{Context as _, Result};

use super::{start, target};
use crate::{
    cli::{
        TopOptions, TopSort, TopWindow,
        target::{MAX_OVERHEAD, ProbeName},
    },
    collect::Batch,
    symbolize::{self, Symbolizer},
    tui::{self, Ending, Feed},
};

/// How often the collector hands on what is new, in milliseconds: the first picture comes after that.
const WINDOW_MS: u64 = 500;

/// Shows the dashboard until the user leaves.
pub(super) fn run(options: TopOptions, verbose: u8) -> Result<ExitCode> {
    // What the dashboard does not show is not measured.
    let probes: &[_] = match (options.no_states, options.no_calls) {
        (true, _) => &[ProbeName::Cpu],
        (_, true) => &[ProbeName::Cpu, ProbeName::States],
        _ => &[ProbeName::Cpu, ProbeName::States, ProbeName::Syscalls],
    };
    let mut what = target::options(&options.target, &options.sampling, probes, verbose)?;
    what.window_ms = WINDOW_MS;
    what.max_overhead = Some(options.max_overhead.unwrap_or(MAX_OVERHEAD));
    let display = tui::Options {
        window: match options.window {
            TopWindow::Last(time) => tui::Window::Last(time),
            TopWindow::Start => tui::Window::Start,
        },
        refresh: options.refresh,
        sort: match options.sort {
            TopSort::Own => tui::Sort::Own,
            TopSort::Total => tui::Sort::Total,
        },
        no_states: missing(what.states, options.no_states),
        no_calls: missing(what.calls, options.no_states || options.no_calls),
    };
    tui::check_terminal()?;
    let mut session = start::session(what)?;
    let batches = session
        .take_batches()
        .context("a session has its batches until they are taken")?;
    let (feed, fed) = channel();
    let naming = move || name(&batches, &feed);
    let naming = std::thread::Builder::new()
        .name("symbolize".into())
        .spawn(naming)
        .context("cannot start a thread")?;
    let ending = tui::run(&fed, display);
    // The thread that gives names ends when its deltas find no reader.
    drop(fed);
    session.stopper().stop();
    session.join()?;
    naming
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that gives names to addresses panicked"))?;
    Ok(match ending? {
        Ending::Left | Ending::HungUp => ExitCode::SUCCESS,
        Ending::Signal(number) => ExitCode::from(128 + number as u8),
        Ending::Panicked => ExitCode::FAILURE,
    })
}

/// Why something is not measured, if it is not.
fn missing(measured: bool, unwanted: bool) -> Option<tui::Missing> {
    match (measured, unwanted) {
        (true, _) => None,
        (_, true) => Some(tui::Missing::Flag),
        _ => Some(tui::Missing::Filter),
    }
}

/// Gives names to what the collector hands on, and passes it to the dashboard.
fn name(batches: &Receiver<Batch>, feed: &Sender<Feed>) {
    let mut symbolizer = Symbolizer::new(symbolize::Options::default());
    while let Ok(Batch { mut delta, files }) = batches.recv() {
        for (mapping, file) in files {
            symbolizer.offer_file(mapping, file);
        }
        symbolizer.follow(&mut delta);
        let ended = delta.ended;
        if feed.send(Feed::Delta(Box::new(delta))).is_err() {
            return;
        }
        if ended {
            break;
        }
    }
    // The dashboard may be gone.
    let _ = feed.send(Feed::Ended("recording has ended".to_owned()));
}
