//! What goes into the ring buffer, and what did not fit.

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::bpf_ringbuf_output,
    helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns},
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use profiler_common::{event::Header, stats::Counter};

use crate::config;

/// Everything user space is told. It reads on a timer: a wake-up costs the profiled program, and from scheduler
/// hooks it could dead-lock, so one is sent only when the buffer fills up faster than expected.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT as u32, 0);

/// Adds to a counter of this CPU.
#[inline(always)]
pub(crate) fn count(counter: Counter, more: u64) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: a map value is valid for writes, and only this CPU writes this copy.
        unsafe { *value += more };
    }
}

/// The begin of a record written here and now.
#[inline(always)]
pub(crate) fn header(kind: u32) -> Header {
    Header {
        kind,
        cpu: cpu(),
        time: now(),
    }
}

/// The number of this CPU.
#[inline(always)]
pub(crate) fn cpu() -> u32 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_smp_processor_id() }
}

/// `CLOCK_MONOTONIC`, in nanoseconds.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// Adds to a counter that all CPUs share.
///
/// # Safety
/// `place` is valid for writes and aligned.
#[inline(always)]
pub(crate) unsafe fn add_atomically(place: *mut u64, more: u64) {
    // SAFETY: the caller's promise; the instruction touches nothing else.
    unsafe {
        core::arch::asm!("lock *(u64 *)({place} + 0) += {more}", place = in(reg) place, more = in(reg) more);
    }
}

/// How to submit: silently, unless the reader falls behind.
#[inline(always)]
pub(crate) fn wake_flags() -> u64 {
    if EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) > u64::from(config::wake_at()) {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}

/// Writes `bytes` bytes of a record; if they do not fit, counts it as `lost`.
///
/// # Safety
/// `record` is valid for reads of `bytes` bytes.
#[inline(always)]
pub(crate) unsafe fn output<T>(record: *const T, bytes: u64, lost: Counter) -> bool {
    // SAFETY: the caller's promise.
    unsafe { output_with(record, bytes, lost, wake_flags()) }
}

/// Like [`output`], with the flags that say whether to wake the reader.
///
/// # Safety
/// `record` is valid for reads of `bytes` bytes.
#[inline(always)]
pub(crate) unsafe fn output_with<T>(record: *const T, bytes: u64, lost: Counter, flags: u64) -> bool {
    let ring = core::ptr::addr_of!(EVENTS).cast_mut().cast();
    // SAFETY: the address of a ring buffer, and the caller's promise.
    let error = unsafe { bpf_ringbuf_output(ring, record.cast_mut().cast(), bytes, flags) };
    if error != 0 {
        count(lost, 1);
    }
    error == 0
}

/// Writes a record of fixed size without waking the reader, as the scheduler's hooks must; if it does not fit, counts it
/// as `lost`.
#[inline(always)]
pub(crate) fn record_quietly<T>(record: &T, lost: Counter) {
    // SAFETY: a reference is valid for reads of its size.
    unsafe { output_with(record, size_of::<T>() as u64, lost, QUIETLY) };
}

/// Flags that do not wake the reader.
pub(crate) const QUIETLY: u64 = BPF_RB_NO_WAKEUP as u64;

/// Writes a record of fixed size; if it does not fit, counts it as `lost`.
#[inline(always)]
pub(crate) fn record<T>(record: &T, lost: Counter) -> bool {
    // SAFETY: a reference is valid for reads of its size.
    unsafe { output(record, size_of::<T>() as u64, lost) }
}
