//! Operations of all CPUs and threads of a process, put together for a window of time.

use profiler_common::{
    event::OPERATION_ENDLESS,
    histogram,
    operation::{OperationKey, OperationKind},
};
use rustc_hash::FxHashMap;

use super::{event::RawOperation, places::Summed};

/// The operations of the window so far.
#[derive(Debug, Default)]
pub struct Latencies {
    /// By what they are; the CPU is 0 in these keys.
    sums: FxHashMap<OperationKey, Summed>,
    /// How many operations of the kinds that get no place by themselves were told one by one.
    told: FxHashMap<OperationKey, u32>,
}

/// From so many in a window on they get a place.
const MANY: u32 = 16;

impl Latencies {
    /// An operation that was told by itself. Returns whether it should get a place.
    pub fn one(&mut self, raw: &RawOperation) -> bool {
        let mut summed = Summed {
            count: 1,
            ..Summed::default()
        };
        if raw.flags & OPERATION_ENDLESS == 0 {
            summed.total_ns = raw.ns;
            (summed.min_ns, summed.max_ns) = (raw.ns, raw.ns);
            summed.buckets = vec![(histogram::bucket(raw.ns) as u8, 1)];
        }
        if raw.errno != 0 {
            summed.errors = vec![(raw.errno, 1)];
        }
        self.many(raw.key, &summed);
        if !is_noted_in_interrupts(raw.key.kind) {
            return false;
        }
        let told = self.told.entry(raw.key).or_default();
        *told += 1;
        *told == MANY
    }

    /// Operations that were summed on a CPU.
    pub fn many(&mut self, key: OperationKey, summed: &Summed) {
        let key = OperationKey { cpu: 0, ..key };
        self.sums.entry(key).or_default().add(summed);
    }

    /// Those of a process, which are then not in the window any more.
    pub fn take(&mut self, pid: u32) -> Vec<(OperationKey, Summed)> {
        self.sums.extract_if(|key, _| key.pid == pid).collect()
    }

    /// All of them: the window is over.
    pub fn take_all(&mut self) -> Vec<(OperationKey, Summed)> {
        self.told.clear();
        self.sums.drain().collect()
    }
}

/// Whether operations of this kind end where the kernel side may not take a place for them.
fn is_noted_in_interrupts(kind: u8) -> bool {
    [
        OperationKind::IoUring,
        OperationKind::RunQueue,
        OperationKind::Block,
        OperationKind::BlockQueue,
    ]
    .into_iter()
    .any(|one| one as u8 == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(cpu: u32, ns: u64) -> RawOperation {
        RawOperation {
            key: OperationKey {
                pid: 7,
                cpu,
                ..OperationKey::NOTHING
            },
            tid: 7,
            ns,
            errno: 0,
            flags: 0,
        }
    }

    #[test]
    fn cpus_are_put_together() {
        let mut latencies = Latencies::default();
        latencies.one(&operation(0, 100));
        latencies.one(&operation(1, 300));
        latencies.one(&RawOperation {
            flags: OPERATION_ENDLESS,
            ..operation(1, 0)
        });
        assert_eq!(latencies.take(8), []);
        let all = latencies.take(7);
        let (key, sum) = &all[0];
        assert_eq!((all.len(), key.cpu), (1, 0));
        assert_eq!(
            (sum.count, sum.total_ns, sum.min_ns, sum.max_ns),
            (3, 400, 100, 300)
        );
        assert_eq!(latencies.take_all(), []);
    }

    #[test]
    fn what_ends_in_interrupts_gets_a_place_and_once() {
        let mut latencies = Latencies::default();
        let mut wait = operation(0, 100);
        wait.key.kind = OperationKind::RunQueue as u8;
        let placed = (0..100).filter(|_| latencies.one(&wait)).count();
        assert_eq!(placed, 1);
        assert!((0..100).all(|_| !latencies.one(&operation(0, 100))));
    }
}
