//! Stacks of waits. Which wait is sampled is decided when it ends, at the switch to the thread: there its kernel stack can
//! be had, but not its user stack, for the CPU is still in the thread before. So the sample waits until the thread leaves
//! its system call.

use aya_ebpf::{bindings::task_struct, macros::map, maps::Array};
use profiler_common::{
    account::{Account, Pending},
    event::{Header, ProbeId, SAMPLE_HAS_COPY, SAMPLE_KERNEL_THREAD, Sample, kind},
    stats::{Counter, Outcome},
};

use crate::{copy, emit, stack, task, thread, waiting};

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
    // SAFETY: the caller's promise.
    let kernel_thread = unsafe { task::has_no_user_space(task) };
    let outcome = match kernel_thread {
        true => Outcome::NoUserStack,
        false => Outcome::NotInCall,
    };
    let Header { kind, cpu, .. } = emit::header(kind::SAMPLE);
    let sample = Sample {
        header: Header { kind, cpu, time: now },
        // SAFETY: the caller's promise.
        pid: unsafe { task::pid_of(task) },
        // SAFETY: the caller's promise.
        tid: unsafe { task::tid_of(task) },
        user_stack: 0,
        kernel_stack,
        value: weight,
        probe: ProbeId::OffCpu as u8,
        outcome: outcome as u8,
        flags: if kernel_thread { SAMPLE_KERNEL_THREAD } else { 0 },
        frames_by_fp: 0,
        user_frames: 0,
    };
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
    let stacks = stack::capture_in_call(slot, current.pid);
    let mut flags = 0;
    if stacks.outcome == Outcome::NoMappings as u32 && copy::send(header.time, current.pid, stacks.registers)
    {
        flags |= SAMPLE_HAS_COPY;
    }
    let sample = Sample {
        header,
        pid: current.pid,
        tid: current.tid,
        user_stack: stacks.user,
        kernel_stack,
        value: weight,
        probe: ProbeId::OffCpu as u8,
        outcome: stacks.outcome as u8,
        flags,
        frames_by_fp: if stacks.frames_by_fp > 255 {
            255
        } else {
            stacks.frames_by_fp as u8
        },
        user_frames: stacks.user_frames,
    };
    emit::record(&sample, Counter::OffCpuRingFull);
}

#[inline(always)]
fn add_pending(more: i64) {
    if let Some(pending) = PENDING.get_ptr_mut(0) {
        // SAFETY: a map value is valid for writes and aligned.
        unsafe { emit::add_atomically(pending, more as u64) };
    }
}
