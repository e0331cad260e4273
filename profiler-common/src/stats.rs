//! Why a sample was lost or cut short: one counter each, in a per-CPU array indexed by [`Counter`].

/// How the walk of a user stack ended, as it crosses the ring buffer.
///
/// A stack is complete only when its last frame is a known root.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Down to a known root: unwind information says that the caller is undefined.
    Complete = 0,
    /// There is no user stack, or it was not asked for.
    NoUserStack = 1,
    /// The stack goes on past the frame limit.
    TooDeep = 2,
    /// The process's mappings were not there.
    NoMappings = 3,
    /// A code address lies in no executable mapping.
    UnmappedCode = 4,
    /// No row covers the address, and the frame pointer led nowhere.
    NoUnwindInfo = 5,
    /// A rule of a kind that is not supported.
    UnsupportedRule = 6,
    /// Stack memory could not be read.
    UnreadableStack = 7,
    /// The stack pointer did not move outward.
    NotOutward = 8,
    /// No scratch space: another of our programs was at work on this CPU.
    Nested = 9,
    /// The 32-bit compatibility mode.
    Compat = 10,
    /// A wait outside of system calls (preemption, page faults), or one that the thread did not live to see the end of:
    /// its user stack was not to be had.
    NotInCall = 11,
}

impl Outcome {
    /// The outcome with the given discriminant.
    pub fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Complete,
            1 => Self::NoUserStack,
            2 => Self::TooDeep,
            3 => Self::NoMappings,
            4 => Self::UnmappedCode,
            5 => Self::NoUnwindInfo,
            6 => Self::UnsupportedRule,
            7 => Self::UnreadableStack,
            8 => Self::NotOutward,
            9 => Self::Nested,
            10 => Self::Compat,
            11 => Self::NotInCall,
            _ => return None,
        })
    }
}

/// What the kernel side counts, per CPU.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Runs of the sampler.
    Runs = 0,
    /// Runs that found the CPU idle.
    Idle = 1,
    /// Runs that found a thread outside the filters.
    Filtered = 2,
    /// Samples sent.
    Samples = 3,
    /// Samples that did not fit into the ring buffer.
    SampleRingFull = 4,
    /// Stacks that did not fit into the ring buffer (they are sent again with the next sample).
    StackRingFull = 5,
    /// Copies of stack memory that did not fit into the ring buffer.
    CopyRingFull = 6,
    /// Copies of stack memory that were not made because their rate is bounded.
    CopyBudget = 7,
    /// Samples without scratch space, because programs nested too deep on the CPU.
    NoScratch = 8,
    /// Process events (exec, fork) that did not fit into the ring buffer.
    ProcessRingFull = 9,
    /// Processes that did not fit into the tables of images, spaces or targets.
    ProcessTableFull = 10,
    /// Last records of threads that did not fit into the ring buffer.
    ThreadRingFull = 13,
    /// Samples of waits that did not fit into the ring buffer.
    OffCpuRingFull = 14,
    /// User frames unwound by rows.
    FramesByRows = 11,
    /// User frames unwound by frame pointer.
    FramesByFramePointer = 12,
    /// Ends of operations that did not fit into the ring buffer.
    OperationRingFull = 15,
    /// System calls that were counted.
    Calls = 16,
    /// Slow calls that did not fit into the ring buffer.
    SlowRingFull = 17,
    /// Slow calls that were not kept because their rate is bounded.
    SlowBudget = 18,
    /// Waits for locks, or the stacks of their wakers, that did not fit into the ring buffer or the memory for them.
    LockRingFull = 19,
    /// Ends of waits for kernel locks whose begin was not seen.
    LockUnmatched = 20,
}

impl Counter {
    /// How many counters there are.
    pub const COUNT: usize = 21;

    /// Counters that mean loss of a record, with what a person reads.
    pub const LOSSES: [(Self, &str); 11] = [
        (Self::SampleRingFull, "ring full"),
        (Self::StackRingFull, "ring full (stack)"),
        (Self::CopyRingFull, "ring full (stack copy)"),
        (Self::NoScratch, "no scratch space"),
        (Self::ProcessRingFull, "ring full (process)"),
        (Self::ProcessTableFull, "process table full"),
        (Self::ThreadRingFull, "ring full (thread)"),
        (Self::OffCpuRingFull, "ring full (wait)"),
        (Self::OperationRingFull, "ring full (call)"),
        (Self::SlowRingFull, "ring full (slow call)"),
        (Self::LockRingFull, "ring full (lock)"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_survive_the_trip() {
        for value in 0..=u8::MAX {
            if let Some(outcome) = Outcome::from_u8(value) {
                assert_eq!(outcome as u8, value);
            } else {
                assert!(value > Outcome::NotInCall as u8);
            }
        }
    }
}
