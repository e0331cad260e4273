//! What test runs came to, added up from what they printed.

use std::{
    fmt,
    io::{BufRead as _, BufReader, Write as _},
    ops::AddAssign,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result};

/// How many tests passed, failed, and did not run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

/// How a test says that it could not run here; libtest counts it as passed.
const NOT_RUN: &str = "NOT RUN: ";

impl Tally {
    /// Runs a command that runs tests, shows what it prints, and counts. A command that fails without a failed test
    /// (it did not compile, it crashed) counts as one.
    pub(crate) fn of(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let lines = BufReader::new(child.stdout.take().expect("standard output was piped"));
        let mut counter = Counter::default();
        let mut out = std::io::stdout().lock();
        for line in lines.split(b'\n') {
            let line = line.with_context(|| format!("cannot read what {program} prints"))?;
            out.write_all(&line)
                .and_then(|()| out.write_all(b"\n"))
                .context("cannot write to standard output")?;
            counter.add_line(&String::from_utf8_lossy(&line));
        }
        let status = child
            .wait()
            .with_context(|| format!("cannot wait for {program}"))?;
        let mut tally = counter.tally();
        if !status.success() && tally.failed == 0 {
            tally.failed = 1;
        }
        Ok(tally)
    }

    /// Prints the closing line; the exit status says whether a test failed.
    #[expect(clippy::print_stdout, reason = "the closing line is the result")]
    pub(crate) fn close(self) -> ExitCode {
        println!("{self}");
        if self.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The numbers of libtest's summaries, and what tests said themselves.
#[derive(Default)]
struct Counter {
    summaries: Tally,
    not_run: u64,
}

impl Counter {
    fn add_line(&mut self, line: &str) {
        if line.contains(NOT_RUN) {
            self.not_run += 1;
        }
        let Some(summary) = line.strip_prefix("test result: ") else {
            return;
        };
        let words: Vec<_> = summary
            .split([' ', ';', '.'])
            .filter(|word| !word.is_empty())
            .collect();
        let count = |what: &str| {
            let pair = words.windows(2).find(|pair| pair[1] == what);
            pair.and_then(|pair| pair[0].parse::<u64>().ok()).unwrap_or(0)
        };
        self.summaries += Tally {
            passed: count("passed"),
            failed: count("failed"),
            skipped: count("ignored") + count("filtered"),
        };
    }

    fn tally(self) -> Tally {
        let Tally {
            passed,
            failed,
            skipped,
        } = self.summaries;
        Tally {
            passed: passed.saturating_sub(self.not_run),
            failed,
            skipped: skipped + self.not_run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(printed: &str) -> Tally {
        let mut counter = Counter::default();
        printed.lines().for_each(|line| counter.add_line(line));
        counter.tally()
    }

    #[test]
    fn the_results_of_all_binaries_are_added_up() {
        let printed = "running 5 tests\n\
            test result: ok. 3 passed; 0 failed; 2 ignored; 0 measured; 4 filtered out; finished in 0.01s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(
            tally(printed),
            Tally {
                passed: 4,
                failed: 2,
                skipped: 6
            }
        );
    }

    #[test]
    fn a_test_that_could_not_run_has_not_passed() {
        let printed = "test short::nginx ... NOT RUN: short::nginx: nginx is not installed\nok\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(
            tally(printed),
            Tally {
                passed: 1,
                failed: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn a_command_that_fails_before_it_counts_is_a_failure() {
        let tally = Tally::of(Command::new("sh").args(["-c", "exit 101"])).unwrap();
        assert_eq!(
            tally,
            Tally {
                passed: 0,
                failed: 1,
                skipped: 0
            }
        );
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(
            Tally {
                passed: 7,
                failed: 0,
                skipped: 2
            }
            .to_string(),
            "7 passed, 0 failed, 2 skipped"
        );
    }
}
