//! `profiler report`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::ReportOptions;

pub(super) fn run(_options: &ReportOptions) -> Result<ExitCode> {
    anyhow::bail!("not there yet")
}
