//! What a thread that leaves the CPU will wait for: see `profiler_common::state` for the rules.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::generated::bpf_task_pt_regs,
};
use profiler_common::{
    calls::{self, Waits},
    state::State,
};

use crate::{
    calls::{first_argument, is_compat, native, register},
    config, descriptor, task,
};

/// Bits of `task_struct.__state` (include/linux/sched.h).
const TASK_INTERRUPTIBLE: u64 = 0x1;
const TASK_STOPPED_OR_TRACED: u64 = 0x4 | 0x8;
const TASK_ENDING: u64 = 0x10 | 0x20 | 0x80;
const TASK_NOLOAD: u64 = 0x400;

/// Whether a thread in this kernel state never runs again.
#[inline(always)]
pub(crate) fn is_ending(kernel_state: u64) -> bool {
    kernel_state & TASK_ENDING != 0
}

/// What `task`, blocked in the kernel's state `kernel_state`, waits for.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts, and not on a CPU (or about to leave it).
#[inline(always)]
pub(crate) unsafe fn reason(task: *mut task_struct, kernel_state: u64) -> State {
    if kernel_state & TASK_STOPPED_OR_TRACED != 0 {
        return State::Stopped;
    }
    // SAFETY: the caller's promise.
    let in_iowait = unsafe { in_iowait(task) };
    // SAFETY: the caller's promise.
    if unsafe { task::has_no_user_space(task) } {
        let idle = kernel_state & (TASK_INTERRUPTIBLE | TASK_NOLOAD) != 0;
        return match (in_iowait, idle) {
            (true, _) => State::Disk,
            // A worker without work.
            (false, true) => State::Events,
            (false, false) => State::Blocked,
        };
    }
    // SAFETY: the caller's promise.
    let registers = unsafe { bpf_task_pt_regs(task) } as u64;
    // SAFETY: a pointer of the helper's type.
    let Some(call) = (unsafe { call(registers) }) else {
        return State::PageFault;
    };
    // SAFETY: the caller's promise.
    let compat = unsafe { is_compat(task) };
    match calls::waits(native(call, compat)) {
        Waits::For(state) => state,
        Waits::ForDescriptor => {
            // SAFETY: a pointer of the helper's type.
            let number = unsafe { register(registers, first_argument(compat)) };
            // SAFETY: the caller's promise.
            match unsafe { descriptor::kind(task, number as u32) }.state() {
                // What it copies from or to has to be read from a disk first.
                State::Ipc | State::Network if in_iowait => State::Disk,
                state => state,
            }
        }
        Waits::Unknown if in_iowait => State::Disk,
        Waits::Unknown => State::Blocked,
    }
}

/// The number of the system call that `task`, which is not on a CPU, is in; `None` if it is in none.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn call_of(task: *mut task_struct) -> Option<u64> {
    // SAFETY: the caller's promise.
    if unsafe { task::has_no_user_space(task) } {
        return None;
    }
    // SAFETY: the caller's promise.
    let registers = unsafe { bpf_task_pt_regs(task) } as u64;
    // SAFETY: a pointer of the helper's type.
    unsafe { call(registers) }
}

/// The number of the system call that the registers at `registers` entered the kernel with; `None` outside of calls.
///
/// # Safety
/// `registers` is a pointer to `pt_regs` that the verifier knows by its type.
#[inline(always)]
unsafe fn call(registers: u64) -> Option<u64> {
    // SAFETY: the caller's promise.
    let call = unsafe { register(registers, offset_of!(pt_regs, orig_rax)) } as i64;
    (call >= 0).then_some(call as u64)
}

/// Whether the kernel counts `task` as waiting for I/O.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
unsafe fn in_iowait(task: *const task_struct) -> bool {
    let bit = config::offset!(task_in_iowait);
    // SAFETY: the caller's promise; the word that holds the bit.
    let word = unsafe { task::field(task, bit / 32 * 4) };
    word >> (bit % 32) & 1 != 0
}
