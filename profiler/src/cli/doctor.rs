//! The flags of `profiler doctor`.

use clap::Args;

#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// Print JSON, for machines
    #[arg(long)]
    pub json: bool,
}
