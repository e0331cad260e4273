//! `profiler report`.

use std::{
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};

use super::{filter, view};
use crate::{
    cli::ReportOptions,
    export::{self, Format},
    profile::{
        Profile,
        file::{self, Loaded},
    },
    query::{Selection, Summary},
    report::{self, Report, View},
    symbolize,
};

/// The exit status for a recording below `--min-quality`.
const BAD_RECORDING: u8 = 5;
/// Smaller shares are left out of text, in percent.
const PERCENT_LIMIT: f64 = 0.5;
/// Rows of a table that are shown however small they are, unless a limit was asked for.
const AT_LEAST: usize = 10;
/// Columns of text that is not written to a terminal.
const PIPE_WIDTH: usize = 120;

pub(super) fn run(options: &ReportOptions) -> Result<ExitCode> {
    let view = view::view(options)?;
    let path = options.input.as_deref().unwrap_or(&options.trace);
    let mut loaded = file::read(path)?;
    if !options.debug_dirs.is_empty() {
        name_again(&mut loaded, &options.debug_dirs);
    }
    filter::prepare(&options.filter, &mut loaded.profile, options.html.is_some());
    let selection = filter::selection(&view::filter(options), path, &loaded.profile)?;
    if let Some(html) = &options.html {
        page(html, path, &loaded, &selection)?;
        return Ok(verdict(options, &loaded.profile, &selection));
    }
    view::check(view, path, &loaded.profile)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = write(options, view, path, &loaded, &selection, &mut out).and_then(|()| out.flush());
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("cannot write the report to standard output")?,
    }
    Ok(verdict(options, &loaded.profile, &selection))
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
    view: View,
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
        view,
        percent_limit: options
            .percent_limit
            .unwrap_or(if options.json { 0.0 } else { PERCENT_LIMIT }),
        at_least: if options.percent_limit.is_some() {
            0
        } else {
            AT_LEAST
        },
        limit: options.limit,
    };
    if options.json {
        report::json::write(&report, out)
    } else {
        report::text::write(&report, &layout(options.full_names), out)
    }
}

/// Writes the page that has all of it.
fn page(html: &Path, trace: &Path, loaded: &Loaded, selection: &Selection) -> Result<()> {
    let format = Format::named("html").context("the table of formats has no page")?;
    let drawing = export::Options {
        trace: &trace.to_string_lossy(),
        notes: &loaded.notes,
        ..export::Options::default()
    };
    super::export::write_file(html, format, &loaded.profile, selection, &drawing)
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

fn verdict(options: &ReportOptions, profile: &Profile, selection: &Selection) -> ExitCode {
    let Some(wanted) = options.min_quality else {
        return ExitCode::SUCCESS;
    };
    let summary = Summary::of(profile, selection);
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        profile::{
            Mark, State, ThreadTime,
            file::Writer,
            folded::{from_folded, with_waits},
        },
    };

    fn options(line: &str) -> ReportOptions {
        match Cli::parse_from(["profiler", "report"].into_iter().chain(line.split_whitespace())).command {
            Command::Report(options) => options,
            _ => unreachable!("the line begins with report"),
        }
    }

    /// A trace file with 4 samples in 40 ms, a wait, and how a thread spent the 40 ms.
    fn trace() -> tempfile::NamedTempFile {
        let profile = from_folded("app/7;main;hot 3\nother/9;main;read_[k] 1");
        let mut profile = with_waits(profile, "other/9;main;wait_[k] 60");
        let mut ns = [0; State::COUNT];
        (ns[State::Running as usize], ns[State::Lock as usize]) = (30_000_000, 10_000_000);
        profile.thread_times.push(ThreadTime {
            thread: profile.samples[0].thread,
            start_ns: 0,
            end_ns: 40_000_000,
            ns,
            waits: 2,
            preemptions: 1,
            in_calls_ns: None,
        });
        let mut delta = profile.take_delta(&mut Mark::default());
        delta.lines = profile.lines.clone().into_iter().collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::to(file.reopen().unwrap(), "test").unwrap();
        writer.append(&delta).unwrap();
        writer.finish().unwrap();
        file
    }

    fn report(line: &str) -> String {
        let (file, options) = (trace(), options(line));
        let loaded = file::read(file.path()).unwrap();
        let selection = filter::selection(&view::filter(&options), file.path(), &loaded.profile).unwrap();
        let view = view::view(&options).unwrap();
        let mut out = Vec::new();
        write(&options, view, file.path(), &loaded, &selection, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_trace_file_is_reported_with_its_names() {
        let text = report("");
        assert!(
            text.starts_with("40 ms · 4 samples · lost 0 % · complete stacks 100 %"),
            "{text}"
        );
        assert!(text.contains("app       hot"), "{text}");
    }

    #[test]
    fn flags_choose_the_view_and_the_part() {
        assert!(report("--tree").contains("function and what it calls"));
        assert!(report("--inverted").contains("function and its callers"));
        assert!(report("--by thread").contains("thread"));
        assert!(report("--children").contains("total           self"));
        assert!(report("--sort total").contains("total           self"));
        assert!(report("-p 9").contains("(of 4: pid 9)"));
        assert!(
            report("--time 10ms-20ms --comm a*").contains("1 busy sample (of 4: time 10 ms-20 ms, comm a*)")
        );
        let json: serde_json::Value = serde_json::from_str(&report("--json -t 9 --no-kernel")).unwrap();
        assert_eq!(json["functions"][0]["function"], "main");
        assert_eq!(json["selection"]["tids"][0], 9);
    }

    #[test]
    fn small_shares_are_left_out_of_text_and_kept_in_json() {
        assert!(report("").contains("… 2 more"));
        let functions = |line| {
            let json: serde_json::Value = serde_json::from_str(&report(line)).unwrap();
            json["functions"].as_array().unwrap().len()
        };
        assert_eq!(functions("--json"), 4);
        assert_eq!(functions("--json --percent-limit 50"), 1);
    }

    #[test]
    fn a_bad_recording_is_exit_status_5() {
        let file = trace();
        let mut profile = file::read(file.path()).unwrap().profile;
        let code = |line, profile: &_| verdict(&options(line), profile, &Selection::default());
        assert_eq!(code("--min-quality 100", &profile), ExitCode::SUCCESS);
        profile.quality[0].lost.insert("ring full".into(), 1);
        assert_eq!(code("--min-quality 80", &profile), ExitCode::SUCCESS);
        assert_eq!(code("--min-quality 81", &profile), ExitCode::from(5));
        assert_eq!(code("", &profile), ExitCode::SUCCESS);
    }

    #[test]
    fn the_time_that_is_asked_for_is_the_base() {
        let off_cpu = report("--profile off-cpu");
        assert!(
            off_cpu.starts_with("40 ms · 1 waiting sample · lost 0 %"),
            "{off_cpu}"
        );
        assert!(
            off_cpu.contains("100 % = 1 waiting sample, 60 ms of waiting time;"),
            "{off_cpu}"
        );
        let wall = report("--profile wall");
        assert!(
            wall.contains("100 % = 5 busy or waiting samples, 100 ms of wall-clock time;"),
            "{wall}"
        );
        let json: serde_json::Value = serde_json::from_str(&report("--json --profile wall")).unwrap();
        assert_eq!(json["sample_type"]["name"], "wall");
        assert_eq!(json["functions"][0]["self"]["value"], 60_000_000);
    }

    #[test]
    fn states_are_shown_by_whose_they_are() {
        assert!(report("--view states").contains(" pid  process\n"));
        assert!(report("--view states --by thread").contains(" tid  thread\n"));
        let json: serde_json::Value = serde_json::from_str(&report("--view states --json")).unwrap();
        assert_eq!(json["states"]["rows"][0]["ns"]["lock"], 10_000_000);
    }

    #[test]
    fn who_ended_waits_is_asked_of_the_samples_of_waits() {
        let text = report("--view wakers");
        assert!(
            text.contains("100 % = 1 waiting sample, 60 ms of waiting time;"),
            "{text}"
        );
        assert!(text.contains("other    not known"), "{text}");
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "a -i b",
            "--tree --by process",
            "--sort name --tree",
            "--sort self --children",
        ] {
            let words = ["profiler", "report"].into_iter().chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
