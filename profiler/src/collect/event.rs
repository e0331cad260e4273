//! What the kernel told us, as plain values. `decode` makes them, `apply` takes them.

use profiler_common::{state::State, stats::Outcome, unwind::Registers};

/// One thing that happened, and when (`CLOCK_MONOTONIC`, nanoseconds).
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub time: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A probe took a sample.
    Sample(RawSample),
    /// A process got a new image, by fork (with a parent) or exec; the time is the image's id.
    Image { pid: u32, parent: Option<u32> },
    /// A thread got a name; `exec` if because it runs a new program.
    Comm {
        pid: u32,
        tid: u32,
        name: Vec<u8>,
        exec: bool,
    },
    /// A process mapped executable memory.
    Mmap { pid: u32, mapping: RawMapping },
    /// A thread was created; a process, if `tid == pid`.
    Fork {
        pid: u32,
        tid: u32,
        parent_pid: u32,
        parent_tid: u32,
    },
    /// A thread ended.
    Exit { pid: u32, tid: u32 },
    /// How a thread that ended spent its time.
    Thread(RawThread),
}

/// How a thread spent its time so far: running totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawThread {
    /// User space's process id.
    pub pid: u32,
    /// User space's thread id.
    pub tid: u32,
    /// When accounting began (`CLOCK_MONOTONIC`, nanoseconds).
    pub begun: u64,
    /// Nanoseconds in each state.
    pub ns: [u64; State::COUNT],
    /// How often it left the CPU to wait.
    pub waits: u32,
    /// How often it was taken off the CPU though it could have gone on.
    pub preemptions: u32,
    /// It has ended.
    pub ended: bool,
}

/// A sample, its stacks still hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSample {
    /// On which CPU.
    pub cpu: u32,
    /// User space's process id.
    pub pid: u32,
    /// User space's thread id.
    pub tid: u32,
    /// Hash of the user stack; 0: none.
    pub user_stack: u64,
    /// Hash of the kernel stack; 0: none.
    pub kernel_stack: u64,
    /// What was measured: the sample type's position.
    pub sample_type: u8,
    /// How much.
    pub value: u64,
    /// How the walk ended.
    pub outcome: Outcome,
    /// The thread has no user space.
    pub kernel_thread: bool,
    /// Stack memory was sent along (same CPU and time).
    pub has_copy: bool,
}

/// An executable mapping, as the kernel reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawMapping {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Where in the file it begins, in bytes.
    pub file_offset: u64,
    /// The path in the process's mount namespace, or a name in brackets.
    pub path: Vec<u8>,
    /// The build id, if the kernel read one.
    pub build_id: Vec<u8>,
    /// Device (major << 32 | minor) and inode, if known.
    pub inode: Option<(u64, u64)>,
}

/// A stack as it was sent: addresses innermost first, user ones with `FRAME_IS_INSTRUCTION` marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawStack {
    /// What samples call it.
    pub hash: u64,
    /// Kernel addresses.
    pub kernel: bool,
    /// The addresses.
    pub frames: Vec<u64>,
}

/// A part of a thread's stack memory at a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawCopy {
    /// The sample's CPU.
    pub cpu: u32,
    /// The sample's time.
    pub time: u64,
    /// The address of the first byte.
    pub address: u64,
    /// The user registers.
    pub registers: Registers,
    /// The memory.
    pub bytes: Vec<u8>,
}
