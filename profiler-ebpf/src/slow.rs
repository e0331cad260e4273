//! System calls that take long, with all that is known of them.

use core::{ffi::c_void, mem::offset_of};

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user_str},
    macros::map,
    maps::PerCpuArray,
};
use profiler_common::{
    account::Account,
    calls::{self, Waits},
    config::FLAG_CALLS,
    event::{SlowRecord, SlowTarget, kind, target},
    gate::{Gate, Verdict},
    object::ObjectKind,
    operation::{OperationKey, OperationKind},
    state::State,
    stats::{Counter, Outcome},
    waker::Waker,
};

use crate::{
    calls as system_calls, config,
    descriptor::{self, AF_INET, AF_INET6},
    emit, kernel,
    places::Ended,
    stack::{self, Stacks},
    task, waiting,
};

/// A gate for each state in which a call waits, so that threads waiting for work do not crowd out a disk; one for the
/// stacks of waits; and one for those of their wakers, which another program uses.
#[map]
static GATES: PerCpuArray<Gate> = PerCpuArray::with_max_entries(State::COUNT as u32 + 2, 0);

/// Slow calls that are kept a second and CPU, for each state in which they wait.
const KEPT: u32 = 40;
/// Kernel stacks that are taken a second and CPU, for waits of calls that may turn out to be slow.
const STACKS: u32 = 400;
/// Stacks of wakers that are taken a second and CPU, for the same reason.
const WAKERS: u32 = 100;

/// What call `call` (of the 64-bit table) waits for, if it does.
#[inline(always)]
fn state(call: u64, object: u8) -> State {
    match calls::waits(call) {
        Waits::For(state) => state,
        Waits::ForDescriptor => match ObjectKind::from_u8(object) {
            Some(object) => object.state(),
            None => State::Blocked,
        },
        Waits::Unknown => State::Blocked,
    }
}

/// Whether a wait in this state (one of [`State`]) is worth telling of. Threads that sleep or wait for events are idle, and
/// one that waits for a CPU waits for nothing that its call asked for.
#[inline(always)]
fn matters(state: u32) -> bool {
    state != State::Events as u32 && state != State::Sleep as u32 && state != State::Runnable as u32
}

#[inline(always)]
fn admits(gate: u32, now: u64, ns: u64, limit: u32) -> Verdict {
    let Some(gate) = GATES.get_ptr_mut(gate) else {
        return Verdict::Short;
    };
    // SAFETY: a map value is valid, and only this CPU uses this copy.
    let gate = unsafe { &mut *gate };
    gate.admits(now, ns, config::slow_ns(), limit)
}

/// Whether a call that ended is told of.
#[inline(always)]
pub(crate) fn is_slow(ended: &Ended) -> bool {
    if ended.ns < config::slow_ns() {
        return false;
    }
    let is_compat = ended.key.kind == OperationKind::CompatCall as u8;
    let call = system_calls::native(u64::from(ended.key.number), is_compat);
    let state = state(call, ended.key.object) as u32;
    if !matters(state) {
        return false;
    }
    match admits(state, ended.now, ended.ns, KEPT) {
        Verdict::Kept => true,
        Verdict::Missed => {
            emit::count(Counter::SlowBudget, 1);
            false
        }
        Verdict::Short => false,
    }
}

/// Takes the kernel stack of `task`, whose wait of `ns` nanoseconds in `state` ends at `now`, if its call may turn out to
/// be slow.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn wait_ended(
    task: *mut task_struct,
    account: &mut Account,
    state: u32,
    now: u64,
    ns: u64,
) {
    if ns < config::slow_ns() || !matters(state) {
        return;
    }
    if let Verdict::Kept = admits(State::COUNT as u32, now, ns, STACKS) {
        // SAFETY: the caller's promise.
        account.wait.kernel_stack = unsafe { stack::kernel_stack_of(task) };
    }
}

/// Waits for a CPU are told from this many times the threshold on: one time slice of another thread is a few milliseconds.
const SLICES: u64 = 10;

/// A wait outside of calls on its way to user space: what is left of 512 bytes of stack has no room for it.
#[map]
static OUTSIDE: PerCpuArray<SlowRecord> = PerCpuArray::with_max_entries(1, 0);

/// Tells of the wait of `task` that ends at `now` after `ns` nanoseconds in `state`, if it was long and in no system call: for a
/// CPU, which `previous` had until now, or for memory.
///
/// # Safety
/// Both are task pointers that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn wait_outside_ended(
    task: *mut task_struct,
    account: &Account,
    state: u32,
    now: u64,
    ns: u64,
    previous: *mut task_struct,
) {
    let (kind, threshold) = match state {
        state if state == State::Runnable as u32 => (OperationKind::RunQueue, config::slow_ns() * SLICES),
        state if state == State::PageFault as u32 => (OperationKind::PageFault, config::slow_ns()),
        _ => return,
    };
    if ns < threshold {
        return;
    }
    // SAFETY: the caller's promise.
    if unsafe { task::has_no_user_space(task) } {
        return;
    }
    // SAFETY: the caller's promise.
    if unsafe { waiting::call_of(task) }.is_some() {
        return;
    }
    let Some(gate) = GATES.get_ptr_mut(state) else {
        return;
    };
    // SAFETY: a map value is valid, and only this CPU uses this copy.
    match unsafe { &mut *gate }.admits(now, ns, threshold, KEPT) {
        Verdict::Kept => {}
        Verdict::Missed => return emit::count(Counter::SlowBudget, 1),
        Verdict::Short => return,
    }
    let Some(record) = OUTSIDE.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a map value is valid, and only this CPU uses this copy.
    let record = unsafe { &mut *record };
    record.header = emit::header(kind::SLOW);
    record.header.time = now;
    record.key = OperationKey {
        // SAFETY: the caller's promise.
        pid: unsafe { task::pid_of(task) },
        cpu: record.header.cpu,
        kind: kind as u8,
        ..OperationKey::NOTHING
    };
    // SAFETY: the caller's promise.
    record.tid = unsafe { task::tid_of(task) };
    record.ns = ns;
    record.wait_ns = ns;
    record.kernel_stack = account.wait.kernel_stack;
    record.user_stack = account.outside.user_stack;
    record.outcome = match record.user_stack {
        0 => Outcome::NotInCall as u8,
        _ => account.outside.outcome as u8,
    };
    record.waker = match kind {
        // SAFETY: the caller's promise.
        OperationKind::RunQueue => match unsafe { task::tid_of(previous) } {
            0 => Waker::NOBODY,
            tid => Waker {
                tid,
                // SAFETY: the caller's promise.
                pid: unsafe { task::pid_of(previous) },
            },
        },
        _ => account.wait.waker,
    };
    record.woken = account.wait.woken;
    emit::record_quietly(record, Counter::SlowRingFull);
}

/// Whether the stack of who ends a wait of `ns` nanoseconds in `state` is wanted.
#[inline(always)]
pub(crate) fn wants_waker(state: u32, now: u64, ns: u64) -> bool {
    if !config::has(FLAG_CALLS)
        || ns < config::slow_ns()
        || state == State::Events as u32
        || state == State::Sleep as u32
    {
        return false;
    }
    matches!(admits(State::COUNT as u32 + 1, now, ns, WAKERS), Verdict::Kept)
}

/// Keeps in the scratch space what is to be told of a call that took long.
///
/// # Safety
/// `task` is the current task, and `registers` a pointer that the verifier knows by its type.
#[inline(always)]
pub(crate) unsafe fn prepare(
    slot: u32,
    task: *const task_struct,
    account: &Account,
    registers: u64,
    result: i64,
    ended: &Ended,
) {
    let Some(scratch) = stack::scratch(slot) else {
        return;
    };
    let record: &mut SlowRecord = &mut scratch.slow;
    let mut header = emit::header(kind::SLOW);
    header.time = ended.now;
    record.header = header;
    record.key = ended.key;
    record.tid = ended.tid;
    record.operation_flags = ended.flags;
    record.ns = ended.ns;
    record.result = result;
    let is_compat = ended.key.kind == OperationKind::CompatCall as u8;
    macro_rules! arguments {
        ($($name:ident)+) => {
            [$({
                // SAFETY: the caller's promise.
                unsafe { system_calls::register(registers, offset_of!(pt_regs, $name)) }
            }),+]
        };
    }
    record.arguments = if is_compat {
        arguments!(rbx rcx rdx rsi rdi rbp)
    } else {
        arguments!(rdi rsi rdx r10 r8 r9)
    };
    let wait = account.wait;
    // Of this call, not of one before.
    let waited = wait.end >= ended.now - ended.ns;
    record.wait_ns = if waited { wait.ns } else { 0 };
    record.woken = if waited { wait.woken } else { 0 };
    record.waker = wait.waker;
    record.kernel_stack = if waited { wait.kernel_stack } else { 0 };
    let call = system_calls::native(u64::from(ended.key.number), is_compat);
    record.target.kind = target::NONE;
    if calls::has_descriptor(call) {
        let descriptor = record.arguments[0] as u32;
        // SAFETY: the caller's promise.
        if let Some(file) = unsafe { descriptor::file(task, descriptor) } {
            record.target.descriptor = descriptor;
            describe(file, ended.key.object, &mut record.target);
        }
    } else if let Some(argument) = calls::path_argument(call) {
        let address = record.arguments[argument & 1];
        let bytes = record.target.text.len() as u32;
        let text = (&raw mut record.target.text).cast::<c_void>();
        // SAFETY: the field is valid for writes of its size; the helper checks the address.
        let got = unsafe { bpf_probe_read_user_str(text, bytes, address as *const c_void) };
        if got > 0 {
            record.target.kind = target::PATH;
        }
    }
}

/// Tells what was kept, with the stack of the call.
#[inline(always)]
pub(crate) fn send(slot: u32, stacks: &Stacks, copy: u8) {
    let Some(scratch) = stack::scratch(slot) else {
        return;
    };
    let record: &mut SlowRecord = &mut scratch.slow;
    record.outcome = stacks.outcome as u8;
    record.flags = copy;
    record.user_stack = stacks.user;
    // SAFETY: a reference is valid for reads of its size.
    unsafe { emit::output(record, size_of::<SlowRecord>() as u64, Counter::SlowRingFull) };
}

/// What a file is, in the kernel's words.
#[inline(always)]
fn describe(file: u64, object: u8, into: &mut SlowTarget) -> Option<()> {
    let inode: u64 = kernel::read(file + u64::from(config::offset!(file_inode)))?;
    into.inode = kernel::read(inode + u64::from(config::offset!(inode_number)))?;
    if object == ObjectKind::Socket as u8 || object == ObjectKind::LocalSocket as u8 {
        return describe_socket(file, into);
    }
    let super_block: u64 = kernel::read(inode + u64::from(config::offset!(inode_super)))?;
    into.device = kernel::read(super_block + u64::from(config::offset!(super_dev)))?;
    let dentry: u64 = kernel::read(file + u64::from(config::offset!(file_dentry)))?;
    into.kind = target::FILE;
    into.text[0] = 0;
    into.ports = 0;
    describe_path(dentry, into)
}

/// Directories above a file whose names are told, at most.
const DIRECTORIES: usize = 6;
/// The longest name of a directory that is told, with the zero byte behind it; of the file it is all that there is room for.
const DIRECTORY_NAME: u32 = 32;

/// The file's name, and those of the directories that it is in, as far as there is room.
#[inline(always)]
fn describe_path(mut dentry: u64, into: &mut SlowTarget) -> Option<()> {
    let parent_of = |dentry: u64| kernel::read::<u64>(dentry + u64::from(config::offset!(dentry_parent)));
    let text = (&raw mut into.text).cast::<u8>();
    let name: u64 = kernel::read(dentry + u64::from(config::offset!(dentry_name)))?;
    let bytes = into.text.len() as u32;
    // SAFETY: the field is valid for writes of its size; the helper checks the address.
    let got = unsafe { bpf_probe_read_kernel_str(text.cast(), bytes, name as *const c_void) };
    if got <= 0 {
        return None;
    }
    into.ports = 1;
    let mut used = got as usize;
    for _ in 0..DIRECTORIES {
        let parent = parent_of(dentry)?;
        if parent == dentry {
            into.ports |= target::WHOLE;
            return Some(());
        }
        if used > into.text.len() - DIRECTORY_NAME as usize {
            return None;
        }
        let name: u64 = kernel::read(parent + u64::from(config::offset!(dentry_name)))?;
        // SAFETY: `used` was just checked to leave as much room.
        let place = unsafe { text.add(used) };
        // SAFETY: as above; the helper checks the address.
        let got = unsafe { bpf_probe_read_kernel_str(place.cast(), DIRECTORY_NAME, name as *const c_void) };
        if got <= 0 || got >= i64::from(DIRECTORY_NAME) {
            return None;
        }
        into.ports += 1;
        used += got as usize;
        dentry = parent;
    }
    Some(())
}

#[inline(always)]
fn describe_socket(file: u64, into: &mut SlowTarget) -> Option<()> {
    let sock = descriptor::sock(file)?;
    let family = descriptor::family(sock)?;
    into.device = u32::from(family);
    into.text[0] = 0;
    if family != AF_INET && family != AF_INET6 {
        into.kind = target::LOCAL_SOCKET;
        return describe_local_socket(sock, into);
    }
    let ports: u32 = kernel::read(sock + u64::from(config::offset!(sock_ports)))?;
    // The remote port is in network order, the local one behind it in the host's.
    into.ports = u32::from((ports as u16).swap_bytes()) | ports & 0xffff_0000;
    let text = (&raw mut into.text).cast::<c_void>();
    let (offset, bytes) = if family == AF_INET6 {
        (config::offset!(sock_v6_addresses), 32)
    } else {
        (config::offset!(sock_addresses), 8)
    };
    // SAFETY: the field has room for that; the helper checks the address.
    if unsafe { bpf_probe_read_kernel(text, bytes, (sock + u64::from(offset)) as *const c_void) } == 0 {
        into.kind = target::SOCKET;
    }
    Some(())
}

/// The path that a Unix socket is bound to, else the one of its peer.
#[inline(always)]
fn describe_local_socket(sock: u64, into: &mut SlowTarget) -> Option<()> {
    const AF_UNIX: u32 = 1;
    if into.device != AF_UNIX || config::offset!(unix_address) == u32::MAX {
        return None;
    }
    let mut address: u64 = kernel::read(sock + u64::from(config::offset!(unix_address)))?;
    if address == 0 {
        let peer: u64 = kernel::read(sock + u64::from(config::offset!(unix_peer)))?;
        address = kernel::read(peer + u64::from(config::offset!(unix_address)))?;
    }
    let length: u32 = kernel::read(address + u64::from(config::offset!(unix_length)))?;
    // The family comes first.
    let bytes = length.wrapping_sub(2) & 127;
    let path = address + u64::from(config::offset!(unix_name)) + 2;
    let text = (&raw mut into.text).cast::<c_void>();
    // SAFETY: the field has room for that; the helper checks the address.
    if unsafe { bpf_probe_read_kernel(text, bytes, path as *const c_void) } == 0 {
        into.text[bytes as usize & 127] = 0;
        // Abstract names begin with a zero byte.
        if into.text[0] == 0 && bytes > 0 {
            into.text[0] = b'@';
        }
    }
    Some(())
}
