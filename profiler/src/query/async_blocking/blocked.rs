//! Workers that left the CPU within the poll of a task.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::place::{Place, Poll};
use crate::{
    profile::{Extent, Id, Process, Profile, Sample, SlowEvent, Stack, Waker},
    query::operation::is_call,
};

/// Waits of one function's, in one operation, within polls of tasks.
#[derive(Clone, Debug)]
pub struct Blocked<'a> {
    /// In which process.
    pub process: Id<Process>,
    /// The innermost function of the program; raw.
    pub function: String,
    /// The function of a library that it called, such as `std::thread::sleep`; raw, empty if there is none.
    pub operation: String,
    /// Value of the samples: the time stolen from the worker, estimated, in nanoseconds.
    pub value: u64,
    /// How many samples that is.
    pub samples: u64,
    /// How many system calls over the threshold were recorded one by one, and how long they took.
    pub calls: u64,
    /// How long these took in all, in nanoseconds.
    pub calls_ns: u64,
    /// The longest of them.
    pub longest: Option<&'a SlowEvent>,
    /// Where it was: of the longest call, else of the sample that weighs most.
    pub stack: Id<Stack>,
    /// What of that stack is the program's.
    pub poll: Poll,
    /// What the sample that has this stack weighs.
    weight: u64,
}

/// By value, largest first, then by the length of calls and by name.
pub(super) fn blocked<'a>(
    profile: &'a Profile,
    places: &[Place],
    waits: impl Iterator<Item = Sample>,
    slow: impl Iterator<Item = &'a SlowEvent>,
) -> Vec<Blocked<'a>> {
    let mut groups = Groups {
        profile,
        places,
        rows: FxHashMap::default(),
    };
    for sample in waits.filter(|sample| sample.waker != Waker::Nobody) {
        let process = profile.threads[sample.thread].process;
        let Some(row) = groups.of(process, sample.stack) else {
            continue;
        };
        row.samples += 1;
        row.value = row.value.saturating_add(sample.value);
        if let (true, Some(stack)) = (sample.value > row.weight, sample.stack) {
            row.weight = sample.value;
            groups.show(process, stack);
        }
    }
    for event in slow.filter(|event| left_the_cpu(event)) {
        let process = profile.threads[event.thread].process;
        let Some(row) = groups.of(process, event.stack) else {
            continue;
        };
        row.calls += 1;
        row.calls_ns = row.calls_ns.saturating_add(event.duration_ns);
        if let (true, Some(stack)) = (
            row.longest
                .is_none_or(|longest| longest.duration_ns < event.duration_ns),
            event.stack,
        ) {
            row.longest = Some(event);
            groups.show(process, stack);
        }
    }
    let mut rows: Vec<_> = groups.rows.into_values().collect();
    rows.sort_by(|a, b| {
        let size = |row: &Blocked<'_>| (Reverse(row.value), Reverse(row.calls_ns));
        let name = |row: &Blocked<'_>| (profile.processes[row.process].pid, row.process.raw());
        size(a)
            .cmp(&size(b))
            .then_with(|| (&a.function, &a.operation).cmp(&(&b.function, &b.operation)))
            .then_with(|| name(a).cmp(&name(b)))
    });
    rows
}

/// A call may take long on the CPU, or because another thread had the CPU: then it did not block.
fn left_the_cpu(event: &SlowEvent) -> bool {
    let waited = event.wait_ns > 0 || matches!(event.extent, Extent::NotEnded | Extent::Throughout);
    is_call(event.operation) && waited && event.waker != Waker::Nobody
}

/// A function and an operation, in a process.
type Key = (Id<Process>, String, String);

struct Groups<'a, 'p> {
    profile: &'a Profile,
    places: &'p [Place],
    rows: FxHashMap<Key, Blocked<'a>>,
}

impl<'a> Groups<'a, '_> {
    /// The row of what waited at `stack`; `None` if nobody is to blame.
    fn of(&mut self, process: Id<Process>, stack: Option<Id<Stack>>) -> Option<&mut Blocked<'a>> {
        let (stack, poll) = (stack?, self.poll(stack?)?);
        let (function, operation) = self.names(poll)?;
        let key = (process, function.clone(), operation.clone());
        Some(self.rows.entry(key).or_insert(Blocked {
            process,
            function,
            operation,
            value: 0,
            samples: 0,
            calls: 0,
            calls_ns: 0,
            longest: None,
            stack,
            poll,
            weight: 0,
        }))
    }

    /// Makes `stack` the one that is shown for its row.
    fn show(&mut self, process: Id<Process>, stack: Id<Stack>) {
        let Some(poll) = self.poll(stack) else { return };
        if let Some(row) = self.of(process, Some(stack)) {
            (row.stack, row.poll) = (stack, poll);
        }
    }

    fn poll(&self, stack: Id<Stack>) -> Option<Poll> {
        match self.places[stack.index()] {
            Place::Poll(poll) if poll.is_own() => Some(poll),
            _ => None,
        }
    }

    fn names(&self, poll: Poll) -> Option<(String, String)> {
        let operation = poll.operation.map(|frame| frame.name(self.profile));
        Some((poll.user?.name(self.profile), operation.unwrap_or_default()))
    }
}
