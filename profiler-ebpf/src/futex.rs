//! Waits for the locks of programs: for futexes.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::{bpf_probe_read_user, generated::bpf_get_prandom_u32},
    macros::map,
    maps::PerCpuArray,
};
use profiler_common::{
    account::Account,
    config::FLAG_LOCKS,
    event::{CallStackRecord, LockRecord, kind},
    lock::{call, futex},
    state::State,
    stats::Counter,
    thinning::Thinning,
};

use crate::{
    calls, config, emit, slow,
    stack::{self, Stacks},
    task, thread,
};

/// Which waits are told. Only one program uses it.
#[map]
static THINNING: PerCpuArray<Thinning> = PerCpuArray::with_max_entries(1, 0);

/// Waits that are told in 134 ms and CPU, about: some 750 a second.
const TOLD: u32 = 100;

/// The thread on the CPU begins call `number` (of the 64-bit table): if it may wait for a lock, who holds it?
///
/// # Safety
/// `registers` is a pointer to `pt_regs` that the verifier knows by its type.
#[inline(always)]
pub(crate) unsafe fn begins(account: &mut Account, registers: u64, number: u64) {
    if number != call::FUTEX {
        return;
    }
    // SAFETY: the caller's promise.
    let operation = unsafe { calls::register(registers, offset_of!(pt_regs, rsi)) } as u32;
    // SAFETY: as above.
    let address = unsafe { calls::register(registers, offset_of!(pt_regs, rdi)) };
    // SAFETY: as above.
    let value = unsafe { calls::register(registers, offset_of!(pt_regs, rdx)) } as u32;
    let word = |address: u64| {
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_user(address as *const u32) }.unwrap_or(0)
    };
    account.locks.owner = match operation & futex::COMMAND {
        futex::WAIT if value == futex::GLIBC_CONTENDED => word(address + futex::GLIBC_OWNER),
        futex::LOCK_PI | futex::LOCK_PI2 => word(address) & futex::TID_MASK,
        _ => 0,
    };
}

/// `woken` is being woken: if its wait is one that is told, remembers so, and that the waker's stack is wanted.
///
/// # Safety
/// `woken` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn is_woken(woken: *mut task_struct, now: u64) {
    // SAFETY: the caller's promise.
    let Some(account) = (unsafe { thread::account(woken) }) else {
        return;
    };
    let Some((woken_at, blocked, waker)) = account.was_woken(now) else {
        return;
    };
    let is_told = if account.state() == State::Lock as u32 && config::has(FLAG_LOCKS) {
        // A thread that finds the lock taken again may wait on in the same call.
        account.locks.blocked_ns += blocked;
        account.locks.woken = woken_at;
        if account.locks.threshold_ns == 0 {
            account.locks.threshold_ns = admits(now, account.locks.blocked_ns);
        }
        account.locks.threshold_ns > 0
    } else {
        slow::wants_waker(account.state(), now, blocked)
    };
    if !is_told || waker.tid == 0 {
        return;
    }
    want_stack(woken_at);
}

/// The stack of the call that the thread on the CPU is in is wanted from `since` on.
#[inline(always)]
pub(crate) fn want_stack(since: u64) {
    // SAFETY: `current` is a valid task.
    if let Some(own) = unsafe { thread::account(task::current_task()) }
        && own.locks.wanted_at == 0
    {
        own.locks.wanted_at = since;
    }
}

#[inline(always)]
fn admits(now: u64, ns: u64) -> u64 {
    let Some(thinning) = THINNING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a map value is valid, and only this CPU uses this copy.
    let thinning = unsafe { &mut *thinning };
    // SAFETY: the helper has no preconditions.
    thinning.admits(now, ns, unsafe { bpf_get_prandom_u32() }, TOLD)
}

/// Keeps in the scratch space what is to be told of a wait whose call ends at `now` with `result`. `call_ns` is how long the
/// call was; 0: unknown.
///
/// # Safety
/// `registers` is a pointer to `pt_regs` that the verifier knows by its type.
#[inline(always)]
pub(crate) unsafe fn prepare(
    slot: u32,
    account: &mut Account,
    registers: u64,
    result: i64,
    now: u64,
    call_ns: u64,
) {
    let Some(scratch) = stack::scratch(slot) else {
        return;
    };
    let record: &mut LockRecord = &mut scratch.lock;
    record.header = emit::header(kind::LOCK);
    record.header.time = now;
    let thread = task::current();
    (record.pid, record.tid) = (thread.pid, thread.tid);
    let waited = account.locks;
    let waited_ns = now.saturating_sub(waited.woken) + waited.blocked_ns;
    record.ns = if call_ns > waited_ns { call_ns } else { waited_ns };
    record.blocked_ns = waited.blocked_ns;
    record.threshold_ns = waited.threshold_ns;
    record.woken = waited.woken;
    record.waker = account.wait.waker;
    record.owner = waited.owner;
    record.result = result as i32;
    macro_rules! register {
        ($name:ident) => {{
            // SAFETY: the caller's promise.
            unsafe { calls::register(registers, offset_of!(pt_regs, $name)) }
        }};
    }
    let number = register!(orig_rax);
    record.call = number as u32;
    record.address = register!(rdi);
    record.operation = register!(rsi) as u32;
    record.value = register!(rdx) as u32;
    record.reserved = 0;
}

/// Tells what was kept, with the stack of the call.
#[inline(always)]
pub(crate) fn send(slot: u32, stacks: &Stacks, copy: u8) {
    let Some(scratch) = stack::scratch(slot) else {
        return;
    };
    let record: &mut LockRecord = &mut scratch.lock;
    record.outcome = stacks.outcome as u8;
    record.flags = copy;
    record.user_stack = stacks.user;
    // SAFETY: a reference is valid for reads of its size.
    unsafe { emit::output(record, size_of::<LockRecord>() as u64, Counter::LockRingFull) };
}

/// Tells the stack of the call that the thread on the CPU leaves, which somebody has wanted since `since`.
#[inline(always)]
pub(crate) fn send_stack(stacks: &Stacks, since: u64, now: u64, copy: u8) {
    let thread = task::current();
    let mut header = emit::header(kind::CALL_STACK);
    header.time = now;
    let record = CallStackRecord {
        header,
        pid: thread.pid,
        tid: thread.tid,
        since,
        user_stack: stacks.user,
        outcome: stacks.outcome,
        flags: u32::from(copy),
    };
    emit::record(&record, Counter::LockRingFull);
}
