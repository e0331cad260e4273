//! Processes that begin and change: fork copies what is known about the parent, exec forgets it.
//!
//! Both hooks run in the context of the process itself, without scheduler locks, so they may write to shared maps.

use aya_ebpf::{bindings::task_struct, macros::btf_tracepoint, programs::BtfTracePointContext};
use aya_log_ebpf::debug;
use profiler_common::{
    config::{FLAG_BY_PID, FLAG_LOG},
    event::{Image, kind},
    stats::Counter,
    unwind::Space,
};

use crate::{
    config, emit,
    task::{self, TARGETS},
    unwind::{IMAGES, SPACES},
};

/// `sched_process_fork(struct task_struct *parent, struct task_struct *child)`.
#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn process_fork(ctx: BtfTracePointContext) -> i32 {
    let parent: *const task_struct = ctx.arg(0);
    let child: *const task_struct = ctx.arg(1);
    // SAFETY: the tracepoint's arguments are valid tasks.
    let parent = unsafe { task::pid_of(parent) };
    // SAFETY: as above.
    let tid = unsafe { task::tid_of(child) };
    // SAFETY: as above.
    let pid = unsafe { task::pid_of(child) };
    if tid != pid {
        return 0; // A thread shares everything with its process.
    }
    if config::has(FLAG_BY_PID) {
        if TARGETS.get_ptr(parent).is_none() {
            return 0;
        }
        if TARGETS.insert(pid, 1u32, 0).is_err() {
            emit::count(Counter::ProcessTableFull, 1);
        }
    }
    if config::has(FLAG_LOG) {
        debug!(&ctx, "process {} forked {}", parent, pid);
    }
    let image = begin_image(pid, parent);
    // The child runs in a copy of its parent's memory: the same mappings, hence the same rows.
    let inherited = SPACES.get_ptr(parent).and_then(|space| {
        // SAFETY: a map value is valid for reads.
        let space = unsafe { *space };
        (space.image == image_of(parent)).then_some(space)
    });
    let failed = match inherited {
        Some(Space { first, count, .. }) => SPACES.insert(pid, Space { image, first, count }, 0).is_err(),
        None => false,
    };
    if failed {
        emit::count(Counter::ProcessTableFull, 1);
    }
    0
}

/// `sched_process_exec(struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)`.
#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn process_exec(ctx: BtfTracePointContext) -> i32 {
    let pid = task::current().pid;
    let unwanted = config::has(FLAG_BY_PID) && TARGETS.get_ptr(pid).is_none();
    if !unwanted {
        if config::has(FLAG_LOG) {
            debug!(&ctx, "process {} runs a new program", pid);
        }
        begin_image(pid, 0);
    }
    0
}

/// Whether this process's image has no entry, it is the one it had before recording began: image 0.
#[inline(always)]
fn image_of(pid: u32) -> u64 {
    IMAGES.get_ptr(pid).map_or(0, |image| {
        // SAFETY: a map value is valid for reads.
        unsafe { *image }
    })
}

/// Notes that `pid` has a new image and tells user space. Its id is the time.
#[inline(always)]
fn begin_image(pid: u32, parent: u32) -> u64 {
    let header = emit::header(kind::IMAGE);
    if IMAGES.insert(pid, header.time, 0).is_err() {
        emit::count(Counter::ProcessTableFull, 1);
        // Without a note of the new image the old mappings would still count as valid.
        let _ = SPACES.remove(pid);
    }
    emit::record(&Image { header, pid, parent }, Counter::ProcessRingFull);
    header.time
}
