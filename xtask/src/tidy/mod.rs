//! `cargo xtask tidy`: the rules of this code base that no compiler and no other linter knows.

mod code;
mod imports;
mod text;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};

use crate::{process::output, workspace};

/// What may lie at the top of the repository; files that start with a dot may as well.
const TOP_LEVEL: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "profiler",
    "profiler-common",
    "profiler-ebpf",
    "tests",
    "xtask",
];

#[derive(clap::Args)]
pub(crate) struct Options {}

/// A rule that a line breaks.
#[derive(Debug, Eq, PartialEq)]
struct Finding {
    /// Counted from 1.
    line: usize,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.text)
    }
}

#[expect(clippy::print_stdout, reason = "the findings are the result")]
pub(crate) fn run(_: &Options) -> Result<ExitCode> {
    let workspace = workspace();
    let files = files(&workspace)?;
    let mut findings = 0;
    let mut lengths = Vec::new();
    for path in &files {
        for finding in check(&workspace, path, &mut lengths)? {
            println!("{}:{finding}", path.display());
            findings += 1;
        }
    }
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let longest = lengths.last().copied().unwrap_or(0);
    println!(
        "tidy: {findings} findings in {} Rust files, median {median} lines, longest {longest}",
        lengths.len()
    );
    Ok(if findings == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn check(workspace: &Path, path: &Path, lengths: &mut Vec<usize>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let top = path.iter().next().unwrap_or_default().to_string_lossy();
    if !top.starts_with('.') && !TOP_LEVEL.contains(&&*top) {
        findings.push(Finding {
            line: 1,
            text: format!("{top} does not belong to the top level"),
        });
    }
    if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(workspace.join(path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        lengths.push(text.lines().count());
        let code = code::without_comments_and_strings(&text);
        findings.extend(text::check(&text, &code));
        if let Ok(inside) = path.strip_prefix("profiler/src") {
            findings.extend(imports::check(inside, &code));
        }
    }
    Ok(findings)
}

/// The files that are, or would be, committed.
fn files(workspace: &Path) -> Result<Vec<PathBuf>> {
    let list = output(Command::new("git").current_dir(workspace).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut files: Vec<_> = list
        .lines()
        .map(PathBuf::from)
        .filter(|path| workspace.join(path).exists())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}
