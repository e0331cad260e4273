//! Operations that were counted and timed, and calls that took long.

use profiler_common::{
    event::OPERATION_BEGUN_BEFORE,
    in_call::{CALL_BEGUN_BEFORE, CALL_COMPAT},
    lock::KernelLock,
    object,
    operation::{OperationKey, OperationKind},
    waker,
};

use super::{
    super::{
        event::{RawCall, RawOperation, RawSlow, RawThread},
        host::Host,
        places::Summed,
        tables::KernelSide,
        targets,
        unwind::pool::Chunks,
    },
    Recorder, locks,
};
use crate::profile::{
    BlockOperation, Extent, Latency, LatencyKey, ObjectKind, Operation, Outcome, SlowEvent, Target, Waker,
};

impl<H: Host, C: Chunks, K: KernelSide> Recorder<H, C, K> {
    /// An operation that was told by itself.
    pub(super) fn operation(&mut self, time: u64, raw: &RawOperation) {
        if raw.flags & OPERATION_BEGUN_BEFORE == 0 {
            if self.latencies.one(raw) {
                self.wanting_places.push(raw.key);
            }
            return;
        }
        let call = RawCall {
            since: time.saturating_sub(raw.ns),
            number: raw.key.number,
            flags: match raw.key.kind == OperationKind::CompatCall as u8 {
                true => CALL_COMPAT,
                false => 0,
            },
        };
        let who = (raw.key.pid, raw.tid);
        let result = -i64::from(raw.errno);
        self.in_flight(
            time,
            who,
            call,
            Extent::BegunBefore,
            object_kind(raw.key.object),
            result,
        );
    }

    /// Operations of a process that the kernel side summed.
    pub fn operations(&mut self, summed: &[(OperationKey, Summed)]) {
        for (key, summed) in summed {
            self.latencies.many(*key, summed);
        }
    }

    /// What a process did until `time` is that of the image it has until then.
    pub fn close_image(&mut self, time: u64, pid: u32) {
        let sums = self.latencies.take(pid);
        self.push_latencies(time, sums);
    }

    /// The window ends at `time`.
    pub fn close_window(&mut self, time: u64) {
        let sums = self.latencies.take_all();
        self.push_latencies(time, sums);
        self.window = time;
        self.known_owners.clear();
    }

    fn push_latencies(&mut self, time: u64, mut sums: Vec<(OperationKey, Summed)>) {
        // In an order that packs well, and is the same every time.
        sums.sort_by_key(|(key, _)| (key.pid, key.kind, key.number, key.object, key.device));
        for (key, sum) in sums {
            let Some(operation) = operation(&key) else {
                continue;
            };
            self.processes.get_or_look_up(key.pid, &self.host);
            let process = self.process_row(key.pid);
            self.profile.latencies.push(Latency {
                key: LatencyKey {
                    process,
                    operation,
                    object: object_kind(key.object),
                    device: key.device,
                },
                start_ns: self.window.saturating_sub(self.start),
                end_ns: time.max(self.window).saturating_sub(self.start),
                count: sum.count,
                total_ns: sum.total_ns,
                min_ns: sum.min_ns,
                max_ns: sum.max_ns,
                errors: sum.errors,
                buckets: sum.buckets,
            });
        }
    }

    /// A call that took long.
    pub(super) fn slow(&mut self, time: u64, raw: &RawSlow) {
        let key = &raw.operation.key;
        let Some(operation) = operation(key) else { return };
        self.processes.get_or_look_up(key.pid, &self.host);
        let process = self.process_row(key.pid);
        let thread = self.thread_row(key.pid, raw.operation.tid, process);
        let (stack, outcome) = self.resolve(time, &raw.stacks, process);
        let target = targets::words(key.pid, key.object, &raw.target, &self.host);
        let target = target.map(|words| self.profile.targets.intern(Target(words)));
        let waker = match raw.wait_ns {
            0 => Waker::Nobody,
            _ => self.waker(raw.waker),
        };
        let extent = match raw.operation.flags & OPERATION_BEGUN_BEFORE {
            0 => Extent::Whole,
            _ => Extent::BegunBefore,
        };
        self.profile.slow.push(SlowEvent {
            thread,
            end_ns: time.saturating_sub(self.start),
            duration_ns: raw.operation.ns,
            extent,
            operation,
            object: object_kind(key.object),
            target,
            result: raw.result,
            arguments: raw.arguments,
            stack,
            outcome,
            wait_ns: raw.wait_ns,
            waker,
            woken_ns: raw.woken.saturating_sub(self.start),
        });
    }

    /// The recording ends at `time`, and a thread is still in a call.
    pub fn still_runs(&mut self, time: u64, thread: &RawThread) {
        let Some(call) = thread.call.filter(|_| !thread.ended) else {
            return;
        };
        let extent = match call.flags & CALL_BEGUN_BEFORE {
            0 => Extent::NotEnded,
            _ => Extent::Throughout,
        };
        let who = (thread.pid, thread.tid);
        self.in_flight(time, who, call, extent, ObjectKind::None, 0);
    }

    fn in_flight(
        &mut self,
        time: u64,
        (pid, tid): (u32, u32),
        call: RawCall,
        extent: Extent,
        object: ObjectKind,
        result: i64,
    ) {
        self.processes.get_or_look_up(pid, &self.host);
        let process = self.process_row(pid);
        let thread = self.thread_row(pid, tid, process);
        self.profile.slow.push(SlowEvent {
            thread,
            end_ns: time.saturating_sub(self.start),
            duration_ns: time.saturating_sub(call.since),
            extent,
            operation: match call.flags & CALL_COMPAT {
                0 => Operation::Call(call.number),
                _ => Operation::CompatCall(call.number),
            },
            object,
            target: None,
            result,
            arguments: [0; 6],
            stack: None,
            outcome: Outcome::NoUserStack,
            wait_ns: 0,
            waker: Waker::Unknown,
            woken_ns: 0,
        });
    }

    /// Who ended a wait.
    pub(super) fn waker(&mut self, raw: waker::Waker) -> Waker {
        match raw {
            waker::Waker::NOBODY => Waker::Nobody,
            waker::Waker::INTERRUPT => Waker::Interrupt,
            waker::Waker { tid: 0, .. } => Waker::Unknown,
            waker::Waker { tid, pid } => {
                self.processes.get_or_look_up(pid, &self.host);
                let process = self.process_row(pid);
                Waker::Thread(self.thread_row(pid, tid, process))
            }
        }
    }
}

/// The profile's word for an operation; `None` for a kind that is not known.
fn operation(key: &OperationKey) -> Option<Operation> {
    let block = || {
        Some(match key.number {
            0 => BlockOperation::Read,
            1 => BlockOperation::Write,
            2 => BlockOperation::Flush,
            3 => BlockOperation::Discard,
            _ => BlockOperation::Other,
        })
    };
    Some(match key.kind {
        kind if kind == OperationKind::Call as u8 => Operation::Call(key.number),
        kind if kind == OperationKind::CompatCall as u8 => Operation::CompatCall(key.number),
        kind if kind == OperationKind::IoUring as u8 => Operation::IoUring(key.number as u8),
        kind if kind == OperationKind::RunQueue as u8 => Operation::RunQueue,
        kind if kind == OperationKind::PageFault as u8 => Operation::PageFault,
        kind if kind == OperationKind::Block as u8 => Operation::Block(block()?),
        kind if kind == OperationKind::BlockQueue as u8 => Operation::BlockQueue(block()?),
        kind if kind == OperationKind::KernelLock as u8 => {
            Operation::KernelLock(locks::kernel_lock(*KernelLock::ALL.get(usize::from(key.number))?))
        }
        _ => return None,
    })
}

fn object_kind(kind: u8) -> ObjectKind {
    use object::ObjectKind as Raw;
    match Raw::from_u8(kind) {
        Some(Raw::File) => ObjectKind::File,
        Some(Raw::BlockDevice) => ObjectKind::BlockDevice,
        Some(Raw::Device) => ObjectKind::Device,
        Some(Raw::Terminal) => ObjectKind::Terminal,
        Some(Raw::Socket) => ObjectKind::Socket,
        Some(Raw::LocalSocket) => ObjectKind::LocalSocket,
        Some(Raw::Pipe) => ObjectKind::Pipe,
        Some(Raw::Event) => ObjectKind::Event,
        Some(Raw::None) | None => ObjectKind::None,
    }
}
