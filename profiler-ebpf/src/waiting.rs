//! What a thread that leaves the CPU will wait for: see `profiler_common::state` for the rules.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{pt_regs, task_struct},
    helpers::{bpf_probe_read_kernel, generated::bpf_task_pt_regs},
};
use profiler_common::{
    calls::{self, Waits},
    state::State,
};

use crate::{config, task};

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
    let Some(call) = call(registers) else {
        return State::PageFault;
    };
    match calls::waits(call) {
        Waits::For(state) => state,
        Waits::ForDescriptor => {
            let descriptor = read::<u64>(registers + offset_of!(pt_regs, rdi) as u64).unwrap_or(u64::MAX);
            file_state(task as u64, descriptor as u32).unwrap_or(State::Blocked)
        }
        Waits::Unknown if in_iowait => State::Disk,
        Waits::Unknown => State::Blocked,
    }
}

/// Whether `task`, which is not on a CPU, is in a system call.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn is_in_call(task: *mut task_struct) -> bool {
    // SAFETY: the caller's promise.
    if unsafe { task::has_no_user_space(task) } {
        return false;
    }
    // SAFETY: the caller's promise.
    let registers = unsafe { bpf_task_pt_regs(task) } as u64;
    call(registers).is_some()
}

/// The number of the system call that the registers at `registers` entered the kernel with; `None` outside of calls.
#[inline(always)]
fn call(registers: u64) -> Option<u64> {
    let call: i64 = read(registers + offset_of!(pt_regs, orig_rax) as u64)?;
    (call >= 0).then_some(call as u64)
}

/// Whether the kernel counts `task` as waiting for I/O.
#[inline(always)]
unsafe fn in_iowait(task: *const task_struct) -> bool {
    let bit = config::offset!(task_in_iowait);
    // SAFETY: the caller's promise; the word that holds the bit.
    let word = unsafe { task::field(task, bit / 32 * 4) };
    word >> (bit % 32) & 1 != 0
}

/// File types in `inode.i_mode` (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFIFO: u16 = 0o010_000;
const S_IFCHR: u16 = 0o020_000;
const S_IFSOCK: u16 = 0o140_000;
/// `ANON_INODE_FS_MAGIC` (include/uapi/linux/magic.h): event, timer and signal descriptors, and epoll's.
const ANONYMOUS_INODES: u64 = 0x0904_1934;
/// `AF_UNIX` (include/linux/socket.h).
const AF_UNIX: u16 = 1;

/// What waiting for descriptor number `descriptor` of `task` is; `None` if its file cannot be found.
#[inline(always)]
fn file_state(task: u64, descriptor: u32) -> Option<State> {
    let files: u64 = read(task + u64::from(config::offset!(task_files)))?;
    let table: u64 = read(files + u64::from(config::offset!(files_table)))?;
    let size: u32 = read(table + u64::from(config::offset!(table_size)))?;
    if descriptor >= size {
        return None;
    }
    let slots: u64 = read(table + u64::from(config::offset!(table_files)))?;
    let file: u64 = read(slots + u64::from(descriptor) * 8)?;
    let inode: u64 = read(file + u64::from(config::offset!(file_inode)))?;
    let mode: u16 = read(inode + u64::from(config::offset!(inode_mode)))?;
    Some(match mode & S_IFMT {
        S_IFIFO => State::Ipc,
        // Terminals and the like: somebody will type.
        S_IFCHR => State::Events,
        S_IFSOCK => {
            let socket: u64 = read(file + u64::from(config::offset!(file_private)))?;
            let sock: u64 = read(socket + u64::from(config::offset!(socket_sock)))?;
            let family: u16 = read(sock + u64::from(config::offset!(sock_family)))?;
            if family == AF_UNIX {
                State::Ipc
            } else {
                State::Network
            }
        }
        _ => {
            let super_block: u64 = read(inode + u64::from(config::offset!(inode_super)))?;
            let magic: u64 = read(super_block + u64::from(config::offset!(super_magic)))?;
            if magic == ANONYMOUS_INODES {
                State::Events
            } else {
                State::Disk
            }
        }
    })
}

/// A value in kernel memory.
#[inline(always)]
fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}
