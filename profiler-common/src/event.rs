//! The records that cross the ring buffer. Every record begins with a [`Header`]; all are `repr(C)` without padding,
//! in the host's byte order.

use crate::{state::State, unwind::Registers};

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
}

/// [`Sample::flags`]: a copy of the stack was sent, so that user space can finish the walk.
pub const SAMPLE_HAS_COPY: u8 = 1;
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
}

/// [`ThreadRecord::flags`]: the thread has ended.
pub const THREAD_ENDED: u32 = 1;

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
