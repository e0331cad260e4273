//! Waits for locks of the kernel, as its side leaves them in memory.

use std::mem::offset_of;

use anyhow::Result;
use aya::maps::Map;
use profiler_common::{
    lock::{KERNEL_LOCKS, KERNEL_WAITS, KernelLock, KernelWait, KernelWaits},
    operation::{OperationKey, OperationKind, Operations},
};

use super::{
    arrays::{self, MappedArray},
    event::{Event, What},
    places::{self, Summed},
};

/// Where they are.
#[expect(missing_debug_implementations, reason = "aya's maps have none")]
pub struct KernelLocks {
    waits: MappedArray<KernelWaits>,
    sums: MappedArray<Operations>,
    /// What was read of the sums before.
    before: Vec<Operations>,
}

impl KernelLocks {
    /// Those of a loaded object.
    ///
    /// # Errors
    /// If a map is of another kind, or cannot be mapped.
    pub fn new(waits: Map, sums: Map) -> Result<Self> {
        let sums = arrays::mapped::<Operations>(sums)?;
        Ok(Self {
            waits: arrays::mapped(waits)?,
            before: vec![Operations::NOTHING; sums.len()],
            sums,
        })
    }

    /// Takes the waits that were told since this was asked last.
    pub fn drain(&mut self, events: &mut Vec<Event>) {
        for cpu in 0..self.waits.len() {
            let Some(waits) = self.waits.place(cpu) else {
                continue;
            };
            let head = field::<u64>(waits, offset_of!(KernelWaits, head));
            let tail = field::<u64>(waits, offset_of!(KernelWaits, tail));
            // SAFETY: the place is one of a mapped array. Volatile: the kernel side writes to it meanwhile.
            let written = unsafe { head.read_volatile() };
            // SAFETY: as above.
            let read = unsafe { tail.read_volatile() };
            // More than there is room for was never written.
            let count = written.wrapping_sub(read).min(KERNEL_WAITS as u64);
            let first = field::<KernelWait>(waits, offset_of!(KernelWaits, waits));
            for number in 0..count {
                let place = first.wrapping_add(read.wrapping_add(number) as usize % KERNEL_WAITS);
                // SAFETY: as above; the kernel side does not write there until `tail` has passed.
                let wait = unsafe { place.read_volatile() };
                events.push(Event {
                    time: wait.time,
                    what: What::KernelLock(Box::new(wait)),
                });
            }
            // SAFETY: as above; only this side writes it.
            unsafe { tail.write_volatile(read.wrapping_add(count)) };
        }
    }

    /// All waits since this was asked last, summed by kind of lock; they are the whole host's.
    pub fn sums(&mut self) -> Vec<(OperationKey, Summed)> {
        let Self { sums, before, .. } = self;
        let mut read = Vec::new();
        for (at, before) in before.iter_mut().enumerate() {
            let Some(now) = sums.place(at).and_then(|place| places::copy(place, before.count)) else {
                continue;
            };
            let key = OperationKey {
                number: (at % KERNEL_LOCKS).min(KernelLock::ALL.len() - 1) as u16,
                kind: OperationKind::KernelLock as u8,
                ..OperationKey::NOTHING
            };
            read.push((key, Summed::between(before, &now)));
            *before = now;
        }
        read
    }
}

/// Where a field of the waits of a CPU is.
fn field<T>(waits: *mut KernelWaits, offset: usize) -> *mut T {
    waits.cast::<u8>().wrapping_add(offset).cast()
}
