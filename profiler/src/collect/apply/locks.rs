//! Waits for locks, and the stacks of calls that they are about.

use std::hash::{Hash as _, Hasher as _};

use profiler_common::{
    lock::{KernelLock, KernelWait, KernelWord, call, futex},
    state::State,
    stats, waker,
};
use rustc_hash::FxHasher;

use super::{
    super::{
        event::{RawCallStack, RawLock, RawStacks, RawThread},
        executables::Kind,
        host::Host,
        kernel_symbols::KernelSymbols,
        tables::KernelSide,
        unwind::pool::Chunks,
    },
    Recorder,
};
use crate::profile::{CallStack, Contention, Extent, Id, Lock, LockWait, Mapping, Outcome, Process, Waker};

/// Where a variable lies (see [`Lock::place`]), and what it is called.
type Variable = ((Id<Mapping>, u64), String);

/// Locks that are told apart at most; others of a process are one.
const MAX_LOCKS: usize = 1 << 16;

/// The kernel's own errors from here on mean that a signal interrupted the call (`ERESTARTSYS`, include/linux/errno.h): it
/// begins anew, or the thread was killed in it.
const RESTARTS: u32 = 512;

/// `FUTEX_PRIVATE_FLAG`: only threads of one process use the word.
const PRIVATE: u32 = 128;

impl<H: Host, C: Chunks, K: KernelSide> Recorder<H, C, K> {
    /// A wait for a futex ended at `time`.
    pub(super) fn futex_wait(&mut self, time: u64, raw: &RawLock) {
        let pid = raw.stacks.pid;
        self.processes.get_or_look_up(pid, &self.host);
        let process = self.process_row(pid);
        let thread = self.thread_row(pid, raw.tid, process);
        let (stack, outcome) = self.resolve(time, &raw.stacks, process);
        let lock = self.user_lock(pid, process, raw.address);
        let owner = self.owner(pid, raw.owner, raw.operation & PRIVATE == 0);
        let waker = self.waker(raw.waker);
        self.profile.lock_waits.push(LockWait {
            thread,
            lock,
            contention: contention(raw.call, raw.operation),
            value: raw.value,
            end_ns: time.saturating_sub(self.start),
            duration_ns: raw.ns,
            blocked_ns: raw.blocked_ns,
            threshold_ns: raw.threshold_ns,
            extent: match raw.result.unsigned_abs() >= RESTARTS {
                true => Extent::NotEnded,
                false => Extent::Whole,
            },
            errno: raw.result.unsigned_abs().min(4095) as u16,
            owner,
            waker,
            woken_ns: raw.woken.saturating_sub(self.start),
            stack,
            outcome,
        });
    }

    /// A wait for a lock of the kernel ended at `time`.
    pub(super) fn kernel_lock_wait(&mut self, time: u64, raw: &KernelWait) {
        self.processes.get_or_look_up(raw.pid, &self.host);
        let process = self.process_row(raw.pid);
        let thread = self.thread_row(raw.pid, raw.tid, process);
        let count = (raw.frames as usize).min(raw.stack.len());
        let symbols = self.kernel_symbols.get_or_init(KernelSymbols::read);
        let frames = symbols.without_tracing(&raw.stack[..count]);
        let variable = symbols.variable(raw.address).unwrap_or_default();
        let mut hash = FxHasher::default();
        frames.hash(&mut hash);
        let hash = hash.finish() | 1;
        self.kernel_stacks.insert(hash, frames.into());
        let stacks = RawStacks {
            cpu: 0,
            pid: raw.pid,
            user: 0,
            kernel: hash,
            outcome: stats::Outcome::NoUserStack,
            has_copy: false,
            copy_is_shared: false,
        };
        let (stack, outcome) = self.resolve(time, &stacks, process);
        let name = match raw.word {
            word if word == KernelWord::MmapLock as u32 => "mmap_lock".to_owned(),
            word if word == KernelWord::Siglock as u32 => "siglock".to_owned(),
            _ => variable,
        };
        let lock = self.lock(Lock {
            process: None,
            address: raw.address,
            place: None,
            name,
        });
        let owner = self.waker(waker::Waker {
            tid: raw.owner_tid,
            pid: raw.owner_pid,
        });
        self.profile.lock_waits.push(LockWait {
            thread,
            lock,
            contention: kernel_contention(raw.flags),
            value: 0,
            end_ns: time.saturating_sub(self.start),
            duration_ns: raw.ns,
            blocked_ns: raw.ns,
            threshold_ns: raw.threshold_ns,
            extent: Extent::Whole,
            errno: 0,
            owner: match raw.owner_tid {
                0 => Waker::Unknown,
                _ => owner,
            },
            waker: Waker::Unknown,
            woken_ns: 0,
            stack,
            outcome,
        });
    }

    /// The recording ends at `time`, and a thread still waits for a lock. Its stack was told before.
    pub fn still_waits_for_lock(&mut self, time: u64, raw: &RawThread) {
        if raw.ended || raw.state != State::Lock as u32 {
            return;
        }
        let (pid, tid) = (raw.pid, raw.tid);
        let Some(futex) = self.host.futex(pid, tid) else {
            return;
        };
        self.processes.get_or_look_up(pid, &self.host);
        let process = self.process_row(pid);
        let thread = self.thread_row(pid, tid, process);
        let lock = self.user_lock(pid, process, futex.address);
        let contention = contention(futex.call, futex.operation);
        let owner = match contention {
            Contention::FutexWait if futex.value == futex::GLIBC_CONTENDED => futex.behind,
            Contention::FutexLockPi => futex.word & futex::TID_MASK,
            _ => 0,
        };
        let owner = self.owner(pid, owner, futex.operation & PRIVATE == 0);
        let end_ns = time.saturating_sub(self.start);
        let told = self.profile.call_stacks.iter().rev();
        let told = told
            .take_while(|stack| stack.end_ns >= end_ns)
            .find(|stack| stack.thread == thread && stack.end_ns == end_ns);
        let duration_ns = time.saturating_sub(raw.state_since);
        self.profile.lock_waits.push(LockWait {
            thread,
            lock,
            contention,
            value: futex.value,
            end_ns,
            duration_ns,
            blocked_ns: duration_ns,
            threshold_ns: 0,
            extent: match raw.state_since <= raw.begun {
                true => Extent::Throughout,
                false => Extent::NotEnded,
            },
            errno: 0,
            owner,
            waker: Waker::Unknown,
            woken_ns: 0,
            stack: told.and_then(|stack| stack.stack),
            outcome: told.map_or(Outcome::NotInCall, |stack| stack.outcome),
        });
    }

    /// The stack of a call that ended at `time`.
    pub(super) fn call_stack(&mut self, time: u64, raw: &RawCallStack) {
        let pid = raw.stacks.pid;
        self.processes.get_or_look_up(pid, &self.host);
        let process = self.process_row(pid);
        let thread = self.thread_row(pid, raw.tid, process);
        if raw.stacks.has_copy {
            self.fill_copy((raw.stacks.cpu, time), pid, raw.tid);
        }
        let (stack, outcome) = self.resolve(time, &raw.stacks, process);
        self.profile.call_stacks.push(CallStack {
            thread,
            start_ns: raw.since.saturating_sub(self.start),
            end_ns: time.saturating_sub(self.start),
            stack,
            outcome,
        });
    }

    /// A lock of a program.
    fn user_lock(&mut self, pid: u32, process: Id<Process>, address: u64) -> Id<Lock> {
        let key = (process, address);
        if let Some(lock) = self.known_locks.get(&key) {
            return *lock;
        }
        let (place, name) = match self.variable(pid, process, address) {
            Some((place, name)) => (Some(place), name),
            None => (None, String::new()),
        };
        let lock = self.lock(Lock {
            process: Some(process),
            address,
            place,
            name,
        });
        if self.known_locks.len() >= MAX_LOCKS {
            self.known_locks.clear();
        }
        self.known_locks.insert(key, lock);
        lock
    }

    fn lock(&mut self, lock: Lock) -> Id<Lock> {
        if self.profile.locks.len() < MAX_LOCKS {
            return self.profile.locks.intern(lock);
        }
        self.profile.locks.intern(Lock {
            address: 0,
            place: None,
            name: "other locks: there are too many to tell apart".to_owned(),
            ..lock
        })
    }

    /// Which variable of which file of the process `address` is, if it is one.
    fn variable(&mut self, pid: u32, process: Id<Process>, address: u64) -> Option<Variable> {
        let space = self.address_space(pid)?;
        for mapping in space.mappings() {
            let Some(resolved) = mapping.resolved.get() else {
                continue;
            };
            let executable = self.executables.get_mut(resolved.executable);
            let at = address.wrapping_sub(resolved.bias);
            if executable.kind != Kind::Elf || !executable.has_data_at(at) {
                continue;
            }
            let name = executable.variable(at).unwrap_or_default();
            let mapping = self.mapping_row(resolved.executable, process);
            return Some(((mapping, at), name));
        }
        None
    }

    /// The thread that holds a lock by its word. The word is the program's memory, and may hold anything.
    fn owner(&mut self, pid: u32, owner: u32, shared: bool) -> Waker {
        if owner == 0 {
            return Waker::Unknown;
        }
        let key = (pid, owner);
        let found = match self.known_owners.get(&key) {
            Some(found) => *found,
            None => {
                let found = self.host.thread_inside(pid, owner, shared).or_else(|| {
                    // Of a process that is gone, the threads that were seen are known by the numbers that they have here.
                    let live = self.processes.get(pid)?;
                    let is_gone = self.host.stat(pid).is_none();
                    (is_gone && live.threads.contains_key(&owner)).then_some((pid, owner))
                });
                self.known_owners.insert(key, found);
                found
            }
        };
        match found {
            None => Waker::Unknown,
            Some((pid, tid)) => self.waker(waker::Waker { tid, pid }),
        }
    }
}

fn contention(number: u32, operation: u32) -> Contention {
    if u64::from(number) != call::FUTEX {
        return match u64::from(number) {
            call::FUTEX_WAIT => Contention::FutexWaitBitset,
            _ => Contention::FutexWaitMultiple,
        };
    }
    match operation & futex::COMMAND {
        futex::WAIT_BITSET => Contention::FutexWaitBitset,
        futex::LOCK_PI | futex::LOCK_PI2 => Contention::FutexLockPi,
        futex::WAIT_REQUEUE_PI => Contention::FutexWaitRequeuePi,
        _ => Contention::FutexWait,
    }
}

fn kernel_contention(flags: u32) -> Contention {
    kernel_lock(KernelLock::of(flags))
}

/// The profile's word for a kind of kernel lock.
pub(super) fn kernel_lock(kind: KernelLock) -> Contention {
    match kind {
        KernelLock::Spin => Contention::Spin,
        KernelLock::ReadLock => Contention::ReadLock,
        KernelLock::WriteLock => Contention::WriteLock,
        KernelLock::Mutex => Contention::Mutex,
        KernelLock::SemaphoreRead => Contention::SemaphoreRead,
        KernelLock::SemaphoreWrite => Contention::SemaphoreWrite,
        KernelLock::PerCpuRead => Contention::PerCpuRead,
        KernelLock::PerCpuWrite => Contention::PerCpuWrite,
        KernelLock::RtMutex => Contention::RtMutex,
        KernelLock::Semaphore => Contention::Semaphore,
    }
}
