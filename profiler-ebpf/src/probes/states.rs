//! What every thread does, exactly: the scheduler's hooks and an iterator over all threads.
//!
//! The hooks run under the scheduler's locks. They use nothing that CPUs share but the ring buffer, and that only when a
//! thread ends.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{seq_file, task_struct},
    helpers::generated::{bpf_get_prandom_u32, bpf_seq_write},
    macros::{btf_tracepoint, map},
    maps::{Array, PerCpuArray},
    programs::BtfTracePointContext,
};
use profiler_common::{
    account::Account,
    config::{FLAG_CALLS, FLAG_LOCKS, FLAG_OFF_CPU, tell},
    event::{Header, ThreadRecord},
    lock::{KernelWaiting, LockWaiting},
    operation::{OperationKey, OperationKind},
    state::State,
    stats::Counter,
};

use crate::{
    budget::{self, Budget},
    config, emit, off_cpu,
    places::Ended,
    slow, task, thread, waiting, waker,
};

/// Of which threads the iterator tells: one of [`tell`].
#[map]
static TELL: Array<u32> = Array::with_max_entries(1, 0);

/// Threads that have waited for a lock for long and are told of a second and CPU: user space unwinds the stack of each.
const STUCK: u32 = 50;

/// How many of them are left.
#[map]
static STUCK_BUDGET: PerCpuArray<Budget> = PerCpuArray::with_max_entries(1, 0);

/// The last record of a thread: what is left of 512 bytes of stack has no room for it.
#[map]
static LAST_RECORD: PerCpuArray<ThreadRecord> = PerCpuArray::with_max_entries(1, 0);

/// `sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)`.
#[btf_tracepoint(function = "sched_switch")]
pub(crate) fn states_switch(ctx: BtfTracePointContext) -> i32 {
    let preempted: u64 = ctx.arg(0);
    let previous: *mut task_struct = ctx.arg(1);
    let next: *mut task_struct = ctx.arg(2);
    let kernel_state: u64 = ctx.arg(3);
    let now = emit::now();
    let mut is_outside = false;
    // SAFETY: the tracepoint's arguments are valid tasks.
    if let Some(account) = unsafe { thread::account(previous) } {
        let kernel_state = kernel_state & 0xffff_ffff;
        if waiting::is_ending(kernel_state) {
            if let Some(place) = LAST_RECORD.get_ptr_mut(0) {
                // SAFETY: a map value is valid, and only this CPU uses this copy.
                let place = unsafe { &mut *place };
                // SAFETY: as above.
                *place = unsafe { thread::record(previous, account, header(now), true) };
                emit::record_quietly(place, Counter::ThreadRingFull);
            }
            // SAFETY: as above.
            unsafe { off_cpu::ended(previous, account, now) };
        } else {
            let goes_on = preempted & 1 != 0 || kernel_state == 0;
            let state = match goes_on {
                true => State::Runnable,
                // SAFETY: as above; it is about to leave this CPU.
                false => unsafe { waiting::reason(previous, kernel_state) },
            };
            account.leaves(now, state);
            // SAFETY: as above.
            let in_call = unsafe { waiting::call_of(previous) }.is_some();
            // SAFETY: as above.
            is_outside = !in_call && !unsafe { task::has_no_user_space(previous) };
            let wants_stack = match state {
                State::PageFault => config::has(FLAG_OFF_CPU | FLAG_CALLS),
                _ => config::has(FLAG_OFF_CPU),
            };
            is_outside = is_outside && wants_stack;
        }
    }
    // SAFETY: as above.
    if let Some(account) = unsafe { thread::account(next) } {
        let state = account.state();
        let (off, waited) = account.arrives(now);
        if let Some(waited) = waited {
            // SAFETY: as above.
            unsafe { waited_for_a_cpu(next, waited, now) };
        }
        if off > 0 && config::has(FLAG_CALLS) {
            // SAFETY: as above.
            unsafe { slow::wait_ended(next, account, state, now, off) };
            // SAFETY: as above.
            unsafe { slow::wait_outside_ended(next, account, state, now, off, previous) };
        }
        if off > 0 && config::has(FLAG_OFF_CPU) {
            // SAFETY: the helper has no preconditions.
            let weight = account.weigh(off, unsafe { bpf_get_prandom_u32() });
            if weight > 0 {
                // SAFETY: as above.
                unsafe { off_cpu::chosen(next, account, weight, now) };
            }
        }
    }
    if is_outside {
        off_cpu::leaves_outside_of_calls(now);
    }
    0
}

/// `task` waited `ns` nanoseconds for a CPU. User space sees to it that there is a place to sum it if it happens often: the
/// scheduler's hooks write to no table that CPUs share.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
unsafe fn waited_for_a_cpu(task: *const task_struct, ns: u64, now: u64) {
    let ended = Ended {
        key: OperationKey {
            // SAFETY: the caller's promise.
            pid: unsafe { task::pid_of(task) },
            cpu: emit::cpu(),
            kind: OperationKind::RunQueue as u8,
            ..OperationKey::NOTHING
        },
        // SAFETY: the caller's promise.
        tid: unsafe { task::tid_of(task) },
        now,
        ns,
        errno: 0,
        flags: 0,
    };
    if !ended.add() {
        emit::record_quietly(&ended.record(), Counter::OperationRingFull);
    }
}

/// `sched_waking(struct task_struct *p)`: in the waker's context, before anything else happens.
#[btf_tracepoint(function = "sched_waking")]
pub(crate) fn states_waking(ctx: BtfTracePointContext) -> i32 {
    let woken: *mut task_struct = ctx.arg(0);
    // SAFETY: the tracepoint's argument is a valid task.
    if let Some(account) = unsafe { thread::account(woken) } {
        account.wakes(emit::now(), waker::current(account.state()));
    }
    0
}

/// `netif_rx(struct sk_buff *skb)`: a packet goes from this host to itself, through the loopback or a container's device.
#[btf_tracepoint(function = "netif_rx")]
pub(crate) fn states_loops(_: BtfTracePointContext) -> i32 {
    waker::sends(emit::now());
    0
}

/// `sched_wakeup_new(struct task_struct *p)`: a thread that was just made waits for its first CPU.
#[btf_tracepoint(function = "sched_wakeup_new")]
pub(crate) fn states_new(ctx: BtfTracePointContext) -> i32 {
    let new: *mut task_struct = ctx.arg(0);
    // SAFETY: the tracepoint's argument is a valid task.
    if unsafe { task::is_target(new) } {
        // SAFETY: as above.
        if let Some(account) = unsafe { thread::open_account(new, emit::now(), State::Runnable) } {
            account.call.is_child();
        }
    }
    0
}

/// `sched_process_exec(struct task_struct *task, …)`: a command that was started to be recorded makes itself a target
/// when it is running already.
#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn states_exec(_: BtfTracePointContext) -> i32 {
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    if unsafe { task::is_target(current) } {
        // SAFETY: as above.
        unsafe { thread::open_account(current, emit::now(), State::Running) };
    }
    0
}

/// The context of a task iterator (`struct bpf_iter__task`, kernel/bpf/task_iter.c).
#[repr(C)]
pub(crate) struct TaskIterator {
    meta: *const IteratorMeta,
    /// Null behind the last one.
    task: *mut task_struct,
}

/// `struct bpf_iter_meta` (include/linux/bpf.h).
#[repr(C)]
struct IteratorMeta {
    seq: *mut seq_file,
}

/// Writes a [`profiler_common::event::ThreadRecord`] of every thread, and opens accounts for those that have none.
#[unsafe(link_section = "iter/task")]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn states_read(ctx: *mut TaskIterator) -> i32 {
    /// Volatile: each field must be loaded as a whole.
    macro_rules! read {
        ($from:ident.$field:ident) => {{
            // SAFETY: the context of this type of program, or the kernel's own structure in it.
            let place = unsafe { &raw const (*$from).$field };
            // SAFETY: as above.
            unsafe { core::ptr::read_volatile(place) }
        }};
    }
    let task = read!(ctx.task);
    if task.is_null() {
        return 0;
    }
    let meta = read!(ctx.meta);
    let seq = read!(meta.seq);
    let tells = TELL.get(0).map_or(tell::SWITCHED, |tells| {
        // SAFETY: a reference is valid for reads; user space writes it.
        unsafe { core::ptr::read_volatile(tells) }
    });
    if tells >= tell::FORGET {
        // SAFETY: the iterator's task is valid.
        unsafe { prepare(task, tells) };
        return 0;
    }
    // SAFETY: as above.
    let Some(account) = (unsafe { account_of(task) }) else {
        return 0;
    };
    if account.has_ended() || (account.is_told() && tells == tell::SWITCHED) {
        return 0;
    }
    let header = header(emit::now());
    if tells == tell::STUCK && !is_stuck(account, header.time) {
        return 0;
    }
    if tells != tell::SWITCHED && config::has(FLAG_OFF_CPU | FLAG_LOCKS) {
        // SAFETY: the iterator's task is valid.
        unsafe { off_cpu::still_waits(task, account, header.time, tells == tell::ALL) };
    }
    // SAFETY: as above.
    let record = unsafe { thread::record(task, account, header, false) };
    let bytes = size_of_val(&record) as u32;
    // SAFETY: the kernel's own file, and a record of that size. If the buffer is full, the kernel calls again.
    unsafe { bpf_seq_write(seq, (&raw const record).cast_mut().cast::<c_void>(), bytes) };
    0
}

/// Prepares the account of `task` for probes that were off and are to be attached again, or were just attached.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
unsafe fn prepare(task: *mut task_struct, tells: u32) {
    if tells == tell::FORGET {
        // SAFETY: the caller's promise.
        unsafe { thread::forget(task) };
        return;
    }
    // SAFETY: the caller's promise.
    let Some(account) = (unsafe { thread::account(task) }) else {
        return;
    };
    match tells {
        tell::FORGET_CALLS => {
            account.call.forget();
            account.locks = LockWaiting::default();
            if account.pending.weight > 0 {
                off_cpu::take(account);
            }
        }
        tell::FORGET_KERNEL_LOCKS => account.locks.kernel = KernelWaiting::default(),
        // SAFETY: the caller's promise.
        _ => unsafe { find_call(task, account) },
    }
}

/// Finds the call that `task` waits in, if it waits.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
unsafe fn find_call(task: *mut task_struct, account: &mut Account) {
    // SAFETY: the caller's promise; the offset is that of `__state`.
    if unsafe { task::field(task, config::offset!(task_state)) } == 0 {
        return;
    }
    // SAFETY: the caller's promise.
    if let Some(call) = unsafe { waiting::call_of(task) } {
        account.call.found(emit::now(), call as u16);
    }
}

/// Whether a thread is to be told of because it has waited for a lock for long.
#[inline(always)]
fn is_stuck(account: &mut Account, now: u64) -> bool {
    let waits = account.waits_since(now);
    let is_told = account.state() == State::Lock as u32
        && account.locks.is_stuck(now, waits)
        && budget::allows(&STUCK_BUDGET, now, STUCK);
    // Whom the budget leaves out is asked for next time, before those that were told.
    if is_told {
        account.locks.told_stuck = now;
    }
    is_told
}

/// The account of a thread that the iterator met; opened if it is wanted and has none.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
unsafe fn account_of(task: *mut task_struct) -> Option<&'static mut Account> {
    // SAFETY: the caller's promise.
    if let Some(account) = unsafe { thread::account(task) } {
        return Some(account);
    }
    // SAFETY: the caller's promise.
    if !unsafe { task::is_target(task) } {
        return None;
    }
    // SAFETY: the caller's promise; the offset is that of `__state`.
    let kernel_state = u64::from(unsafe { task::field(task, config::offset!(task_state)) });
    if waiting::is_ending(kernel_state) {
        return None;
    }
    let state = match kernel_state {
        // On a CPU or waiting for one: it switches soon, and until then nobody can tell.
        0 => State::Running,
        // SAFETY: the caller's promise.
        _ => unsafe { waiting::reason(task, kernel_state) },
    };
    let now = emit::now();
    // SAFETY: the caller's promise.
    let account = unsafe { thread::open_account(task, now, state) }?;
    // SAFETY: the caller's promise.
    unsafe { find_call(task, account) };
    Some(account)
}

#[inline(always)]
fn header(time: u64) -> Header {
    Header {
        kind: 0,
        cpu: emit::cpu(),
        time,
    }
}
