//! Places in which operations are summed: one for each kind of operation of a process on a CPU.
//!
//! A place is found by a look-up; the shared table of places changes only where a place is taken for the first time,
//! which happens in the process's own context. The first operations of a thread take no place: their ends are told one
//! by one, so that a process that lives for a few calls costs nothing to forget.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_NOEXIST},
    macros::map,
    maps::{Array, HashMap, Stack},
};
use profiler_common::{
    event::{OPERATION_ENDLESS, OperationRecord, PlaceRecord, kind},
    in_call::InCall,
    operation::{OperationKey, Operations},
    stats::Counter,
};

use crate::emit;

/// The sums. User space reads them as they grow.
#[map]
static PLACES: Array<Operations> = Array::with_max_entries(1, BPF_F_MMAPABLE);
/// Where operations of a kind are summed.
#[map]
static PLACE_OF: HashMap<OperationKey, u32> = HashMap::with_max_entries(1, 0);
/// Places that nobody uses; user space sees to it that there are some.
#[map]
static FREE_PLACES: Stack<u32> = Stack::with_max_entries(1, 0);

/// So many calls of a thread are told one by one.
const FIRST_CALLS: u16 = 32;

/// An operation that ended. Without padding, for it goes through maps.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) key: OperationKey,
    /// User space's thread id.
    pub(crate) tid: u32,
    /// `errno`, if it failed; else 0.
    pub(crate) errno: u16,
    /// `OPERATION_*`.
    pub(crate) flags: u16,
    /// When it ended.
    pub(crate) now: u64,
    /// How long it took, in nanoseconds.
    pub(crate) ns: u64,
}

impl Ended {
    /// All zero.
    pub(crate) const NOTHING: Self = Self {
        key: OperationKey::NOTHING,
        tid: 0,
        now: 0,
        ns: 0,
        errno: 0,
        flags: 0,
    };

    /// Sums it where operations of its kind are summed; `false` if there is no such place.
    #[inline(always)]
    pub(crate) fn add(&self) -> bool {
        // SAFETY: the value is only read, and a place is never another's while its process lives.
        let Some(&place) = (unsafe { PLACE_OF.get(self.key) }) else {
            return false;
        };
        self.add_to(place);
        true
    }

    #[inline(always)]
    fn add_to(&self, place: u32) {
        if let Some(sum) = PLACES.get_ptr_mut(place) {
            // SAFETY: a map value is valid for writes; only this CPU writes to this place, and not in interrupts.
            let sum = unsafe { &mut *sum };
            if self.flags & OPERATION_ENDLESS != 0 {
                sum.add_endless();
            } else {
                sum.add(self.ns, self.errno);
            }
        }
    }

    /// Takes note of it in the context of its process.
    #[inline(always)]
    pub(crate) fn note(&self, call: &mut InCall) {
        if self.add() {
            return;
        }
        if call.tells(FIRST_CALLS) || !self.take_place() {
            emit::record(&self.record(), Counter::OperationRingFull);
        }
    }

    /// The record that tells of it.
    #[inline(always)]
    pub(crate) fn record(&self) -> OperationRecord {
        let mut header = emit::header(kind::OPERATION);
        header.time = self.now;
        OperationRecord {
            header,
            key: self.key,
            tid: self.tid,
            errno: self.errno,
            flags: self.flags,
            ns: self.ns,
        }
    }

    /// Takes a place for operations like this one, and sums it there.
    #[inline(always)]
    fn take_place(&self) -> bool {
        let Ok(Some(place)) = FREE_PLACES.pop() else {
            return false;
        };
        let record = PlaceRecord {
            header: emit::header(kind::PLACE),
            key: self.key,
            place,
            reserved: 0,
        };
        // User space has to know of it before anything is summed there.
        if !emit::record(&record, Counter::OperationRingFull) {
            // It is free as before. Should the stack not take it, there is one place less.
            let _ = FREE_PLACES.push(place, 0);
            return false;
        }
        if PLACE_OF.insert(self.key, place, u64::from(BPF_NOEXIST)).is_err() {
            // User space takes it for this kind's until the process is gone, so it is nobody else's: it stays empty.
            return false;
        }
        self.add_to(place);
        true
    }
}
