//! Waits for locks of the kernel.
//!
//! These programs run wherever the kernel takes a lock: in interrupts, under the scheduler's locks, and while the lock of
//! a ring buffer or of a hash table is held. So they write to memory of their CPU alone, which user space reads.

use core::{
    ffi::c_void,
    ptr::{read_volatile, write_volatile},
};

use aya_ebpf::{
    EbpfContext, bindings::BPF_F_MMAPABLE, helpers::generated::bpf_get_prandom_u32,
    helpers::generated::bpf_get_stack, macros::map, maps::Array, maps::PerCpuArray,
    programs::BtfTracePointContext,
};
use profiler_common::{
    account::Account,
    config::{FLAG_BY_CGROUP, FLAG_BY_COMM, FLAG_BY_PID, FLAG_BY_TID, FLAG_KERNEL},
    lock::{
        KERNEL_LOCKS, KERNEL_WAIT_FRAMES, KERNEL_WAITS, KernelLock, KernelWait, KernelWaiting, KernelWaits,
        KernelWord, NESTED,
    },
    operation::Operations,
    stats::Counter,
    thinning::Thinning,
};

use crate::{config, emit, futex, kernel, task, thread, waiting};

/// Waits that spin, which interrupts nest in each other, of this CPU.
#[map]
static SPINNING: PerCpuArray<[KernelWaiting; NESTED]> = PerCpuArray::with_max_entries(1, 0);

/// The waits that are told, of each CPU.
#[map]
static KERNEL_LOCK_WAITS: Array<KernelWaits> = Array::with_max_entries(1, BPF_F_MMAPABLE);
/// All waits, summed by kind, of each CPU: `KERNEL_LOCKS` places each.
#[map]
static KERNEL_LOCK_SUMS: Array<Operations> = Array::with_max_entries(KERNEL_LOCKS as u32, BPF_F_MMAPABLE);

/// Which waits are told. Only one program uses it.
#[map]
static KERNEL_THINNING: PerCpuArray<Thinning> = PerCpuArray::with_max_entries(1, 0);
/// Waits that are told in 134 ms and CPU, about: some 250 a second.
const TOLD: u32 = 32;
/// The user stack is wanted of waits at least as long, in nanoseconds: it costs as much to have.
const USER_STACK_NS: u64 = 10_000;

/// Pointers to owners have flags in their low bits (`MUTEX_FLAGS`, kernel/locking/mutex.h; `RWSEM_OWNER_FLAGS_MASK`,
/// kernel/locking/rwsem.c).
const OWNER_FLAGS: u64 = 7;
/// `RWSEM_READER_OWNED`: it is one of several readers, and may have gone.
const READER_OWNED: u64 = 1;

/// The thread on the CPU begins to wait for the lock at `address`.
#[inline(always)]
pub(crate) fn begins(address: u64, flags: u32) {
    let mut waiting = KernelWaiting {
        address,
        since: emit::now(),
        flags,
        ..KernelWaiting::default()
    };
    if KernelLock::spins(flags) {
        let Some(spinning) = SPINNING.get_ptr_mut(0) else {
            return;
        };
        // SAFETY: a map value is valid, and only this CPU uses this copy. An interrupt between the instructions leaves it as
        // it was.
        let spinning = unsafe { &mut *spinning };
        // One of the same lock is left from an end that was missed: programs do not run within themselves.
        let place = spinning
            .iter_mut()
            .find(|waiting| waiting.address == address || waiting.address == 0);
        match place {
            Some(place) => *place = waiting,
            None => *spinning = [KernelWaiting::default(); NESTED],
        }
        return;
    }
    // SAFETY: `current` is a valid task.
    let Some(account) = (unsafe { thread::account(task::current_task()) }) else {
        return;
    };
    // A mutex is announced once as it spins, and once as it sleeps.
    if account.locks.kernel.address == address {
        return;
    }
    if let Some(owner) = owner(address, flags) {
        let tid = kernel::read(owner + u64::from(config::offset!(task_pid)));
        let pid = kernel::read(owner + u64::from(config::offset!(task_tgid)));
        (waiting.owner_tid, waiting.owner_pid) = (tid.unwrap_or(0), pid.unwrap_or(0));
    }
    account.locks.kernel = waiting;
}

/// The task that holds a lock, if the lock says so.
#[inline(always)]
fn owner(address: u64, flags: u32) -> Option<u64> {
    let offset = match KernelLock::of(flags) {
        KernelLock::Mutex => config::offset!(mutex_owner),
        KernelLock::SemaphoreRead | KernelLock::SemaphoreWrite => config::offset!(semaphore_owner),
        _ => return None,
    };
    let owner: u64 = kernel::read(address + u64::from(offset))?;
    let by_readers = owner & READER_OWNED != 0 && KernelLock::of(flags) as u32 != KernelLock::Mutex as u32;
    if by_readers || owner <= OWNER_FLAGS {
        return None;
    }
    Some(owner & !OWNER_FLAGS)
}

/// The thread on the CPU waits no more for the lock at `address`.
#[inline(always)]
pub(crate) fn ends(ctx: &BtfTracePointContext, address: u64) {
    let now = emit::now();
    // SAFETY: `current` is a valid task.
    let mut account = unsafe { thread::account(task::current_task()) };
    let Some(waiting) = taken(address, account.as_deref_mut()) else {
        if account.is_some() {
            emit::count(Counter::LockUnmatched, 1);
        }
        return;
    };
    if account.is_none() && is_filtered() {
        return;
    }
    let ns = now.saturating_sub(waiting.since);
    sum(waiting.flags, ns);
    let Some(waits) = KERNEL_LOCK_WAITS.get_ptr_mut(emit::cpu()) else {
        return;
    };
    // SAFETY: a map value is valid, and only this CPU uses this copy, in a program that does not run within itself.
    let waits = unsafe { &mut *waits };
    // SAFETY: a reference is valid for reads. Volatile: user space reads it.
    let head = unsafe { read_volatile(&raw const waits.head) };
    // SAFETY: as above; user space writes it.
    let tail = unsafe { read_volatile(&raw const waits.tail) };
    let unread = head.wrapping_sub(tail);
    let threshold = admits(now, ns, unread > KERNEL_WAITS as u64 / 2);
    if threshold == 0 {
        return;
    }
    if unread >= KERNEL_WAITS as u64 {
        emit::count(Counter::LockRingFull, 1);
        return;
    }
    let place = &mut waits.waits[head as usize & (KERNEL_WAITS - 1)];
    tell(ctx, place, &waiting, now, ns, threshold);
    // Before this nobody reads it. The processor keeps the order of stores.
    // SAFETY: a reference is valid for writes.
    unsafe { write_volatile(&raw mut waits.head, head + 1) };
    // SAFETY: `current` is a valid task. Outside of calls, as in a page fault, the next stack would be that of another place.
    if ns >= USER_STACK_NS && unsafe { waiting::call_of(task::current_task()) }.is_some() {
        futex::want_stack(now);
    }
}

#[inline(always)]
fn is_filtered() -> bool {
    config::has(FLAG_BY_PID | FLAG_BY_TID | FLAG_BY_CGROUP | FLAG_BY_COMM)
}

/// The wait for the lock at `address`, which ends.
#[inline(always)]
fn taken(address: u64, account: Option<&mut Account>) -> Option<KernelWaiting> {
    let spinning = SPINNING.get_ptr_mut(0)?;
    // SAFETY: as in `begins`.
    let spinning = unsafe { &mut *spinning };
    if let Some(waiting) = spinning.iter_mut().find(|waiting| waiting.address == address) {
        return Some(core::mem::take(waiting));
    }
    let waiting = &mut account?.locks.kernel;
    if waiting.address != address {
        return None;
    }
    Some(core::mem::take(waiting))
}

#[inline(always)]
fn sum(flags: u32, ns: u64) {
    let place = emit::cpu() * KERNEL_LOCKS as u32 + KernelLock::of(flags) as u32;
    if let Some(sum) = KERNEL_LOCK_SUMS.get_ptr_mut(place) {
        // SAFETY: a map value is valid for writes, and only this CPU writes to this place, in a program that does not run
        // within itself.
        unsafe { (*sum).add(ns, 0) };
    }
}

#[inline(always)]
fn admits(now: u64, ns: u64, is_filling: bool) -> u64 {
    let Some(thinning) = KERNEL_THINNING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as in `sum`.
    let thinning = unsafe { &mut *thinning };
    // Where user space does not keep up, each one that is told halves the number of those to come.
    let limit = if is_filling { 1 } else { TOLD };
    // SAFETY: the helper has no preconditions.
    thinning.admits(now, ns, unsafe { bpf_get_prandom_u32() }, limit)
}

/// Writes a wait to where user space will find it.
#[inline(always)]
fn tell(
    ctx: &BtfTracePointContext,
    wait: &mut KernelWait,
    waiting: &KernelWaiting,
    now: u64,
    ns: u64,
    threshold: u64,
) {
    let thread = task::current();
    wait.time = now;
    wait.address = waiting.address;
    wait.ns = ns;
    wait.threshold_ns = threshold;
    (wait.pid, wait.tid) = (thread.pid, thread.tid);
    (wait.owner_pid, wait.owner_tid) = (waiting.owner_pid, waiting.owner_tid);
    wait.flags = waiting.flags;
    wait.word = word(waiting.address) as u32;
    wait.frames = 0;
    if config::has(FLAG_KERNEL) {
        let frames = (&raw mut wait.stack).cast::<c_void>();
        // SAFETY: the place has room for that many bytes.
        let got = unsafe { bpf_get_stack(ctx.as_ptr(), frames, (KERNEL_WAIT_FRAMES * 8) as u32, 0) };
        if got > 0 {
            wait.frames = got as u32 / 8;
        }
    }
}

/// Which of its own locks the thread on the CPU waited for.
#[inline(always)]
fn word(address: u64) -> KernelWord {
    let current = kernel::address(task::current_task() as u64);
    let holder = |offset: u32| kernel::read::<u64>(current + u64::from(offset)).unwrap_or(0);
    let mm = holder(config::offset!(task_mm));
    let sighand = holder(config::offset!(task_sighand));
    if mm != 0 && mm + u64::from(config::offset!(mm_mmap_lock)) == address {
        KernelWord::MmapLock
    } else if sighand != 0 && sighand + u64::from(config::offset!(sighand_siglock)) == address {
        KernelWord::Siglock
    } else {
        KernelWord::Unknown
    }
}
