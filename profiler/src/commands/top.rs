//! `profiler top`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::TopOptions;

pub(super) fn run(_options: TopOptions, _verbose: u8) -> Result<ExitCode> {
    anyhow::bail!("not there yet")
}
