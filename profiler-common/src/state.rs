//! What a thread is doing. Every nanosecond of every thread is in exactly one state.
//!
//! Precedence, first match wins, for a thread that left the CPU:
//!
//! 1. it was stopped or traced: [`Stopped`](State::Stopped);
//! 2. it could have gone on: [`Runnable`](State::Runnable);
//! 3. it was outside of system calls: [`PageFault`](State::PageFault) (an exception is the only other way to block);
//! 4. it waited inside a page fault that a system call ran into: [`PageFault`](State::PageFault);
//! 5. the system call says what it waits for, where it takes a descriptor together with the file behind it;
//! 6. the kernel says that it waits for I/O (`in_iowait`): [`Disk`](State::Disk);
//! 7. [`Blocked`](State::Blocked): it waited, and nothing tells for what.

/// What a thread is doing.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// On a CPU.
    Running = 0,
    /// Waits for a CPU: preempted, new, or just woken.
    Runnable = 1,
    /// Waits for a file or a block device.
    Disk = 2,
    /// Waits for a network socket.
    Network = 3,
    /// Waits for another process through a pipe, a Unix socket, a message queue or a child's end.
    Ipc = 4,
    /// Waits for a lock: in a futex, or for a lock on a file.
    Lock = 5,
    /// Waits for memory.
    PageFault = 6,
    /// Sleeps for a time.
    Sleep = 7,
    /// Waits for events: idle.
    Events = 8,
    /// Stopped by a signal or a debugger.
    Stopped = 9,
    /// Blocked, and nothing tells why.
    Blocked = 10,
    /// An edge was missed.
    Unknown = 11,
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
}
