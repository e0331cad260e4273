//! System calls: begun, ended, counted and timed.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    macros::map,
    maps::PerCpuArray,
};
use profiler_common::{
    account::Account,
    calls, compat,
    event::{OPERATION_BEGUN_BEFORE, OPERATION_ENDLESS},
    in_call::{CALL_BEGUN_BEFORE, CALL_COMPAT, Ended as EndedCall},
    object::ObjectKind,
    operation::{OperationKey, OperationKind},
    stats::Counter,
};

use crate::{config, descriptor, emit, kernel, places::Ended, task};

/// `TS_COMPAT` (arch/x86/include/asm/thread_info.h): the thread is in a 32-bit call.
const TS_COMPAT: u32 = 2;

/// `close`, `exit`, `exit_group` (arch/x86/entry/syscalls/syscall_64.tbl).
const CLOSE: u64 = 3;
const EXIT: u64 = 60;
const EXIT_GROUP: u64 = 231;

/// Whether `task` is in a system call of the table of 32-bit programs, if it is in one at all.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn is_compat(task: *const task_struct) -> bool {
    // SAFETY: the caller's promise, and the offset is that of the field.
    unsafe { task::field(task, config::offset!(task_status)) & TS_COMPAT != 0 }
}

/// The number in the 64-bit table of the call that is the same; of one that has none, a number that is no call.
#[inline(always)]
pub(crate) fn native(number: u64, compat: bool) -> u64 {
    if !compat {
        return number;
    }
    compat::same_call(number).unwrap_or(u64::MAX)
}

/// A register with which the thread entered the kernel.
///
/// # Safety
/// `registers` is a pointer to `pt_regs` that the verifier knows by its type.
#[inline(always)]
pub(crate) unsafe fn register(registers: u64, offset: usize) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { kernel::field(registers, offset as u32) }
}

/// What the descriptor is that call `call` (of the 64-bit table) works on.
///
/// # Safety
/// `task` and `registers` are pointers that the verifier knows by their types.
#[inline(always)]
unsafe fn object(task: *const task_struct, registers: u64, call: u64, compat: bool) -> ObjectKind {
    if !calls::has_descriptor(call) {
        return ObjectKind::None;
    }
    // SAFETY: the caller's promise.
    let number = unsafe { register(registers, first_argument(compat)) };
    // SAFETY: as above.
    unsafe { descriptor::kind(task, number as u32) }
}

/// In which register a call's first argument is.
#[inline(always)]
pub(crate) fn first_argument(compat: bool) -> usize {
    if compat {
        offset_of!(pt_regs, rbx)
    } else {
        offset_of!(pt_regs, rdi)
    }
}

/// The thread on the CPU begins call `number`.
///
/// # Safety
/// `task` is the current task, and `registers` a pointer that the verifier knows by its type.
#[inline(always)]
pub(crate) unsafe fn begins(
    task: *mut task_struct,
    account: &mut Account,
    registers: u64,
    number: u64,
    now: u64,
) {
    // SAFETY: the caller's promise.
    let compat = unsafe { is_compat(task) };
    let call = native(number, compat);
    let mut closes = ObjectKind::None;
    if call == CLOSE {
        // When it returns there is nothing left to look at.
        // SAFETY: the caller's promise.
        closes = unsafe { object(task, registers, call, compat) };
    }
    account.call.enters(now, number as u16, compat, closes as u8);
    if call == EXIT || call == EXIT_GROUP {
        let flags = if compat { CALL_COMPAT } else { 0 };
        let ended = EndedCall {
            since: now,
            number: number as u16,
            flags,
            closes: 0,
        };
        operation(&ended, ObjectKind::None as u8, now, 0, OPERATION_ENDLESS).note(&mut account.call);
    }
}

/// The thread on the CPU ends a call with `result`: which one goes into `into`. `false` if its begin was not seen.
///
/// # Safety
/// `task` is the current task, and `registers` a pointer that the verifier knows by its type.
#[inline(always)]
pub(crate) unsafe fn ends(
    task: *mut task_struct,
    account: &mut Account,
    registers: u64,
    result: i64,
    now: u64,
    into: &mut Ended,
) -> bool {
    account.leaves_call(now);
    let Some(ended) = account.call.leaves(result) else {
        return false;
    };
    let compat = ended.flags & CALL_COMPAT != 0;
    let call = native(u64::from(ended.number), compat);
    let object = if call == CLOSE {
        ended.closes
    } else {
        // SAFETY: the caller's promise.
        unsafe { object(task, registers, call, compat) as u8 }
    };
    let errno = if (-4095..0).contains(&result) { -result } else { 0 };
    let flags = if ended.flags & CALL_BEGUN_BEFORE != 0 {
        OPERATION_BEGUN_BEFORE
    } else {
        0
    };
    let Some(operation) = forget_how(operation(&ended, object, now, errno as u16, flags)) else {
        return false;
    };
    let flags = operation.flags;
    emit::count(Counter::Calls, 1);
    // Where its begin was not seen, its duration is not one to be summed.
    if flags == 0 {
        operation.note(&mut account.call);
    }
    *into = operation;
    true
}

/// The operation on its way through [`forget_how`].
#[map]
static ENDED: PerCpuArray<Ended> = PerCpuArray::with_max_entries(1, 0);

/// The same operation. To the verifier what comes out of a map may be anything, so it does not follow all that comes
/// after for each kind of descriptor and error.
#[inline(always)]
fn forget_how(ended: Ended) -> Option<Ended> {
    let place = ENDED.get_ptr_mut(0)?;
    // SAFETY: a map value is valid, and calls do not end within the end of a call. Volatile, or nothing would be forgotten.
    unsafe { place.write_volatile(ended) };
    // SAFETY: as above.
    Some(unsafe { place.read_volatile() })
}

#[inline(always)]
fn operation(call: &EndedCall, object: u8, now: u64, errno: u16, flags: u16) -> Ended {
    let thread = task::current();
    let kind = if call.flags & CALL_COMPAT != 0 {
        OperationKind::CompatCall
    } else {
        OperationKind::Call
    };
    Ended {
        key: OperationKey {
            pid: thread.pid,
            cpu: emit::cpu(),
            device: 0,
            number: call.number,
            kind: kind as u8,
            object,
        },
        tid: thread.tid,
        now,
        ns: now.saturating_sub(call.since),
        errno,
        flags,
    }
}
