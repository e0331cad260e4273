//! `profiler doctor`.

mod cost;

use std::{
    io::{self, IsTerminal as _, Write},
    process::ExitCode,
};

use anyhow::Result;
use serde::Serialize;

use crate::{
    cli::DoctorOptions,
    collect::kernel::{Check, Facts, Status, check::can_record, checks},
};

/// The version of the JSON. It grows when a field changes its meaning or goes, not when one is added.
const SCHEMA: &str = "profiler.doctor/1";
/// Between the status and the text.
const INDENT: usize = 10;

#[derive(Serialize)]
struct Answer<'a> {
    schema: &'static str,
    can_record: bool,
    kernel: &'a str,
    machine: &'a str,
    checks: &'a [Check],
    /// What recording costs; empty where nothing can be recorded, or it was not measured.
    costs: &'a [cost::Cost],
}

pub(super) fn run(options: &DoctorOptions) -> Result<ExitCode> {
    let facts = Facts::gather();
    let checks = checks(&facts);
    let can_record = can_record(&checks);
    // What is missing was said by the checks; what goes wrong all the same is worth a line.
    let costs = match can_record {
        true => cost::measure(),
        false => Ok(Vec::new()),
    };
    let mut out = io::stdout().lock();
    let written = if options.json {
        let answer = Answer {
            schema: SCHEMA,
            can_record,
            kernel: &facts.release,
            machine: &facts.machine,
            checks: &checks,
            costs: costs.as_deref().unwrap_or_default(),
        };
        serde_json::to_writer_pretty(&mut out, &answer)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        let width = io::stdout().is_terminal().then(width).flatten();
        print(&mut out, &checks, width).and_then(|()| match &costs {
            Ok(costs) if costs.is_empty() => Ok(()),
            Ok(costs) => cost::print(&mut out, costs),
            Err(error) => writeln!(out, "What it costs could not be measured: {error:#}"),
        })
    };
    match written {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(if can_record {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One line for each check; on a terminal, long ones go on below themselves.
fn print(out: &mut dyn Write, checks: &[Check], width: Option<usize>) -> io::Result<()> {
    for check in checks {
        let text = check.text();
        let mut lines = match width {
            Some(width) => wrap(&text, width.saturating_sub(INDENT)),
            None => vec![text.as_str()],
        }
        .into_iter();
        writeln!(
            out,
            "{:<INDENT$}{}",
            check.status.name(),
            lines.next().unwrap_or_default()
        )?;
        for line in lines {
            writeln!(out, "{:INDENT$}{line}", "")?;
        }
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (missing, degraded) = (count(Status::Missing), count(Status::Degraded));
    let plural = |count: usize| if count == 1 { "thing is" } else { "things are" };
    match (missing, degraded) {
        (0, 0) => writeln!(out, "\nprofiler can record here."),
        (0, _) => writeln!(
            out,
            "\nprofiler can record here; {degraded} {} degraded.",
            plural(degraded)
        ),
        _ => writeln!(
            out,
            "\nprofiler cannot record here: {missing} {} missing.",
            plural(missing)
        ),
    }
}

/// Breaks between words. A word that is too long stays whole.
fn wrap(text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.chars().count() > width {
        let limit = rest
            .char_indices()
            .nth(width + 1)
            .map_or(rest.len(), |(at, _)| at);
        let Some(at) = rest[..limit].rfind(' ').or_else(|| rest.find(' ')) else {
            break;
        };
        lines.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    lines.push(rest);
    lines
}

/// Of the terminal, in characters.
fn width() -> Option<usize> {
    let (columns, _) = crossterm::terminal::size().ok()?;
    (columns >= 40).then_some(usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status) -> Check {
        Check {
            status,
            name: "thing",
            found: "found".into(),
            meaning: "meaning".into(),
            mend: "mend".into(),
        }
    }

    fn printed(checks: &[Check], width: Option<usize>) -> String {
        let mut out = Vec::new();
        print(&mut out, checks, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_says_status_thing_meaning_and_mend() {
        assert_eq!(
            printed(&[check(Status::Degraded)], None),
            "degraded  thing: found; meaning; mend\n\nprofiler can record here; 1 thing is degraded.\n"
        );
        assert!(
            printed(&[check(Status::Missing), check(Status::Missing)], None)
                .ends_with("\nprofiler cannot record here: 2 things are missing.\n")
        );
    }

    #[test]
    fn on_a_terminal_lines_stay_inside_it() {
        assert_eq!(
            printed(&[check(Status::Ok)], Some(30)),
            "ok        thing: found;\n          meaning; mend\n\nprofiler can record here.\n"
        );
    }

    #[test]
    fn no_word_is_lost_by_wrapping() {
        let text = "the quick brown fox jumps over the lazy dog averyveryverylongword end";
        for width in 0..80 {
            let lines = wrap(text, width);
            assert_eq!(lines.join(" "), text);
            let fits = |line: &&str| line.chars().count() <= width || !line.contains(' ');
            assert!(lines.iter().all(fits), "{width}: {lines:?}");
        }
    }
}
