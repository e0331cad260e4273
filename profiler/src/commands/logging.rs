//! What `-v` and `-vv` show, on standard error: decisions, and the kernel programs' own diagnostics.

use std::io::Write as _;

use log::{LevelFilter, Log, Metadata, Record};

use crate::query::clean;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("profiler")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // Standard error may be closed; then nobody listens.
            let _ = writeln!(
                std::io::stderr(),
                "profiler: {}",
                clean(&record.args().to_string())
            );
        }
    }

    fn flush(&self) {}
}

/// Shows as much as was asked for: what is missing, decisions, too (-v), or all (-vv).
pub(super) fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    log::set_max_level(level);
    // It is set once; a second logger would be a second call of this.
    let _ = log::set_logger(&Stderr);
}
