//! Only what is still referred to.

use crate::profile::{
    CallStack, Id, Latency, Line, Location, Lock, LockWait, Mapping, MappingKind, Process, Profile, Sample,
    SlowEvent, Stack, Thread, ThreadTime, Waker,
};

/// Where rows of an old profile are in a new one, as far as they were moved there.
#[derive(Debug, Default)]
pub(super) struct Moved {
    locations: Vec<Option<Id<Location>>>,
    stacks: Vec<Option<Id<Stack>>>,
    threads: Vec<Option<Id<Thread>>>,
    locks: Vec<Option<Id<Lock>>>,
}

impl Moved {
    /// Whether something that was moved refers to this thread.
    pub(super) fn has_thread(&self, id: Id<Thread>) -> bool {
        self.threads.get(id.index()).is_some_and(Option::is_some)
    }
}

/// Moves rows from an old profile to a new one, each when the first of what was observed refers to it.
pub(super) struct Compaction<'a> {
    old: &'a Profile,
    new: &'a mut Profile,
    moved: &'a mut Moved,
    /// When the new profile begins, by the old one's clock, in nanoseconds.
    since_ns: u64,
}

impl<'a> Compaction<'a> {
    /// Goes on with what was `moved` from `old` to `new`.
    pub(super) fn new(old: &'a Profile, new: &'a mut Profile, moved: &'a mut Moved, since_ns: u64) -> Self {
        moved.locations.resize(old.locations.len(), None);
        moved.stacks.resize(old.stacks.len(), None);
        moved.threads.resize(old.threads.len(), None);
        moved.locks.resize(old.locks.len(), None);
        Self {
            old,
            new,
            moved,
            since_ns,
        }
    }

    /// Whether something that was moved refers to this thread.
    pub(super) fn has_thread(&self, id: Id<Thread>) -> bool {
        self.moved.has_thread(id)
    }

    /// Takes along what `sample` refers to, and lets it refer to that.
    pub(super) fn keep(&mut self, sample: &mut Sample) {
        sample.thread = self.thread(sample.thread);
        sample.stack = sample.stack.map(|stack| self.stack(stack));
        self.waker(&mut sample.waker);
    }

    /// As [`Self::keep`], for a span of a thread.
    pub(super) fn keep_time(&mut self, span: &mut ThreadTime) {
        span.thread = self.thread(span.thread);
    }

    /// As [`Self::keep`], for a window of operations.
    pub(super) fn keep_latency(&mut self, row: &mut Latency) {
        row.key.process = self.process(row.key.process);
    }

    /// As [`Self::keep`], for a call that took long.
    pub(super) fn keep_slow(&mut self, event: &mut SlowEvent) {
        event.thread = self.thread(event.thread);
        event.stack = event.stack.map(|stack| self.stack(stack));
        if let Some(target) = &mut event.target {
            *target = self.new.targets.intern(self.old.targets[*target].clone());
        }
        self.waker(&mut event.waker);
    }

    /// As [`Self::keep`], for a wait for a lock.
    pub(super) fn keep_lock_wait(&mut self, wait: &mut LockWait) {
        wait.thread = self.thread(wait.thread);
        wait.lock = self.lock(wait.lock);
        wait.stack = wait.stack.map(|stack| self.stack(stack));
        self.waker(&mut wait.owner);
        self.waker(&mut wait.waker);
    }

    /// As [`Self::keep`], for the stack of a call.
    pub(super) fn keep_call_stack(&mut self, call: &mut CallStack) {
        call.thread = self.thread(call.thread);
        call.stack = call.stack.map(|stack| self.stack(stack));
    }

    /// Takes along a thread that something refers to.
    pub(super) fn keep_thread(&mut self, thread: Id<Thread>) -> Id<Thread> {
        self.thread(thread)
    }

    /// Takes along who ended a wait.
    pub(super) fn keep_waker(&mut self, waker: &mut Waker) {
        self.waker(waker);
    }

    /// Takes along a place that something refers to.
    pub(super) fn keep_location(&mut self, location: Id<Location>) -> Id<Location> {
        self.location(location)
    }

    /// What is called otherwise by now, if it was moved.
    pub(super) fn rename(&mut self, id: Id<Location>) {
        if let Some(Some(kept)) = self.moved.locations.get(id.index()) {
            self.name(id, *kept);
        }
    }

    fn waker(&mut self, waker: &mut Waker) {
        if let Waker::Thread(thread) = waker {
            *thread = self.thread(*thread);
        }
    }

    fn thread(&mut self, id: Id<Thread>) -> Id<Thread> {
        if let Some(kept) = self.moved.threads[id.index()] {
            return kept;
        }
        let thread = self.old.threads[id].clone();
        let process = self.process(thread.process);
        let kept = self.new.threads.intern(Thread { process, ..thread });
        self.moved.threads[id.index()] = Some(kept);
        kept
    }

    fn lock(&mut self, id: Id<Lock>) -> Id<Lock> {
        if let Some(kept) = self.moved.locks[id.index()] {
            return kept;
        }
        let lock = self.old.locks[id].clone();
        let kept = Lock {
            process: lock.process.map(|process| self.process(process)),
            place: lock
                .place
                .map(|(mapping, address)| (self.mapping(mapping), address)),
            ..lock
        };
        let kept = self.new.locks.intern(kept);
        self.moved.locks[id.index()] = Some(kept);
        kept
    }

    fn process(&mut self, id: Id<Process>) -> Id<Process> {
        let mut process = self.old.processes[id].clone();
        process.start_ns = process.start_ns.saturating_sub(self.since_ns);
        self.new.processes.intern(process)
    }

    fn stack(&mut self, id: Id<Stack>) -> Id<Stack> {
        let mut missing = Vec::new();
        let mut caller = None;
        let mut next = Some(id);
        while let Some(id) = next {
            if let Some(kept) = self.moved.stacks[id.index()] {
                caller = Some(kept);
                break;
            }
            missing.push(id);
            next = self.old.stacks.get(id).and_then(|stack| stack.caller);
        }
        for id in missing.into_iter().rev() {
            let stack = self
                .old
                .stacks
                .get(id)
                .expect("samples refer to stacks of their profile");
            let location = self.location(stack.location);
            let kept = self.new.stacks.intern_node(Stack { caller, location });
            self.moved.stacks[id.index()] = Some(kept);
            caller = Some(kept);
        }
        caller.expect("a stack has at least one node")
    }

    fn location(&mut self, id: Id<Location>) -> Id<Location> {
        if let Some(kept) = self.moved.locations[id.index()] {
            return kept;
        }
        let location = self.old.locations[id];
        let mapping = self.mapping(location.mapping);
        let kept = self.new.locations.intern(Location { mapping, ..location });
        self.moved.locations[id.index()] = Some(kept);
        self.name(id, kept);
        kept
    }

    fn name(&mut self, id: Id<Location>, kept: Id<Location>) {
        if let Some(lines) = self.old.lines.get(&id) {
            let named = |line: &Line| Line {
                function: self
                    .new
                    .functions
                    .intern(self.old.functions[line.function].clone()),
                ..*line
            };
            let lines = lines.iter().map(named).collect();
            self.new.lines.insert(kept, lines);
        }
    }

    fn mapping(&mut self, id: Id<Mapping>) -> Id<Mapping> {
        let mut mapping = self.old.mappings[id].clone();
        if let MappingKind::Anonymous(process) | MappingKind::Unknown(process) = &mut mapping.kind {
            *process = self.process(*process);
        }
        self.new.mappings.intern(mapping)
    }
}
