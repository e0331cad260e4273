//! What of all that comes in belongs to a trace: what was selected, from a moment on.

use rustc_hash::FxHashMap;

use crate::{
    profile::{
        CallStack, Delta, Extent, Id, Latency, LockWait, Mark, Profile, QualityWindow, Sample, SlowEvent,
        State, Thread, ThreadTime,
    },
    query::{Sampled, Selection},
    tui::{
        compact::{Compaction, Moved},
        epoch::Observed,
    },
};

/// Window by window what belongs to a trace, with tables of its own: what was not selected is not in them, and time
/// begins with it.
#[derive(Debug)]
pub(super) struct Cut {
    selection: Selection,
    /// When it begins, in nanoseconds since collecting began.
    from_ns: u64,
    /// The trace's tables, and what is new in them.
    cut: Profile,
    mark: Mark,
    moved: Moved,
    /// Waits that had not ended when they were last told of, one of a thread: they are told of again and again, and the
    /// trace has each once.
    unfinished: FxHashMap<Id<Thread>, LockWait>,
}

impl Cut {
    /// From `from_ns` on. `filters` are the selection in words.
    pub(super) fn new(profile: &Profile, from_ns: u64, selection: Selection, filters: Vec<String>) -> Self {
        let mut metadata = profile.metadata.clone();
        metadata.filters.extend(filters);
        metadata.start_monotonic_ns = metadata.start_monotonic_ns.saturating_add(from_ns);
        metadata.start_unix_ns = metadata.start_unix_ns.saturating_add(from_ns);
        Self {
            selection,
            from_ns,
            cut: Profile {
                metadata,
                ..Profile::default()
            },
            mark: Mark::default(),
            moved: Moved::default(),
            unfinished: FxHashMap::default(),
        }
    }

    /// The ids of what comes in are others now.
    pub(super) fn restart(&mut self) {
        self.moved = Moved::default();
    }

    /// What belongs behind the last window: waits that had not ended.
    pub(super) fn last(&mut self) -> Delta {
        let mut lock_waits: Vec<LockWait> = self.unfinished.drain().map(|(_, wait)| wait).collect();
        lock_waits.sort_by_key(|wait| (wait.end_ns, wait.thread));
        Delta {
            lock_waits,
            ..Delta::default()
        }
    }

    /// What of `observed`, which refers to `profile`, belongs to the trace.
    pub(super) fn window(
        &mut self,
        profile: &Profile,
        observed: &Observed,
        quality: &[QualityWindow],
    ) -> Delta {
        let from_ns = self.from_ns;
        let known = self.cut.sample_types.len();
        let new_types = profile.sample_types.get(known..).unwrap_or_default();
        self.cut.sample_types.extend_from_slice(new_types);
        let selection = Selection {
            sample_types: (0..=u8::MAX).take(profile.sample_types.len()).collect(),
            ..self.selection.clone()
        };
        let matcher = selection.matcher(profile);
        let processes = selection.processes(profile);
        let mut compaction = Compaction::new(profile, &mut self.cut, &mut self.moved, from_ns);
        let mut kept = Observed::default();
        let cpu = Sampled::Cpu.sample_types(profile).unwrap_or_default();
        let mut left_out = 0;
        for mut sample in observed.samples.iter().copied() {
            if matcher.matches(&sample) {
                compaction.keep(&mut sample);
                kept.samples.push(sample_from(sample, from_ns));
            } else if cpu.contains(&sample.sample_type) {
                left_out += 1;
            }
        }
        for span in &observed.thread_times {
            if matcher.matches_thread(span.thread)
                && let Some(mut span) = span_from(*span, from_ns)
            {
                compaction.keep_time(&mut span);
                kept.thread_times.push(span);
            }
        }
        for row in &observed.latencies {
            if processes[row.key.process.index()] {
                let mut row = row.clone();
                compaction.keep_latency(&mut row);
                kept.latencies.push(latency_from(row, from_ns));
            }
        }
        for event in &observed.slow {
            if matcher.matches_at(event.thread, event.stack) {
                let mut event = event.clone();
                compaction.keep_slow(&mut event);
                kept.slow.push(slow_from(event, from_ns));
            }
        }
        for mut wait in observed.lock_waits.iter().copied() {
            if matcher.matches_at(wait.thread, wait.stack) {
                compaction.keep_lock_wait(&mut wait);
                kept.lock_waits
                    .extend(finished(&mut self.unfinished, wait_from(wait, from_ns)));
            }
        }
        for mut call in observed.call_stacks.iter().copied() {
            // Who ended a wait may be somebody else.
            if matcher.matches_thread(call.thread) || compaction.has_thread(call.thread) {
                compaction.keep_call_stack(&mut call);
                kept.call_stacks.push(call_from(call, from_ns));
            }
        }
        observed
            .named
            .iter()
            .for_each(|&location| compaction.rename(location));
        self.cut.samples = kept.samples;
        self.cut.thread_times = kept.thread_times;
        self.cut.latencies = kept.latencies;
        self.cut.slow = kept.slow;
        self.cut.lock_waits = kept.lock_waits;
        self.cut.call_stacks = kept.call_stacks;
        self.cut.quality = quality_from(quality, left_out, from_ns);
        let lines = std::mem::take(&mut self.cut.lines);
        let mut delta = self.cut.take_delta(&mut self.mark);
        delta.lines = lines.into_iter().collect();
        // In the order of their locations, so that the same happening makes the same trace.
        delta.lines.sort_by_key(|(location, _)| location.raw());
        delta
    }
}

/// What is known to have ended now that this wait is known.
fn finished(unfinished: &mut FxHashMap<Id<Thread>, LockWait>, wait: LockWait) -> Vec<LockWait> {
    let before = unfinished.remove(&wait.thread);
    // Else it was this one.
    let ended = before.filter(|before| before.end_ns <= wait.end_ns.saturating_sub(wait.duration_ns));
    let mut finished = Vec::from_iter(ended);
    match wait.extent {
        Extent::NotEnded | Extent::Throughout => drop(unfinished.insert(wait.thread, wait)),
        Extent::Whole | Extent::BegunBefore => finished.push(wait),
    }
    finished
}

fn sample_from(sample: Sample, from_ns: u64) -> Sample {
    Sample {
        time_ns: sample.time_ns.saturating_sub(from_ns),
        ..sample
    }
}

/// The part of a span that counts. Where it is not all of it, the states of the part are taken to be those of the whole.
fn span_from(span: ThreadTime, from_ns: u64) -> Option<ThreadTime> {
    let end_ns = span.end_ns.checked_sub(from_ns).filter(|&end_ns| end_ns > 0)?;
    let start_ns = span.start_ns.saturating_sub(from_ns);
    let (mut ns, mut in_calls_ns) = (span.ns, span.in_calls_ns);
    if span.start_ns < from_ns {
        let whole = u128::from(span.end_ns - span.start_ns);
        let part = |time: u64| (u128::from(time) * u128::from(end_ns) / whole) as u64;
        ns = ns.map(part);
        in_calls_ns = in_calls_ns.map(part);
        // What rounding took; the states add up to the span's length.
        let longest = (0..State::COUNT).max_by_key(|&state| ns[state]).unwrap_or(0);
        ns[longest] += end_ns.saturating_sub(ns.iter().sum());
    }
    Some(ThreadTime {
        start_ns,
        end_ns,
        ns,
        in_calls_ns,
        ..span
    })
}

fn latency_from(row: Latency, from_ns: u64) -> Latency {
    Latency {
        start_ns: row.start_ns.saturating_sub(from_ns),
        end_ns: row.end_ns.saturating_sub(from_ns),
        ..row
    }
}

fn slow_from(event: SlowEvent, from_ns: u64) -> SlowEvent {
    let end_ns = event.end_ns.saturating_sub(from_ns);
    let (duration_ns, extent) = seen(event.duration_ns, event.extent, end_ns);
    SlowEvent {
        end_ns,
        duration_ns,
        extent,
        wait_ns: event.wait_ns.min(duration_ns),
        woken_ns: event.woken_ns.saturating_sub(from_ns),
        ..event
    }
}

fn wait_from(wait: LockWait, from_ns: u64) -> LockWait {
    let end_ns = wait.end_ns.saturating_sub(from_ns);
    let (duration_ns, extent) = seen(wait.duration_ns, wait.extent, end_ns);
    LockWait {
        end_ns,
        duration_ns,
        extent,
        woken_ns: wait.woken_ns.saturating_sub(from_ns),
        ..wait
    }
}

/// How long it was, and how much of it was seen, of what ended `end_ns` after the trace began.
fn seen(duration_ns: u64, extent: Extent, end_ns: u64) -> (u64, Extent) {
    if duration_ns <= end_ns {
        return (duration_ns, extent);
    }
    let extent = match extent {
        Extent::Whole | Extent::BegunBefore => Extent::BegunBefore,
        Extent::NotEnded | Extent::Throughout => Extent::Throughout,
    };
    (end_ns, extent)
}

fn call_from(call: CallStack, from_ns: u64) -> CallStack {
    CallStack {
        start_ns: call.start_ns.saturating_sub(from_ns),
        end_ns: call.end_ns.saturating_sub(from_ns),
        ..call
    }
}

/// Samples that do not belong to the trace were taken all the same, as those are that the kernel filters.
fn quality_from(windows: &[QualityWindow], mut left_out: u64, from_ns: u64) -> Vec<QualityWindow> {
    let mut windows = windows.to_vec();
    for window in &mut windows {
        window.start_ns = window.start_ns.saturating_sub(from_ns);
        window.end_ns = window.end_ns.saturating_sub(from_ns);
        let filtered = left_out.min(window.samples);
        window.samples -= filtered;
        window.filtered += filtered;
        left_out -= filtered;
    }
    windows
}

#[cfg(test)]
mod tests;
