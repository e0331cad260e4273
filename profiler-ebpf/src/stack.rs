//! Captures the kernel and the user stack of a context, names each by a hash, and sends it if it is new.

use core::{ffi::c_void, mem::offset_of};

use aya_ebpf::{
    EbpfContext,
    bindings::{pt_regs, task_struct},
    helpers::generated::{bpf_get_stack, bpf_get_task_stack, bpf_loop, bpf_task_pt_regs},
    macros::map,
    maps::PerCpuArray,
    programs::PerfEventContext,
};
use profiler_common::{
    config::{FLAG_KERNEL, FLAG_USER, MAX_KERNEL_FRAMES, MAX_USER_FRAMES, SCRATCH_PER_CPU, SEEN_SLOTS},
    event::{Header, LockRecord, ProbeId, SAMPLE_KERNEL_THREAD, Sample, SlowRecord, StackHeader, kind},
    stats::{Counter, Outcome},
    unwind::{Registers, Walk},
    waker::Waker,
};

use crate::{
    config, emit,
    task::{self, Current},
    unwind,
    window::Window,
};

/// A stack as it is sent.
#[repr(C)]
pub(crate) struct Frames<const N: usize> {
    header: StackHeader,
    pub(crate) frames: [u64; N],
}

/// General registers of x86-64. A power of two, so that the verifier sees the bound in a mask.
pub(crate) const DWARF_REGISTERS: usize = 16;

/// Stores all general registers into `$place`, in the order of their DWARF numbers (System V ABI, AMD64 supplement,
/// figure 3.36), reading each with `$read`.
macro_rules! store_registers {
    ($place:expr, $read:ident) => {
        store_registers!($place, $read, 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp,
            8 r8, 9 r9, 10 r10, 11 r11, 12 r12, 13 r13, 14 r14, 15 r15)
    };
    ($place:expr, $read:ident, $($number:literal $name:ident),+) => {
        $($place[$number] = $read!($name);)+
    };
}

/// Working memory of one program run: 512 bytes of BPF stack hold no call stack.
#[repr(C)]
pub(crate) struct Scratch {
    /// 1 while a program uses it.
    busy: u64,
    pub(crate) walk: Walk,
    /// The user registers as the walk begins, by DWARF number.
    pub(crate) registers: [u64; DWARF_REGISTERS],
    pub(crate) window: Window,
    /// The number of the system call that the thread is in, or -1.
    call: i64,
    /// Hash of the user frames so far.
    pub(crate) hash: u64,
    pub(crate) user: Frames<MAX_USER_FRAMES>,
    /// A slow call that is being told of.
    pub(crate) slow: SlowRecord,
    /// A wait for a lock that is being told of.
    pub(crate) lock: LockRecord,
    /// See [`keep`].
    kept: [u64; 2],
    kernel: Frames<{ MAX_KERNEL_FRAMES + 1 }>,
}

/// Programs nest in each other on a CPU, so each run claims a space of its own.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(SCRATCH_PER_CPU, 0);

/// Which stacks this CPU sent already: hashes, direct-mapped. In rows, because a per-CPU element may have 32 KiB.
#[map]
static SEEN: PerCpuArray<[u64; SEEN_ROW]> = PerCpuArray::with_max_entries(SEEN_SLOTS / SEEN_ROW as u32, 0);
const SEEN_ROW: usize = 1024;

/// Scratch space `slot` of this CPU.
#[inline(always)]
pub(crate) fn scratch(slot: u32) -> Option<&'static mut Scratch> {
    let scratch = SCRATCH.get_ptr_mut(slot)?;
    // SAFETY: a map value is valid while the program runs, and `claim` gave it to this run alone.
    Some(unsafe { &mut *scratch })
}

/// Claims a scratch space of this CPU; `None` if programs nest too deep.
#[inline(always)]
pub(crate) fn claim() -> Option<u32> {
    let mut slot = 0;
    while slot < SCRATCH_PER_CPU {
        let scratch = SCRATCH.get_ptr_mut(slot)?;
        // SAFETY: a map value is valid for writes.
        let busy = unsafe { &raw mut (*scratch).busy };
        // SAFETY: `busy` is valid and aligned.
        if unsafe { exchange(busy, 1) } == 0 {
            // To the verifier what comes out of a map is any number, and so it follows the walk once and not for each slot.
            keep(slot, u64::from(slot), 0);
            return Some(kept(slot).0 as u32);
        }
        slot += 1;
    }
    None
}

/// Gives a claimed scratch space back.
#[inline(always)]
pub(crate) fn release(slot: u32) {
    if let Some(scratch) = scratch(slot) {
        // SAFETY: `busy` is valid and aligned.
        unsafe { exchange(&raw mut scratch.busy, 0) };
    }
}

/// Atomic exchange: a program that is preempted between a load and a store would share its space.
/// `core` has no atomics that return a value on this target.
///
/// # Safety
/// `place` is valid for writes and aligned.
#[inline(always)]
unsafe fn exchange(place: *mut u64, mut value: u64) -> u64 {
    // SAFETY: the caller's promise; the instruction touches nothing else.
    unsafe {
        core::arch::asm!("{value} = xchg_64({place} + 0, {value})", place = in(reg) place, value = inout(reg) value);
    }
    value
}

/// Keeps two numbers over a walk. Not in registers: the verifier would follow the walk for each of their values.
#[inline(always)]
pub(crate) fn keep(slot: u32, first: u64, second: u64) {
    if let Some(scratch) = scratch(slot) {
        // SAFETY: a reference is valid for writes; volatile, so that the compiler keeps no copy.
        unsafe { core::ptr::write_volatile(&raw mut scratch.kept, [first, second]) };
    }
}

/// What [`keep`] kept.
#[inline(always)]
pub(crate) fn kept(slot: u32) -> (u64, u64) {
    let Some(scratch) = scratch(slot) else {
        return (0, 0);
    };
    // SAFETY: a reference is valid for reads; volatile as above.
    let [first, second] = unsafe { core::ptr::read_volatile(&raw const scratch.kept) };
    (first, second)
}

/// Folds one frame into a hash (the multiplier is 2^64 / golden ratio, as in Fibonacci hashing).
#[inline(always)]
pub(crate) fn mix(hash: u64, frame: u64) -> u64 {
    let mixed = (hash ^ frame).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// The stacks of one sample.
pub(crate) struct Stacks {
    /// Hash of the user stack; 0: none.
    pub(crate) user: u64,
    /// Hash of the kernel stack; 0: none.
    pub(crate) kernel: u64,
    pub(crate) outcome: u32,
    pub(crate) user_frames: u32,
    pub(crate) frames_by_fp: u32,
    pub(crate) kernel_thread: bool,
    /// The user registers, where there is a user stack.
    pub(crate) registers: Registers,
}

impl Stacks {
    /// The sample of a thread with these stacks, which weighs `value`.
    #[inline(always)]
    pub(crate) fn sample(&self, header: Header, thread: Current, probe: ProbeId, value: u64) -> Sample {
        Sample {
            header,
            pid: thread.pid,
            tid: thread.tid,
            user_stack: self.user,
            kernel_stack: self.kernel,
            value,
            probe: probe as u8,
            outcome: self.outcome as u8,
            flags: if self.kernel_thread {
                SAMPLE_KERNEL_THREAD
            } else {
                0
            },
            frames_by_fp: if self.frames_by_fp > 255 {
                255
            } else {
                self.frames_by_fp as u8
            },
            user_frames: self.user_frames,
            waker: Waker::UNKNOWN,
        }
    }

    /// No stack at all.
    pub(crate) const NONE: Self = Self {
        user: 0,
        kernel: 0,
        outcome: Outcome::NoUserStack as u32,
        user_frames: 0,
        frames_by_fp: 0,
        kernel_thread: false,
        registers: Registers { ip: 0, sp: 0, bp: 0 },
    };
}

/// Captures both stacks of the thread that a perf event interrupted.
#[inline(always)]
pub(crate) fn capture(ctx: &PerfEventContext, slot: u32, pid: u32) -> Stacks {
    let mut stacks = Stacks::NONE;
    let regs = ctx.as_ptr().cast::<pt_regs>();
    // SAFETY: a perf event's context begins with the interrupted registers.
    let code_segment = unsafe { (*regs).cs };
    let from_user = code_segment & 3 == 3;
    if !from_user {
        if config::has(FLAG_KERNEL) {
            stacks.kernel = kernel_stack(ctx, slot);
        }
        stacks.kernel_thread = task::is_kernel_thread();
    }
    if config::has(FLAG_USER) && !stacks.kernel_thread {
        user_stack(regs, from_user, slot, pid, &mut stacks, emit::wake_flags());
    }
    stacks
}

/// `orig_ax` outside of system calls.
const NO_CALL: i64 = -1;
/// `execve`, `exit`, `exit_group`, `execveat` (arch/x86/entry/syscalls/syscall_64.tbl): calls in which a program's
/// memory goes away.
const ENDING_CALLS: [i64; 4] = [59, 60, 231, 322];

/// Whether the thread is in a call that takes its program's memory away, or ends because another one of its process is: then
/// there may be no user stack any more, and none is missing.
#[inline(always)]
pub(crate) fn memory_may_be_gone(slot: u32) -> bool {
    let Some(scratch) = scratch(slot) else {
        return false;
    };
    // SAFETY: a reference is valid for reads. Volatile: the verifier shall not follow the value.
    let call = unsafe { core::ptr::read_volatile(&raw const scratch.call) };
    ENDING_CALLS.contains(&call) || task::is_exiting()
}

/// DWARF numbers of `rbp` and `rsp`.
const BP: usize = 6;
const SP: usize = 7;

/// `__USER32_CS` (arch/x86/include/asm/segment.h): code of the 32-bit compatibility mode.
const USER32_CS: u64 = 0x23;

#[inline(always)]
fn user_stack(regs: *const pt_regs, from_user: bool, slot: u32, pid: u32, stacks: &mut Stacks, flags: u64) {
    let (ip, code_segment, call);
    let Some(place) = scratch(slot) else { return };
    if from_user {
        macro_rules! read {
            ($name:ident) => {{
                // SAFETY: the context's registers.
                unsafe { (*regs).$name }
            }};
        }
        store_registers!(place.registers, read);
        (ip, code_segment, call) = (read!(rip), read!(cs), NO_CALL);
    } else {
        // SAFETY: `current` is a valid task.
        let entry = unsafe { bpf_task_pt_regs(task::current_task()) } as *const pt_regs;
        macro_rules! read {
            ($name:ident) => {{
                // SAFETY: the registers with which the thread entered the kernel.
                unsafe { load::<{ offset_of!(pt_regs, $name) }>(entry) }
            }};
        }
        store_registers!(place.registers, read);
        // After a system call the pc is behind the instruction, like a return address; after an interrupt or a
        // fault it is the instruction itself. `orig_ax` is the call's number, or -1 (arch/x86/entry/entry_64.S).
        (ip, code_segment, call) = (read!(rip), read!(cs), read!(orig_rax) as i64);
    }
    // SAFETY: a reference is valid for writes. Volatile: see `memory_may_be_gone`.
    unsafe { core::ptr::write_volatile(&raw mut place.call, call) };
    let registers = Registers {
        ip,
        sp: place.registers[SP],
        bp: place.registers[BP],
    };
    if code_segment == USER32_CS {
        stacks.outcome = Outcome::Compat as u32;
        return;
    }
    stacks.registers = registers;
    unwind::walk(slot, pid, registers, call >= 0);
    let Some(scratch) = scratch(slot) else { return };
    stacks.outcome = scratch.walk.outcome;
    if stacks.outcome == Outcome::UnreadableStack as u32 && memory_may_be_gone(slot) {
        stacks.outcome = Outcome::NoUserStack as u32;
    }
    stacks.user_frames = scratch.walk.frames;
    stacks.frames_by_fp = scratch.walk.frames_by_fp;
    emit::count(Counter::FramesByFramePointer, u64::from(stacks.frames_by_fp));
    emit::count(
        Counter::FramesByRows,
        u64::from(stacks.user_frames - stacks.frames_by_fp),
    );
    // 0 is "no stack".
    let hash = scratch.hash | 1;
    stacks.user = hash;
    send(&mut scratch.user, hash, stacks.user_frames, 0, flags);
}

/// Captures the user stack with which the thread on the CPU entered the kernel. `flags` are those of the ring buffer.
#[inline(always)]
pub(crate) fn capture_in_kernel(slot: u32, pid: u32, flags: u64) -> Stacks {
    let mut stacks = Stacks::NONE;
    if config::has(FLAG_USER) {
        user_stack(core::ptr::null(), false, slot, pid, &mut stacks, flags);
    }
    stacks
}

/// A register of `entry`. The verifier lets one instruction load from one kind of pointer only, so the compiler must not
/// merge this with a load from a program's context.
///
/// # Safety
/// `entry` is what `bpf_task_pt_regs` returned.
#[inline(always)]
unsafe fn load<const OFFSET: usize>(entry: *const pt_regs) -> u64 {
    let value: u64;
    // SAFETY: the caller's promise.
    unsafe {
        core::arch::asm!("{value} = *(u64 *)({entry} + {offset})",
            value = out(reg) value, entry = in(reg) entry, offset = const OFFSET);
    }
    value
}

#[inline(always)]
fn kernel_stack(ctx: &PerfEventContext, slot: u32) -> u64 {
    let Some(scratch) = scratch(slot) else { return 0 };
    let bytes = (MAX_KERNEL_FRAMES * 8) as u32;
    let frames = (&raw mut scratch.kernel.frames).cast::<c_void>();
    // SAFETY: the scratch space has room for that many bytes.
    let got = unsafe { bpf_get_stack(ctx.as_ptr(), frames, bytes, 0) };
    send_kernel(slot, got, emit::wake_flags())
}

/// Captures the kernel stack of `task`, which is not on a CPU, for use in the scheduler's hooks. Returns its hash.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn kernel_stack_of(task: *mut task_struct) -> u64 {
    if !config::has(FLAG_KERNEL) {
        return 0;
    }
    let Some(slot) = claim() else { return 0 };
    let hash = match scratch(slot) {
        None => 0,
        Some(scratch) => {
            let bytes = (MAX_KERNEL_FRAMES * 8) as u32;
            let frames = (&raw mut scratch.kernel.frames).cast::<c_void>();
            // SAFETY: the caller's promise, and the scratch space has room for that many bytes.
            let got = unsafe { bpf_get_task_stack(task, frames, bytes, 0) };
            send_kernel(slot, got, emit::QUIETLY)
        }
    };
    release(slot);
    hash
}

/// Sends the kernel stack of `got` bytes in a scratch space, if there is one. Returns its hash.
#[inline(always)]
fn send_kernel(slot: u32, got: i64, flags: u64) -> u64 {
    if got <= 0 {
        return 0;
    }
    let count = (got as u32 / 8).min(MAX_KERNEL_FRAMES as u32);
    let mut hashing = Hashing { slot, hash: 0 };
    // SAFETY: `hash_kernel_frame` has the callback's signature, and `hashing` outlives the loop.
    unsafe {
        bpf_loop(
            count,
            hash_kernel_frame as *mut c_void,
            (&raw mut hashing).cast(),
            0,
        )
    };
    let Some(scratch) = scratch(slot) else {
        return 0;
    };
    let hash = hashing.hash;
    let hash = hash | 1;
    send(&mut scratch.kernel, hash, count, 1, flags);
    hash
}

/// What the loop over kernel frames needs.
#[repr(C)]
struct Hashing {
    slot: u32,
    hash: u64,
}

/// Folds kernel frame `at` into the hash. Returns 1 to end the loop.
///
/// # Safety
/// `hashing` points to a [`Hashing`] that nobody else uses meanwhile.
unsafe extern "C" fn hash_kernel_frame(at: u64, hashing: *mut c_void) -> i64 {
    // SAFETY: the caller's promise: `send_kernel` passes the address of its `hashing`.
    let hashing = unsafe { &mut *hashing.cast::<Hashing>() };
    let Some(scratch) = scratch(hashing.slot) else {
        return 1;
    };
    hashing.hash = mix(
        hashing.hash,
        scratch.kernel.frames[at as usize & MAX_KERNEL_FRAMES],
    );
    0
}

/// Sends a stack, unless this CPU did before. A stack that did not fit is sent again with the next sample.
#[inline(always)]
fn send<const N: usize>(stack: &mut Frames<N>, hash: u64, frames: u32, kernel: u32, flags: u64) {
    let row = (hash >> 32) as u32 % (SEEN_SLOTS / SEEN_ROW as u32);
    let Some(seen) = SEEN.get_ptr_mut(row) else { return };
    let at = (hash >> 40) as usize & (SEEN_ROW - 1);
    // SAFETY: a map value, and an index inside it.
    let seen = unsafe { &mut (*seen)[at] };
    if *seen == hash {
        return;
    }
    let Header { kind, cpu, time } = emit::header(kind::STACK);
    stack.header = StackHeader {
        header: Header { kind, cpu, time },
        hash,
        frames,
        kernel,
    };
    // At least one frame, at most `N`, a power of two. A mask, and not a comparison: Linux 6.1 does not carry the outcome
    // of a comparison over to a copy of the register.
    let frames = ((frames.wrapping_sub(1)) as usize & (N - 1)) + 1;
    let bytes = size_of::<StackHeader>() + frames * 8;
    // SAFETY: the record lies in scratch space of at least that size.
    if unsafe { emit::output_with(stack, bytes as u64, Counter::StackRingFull, flags) } {
        *seen = hash;
    }
}
