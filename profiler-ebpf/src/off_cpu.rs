//! Stacks of waits. Which wait is sampled is decided when it ends, at the switch to the thread: there its kernel stack can
//! be had, but not its user stack, for the CPU is still in the thread before. So the sample waits until the thread leaves
//! its system call.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::generated::{bpf_get_prandom_u32, bpf_task_pt_regs},
    macros::map,
    maps::{Array, PerCpuArray},
};
use profiler_common::{
    account::{Account, Outside, Pending},
    config::{FLAG_LOCKS, FLAG_OFF_CPU},
    event::{CallStackRecord, CopyHeader, Header, ProbeId, SAMPLE_COPY_SHARED, SAMPLE_HAS_COPY, kind},
    state::State,
    stats::{Counter, Outcome},
    unwind::Registers,
};

use crate::{
    budget::{self, Budget},
    calls, config, emit,
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
    if unsafe { waiting::call_of(task) }.is_some() {
        if account.pending.weight == 0 {
            add_pending(1);
        }
        account.pending = Pending {
            weight,
            kernel_stack,
            waker: account.wait.waker,
        };
        return;
    }
    if account.pending.weight > 0 {
        take(account);
    }
    let sampled = Pending {
        weight,
        kernel_stack,
        waker: account.wait.waker,
    };
    // SAFETY: the caller's promise.
    unsafe { send(task, sampled, account.outside, now) };
}

/// Stacks that are taken a second and CPU where threads leave the CPU outside of system calls: before it is known
/// whether their wait is chosen.
const OUTSIDE: u32 = 200;

/// How many of them are left.
#[map]
static OUTSIDE_BUDGET: PerCpuArray<Budget> = PerCpuArray::with_max_entries(1, 0);

/// The thread on the CPU leaves it, and is in no system call: preempted, or in a page fault. Its user stack can be had
/// here only. To be called last, for the verifier follows the walk with all that is in hand.
#[inline(always)]
pub(crate) fn leaves_outside_of_calls(now: u64) {
    if !budget::allows(&OUTSIDE_BUDGET, now, OUTSIDE) {
        return;
    }
    let Some(slot) = stack::claim() else {
        return;
    };
    let stacks = stack::capture_in_kernel(slot, task::current().pid, emit::QUIETLY);
    // SAFETY: `current` is a valid task.
    if let Some(account) = unsafe { thread::account(task::current_task()) } {
        account.outside = Outside {
            user_stack: stacks.user,
            outcome: stacks.outcome,
            frames: stacks.user_frames,
        };
    }
    stack::release(slot);
}

/// `task` has ended. A sample that is still pending keeps its weight.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn ended(task: *mut task_struct, account: &mut Account, now: u64) {
    if account.pending.weight > 0 {
        let pending = take(account);
        // SAFETY: the caller's promise.
        unsafe { send(task, pending, Outside::default(), now) };
    }
}

/// `task` still waits at `now`: what its wait weighs so far is told if the recording ends, and the stack if it waits for a
/// lock. Its user stack is in memory that only user space can read from here, so the registers are told, too.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn still_waits(task: *mut task_struct, account: &mut Account, now: u64, ends: bool) {
    let off = account.waits_since(now);
    let weight = match ends && config::has(FLAG_OFF_CPU) {
        // SAFETY: the helper has no preconditions.
        true => account.weigh(off, unsafe { bpf_get_prandom_u32() }),
        false => 0,
    };
    let for_lock = config::has(FLAG_LOCKS) && account.state() == State::Lock as u32;
    // SAFETY: the caller's promise.
    let in_call = unsafe { waiting::call_of(task) }.is_some();
    if off == 0 || (weight == 0 && !for_lock) || !in_call {
        return;
    }
    // SAFETY: the caller's promise.
    let registers = unsafe { bpf_task_pt_regs(task) } as u64;
    macro_rules! register {
        ($name:ident) => {{
            // SAFETY: the helper's result has this type.
            unsafe { calls::register(registers, offset_of!(pt_regs, $name)) }
        }};
    }
    let registers = Registers {
        ip: register!(rip),
        sp: register!(rsp),
        bp: register!(rbp),
    };
    let cpu = emit::cpu();
    let header = |kind| Header { kind, cpu, time: now };
    let copy = CopyHeader {
        header: header(kind::COPY),
        // SAFETY: the caller's promise.
        pid: unsafe { task::pid_of(task) },
        bytes: 0,
        address: registers.sp,
        registers,
    };
    if !emit::record(&copy, Counter::CopyRingFull) {
        return;
    }
    let thread = Current {
        pid: copy.pid,
        // SAFETY: the caller's promise.
        tid: unsafe { task::tid_of(task) },
    };
    if for_lock {
        let shared = if weight > 0 { SAMPLE_COPY_SHARED } else { 0 };
        let record = CallStackRecord {
            header: header(kind::CALL_STACK),
            pid: thread.pid,
            tid: thread.tid,
            since: now,
            user_stack: 0,
            outcome: Outcome::NotInCall as u32,
            flags: u32::from(SAMPLE_HAS_COPY | shared),
        };
        emit::record(&record, Counter::LockRingFull);
    }
    if weight == 0 {
        return;
    }
    let mut stacks = Stacks::NONE;
    // SAFETY: the caller's promise.
    stacks.kernel = unsafe { stack::kernel_stack_of(task) };
    stacks.outcome = Outcome::NotInCall as u32;
    let mut sample = stacks.sample(header(kind::SAMPLE), thread, ProbeId::OffCpu, weight);
    sample.flags |= SAMPLE_HAS_COPY;
    emit::record(&sample, Counter::OffCpuRingFull);
}

/// Sends the sample of a wait of `task` outside of system calls, or in one that it does not come back from.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
unsafe fn send(task: *mut task_struct, sampled: Pending, outside: Outside, now: u64) {
    let mut stacks = Stacks::NONE;
    stacks.kernel = sampled.kernel_stack;
    // SAFETY: the caller's promise.
    stacks.kernel_thread = unsafe { task::has_no_user_space(task) };
    if outside.user_stack != 0 {
        (stacks.user, stacks.outcome) = (outside.user_stack, outside.outcome);
        stacks.user_frames = outside.frames;
    } else if !stacks.kernel_thread {
        stacks.outcome = Outcome::NotInCall as u32;
    }
    let thread = Current {
        // SAFETY: the caller's promise.
        pid: unsafe { task::pid_of(task) },
        // SAFETY: the caller's promise.
        tid: unsafe { task::tid_of(task) },
    };
    let Header { kind, cpu, .. } = emit::header(kind::SAMPLE);
    let header = Header { kind, cpu, time: now };
    let mut sample = stacks.sample(header, thread, ProbeId::OffCpu, sampled.weight);
    sample.waker = sampled.waker;
    emit::record_quietly(&sample, Counter::OffCpuRingFull);
}

/// Whether any thread has a sample pending.
#[inline(always)]
pub(crate) fn anybody_is_pending() -> bool {
    PENDING.get(0).is_some_and(|pending| {
        // SAFETY: a reference is valid for reads.
        unsafe { core::ptr::read_volatile(pending) != 0 }
    })
}

/// Takes the sample that is pending.
#[inline(always)]
pub(crate) fn take(account: &mut Account) -> Pending {
    add_pending(-1);
    core::mem::take(&mut account.pending)
}

/// Sends the sample of a wait in the call that the thread on the CPU leaves; `stacks` has its user stack.
#[inline(always)]
pub(crate) fn send_in_call(slot: u32, pending: Pending, stacks: &Stacks, time: u64, copy: u8) {
    let Header { kind, cpu, .. } = emit::header(kind::SAMPLE);
    let mut sample = stacks.sample(
        Header { kind, cpu, time },
        task::current(),
        ProbeId::OffCpu,
        pending.weight,
    );
    sample.kernel_stack = pending.kernel_stack;
    sample.waker = pending.waker;
    if stack::memory_may_be_gone(slot) {
        // The stack that waited in `execve` is gone; the one here is the new program's.
        (sample.user_stack, sample.user_frames, sample.frames_by_fp) = (0, 0, 0);
        sample.outcome = Outcome::NoUserStack as u8;
    }
    sample.flags |= copy;
    emit::record(&sample, Counter::OffCpuRingFull);
}

#[inline(always)]
fn add_pending(more: i64) {
    if let Some(pending) = PENDING.get_ptr_mut(0) {
        // SAFETY: a map value is valid for writes and aligned.
        unsafe { emit::add_atomically(pending, more as u64) };
    }
}
