//! Who ended a wait.

/// Who ended a wait: a thread, or one of the constants.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waker {
    /// User space's thread id; 0: not a thread.
    pub tid: u32,
    /// User space's process id; for what is not a thread, which of the constants.
    pub pid: u32,
}

impl Waker {
    /// It was not seen, or it cannot be decided.
    pub const UNKNOWN: Self = Self { tid: 0, pid: 0 };
    /// Nobody: it waited for a CPU only.
    pub const NOBODY: Self = Self { tid: 0, pid: 1 };
    /// An interrupt. The thread that it interrupted has nothing to do with it.
    pub const INTERRUPT: Self = Self { tid: 0, pid: 2 };
}

/// The last wait of a thread: from leaving a CPU to having one again.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// When it ended.
    pub end: u64,
    /// How long it was, in nanoseconds.
    pub ns: u64,
    /// When it was woken (`CLOCK_MONOTONIC`, nanoseconds); 0: unknown.
    pub woken: u64,
    /// Who ended it.
    pub waker: Waker,
    /// Hash of the kernel stack that waited; 0: it was not taken.
    pub kernel_stack: u64,
}
