//! One observation, and what its value means.

use serde::{Deserialize, Serialize};

use super::{process::Thread, stack::Stack, table::Id};

/// The unit of a sample's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Time.
    Nanoseconds,
    /// Occurrences.
    Count,
    /// Memory.
    Bytes,
}

impl Unit {
    /// As pprof and OTLP spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "nanoseconds",
            Self::Count => "count",
            Self::Bytes => "bytes",
        }
    }
}

/// What a sample's value measures, such as (`cpu`, nanoseconds).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SampleType {
    /// The name, as pprof and OTLP spell it.
    pub name: String,
    /// The unit of the values.
    pub unit: Unit,
}

/// How the walk of the user stack ended. A stack is complete only when its last frame is a known root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// Down to a known root (`_start`, `clone3`: unwind information says that the caller is undefined).
    Complete,
    /// There is no user stack (kernel thread), or it was not asked for.
    NoUserStack,
    /// The stack goes on past the frame limit.
    TooDeep,
    /// The process's mappings had not reached the kernel side yet.
    NoMappings,
    /// A code address lies in no executable mapping.
    UnmappedCode,
    /// The binary has no unwind information at this address, and the frame pointer led nowhere.
    NoUnwindInfo,
    /// A rule of a kind that is not supported.
    UnsupportedRule,
    /// Stack memory could not be read (paged out, or a wrong rule).
    UnreadableStack,
    /// The stack pointer did not move outward: a loop or garbage.
    NotOutward,
    /// Another program of ours was unwinding on this CPU and no scratch space was left.
    Nested,
    /// The 32-bit compatibility mode, which is not unwound.
    Compat,
    /// A wait outside of system calls (preemption, page faults), or one that the thread did not live to see the end of: its
    /// user stack was not to be had.
    NotInCall,
}

impl Outcome {
    /// Every outcome, in the order of their discriminants.
    pub const ALL: [Self; 12] = [
        Self::Complete,
        Self::NoUserStack,
        Self::TooDeep,
        Self::NoMappings,
        Self::UnmappedCode,
        Self::NoUnwindInfo,
        Self::UnsupportedRule,
        Self::UnreadableStack,
        Self::NotOutward,
        Self::Nested,
        Self::Compat,
        Self::NotInCall,
    ];

    /// What a person reads.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::NoUserStack => "no user stack",
            Self::TooDeep => "deeper than the frame limit",
            Self::NoMappings => "mappings not known yet",
            Self::UnmappedCode => "code address outside every mapping",
            Self::NoUnwindInfo => "no unwind information",
            Self::UnsupportedRule => "unsupported unwind rule",
            Self::UnreadableStack => "stack memory unreadable",
            Self::NotOutward => "stack pointer did not move outward",
            Self::Nested => "nested programs",
            Self::Compat => "32-bit process",
            Self::NotInCall => "wait outside a system call",
        }
    }

    /// Whether the user stack ends where it should, or there is none to walk.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Complete | Self::NoUserStack)
    }
}

/// Who ended a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Waker {
    /// It was not seen, or it cannot be decided.
    #[default]
    Unknown,
    /// Nobody: it did not wait for anything but a CPU.
    Nobody,
    /// An interrupt: a timer or a device. The thread that it interrupted has nothing to do with it.
    Interrupt,
    /// A thread that was running.
    Thread(Id<Thread>),
}

/// One observation: when, who, where, how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When, in nanoseconds of `CLOCK_MONOTONIC` since the recording began.
    pub time_ns: u64,
    /// Who.
    pub thread: Id<Thread>,
    /// Where; `None` if not one frame is known.
    pub stack: Option<Id<Stack>>,
    /// What the value measures: an index into `Profile::sample_types`.
    pub sample_type: u8,
    /// How the walk of the user stack ended.
    pub outcome: Outcome,
    /// On which CPU.
    pub cpu: u16,
    /// How much, in the sample type's unit.
    pub value: u64,
    /// Who ended the wait that was sampled; unknown for other samples.
    pub waker: Waker,
}
