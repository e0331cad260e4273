//! `profiler top`.

mod code;

use std::{
    ffi::OsString,
    io::{self, ErrorKind, Write as _},
    path::Path,
    process::ExitCode,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{
    output,
    settings::{self, Settings},
    start, target,
};
use crate::{
    cli::{
        TopOptions, TopSort, TopTheme, TopWindow,
        target::{MAX_OVERHEAD, ProbeName},
    },
    collect::{Batch, Session},
    export::{self, FORMATS, Format},
    profile::{
        Profile,
        file::{self, Loaded},
    },
    query::Selection,
    symbolize::{self, Symbolizer},
    tui::{self, Ending, Farewell, Feed, Keymap},
};

/// How often the collector hands on what is new, in milliseconds: the first picture comes after that.
const WINDOW_MS: u64 = 500;

/// How long the collector may take to end before it is left behind.
const PATIENCE: Duration = Duration::from_millis(300);

/// Shows the dashboard until the user leaves.
pub(super) fn run(options: TopOptions, line: &[OsString], verbose: u8) -> Result<ExitCode> {
    if options.print_config {
        return match io::stdout().write_all(settings::printed().as_bytes()) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            written => written
                .map(|()| ExitCode::SUCCESS)
                .context("cannot write to standard output"),
        };
    }
    let settings = Settings::of(&options)?;
    let options = settings.apply(options, line);
    let Farewell { why, recorded } = match &options.trace {
        Some(trace) => replay(trace, &options, settings.keys)?,
        None => live(&options, settings.keys, verbose)?,
    };
    if let Some(recorded) = recorded {
        // Standard error may be closed; then nobody listens.
        let _ = io::stderr().write_all(format!("{recorded}\n").as_bytes());
    }
    Ok(match why {
        Ending::Left | Ending::HungUp => ExitCode::SUCCESS,
        Ending::Signal(number) => ExitCode::from(128 + number as u8),
        Ending::Panicked => ExitCode::FAILURE,
    })
}

/// Shows a trace. Damage is no error as long as there is something to show.
fn replay(trace: &Path, options: &TopOptions, keys: Keymap) -> Result<Farewell> {
    let loaded = file::read(trace)?;
    if let Some(why) = nothing_in(&loaded) {
        bail!("{} holds nothing to show: {why}", trace.display());
    }
    tui::check_terminal()?;
    let Loaded { profile, notes } = loaded;
    let recording = tui::Recording {
        name: trace.display().to_string(),
        profile,
        notes,
    };
    tui::replay(
        recording,
        tui::Options {
            keys,
            ..display(options, tui::Window::Start)
        },
    )
}

/// Why there is nothing to show, if there is nothing.
fn nothing_in(Loaded { profile, notes }: &Loaded) -> Option<String> {
    let held = profile.samples.len()
        + profile.thread_times.len()
        + profile.latencies.len()
        + profile.slow.len()
        + profile.lock_waits.len();
    (held == 0).then(|| match notes.as_slice() {
        [] => "nothing was sampled and nothing measured while it was recorded".to_owned(),
        notes => notes.join("; "),
    })
}

/// How the dashboard begins.
fn display(options: &TopOptions, window: tui::Window) -> tui::Options {
    tui::Options {
        window: match options.window {
            Some(TopWindow::Last(time)) => tui::Window::Last(time),
            Some(TopWindow::Decaying(half)) => tui::Window::Decaying(half),
            Some(TopWindow::Start) => tui::Window::Start,
            None => window,
        },
        refresh: options.refresh,
        sort: match options.sort {
            TopSort::Own => tui::Sort::Own,
            TopSort::Total => tui::Sort::Total,
        },
        overview: true,
        colours: options.theme.map(|theme| match theme {
            TopTheme::Dark => tui::Colours::Dark,
            TopTheme::Light => tui::Colours::Light,
            TopTheme::Sixteen => tui::Colours::Sixteen,
        }),
        export: Some(export),
        code: Some(code::READ),
        ..tui::Options::default()
    }
}

/// Writes what the dashboard shows, in the format that the file's name ends with.
fn export(profile: &Profile, selection: &Selection, inverted: bool, path: &Path) -> Result<String> {
    let Some(format) = Format::of_path(path) else {
        let known: Vec<_> = FORMATS
            .iter()
            .flat_map(|format| format.extensions)
            .copied()
            .collect();
        bail!("no format has that extension: {}", known.join(" "));
    };
    let options = export::Options {
        inverted,
        trace: "what top shows",
        notes: &[],
        against: None,
    };
    let size = output::write_file(path, |out| (format.write)(profile, selection, &options, out))?;
    Ok(format!(
        "wrote {} ({}, {:.1} kB)",
        path.display(),
        format.name,
        size as f64 / 1e3
    ))
}

/// Shows what happens now.
fn live(options: &TopOptions, keys: Keymap, verbose: u8) -> Result<Farewell> {
    // What the dashboard does not show is not measured.
    let mut probes = vec![ProbeName::Cpu];
    for (probe, wanted) in [
        (ProbeName::States, !options.no_states),
        (ProbeName::Syscalls, !options.no_states && !options.no_calls),
        (ProbeName::Lock, !options.no_states && !options.no_locks),
        (ProbeName::OffCpu, options.off_cpu),
    ] {
        probes.extend(wanted.then_some(probe));
    }
    let mut what = target::options(&options.target, &options.sampling, &probes, verbose)?;
    what.window_ms = WINDOW_MS;
    what.looks_on = true;
    what.max_overhead = Some(options.max_overhead.unwrap_or(MAX_OVERHEAD));
    let display = tui::Options {
        keys,
        off_cpu: options.off_cpu,
        no_states: missing(what.states, options.no_states),
        no_calls: missing(what.calls, options.no_states || options.no_calls),
        no_locks: missing(what.locks, options.no_states || options.no_locks),
        ..display(options, tui::Window::default())
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
    drop(fed);
    session.stopper().stop();
    join(session)?;
    // It may be reading the symbols of something large, for seconds. Nobody waits for names any more, and it leaves
    // nothing behind: it ends with the process.
    if naming.is_finished() && naming.join().is_err() {
        bail!("the thread that gives names to addresses panicked");
    }
    ending
}

/// Waits for the collector's end, but not for long: it may be reading the unwind tables of something large, and finishes
/// what nobody will see. All that it has in the kernel goes with the process.
///
/// # Errors
/// What went wrong while collecting.
fn join(session: Session) -> Result<()> {
    let (ended, end) = channel();
    std::thread::Builder::new()
        .name("end".into())
        // Nobody may be waiting any more.
        .spawn(move || drop(ended.send(session.join())))
        .context("cannot start a thread")?;
    end.recv_timeout(PATIENCE).unwrap_or(Ok(()))
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
    while let Ok(Batch {
        begins_anew,
        mut delta,
        files,
    }) = batches.recv()
    {
        if begins_anew {
            // Names are looked up anew, too: what it knows is by the old rows.
            symbolizer = Symbolizer::new(symbolize::Options::default());
            if feed.send(Feed::Restart).is_err() {
                return;
            }
        }
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        profile::folded::from_folded,
    };

    fn options(line: &str) -> Result<TopOptions, clap::Error> {
        let cli = Cli::try_parse_from(["profiler", "top"].into_iter().chain(line.split_whitespace()))?;
        match cli.command {
            Command::Top(options) => Ok(options),
            _ => unreachable!("the line begins with top"),
        }
    }

    #[test]
    fn a_trace_is_shown_whole_and_now_is_the_last_ten_seconds_unless_asked_otherwise() {
        let window = |line, otherwise| display(&options(line).unwrap(), otherwise).window;
        let ten = tui::Window::Last(Duration::from_secs(10));
        assert_eq!(window("", tui::Window::default()), ten);
        assert_eq!(window("a.trace", tui::Window::Start), tui::Window::Start);
        assert_eq!(window("-w 10s a.trace", tui::Window::Start), ten);
    }

    #[test]
    fn what_is_shown_is_written_in_the_format_of_the_files_name() {
        let directory = tempfile::tempdir().unwrap();
        let profile = from_folded("a;main;f 3\nb/9;main 2");
        let only = Selection {
            pids: vec![9],
            ..Selection::default()
        };
        let path = directory.path().join("out.folded");
        let said = export(&profile, &only, false, &path).unwrap();
        assert!(said.contains("out.folded (folded"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b;main 2\n");
        let error = export(&profile, &only, false, Path::new("out.png")).unwrap_err();
        assert!(error.to_string().contains(".svg"), "{error}");
    }

    #[test]
    fn what_to_record_cannot_be_asked_of_a_trace() {
        for line in [
            "-p 1 a.trace",
            "-a a.trace",
            "--no-calls a.trace",
            "--no-locks a.trace",
            "-F 999 a.trace",
            "--off-cpu a.trace",
            "--off-cpu --no-states",
        ] {
            assert!(options(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_empty_trace_is_refused_with_what_is_wrong_with_it() {
        let loaded = |profile, notes| Loaded { profile, notes };
        let torn = vec!["the last 7 bytes are a torn chunk".to_owned()];
        assert!(
            nothing_in(&loaded(Profile::default(), torn))
                .unwrap()
                .contains("torn chunk")
        );
        assert!(
            nothing_in(&loaded(Profile::default(), Vec::new()))
                .unwrap()
                .contains("nothing was sampled")
        );
        assert_eq!(nothing_in(&loaded(from_folded("a;main 1"), Vec::new())), None);
    }
}
