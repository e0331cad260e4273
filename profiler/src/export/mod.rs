//! Formats that other tools read.
//!
//! A new format is one file with a `FORMAT` and a line in [`FORMATS`]: `--format`, `--help`, extensions and the tests
//! that every format must pass come from there. Text from the profiled world is cleaned on the way out.

mod flamegraph;
mod folded;
mod html;
mod paths;
mod pprof;
mod pprof_proto;
mod quality;
mod text;

use std::{
    io::{self, Write},
    path::Path,
};

use crate::{profile::Profile, query::Selection};

/// A format that other tools read.
#[derive(Debug)]
pub struct Format {
    /// What `--format` says.
    pub name: &'static str,
    /// The ends of file names that mean it, with the dot.
    pub extensions: &'static [&'static str],
    /// What it is, in a few words.
    pub about: &'static str,
    /// Whether a person can read it on a terminal.
    pub text: bool,
    /// Whether it says so itself where no sample was selected; others have nothing to write then.
    pub says_nothing: bool,
    /// Whether it can hold one recording against another.
    pub compares: bool,
    /// Writes the selected samples.
    pub write: fn(&Profile, &Selection, &Options<'_>, &mut dyn Write) -> io::Result<()>,
}

/// How to draw what has more than one way to be drawn, and what else a format may tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Flame graphs grow downwards.
    pub inverted: bool,
    /// What the trace is called.
    pub trace: &'a str,
    /// What is wrong with the trace, in sentences.
    pub notes: &'a [String],
    /// The recording that this one is held against, in formats that can show two.
    pub against: Option<Recording<'a>>,
}

/// A recording, and what of it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// What the trace is called.
    pub trace: &'a str,
    /// What it holds.
    pub profile: &'a Profile,
    /// What is wrong with it, in sentences.
    pub notes: &'a [String],
    /// What of it is shown.
    pub selection: &'a Selection,
}

/// Every format there is.
pub const FORMATS: &[Format] = &[flamegraph::FORMAT, html::FORMAT, folded::FORMAT, pprof::FORMAT];

impl Format {
    /// The format that `--format` calls `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The format that the end of a file's name stands for, whatever its case.
    pub fn of_path(path: &Path) -> Option<&'static Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        FORMATS.iter().find(|format| {
            format
                .extensions
                .iter()
                // `.svg` alone is a hidden file without an extension.
                .any(|extension| name.len() > extension.len() && name.ends_with(extension))
        })
    }
}

/// One line for each format: its name, its extensions and what it is.
pub fn list() -> String {
    FORMATS
        .iter()
        .map(|format| {
            format!(
                "  {:<8} {:<16} {}\n",
                format.name,
                format.extensions.join(" "),
                format.about
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::profile::folded::from_folded;

    #[test]
    fn names_and_extensions_are_unambiguous() {
        let names: HashSet<_> = FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
        let extensions: Vec<_> = FORMATS.iter().flat_map(|format| format.extensions).collect();
        for (index, extension) in extensions.iter().enumerate() {
            assert!(extension.starts_with('.'));
            assert!(
                !extensions[..index]
                    .iter()
                    .any(|other| other.ends_with(*extension)),
                "{extension}"
            );
        }
    }

    #[test]
    fn a_files_name_says_its_format() {
        let name = |path: &str| Format::of_path(Path::new(path)).map(|format| format.name);
        assert_eq!(name("/tmp/a.b.svg"), Some("svg"));
        assert_eq!(name("CPU.SVG"), Some("svg"));
        assert_eq!(name("out.pb.gz"), Some("pprof"));
        assert_eq!(name("out.txt"), Some("folded"));
        assert_eq!(name("out.gz"), None);
        assert_eq!(name("svg"), None);
        assert_eq!(name(".svg"), None);
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_leaves_in_any_format_that_is_text() {
        let profile = from_folded("ev\x1b[31mil;ma\u{202e}in;\x07bell\u{9b}2J 3");
        for format in FORMATS.iter().filter(|format| format.text) {
            let mut out = Vec::new();
            (format.write)(&profile, &Selection::default(), &Options::default(), &mut out).unwrap();
            let out = String::from_utf8(out).unwrap();
            assert!(
                out.contains("main") || out.contains("ma\u{fffd}in"),
                "{}",
                format.name
            );
            let bad = out
                .chars()
                .find(|&c| c != '\n' && (c.is_control() || c == '\u{202e}'));
            assert_eq!(bad, None, "{}", format.name);
        }
    }

    #[test]
    fn every_format_fails_when_the_disk_is_full() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        let profile = from_folded("app;main;f 3");
        for format in FORMATS {
            let result = (format.write)(&profile, &Selection::default(), &Options::default(), &mut Full);
            assert!(result.is_err(), "{}", format.name);
        }
    }
}
