//! What kind of lock it is, and whether to wait for it is contention.

use crate::profile::Contention;

/// What a lock is to the program that waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// One holder at a time.
    Mutex,
    /// Many readers or one writer.
    RwLock,
    /// One holder at a time, waited for on the CPU; the kernel's.
    Spin,
    /// Done once, and waited for by all others.
    Once,
    /// A counter.
    Semaphore,
    /// Waits until another thread says that something changed.
    Condition,
    /// Waits until another thread has something to do for it.
    Park,
    /// Waits until a thread has ended.
    Join,
    /// Waits until enough threads have come.
    Barrier,
    /// Neither frames nor values tell.
    #[default]
    Unknown,
}

impl Class {
    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutex => "mutex",
            Self::RwLock => "rw lock",
            Self::Spin => "spin lock",
            Self::Once => "once",
            Self::Semaphore => "semaphore",
            Self::Condition => "condition variable",
            Self::Park => "parked thread",
            Self::Join => "join",
            Self::Barrier => "barrier",
            Self::Unknown => "lock of unknown kind",
        }
    }

    /// What waiting for one of the program's own is.
    pub fn purpose(self) -> Purpose {
        match self {
            Self::Mutex | Self::RwLock | Self::Spin | Self::Once => Purpose::Contention,
            Self::Semaphore | Self::Condition | Self::Park | Self::Join | Self::Barrier => Purpose::Idle,
            Self::Unknown => Purpose::Unknown,
        }
    }

    /// What it is that is waited for in one of the kernel's ways; [`Self::Unknown`] for futexes.
    pub(super) fn of_kernel(contention: Contention) -> (Self, Mode) {
        match contention {
            Contention::Spin => (Self::Spin, Mode::Any),
            Contention::Mutex | Contention::RtMutex => (Self::Mutex, Mode::Any),
            Contention::ReadLock | Contention::SemaphoreRead | Contention::PerCpuRead => {
                (Self::RwLock, Mode::Read)
            }
            Contention::WriteLock | Contention::SemaphoreWrite | Contention::PerCpuWrite => {
                (Self::RwLock, Mode::Write)
            }
            Contention::Semaphore => (Self::Semaphore, Mode::Any),
            Contention::FutexWait
            | Contention::FutexWaitBitset
            | Contention::FutexLockPi
            | Contention::FutexWaitRequeuePi
            | Contention::FutexWaitMultiple => (Self::Unknown, Mode::Any),
        }
    }
}

/// What waiting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Somebody else has what is needed now.
    Contention,
    /// It cannot be told.
    Unknown,
    /// There is nothing to do until another thread says so: idle workers wait so, and nobody has to mend that.
    Idle,
}

/// How a lock is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// There is one way only, or it is not known.
    #[default]
    Any,
    /// To read, with others.
    Read,
    /// To write, alone.
    Write,
}

impl Mode {
    /// What a person says behind `waited`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Read => " to read",
            Self::Write => " to write",
        }
    }
}

/// Whose code waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Library {
    /// A C library, which also C++ waits with.
    C,
    /// The GNU C library.
    Glibc,
    /// The musl C library.
    Musl,
    /// Rust's standard library.
    RustStd,
    /// `parking_lot`.
    ParkingLot,
    /// `tokio`.
    Tokio,
    /// Other crates of Rust that park threads: `rayon`, `crossbeam`.
    RustCrate,
    /// Go's runtime.
    Go,
    /// The Java virtual machine.
    Java,
    /// The kernel.
    Kernel,
    /// Not known.
    #[default]
    Unknown,
}

impl Library {
    /// What a person calls it; empty if it is not known.
    pub fn name(self) -> &'static str {
        match self {
            Self::C => "C library",
            Self::Glibc => "glibc",
            Self::Musl => "musl",
            Self::RustStd => "Rust std",
            Self::ParkingLot => "parking_lot",
            Self::Tokio => "tokio",
            Self::RustCrate => "Rust crate",
            Self::Go => "Go",
            Self::Java => "Java",
            Self::Kernel => "kernel",
            Self::Unknown => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_locks_are_of_a_known_class_and_futexes_are_not() {
        for contention in Contention::ALL {
            let (class, _) = Class::of_kernel(contention);
            assert_eq!(class == Class::Unknown, contention.is_futex(), "{contention:?}");
        }
    }
}
