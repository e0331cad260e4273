//! Requests on their way, in the place that their address gives. No table that needs a lock, for requests complete in
//! interrupts: one whose place is taken by another before it completes is not counted.

use aya_ebpf::maps::Array;
use profiler_common::{
    config::{REQUEST_BYTES, REQUESTS},
    operation::OperationKey,
    stats::Counter,
};

use crate::{emit, places::Ended, task::Current};

/// A request on its way.
#[repr(C)]
pub(crate) struct Request {
    /// The address of the kernel's structure; 0: none.
    address: u64,
    /// When it began.
    since: u64,
    /// What it is, and whose.
    key: OperationKey,
    tid: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<Request>() == REQUEST_BYTES);

/// A request at `address` begins.
#[inline(always)]
pub(crate) fn begins(requests: &Array<Request>, address: u64, key: OperationKey, tid: u32, now: u64) {
    let Some(place) = requests.get_ptr_mut(index(address)) else {
        return;
    };
    // SAFETY: a map value is valid for writes. Another CPU may write here, too: then one of the two requests is not found
    // when it completes.
    unsafe {
        *place = Request {
            address,
            since: now,
            key,
            tid,
            reserved: 0,
        }
    };
}

/// Whose the request at `address` is; it is forgotten.
#[inline(always)]
pub(crate) fn owner(requests: &Array<Request>, address: u64) -> Option<Current> {
    let place = requests.get_ptr_mut(index(address))?;
    // SAFETY: a map value is valid.
    let place = unsafe { &mut *place };
    if address == 0 || place.address != address {
        return None;
    }
    place.address = 0;
    Some(Current {
        pid: place.key.pid,
        tid: place.tid,
    })
}

/// The request at `address` ends, with `errno` if it failed. If it does so in parts, the first one counts.
#[inline(always)]
pub(crate) fn ends(requests: &Array<Request>, address: u64, errno: u16, now: u64) {
    let Some(place) = requests.get_ptr_mut(index(address)) else {
        return;
    };
    // SAFETY: a map value is valid.
    let place = unsafe { &mut *place };
    if address == 0 || place.address != address {
        return;
    }
    place.address = 0;
    let mut key = place.key;
    key.cpu = emit::cpu();
    note(key, place.tid, errno, now, now.saturating_sub(place.since));
}

/// Takes note of a request that took `ns` nanoseconds, in whatever context.
#[inline(always)]
pub(crate) fn note(key: OperationKey, tid: u32, errno: u16, now: u64, ns: u64) {
    let ended = Ended {
        key,
        tid,
        errno,
        flags: 0,
        now,
        ns,
    };
    if !ended.add() {
        emit::record_quietly(&ended.record(), Counter::OperationRingFull);
    }
}

/// Where a request is kept: a hash of its address (the multiplier is 2^64 / golden ratio).
#[inline(always)]
fn index(address: u64) -> u32 {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32 & (REQUESTS - 1)
}
