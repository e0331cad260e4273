//! How long block I/O took, in the device and before it.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Latencies, Owner, Selection, latencies, timing::Timing};
use crate::profile::{BlockOperation, Operation, Profile};

/// What one owner asked of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// The device's major number.
    pub major: u32,
    /// The device's minor number.
    pub minor: u32,
    /// What it was asked for.
    pub operation: BlockOperation,
    /// The owner's name; raw. In brackets for what has none.
    pub label: String,
    /// The process id, for processes.
    pub pid: Option<u32>,
    /// A worker of the kernel writes what programs wrote to memory before; which one it was for is not known.
    pub write_back: bool,
    /// From the issue to the device to the completion.
    pub io: Timing,
    /// From when the kernel made the request to its issue to the device.
    pub queue: Timing,
}

/// How long the selected block I/O took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// By the time in the device and before it, longest first, then by device, operation, name and id.
    pub rows: Vec<BlockRow>,
    /// Time in the devices, of all together.
    pub io: Timing,
    /// Time before the devices, of all together.
    pub queue: Timing,
    /// How many requests the recording holds, selected or not.
    pub recorded: u64,
}

impl BlockRow {
    /// Nanoseconds in the device and before it.
    pub fn total_ns(&self) -> u64 {
        self.io.total_ns.saturating_add(self.queue.total_ns)
    }
}

/// How long block I/O took, by device, operation and whose it is. For what applies of a selection, see [`latencies()`]; a
/// request is the process's that made it, which for buffered writes is a thread of the kernel.
pub fn block(profile: &Profile, selection: &Selection, by: Owner) -> BlockIo {
    let ask = |asked: fn(Operation) -> bool| latencies(profile, selection, by, asked);
    let io = ask(|operation| matches!(operation, Operation::Block(_)));
    let queue = ask(|operation| matches!(operation, Operation::BlockQueue(_)));
    let mut rows: FxHashMap<_, BlockRow> = FxHashMap::default();
    let processes = profile.processes.iter().map(|(_, process)| process);
    let writers: FxHashSet<u32> = processes
        .filter(|process| process.kernel_thread && process.name.starts_with("kworker/"))
        .map(|process| process.pid)
        .collect();
    let mut fill = |all: Latencies, timing: fn(&mut BlockRow) -> &mut Timing| {
        for row in all.rows {
            let (Operation::Block(operation) | Operation::BlockQueue(operation)) = row.operation else {
                continue;
            };
            let empty = || BlockRow {
                major: row.device >> 20,
                minor: row.device & 0xf_ffff,
                operation,
                label: row.label.clone(),
                pid: row.pid,
                write_back: operation == BlockOperation::Write
                    && row.pid.is_some_and(|pid| writers.contains(&pid)),
                io: Timing::default(),
                queue: Timing::default(),
            };
            let key = (row.label.clone(), row.pid, row.device, operation);
            *timing(rows.entry(key).or_insert_with(empty)) = row.timing;
        }
        (all.busy, all.recorded)
    };
    let (io, recorded) = fill(io, |row| &mut row.io);
    let (queue, queued) = fill(queue, |row| &mut row.queue);
    let mut rows: Vec<BlockRow> = rows.into_values().collect();
    rows.sort_by(|a, b| {
        let name = |row: &BlockRow| (row.major, row.minor, row.operation);
        b.total_ns()
            .cmp(&a.total_ns())
            .then_with(|| name(a).cmp(&name(b)))
            .then_with(|| (&a.label, a.pid).cmp(&(&b.label, b.pid)))
    });
    BlockIo {
        rows,
        io,
        queue,
        recorded: recorded.max(queued),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, Latency, LatencyKey, ObjectKind, folded::from_folded},
        query::timing::tests::window,
    };

    #[test]
    fn time_in_the_device_and_before_it_is_one_row() {
        let mut profile = from_folded("app/7;main 1\nother/9;main 1");
        let mut add = |process, operation, device, durations: &[u64]| {
            profile.latencies.push(Latency {
                key: LatencyKey {
                    process: Id::new(process),
                    operation,
                    object: ObjectKind::BlockDevice,
                    device,
                },
                ..window(durations)
            });
        };
        let (sda, nvme) = (8 << 20, 259 << 20 | 3);
        add(0, Operation::Block(BlockOperation::Read), sda, &[100, 200]);
        add(0, Operation::BlockQueue(BlockOperation::Read), sda, &[10, 20]);
        add(1, Operation::BlockQueue(BlockOperation::Write), nvme, &[1_000]);
        add(1, Operation::Call(0), 0, &[9_999]);
        let all = block(&profile, &Selection::default(), Owner::Process);
        let rows: Vec<_> = all
            .rows
            .iter()
            .map(|row| (row.major, row.minor, row.pid, row.io.total_ns, row.queue.total_ns))
            .collect();
        assert_eq!(rows, [(259, 3, Some(9), 0, 1_000), (8, 0, Some(7), 300, 30)]);
        assert_eq!((all.io.count, all.queue.count, all.recorded), (2, 3, 3));
    }

    #[test]
    fn what_workers_of_the_kernel_write_is_write_back() {
        let mut profile = from_folded("kworker/u8:1/7;main 1\njbd2-vda/8;main 1");
        let threads: Vec<_> = profile
            .processes
            .iter()
            .map(|(_, process)| process.clone())
            .collect();
        profile.processes = Default::default();
        for process in threads {
            profile.processes.intern(crate::profile::Process {
                kernel_thread: true,
                ..process
            });
        }
        for (process, operation) in [
            (0, BlockOperation::Write),
            (0, BlockOperation::Read),
            (1, BlockOperation::Write),
        ] {
            profile.latencies.push(Latency {
                key: LatencyKey {
                    process: Id::new(process),
                    operation: Operation::Block(operation),
                    object: ObjectKind::BlockDevice,
                    device: 8 << 20,
                },
                ..window(&[100])
            });
        }
        let all = block(&profile, &Selection::default(), Owner::Process);
        let mut found: Vec<_> = all
            .rows
            .iter()
            .map(|row| (row.pid, row.operation, row.write_back))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                (Some(7), BlockOperation::Read, false),
                (Some(7), BlockOperation::Write, true),
                (Some(8), BlockOperation::Write, false),
            ]
        );
    }
}
