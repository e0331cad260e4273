//! `profiler export`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

use super::{filter, output};
use crate::{
    cli::ExportOptions,
    export::{self, Format, Options},
    profile::{
        Profile,
        file::{self, Loaded},
    },
    query::{Selection, clean},
};

pub(super) fn run(options: &ExportOptions) -> Result<ExitCode> {
    // What cannot be done is said before a large trace is read.
    let mut outputs = Vec::new();
    for path in &options.output {
        outputs.push((path.as_path(), format_for(path, options.format)?));
    }
    match options.format {
        Some(format) if outputs.is_empty() => outputs.push((Path::new("-"), format)),
        None if outputs.is_empty() => {
            bail!(
                "say where to write with -o; its extension names the format:\n{}",
                export::list()
            )
        }
        _ => {}
    }
    let to_terminal = io::stdout().is_terminal();
    if let Some((_, format)) = outputs
        .iter()
        .find(|(path, format)| is_stdout(path) && to_terminal && !format.text)
    {
        let extension = format.extensions.first().unwrap_or(&"");
        bail!(
            "{} is not for a terminal: write it to a file (-o out{extension}) or a pipe",
            format.name
        );
    }

    if let Some((_, format)) = outputs.iter().find(|(_, format)| !format.compares)
        && options.against.is_some()
    {
        bail!(
            "{} shows one trace; --against is for a file that ends in .html",
            format.name
        );
    }

    let Loaded { mut profile, notes } = file::read(&options.trace)?;
    tell(&notes);
    let has_page = outputs.iter().any(|(_, format)| format.compares);
    filter::prepare(&options.filter, &mut profile, has_page);
    let selection = filter::selection(&options.filter, &options.trace, &profile)?;
    let samples = selection.matcher(&profile).samples().count();
    if samples == 0 && outputs.iter().any(|(_, format)| !format.says_nothing) {
        match profile.samples.len() {
            0 => bail!("{} holds no samples", options.trace.display()),
            held => bail!(
                "no sample of {held} in {} passes the filters",
                options.trace.display()
            ),
        }
    }
    let base = match &options.against {
        Some(path) => {
            let Loaded { mut profile, notes } = file::read(path)?;
            tell(&notes);
            filter::prepare(&options.filter, &mut profile, has_page);
            let selection = filter::selection(&options.filter, path, &profile)?;
            Some((path.to_string_lossy(), profile, notes, selection))
        }
        None => None,
    };
    let drawing = Options {
        inverted: options.inverted,
        trace: &options.trace.to_string_lossy(),
        notes: &notes,
        against: base
            .as_ref()
            .map(|(trace, profile, notes, selection)| export::Recording {
                trace,
                profile,
                notes,
                selection,
            }),
    };
    for (path, format) in outputs {
        write(path, format, &profile, &selection, &drawing)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with the trace, in front of whoever exports it.
fn tell(notes: &[String]) {
    for note in notes {
        #[expect(clippy::print_stderr, reason = "standard output may be an export")]
        {
            eprintln!("note: {}", clean(note));
        }
    }
}

fn write(
    path: &Path,
    format: &Format,
    profile: &Profile,
    selection: &Selection,
    drawing: &Options<'_>,
) -> Result<()> {
    if is_stdout(path) {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = (format.write)(profile, selection, drawing, &mut out).and_then(|()| out.flush());
        return match written {
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("cannot write to standard output"),
        };
    }
    write_file(path, format, profile, selection, drawing)
}

/// Writes the file and says so.
pub(super) fn write_file(
    path: &Path,
    format: &Format,
    profile: &Profile,
    selection: &Selection,
    drawing: &Options<'_>,
) -> Result<()> {
    let size = output::write_file(path, |out| (format.write)(profile, selection, drawing, out))?;
    #[expect(
        clippy::print_stderr,
        reason = "the closing line; standard output may be an export"
    )]
    {
        eprintln!(
            "wrote {} ({}, {:.1} kB)",
            path.display(),
            format.name,
            size as f64 / 1e3
        );
    }
    Ok(())
}

fn format_for(path: &Path, asked: Option<&'static Format>) -> Result<&'static Format> {
    if let Some(format) = asked.or_else(|| Format::of_path(path)) {
        return Ok(format);
    }
    if is_stdout(path) {
        bail!(
            "standard output has no extension: name the format with --format:\n{}",
            export::list()
        );
    }
    bail!(
        "no format has the extension of {}; use one of these, or --format:\n{}",
        path.display(),
        export::list()
    )
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_that_nobody_knows_is_answered_with_those_that_are_known() {
        let error = format_for(Path::new("out.png"), None).unwrap_err().to_string();
        assert!(error.contains("out.png"));
        for format in export::FORMATS {
            assert!(
                error.contains(format.name) && error.contains(format.extensions[0]),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_asked_for_wins_over_the_extension() {
        let folded = Format::named("folded").unwrap();
        assert_eq!(
            format_for(Path::new("out.svg"), Some(folded)).unwrap().name,
            "folded"
        );
        assert_eq!(format_for(Path::new("-"), Some(folded)).unwrap().name, "folded");
        assert!(format_for(Path::new("-"), None).is_err());
    }
}
