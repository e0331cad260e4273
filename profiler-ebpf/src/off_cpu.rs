//! Stacks of waits. Which wait is sampled is decided when it ends, at the switch to the thread: there its kernel stack can
//! be had, but not its user stack, for the CPU is still in the thread before. So the sample waits until the thread leaves
//! its system call.

use aya_ebpf::{bindings::task_struct, macros::map, maps::Array};
use profiler_common::{
    account::{Account, Pending},
    event::{Header, ProbeId, SAMPLE_HAS_COPY, kind},
    stats::{Counter, Outcome},
};

use crate::{
    copy, emit,
    stack::{self, Stacks},
    task::{self, Current},
    thread, waiting,
};

/// How many threads have a sample pending. While it is 0, leaving a system call costs a look at this.
#[map]
static PENDING: Array<u64> = Array::with_max_entries(1, 0);

/// The wait of `task` that ends at `now` was chosen, and weighs `weight` nanoseconds.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn chosen(task: *mut task_struct, account: &mut Account, weight: u64, now: u64) {
    // SAFETY: the caller's promise.
    let kernel_stack = unsafe { stack::kernel_stack_of(task) };
    // A sample that is still pending was of a wait in the same call.
    let weight = weight + account.pending.weight;
    // SAFETY: the caller's promise.
    if unsafe { waiting::is_in_call(task) } {
        if account.pending.weight == 0 {
            add_pending(1);
        }
        account.pending = Pending { weight, kernel_stack };
        return;
    }
    if account.pending.weight > 0 {
        take(account);
    }
    // SAFETY: the caller's promise.
    unsafe { send_without_user_stack(task, weight, kernel_stack, now) };
}

/// `task` has ended. A sample that is still pending keeps its weight.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn ended(task: *mut task_struct, account: &mut Account, now: u64) {
    if account.pending.weight > 0 {
        let Pending { weight, kernel_stack } = take(account);
        // SAFETY: the caller's promise.
        unsafe { send_without_user_stack(task, weight, kernel_stack, now) };
    }
}

#[inline(always)]
unsafe fn send_without_user_stack(task: *mut task_struct, weight: u64, kernel_stack: u64, now: u64) {
    let mut stacks = Stacks::NONE;
    stacks.kernel = kernel_stack;
    // SAFETY: the caller's promise.
    stacks.kernel_thread = unsafe { task::has_no_user_space(task) };
    if !stacks.kernel_thread {
        stacks.outcome = Outcome::NotInCall as u32;
    }
    let thread = Current {
        // SAFETY: the caller's promise.
        pid: unsafe { task::pid_of(task) },
        // SAFETY: the caller's promise.
        tid: unsafe { task::tid_of(task) },
    };
    let Header { kind, cpu, .. } = emit::header(kind::SAMPLE);
    let sample = stacks.sample(Header { kind, cpu, time: now }, thread, ProbeId::OffCpu, weight);
    emit::record_quietly(&sample, Counter::OffCpuRingFull);
}

/// The thread on the CPU leaves a system call.
#[inline(always)]
pub(crate) fn leaves_call() {
    let anybody = PENDING.get(0).is_some_and(|pending| {
        // SAFETY: a reference is valid for reads.
        unsafe { core::ptr::read_volatile(pending) != 0 }
    });
    if !anybody {
        return;
    }
    // SAFETY: `current` is a valid task.
    let Some(account) = (unsafe { thread::account(task::current_task()) }) else {
        return;
    };
    if account.pending.weight == 0 {
        return;
    }
    let Pending { weight, kernel_stack } = take(account);
    let Some(slot) = stack::claim() else {
        emit::count(Counter::NoScratch, 1);
        return;
    };
    sample(slot, weight, kernel_stack);
    stack::release(slot);
}

/// Takes the sample that is pending.
#[inline(always)]
fn take(account: &mut Account) -> Pending {
    add_pending(-1);
    core::mem::take(&mut account.pending)
}

#[inline(always)]
fn sample(slot: u32, weight: u64, kernel_stack: u64) {
    let current = task::current();
    let header = emit::header(kind::SAMPLE);
    let mut stacks = stack::capture_in_call(slot, current.pid);
    stacks.kernel = kernel_stack;
    if stack::memory_may_be_gone(slot) {
        // The stack that waited in `execve` is gone; the one here is the new program's.
        (stacks.user, stacks.user_frames, stacks.frames_by_fp) = (0, 0, 0);
        stacks.outcome = Outcome::NoUserStack as u32;
    }
    let has_copy = stacks.outcome == Outcome::NoMappings as u32
        && copy::send(header.time, current.pid, stacks.registers);
    let mut sample = stacks.sample(header, current, ProbeId::OffCpu, weight);
    if has_copy {
        sample.flags |= SAMPLE_HAS_COPY;
    }
    emit::record(&sample, Counter::OffCpuRingFull);
}

#[inline(always)]
fn add_pending(more: i64) {
    if let Some(pending) = PENDING.get_ptr_mut(0) {
        // SAFETY: a map value is valid for writes and aligned.
        unsafe { emit::add_atomically(pending, more as u64) };
    }
}
