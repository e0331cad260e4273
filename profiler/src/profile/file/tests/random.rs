//! Profiles out of a seed.

use crate::profile::{
    BlockOperation, CallStack, CodeAddress, Contention, Delta, Extent, Function, Id, Latency, LatencyKey,
    Line, Location, Lock, LockWait, Mapping, MappingKind, Mark, Metadata, ObjectKind, Operation, Outcome,
    Process, Profile, QualityWindow, Sample, SampleType, SlowEvent, Stack, State, Target, Thread, ThreadTime,
    Unit, Waker,
};

/// A generator of numbers (splitmix64), the same for the same seed on every machine.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number of any size: few bits as likely as many.
    fn number(&mut self) -> u64 {
        let bits = self.below(64) as u32;
        self.next() >> bits
    }

    fn time(&mut self) -> u64 {
        self.number() >> 3
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 9] = [
            "main",
            "::",
            "<script>",
            "\u{1b}[31m",
            "é",
            "\0",
            "\n",
            " ",
            "日本",
        ];
        (0..self.below(6))
            .map(|_| PIECES[self.below(9) as usize])
            .collect()
    }

    fn id<T>(&mut self, len: usize) -> Id<T> {
        Id::new(self.below(len as u64) as u32)
    }

    fn metadata(&mut self) -> Metadata {
        let texts = |random: &mut Self| (0..random.below(4)).map(|_| random.text()).collect();
        Metadata {
            hostname: self.text(),
            kernel_release: self.text(),
            machine: self.text(),
            kernel_build_id: self.text(),
            cpus: self.next() as u32,
            recorder: self.text(),
            command_line: texts(self),
            target_command: texts(self),
            filters: texts(self),
            clock: self.text(),
            frequency_hz: self.next() as u32,
            period: self.time(),
            start_monotonic_ns: self.time(),
            start_unix_ns: self.time(),
            kernel_stacks: self.below(2) == 1,
            user_stacks: self.below(2) == 1,
            max_stack: self.next() as u32,
        }
    }

    fn process(&mut self) -> Process {
        Process {
            pid: self.number() as u32,
            ppid: self.number() as u32,
            name: self.text(),
            exe: self.text(),
            cgroup: self.text(),
            unit: self.text(),
            container: self.text(),
            start_ns: self.time(),
            kernel_thread: self.below(2) == 1,
        }
    }

    fn mapping(&mut self, processes: usize) -> Mapping {
        Mapping {
            kind: match self.below(7) {
                0 => MappingKind::File,
                1 => MappingKind::FileOffset,
                2 => MappingKind::Kernel,
                3 => MappingKind::KernelModule,
                4 => MappingKind::Vdso,
                5 => MappingKind::Anonymous(self.id(processes)),
                _ => MappingKind::Unknown(self.id(processes)),
            },
            path: self.text(),
            build_id: (0..self.below(3) * 10).map(|_| self.next() as u8).collect(),
        }
    }

    fn quality(&mut self) -> QualityWindow {
        let start_ns = self.time() >> 1;
        let mut count = || self.next() >> 12 >> self.below(40);
        QualityWindow {
            start_ns,
            end_ns: start_ns + count(),
            samples: count(),
            idle: count(),
            filtered: count(),
            expected: count(),
            own_cpu_ns: count(),
            bpf_ns: count(),
            bpf_measured_ns: count(),
            host_busy_ns: count(),
            host_idle_ns: count(),
            not_kept: count(),
            shed_ns: (0..self.below(3))
                .map(|n| (format!("{n}{}", self.text()), self.below(99)))
                .collect(),
            lost: (0..self.below(4))
                .map(|n| (format!("{n}{}", self.text()), self.below(99)))
                .collect(),
        }
    }

    fn span(&mut self, threads: usize) -> ThreadTime {
        let mut ns = [0; State::COUNT];
        for _ in 0..self.below(4) {
            ns[self.below(State::COUNT as u64) as usize] = self.number() >> 14;
        }
        let start_ns = self.time() >> 1;
        ThreadTime {
            thread: self.id(threads),
            start_ns,
            end_ns: start_ns + ns.iter().sum::<u64>() / (1 + self.below(2)),
            ns,
            waits: self.number() as u32,
            preemptions: self.number() as u32,
            in_calls_ns: None,
        }
    }

    fn operation(&mut self) -> (Operation, ObjectKind) {
        let block = match self.below(5) {
            0 => BlockOperation::Read,
            1 => BlockOperation::Write,
            2 => BlockOperation::Flush,
            3 => BlockOperation::Discard,
            _ => BlockOperation::Other,
        };
        let operation = match self.below(7) {
            0 => Operation::Call(self.number() as u16),
            1 => Operation::CompatCall(self.number() as u16),
            2 => Operation::IoUring(self.number() as u8),
            3 => Operation::RunQueue,
            4 => Operation::Block(block),
            5 => Operation::KernelLock(self.contention()),
            _ => Operation::BlockQueue(block),
        };
        let object = match self.below(9) {
            0 => ObjectKind::None,
            1 => ObjectKind::File,
            2 => ObjectKind::BlockDevice,
            3 => ObjectKind::Device,
            4 => ObjectKind::Terminal,
            5 => ObjectKind::Socket,
            6 => ObjectKind::LocalSocket,
            7 => ObjectKind::Pipe,
            _ => ObjectKind::Event,
        };
        (operation, object)
    }

    fn latency(&mut self, processes: usize) -> Latency {
        let (operation, object) = self.operation();
        let start_ns = self.time() >> 1;
        let errors = (0..self.below(4))
            .map(|_| (self.number() as u16, self.number() >> 14))
            .collect();
        let rare = 1 + self.below(40);
        let mut buckets = Vec::new();
        for bucket in 0..=248 {
            if self.below(rare) == 0 {
                buckets.push((bucket, self.number() >> 14));
            }
        }
        Latency {
            key: LatencyKey {
                process: self.id(processes),
                operation,
                object,
                device: self.number() as u32,
            },
            start_ns,
            end_ns: start_ns + (self.time() >> 1),
            count: self.number() >> 14,
            total_ns: self.number() >> 14,
            min_ns: self.time(),
            max_ns: self.time(),
            errors,
            buckets,
        }
    }

    fn waker(&mut self, threads: usize) -> Waker {
        match self.below(5) {
            0 => Waker::Nobody,
            1 => Waker::Interrupt,
            2 => Waker::Thread(self.id(threads)),
            _ => Waker::Unknown,
        }
    }

    fn contention(&mut self) -> Contention {
        Contention::ALL[self.below(Contention::ALL.len() as u64) as usize]
    }

    fn extent(&mut self) -> Extent {
        match self.below(4) {
            0 => Extent::Whole,
            1 => Extent::BegunBefore,
            2 => Extent::NotEnded,
            _ => Extent::Throughout,
        }
    }

    /// A time, often 0.
    fn unsure_time(&mut self) -> u64 {
        self.time() * self.below(2)
    }

    fn lock(&mut self, profile: &Profile) -> Lock {
        let (processes, mappings) = (profile.processes.len(), profile.mappings.len());
        Lock {
            process: (self.below(2) == 0).then(|| self.id(processes)),
            address: self.number(),
            place: (self.below(2) == 0).then(|| (self.id(mappings), self.number())),
            name: self.text(),
        }
    }

    fn lock_wait(&mut self, profile: &Profile, stack: Option<Id<Stack>>) -> LockWait {
        let threads = profile.threads.len();
        LockWait {
            thread: self.id(threads),
            lock: self.id(profile.locks.len()),
            contention: self.contention(),
            value: self.number() as u32,
            end_ns: self.time(),
            duration_ns: self.number() >> 14,
            blocked_ns: self.number() >> 14,
            threshold_ns: self.time(),
            extent: self.extent(),
            errno: self.number() as u16,
            owner: self.waker(threads),
            waker: self.waker(threads),
            woken_ns: self.unsure_time(),
            stack,
            outcome: Outcome::ALL[self.below(12) as usize],
        }
    }

    fn call_stack(&mut self, profile: &Profile, stack: Option<Id<Stack>>) -> CallStack {
        let start_ns = self.time() >> 1;
        CallStack {
            thread: self.id(profile.threads.len()),
            start_ns,
            end_ns: start_ns + (self.time() >> 1),
            stack,
            outcome: Outcome::ALL[self.below(12) as usize],
        }
    }

    /// Adds some locks, waits for them and stacks of calls.
    fn grow_locks(&mut self, profile: &mut Profile) {
        for _ in 0..=self.below(3) {
            let lock = self.lock(profile);
            profile.locks.intern(lock);
        }
        for _ in 0..self.below(9) {
            let stack = self.stack(profile);
            let wait = self.lock_wait(profile, stack);
            profile.lock_waits.push(wait);
            let stack = self.stack(profile);
            let call = self.call_stack(profile, stack);
            profile.call_stacks.push(call);
        }
    }

    fn stack(&mut self, profile: &Profile) -> Option<Id<Stack>> {
        let stacks = profile.stacks.len();
        (stacks > 0 && self.below(3) > 0).then(|| self.id(stacks))
    }

    fn slow(&mut self, profile: &Profile, stack: Option<Id<Stack>>) -> SlowEvent {
        let (operation, object) = self.operation();
        let targets = profile.targets.len();
        SlowEvent {
            thread: self.id(profile.threads.len()),
            end_ns: self.time(),
            duration_ns: self.number() >> 14,
            extent: self.extent(),
            operation,
            object,
            target: (targets > 0 && self.below(2) == 0).then(|| self.id(targets)),
            result: self.number().cast_signed() >> self.below(64),
            arguments: std::array::from_fn(|_| self.number()),
            stack,
            outcome: Outcome::ALL[self.below(12) as usize],
            wait_ns: self.number() >> 14,
            waker: self.waker(profile.threads.len()),
            woken_ns: self.unsure_time(),
        }
    }

    /// Adds some rows of everything, and samples that use them.
    fn grow(&mut self, profile: &mut Profile) {
        if profile.sample_types.len() < 200 {
            profile.sample_types.push(SampleType {
                name: format!("{}{}", profile.sample_types.len(), self.text()),
                unit: [Unit::Nanoseconds, Unit::Count, Unit::Bytes][self.below(3) as usize],
            });
        }
        for _ in 0..=self.below(3) {
            let process = self.process();
            profile.processes.intern(process);
            let (process, tid, name) = (
                self.id(profile.processes.len()),
                self.number() as u32,
                self.text(),
            );
            profile.threads.intern(Thread { process, tid, name });
        }
        for _ in 0..=self.below(4) {
            let mapping = self.mapping(profile.processes.len());
            profile.mappings.intern(mapping);
        }
        for _ in 0..=self.below(20) {
            let mapping = self.id(profile.mappings.len());
            let address = CodeAddress::Return(self.number()).lookup();
            profile.locations.intern(Location { mapping, address });
        }
        for _ in 0..self.below(10) {
            let (name, file) = (self.text(), self.text());
            profile.functions.intern(Function { name, file });
        }
        // Whether there are wakers is decided anew each time: their column is not always there.
        let woken = self.below(2) == 0;
        for _ in 0..self.below(60) {
            let frames: Vec<_> = (0..self.below(12))
                .map(|_| self.id(profile.locations.len()))
                .collect();
            let sample = Sample {
                time_ns: self.time(),
                thread: self.id(profile.threads.len()),
                stack: profile.stacks.intern(frames),
                sample_type: self.below(profile.sample_types.len() as u64) as u8,
                outcome: Outcome::ALL[self.below(12) as usize],
                cpu: self.number() as u16,
                value: self.next() >> 13 >> self.below(50),
                waker: match woken {
                    true => self.waker(profile.threads.len()),
                    false => Waker::Unknown,
                },
            };
            profile.samples.push(sample);
        }
        for _ in 0..self.below(9) {
            let span = self.span(profile.threads.len());
            profile.thread_times.push(span);
        }
        for _ in 0..self.below(9) {
            let latency = self.latency(profile.processes.len());
            profile.latencies.push(latency);
        }
        for _ in 0..self.below(4) {
            let target = Target(self.text());
            profile.targets.intern(target);
        }
        for _ in 0..self.below(9) {
            let stack = self.stack(profile);
            let event = self.slow(profile, stack);
            profile.slow.push(event);
        }
        self.grow_locks(profile);
        for _ in 0..self.below(3) {
            let window = self.quality();
            profile.quality.push(window);
        }
    }

    fn lines(&mut self, profile: &Profile) -> Vec<(Id<Location>, Vec<Line>)> {
        if profile.functions.is_empty() {
            return Vec::new();
        }
        let functions = profile.functions.len();
        let line = |random: &mut Self| Line {
            function: random.id(functions),
            line: random.number() as u32,
        };
        (0..self.below(12))
            .map(|_| {
                let location = self.id(profile.locations.len());
                (location, (0..self.below(4)).map(|_| line(self)).collect())
            })
            .collect()
    }

    /// A recording of some flushes.
    pub(super) fn deltas(&mut self) -> Vec<Delta> {
        let (mut profile, mut mark) = (Profile::default(), Mark::default());
        profile.metadata = self.metadata();
        (0..=self.below(6))
            .map(|_| {
                self.grow(&mut profile);
                let mut delta = profile.take_delta(&mut mark);
                delta.lines = self.lines(&profile);
                if self.below(4) == 0 {
                    delta.metadata = Some(self.metadata());
                }
                delta
            })
            .collect()
    }
}
