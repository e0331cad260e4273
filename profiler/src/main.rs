//! Run, print the error chain; the only exit.

use std::process::ExitCode;

use profiler::commands;

fn main() -> ExitCode {
    match commands::run(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where errors are shown")]
            {
                eprintln!("profiler: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
