//! Requests to io_uring: no system call tells of their end.

use aya_ebpf::{
    macros::{btf_tracepoint, map},
    maps::Array,
    programs::BtfTracePointContext,
};
use profiler_common::{
    config::{REQUESTS, URING_RESULT_ENTRY, URING_RESULT_VALUE},
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
static URING_IN_FLIGHT: Array<Request> = Array::with_max_entries(REQUESTS, 0);

/// `io_uring_submit_req(struct io_kiocb *req)`; before Linux 6.4 `io_uring_submit_sqe`, with more arguments behind. In the
/// context of who submits.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub(crate) fn calls_uring_submit(ctx: BtfTracePointContext) -> i32 {
    let request: u64 = ctx.arg(0);
    let current = task::current_task();
    // SAFETY: `current` is a valid task.
    if !unsafe { task::is_target(current) } {
        return 0;
    }
    // SAFETY: the tracepoint's argument, and the field's offset.
    let opcode: u8 = unsafe { kernel::field(request, config::offset!(uring_opcode)) };
    let task::Current { pid, tid } = task::current();
    let key = OperationKey {
        pid,
        cpu: emit::cpu(),
        device: 0,
        number: u16::from(opcode),
        kind: OperationKind::IoUring as u8,
        object: ObjectKind::None as u8,
    };
    in_flight::begins(&URING_IN_FLIGHT, kernel::address(request), key, tid, emit::now());
    0
}

/// `io_uring_complete(struct io_ring_ctx *ctx, void *req, …)`: the request may be null, for a completion without one. Where its
/// result is depends on the kernel.
#[btf_tracepoint(function = "io_uring_complete")]
pub(crate) fn calls_uring_complete(ctx: BtfTracePointContext) -> i32 {
    let request: u64 = ctx.arg(1);
    let result: i32 = match config::offset!(uring_result) {
        URING_RESULT_VALUE => ctx.arg(3),
        URING_RESULT_ENTRY => {
            let entry: u64 = ctx.arg(2);
            // SAFETY: the tracepoint's argument, and the field's offset.
            unsafe { kernel::field(entry, config::offset!(uring_entry_result)) }
        }
        _ => 0,
    };
    let errno = if (-4095..0).contains(&result) { -result } else { 0 };
    in_flight::ends(
        &URING_IN_FLIGHT,
        kernel::address(request),
        errno as u16,
        emit::now(),
    );
    0
}
