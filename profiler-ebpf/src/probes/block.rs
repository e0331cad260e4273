//! Block I/O: how long devices take, and how long requests wait before them.

use aya_ebpf::{
    macros::{btf_tracepoint, map},
    maps::Array,
    programs::BtfTracePointContext,
};
use profiler_common::{
    config::REQUESTS,
    object::ObjectKind,
    operation::{OperationKey, OperationKind},
};

use crate::{
    config, emit,
    in_flight::{self, Request},
    kernel, task,
};

/// Requests on their way; see [`in_flight`].
#[map]
static IN_FLIGHT: Array<Request> = Array::with_max_entries(REQUESTS, 0);

/// The operation in `request.cmd_flags` (`REQ_OP_MASK`, include/linux/blk_types.h).
const OPERATION: u32 = 0xff;
/// Bits of the minor number in the kernel's `dev_t` (include/linux/kdev_t.h).
const MINOR_BITS: u32 = 20;

/// Stands for threads that are not recorded.
const NOT_RECORDED: task::Current = task::Current {
    pid: u32::MAX,
    tid: u32::MAX,
};

/// Whose the requests are that wait for their issue.
#[map]
static WAITING: Array<Request> = Array::with_max_entries(REQUESTS, 0);

/// `block_rq_insert(struct request *rq)`, in the context of who asked for it, or of a kernel thread that writes back. Who issues
/// it later may be another: whoever completes one before it, or a worker of the kernel.
#[btf_tracepoint(function = "block_rq_insert")]
pub(crate) fn block_insert(ctx: BtfTracePointContext) -> i32 {
    let request: u64 = ctx.arg(0);
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    let task::Current { pid, tid } = match unsafe { task::is_target(current) } {
        true => task::current(),
        // A target may issue it, and it is not the target's.
        false => NOT_RECORDED,
    };
    let key = OperationKey {
        pid,
        ..OperationKey::NOTHING
    };
    in_flight::begins(&WAITING, kernel::address(request), key, tid, emit::now());
    0
}

/// `block_rq_issue(struct request *rq)`: mostly in the context of who asked for it, or of a kernel thread that writes
/// back.
#[btf_tracepoint(function = "block_rq_issue")]
pub(crate) fn block_issue(ctx: BtfTracePointContext) -> i32 {
    let request: u64 = ctx.arg(0);
    let current = task::current_task();
    let task::Current { pid, tid } = match in_flight::owner(&WAITING, kernel::address(request)) {
        Some(owner) if owner.tid == NOT_RECORDED.tid => return 0,
        Some(owner) => owner,
        // It went to the device at once: in a system call or a page fault of who wants the data, or in a kernel thread.
        // SAFETY: `current` is a valid task.
        None if unsafe { task::is_target(current) } => task::current(),
        None => return 0,
    };
    /// A field of a structure that the verifier knows by its type.
    macro_rules! field {
        ($structure:expr, $offset:ident, $type:ty) => {{
            // SAFETY: the tracepoint's argument, or what it leads to; the offset is that of the field.
            unsafe { kernel::field::<$type>($structure, config::offset!($offset)) }
        }};
    }
    let queue = field!(request, request_queue, u64);
    if queue == 0 {
        return 0;
    }
    let disk = field!(queue, queue_disk, u64);
    let device = match disk {
        // A command that is no I/O of a disk.
        0 => return 0,
        disk => field!(disk, disk_major, u32) << MINOR_BITS | field!(disk, disk_minor, u32),
    };
    let (now, address) = (emit::now(), kernel::address(request));
    let mut key = OperationKey {
        pid,
        cpu: emit::cpu(),
        device,
        number: (field!(request, request_flags, u32) & OPERATION) as u16,
        kind: OperationKind::BlockQueue as u8,
        object: ObjectKind::BlockDevice as u8,
    };
    let made = field!(request, request_start, u64);
    if made != 0 && made <= now {
        in_flight::note(key, tid, 0, now, now - made);
    }
    key.kind = OperationKind::Block as u8;
    in_flight::begins(&IN_FLIGHT, address, key, tid, now);
    0
}

/// `block_rq_complete(struct request *rq, blk_status_t error, unsigned int nr_bytes)`: in an interrupt.
#[btf_tracepoint(function = "block_rq_complete")]
pub(crate) fn block_complete(ctx: BtfTracePointContext) -> i32 {
    in_flight::ends(&IN_FLIGHT, kernel::address(ctx.arg(0)), 0, emit::now());
    0
}
