//! Who wakes a thread.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::generated::{bpf_get_current_task, bpf_task_pt_regs},
};
use profiler_common::{state::State, waker::Waker};

use crate::{config, kernel, task};

/// States that devices and clocks end.
const DEVICES: [u32; 4] = [
    State::Disk as u32,
    State::Network as u32,
    State::Sleep as u32,
    State::Events as u32,
];

/// Who is waking somebody right now, who was in the state `wakes_from`.
///
/// In an interrupt the current thread is a bystander, and never named. Interrupts have a stack of their own, except where
/// they interrupt user mode: then they use the thread's (`arch/x86/include/asm/irq_stack.h`), but the thread is in no
/// system call. A thread in user mode can wake somebody by a page fault, too: who waits for a device, a time or an event is
/// not woken by that, and for others it is not decided.
#[inline(always)]
pub(crate) fn current(wakes_from: u32) -> Waker {
    let thread = task::current();
    if thread.tid == 0 {
        return Waker::INTERRUPT;
    }
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    if !unsafe { is_on_its_stack(current) } {
        return Waker::INTERRUPT;
    }
    let named = Waker {
        tid: thread.tid,
        pid: thread.pid,
    };
    // SAFETY: as above.
    if unsafe { task::has_no_user_space(current) } {
        return named;
    }
    // SAFETY: as above.
    let registers = unsafe { bpf_task_pt_regs(current) } as u64;
    // SAFETY: the helper's result has this type, and that is the field's offset.
    let call: i64 = unsafe { kernel::field(registers, offset_of!(pt_regs, orig_rax) as u32) };
    if call >= 0 {
        named
    } else if DEVICES.contains(&wakes_from) {
        Waker::INTERRUPT
    } else {
        Waker::UNKNOWN
    }
}

/// Whether this program runs on the kernel stack of `current`.
///
/// # Safety
/// `current` is the current task.
#[inline(always)]
unsafe fn is_on_its_stack(current: *mut task_struct) -> bool {
    // SAFETY: the caller's promise, and the offset is that of the field.
    let stack: u64 = unsafe { kernel::field(current as u64, config::offset!(task_stack)) };
    // SAFETY: the helper has no preconditions.
    let address = unsafe { bpf_get_current_task() };
    let from_task: u64;
    // The frame's address is a pointer that the verifier keeps to itself; the difference of two pointers is a number.
    // A program with a frame of less than 64 bytes has it on the stack that it interrupted (`BPF_PRIV_STACK_MIN_SIZE`,
    // kernel/bpf/verifier.c).
    // SAFETY: reads two registers.
    unsafe {
        core::arch::asm!(
            "{from_task} = r10",
            "{from_task} -= {current}",
            current = in(reg) current,
            from_task = out(reg) from_task,
        );
    }
    let frame = from_task.wrapping_add(address);
    frame.wrapping_sub(stack) < u64::from(config::kernel_stack())
}
