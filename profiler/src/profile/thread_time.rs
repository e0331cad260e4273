//! How threads spent their time, exactly: not sampled, but measured at every switch.

use serde::{Deserialize, Serialize};

use super::{process::Thread, table::Id};

/// What a thread is doing. Every nanosecond of a thread is in exactly one state; which one is said by the first rule that
/// holds, see `profiler_common::state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// On a CPU.
    Running,
    /// Waits for a CPU: preempted, new, or just woken.
    Runnable,
    /// Waits for a file or a block device.
    Disk,
    /// Waits for a network socket.
    Network,
    /// Waits for another process through a pipe, a Unix socket, a message queue or a child's end.
    Ipc,
    /// Waits for a lock: in a futex, or for a lock on a file.
    Lock,
    /// Waits for memory.
    PageFault,
    /// Sleeps for a time.
    Sleep,
    /// Waits for events: idle.
    Events,
    /// Stopped by a signal or a debugger.
    Stopped,
    /// Blocked, and nothing tells why.
    Blocked,
    /// An edge was missed.
    Unknown,
}

impl State {
    /// How many states there are.
    pub const COUNT: usize = 12;

    /// All states, in the order of their discriminants.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Running,
        Self::Runnable,
        Self::Disk,
        Self::Network,
        Self::Ipc,
        Self::Lock,
        Self::PageFault,
        Self::Sleep,
        Self::Events,
        Self::Stopped,
        Self::Blocked,
        Self::Unknown,
    ];

    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Runnable => "runnable",
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Lock => "lock",
            Self::PageFault => "page_fault",
            Self::Sleep => "sleep",
            Self::Events => "events",
            Self::Stopped => "stopped",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }
}

/// How a thread spent a span of time. The spans of a thread follow each other without a gap from the moment it was
/// first seen until it ended or the recording did; a thread that did the same all the time has one long span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadTime {
    /// The thread.
    pub thread: Id<Thread>,
    /// When the span begins, in nanoseconds since the recording began.
    pub start_ns: u64,
    /// When it ends.
    pub end_ns: u64,
    /// Nanoseconds in each [`State`], by its discriminant. Their sum is the span's length.
    pub ns: [u64; State::COUNT],
    /// Nanoseconds of [`State::Running`] in system calls; `None` where these were not recorded, and where it
    /// did not run.
    pub in_calls_ns: Option<u64>,
    /// How often it left the CPU to wait.
    pub waits: u32,
    /// How often it was taken off the CPU though it could have gone on.
    pub preemptions: u32,
}
