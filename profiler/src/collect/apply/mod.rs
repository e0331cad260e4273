//! Events → profile: who, where in which executable, interned. The only place that changes a profile while recording.

use std::{cell::OnceCell, collections::BTreeMap, fs::File, rc::Rc, sync::Arc};

use profiler_common::{
    event::FRAME_IS_INSTRUCTION, operation::OperationKey, state, stats, unwind::Registers,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    accounts::Accounts,
    address_space::AddressSpace,
    event::{Event, RawCopy, RawSample, RawStack, RawStacks, RawThread, What},
    executables::{ExecutableId, Executables, Kind},
    host::Host,
    kernel_symbols::KernelSymbols,
    kernel_text::KernelText,
    latencies::Latencies,
    processes::{Live, LiveThread, Processes, text},
    tables::{KernelSide, UnwindTables},
    unwind::{pool::Chunks, walk::Snapshot},
};
use crate::profile::{
    CodeAddress, Id, Location, Lock, Mapping, MappingKind, Outcome, Process, Profile, Sample, Stack, Thread,
    ThreadTime,
};

mod locks;
mod operations;
mod renew;

/// Stack memory of a sample, its pages put together.
#[derive(Clone, Debug)]
struct Copied {
    registers: Registers,
    /// One past the last address so far.
    end: u64,
    bytes: Vec<u8>,
}

/// A sample's stack, as far as it was worked out before.
type StackKey = (u64, Id<Process>, u64, u64);

/// Turns events into a profile.
#[derive(Debug)]
pub struct Recorder<H, C, K> {
    /// What was recorded; the collector hands its growth on.
    pub profile: Profile,
    /// The processes that live.
    pub processes: Processes,
    /// The tables of the kernel side.
    pub tables: UnwindTables<C, K>,
    /// What was lost on this side, by reason.
    pub lost: BTreeMap<&'static str, u64>,
    /// Files that turned up, held open for whoever gives names to addresses.
    pub files: Vec<(Id<Mapping>, Arc<File>)>,
    executables: Executables,
    host: H,
    kernel_text: KernelText,
    user_stacks: FxHashMap<u64, Rc<[u64]>>,
    kernel_stacks: FxHashMap<u64, Rc<[u64]>>,
    copies: FxHashMap<(u32, u64), Copied>,
    known: FxHashMap<StackKey, Option<Id<Stack>>>,
    accounts: Accounts,
    /// Whether begins and ends of all system calls are seen.
    pub calls_are_recorded: bool,
    /// The operations of this window.
    latencies: Latencies,
    /// When the window began.
    window: u64,
    /// Kinds of operations that happen so often that they should have a place in the kernel side.
    pub wanting_places: Vec<OperationKey>,
    /// Locks that were met lately.
    known_locks: FxHashMap<(Id<Process>, u64), Id<Lock>>,
    /// Threads by the names that locks have for them, as they were in this window.
    known_owners: FxHashMap<(u32, u32), Option<(u32, u32)>>,
    /// Read when a wait for a lock of the kernel is told first.
    kernel_symbols: OnceCell<KernelSymbols>,
    wanting_tables: FxHashSet<u32>,
    start: u64,
    max_frames: usize,
}

/// Stacks that are remembered by their hash at most; past it all are forgotten and sent again.
const MAX_STACKS: usize = 1 << 16;

impl<H: Host, C: Chunks, K: KernelSide> Recorder<H, C, K> {
    /// A recorder whose profile begins at `profile.metadata.start_monotonic_ns`.
    pub fn new(profile: Profile, host: H, tables: UnwindTables<C, K>, kernel_text: KernelText) -> Self {
        let start = profile.metadata.start_monotonic_ns;
        let max_frames = profile.metadata.max_stack as usize;
        Self {
            profile,
            processes: Processes::default(),
            tables,
            lost: BTreeMap::new(),
            files: Vec::new(),
            executables: Executables::default(),
            host,
            kernel_text,
            user_stacks: FxHashMap::default(),
            kernel_stacks: FxHashMap::default(),
            copies: FxHashMap::default(),
            known: FxHashMap::default(),
            accounts: Accounts::default(),
            calls_are_recorded: false,
            latencies: Latencies::default(),
            window: start,
            wanting_places: Vec::new(),
            known_locks: FxHashMap::default(),
            known_owners: FxHashMap::default(),
            kernel_symbols: OnceCell::new(),
            wanting_tables: FxHashSet::default(),
            start,
            max_frames,
        }
    }

    /// Notes the processes that run already.
    pub fn scan(&mut self, pids: impl IntoIterator<Item = u32>) {
        self.processes.scan(pids, &self.host);
    }

    /// A stack's frames, which come before the samples that name it.
    pub fn stack(&mut self, stack: RawStack) {
        let stacks = if stack.kernel {
            &mut self.kernel_stacks
        } else {
            &mut self.user_stacks
        };
        stacks.insert(stack.hash, stack.frames.into());
    }

    /// Whether so many stacks are remembered that the kernel side should be made to forget which it sent.
    pub fn has_too_many_stacks(&self) -> bool {
        self.user_stacks.len() + self.kernel_stacks.len() > MAX_STACKS
    }

    /// Forgets the frames of all stacks.
    pub fn forget_stacks(&mut self) {
        self.user_stacks.clear();
        self.kernel_stacks.clear();
        self.known.clear();
    }

    /// A part of a sample's stack memory, which comes before the sample.
    pub fn copy(&mut self, copy: RawCopy) {
        let copied = self
            .copies
            .entry((copy.cpu, copy.time))
            .or_insert_with(|| Copied {
                registers: copy.registers,
                end: copy.address,
                bytes: Vec::new(),
            });
        // A page that is missing in between ends what can be used.
        if copied.end == copy.address {
            copied.end += copy.bytes.len() as u64;
            copied.bytes.extend_from_slice(&copy.bytes);
        }
    }

    /// Applies one event. Events come in the order of their times.
    pub fn apply(&mut self, event: Event) {
        let time = event.time;
        match event.what {
            What::Sample(sample) => self.sample(time, &sample),
            What::Image { pid, parent } => {
                self.processes.image(pid, time, parent, &self.host);
                match parent {
                    Some(parent) => self.tables.fork(pid, time, parent),
                    // From the next sample on.
                    None => drop(self.wanting_tables.remove(&pid)),
                }
            }
            What::Comm { pid, tid, name, exec } => {
                self.processes.comm(time, pid, tid, &name, exec, &self.host)
            }
            What::Mmap { pid, mapping } => {
                self.processes.map(pid, mapping, &self.host);
                if self.processes.get(pid).is_some_and(|live| live.row.is_some()) {
                    self.wanting_tables.insert(pid);
                }
            }
            What::Fork {
                pid,
                tid,
                parent_pid,
                parent_tid,
            } => {
                self.processes.fork(pid, tid, parent_pid, parent_tid, &self.host);
            }
            What::Exit { pid, tid } => self.processes.exit(time, pid, tid),
            What::Thread(thread) => self.thread_time(time, &thread),
            What::Operation(operation) => self.operation(time, &operation),
            What::Place { .. } => {}
            What::Slow(slow) => self.slow(time, &slow),
            What::Lock(wait) => self.futex_wait(time, &wait),
            What::KernelLock(wait) => self.kernel_lock_wait(time, &wait),
            What::CallStack(stack) => self.call_stack(time, &stack),
        }
    }

    /// Makes the kernel side know a process before its first sample.
    pub fn prepare(&mut self, pid: u32, now: u64) {
        self.processes.get_or_look_up(pid, &self.host);
        self.wanting_tables.insert(pid);
        self.publish(now, usize::MAX);
    }

    /// Tells the kernel side about processes that were sampled, at most `limit` of them. `now` is
    /// `CLOCK_MONOTONIC`. Returns whether there are more.
    pub fn publish(&mut self, now: u64, limit: usize) -> bool {
        let pids: Vec<u32> = self.wanting_tables.iter().copied().take(limit).collect();
        for pid in &pids {
            self.wanting_tables.remove(pid);
            let Some(space) = self.address_space(*pid) else {
                continue;
            };
            let Some(live) = self.processes.get(*pid).filter(|live| live.ended.is_none()) else {
                continue;
            };
            self.tables.build(&space, &mut self.executables, now);
            self.tables
                .publish(*pid, live.image, &space, &self.executables, now);
        }
        !self.wanting_tables.is_empty()
    }

    /// Forgets what ended long ago, and tells which processes that were. All events before `now` were applied.
    pub fn reap(&mut self, now: u64) -> Vec<u32> {
        let mut pids = Vec::new();
        for live in self.processes.reap(now) {
            self.tables.forget(live.pid, now);
            self.wanting_tables.remove(&live.pid);
            pids.push(live.pid);
        }
        self.copies.retain(|(_, time), _| *time + 2_000_000_000 > now);
        self.tables.reclaim(now.saturating_sub(1_000_000_000));
        pids
    }

    /// The mappings of a process, read if nobody did yet, each with its executable. A process that is gone had those
    /// of its parent, if it did not run another program (which events would have told).
    fn address_space(&mut self, pid: u32) -> Option<Rc<AddressSpace>> {
        let live = self.processes.get(pid)?;
        if live.kernel_thread {
            return None;
        }
        if live.space.is_none() {
            let ppid = live.ppid;
            let read = self.host.maps(pid).filter(|maps| !maps.is_empty());
            let space = match read {
                Some(maps) => Rc::new(AddressSpace::new(maps)),
                None => self
                    .processes
                    .get(ppid)
                    .and_then(|parent| parent.space.clone())
                    .unwrap_or_default(),
            };
            self.processes.get_mut(pid)?.space = Some(space);
        }
        let space = self.processes.get(pid)?.space.clone()?;
        for mapping in space.mappings() {
            if mapping.resolved.get().is_none() {
                let resolved = self
                    .executables
                    .resolve(&mapping.raw, || self.host.open(pid, &mapping.raw));
                mapping.resolved.set(Some(resolved));
            }
        }
        Some(space)
    }

    fn sample(&mut self, time: u64, raw: &RawSample) {
        let pid = raw.stacks.pid;
        self.processes.get_or_look_up(pid, &self.host);
        let process = self.process_row(pid);
        let thread = self.thread_row(pid, raw.tid, process);
        if raw.stacks.has_copy {
            self.fill_copy((raw.stacks.cpu, time), pid, raw.tid);
        }
        let (stack, outcome) = self.resolve(time, &raw.stacks, process);
        let waker = self.waker(raw.waker);
        self.profile.samples.push(Sample {
            time_ns: time.saturating_sub(self.start),
            thread,
            stack,
            sample_type: raw.sample_type,
            outcome,
            cpu: raw.stacks.cpu as u16,
            value: raw.value,
            waker,
        });
    }

    /// The kernel side cannot read the memory of a thread that does not run; this side can.
    fn fill_copy(&mut self, copy: (u32, u64), pid: u32, tid: u32) {
        let Some(copied) = self
            .copies
            .get_mut(&copy)
            .filter(|copied| copied.bytes.is_empty())
        else {
            return;
        };
        let Registers { sp, ip, .. } = copied.registers;
        match self.host.waiting_stack(pid, tid, sp, ip) {
            Some(bytes) => copied.bytes = bytes,
            None => drop(self.copies.remove(&copy)),
        }
    }

    /// The stack that the hashes stand for, of `process`.
    fn resolve(&mut self, time: u64, raw: &RawStacks, process: Id<Process>) -> (Option<Id<Stack>>, Outcome) {
        let copied = match (raw.has_copy, raw.copy_is_shared) {
            (false, _) => None,
            (true, false) => self.copies.remove(&(raw.cpu, time)),
            (true, true) => self.copies.get(&(raw.cpu, time)).cloned(),
        };
        let kernel = self.kernel_frames(raw.kernel);
        let mut outcome = outcome(raw.outcome);
        let in_exec = self.processes.get(raw.pid).is_some_and(|live| live.in_exec);
        let mut user = self.user_frames(raw.user);
        let mut user_hash = raw.user;
        if in_exec && raw.user != 0 {
            // The registers are those of the program before, whose stack is gone.
            (user, user_hash, outcome) = (Rc::default(), 0, Outcome::NoUserStack);
        }
        if raw.outcome == stats::Outcome::UnmappedCode && self.processes.reread(raw.pid, time, &self.host) {
            self.wanting_tables.insert(raw.pid);
        }
        let space = if user.is_empty() && copied.is_none() {
            None
        } else {
            self.address_space(raw.pid)
        };
        if let Some(space) = &space {
            if raw.outcome == stats::Outcome::NoMappings {
                self.wanting_tables.insert(raw.pid);
            }
            if let Some(copied) = copied {
                let first_is_return = user.first().is_none_or(|frame| frame & FRAME_IS_INSTRUCTION == 0);
                let walked = self.finish_walk(space, &copied, first_is_return, time);
                user = walked.0.into();
                outcome = walked.1;
                // Not a stack that the kernel side named.
                user_hash = 0;
            }
        }
        let generation = space.as_ref().map_or(0, |space| space.generation());
        let key = (generation, process, user_hash, raw.kernel);
        let cacheable = user_hash != 0 || user.is_empty();
        let stack = match self.known.get(&key).filter(|_| cacheable) {
            Some(stack) => *stack,
            None => {
                let stack = self.intern(&user, &kernel, space.as_deref(), process);
                if cacheable {
                    self.known.insert(key, stack);
                }
                stack
            }
        };
        (stack, outcome)
    }

    /// How a thread spent its time up to `time`.
    pub fn thread_time(&mut self, time: u64, raw: &RawThread) {
        let Some(span) = self.accounts.span(time, raw) else {
            return;
        };
        self.processes.get_or_look_up(raw.pid, &self.host);
        let process = self.process_row(raw.pid);
        let thread = self.thread_row(raw.pid, raw.tid, process);
        self.profile.thread_times.push(ThreadTime {
            thread,
            start_ns: span.start.saturating_sub(self.start),
            end_ns: time.saturating_sub(self.start),
            ns: span.ns,
            waits: span.waits,
            preemptions: span.preemptions,
            in_calls_ns: (self.calls_are_recorded && span.ns[state::State::Running as usize] > 0)
                .then_some(span.in_calls_ns),
        });
    }

    fn user_frames(&mut self, hash: u64) -> Rc<[u64]> {
        Self::frames_of(&self.user_stacks, hash, &mut self.lost)
    }

    fn kernel_frames(&mut self, hash: u64) -> Rc<[u64]> {
        Self::frames_of(&self.kernel_stacks, hash, &mut self.lost)
    }

    fn frames_of(
        stacks: &FxHashMap<u64, Rc<[u64]>>,
        hash: u64,
        lost: &mut BTreeMap<&'static str, u64>,
    ) -> Rc<[u64]> {
        match stacks.get(&hash) {
            Some(frames) => frames.clone(),
            None => {
                if hash != 0 {
                    *lost.entry("stack of a sample").or_default() += 1;
                }
                Rc::default()
            }
        }
    }

    fn finish_walk(
        &mut self,
        space: &AddressSpace,
        copied: &Copied,
        is_return: bool,
        now: u64,
    ) -> (Vec<u64>, Outcome) {
        self.tables.build(space, &mut self.executables, now);
        let snapshot = Snapshot {
            registers: copied.registers,
            is_return,
            stack: &copied.bytes,
        };
        let walked = self
            .tables
            .walk(space, &self.executables, &snapshot, self.max_frames);
        (walked.frames, outcome(walked.outcome))
    }

    /// The stack of both kinds of frames, each innermost first.
    fn intern(
        &mut self,
        user: &[u64],
        kernel: &[u64],
        space: Option<&AddressSpace>,
        process: Id<Process>,
    ) -> Option<Id<Stack>> {
        let mut locations = Vec::with_capacity(user.len() + kernel.len());
        for (at, &frame) in kernel.iter().enumerate() {
            let address = if at == 0 {
                CodeAddress::Instruction(frame)
            } else {
                CodeAddress::Return(frame)
            };
            locations.push(self.kernel_location(address.lookup()));
        }
        for (at, &frame) in user.iter().enumerate() {
            let is_instruction = |frame: u64| frame & FRAME_IS_INSTRUCTION != 0;
            // The frame inside an interrupted one is the signal's trampoline: nobody called it, so its address is not
            // behind a call but its very begin.
            let is_trampoline = user.get(at + 1).is_some_and(|&outer| is_instruction(outer));
            let address = frame & !FRAME_IS_INSTRUCTION;
            let address = match is_instruction(frame) || is_trampoline {
                true => CodeAddress::Instruction(address),
                false => CodeAddress::Return(address),
            };
            locations.push(self.user_location(address.lookup(), space, process));
        }
        self.profile.stacks.intern(locations.into_iter().rev())
    }

    fn kernel_location(&mut self, address: u64) -> Id<Location> {
        let mapping = self.profile.mappings.intern(self.kernel_text.mapping(address));
        self.profile.locations.intern(Location { mapping, address })
    }

    fn user_location(
        &mut self,
        address: u64,
        space: Option<&AddressSpace>,
        process: Id<Process>,
    ) -> Id<Location> {
        let resolved = space
            .and_then(|space| space.find(address))
            .and_then(|live| live.resolved.get());
        let Some(resolved) = resolved else {
            let kind = MappingKind::Unknown(process);
            let mapping = self.profile.mappings.intern(Mapping {
                kind,
                path: "[unknown]".into(),
                build_id: vec![],
            });
            return self.profile.locations.intern(Location { mapping, address });
        };
        let mapping = self.mapping_row(resolved.executable, process);
        self.profile.locations.intern(Location {
            mapping,
            address: address.wrapping_sub(resolved.bias),
        })
    }

    /// An executable's row, as `process` maps it.
    fn mapping_row(&mut self, executable: ExecutableId, process: Id<Process>) -> Id<Mapping> {
        let executable = self.executables.get_mut(executable);
        let kind = match executable.kind {
            Kind::Elf => MappingKind::File,
            Kind::Opaque => MappingKind::FileOffset,
            Kind::Vdso => MappingKind::Vdso,
            Kind::Anonymous => MappingKind::Anonymous(process),
        };
        let row = || Mapping {
            kind,
            path: executable.path.clone(),
            build_id: executable.build_id.clone(),
        };
        match (executable.mapping, executable.kind) {
            (Some(mapping), _) => mapping,
            (None, Kind::Anonymous) => self.profile.mappings.intern(row()),
            (None, _) => {
                let mapping = self.profile.mappings.intern(row());
                executable.mapping = Some(mapping);
                self.files
                    .extend(executable.file.clone().map(|file| (mapping, file)));
                mapping
            }
        }
    }

    fn process_row(&mut self, pid: u32) -> Id<Process> {
        let Some(live) = self.processes.get_mut(pid) else {
            unreachable!("looked up before")
        };
        if let Some(row) = live.row {
            return row;
        }
        let owner = self.host.owner(pid).map(Rc::new).or_else(|| live.owner.clone());
        live.owner.clone_from(&owner);
        if live.exe.is_none() {
            live.exe = self.host.exe(pid);
        }
        let owner = owner.unwrap_or_default();
        let Live {
            ppid,
            name,
            kernel_thread,
            exe,
            since,
            ..
        } = &*live;
        let row = self.profile.processes.intern(Process {
            pid,
            ppid: *ppid,
            name: name.clone(),
            exe: exe.clone().unwrap_or_default(),
            cgroup: owner.cgroup.clone(),
            unit: owner.unit.clone(),
            container: owner.container.clone(),
            start_ns: since.saturating_sub(self.start),
            kernel_thread: *kernel_thread,
        });
        live.row = Some(row);
        row
    }

    fn thread_row(&mut self, pid: u32, tid: u32, process: Id<Process>) -> Id<Thread> {
        let Some(live) = self.processes.get_mut(pid) else {
            unreachable!("looked up before")
        };
        let name = &live.name;
        let host = &self.host;
        let thread = live.threads.entry(tid).or_insert_with(|| {
            // The first thread's name is the process's; another's was not told, so it ran before.
            let named = if tid == pid {
                None
            } else {
                host.thread_name(pid, tid)
            };
            LiveThread::new(named.map_or_else(|| name.clone(), |name| text(&name)))
        });
        if let Some(row) = thread.row {
            return row;
        }
        let row = self.profile.threads.intern(Thread {
            process,
            tid,
            name: thread.name.clone(),
        });
        thread.row = Some(row);
        row
    }
}

/// The profile's word for how a walk ended.
fn outcome(outcome: stats::Outcome) -> Outcome {
    Outcome::ALL[outcome as usize]
}

#[cfg(test)]
mod tests;
