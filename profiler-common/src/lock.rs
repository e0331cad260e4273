//! Waits for locks: what the kernel side keeps with a thread, and how kernel locks are told apart.

/// What is kept with a thread of its waits for locks.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockWaiting {
    /// The futex wait that is told when its call ends: at which threshold it was kept (see `thinning`); 0: none.
    pub threshold_ns: u64,
    /// How long it had been blocked when it was woken, in nanoseconds.
    pub blocked_ns: u64,
    /// When it was woken.
    pub woken: u64,
    /// Since when somebody wants the stack of the call that the thread is in; 0: nobody.
    pub wanted_at: u64,
    /// The thread that holds the lock by its word, as the waiter's pid namespace numbers it; 0: unknown.
    pub owner: u32,
    /// 0.
    pub reserved: u32,
    /// When user space was last told that the thread waits and waits; 0: never.
    pub told_stuck: u64,
    /// The kernel's lock that it waits for.
    pub kernel: KernelWaiting,
}

/// Waits for a lock from this length on are told of before they end, in nanoseconds.
pub const STUCK_NS: u64 = 2_000_000_000;
/// While such a wait goes on it is told of again after this time, in nanoseconds: who listens may keep it no longer.
pub const STUCK_AGAIN_NS: u64 = 20_000_000_000;

impl LockWaiting {
    /// Whether it is time to tell, at `now`, that the thread still waits for a lock, as it has for `ns` nanoseconds. Who tells
    /// it sets [`Self::told_stuck`].
    #[inline(always)]
    pub fn is_stuck(&self, now: u64, ns: u64) -> bool {
        let since_told = now.saturating_sub(self.told_stuck);
        // Told before this wait began, or long ago.
        ns >= STUCK_NS && (since_told >= ns || since_told >= STUCK_AGAIN_NS)
    }

    /// The call ends: what is known of a wait in it is not true of the next one, whose begin may not be seen.
    #[inline(always)]
    pub fn call_ends(&mut self) {
        (self.threshold_ns, self.blocked_ns, self.owner) = (0, 0, 0);
    }
}

/// Waits that spin may nest on a CPU: those of a thread, a softirq, an interrupt, and an NMI.
pub const NESTED: usize = 4;

/// A wait for a lock of the kernel that has begun.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelWaiting {
    /// The lock's address; 0: none.
    pub address: u64,
    /// When the wait began.
    pub since: u64,
    /// The kernel's flags: [`flag`].
    pub flags: u32,
    /// The thread that held it, as user space numbers threads; 0: unknown.
    pub owner_tid: u32,
    /// Its process.
    pub owner_pid: u32,
    /// 0.
    pub reserved: u32,
}

/// Flags of the tracepoint `contention_begin` (`LCB_F_*`, include/trace/events/lock.h).
pub mod flag {
    /// It spins.
    pub const SPIN: u32 = 1;
    /// For reading.
    pub const READ: u32 = 2;
    /// For writing.
    pub const WRITE: u32 = 4;
    /// A real-time lock.
    pub const RT: u32 = 8;
    /// A per-CPU semaphore.
    pub const PERCPU: u32 = 16;
    /// A mutex; with `SPIN`: it spins before it sleeps.
    pub const MUTEX: u32 = 32;
}

/// Kinds of kernel locks, in the order in which they are numbered here.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelLock {
    /// A spin lock.
    Spin = 0,
    /// A spinning reader-writer lock, for reading.
    ReadLock = 1,
    /// The same for writing.
    WriteLock = 2,
    /// A mutex.
    Mutex = 3,
    /// A reader-writer semaphore, for reading.
    SemaphoreRead = 4,
    /// The same for writing.
    SemaphoreWrite = 5,
    /// A per-CPU reader-writer semaphore, for reading.
    PerCpuRead = 6,
    /// The same for writing.
    PerCpuWrite = 7,
    /// A real-time mutex, on its own or as part of another lock.
    RtMutex = 8,
    /// A counting semaphore, or what has no flags.
    Semaphore = 9,
}

impl KernelLock {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 10] = [
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

    /// What the kernel's flags mean.
    #[inline(always)]
    pub fn of(flags: u32) -> Self {
        if flags & flag::MUTEX != 0 {
            Self::Mutex
        } else if flags & flag::RT != 0 {
            Self::RtMutex
        } else if flags & flag::PERCPU != 0 {
            match flags & flag::WRITE {
                0 => Self::PerCpuRead,
                _ => Self::PerCpuWrite,
            }
        } else if flags & flag::SPIN != 0 {
            match flags & (flag::READ | flag::WRITE) {
                0 => Self::Spin,
                flag::READ => Self::ReadLock,
                _ => Self::WriteLock,
            }
        } else {
            match flags & (flag::READ | flag::WRITE) {
                0 => Self::Semaphore,
                flag::READ => Self::SemaphoreRead,
                _ => Self::SemaphoreWrite,
            }
        }
    }

    /// Whether who waits for a lock with these flags stays on its CPU.
    #[inline(always)]
    pub fn spins(flags: u32) -> bool {
        flags & (flag::SPIN | flag::MUTEX) == flag::SPIN
    }
}

/// Kinds of kernel locks, and room for more: a power of two.
pub const KERNEL_LOCKS: usize = 16;

/// Operations of the futex call (include/uapi/linux/futex.h).
pub mod futex {
    /// The operation without its flags.
    pub const COMMAND: u32 = 127;
    /// Wait while the word has a value.
    pub const WAIT: u32 = 0;
    /// Wait, with a mask.
    pub const WAIT_BITSET: u32 = 9;
    /// Lock with priority inheritance.
    pub const LOCK_PI: u32 = 6;
    /// The same with another clock.
    pub const LOCK_PI2: u32 = 13;
    /// Wait, to be moved to a lock with priority inheritance.
    pub const WAIT_REQUEUE_PI: u32 = 11;
    /// The part of a word of such a lock that is its owner (`FUTEX_TID_MASK`).
    pub const TID_MASK: u32 = 0x3fff_ffff;
    /// The value of the word of glibc's mutex while others wait (`nptl/lowlevellock.h`). Its owner is 8 bytes behind it
    /// (`struct __pthread_mutex_s`).
    pub const GLIBC_CONTENDED: u32 = 2;
    /// Where that owner is, in bytes.
    pub const GLIBC_OWNER: u64 = 8;
}

/// Calls that wait for a futex (arch/x86/entry/syscalls/syscall_64.tbl).
pub mod call {
    /// `futex`.
    pub const FUTEX: u64 = 202;
    /// `futex_waitv`.
    pub const FUTEX_WAITV: u64 = 449;
    /// `futex_wait`.
    pub const FUTEX_WAIT: u64 = 455;
}

/// Frames of the kernel stack that are kept of a wait for a kernel lock.
pub const KERNEL_WAIT_FRAMES: usize = 24;
/// Waits for kernel locks that a CPU keeps until user space has read them: a power of two.
pub const KERNEL_WAITS: usize = 256;

/// A wait for a kernel lock, as user space finds it in memory: these programs may be run by whoever holds the lock of a
/// ring buffer, so they must not write to one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelWait {
    /// When it ended: `CLOCK_MONOTONIC`, nanoseconds.
    pub time: u64,
    /// The lock's address.
    pub address: u64,
    /// How long it was, in nanoseconds.
    pub ns: u64,
    /// At which threshold it was kept.
    pub threshold_ns: u64,
    /// Who waited: user space's process id; 0: the idle task, in an interrupt.
    pub pid: u32,
    /// And thread id.
    pub tid: u32,
    /// Who held a lock that stores its owner when the wait began; 0: unknown.
    pub owner_tid: u32,
    /// And its process.
    pub owner_pid: u32,
    /// [`flag`]s.
    pub flags: u32,
    /// A [`KernelWord`].
    pub word: u32,
    /// How many frames there are.
    pub frames: u32,
    /// 0.
    pub reserved: u32,
    /// The kernel stack, innermost first: addresses behind calls.
    pub stack: [u64; KERNEL_WAIT_FRAMES],
}

/// Which of a thread's own locks it is, where that is known.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelWord {
    /// None of them.
    Unknown = 0,
    /// `mm_struct.mmap_lock` of its address space.
    MmapLock = 1,
    /// `sighand_struct.siglock`.
    Siglock = 2,
}

/// The waits of one CPU: one program writes at `head`, user space reads from `tail`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KernelWaits {
    /// How many were written.
    pub head: u64,
    /// How many were read.
    pub tail: u64,
    /// The waits, each in the place of its number.
    pub waits: [KernelWait; KERNEL_WAITS],
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)` of integers without padding (checked by the test below).
unsafe impl aya::Pod for KernelWaits {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_goes_on_is_told_when_it_is_long_and_then_now_and_then() {
        let mut waiting = LockWaiting {
            // Told in a wait before, and that does not count for this one, which began at 100 s.
            told_stuck: 99_000_000_000,
            ..LockWaiting::default()
        };
        let is_stuck = |waiting: &LockWaiting, now: u64| waiting.is_stuck(now, now - 100_000_000_000);
        assert!(!is_stuck(&waiting, 101_000_000_000));
        assert!(is_stuck(&waiting, 102_000_000_000));
        // Whoever had no time to tell it is asked again.
        assert!(is_stuck(&waiting, 104_000_000_000));
        waiting.told_stuck = 104_000_000_000;
        assert!(!is_stuck(&waiting, 110_000_000_000));
        assert!(is_stuck(&waiting, 124_000_000_000));
    }

    #[test]
    fn no_owner_outlives_the_call_that_waited() {
        let mut waiting = LockWaiting {
            threshold_ns: 1,
            blocked_ns: 2,
            owner: 3,
            wanted_at: 4,
            ..LockWaiting::default()
        };
        waiting.call_ends();
        let left = LockWaiting {
            wanted_at: 4,
            ..LockWaiting::default()
        };
        assert_eq!(waiting, left);
    }

    #[test]
    fn flags_are_kinds() {
        for (number, kind) in KernelLock::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
        assert!(KernelLock::ALL.len() <= KERNEL_LOCKS);
        let kinds = [
            (1, KernelLock::Spin),
            (1 | 2, KernelLock::ReadLock),
            (1 | 4, KernelLock::WriteLock),
            (32, KernelLock::Mutex),
            (32 | 1, KernelLock::Mutex),
            (2, KernelLock::SemaphoreRead),
            (4, KernelLock::SemaphoreWrite),
            (16 | 2, KernelLock::PerCpuRead),
            (16 | 4, KernelLock::PerCpuWrite),
            (8, KernelLock::RtMutex),
            (8 | 4, KernelLock::RtMutex),
            (0, KernelLock::Semaphore),
        ];
        for (flags, kind) in kinds {
            assert_eq!(KernelLock::of(flags), kind, "{flags}");
        }
        assert!(KernelLock::spins(1) && KernelLock::spins(1 | 4));
        assert!(!KernelLock::spins(32 | 1) && !KernelLock::spins(2) && !KernelLock::spins(8));
    }

    #[test]
    fn a_wait_has_no_padding() {
        assert_eq!(size_of::<KernelWait>(), 64 + KERNEL_WAIT_FRAMES * 8);
        assert_eq!(
            size_of::<KernelWaits>(),
            16 + KERNEL_WAITS * size_of::<KernelWait>()
        );
    }
}
