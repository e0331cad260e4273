//! Who wakes a thread.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::generated::{bpf_get_current_task, bpf_task_pt_regs},
    macros::map,
    maps::PerCpuArray,
};
use profiler_common::{state::State, waker::Waker};

use crate::{config, emit, kernel, task};

/// States that devices and clocks end.
const DEVICES: [u32; 4] = [
    State::Disk as u32,
    State::Network as u32,
    State::Sleep as u32,
    State::Events as u32,
];

/// A thread that sent a packet to this host itself.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sender {
    /// Its number; 0: none.
    tid: u32,
    reserved: u32,
    /// When it did.
    at: u64,
}

/// The last one on this CPU.
#[map]
static SENDER: PerCpuArray<Sender> = PerCpuArray::with_max_entries(1, 0);

/// How long after it was sent a packet may have woken somebody: it is received as soon as the sender may be interrupted
/// (`__local_bh_enable_ip`, kernel/softirq.c), before the call goes on.
const RECEIVED_NS: u64 = 50_000;

/// The thread on the CPU sends a packet to this host itself, at `now`.
#[inline(always)]
pub(crate) fn sends(now: u64) {
    let tid = task::current().tid;
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    if tid == 0 || !unsafe { is_on_its_stack(current) } {
        return;
    }
    if let Some(sender) = SENDER.get_ptr_mut(0) {
        // SAFETY: a map value is valid, and only this CPU uses this copy.
        unsafe {
            *sender = Sender {
                tid,
                reserved: 0,
                at: now,
            }
        };
    }
}

/// Whether it is a packet of thread `tid`, just sent, that wakes who was in the state `wakes_from`. Once for each packet: what
/// else an interrupt does is not the thread's.
#[inline(always)]
fn has_just_sent(tid: u32, wakes_from: u32) -> bool {
    if !RECEIVERS.contains(&wakes_from) {
        return false;
    }
    let Some(sender) = SENDER.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: a map value is valid, and only this CPU uses this copy.
    let sender = unsafe { &mut *sender };
    if sender.tid != tid {
        return false;
    }
    sender.tid = 0;
    emit::now().wrapping_sub(sender.at) < RECEIVED_NS
}

/// States that packets end.
const RECEIVERS: [u32; 2] = [State::Network as u32, State::Events as u32];

/// Who is waking somebody right now, who was in the state `wakes_from`.
///
/// In an interrupt the current thread is a bystander, and not named, unless it has just sent a packet to this host itself:
/// its own call then stops to receive it, in the stack and the guise of an interrupt. Interrupts have a stack of their own, except where
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
    let named = Waker {
        tid: thread.tid,
        pid: thread.pid,
    };
    // SAFETY: `current` is a valid task.
    if !unsafe { is_on_its_stack(current) } {
        return match has_just_sent(thread.tid, wakes_from) {
            true => named,
            false => Waker::INTERRUPT,
        };
    }
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
