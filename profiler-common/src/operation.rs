//! Operations that are counted and timed: what they are, and how they are summed.

use crate::histogram::{self, BUCKETS};

/// What kind of operation: which table its number is of.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// A system call of a 64-bit program.
    Call = 0,
    /// A system call of a 32-bit program.
    CompatCall = 1,
    /// A request to an io_uring, by its opcode.
    IoUring = 2,
    /// Waiting for a CPU; its number is 0.
    RunQueue = 3,
    /// Block I/O, from the issue to the device to its completion; the number is that of [`crate::block`].
    Block = 4,
    /// Block I/O, from when the kernel made the request to its issue.
    BlockQueue = 5,
    /// Waiting for a lock of the kernel; the number is that of [`crate::lock::KernelLock`].
    KernelLock = 6,
    /// Waiting for memory outside of calls: a page fault; its number is 0.
    PageFault = 7,
}

/// What is summed in one place: operations of one kind, of one process, on one CPU. That no other CPU writes there is why
/// nothing needs to be atomic.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OperationKey {
    /// User space's process id.
    pub pid: u32,
    /// The CPU that the operations ended on.
    pub cpu: u32,
    /// The kernel's number of the block device (`dev_t`), else 0.
    pub device: u32,
    /// The number of the operation in its table.
    pub number: u16,
    /// An [`OperationKind`].
    pub kind: u8,
    /// An `ObjectKind`.
    pub object: u8,
}

impl OperationKey {
    /// All zero.
    pub const NOTHING: Self = Self {
        pid: 0,
        cpu: 0,
        device: 0,
        number: 0,
        kind: 0,
        object: 0,
    };
}

/// Room for buckets: a power of two, so that the verifier sees the bound in a mask.
const ROOM: usize = 256;
const _: () = assert!(BUCKETS <= ROOM);

/// Kinds of errors that are told apart.
pub const ERRORS: usize = 6;

/// The sum of operations: running totals, which begin when the place is taken.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// How many operations there were, those included that never return.
    pub count: u64,
    /// How long they took together, in nanoseconds.
    pub total_ns: u64,
    /// The shortest, in nanoseconds.
    pub min_ns: u64,
    /// The longest, in nanoseconds.
    pub max_ns: u64,
    /// How many failed with each of `errnos`; the last one: with any other.
    pub errors: [u32; ERRORS + 1],
    /// Which errors were met, in the order of their first; 0: none yet.
    pub errnos: [u16; ERRORS],
    /// How many lie in each bucket of [`histogram`].
    pub buckets: [u32; ROOM],
}

impl Operations {
    /// Nothing yet.
    pub const NOTHING: Self = Self {
        count: 0,
        total_ns: 0,
        min_ns: 0,
        max_ns: 0,
        errors: [0; ERRORS + 1],
        errnos: [0; ERRORS],
        buckets: [0; ROOM],
    };

    /// An operation took `ns` nanoseconds, and failed with `errno` unless that is 0.
    #[inline(always)]
    pub fn add(&mut self, ns: u64, errno: u16) {
        if ns < self.min_ns || self.total_ns == 0 {
            self.min_ns = ns;
        }
        if ns > self.max_ns {
            self.max_ns = ns;
        }
        self.count = self.count.wrapping_add(1);
        self.total_ns = self.total_ns.wrapping_add(ns);
        let bucket = &mut self.buckets[histogram::bucket(ns) as usize & (ROOM - 1)];
        *bucket = bucket.wrapping_add(1);
        if errno != 0 {
            self.fail(errno);
        }
    }

    /// An operation began that never returns.
    #[inline(always)]
    pub fn add_endless(&mut self) {
        self.count = self.count.wrapping_add(1);
    }

    #[inline(always)]
    fn fail(&mut self, errno: u16) {
        let mut at = 0;
        while at < ERRORS {
            if self.errnos[at] == 0 {
                self.errnos[at] = errno;
            }
            if self.errnos[at] == errno {
                break;
            }
            at += 1;
        }
        self.errors[at] = self.errors[at].wrapping_add(1);
    }
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)` of integers without padding (checked by the test below).
unsafe impl aya::Pod for OperationKey {}
#[cfg(feature = "user")]
// SAFETY: as above.
unsafe impl aya::Pod for Operations {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_padding() {
        assert_eq!(size_of::<OperationKey>(), 16);
        assert_eq!(size_of::<Operations>(), 4 * 8 + 7 * 4 + 6 * 2 + 256 * 4);
        assert_eq!(size_of::<Operations>() % 8, 0);
    }

    #[test]
    fn sums_have_the_shortest_and_the_longest() {
        let mut sum = Operations::NOTHING;
        for ns in [500, 100, 900, 100] {
            sum.add(ns, 0);
        }
        assert_eq!(
            (sum.count, sum.total_ns, sum.min_ns, sum.max_ns),
            (4, 1_600, 100, 900)
        );
        assert_eq!(sum.buckets[histogram::bucket(100) as usize], 2);
        assert_eq!(sum.buckets.iter().sum::<u32>(), 4);
        sum.add_endless();
        assert_eq!((sum.count, sum.buckets.iter().sum::<u32>()), (5, 4));
    }

    #[test]
    fn errors_are_told_apart_and_those_beyond_are_counted() {
        let mut sum = Operations::NOTHING;
        for errno in [11, 2, 11, 1, 3, 4, 5, 6, 7, 11, 6] {
            sum.add(100, errno);
        }
        assert_eq!(sum.errnos, [11, 2, 1, 3, 4, 5]);
        assert_eq!(sum.errors, [3, 1, 1, 1, 1, 1, 3]);
    }
}
