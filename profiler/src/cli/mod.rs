//! Every command and flag, and nothing else.

mod doctor;
mod export;
mod filter;
mod record;
mod report;
pub mod target;
mod top;

use clap::{Parser, Subcommand};

pub use doctor::DoctorOptions;
pub use export::ExportOptions;
pub use filter::{FilterOptions, ProfileTime, TimeRange, duration};
pub use record::RecordOptions;
pub use report::{By, LockKind, ReportOptions, ReportView, SortKey};
pub use top::{TopOptions, TopSort, TopTheme, TopWindow};

/// Where does the time of this host go, and how sure are we?
#[derive(Debug, Parser)]
#[command(name = "profiler", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Say more: -v for decisions, -vv also for the kernel programs' own diagnostics
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the whole system does and what it waits for, live; or open a trace in the same views
    Top(TopOptions),
    /// Record a trace file
    Record(RecordOptions),
    /// Read a trace file; needs no privileges
    Report(ReportOptions),
    /// Write a trace in a format that another tool reads
    Export(ExportOptions),
    /// Say what this kernel and these privileges can and cannot do, and the mend
    Doctor(DoctorOptions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
