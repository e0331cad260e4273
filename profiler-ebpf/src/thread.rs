//! The account of every thread, kept with the thread: task storage needs no shared map and no lock, so the scheduler's
//! hooks may use it.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{
        BPF_F_NO_PREALLOC, BPF_LOCAL_STORAGE_GET_F_CREATE, bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE,
        task_struct,
    },
    helpers::generated::{bpf_task_storage_delete, bpf_task_storage_get},
};
use profiler_common::{
    account::Account,
    event::{Header, THREAD_ENDED, ThreadRecord, kind},
    state::State,
};

use crate::task;

/// A BTF definition of a map, as libbpf reads it: numbers are lengths of arrays.
#[repr(C)]
struct TaskStorage {
    r#type: *const [i32; BPF_MAP_TYPE_TASK_STORAGE as usize],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
    key: *const i32,
    value: *const Account,
}

// SAFETY: it holds no values; the loader reads its type.
unsafe impl Sync for TaskStorage {}

#[unsafe(link_section = ".maps")]
#[unsafe(no_mangle)]
static ACCOUNTS: TaskStorage = TaskStorage {
    r#type: core::ptr::null(),
    map_flags: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
};

/// The account of `task`; `None` if it has none.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn account(task: *mut task_struct) -> Option<&'static mut Account> {
    // SAFETY: the caller's promise.
    unsafe { storage(task, 0) }
}

/// The account of `task`, which is in `state` and has an account from `now` on if it had none.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn open_account(
    task: *mut task_struct,
    now: u64,
    state: State,
) -> Option<&'static mut Account> {
    // SAFETY: the caller's promise.
    let account = unsafe { storage(task, u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE)) }?;
    account.begin(now, state);
    Some(account)
}

/// Closes the account of `task`.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn forget(task: *mut task_struct) {
    let map = core::ptr::addr_of!(ACCOUNTS).cast_mut().cast::<c_void>();
    // SAFETY: the address of a map of task storage, and the caller's promise. Without an account there is nothing to do.
    let _ = unsafe { bpf_task_storage_delete(map, task) };
}

/// The account of `task`; with the flag `BPF_LOCAL_STORAGE_GET_F_CREATE` an empty one is made if it has none.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
unsafe fn storage(task: *mut task_struct, flags: u64) -> Option<&'static mut Account> {
    let map = core::ptr::addr_of!(ACCOUNTS).cast_mut().cast::<c_void>();
    // SAFETY: the address of a map of task storage, and the caller's promise.
    let account = unsafe { bpf_task_storage_get(map, task, core::ptr::null_mut(), flags) };
    // SAFETY: the storage is valid while the program runs; `Account` says who writes which word.
    unsafe { account.cast::<Account>().as_mut() }
}

/// What to tell user space of `task`, at `header.time`.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn record(
    task: *const task_struct,
    account: &mut Account,
    header: Header,
    ended: bool,
) -> ThreadRecord {
    let call = account.call.now();
    let totals = match ended {
        true => account.ends(header.time),
        false => account.tell(header.time),
    };
    ThreadRecord {
        header: Header {
            kind: kind::THREAD,
            ..header
        },
        // SAFETY: the caller's promise.
        pid: unsafe { task::pid_of(task) },
        // SAFETY: the caller's promise.
        tid: unsafe { task::tid_of(task) },
        begun: totals.begun,
        ns: totals.ns,
        waits: totals.waits,
        preemptions: totals.preemptions,
        state: totals.state,
        flags: if ended { THREAD_ENDED } else { 0 },
        call_since: call.map_or(0, |call| call.since),
        call_number: call.map_or(0, |call| u32::from(call.number)),
        call_flags: call.map_or(0, |call| u32::from(call.flags)),
        state_since: totals.since,
        in_calls_ns: totals.in_calls_ns,
    }
}
