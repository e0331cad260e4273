//! Why a location has no name.

use crate::profile::{Id, Mapping};

/// Why a location has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The file is gone, cannot be read, or is not an ELF file.
    NoFile,
    /// The file that is there now is another build than the one that ran.
    OtherBuild,
    /// The file has no symbol table, nor is there a separate debug file: functions that it does not export are
    /// nameless.
    Stripped,
    /// The file has its symbols, and none covers the address.
    OutsideSymbols,
    /// The kernel hides its addresses from this user (`kptr_restrict`), or `/proc/kallsyms` cannot be read.
    KernelHidden,
    /// It was another kernel, or this one in an earlier boot: its functions lay elsewhere.
    OtherKernel,
    /// Code that was generated at run time, and its process wrote no `/tmp/perf-PID.map` that covers it.
    NoPerfMap,
    /// No mapping was known for the address.
    Unmapped,
}

impl Reason {
    /// What a person reads.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NoFile => "the file could not be read",
            Self::OtherBuild => "the file on disk is another build",
            Self::Stripped => "stripped, and no debug file found",
            Self::OutsideSymbols => "outside every symbol",
            Self::KernelHidden => "the kernel hides its addresses",
            Self::OtherKernel => "recorded on another kernel or in an earlier boot",
            Self::NoPerfMap => "generated code without a perf map",
            Self::Unmapped => "outside every mapping",
        }
    }
}

/// How many locations of a mapping have no name for a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The mapping.
    pub mapping: Id<Mapping>,
    /// The reason.
    pub reason: Reason,
    /// How many locations.
    pub locations: u64,
    /// In how many frames of samples and slow events these locations stand.
    pub frames: u64,
}
