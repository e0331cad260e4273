//! `profiler export`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::ExportOptions;

pub(super) fn run(_options: &ExportOptions) -> Result<ExitCode> {
    anyhow::bail!("not there yet")
}
