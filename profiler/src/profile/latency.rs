//! How long operations took: counted and timed one by one, summed in the kernel.

use serde::{Deserialize, Serialize};

use super::{lock::Contention, process::Process, table::Id};

/// What took the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// A system call, by its number in the table of the machine's 64-bit programs.
    Call(u16),
    /// A system call of a 32-bit program, by its number in their table.
    CompatCall(u16),
    /// A request to an io_uring, by its opcode (`IORING_OP_*`), from its submission to its completion.
    IoUring(u8),
    /// Waiting for a CPU: from the wake-up or preemption to running.
    RunQueue,
    /// Block I/O, from its issue to the device to its completion.
    Block(BlockOperation),
    /// Block I/O, from when the kernel made the request to its issue to the device.
    BlockQueue(BlockOperation),
    /// Waiting for a lock of the kernel, of this type. Those that programs wait for are system calls.
    KernelLock(Contention),
    /// Waiting for memory in no call: a page fault that could not be handled at once.
    PageFault,
}

/// What a block device was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BlockOperation {
    /// `REQ_OP_READ`.
    Read,
    /// `REQ_OP_WRITE`.
    Write,
    /// `REQ_OP_FLUSH`.
    Flush,
    /// `REQ_OP_DISCARD`.
    Discard,
    /// Any other.
    Other,
}

/// What the descriptor that is an operation's first argument stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// The operation is not one on a descriptor, or the descriptor was not open.
    #[default]
    None,
    /// A regular file or a directory.
    File,
    /// A block device.
    BlockDevice,
    /// A character device that is not a terminal.
    Device,
    /// A terminal.
    Terminal,
    /// A network socket.
    Socket,
    /// A socket to processes of the same host: Unix, netlink, vsock.
    LocalSocket,
    /// A pipe or FIFO.
    Pipe,
    /// An eventfd, timerfd, signalfd, epoll, inotify, io_uring, …
    Event,
}

/// What [`Latency`] is about: rows with the same key may be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LatencyKey {
    /// Whose operations.
    pub process: Id<Process>,
    /// What took the time.
    pub operation: Operation,
    /// On what.
    pub object: ObjectKind,
    /// Block I/O: the device's number, `major << 20 | minor`, else 0.
    pub device: u32,
}

/// The operations of one kind that ended in a window of time.
///
/// Counts, sums and errors are exact. Latencies are in log-linear buckets, see `profiler_common::histogram`: eight an
/// octave, so the middle of a bucket is at most 6.25 % wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Of what.
    pub key: LatencyKey,
    /// When the window begins, in nanoseconds since the recording began.
    pub start_ns: u64,
    /// When it ends.
    pub end_ns: u64,
    /// How many operations there were.
    pub count: u64,
    /// How long they took in all, in nanoseconds.
    pub total_ns: u64,
    /// The shortest of them; 0 if there is none.
    pub min_ns: u64,
    /// The longest of them.
    pub max_ns: u64,
    /// How many of them failed with each `errno`, in its order; 0 stands for errors beyond the six kinds that are
    /// told apart.
    pub errors: Vec<(u16, u64)>,
    /// How many of them lie in each bucket of `profiler_common::histogram`, in its order; only buckets that have some.
    /// They add up to `count`, less the calls that never return (`exit`).
    pub buckets: Vec<(u8, u64)>,
}
