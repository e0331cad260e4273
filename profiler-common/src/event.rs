//! The records that cross the ring buffer. Every record begins with a [`Header`]; all are `repr(C)` without padding,
//! in the host's byte order.

use crate::{operation::OperationKey, state::State, unwind::Registers, waker::Waker};

/// What kind of record follows.
pub mod kind {
    /// [`super::Sample`].
    pub const SAMPLE: u32 = 1;
    /// [`super::StackHeader`] and its frames.
    pub const STACK: u32 = 2;
    /// [`super::Image`].
    pub const IMAGE: u32 = 3;
    /// [`super::CopyHeader`] and the bytes of stack memory.
    pub const COPY: u32 = 4;
    /// [`super::ThreadRecord`].
    pub const THREAD: u32 = 5;
    /// [`super::OperationRecord`].
    pub const OPERATION: u32 = 6;
    /// [`super::PlaceRecord`].
    pub const PLACE: u32 = 7;
    /// [`super::SlowRecord`].
    pub const SLOW: u32 = 8;
    /// [`super::LockRecord`].
    pub const LOCK: u32 = 9;
    /// [`super::CallStackRecord`].
    pub const CALL_STACK: u32 = 10;
}

/// The begin of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u32,
    /// The CPU that wrote it.
    pub cpu: u32,
    /// When: `CLOCK_MONOTONIC`, nanoseconds.
    pub time: u64,
}

/// One observation. The stacks are sent apart, once, and named here by their hash.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// `kind::SAMPLE`.
    pub header: Header,
    /// User space's process id, which the kernel calls `tgid`.
    pub pid: u32,
    /// User space's thread id, which the kernel calls `pid`.
    pub tid: u32,
    /// Hash of the user stack; 0: none.
    pub user_stack: u64,
    /// Hash of the kernel stack; 0: none.
    pub kernel_stack: u64,
    /// How much, in the probe's unit.
    pub value: u64,
    /// A `ProbeId`.
    pub probe: u8,
    /// A [`crate::stats::Outcome`].
    pub outcome: u8,
    /// Bit 0: a [`kind::COPY`] record of the same CPU and time precedes this one. Bit 1: kernel thread.
    pub flags: u8,
    /// Frames by frame pointer, at most 255.
    pub frames_by_fp: u8,
    /// User frames.
    pub user_frames: u32,
    /// Who ended the wait, of samples of waits.
    pub waker: Waker,
}

/// [`Sample::flags`]: a copy of the stack was sent, so that user space can finish the walk.
pub const SAMPLE_HAS_COPY: u8 = 1;
/// `flags` of records other than samples: another record with the same copy follows.
pub const SAMPLE_COPY_SHARED: u8 = 4;
/// [`Sample::flags`]: the thread has no user space.
pub const SAMPLE_KERNEL_THREAD: u8 = 2;

/// Which probe took a sample.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeId {
    /// On-CPU time.
    Cpu = 0,
    /// Off-CPU time.
    OffCpu = 1,
}

/// A stack that was not sent before by this CPU; `frames` addresses of 8 bytes follow, innermost first.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackHeader {
    /// `kind::STACK`.
    pub header: Header,
    /// The hash that samples name it by.
    pub hash: u64,
    /// How many addresses follow.
    pub frames: u32,
    /// 1: kernel addresses. 0: user addresses.
    pub kernel: u32,
}

/// In a user stack, this bit of a frame's address is set where the address is that of an instruction that was
/// interrupted (the innermost frame, or a frame that a signal interrupted); otherwise it is a return address.
pub const FRAME_IS_INSTRUCTION: u64 = 1 << 63;

/// A process got a new image: by fork (`parent` is set) or by exec (`parent` is 0).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// `kind::IMAGE`. Its time is the image's id, unique for the process.
    pub header: Header,
    /// User space's process id.
    pub pid: u32,
    /// The process it was forked from; 0 for exec.
    pub parent: u32,
}

/// How a thread spent its time since it was first seen: running totals. Comes from the task iterator, and over the ring
/// when the thread ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadRecord {
    /// `kind::THREAD`. The totals are those of this moment.
    pub header: Header,
    /// User space's process id.
    pub pid: u32,
    /// User space's thread id.
    pub tid: u32,
    /// When accounting of this thread began (`CLOCK_MONOTONIC`); tells it from an earlier one with this id.
    pub begun: u64,
    /// Nanoseconds in each [`State`], by its discriminant. Their sum is the time since `begun`.
    pub ns: [u64; State::COUNT],
    /// How often it left the CPU to wait.
    pub waits: u32,
    /// How often it was taken off the CPU though it could have gone on.
    pub preemptions: u32,
    /// What it does now: a [`State`].
    pub state: u32,
    /// `THREAD_*`.
    pub flags: u32,
    /// When the system call began that it is in, or when it was found in it; 0: it is in none that was seen to begin.
    pub call_since: u64,
    /// The call's number.
    pub call_number: u32,
    /// `CALL_*` of [`crate::in_call`].
    pub call_flags: u32,
    /// Since when it has done what it does now (`CLOCK_MONOTONIC`).
    pub state_since: u64,
    /// Nanoseconds of [`State::Running`] in system calls, as far as their begins and ends are seen.
    pub in_calls_ns: u64,
}

/// [`ThreadRecord::flags`]: the thread has ended.
pub const THREAD_ENDED: u32 = 1;

/// An operation that ended; its time is the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationRecord {
    /// `kind::OPERATION`.
    pub header: Header,
    /// What it was.
    pub key: OperationKey,
    /// Whose it was: user space's thread id.
    pub tid: u32,
    /// `errno`, if it failed; else 0.
    pub errno: u16,
    /// `OPERATION_*`.
    pub flags: u16,
    /// How long it took, in nanoseconds.
    pub ns: u64,
}

/// [`OperationRecord::flags`]: it ran when its thread was first seen, and `ns` counts from then.
pub const OPERATION_BEGUN_BEFORE: u16 = 1;
/// [`OperationRecord::flags`]: it never ends; `ns` is 0.
pub const OPERATION_ENDLESS: u16 = 2;

/// From now on operations of a kind are summed in a place of their own.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceRecord {
    /// `kind::PLACE`.
    pub header: Header,
    /// Of what kind.
    pub key: OperationKey,
    /// Where: an index into the array of places.
    pub place: u32,
    /// 0.
    pub reserved: u32,
}

/// What a slow call was on.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowTarget {
    /// One of [`target`].
    pub kind: u32,
    /// The descriptor, if the call is on one.
    pub descriptor: u32,
    /// Of a file: its device's number as the kernel has it (`major << 20 | minor`). Of a socket: the family.
    pub device: u32,
    /// Of a socket: the remote port in its low, the local one in its high half, both in host order. Of a file: how many
    /// parts of its path the text has, and [`target::WHOLE`].
    pub ports: u32,
    /// Of files: the inode's number. Of local sockets: that of the socket's inode.
    pub inode: u64,
    /// A path or name, up to the first zero byte; of a file the parts of its path, the last one first, a zero byte behind
    /// each; of a network socket 16 bytes of the remote address and 16 of the
    /// local one.
    pub text: [u8; 128],
}

/// What [`SlowTarget`] holds.
pub mod target {
    /// Nothing.
    pub const NONE: u32 = 0;
    /// A path, as the program gave it.
    pub const PATH: u32 = 1;
    /// A file behind a descriptor.
    pub const FILE: u32 = 2;
    /// The parts of a file's path reach the root of its file system.
    pub const WHOLE: u32 = 1 << 31;
    /// A network socket.
    pub const SOCKET: u32 = 3;
    /// A socket of the same host; the text is the path it or its peer is bound to.
    pub const LOCAL_SOCKET: u32 = 4;
}

/// A call that took long; its time is the end.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowRecord {
    /// `kind::SLOW`.
    pub header: Header,
    /// What it was.
    pub key: OperationKey,
    /// Whose it was: user space's thread id.
    pub tid: u32,
    /// A [`crate::stats::Outcome`].
    pub outcome: u8,
    /// `SAMPLE_HAS_COPY`, `SAMPLE_COPY_SHARED`.
    pub flags: u8,
    /// `OPERATION_*`.
    pub operation_flags: u16,
    /// How long it took, in nanoseconds.
    pub ns: u64,
    /// What it returned.
    pub result: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// Hash of the user stack; 0: none.
    pub user_stack: u64,
    /// Hash of the kernel stack of its last wait; 0: none.
    pub kernel_stack: u64,
    /// How long its last wait was, in nanoseconds; 0: it did not wait.
    pub wait_ns: u64,
    /// When it was woken from it (`CLOCK_MONOTONIC`, nanoseconds); 0: unknown.
    pub woken: u64,
    /// Who ended that wait.
    pub waker: Waker,
    /// What it was on.
    pub target: SlowTarget,
}

/// A futex wait that ended; its time is the end of the call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRecord {
    /// `kind::LOCK`.
    pub header: Header,
    /// User space's process id.
    pub pid: u32,
    /// User space's thread id.
    pub tid: u32,
    /// The address of the futex word.
    pub address: u64,
    /// How long it was, in nanoseconds: the whole call, or where that is not known from leaving the CPU to its end.
    pub ns: u64,
    /// How long it had been blocked when it was woken.
    pub blocked_ns: u64,
    /// At which threshold it was kept.
    pub threshold_ns: u64,
    /// When it was woken.
    pub woken: u64,
    /// Who woke it.
    pub waker: Waker,
    /// The thread that held the lock by its word when the call began, as the waiter's pid namespace numbers it; 0: the word
    /// does not say.
    pub owner: u32,
    /// The call's operation with its flags; of `futex_waitv` 0.
    pub operation: u32,
    /// The value that the word was expected to have.
    pub value: u32,
    /// What the call returned: 0, or a negative `errno`.
    pub result: i32,
    /// Hash of the user stack; 0: none.
    pub user_stack: u64,
    /// The call's number.
    pub call: u32,
    /// A [`crate::stats::Outcome`].
    pub outcome: u8,
    /// `SAMPLE_HAS_COPY`, `SAMPLE_COPY_SHARED`.
    pub flags: u8,
    /// 0.
    pub reserved: u16,
}

/// The user stack of a thread in a system call: of one that woke somebody whose wait is told, or waited for a lock of the
/// kernel itself. Its time is the end of the call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallStackRecord {
    /// `kind::CALL_STACK`.
    pub header: Header,
    /// User space's process id.
    pub pid: u32,
    /// User space's thread id.
    pub tid: u32,
    /// Since when it was wanted.
    pub since: u64,
    /// Hash of the user stack; 0: none.
    pub user_stack: u64,
    /// A [`crate::stats::Outcome`].
    pub outcome: u32,
    /// `SAMPLE_HAS_COPY`, `SAMPLE_COPY_SHARED`.
    pub flags: u32,
}

/// Registers and one page of stack memory of a sample whose walk user space finishes. Several follow each other,
/// upwards from `registers.sp`; a page of room follows each header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyHeader {
    /// `kind::COPY`; CPU and time are those of the sample that follows.
    pub header: Header,
    /// User space's process id.
    pub pid: u32,
    /// How many of the bytes that follow are valid.
    pub bytes: u32,
    /// The address of the first of them.
    pub address: u64,
    /// The user registers.
    pub registers: Registers,
}
