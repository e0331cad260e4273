//! What is said about the host and the recording itself.

use std::fs;

use super::{clock, kernel_text, options::Options};
use crate::profile::Metadata;

/// The host now, and how it is going to be recorded.
pub fn gather(options: &Options, cpus: u32) -> Metadata {
    let kernel = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim_end().to_owned()
    };
    Metadata {
        hostname: kernel("hostname"),
        kernel_release: kernel("osrelease"),
        machine: std::env::consts::ARCH.to_owned(),
        kernel_build_id: kernel_text::build_id(),
        cpus,
        recorder: concat!("profiler ", env!("CARGO_PKG_VERSION")).to_owned(),
        command_line: options.command_line.clone(),
        target_command: options.target_command.clone(),
        filters: options.filters(),
        clock: options.clock.name().to_owned(),
        frequency_hz: options.frequency,
        period: options.period(),
        start_monotonic_ns: clock::monotonic_ns(),
        start_unix_ns: clock::unix_ns(),
        kernel_stacks: options.kernel_stacks,
        user_stacks: options.user_stacks,
        max_stack: options.max_stack,
    }
}
