//! Who is running, and whether we want it. The kernel's `tgid` and `pid` become user space's pid and tid here.

use aya_ebpf::{
    bindings::task_struct,
    helpers::{bpf_get_current_pid_tgid, generated::bpf_get_current_task_btf},
    macros::map,
    maps::HashMap,
};
use profiler_common::{
    config::{FLAG_BY_CGROUP, FLAG_BY_COMM, FLAG_BY_PID, FLAG_BY_TID},
    glob::COMM_LEN,
};

use crate::{config, kernel};

/// Wanted processes (`-p`, `-- COMMAND` and their children). User space writes, fork adds.
#[map]
pub(crate) static TARGETS: HashMap<u32, u32> = HashMap::with_max_entries(16_384, 0);
/// Wanted threads (`-t`).
#[map]
static TARGET_THREADS: HashMap<u32, u32> = HashMap::with_max_entries(1_024, 0);

/// `PF_KTHREAD` and `PF_EXITING` (include/linux/sched.h).
const PF_KTHREAD: u32 = 0x0020_0000;
const PF_EXITING: u32 = 4;

/// The thread on the CPU.
#[derive(Clone, Copy)]
pub(crate) struct Current {
    /// User space's process id.
    pub(crate) pid: u32,
    /// User space's thread id.
    pub(crate) tid: u32,
}

/// The thread on the CPU; the idle task is process 0.
#[inline(always)]
pub(crate) fn current() -> Current {
    let id = bpf_get_current_pid_tgid();
    Current {
        pid: (id >> 32) as u32,
        tid: id as u32,
    }
}

/// `current`, as the verifier knows it.
#[inline(always)]
pub(crate) fn current_task() -> *mut task_struct {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_task_btf() }
}

/// Whether the thread on the CPU has no user space.
#[inline(always)]
pub(crate) fn is_kernel_thread() -> bool {
    // SAFETY: `current` is a valid task.
    unsafe { has_no_user_space(current_task()) }
}

/// Whether the thread on the CPU is ending.
#[inline(always)]
pub(crate) fn is_exiting() -> bool {
    // SAFETY: `current` is a valid task; the offset is that of `flags`.
    unsafe { field(current_task(), config::offset!(task_flags)) & PF_EXITING != 0 }
}

/// Whether `task` has no user space.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn has_no_user_space(task: *const task_struct) -> bool {
    // SAFETY: the caller's promise; the offset is that of `flags`.
    unsafe { field(task, config::offset!(task_flags)) & PF_KTHREAD != 0 }
}

/// Whether the filters let `task` through. They come before any work is spent; name and cgroup are those that it has now.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn is_target(task: *const task_struct) -> bool {
    // SAFETY: the caller's promise.
    if config::has(FLAG_BY_PID) && TARGETS.get_ptr(unsafe { pid_of(task) }).is_none() {
        return false;
    }
    // SAFETY: the caller's promise.
    if config::has(FLAG_BY_TID) && TARGET_THREADS.get_ptr(unsafe { tid_of(task) }).is_none() {
        return false;
    }
    if config::has(FLAG_BY_CGROUP) && !is_in_cgroup(task as u64).unwrap_or(false) {
        return false;
    }
    if config::has(FLAG_BY_COMM) {
        let comm = kernel::read::<[u8; COMM_LEN]>(task as u64 + u64::from(config::offset!(task_comm)));
        return comm.is_some_and(|comm| config::comm_matches(&comm));
    }
    true
}

/// Whether `task` is in the wanted cgroup or below it: the wanted one is then among its ancestors.
#[inline(always)]
fn is_in_cgroup(task: u64) -> Option<bool> {
    let (id, level) = config::cgroup();
    let css_set: u64 = kernel::read(task + u64::from(config::offset!(task_css_set)))?;
    let cgroup: u64 = kernel::read(css_set + u64::from(config::offset!(css_set_cgroup)))?;
    // An array without its length: behind the cgroup itself lies other memory, which has no such id.
    let ancestor: u64 = kernel::read(cgroup + u64::from(config::offset!(cgroup_ancestors)) + level * 8)?;
    let node: u64 = kernel::read(ancestor + u64::from(config::offset!(cgroup_node)))?;
    let its_id: u64 = kernel::read(node + u64::from(config::offset!(node_id)))?;
    Some(its_id == id)
}

/// User space's process id of `task`.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn pid_of(task: *const task_struct) -> u32 {
    // SAFETY: the caller's promise; the offset is that of `tgid`.
    unsafe { field(task, config::offset!(task_tgid)) }
}

/// User space's thread id of `task`.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn tid_of(task: *const task_struct) -> u32 {
    // SAFETY: the caller's promise; the offset is that of `pid`.
    unsafe { field(task, config::offset!(task_pid)) }
}

/// A 32-bit field of `task`. The offset comes from BTF through read-only data, so the verifier checks a typed load.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts, and a 32-bit field lies at `offset`.
#[inline(always)]
pub(crate) unsafe fn field(task: *const task_struct, offset: u32) -> u32 {
    let address = task.cast::<u8>().wrapping_add(offset as usize).cast::<u32>();
    // SAFETY: the caller's promise.
    unsafe { core::ptr::read_volatile(address) }
}
