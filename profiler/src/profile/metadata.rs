//! The host, and how it was recorded.

use serde::{Deserialize, Serialize};

/// The host, and how it was recorded. Every text may be empty where it could not be learned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The host's name.
    pub hostname: String,
    /// `uname -r`.
    pub kernel_release: String,
    /// `uname -m`.
    pub machine: String,
    /// The kernel's build id, hexadecimal.
    pub kernel_build_id: String,
    /// CPUs that were online.
    pub cpus: u32,
    /// The version of the program that recorded.
    pub recorder: String,
    /// Its command line.
    pub command_line: Vec<String>,
    /// The command that was run and recorded; empty if none.
    pub target_command: Vec<String>,
    /// What was filtered, in the words of the command line (`pid 17`, `cgroup /system.slice`); empty: whole system.
    pub filters: Vec<String>,
    /// The clock that really fired: `cpu-clock` or `cycles`.
    pub clock: String,
    /// Samples a second and CPU that were asked for.
    pub frequency_hz: u32,
    /// The fixed period that follows from it, in nanoseconds (cycles for the `cycles` clock).
    pub period: u64,
    /// When the recording began: `CLOCK_MONOTONIC`, nanoseconds.
    pub start_monotonic_ns: u64,
    /// When the recording began: nanoseconds since 1970 (UTC).
    pub start_unix_ns: u64,
    /// Whether kernel stacks were recorded.
    pub kernel_stacks: bool,
    /// Whether user stacks were recorded.
    pub user_stacks: bool,
    /// The most user frames a stack may have.
    pub max_stack: u32,
}
