//! From chunks to a profile. Nothing in them is trusted: whatever they say, every id in the profile refers to a row
//! that is there.

mod locks;

use crate::profile::{
    Function, Id, Latency, LatencyKey, Line, Location, Lock, Mapping, MappingKind, Metadata, Process,
    Profile, QualityWindow, Sample, SampleType, SlowEvent, Stack, Target, Thread, ThreadTime, Unit, Waker,
};

use super::{
    columns::{Columns, Malformed},
    container::{ChunkHeader, Kind},
    ids::Ids,
    rows::Row,
};

/// What stands for a row that was lost with a damaged chunk.
pub const DAMAGED: &str = "[damaged]";

/// The most rows a chunk may have; it bounds what one chunk can make a reader allocate.
const ROWS_MAX: u32 = 1 << 20;
/// The deepest stack: views walk stacks, some of them recursively.
const DEPTH_MAX: u16 = 4096;
/// Values and counters add up to no more than this, so that no sum over a part of them overflows.
const SUM_MAX: u64 = i64::MAX as u64;

/// Why a chunk was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed(Malformed),
    /// Its rows were there before.
    Repeated,
    /// The profile has grown to the limit.
    Full,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// What was met on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oddities {
    /// Columns that only a newer version knows.
    pub(super) unknown_columns: usize,
    /// Rows about what only a newer version knows.
    pub(super) unknown_rows: usize,
    /// Values that only a newer version knows.
    pub(super) strange_values: usize,
    /// References to rows that are not there.
    pub(super) dangling: usize,
    /// Samples among what has such a reference.
    pub(super) dangling_samples: usize,
    /// Frames beyond the deepest stack.
    pub(super) too_deep: usize,
}

/// Builds a profile from chunks.
#[derive(Default)]
pub(super) struct Assembler {
    pub(super) profile: Profile,
    pub(super) oddities: Oddities,
    sample_types: Ids<SampleType>,
    processes: Ids<Process>,
    mappings: Ids<Mapping>,
    locations: Ids<Location>,
    stacks: Ids<Stack>,
    threads: Ids<Thread>,
    targets: Ids<Target>,
    locks: Ids<Lock>,
    functions: Ids<Function>,
    /// The file's next row of each kind, by the kind's number.
    next_row: [u64; Kind::ALL.len() + 1],
    /// How deep each of the profile's stacks is.
    depths: Vec<u16>,
    /// What stands for stacks that are not there.
    lost_stack: Option<Id<Stack>>,
    value_sum: u64,
    counter_sum: u64,
    span_sum: u64,
    latency_sum: u64,
    slow_sum: u64,
    lock_sum: u64,
    /// What the profile takes, roughly and rather too much, in bytes.
    memory: u64,
    memory_max: u64,
}

impl Assembler {
    pub(super) fn new(memory_max: u64) -> Self {
        Self {
            memory_max,
            ..Self::default()
        }
    }

    /// How many rows of this kind, which came before this chunk, were not there. Asked once a chunk.
    pub(super) fn missing_before(&mut self, kind: Kind, header: &ChunkHeader) -> u64 {
        let next = &mut self.next_row[kind as usize];
        let missing = header.first_row.saturating_sub(*next);
        *next += missing;
        missing
    }

    /// Takes note that the rows of this chunk are lost.
    pub(super) fn lose(&mut self, kind: Kind, header: &ChunkHeader) {
        let next = &mut self.next_row[kind as usize];
        *next = (*next).max(header.first_row.saturating_add(header.rows.into()));
    }

    /// Adds the rows of a chunk, or none of them.
    pub(super) fn add(&mut self, kind: Kind, header: &ChunkHeader, payload: &[u8]) -> Result<(), Refused> {
        if kind == Kind::End {
            self.profile.ended = true;
            return Ok(());
        }
        let columns = Columns::parse(payload)?;
        match kind {
            Kind::Metadata => {
                let (_, rows) = self.fresh::<Metadata>(kind, &columns, header)?;
                self.profile.metadata = rows.into_iter().next_back().unwrap_or_default();
            }
            Kind::SampleTypes => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.sample_types.continue_at(first);
                for row in rows {
                    let place = self.sample_type(row)?;
                    self.sample_types.push(Id::new(place.into()));
                }
            }
            Kind::Processes => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.processes.continue_at(first);
                for row in rows {
                    self.processes.push(self.profile.processes.intern(row));
                }
            }
            Kind::Mappings => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.mappings.continue_at(first);
                for row in rows {
                    let row = self.mapping(row);
                    self.mappings.push(self.profile.mappings.intern(row));
                }
            }
            Kind::Locations => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.locations.continue_at(first);
                for row in rows {
                    let row = self.location(row);
                    self.locations.push(self.profile.locations.intern(row));
                }
            }
            Kind::Stacks => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.stacks.continue_at(first);
                for row in rows {
                    let id = self.stack(row);
                    self.stacks.push(id);
                }
            }
            Kind::Threads => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.threads.continue_at(first);
                for row in rows {
                    let row = self.thread(row);
                    self.threads.push(self.profile.threads.intern(row));
                }
            }
            Kind::Samples => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.samples(rows)?;
            }
            Kind::ThreadTimes => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.thread_times(rows)?;
            }
            Kind::Targets => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.targets.continue_at(first);
                for row in rows {
                    self.targets.push(self.profile.targets.intern(row));
                }
            }
            Kind::Latencies => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.latencies(rows)?;
            }
            Kind::Slow => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.slow(rows)?;
            }
            Kind::Locks => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.locks(first, rows);
            }
            Kind::LockWaits => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.lock_waits(rows)?;
            }
            Kind::CallStacks => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.call_stacks(rows);
            }
            Kind::Functions => {
                let (first, rows) = self.fresh(kind, &columns, header)?;
                self.functions.continue_at(first);
                for row in rows {
                    self.functions.push(self.profile.functions.intern(row));
                }
            }
            Kind::Lines => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.lines(rows);
            }
            Kind::Quality => {
                let (_, rows) = self.fresh(kind, &columns, header)?;
                self.quality(rows)?;
            }
            Kind::End => {}
        }
        self.oddities.strange_values += columns.strange_values();
        self.oddities.unknown_rows += columns.unknown_rows();
        Ok(())
    }

    /// The rows of a chunk that were not there before, and the file's number of the first of them.
    fn fresh<R: Row>(
        &mut self,
        kind: Kind,
        columns: &Columns<'_>,
        header: &ChunkHeader,
    ) -> Result<(u64, Vec<R>), Refused> {
        if header.rows > ROWS_MAX {
            return Err(Malformed("too many rows for a chunk").into());
        }
        let promised = columns.rows(header.rows)?;
        let end = header
            .first_row
            .checked_add(header.rows.into())
            .ok_or(Malformed("a row number beyond all bounds"))?;
        let next = self.next_row[kind as usize];
        if end <= next && header.rows > 0 {
            return Err(Refused::Repeated);
        }
        // A row of a table is there twice, in the order of ids and as a key.
        let cost = 3 * (promised * size_of::<R>()) as u64 + R::GROWTH * u64::from(header.raw_len);
        if self.memory + cost > self.memory_max {
            return Err(Refused::Full);
        }
        let mut rows = R::decode(columns, header.first_row, promised)?;
        let known = next.saturating_sub(header.first_row);
        if known > 0 && columns.unknown_rows() > 0 {
            return Err(Malformed("rows that were there before among rows that are not known").into());
        }
        rows.drain(..rows.len().min(usize::try_from(known).unwrap_or(usize::MAX)));
        self.memory += cost;
        self.oddities.unknown_columns += columns.unknown(R::LAST_COLUMN);
        self.next_row[kind as usize] = next.max(end);
        Ok((header.first_row.max(next), rows))
    }

    fn sample_type(&mut self, row: SampleType) -> Result<u8, Malformed> {
        let types = &mut self.profile.sample_types;
        let place = types.iter().position(|known| *known == row).unwrap_or_else(|| {
            types.push(row);
            types.len() - 1
        });
        u8::try_from(place).map_err(|_| Malformed("too many sample types"))
    }

    fn mapping(&mut self, row: Mapping) -> Mapping {
        let kind = match row.kind {
            MappingKind::Anonymous(process) => MappingKind::Anonymous(self.process_of(process)),
            MappingKind::Unknown(process) => MappingKind::Unknown(self.process_of(process)),
            other => other,
        };
        Mapping { kind, ..row }
    }

    fn location(&mut self, row: Location) -> Location {
        let mapping = self.mappings.get(row.mapping).unwrap_or_else(|| {
            self.oddities.dangling += 1;
            lost_mapping(&mut self.profile)
        });
        Location { mapping, ..row }
    }

    /// The profile's stack for this node: itself, or that of its caller where the stack is too deep already.
    fn stack(&mut self, row: Stack) -> Id<Stack> {
        let caller = row.caller.map(|caller| self.stack_of(caller));
        let depth = caller.map_or(0, |caller| self.depths[caller.index()]) + 1;
        if let Some(caller) = caller
            && depth > DEPTH_MAX
        {
            self.oddities.too_deep += 1;
            return caller;
        }
        let location = self.locations.get(row.location).unwrap_or_else(|| {
            self.oddities.dangling += 1;
            lost_location(&mut self.profile)
        });
        self.depths.push(depth);
        self.profile.stacks.push(Stack { caller, location })
    }

    fn stack_of(&mut self, row: Id<Stack>) -> Id<Stack> {
        self.stacks.get(row).unwrap_or_else(|| {
            self.oddities.dangling += 1;
            let location = lost_location(&mut self.profile);
            *self.lost_stack.get_or_insert_with(|| {
                self.depths.push(1);
                self.profile.stacks.push(Stack {
                    caller: None,
                    location,
                })
            })
        })
    }

    fn thread(&mut self, row: Thread) -> Thread {
        let process = self.process_of(row.process);
        Thread { process, ..row }
    }

    fn process_of(&mut self, row: Id<Process>) -> Id<Process> {
        self.processes.get(row).unwrap_or_else(|| {
            self.oddities.dangling += 1;
            lost_process(&mut self.profile)
        })
    }

    fn thread_of(&mut self, row: Id<Thread>) -> Id<Thread> {
        self.threads.get(row).unwrap_or_else(|| {
            self.oddities.dangling += 1;
            lost_thread(&mut self.profile)
        })
    }

    fn thread_times(&mut self, rows: Vec<ThreadTime>) -> Result<(), Malformed> {
        let counts = |row: &ThreadTime| {
            let counts = [row.waits.into(), row.preemptions.into()];
            row.ns.into_iter().chain(counts)
        };
        let sum = rows
            .iter()
            .flat_map(counts)
            .try_fold(self.span_sum, u64::checked_add);
        self.span_sum = bounded(sum)?;
        for row in rows {
            let thread = self.thread_of(row.thread);
            self.profile.thread_times.push(ThreadTime { thread, ..row });
        }
        Ok(())
    }

    fn latencies(&mut self, rows: Vec<Latency>) -> Result<(), Malformed> {
        let mut sum = Some(self.latency_sum);
        for row in &rows {
            let failed = row.errors.iter().map(|(_, count)| *count);
            let in_buckets = row.buckets.iter().map(|(_, count)| *count);
            let all = [row.count, row.total_ns]
                .into_iter()
                .chain(failed)
                .chain(in_buckets);
            sum = all.fold(sum, |sum, count| sum?.checked_add(count));
        }
        self.latency_sum = bounded(sum)?;
        for row in rows {
            let process = self.process_of(row.key.process);
            let key = LatencyKey { process, ..row.key };
            self.profile.latencies.push(Latency { key, ..row });
        }
        Ok(())
    }

    fn slow(&mut self, rows: Vec<SlowEvent>) -> Result<(), Malformed> {
        let sum = rows
            .iter()
            .flat_map(|row| [row.duration_ns, row.wait_ns])
            .try_fold(self.slow_sum, u64::checked_add);
        self.slow_sum = bounded(sum)?;
        for row in rows {
            let thread = self.thread_of(row.thread);
            let target = row.target.and_then(|target| self.target_of(target));
            let stack = row.stack.map(|stack| self.stack_of(stack));
            let waker = self.waker_of(row.waker);
            self.profile.slow.push(SlowEvent {
                thread,
                target,
                stack,
                waker,
                ..row
            });
        }
        Ok(())
    }

    /// A target that was lost is one that is not known: nothing hangs on it.
    fn target_of(&mut self, row: Id<Target>) -> Option<Id<Target>> {
        let target = self.targets.get(row);
        self.oddities.dangling += usize::from(target.is_none());
        target
    }

    /// A waker that was lost is one that is not known.
    fn waker_of(&mut self, waker: Waker) -> Waker {
        let Waker::Thread(row) = waker else {
            return waker;
        };
        self.threads.get(row).map_or_else(
            || {
                self.oddities.dangling += 1;
                Waker::Unknown
            },
            Waker::Thread,
        )
    }

    fn samples(&mut self, rows: Vec<Sample>) -> Result<(), Malformed> {
        let sum = rows
            .iter()
            .try_fold(self.value_sum, |sum, row| sum.checked_add(row.value));
        self.value_sum = bounded(sum)?;
        self.profile.samples.reserve(rows.len());
        for row in rows {
            let before = self.oddities.dangling;
            let stack = row.stack.map(|stack| self.stack_of(stack));
            let thread = self.thread_of(row.thread);
            let waker = self.waker_of(row.waker);
            let sample_type = match self.sample_types.get(Id::new(row.sample_type.into())) {
                Some(id) => u8::try_from(id.raw()).expect("made from a u8"),
                None => {
                    self.oddities.dangling += 1;
                    self.sample_type(SampleType {
                        name: DAMAGED.into(),
                        unit: Unit::Count,
                    })?
                }
            };
            self.oddities.dangling_samples += usize::from(self.oddities.dangling > before);
            self.profile.samples.push(Sample {
                thread,
                stack,
                sample_type,
                waker,
                ..row
            });
        }
        Ok(())
    }

    fn lines(&mut self, rows: Vec<(Id<Location>, Vec<Line>)>) {
        for (location, mut lines) in rows {
            let Some(location) = self.locations.get(location) else {
                self.oddities.dangling += 1;
                continue;
            };
            for line in &mut lines {
                line.function = self.functions.get(line.function).unwrap_or_else(|| {
                    self.oddities.dangling += 1;
                    self.profile.functions.intern(Function {
                        name: DAMAGED.into(),
                        file: String::new(),
                    })
                });
            }
            self.profile.lines.insert(location, lines);
        }
    }

    fn quality(&mut self, rows: Vec<QualityWindow>) -> Result<(), Malformed> {
        let mut sum = Some(self.counter_sum);
        for row in &rows {
            if row.end_ns < row.start_ns {
                return Err(Malformed("a stretch of time that ends before it begins"));
            }
            let QualityWindow {
                start_ns: _,
                end_ns: _,
                samples,
                idle,
                filtered,
                expected,
                lost,
                own_cpu_ns,
                bpf_ns,
                bpf_measured_ns,
                host_busy_ns,
                host_idle_ns,
                not_kept,
                shed_ns,
            } = row;
            let counters = [
                samples,
                idle,
                filtered,
                expected,
                own_cpu_ns,
                bpf_ns,
                bpf_measured_ns,
            ];
            let all = counters
                .into_iter()
                .chain([host_busy_ns, host_idle_ns, not_kept])
                .chain(lost.values())
                .chain(shed_ns.values());
            sum = all.fold(sum, |sum, count| sum?.checked_add(*count));
        }
        self.counter_sum = bounded(sum)?;
        self.profile.quality.extend(rows);
        Ok(())
    }
}

fn bounded(sum: Option<u64>) -> Result<u64, Malformed> {
    sum.filter(|sum| *sum <= SUM_MAX)
        .ok_or(Malformed("values whose sum is beyond all bounds"))
}

fn lost_process(profile: &mut Profile) -> Id<Process> {
    profile.processes.intern(Process {
        pid: 0,
        ppid: 0,
        name: DAMAGED.into(),
        exe: String::new(),
        cgroup: String::new(),
        unit: String::new(),
        container: String::new(),
        start_ns: 0,
        kernel_thread: false,
    })
}

fn lost_thread(profile: &mut Profile) -> Id<Thread> {
    let process = lost_process(profile);
    profile.threads.intern(Thread {
        process,
        tid: 0,
        name: DAMAGED.into(),
    })
}

fn lost_mapping(profile: &mut Profile) -> Id<Mapping> {
    profile.mappings.intern(Mapping {
        kind: MappingKind::FileOffset,
        path: DAMAGED.into(),
        build_id: Vec::new(),
    })
}

fn lost_location(profile: &mut Profile) -> Id<Location> {
    let mapping = lost_mapping(profile);
    profile.locations.intern(Location { mapping, address: 0 })
}
