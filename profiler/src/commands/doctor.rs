//! `profiler doctor`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::DoctorOptions;

pub(super) fn run(_options: &DoctorOptions) -> Result<ExitCode> {
    anyhow::bail!("not there yet")
}
