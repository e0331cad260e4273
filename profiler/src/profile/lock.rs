//! Waits for locks, kernel and user: which lock, how long, who held it.
//!
//! Waits are told one by one, the short ones by chance: a wait of `blocked_ns` is kept with probability
//! `min(1, blocked_ns / threshold_ns)`, and then stands for [`LockWait::stands_for`] waits. So sums over any selection are
//! unbiased, long waits are all there, and a storm of short ones stays within its budget. While the threshold is not
//! longer than the waits, counts and sums are exact.

use serde::{Deserialize, Serialize};

use super::{
    location::Mapping,
    process::{Process, Thread},
    sample::{Outcome, Waker},
    slow::Extent,
    stack::Stack,
    table::Id,
};

/// Something that is waited for: one word of memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lock {
    /// Whose memory; `None`: the kernel's.
    pub process: Option<Id<Process>>,
    /// Where: the address of the futex word, or of the kernel's lock.
    pub address: u64,
    /// Where it lies if it is a static variable: the module, and the address as the module's file has it (the one that its
    /// symbol table uses).
    pub place: Option<(Id<Mapping>, u64)>,
    /// What it is, in the kernel's words (`mmap_lock`), or the variable's symbol with an offset; empty if neither is known.
    pub name: String,
}

/// How it was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Contention {
    /// `FUTEX_WAIT` (0).
    FutexWait,
    /// `FUTEX_WAIT_BITSET` (9).
    FutexWaitBitset,
    /// `FUTEX_LOCK_PI` (6), `FUTEX_LOCK_PI2` (13).
    FutexLockPi,
    /// `FUTEX_WAIT_REQUEUE_PI` (11).
    FutexWaitRequeuePi,
    /// `futex_waitv`: of several words the first is told.
    FutexWaitMultiple,
    /// A spin lock of the kernel.
    Spin,
    /// A spinning reader-writer lock of the kernel, for reading.
    ReadLock,
    /// The same for writing.
    WriteLock,
    /// A mutex of the kernel.
    Mutex,
    /// A reader-writer semaphore of the kernel, for reading.
    SemaphoreRead,
    /// The same for writing.
    SemaphoreWrite,
    /// A per-CPU reader-writer semaphore of the kernel, for reading.
    PerCpuRead,
    /// The same for writing.
    PerCpuWrite,
    /// A real-time mutex of the kernel.
    RtMutex,
    /// A counting semaphore of the kernel, or a kind that is not known.
    Semaphore,
}

impl Contention {
    /// Every kind, in the order in which files number them.
    pub const ALL: [Self; 15] = [
        Self::FutexWait,
        Self::FutexWaitBitset,
        Self::FutexLockPi,
        Self::FutexWaitRequeuePi,
        Self::FutexWaitMultiple,
        Self::Spin,
        Self::ReadLock,
        Self::WriteLock,
        Self::Mutex,
        Self::SemaphoreRead,
        Self::SemaphoreWrite,
        Self::PerCpuRead,
        Self::PerCpuWrite,
        Self::RtMutex,
        Self::Semaphore,
    ];

    /// Whether a program waited with a futex; otherwise it is one of the kernel's own locks.
    pub fn is_futex(self) -> bool {
        self <= Self::FutexWaitMultiple
    }
}

/// A wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockWait {
    /// Who waited.
    pub thread: Id<Thread>,
    /// For what.
    pub lock: Id<Lock>,
    /// How.
    pub contention: Contention,
    /// The value that the futex word was expected to have; 0 for kernel locks.
    pub value: u32,
    /// When the wait ended, in nanoseconds since the recording began.
    pub end_ns: u64,
    /// How long it was, in nanoseconds: of a futex the whole call.
    pub duration_ns: u64,
    /// How long it was when it was decided whether to keep it, in nanoseconds.
    pub blocked_ns: u64,
    /// At which length every wait was kept at that time, in nanoseconds.
    pub threshold_ns: u64,
    /// How much of it was seen.
    pub extent: Extent,
    /// Why it ended: 0, or the `errno` of a wait that got nothing (110: timed out).
    pub errno: u16,
    /// Who holds the lock by the lock's own word, as it was read when the wait began. `Unknown`: it does not say.
    pub owner: Waker,
    /// Who ended the wait: the last holder, for locks that are handed over by a wake-up.
    pub waker: Waker,
    /// When it was woken, in nanoseconds since the recording began; 0: unknown. The waker's stack is that of its
    /// [`CallStack`] at that time.
    pub woken_ns: u64,
    /// The stack that waited; of a kernel lock only its kernel part, to which the thread's [`CallStack`] at `end_ns` is the
    /// user part.
    pub stack: Option<Id<Stack>>,
    /// How the walk of the user stack ended.
    pub outcome: Outcome,
}

impl LockWait {
    /// How many waits this one stands for: one over the probability that it was kept.
    pub fn stands_for(&self) -> f64 {
        (self.threshold_ns as f64 / self.blocked_ns.max(1) as f64).max(1.0)
    }

    /// How much waiting time it stands for, in nanoseconds.
    pub fn weight_ns(&self) -> f64 {
        self.duration_ns as f64 * self.stands_for()
    }
}

/// The user stack of a thread in a system call: of one that woke somebody whose wait matters, or waited for a kernel lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStack {
    /// Whose.
    pub thread: Id<Thread>,
    /// When the call began, in nanoseconds since the recording began.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// The stack; `None` if not one frame is known.
    pub stack: Option<Id<Stack>>,
    /// How the walk ended.
    pub outcome: Outcome,
}
