//! The functions that locks of programs are waited for in, and what they tell.
//!
//! Sources: glibc `nptl/` (2.17 to 2.41) and musl `src/thread/`, whose exported names are all that a stripped library has;
//! Rust `library/std/src/sys/sync/` (1.62 and later; `sys/unix/locks/` until 1.71); `parking_lot` 0.9 to 0.12; tokio 1
//! `src/runtime/`; Go `src/runtime/lock_futex.go`, `proc.go`; OpenJDK `os_posix.cpp`, `objectMonitor.cpp`; PostgreSQL `lwlock.c`, `posix_sema.c`.

use super::class::{Class, Library, Mode};

/// What a function tells that is found between the wait and the code that asked for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The function, or the type or module that it is in. A name without `::` is the whole of a function's name, less the
    /// underscores in front.
    pub(super) path: &'static str,
    /// The begin of the module's name that it has to be in.
    pub(super) module: &'static str,
    /// What is waited for; `None`: it is a part of a lock library and tells no more.
    pub(super) means: Option<(Class, Mode)>,
    /// Whether it is made of condition variables, parkers or semaphores, so that those within it tell less.
    pub(super) built: bool,
    /// Whose it is.
    pub(super) library: Library,
}

const fn part(library: Library, path: &'static str) -> Rule {
    Rule {
        path,
        module: "",
        means: None,
        built: false,
        library,
    }
}

const fn is(library: Library, path: &'static str, class: Class) -> Rule {
    mode(library, path, class, Mode::Any)
}

const fn mode(library: Library, path: &'static str, class: Class, mode: Mode) -> Rule {
    Rule {
        means: Some((class, mode)),
        ..part(library, path)
    }
}

const fn built(library: Library, path: &'static str, class: Class) -> Rule {
    Rule {
        built: true,
        ..is(library, path, class)
    }
}

const fn jvm(path: &'static str, class: Class) -> Rule {
    Rule {
        module: "libjvm",
        ..built(Java, path, class)
    }
}

const fn jvm_part(path: &'static str) -> Rule {
    Rule {
        module: "libjvm",
        ..part(Java, path)
    }
}

use Library::{C, Go, Java, ParkingLot, RustCrate, RustStd, Tokio};

/// Of several that fit, the first counts: what is more special comes first.
pub(super) const RULES: &[Rule] = &[
    // C.
    part(C, "syscall"),
    part(C, "futex_wait"),
    part(C, "futex_wait_cancelable"),
    part(C, "futex_abstimed_wait_common"),
    part(C, "futex_abstimed_wait64"),
    part(C, "futex_abstimed_wait_cancelable64"),
    part(C, "wait"),
    part(C, "timedwait"),
    part(C, "timedwait_cp"),
    part(C, "futexwait"),
    part(C, "syscall_cp"),
    part(C, "syscall_cp_c"),
    part(C, "syscall_cp_asm"),
    part(C, "cp_begin"),
    part(C, "cp_end"),
    part(C, "private_cond_signal"),
    part(C, "futex_abstimed_wait_common64"),
    part(C, "futex_wake"),
    part(C, "futex_lock_pi64"),
    part(C, "futex_unlock_pi"),
    part(C, "lll_mutex_lock_optimized"),
    part(C, "lll_mutex_unlock_optimized"),
    part(C, "lll_lock_wake"),
    part(C, "lll_lock_wake_private"),
    is(C, "lll_lock_wait", Class::Mutex),
    is(C, "lll_lock_wait_private", Class::Mutex),
    is(C, "pthread_mutex_lock", Class::Mutex),
    is(C, "pthread_mutex_lock_full", Class::Mutex),
    is(C, "pthread_mutex_cond_lock", Class::Mutex),
    is(C, "pthread_mutex_timedlock", Class::Mutex),
    is(C, "pthread_mutex_clocklock", Class::Mutex),
    part(C, "pthread_mutex_unlock"),
    part(C, "pthread_mutex_unlock_usercnt"),
    is(C, "mtx_lock", Class::Mutex),
    is(C, "mtx_timedlock", Class::Mutex),
    part(C, "mtx_unlock"),
    is(C, "pthread_cond_wait", Class::Condition),
    is(C, "pthread_cond_wait_common", Class::Condition),
    is(C, "pthread_cond_timedwait", Class::Condition),
    is(C, "pthread_cond_clockwait", Class::Condition),
    part(C, "pthread_cond_signal"),
    part(C, "pthread_cond_broadcast"),
    is(C, "condvar_quiesce_and_switch_g1", Class::Condition),
    is(C, "cnd_wait", Class::Condition),
    is(C, "cnd_timedwait", Class::Condition),
    mode(C, "pthread_rwlock_rdlock", Class::RwLock, Mode::Read),
    mode(C, "pthread_rwlock_timedrdlock", Class::RwLock, Mode::Read),
    mode(C, "pthread_rwlock_clockrdlock", Class::RwLock, Mode::Read),
    mode(C, "pthread_rwlock_wrlock", Class::RwLock, Mode::Write),
    mode(C, "pthread_rwlock_timedwrlock", Class::RwLock, Mode::Write),
    mode(C, "pthread_rwlock_clockwrlock", Class::RwLock, Mode::Write),
    mode(C, "pthread_rwlock_rdlock_full64", Class::RwLock, Mode::Read),
    mode(C, "pthread_rwlock_wrlock_full64", Class::RwLock, Mode::Write),
    part(C, "pthread_rwlock_unlock"),
    is(C, "sem_wait", Class::Semaphore),
    is(C, "new_sem_wait", Class::Semaphore),
    is(C, "new_sem_wait_slow64", Class::Semaphore),
    is(C, "sem_timedwait", Class::Semaphore),
    is(C, "sem_clockwait", Class::Semaphore),
    part(C, "sem_post"),
    part(C, "new_sem_post"),
    is(C, "pthread_join", Class::Join),
    is(C, "pthread_clockjoin_ex", Class::Join),
    is(C, "pthread_timedjoin_ex", Class::Join),
    is(C, "pthread_timedjoin_np", Class::Join),
    is(C, "pthread_clockjoin_np", Class::Join),
    is(C, "thrd_join", Class::Join),
    is(C, "pthread_barrier_wait", Class::Barrier),
    is(C, "pthread_once", Class::Once),
    is(C, "call_once", Class::Once),
    is(C, "cxa_guard_acquire", Class::Once),
    part(C, "gthread_mutex_lock"),
    part(C, "gthread_cond_wait"),
    part(C, "std::mutex"),
    part(C, "std::timed_mutex"),
    part(C, "std::recursive_mutex"),
    part(C, "std::unique_lock"),
    part(C, "std::lock_guard"),
    part(C, "std::scoped_lock"),
    part(C, "std::shared_lock"),
    part(C, "std::shared_mutex"),
    part(C, "std::shared_timed_mutex"),
    part(C, "std::condition_variable"),
    part(C, "std::condition_variable_any"),
    part(C, "std::__condvar"),
    built(C, "std::thread::join", Class::Join),
    built(C, "std::counting_semaphore", Class::Semaphore),
    built(C, "std::barrier", Class::Barrier),
    built(C, "std::latch", Class::Barrier),
    built(C, "std::__atomic_futex_unsigned_base", Class::Condition),
    built(C, "std::__future_base", Class::Condition),
    built(C, "std::call_once", Class::Once),
    // PostgreSQL, whose locks put a process to sleep on its own semaphore.
    part(C, "PGSemaphoreLock"),
    part(C, "PGSemaphoreUnlock"),
    part(C, "LWLockRelease"),
    built(C, "LWLockAcquire", Class::Mutex),
    built(C, "LWLockAcquireOrWait", Class::Mutex),
    built(C, "LWLockWaitForVar", Class::Mutex),
    // Rust's standard library.
    is(RustStd, "std::sys::sync::mutex", Class::Mutex),
    is(RustStd, "std::sys::unix::locks::futex_mutex", Class::Mutex),
    is(RustStd, "std::sys::sync::condvar", Class::Condition),
    is(RustStd, "std::sys::unix::locks::futex_condvar", Class::Condition),
    mode(
        RustStd,
        "std::sys::sync::rwlock::futex::RwLock::read",
        Class::RwLock,
        Mode::Read,
    ),
    mode(
        RustStd,
        "std::sys::sync::rwlock::futex::RwLock::read_contended",
        Class::RwLock,
        Mode::Read,
    ),
    mode(
        RustStd,
        "std::sys::sync::rwlock::futex::RwLock::write",
        Class::RwLock,
        Mode::Write,
    ),
    mode(
        RustStd,
        "std::sys::sync::rwlock::futex::RwLock::write_contended",
        Class::RwLock,
        Mode::Write,
    ),
    mode(
        RustStd,
        "std::sys::unix::locks::futex_rwlock::RwLock::read_contended",
        Class::RwLock,
        Mode::Read,
    ),
    mode(
        RustStd,
        "std::sys::unix::locks::futex_rwlock::RwLock::write_contended",
        Class::RwLock,
        Mode::Write,
    ),
    is(RustStd, "std::sys::sync::rwlock", Class::RwLock),
    is(RustStd, "std::sys::unix::locks::futex_rwlock", Class::RwLock),
    is(RustStd, "std::sys::sync::once", Class::Once),
    is(RustStd, "std::sys_common::once::futex", Class::Once),
    is(RustStd, "std::sys::sync::thread_parking", Class::Park),
    is(RustStd, "std::sys_common::thread_parking", Class::Park),
    is(RustStd, "std::sys_common::thread_parker", Class::Park),
    is(RustStd, "std::thread::park", Class::Park),
    is(RustStd, "std::thread::park_timeout", Class::Park),
    part(RustStd, "std::thread::thread::Thread::park"),
    part(RustStd, "std::thread::Thread::park"),
    part(RustStd, "std::thread::Thread::unpark"),
    part(RustStd, "std::sys::pal::unix::futex"),
    part(RustStd, "std::sys::unix::futex"),
    part(RustStd, "std::sys::futex"),
    part(RustStd, "std::sync::mutex"),
    part(RustStd, "std::sync::rwlock"),
    part(RustStd, "std::sync::condvar"),
    part(RustStd, "std::sync::poison"),
    part(RustStd, "std::sync::nonpoison"),
    part(RustStd, "std::sync::reentrant_lock"),
    part(RustStd, "core::ptr::drop_in_place"),
    part(RustStd, "core::mem::drop"),
    built(RustStd, "std::sync::once", Class::Once),
    built(RustStd, "std::sync::once_lock", Class::Once),
    built(RustStd, "std::sync::lazy_lock", Class::Once),
    built(RustStd, "std::sync::barrier", Class::Barrier),
    built(RustStd, "std::sync::mpsc", Class::Park),
    built(RustStd, "std::sync::mpmc", Class::Park),
    built(RustStd, "std::thread::JoinHandle", Class::Join),
    built(RustStd, "std::thread::JoinInner", Class::Join),
    built(RustStd, "std::thread::join_handle", Class::Join),
    built(RustStd, "std::thread::lifecycle::JoinInner", Class::Join),
    built(RustStd, "std::thread::scoped", Class::Join),
    built(RustStd, "std::sys::thread::unix::Thread::join", Class::Join),
    built(RustStd, "std::sys::pal::unix::thread::Thread::join", Class::Join),
    built(RustStd, "std::sys::unix::thread::Thread::join", Class::Join),
    // parking_lot.
    is(ParkingLot, "parking_lot::raw_mutex", Class::Mutex),
    is(ParkingLot, "parking_lot::raw_fair_mutex", Class::Mutex),
    mode(
        ParkingLot,
        "parking_lot::raw_rwlock::RawRwLock::lock_shared_slow",
        Class::RwLock,
        Mode::Read,
    ),
    mode(
        ParkingLot,
        "parking_lot::raw_rwlock::RawRwLock::lock_upgradable_slow",
        Class::RwLock,
        Mode::Read,
    ),
    mode(
        ParkingLot,
        "parking_lot::raw_rwlock::RawRwLock::lock_exclusive_slow",
        Class::RwLock,
        Mode::Write,
    ),
    mode(
        ParkingLot,
        "parking_lot::raw_rwlock::RawRwLock::upgrade_slow",
        Class::RwLock,
        Mode::Write,
    ),
    mode(
        ParkingLot,
        "parking_lot::raw_rwlock::RawRwLock::wait_for_readers",
        Class::RwLock,
        Mode::Write,
    ),
    part(ParkingLot, "parking_lot::raw_rwlock::RawRwLock::lock_common"),
    is(ParkingLot, "parking_lot::raw_rwlock", Class::RwLock),
    is(ParkingLot, "parking_lot::condvar", Class::Condition),
    is(ParkingLot, "parking_lot::once", Class::Once),
    part(ParkingLot, "parking_lot"),
    part(ParkingLot, "parking_lot_core"),
    part(ParkingLot, "lock_api"),
    // Rust's runtimes and channels.
    built(Tokio, "tokio::runtime::park", Class::Park),
    built(
        Tokio,
        "tokio::runtime::scheduler::multi_thread::park",
        Class::Park,
    ),
    built(Tokio, "tokio::runtime::blocking::pool", Class::Park),
    built(Tokio, "tokio::park", Class::Park),
    part(Tokio, "tokio::loom"),
    built(RustCrate, "rayon_core::sleep", Class::Park),
    built(RustCrate, "rayon_core::latch", Class::Park),
    built(RustCrate, "crossbeam_utils::sync::parker", Class::Park),
    built(RustCrate, "crossbeam_utils::sync::wait_group", Class::Barrier),
    built(RustCrate, "crossbeam_channel", Class::Park),
    built(RustCrate, "futures_executor", Class::Park),
    // Go.
    part(Go, "runtime.futex"),
    part(Go, "runtime.futexsleep"),
    part(Go, "runtime.futexsleep1"),
    part(Go, "runtime.futexwakeup"),
    part(Go, "runtime.notewakeup"),
    part(Go, "runtime.unlock"),
    part(Go, "runtime.unlock2"),
    part(Go, "runtime.unlockWithRank"),
    is(Go, "runtime.lock", Class::Mutex),
    is(Go, "runtime.lock2", Class::Mutex),
    is(Go, "runtime.lockWithRank", Class::Mutex),
    is(Go, "runtime.notesleep", Class::Park),
    is(Go, "runtime.notetsleep", Class::Park),
    is(Go, "runtime.notetsleepg", Class::Park),
    is(Go, "runtime.notetsleep_internal", Class::Park),
    is(Go, "runtime.mPark", Class::Park),
    is(Go, "runtime.stopm", Class::Park),
    // Java.
    jvm("Parker::park", Class::Park),
    jvm("Unsafe_Park", Class::Park),
    jvm("ObjectMonitor::wait", Class::Condition),
    jvm("ObjectMonitor::enter", Class::Mutex),
    jvm("ObjectMonitor::EnterI", Class::Mutex),
    jvm("ObjectMonitor::ReenterI", Class::Mutex),
    jvm("ObjectMonitor", Class::Mutex),
    jvm("Monitor::wait", Class::Condition),
    jvm("Monitor::wait_without_safepoint_check", Class::Condition),
    jvm("Mutex::lock", Class::Mutex),
    jvm("Mutex::lock_contended", Class::Mutex),
    jvm("Mutex::lock_without_safepoint_check", Class::Mutex),
    jvm_part("PlatformEvent"),
    jvm_part("os::PlatformEvent"),
    jvm_part("PlatformMonitor"),
    jvm_part("os::PlatformMonitor"),
    jvm_part("os::PlatformMutex"),
    jvm_part("ObjectSynchronizer"),
];

/// The rule for a function of this path in this module.
pub(super) fn rule(path: &[&str], module: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| rule.fits(path) && module.starts_with(rule.module))
}

impl Rule {
    fn fits(&self, path: &[&str]) -> bool {
        let mut parts = self.path.split("::");
        let mut matched = 0;
        let begins = parts.all(|part| {
            matched += 1;
            path.get(matched - 1).is_some_and(|other| *other == part)
        });
        begins && (matched > 1 || path.len() == 1 || self.is_crate())
    }

    /// Whether it is about all of a crate, and not a function of that name.
    fn is_crate(&self) -> bool {
        matches!(self.library, ParkingLot | RustCrate | Java)
    }
}
