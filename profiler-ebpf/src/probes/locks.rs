//! Waits for locks, of programs and of the kernel itself.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use profiler_common::lock::call;

use crate::{calls, emit, futex, kernel_lock, task, thread};

/// `sched_waking(struct task_struct *p)`, behind `states_waking`: whose wait ends, and whether it is one that is told.
#[btf_tracepoint(function = "sched_waking")]
pub(crate) fn locks_waking(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's argument is a valid task.
    unsafe { futex::is_woken(ctx.arg(0), emit::now()) };
    0
}

/// `sys_enter(struct pt_regs *regs, long id)`, where `calls_enter` is not attached.
#[btf_tracepoint(function = "sys_enter")]
pub(crate) fn locks_enter(ctx: BtfTracePointContext) -> i32 {
    let number: u64 = ctx.arg(1);
    if number != call::FUTEX {
        return 0;
    }
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    if unsafe { calls::is_compat(current) } {
        return 0;
    }
    // SAFETY: as above.
    if let Some(account) = unsafe { thread::account(current) } {
        // SAFETY: the tracepoint's argument.
        unsafe { futex::begins(account, ctx.arg(0), number) };
    }
    0
}

/// `contention_begin(void *lock, unsigned int flags)`.
#[btf_tracepoint(function = "contention_begin")]
pub(crate) fn locks_begin(ctx: BtfTracePointContext) -> i32 {
    let flags: u64 = ctx.arg(1);
    kernel_lock::begins(ctx.arg(0), flags as u32);
    0
}

/// `contention_end(void *lock, int ret)`.
#[btf_tracepoint(function = "contention_end")]
pub(crate) fn locks_end(ctx: BtfTracePointContext) -> i32 {
    kernel_lock::ends(&ctx, ctx.arg(0));
    0
}
