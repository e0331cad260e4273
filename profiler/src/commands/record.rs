//! `profiler record`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::RecordOptions;

pub(super) fn run(_options: RecordOptions, _verbose: u8) -> Result<ExitCode> {
    anyhow::bail!("not there yet")
}
