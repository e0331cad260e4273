//! Polls that seem to last.
//!
//! Nobody tells when a poll begins and ends. But a worker that was sampled on the CPU in the same task again and again,
//! and was not seen to do anything else in between, did most likely not return from it. Unless it is met there most of
//! the time anyway: a busy server runs the same code for one connection after the other, and its samples, too, show the
//! same task in a row now and then. So a row counts only if chance does not explain it.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::{
    Tid,
    chance::{Awaits, Usual},
    place::{FrameId, Place, Poll},
    place_of,
};
use crate::profile::{Id, Process, Profile, Sample, Stack, Thread, Waker};

/// A span ends where so many periods of the clock pass without a sample on the CPU.
const PERIODS: u64 = 3;
/// But not before this, in nanoseconds: a wait that lasts is sampled itself, and a fast clock has short periods.
const GAP_NS: u64 = 30_000_000;

/// Polls of one task that seem to have lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongPoll {
    /// In which process.
    pub process: Id<Process>,
    /// The outermost function of the program in the poll, which is the task's; raw.
    pub task: String,
    /// The innermost function of the program, in most samples of the longest span; raw.
    pub function: String,
    /// How many spans there were.
    pub spans: u64,
    /// How long they were in all, at least, in nanoseconds.
    pub total_ns: u64,
    /// The longest.
    pub longest: Span,
    /// A stack of it, and the frames of the two functions.
    pub stack: Id<Stack>,
    /// The frame of the function in that stack.
    pub inner: FrameId,
    /// The frame of the task in that stack.
    pub outer: FrameId,
}

/// Samples of one task in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Whose.
    pub thread: Id<Thread>,
    /// When the first was taken, in nanoseconds since the recording began.
    pub start_ns: u64,
    /// When the last was.
    pub end_ns: u64,
    /// How many there are.
    pub samples: u64,
}

impl Span {
    /// From the first sample to the last: the poll lasted longer.
    pub fn length_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }
}

/// By the longest span, then by name.
pub(super) fn long_polls(
    profile: &Profile,
    places: &[Place],
    threads: &FxHashMap<Tid, Vec<&Sample>>,
    waits: impl Fn(&Sample) -> bool,
    threshold_ns: u64,
) -> Vec<LongPoll> {
    let mut finder = Finder {
        profile,
        names: FxHashMap::default(),
        gap_ns: (PERIODS * period_ns(profile)).max(GAP_NS),
        threshold_ns,
        awaits: Awaits::default(),
        usual: Usual::default(),
        found: FxHashMap::default(),
    };
    let mut threads: Vec<_> = threads.iter().collect();
    threads.sort_by_key(|(thread, _)| **thread);
    let threads: Vec<Vec<(&Sample, Seen)>> = threads
        .into_iter()
        .map(|(_, samples)| {
            let mut samples = samples.clone();
            samples.sort_by_key(|sample| sample.time_ns);
            let seen = |sample| {
                (
                    sample,
                    finder.seen(place_of(places, sample), sample, waits(sample)),
                )
            };
            samples.into_iter().map(seen).collect()
        })
        .collect();
    for (_, seen) in threads.iter().flatten() {
        finder.awaits.add(seen);
    }
    for samples in threads {
        finder.usual = Usual::of(period_ns(profile), &samples);
        let mut run = Run::default();
        for (sample, seen) in samples {
            finder.follow(&mut run, sample, seen);
        }
        finder.end(&mut run);
    }
    let mut rows: Vec<_> = finder.found.into_values().collect();
    rows.sort_by(|a, b| {
        let size = |row: &LongPoll| (Reverse(row.longest.length_ns()), Reverse(row.total_ns));
        size(a)
            .cmp(&size(b))
            .then_with(|| (&a.task, a.process.raw()).cmp(&(&b.task, b.process.raw())))
    });
    rows
}

fn period_ns(profile: &Profile) -> u64 {
    (1_000_000_000 / u64::from(profile.metadata.frequency_hz.max(1))).max(1)
}

/// What a sample shows its worker at.
pub(super) enum Seen {
    /// On the CPU in a task: its name, the function, and their frames.
    Task(String, String, FrameId, FrameId),
    /// Off it in a task, which is no sign that the poll goes on or ended.
    Wait(String),
    /// Without a CPU: it would have gone on.
    Preempted,
    /// On the CPU in a task, of this name, but in the runtime: the task waits for a timer or a socket, and will return or
    /// was just polled again.
    Await(String),
    /// On the CPU at something else.
    Busy,
    /// Off it, for something else.
    Idle,
}

/// Samples in a row, so far.
#[derive(Default)]
struct Run<'a> {
    task: String,
    /// How long it had to wait for a CPU since the last of them.
    preempted_ns: u64,
    samples: Vec<(&'a Sample, String, FrameId, FrameId)>,
}

struct Finder<'a> {
    profile: &'a Profile,
    names: FxHashMap<FrameId, String>,
    gap_ns: u64,
    threshold_ns: u64,
    awaits: Awaits,
    /// What the worker is usually at that is looked at.
    usual: Usual,
    found: FxHashMap<(Id<Process>, String), LongPoll>,
}

impl<'a> Finder<'a> {
    fn seen(&mut self, place: Place, sample: &Sample, waits: bool) -> Seen {
        if waits && sample.waker == Waker::Nobody {
            return Seen::Preempted;
        }
        match place {
            Place::Poll(poll) if poll.is_own() => match (poll.task, poll.user) {
                (Some(task), Some(_)) if waits => Seen::Wait(self.name(task)),
                (Some(task), Some(user)) => Seen::Task(self.name(task), self.name(user), task, user),
                _ if waits => Seen::Idle,
                _ => Seen::Busy,
            },
            Place::Poll(Poll { task: Some(task), .. }) if !waits => Seen::Await(self.name(task)),
            _ if waits => Seen::Idle,
            _ => Seen::Busy,
        }
    }

    fn name(&mut self, frame: FrameId) -> String {
        let name = self
            .names
            .entry(frame)
            .or_insert_with(|| frame.name(self.profile));
        name.clone()
    }

    fn follow(&mut self, run: &mut Run<'a>, sample: &'a Sample, seen: Seen) {
        match seen {
            Seen::Preempted => run.preempted_ns = run.preempted_ns.saturating_add(sample.value),
            Seen::Wait(task) if task == run.task => {}
            Seen::Wait(_) | Seen::Await(_) | Seen::Busy | Seen::Idle => self.end(run),
            Seen::Task(task, function, outer, inner) => {
                let last = run.samples.last().map_or(0, |(last, ..)| last.time_ns);
                let gap_ns = self.gap_ns.saturating_add(run.preempted_ns);
                if task != run.task || sample.time_ns.saturating_sub(last) > gap_ns {
                    self.end(run);
                    run.task = task;
                }
                run.preempted_ns = 0;
                run.samples.push((sample, function, outer, inner));
            }
        }
    }

    /// Ends a run, and keeps it if it is long.
    fn end(&mut self, run: &mut Run<'a>) {
        let Run { task, samples, .. } = std::mem::take(run);
        let (Some((first, ..)), Some((last, ..))) = (samples.first(), samples.last()) else {
            return;
        };
        let longest = Span {
            thread: first.thread,
            start_ns: first.time_ns,
            end_ns: last.time_ns,
            samples: samples.len() as u64,
        };
        let by_chance = |row| self.usual.explains(&task, row) || self.awaits.explain(&task, row);
        if longest.length_ns() < self.threshold_ns || by_chance(samples.len() as f64) {
            return;
        }
        let Some((stack, function, outer, inner)) = typical(&samples) else {
            return;
        };
        let process = self.profile.threads[first.thread].process;
        let row = LongPoll {
            process,
            task: task.clone(),
            function,
            spans: 0,
            total_ns: 0,
            longest,
            stack,
            inner,
            outer,
        };
        let known = self.found.entry((process, task)).or_insert_with(|| row.clone());
        let (spans, total_ns) = (
            known.spans + 1,
            known.total_ns.saturating_add(longest.length_ns()),
        );
        if longest.length_ns() > known.longest.length_ns() {
            *known = row;
        }
        (known.spans, known.total_ns) = (spans, total_ns);
    }
}

/// The function that most samples are in, and the stack of the first of these.
fn typical(samples: &[(&Sample, String, FrameId, FrameId)]) -> Option<(Id<Stack>, String, FrameId, FrameId)> {
    let mut counts: FxHashMap<&str, u64> = FxHashMap::default();
    for (_, function, ..) in samples {
        *counts.entry(function).or_default() += 1;
    }
    let (function, _) = counts
        .into_iter()
        .max_by_key(|&(name, count)| (count, Reverse(name)))?;
    let (sample, _, outer, inner) = samples.iter().find(|(_, name, ..)| name == function)?;
    Some((sample.stack?, function.to_owned(), *outer, *inner))
}
