//! `profiler report`.

use std::{
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};

use super::filter;
use crate::{
    cli::{By, ReportOptions, SortKey},
    profile::file::{self, Loaded},
    query::{Direction, GroupBy, Selection, Summary},
    report::{self, Report, Sort, View},
    symbolize,
};

/// The exit status for a recording below `--min-quality`.
const BAD_RECORDING: u8 = 5;
/// Smaller shares are left out of text, in percent.
const PERCENT_LIMIT: f64 = 0.5;
/// Columns of text that is not written to a terminal.
const PIPE_WIDTH: usize = 120;

pub(super) fn run(options: &ReportOptions) -> Result<ExitCode> {
    let path = options.input.as_deref().unwrap_or(&options.trace);
    let mut loaded = file::read(path)?;
    if !options.debug_dirs.is_empty() {
        name_again(&mut loaded, &options.debug_dirs);
    }
    let selection = filter::selection(&options.filter);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = write(options, path, &loaded, &selection, &mut out).and_then(|()| out.flush());
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("cannot write the report to standard output")?,
    }
    Ok(verdict(options, &Summary::of(&loaded.profile, &selection)))
}

/// Names functions by what is on this machine. Without being asked it is not done: a trace reads the same everywhere.
fn name_again(loaded: &mut Loaded, debug_dirs: &[PathBuf]) {
    let options = symbolize::Options {
        debug_dirs: debug_dirs.to_vec(),
        ..symbolize::Options::default()
    };
    let summary = symbolize::resymbolize(&mut loaded.profile, &options);
    loaded.notes.extend(summary.notes);
}

fn write(
    options: &ReportOptions,
    path: &Path,
    loaded: &Loaded,
    selection: &Selection,
    out: &mut dyn Write,
) -> io::Result<()> {
    let report = Report {
        trace: &path.to_string_lossy(),
        profile: &loaded.profile,
        notes: &loaded.notes,
        selection,
        view: view(options),
        percent_limit: options
            .percent_limit
            .unwrap_or(if options.json { 0.0 } else { PERCENT_LIMIT }),
        limit: options.limit,
    };
    if options.json {
        report::json::write(&report, out)
    } else {
        report::text::write(&report, &layout(options.full_names), out)
    }
}

fn view(options: &ReportOptions) -> View {
    if options.inverted {
        return View::Tree(Direction::BottomUp);
    }
    if options.tree {
        return View::Tree(Direction::TopDown);
    }
    if let Some(by) = options.by {
        return View::Groups(match by {
            By::Process => GroupBy::Process,
            By::Thread => GroupBy::Thread,
            By::Comm => GroupBy::Comm,
            By::Module => GroupBy::Module,
            By::Cgroup => GroupBy::Cgroup,
            By::Unit => GroupBy::Unit,
            By::Container => GroupBy::Container,
            By::Outcome => GroupBy::Outcome,
        });
    }
    View::Functions(match options.sort {
        Some(SortKey::Total) => Sort::Total,
        Some(SortKey::Name) => Sort::Name,
        Some(SortKey::Module) => Sort::Module,
        None if options.children => Sort::Total,
        Some(SortKey::SelfTime) | None => Sort::SelfValue,
    })
}

fn layout(full_names: bool) -> report::text::Layout {
    let terminal = io::stdout().is_terminal();
    let width = match crossterm::terminal::size() {
        Ok((columns, _)) if terminal && columns > 0 => columns.into(),
        _ => PIPE_WIDTH,
    };
    // https://no-color.org: any value that is not empty.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    report::text::Layout {
        width: (!full_names).then_some(width),
        color: terminal && !no_color && !dumb,
    }
}

fn verdict(options: &ReportOptions, summary: &Summary) -> ExitCode {
    let Some(wanted) = options.min_quality else {
        return ExitCode::SUCCESS;
    };
    let quality = summary.quality_percent();
    if quality >= wanted {
        return ExitCode::SUCCESS;
    }
    #[expect(clippy::print_stderr, reason = "the report itself goes to standard output")]
    {
        eprintln!(
            "profiler: bad recording: quality {} is below {wanted} % (lost {}, did not run {}, complete stacks {})",
            report::text::percent(quality),
            report::text::percent(summary.lost_percent()),
            report::text::percent(summary.never_ran_percent()),
            summary
                .complete_percent()
                .map_or("none".to_owned(), report::text::percent),
        );
    }
    ExitCode::from(BAD_RECORDING)
}
