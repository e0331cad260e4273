//! System calls, and the stacks of waits in them: a thread that leaves a call is in its own context, with the user stack
//! that it waited with.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::{
    config::{FLAG_CALLS, FLAG_LOCKS, FLAG_OFF_CPU},
    event::{OPERATION_BEGUN_BEFORE, SAMPLE_COPY_SHARED, SAMPLE_HAS_COPY},
    stats::{Counter, Outcome},
};

use crate::{calls, config, copy, emit, futex, off_cpu, places::Ended, slow, stack, task, thread};

/// `sys_enter(struct pt_regs *regs, long id)`.
#[btf_tracepoint(function = "sys_enter")]
pub(crate) fn calls_enter(ctx: BtfTracePointContext) -> i32 {
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    if let Some(account) = unsafe { thread::account(current) } {
        let registers: u64 = ctx.arg(0);
        let number: u64 = ctx.arg(1);
        // SAFETY: the current task, and the tracepoint's argument.
        unsafe { calls::begins(current, account, registers, number, emit::now()) };
        // SAFETY: as above.
        if config::has(FLAG_LOCKS) && !unsafe { calls::is_compat(current) } {
            // SAFETY: as above.
            unsafe { futex::begins(account, registers, number) };
        }
    }
    0
}

/// `sys_exit(struct pt_regs *regs, long ret)`.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn calls_exit(ctx: BtfTracePointContext) -> i32 {
    if !config::has(FLAG_CALLS | FLAG_LOCKS) && !off_cpu::anybody_is_pending() {
        return 0;
    }
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    let Some(account) = (unsafe { thread::account(current) }) else {
        return 0;
    };
    let registers: u64 = ctx.arg(0);
    let result: i64 = ctx.arg(1);
    let now = emit::now();
    // A value from the start: the verifier does not let the compiler move about one that is not there.
    let mut ended = Ended::NOTHING;
    let mut is_slow = false;
    if config::has(FLAG_CALLS) {
        // SAFETY: the current task, and the tracepoint's argument.
        let noted = unsafe { calls::ends(current, account, registers, result, now, &mut ended) };
        is_slow = noted && is_told(&ended);
    }
    let is_pending = config::has(FLAG_OFF_CPU) && account.pending.weight > 0;
    let is_lock = account.locks.threshold_ns > 0;
    let is_wanted = account.locks.wanted_at > 0;
    if !is_pending && !is_slow && !is_lock && !is_wanted {
        account.locks.call_ends();
        return 0;
    }
    let Some(slot) = stack::claim() else {
        account.locks.call_ends();
        emit::count(Counter::NoScratch, 1);
        return 0;
    };
    if is_slow {
        // SAFETY: the current task, and the tracepoint's argument.
        unsafe { slow::prepare(slot, current, account, registers, result, &ended) };
    }
    if is_lock {
        // SAFETY: as above.
        unsafe { futex::prepare(slot, account, registers, result, now, ended.ns) };
    }
    account.locks.call_ends();
    let what = [
        (is_slow, IS_SLOW),
        (is_lock, IS_LOCK),
        (is_wanted, IS_WANTED),
        (is_pending, IS_PENDING),
    ];
    let what = what.iter().map(|(is, flag)| u64::from(*is) * flag).sum();
    stack::keep(slot, now, what);
    tell(slot);
    stack::release(slot);
    0
}

/// What is to be told of a call that ended.
const IS_SLOW: u64 = 1;
const IS_PENDING: u64 = 2;
const IS_LOCK: u64 = 4;
const IS_WANTED: u64 = 8;

/// Walks the stack of the thread on the CPU, and tells what is kept in the scratch space. Nothing else goes in, because
/// the verifier follows the walk for each way to come here with something else in hand.
#[inline(always)]
fn tell(slot: u32) {
    let thread = task::current();
    let stacks = stack::capture_in_kernel(slot, thread.pid, emit::wake_flags());
    let (now, what) = stack::kept(slot);
    let has_copy =
        stacks.outcome == Outcome::NoMappings as u32 && copy::send(now, thread.pid, stacks.registers);
    let copy = if has_copy { SAMPLE_HAS_COPY } else { 0 };
    // The last one that is told takes the copy.
    let shared = |others: u64| {
        if what & others != 0 {
            copy | SAMPLE_COPY_SHARED
        } else {
            copy
        }
    };
    if what & IS_SLOW != 0 {
        slow::send(slot, &stacks, shared(IS_LOCK | IS_WANTED | IS_PENDING));
    }
    if what & IS_LOCK != 0 {
        futex::send(slot, &stacks, shared(IS_WANTED | IS_PENDING));
    }
    // SAFETY: `current` is a valid task.
    let Some(account) = (unsafe { thread::account(task::current_task()) }) else {
        return;
    };
    if what & IS_WANTED != 0 {
        let since = core::mem::take(&mut account.locks.wanted_at);
        futex::send_stack(&stacks, since, now, shared(IS_PENDING));
    }
    if what & IS_PENDING != 0 {
        let pending = off_cpu::take(account);
        off_cpu::send_in_call(slot, pending, &stacks, now, copy);
    }
}

/// Whether a call that ended is told of with all that is known of it. One that ran when its thread was first seen is told
/// of in any case.
#[inline(always)]
fn is_told(ended: &Ended) -> bool {
    let is_slow = slow::is_slow(ended);
    if !is_slow && ended.flags & OPERATION_BEGUN_BEFORE != 0 {
        emit::record(&ended.record(), Counter::OperationRingFull);
    }
    is_slow
}
