//! Registers and stack memory of a sample that the kernel side could not finish: user space walks it when it has the
//! tables. Sent page by page, because one absent page fails a whole read.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_RB_AVAIL_DATA,
    helpers::{
        bpf_get_smp_processor_id,
        generated::{bpf_loop, bpf_probe_read_user},
    },
    macros::map,
    maps::PerCpuArray,
};
use profiler_common::{
    config::{PAGE, STACK_COPY_MAX},
    event::{CopyHeader, Header, kind},
    stats::Counter,
    unwind::Registers,
};

use crate::{
    budget::{self, Budget},
    config,
    emit::{self, EVENTS},
};

/// A page of a stack, as it is sent.
#[repr(C)]
struct CopyPage {
    header: CopyHeader,
    bytes: [u8; PAGE],
}

/// Copies left to this CPU.
#[map]
static BUDGET: PerCpuArray<Budget> = PerCpuArray::with_max_entries(1, 0);

/// What the loop over pages needs.
#[repr(C)]
struct Copying {
    time: u64,
    pid: u32,
    pages: u32,
    at: u64,
    registers: Registers,
}

/// Sends the stack memory from `registers.sp` up, within the budget. Returns whether anything was sent.
#[inline(always)]
pub(crate) fn send(time: u64, pid: u32, registers: Registers) -> bool {
    // A copy is as large as hundreds of samples: where the reader falls behind, samples come first.
    let crowded = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) > u64::from(config::wake_at());
    if crowded || !budget::allows(&BUDGET, time, config::copies_per_second()) {
        emit::count(Counter::CopyBudget, 1);
        return false;
    }
    let mut copying = Copying {
        time,
        pid,
        pages: 0,
        at: registers.sp,
        registers,
    };
    let pages = (STACK_COPY_MAX / PAGE) as u32;
    // SAFETY: `page` has the callback's signature, and `copying` outlives the loop.
    unsafe { bpf_loop(pages, page as *mut c_void, (&raw mut copying).cast(), 0) };
    copying.pages > 0
}

/// One page, or what is left of the first one. Returns 1 to end the loop.
///
/// # Safety
/// `copying` points to a [`Copying`] that nobody else uses meanwhile.
unsafe extern "C" fn page(_: u64, copying: *mut c_void) -> i64 {
    // SAFETY: the caller's promise: `send` passes the address of its `copying`.
    let copying = unsafe { &mut *copying.cast::<Copying>() };
    let bytes = PAGE as u64 - (copying.at & (PAGE as u64 - 1));
    let Some(mut entry) = EVENTS.reserve::<CopyPage>(0) else {
        emit::count(Counter::CopyRingFull, 1);
        return 1;
    };
    // SAFETY: the helper has no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let header = CopyHeader {
        header: Header {
            kind: kind::COPY,
            cpu,
            time: copying.time,
        },
        pid: copying.pid,
        bytes: bytes as u32,
        address: copying.at,
        registers: copying.registers,
    };
    let page = entry.as_mut_ptr();
    // SAFETY: the reservation is valid for writes.
    unsafe { (*page).header = header };
    // SAFETY: as above.
    let place = unsafe { &raw mut (*page).bytes };
    // The mask tells the verifier what the subtraction above has told us.
    let most = bytes as u32 & (2 * PAGE as u32 - 1);
    // SAFETY: `place` holds a page, and no more than that is read.
    let error = unsafe { bpf_probe_read_user(place.cast(), most, copying.at as *const c_void) };
    if error != 0 {
        entry.discard(0);
        return 1;
    }
    entry.submit(u64::from(aya_ebpf::bindings::BPF_RB_NO_WAKEUP));
    copying.at = copying.at.wrapping_add(bytes);
    copying.pages += 1;
    0
}
