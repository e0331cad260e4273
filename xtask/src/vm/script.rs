//! The scripts of `tests/vm`: commands for a machine without a shell, and what they shall say.
//!
//! One statement a line; a line that starts with `#` is a comment.
//!
//! | statement | |
//! |---|---|
//! | `cpus N` | the machine has N CPUs (1) |
//! | `copy PROGRAM` | puts a static program of `tests/workloads` into `/bin` |
//! | `run COMMAND` | runs it to its end; words are separated by blanks, there is no quoting |
//! | `start COMMAND` | runs it beside what follows; its output goes to the next `wait` |
//! | `wait` | waits for what was started |
//! | `sleep SECONDS` | |
//! | `write PATH TEXT` | writes a file of `/proc` or `/sys` |
//! | `status N` | the step above must exit with N (0); `status any` if it does not matter |
//! | `expect TEXT` | the output of the step above must hold this |
//! | `refuse TEXT` | … and must not hold this |

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// Starts a line of the console that the machine's first process wrote itself.
const MARK: &str = "@vm ";

/// A script, read.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Script {
    pub(super) cpus: u32,
    /// Names of workloads.
    pub(super) programs: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// What the machine does, and what must come of it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Step {
    /// In the script, counted from 1.
    pub(super) line: usize,
    /// As written: the machine's first process reads it.
    pub(super) command: String,
    /// `None` if it does not matter.
    status: Option<i32>,
    expected: Vec<String>,
    refused: Vec<String>,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Passed,
    Failed(String),
}

impl Script {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut script = Self {
            cpus: 1,
            ..Self::default()
        };
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let step = || format!("line {line_number}: no step above `{line}`");
            match word {
                "" | "#" => {}
                "cpus" => {
                    script.cpus = rest
                        .parse()
                        .with_context(|| format!("line {line_number}: `{line}`"))?
                }
                "copy" => script.programs.push(rest.to_owned()),
                "run" | "start" | "wait" | "sleep" | "write" => script.steps.push(Step {
                    line: line_number,
                    command: line.to_owned(),
                    status: Some(0),
                    expected: Vec::new(),
                    refused: Vec::new(),
                }),
                "status" => {
                    let status = match rest {
                        "any" => None,
                        number => Some(
                            number
                                .parse()
                                .with_context(|| format!("line {line_number}: `{line}`"))?,
                        ),
                    };
                    script.steps.last_mut().with_context(step)?.status = status;
                }
                "expect" => script
                    .steps
                    .last_mut()
                    .with_context(step)?
                    .expected
                    .push(rest.to_owned()),
                "refuse" => script
                    .steps
                    .last_mut()
                    .with_context(step)?
                    .refused
                    .push(rest.to_owned()),
                _ => bail!("line {line_number}: `{word}` is no statement"),
            }
        }
        Ok(script)
    }

    /// What the machine runs, one step a line.
    pub(super) fn commands(&self) -> String {
        self.steps
            .iter()
            .map(|step| step.command.clone() + "\n")
            .collect()
    }

    /// Holds what the console showed against what each step shall come to.
    pub(super) fn judge(&self, console: &str) -> Vec<(&Step, Outcome)> {
        let mut alive = true;
        let mut outcomes = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let outcome = match shown(index, console) {
                Some((output, status)) => step.judge(&output, status),
                None if alive => {
                    Outcome::Failed(format!("the machine ended first:\n{}", last_lines(console)))
                }
                None => Outcome::Failed("not reached".into()),
            };
            alive &= shown(index, console).is_some();
            outcomes.push((step, outcome));
        }
        outcomes
    }
}

impl Step {
    fn judge(&self, output: &str, status: &str) -> Outcome {
        let mut reasons = Vec::new();
        if self.status.is_some_and(|wanted| status != wanted.to_string()) {
            reasons.push(format!("exit status {status}"));
        }
        reasons.extend(
            self.expected
                .iter()
                .filter(|text| !output.contains(*text))
                .map(|text| format!("no `{text}`")),
        );
        reasons.extend(
            self.refused
                .iter()
                .filter(|text| output.contains(*text))
                .map(|text| format!("`{text}` is there")),
        );
        if reasons.is_empty() {
            return Outcome::Passed;
        }
        Outcome::Failed(format!("{}\n{}", reasons.join(", "), last_lines(output)))
    }
}

/// The end of a text, where the reason stands: a verifier's log has thousands of lines before it.
fn last_lines(text: &str) -> String {
    const SHOWN: usize = 20;
    let lines: Vec<_> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

/// The output of a step and its exit status, if it came to its end.
fn shown(index: usize, console: &str) -> Option<(String, &str)> {
    let begin = format!("{MARK}{index} begin");
    let end = format!("{MARK}{index} end ");
    let mut lines = console
        .lines()
        .skip_while(|line| line.trim_end() != begin)
        .skip(1);
    let mut output = String::new();
    lines
        .find_map(|line| {
            // A program may end without a line feed, so the mark can stand anywhere.
            if let Some((before, status)) = line.split_once(&end) {
                output += before;
                return Some(status.trim_end());
            }
            output += line.trim_end_matches('\r');
            output += "\n";
            None
        })
        .map(|status| (output, status))
}

/// The scripts, in order of their names.
pub(super) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot read {}", directory.display()))?
            .path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "# Two steps.\ncpus 2\ncopy deep_static\n\nrun profiler doctor\nstatus any\nexpect kernel\nrefuse panic\nsleep 1\n";

    fn outcomes(console: &str) -> Vec<Outcome> {
        Script::parse(SCRIPT)
            .unwrap()
            .judge(console)
            .into_iter()
            .map(|(_, outcome)| outcome)
            .collect()
    }

    fn fails_with(outcome: &Outcome, reason: &str) -> bool {
        matches!(outcome, Outcome::Failed(text) if text.contains(reason))
    }

    #[test]
    fn a_script_says_what_is_done_and_what_must_come_of_it() {
        let script = Script::parse(SCRIPT).unwrap();
        assert_eq!(
            (script.cpus, script.programs.as_slice()),
            (2, ["deep_static".to_owned()].as_slice())
        );
        assert_eq!(script.commands(), "run profiler doctor\nsleep 1\n");
        assert_eq!((script.steps[0].line, script.steps[0].status), (5, None));
    }

    #[test]
    fn what_is_no_statement_is_refused() {
        for wrong in ["expect x", "walk", "cpus many", "run x\nstatus good"] {
            assert!(Script::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_step_passes_by_its_own_output_and_status() {
        let console = "boot\r\n@vm 0 begin\r\nthe kernel\r\n@vm 0 end 2\r\n@vm 1 begin\r\n@vm 1 end 0\r\n";
        assert_eq!(outcomes(console), [Outcome::Passed, Outcome::Passed]);
        let unended_line = "@vm 0 begin\r\nkernel@vm 0 end 0\r\n@vm 1 begin\r\n@vm 1 end 0\r\n";
        assert_eq!(outcomes(unended_line), [Outcome::Passed, Outcome::Passed]);
    }

    #[test]
    fn a_step_fails_for_what_is_missing_refused_or_not_zero() {
        let console = "@vm 0 begin\r\npanic\r\n@vm 0 end 0\r\n@vm 1 begin\r\nkernel\r\n@vm 1 end 1\r\n";
        let outcomes = outcomes(console);
        assert!(
            fails_with(&outcomes[0], "no `kernel`, `panic` is there"),
            "{outcomes:?}"
        );
        assert!(fails_with(&outcomes[1], "exit status 1"), "{outcomes:?}");
    }

    #[test]
    fn a_machine_that_dies_fails_the_steps_that_it_did_not_end_and_shows_why_once() {
        let outcomes = outcomes("@vm 0 begin\r\nkernel\r\nKernel panic - not syncing\r\n");
        assert!(fails_with(&outcomes[0], "not syncing"), "{outcomes:?}");
        assert_eq!(outcomes[1], Outcome::Failed("not reached".into()));
    }
}
