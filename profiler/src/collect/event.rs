//! What the kernel told us, as plain values. `decode` makes them, `apply` takes them.

use profiler_common::{
    event::SlowTarget, lock::KernelWait, operation::OperationKey, state::State, stats::Outcome,
    unwind::Registers, waker::Waker,
};

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
    /// An operation ended.
    Operation(RawOperation),
    /// From now on operations of a kind are summed in this place.
    Place { key: OperationKey, place: u32 },
    /// A call that took long ended.
    Slow(Box<RawSlow>),
    /// A wait for a futex ended.
    Lock(Box<RawLock>),
    /// A wait for a lock of the kernel ended.
    KernelLock(Box<KernelWait>),
    /// The stack of a call that woke somebody, or in which a thread waited for a lock of the kernel.
    CallStack(RawCallStack),
}

/// An operation that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOperation {
    /// What it was, and whose.
    pub key: OperationKey,
    /// User space's thread id.
    pub tid: u32,
    /// How long it took, in nanoseconds.
    pub ns: u64,
    /// `errno`, if it failed; else 0.
    pub errno: u16,
    /// `OPERATION_*`.
    pub flags: u16,
}

/// A call that took long, its stacks still hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSlow {
    /// What it was, and whose.
    pub operation: RawOperation,
    /// What it returned.
    pub result: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// Its stacks.
    pub stacks: RawStacks,
    /// How long its last wait was, in nanoseconds; 0: it did not wait.
    pub wait_ns: u64,
    /// When it was woken from it (`CLOCK_MONOTONIC`, nanoseconds); 0: unknown.
    pub woken: u64,
    /// Who ended that wait.
    pub waker: Waker,
    /// What it was on.
    pub target: SlowTarget,
}

/// A wait for a futex, its stack still a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLock {
    /// User space's thread id.
    pub tid: u32,
    /// The address of the futex word.
    pub address: u64,
    /// How long it was, in nanoseconds.
    pub ns: u64,
    /// How long it had been blocked when it was woken.
    pub blocked_ns: u64,
    /// At which threshold it was kept.
    pub threshold_ns: u64,
    /// When it was woken (`CLOCK_MONOTONIC`, nanoseconds).
    pub woken: u64,
    /// Who woke it.
    pub waker: Waker,
    /// The thread that held the lock by its word, as the waiter's pid namespace numbers it; 0: unknown.
    pub owner: u32,
    /// The call's number.
    pub call: u32,
    /// Its operation with its flags.
    pub operation: u32,
    /// The value that the word was expected to have.
    pub value: u32,
    /// What the call returned.
    pub result: i32,
    /// Its stacks.
    pub stacks: RawStacks,
}

/// The user stack of a call, still a hash. The event's time is its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawCallStack {
    /// User space's thread id.
    pub tid: u32,
    /// Since when it was wanted (`CLOCK_MONOTONIC`, nanoseconds).
    pub since: u64,
    /// Its stacks.
    pub stacks: RawStacks,
}

/// The stacks of a thread, still hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStacks {
    /// On which CPU they were taken.
    pub cpu: u32,
    /// User space's process id.
    pub pid: u32,
    /// Hash of the user stack; 0: none.
    pub user: u64,
    /// Hash of the kernel stack; 0: none.
    pub kernel: u64,
    /// How the walk ended.
    pub outcome: Outcome,
    /// Stack memory was sent along (same CPU and time).
    pub has_copy: bool,
    /// A sample follows that refers to the same memory.
    pub copy_is_shared: bool,
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
    /// What it does now: a [`State`].
    pub state: u32,
    /// Since when (`CLOCK_MONOTONIC`, nanoseconds).
    pub state_since: u64,
    /// Nanoseconds it ran in system calls, where those are recorded.
    pub in_calls_ns: u64,
    /// It has ended.
    pub ended: bool,
    /// The system call that it is in.
    pub call: Option<RawCall>,
}

/// A system call that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawCall {
    /// When it began (`CLOCK_MONOTONIC`, nanoseconds), or when it was found running.
    pub since: u64,
    /// Its number.
    pub number: u16,
    /// `CALL_*`.
    pub flags: u8,
}

/// A sample, its stacks still hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSample {
    /// User space's thread id.
    pub tid: u32,
    /// Whose it is, and its stacks.
    pub stacks: RawStacks,
    /// What was measured: the sample type's position.
    pub sample_type: u8,
    /// How much.
    pub value: u64,
    /// The thread has no user space.
    pub kernel_thread: bool,
    /// Who ended the wait.
    pub waker: Waker,
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
