//! Where in a stack the code ends that makes up a lock, and what that code says.

use rustc_hash::FxHashMap;

use super::{
    class::{Class, Library, Mode},
    kernel,
    rules::{Rule, rule},
};
use crate::{
    profile::{Contention, Id, Profile, Stack},
    query::{Frame, async_blocking::path::path, frames},
};

/// What a stack says of a wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// What is waited for, and whose code does; `None`: no frame tells.
    pub(super) class: Option<(Class, Mode, Library)>,
    /// Which lock of the kernel it is.
    pub(super) name: Option<&'static str>,
    /// The first function outside of the code that makes up the lock.
    pub(super) user: Option<Function>,
    /// How many frames are within that code.
    pub(super) within: usize,
}

/// A function by its label and that of its module; both raw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Function {
    /// See [`Frame::label`].
    pub label: String,
    /// See [`Frame::module`].
    pub module: String,
}

/// Looks at each stack once.
#[derive(Debug)]
pub(super) struct Places<'a> {
    profile: &'a Profile,
    user: FxHashMap<Id<Stack>, Place>,
    kernel: FxHashMap<(Id<Stack>, Contention), Place>,
}

impl<'a> Places<'a> {
    pub(super) fn new(profile: &'a Profile) -> Self {
        Self {
            profile,
            user: FxHashMap::default(),
            kernel: FxHashMap::default(),
        }
    }

    /// What the stack of a wait with a futex says, or of a call that ended one.
    pub(super) fn futex(&mut self, stack: Id<Stack>) -> &Place {
        let profile = self.profile;
        self.user.entry(stack).or_insert_with(|| of_futex(profile, stack))
    }

    /// What the stack of a wait for a lock of the kernel says.
    pub(super) fn kernel(&mut self, stack: Id<Stack>, contention: Contention) -> &Place {
        let profile = self.profile;
        let place = self.kernel.entry((stack, contention));
        place.or_insert_with(|| of_kernel(profile, stack, contention))
    }
}

fn all_frames(profile: &Profile, stack: Id<Stack>) -> impl Iterator<Item = Frame<'_>> {
    let locations = profile.stacks.locations(stack);
    locations.flat_map(|location| frames(profile, location))
}

fn function(frame: &Frame<'_>) -> Function {
    Function {
        label: frame.label().into_owned(),
        module: frame.module.to_owned(),
    }
}

fn of_futex(profile: &Profile, stack: Id<Stack>) -> Place {
    let mut place = Place::default();
    for (index, frame) in all_frames(profile, stack).enumerate() {
        if frame.kernel {
            continue;
        }
        if let Some(found) = rule_of(&frame) {
            tell(&mut place, found, frame.module);
            // Functions of the C library further in, of which nothing is known, were a part of it.
            place.user = None;
            continue;
        }
        let in_c_library = is_c_library(frame.module);
        if place.user.is_none() && !(in_c_library && frame.function.is_none()) {
            place.within = index;
            place.user = Some(function(&frame));
        }
        if !in_c_library {
            break;
        }
    }
    place
}

fn rule_of(frame: &Frame<'_>) -> Option<&'static Rule> {
    let name = frame.function?;
    match path(frame) {
        Some(path) => rule(&path, frame.module),
        None => rule(&[plain(name)], frame.module),
    }
}

/// A function's name without underscores in front, and without what linkers and compilers add behind.
fn plain(name: &str) -> &str {
    // `__GI_` marks a name that a library uses itself.
    let name = name.trim_start_matches('_');
    let name = name.strip_prefix("GI_").unwrap_or(name).trim_start_matches('_');
    let added = ["@", ".constprop.", ".isra.", ".part.", ".cold", ".abi0"];
    let end = added.iter().filter_map(|added| name.find(added)).min();
    &name[..end.unwrap_or(name.len())]
}

/// A function further out tells more than those within it if they are what it is made of.
fn tell(place: &mut Place, found: &Rule, module: &str) {
    let Some((class, mode)) = found.means else { return };
    let library = match found.library {
        // glibc's is called libc.so.6.
        Library::C if module.contains("musl") || module == "libc.so" => Library::Musl,
        Library::C if is_c_library(module) => Library::Glibc,
        other => other,
    };
    let made_of = |class| matches!(class, Class::Condition | Class::Park | Class::Semaphore);
    let counts = match &place.class {
        None => true,
        Some((inner, ..)) => found.built && made_of(*inner),
    };
    if counts {
        place.class = Some((class, mode, library));
    }
}

/// Whether a function without a name is one of the C library's own: of those, a stripped library names only what it exports.
fn is_c_library(module: &str) -> bool {
    ["libc.so", "libc-2", "libpthread", "ld-musl", "libc.musl"]
        .iter()
        .any(|begin| module.starts_with(begin))
}

/// How many functions around the kernel's locking are asked which lock it is.
const CALLERS: usize = 3;

fn of_kernel(profile: &Profile, stack: Id<Stack>, contention: Contention) -> Place {
    let mut place = Place::default();
    let mut asked = 0;
    for (index, frame) in all_frames(profile, stack).enumerate() {
        if !frame.kernel || asked == CALLERS {
            break;
        }
        let name = frame.function.unwrap_or_default();
        if asked == 0 && kernel::is_locking(name) {
            continue;
        }
        asked += 1;
        if place.user.is_none() {
            place.user = Some(function(&frame));
            place.within = index;
        }
        place.name = kernel::name(contention, name);
        if place.name.is_some() {
            break;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    /// What a stack says, outermost frame first; frames of the kernel are in front of none.
    fn place(frames: &str) -> Place {
        let profile = from_folded(&format!("app/7;{frames};do_futex_[k];futex_wait_[k]"));
        of_futex(&profile, profile.samples[0].stack.unwrap())
    }

    fn said(frames: &str) -> (Class, Mode, Library, String) {
        let place = place(frames);
        let (class, mode, library) = place.class.unwrap_or_default();
        (
            class,
            mode,
            library,
            place.user.map_or(String::new(), |user| user.label),
        )
    }

    #[test]
    fn frames_say_what_a_lock_is_and_whose_code_waits() {
        use Class::{Barrier, Condition, Join, Mutex, Once, Park, RwLock, Semaphore, Unknown};
        use Library::{C, Glibc, Go, Java, Musl, ParkingLot, RustStd, Tokio};
        use Mode::{Any, Read, Write};
        let cases = [
            ("main;get;libc.so.6`pthread_mutex_lock", Mutex, Any, Glibc, "get"),
            (
                "main;get;libc.so.6`__pthread_mutex_lock;libc.so.6`__lll_lock_wait",
                Mutex,
                Any,
                Glibc,
                "get",
            ),
            ("main;get;pthread_mutex_lock", Mutex, Any, C, "get"),
            (
                "main;get;ld-musl-x86_64.so.1`pthread_mutex_timedlock;ld-musl-x86_64.so.1`__timedwait",
                Mutex,
                Any,
                Musl,
                "get",
            ),
            (
                "main;work;libc.so.6`pthread_cond_wait@@GLIBC_2.3.2",
                Condition,
                Any,
                Glibc,
                "work",
            ),
            (
                "main;work;libstdc++.so.6`std::condition_variable::wait(std::unique_lock<std::mutex>&);libc.so.6`pthread_cond_wait",
                Condition,
                Any,
                Glibc,
                "work",
            ),
            (
                "main;libc.so.6`pthread_rwlock_rdlock",
                RwLock,
                Read,
                Glibc,
                "main",
            ),
            (
                "main;libc.so.6`pthread_rwlock_wrlock",
                RwLock,
                Write,
                Glibc,
                "main",
            ),
            ("main;libc.so.6`sem_timedwait", Semaphore, Any, Glibc, "main"),
            ("main;libc.so.6`pthread_join", Join, Any, Glibc, "main"),
            ("main;libc.so.6`pthread_barrier_wait", Barrier, Any, Glibc, "main"),
            ("main;init;libc.so.6`pthread_once", Once, Any, Glibc, "init"),
            (
                "main;malloc;libc.so.6`__lll_lock_wait_private",
                Mutex,
                Any,
                Glibc,
                "malloc",
            ),
            (
                "main;app::f;<std::sync::poison::mutex::Mutex<T>>::lock;std::sys::sync::mutex::futex::Mutex::lock_contended;std::sys::pal::unix::futex::futex_wait;libc.so.6`syscall",
                Mutex,
                Any,
                RustStd,
                "app::f",
            ),
            (
                "main;app::f;std::sys::sync::rwlock::futex::RwLock::write_contended;libc.so.6`syscall",
                RwLock,
                Write,
                RustStd,
                "app::f",
            ),
            (
                "main;app::f;std::sync::poison::condvar::Condvar::wait;std::sys::sync::condvar::futex::Condvar::wait_optional_timeout;libc.so.6`syscall",
                Condition,
                Any,
                RustStd,
                "app::f",
            ),
            // Awake, it needs its mutex again.
            (
                "main;app::f;std::sync::poison::condvar::Condvar::wait;std::sys::sync::condvar::futex::Condvar::wait;std::sys::sync::mutex::futex::Mutex::lock_contended",
                Mutex,
                Any,
                RustStd,
                "app::f",
            ),
            (
                "main;app::f;std::thread::park;std::sys::sync::thread_parking::futex::Parker::park",
                Park,
                Any,
                RustStd,
                "app::f",
            ),
            (
                "main;app::f;std::thread::JoinHandle<T>::join;libc.so.6`pthread_join",
                Join,
                Any,
                Glibc,
                "app::f",
            ),
            (
                "main;app::f;std::sync::barrier::Barrier::wait;std::sys::sync::condvar::futex::Condvar::wait",
                Barrier,
                Any,
                RustStd,
                "app::f",
            ),
            (
                "main;app::f;parking_lot::raw_mutex::RawMutex::lock_slow;parking_lot_core::parking_lot::park;libc.so.6`syscall",
                Mutex,
                Any,
                ParkingLot,
                "app::f",
            ),
            (
                "main;app::f;parking_lot::raw_rwlock::RawRwLock::lock_shared_slow;parking_lot::raw_rwlock::RawRwLock::lock_common",
                RwLock,
                Read,
                ParkingLot,
                "app::f",
            ),
            (
                "main;app::f;parking_lot::condvar::Condvar::wait_until_internal",
                Condition,
                Any,
                ParkingLot,
                "app::f",
            ),
            (
                "main;tokio::runtime::scheduler::multi_thread::worker::Context::park;tokio::runtime::scheduler::multi_thread::park::Parker::park;parking_lot::condvar::Condvar::wait_until_internal",
                Park,
                Any,
                Tokio,
                "tokio::runtime::scheduler::multi_thread::worker::Context::park",
            ),
            (
                "runtime.mstart;runtime.(*mheap).alloc;runtime.lock2;runtime.futexsleep;runtime.futex",
                Mutex,
                Any,
                Go,
                "runtime.(*mheap).alloc",
            ),
            (
                "runtime.findRunnable;runtime.stopm;runtime.mPark;runtime.notesleep;runtime.futexsleep",
                Park,
                Any,
                Go,
                "runtime.findRunnable",
            ),
            (
                "runtime.main;runtime.netpollGenericInit;runtime.lock;runtime.lockWithRank;runtime.lock2;runtime.futexsleep;runtime.futex.abi0",
                Mutex,
                Any,
                Go,
                "runtime.netpollGenericInit",
            ),
            (
                "start;worker;pthread_cond_timedwait;__timedwait_cp;__syscall_cp;__syscall_cp_c;__cp_end",
                Condition,
                Any,
                C,
                "worker",
            ),
            (
                "main;libjvm.so`CompileQueue::get();libjvm.so`Monitor::wait(long);libjvm.so`os::PlatformMonitor::wait(long);libc.so.6`pthread_cond_wait",
                Condition,
                Any,
                Java,
                "CompileQueue::get()",
            ),
            (
                "main;JavaMain;libjvm.so`Unsafe_Park;libjvm.so`Parker::park(bool, long);libc.so.6`pthread_cond_wait",
                Park,
                Any,
                Java,
                "JavaMain",
            ),
            (
                "main;Account.withdraw;libjvm.so`ObjectMonitor::enter(JavaThread*);libjvm.so`PlatformEvent::park();libc.so.6`pthread_cond_wait",
                Mutex,
                Any,
                Java,
                "Account.withdraw",
            ),
            (
                "main;Queue.take;libjvm.so`ObjectMonitor::wait(long, bool, JavaThread*);libjvm.so`PlatformEvent::park();libc.so.6`pthread_cond_wait",
                Condition,
                Any,
                Java,
                "Queue.take",
            ),
            (
                "main;mine;libc.so.6`syscall",
                Unknown,
                Any,
                Library::Unknown,
                "mine",
            ),
        ];
        for (frames, class, mode, library, user) in cases {
            assert_eq!(said(frames), (class, mode, library, user.to_owned()), "{frames}");
        }
    }

    #[test]
    fn a_stripped_c_library_has_frames_without_names() {
        let mut profile =
            from_folded("app/7;main;libc.so.6`pthread_mutex_lock;libc.so.6`__lll_lock_wait;futex_[k]");
        let inner = profile
            .locations
            .iter()
            .map(|(id, _)| id)
            .find(|&id| frames(&profile, id).any(|frame| frame.function == Some("__lll_lock_wait")));
        profile.lines.remove(&inner.unwrap());
        let place = of_futex(&profile, profile.samples[0].stack.unwrap());
        assert_eq!(place.class, Some((Class::Mutex, Mode::Any, Library::Glibc)));
        assert_eq!((place.user.unwrap().label.as_str(), place.within), ("main", 3));
    }

    #[test]
    fn the_kernels_lock_is_named_by_who_asks_for_it() {
        let profile = from_folded(
            "app/7;do_user_addr_fault_[k];down_read_killable_[k];rwsem_down_read_slowpath_[k];schedule_[k]
             app/7;my_ioctl_[k];my_lock_[k];__mutex_lock.constprop.0_[k]
             app/7;schedule_[k]",
        );
        let place = |sample: usize, contention| {
            of_kernel(&profile, profile.samples[sample].stack.unwrap(), contention)
        };
        let fault = place(0, Contention::SemaphoreRead);
        assert_eq!((fault.name, fault.within), (Some("mmap_lock"), 3));
        assert_eq!(fault.user.unwrap().label, "do_user_addr_fault");
        let mine = place(1, Contention::Mutex);
        assert_eq!((mine.name, mine.user.unwrap().label.as_str()), (None, "my_lock"));
        assert_eq!(place(2, Contention::Spin), Place::default());
    }
}
