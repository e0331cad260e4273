//! What the expected value of a futex tells where frames do not.
//!
//! A mutex waits while its word says *locked, with waiters*: 2, in glibc (`nptl/lowlevellock.h`) with `FUTEX_WAIT` and in
//! Rust's standard library with `FUTEX_WAIT_BITSET`. A condition variable waits on a counter, which passes 2 as well, but
//! only once. In musl (`src/thread/pthread_cond_timedwait.c`) it waits on a 2, too; what tells glibc's mutex from that is the
//! owner behind the word. `pthread_join` waits on the thread's id, and a parked thread of Rust on -1.

use rustc_hash::{FxHashMap, FxHashSet};

use super::class::{Class, Library};
use crate::profile::{Contention, Id, Lock, LockWait, Profile, Waker};

/// What a mutex waits for.
const LOCKED: u32 = 2;
/// What a parked thread of Rust waits for.
const PARKED: u32 = u32::MAX;

/// All that was expected of one lock.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    waits: u64,
    /// Whether a value other than [`LOCKED`] was.
    others: bool,
    /// Whether a thread was ever found behind the word, as its owner.
    owned: bool,
}

/// What was expected of each lock.
#[derive(Debug)]
pub(super) struct Values {
    locks: FxHashMap<Id<Lock>, Seen>,
    tids: FxHashSet<u32>,
}

impl Values {
    pub(super) fn new(profile: &Profile, waits: &[LockWait]) -> Self {
        let mut locks: FxHashMap<Id<Lock>, Seen> = FxHashMap::default();
        for wait in waits.iter().filter(|wait| wait.contention.is_futex()) {
            let seen = locks.entry(wait.lock).or_default();
            seen.waits += 1;
            seen.others |= wait.value != LOCKED;
            seen.owned |= matches!(wait.owner, Waker::Thread(_));
        }
        let threads = profile.threads.iter();
        Self {
            locks,
            tids: threads.map(|(_, thread)| thread.tid).collect(),
        }
    }

    /// Whether the lock was only ever waited for as a mutex is.
    pub(super) fn only_locked(&self, lock: Id<Lock>) -> bool {
        self.locks.get(&lock).is_some_and(|seen| !seen.others)
    }

    /// What is waited for, as far as operation and value tell.
    pub(super) fn class(&self, wait: &LockWait) -> Option<(Class, Library)> {
        let seen = self.locks.get(&wait.lock).copied().unwrap_or_default();
        match wait.contention {
            Contention::FutexLockPi => Some((Class::Mutex, Library::Unknown)),
            Contention::FutexWaitRequeuePi => Some((Class::Condition, Library::Unknown)),
            Contention::FutexWait if self.only_locked(wait.lock) && seen.owned => {
                Some((Class::Mutex, Library::Glibc))
            }
            // One wait may be that of a counter that has come to 2.
            Contention::FutexWaitBitset if self.only_locked(wait.lock) && seen.waits > 1 => {
                Some((Class::Mutex, Library::RustStd))
            }
            Contention::FutexWaitBitset if wait.value == PARKED => Some((Class::Park, Library::RustStd)),
            Contention::FutexWaitBitset if wait.value > LOCKED && self.tids.contains(&wait.value) => {
                Some((Class::Join, Library::Glibc))
            }
            _ => None,
        }
    }
}
