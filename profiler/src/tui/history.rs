//! What the dashboard remembers, in bounded memory.
//!
//! Samples of the latest stretch of time are kept one by one, at most [`RECENT`]. Of all samples since the start at
//! most [`KEPT`] are kept: when they would be more, a fair coin decides for each whether it stays, and those that stay
//! count twice. So shares stay true on average, with an error of at most 0.2 points (95 %).
//!
//! What was measured, not sampled, is kept beside them ([`Measured`]), joined where it would be too much.
//!
//! Tables grow with what is new, and shrink to what is kept refers to whenever the feed begins its own
//! tables anew (`restart`). So memory is bounded by the two numbers above plus what the feed sends
//! between two such moments; when that is, is the feed's decision, which has the same tables to bound.

use std::{collections::VecDeque, fmt, ops::Range, time::Duration};

use super::{
    coin::Coin,
    compact::{Compaction, Moved},
    decay,
    epoch::Epoch,
    measured::Measured,
    recorder::Recorder,
};
use crate::{
    profile::{Delta, ExtendError, LockWait, Profile, QualityWindow, Sample, ThreadTime},
    query::Selection,
};

/// The most samples of the latest stretch of time: 32 MB. 64 busy CPUs at 99 Hz fill it in 158 s.
pub(super) const RECENT: usize = 1_000_000;
/// The most samples that stand for all since the start: 8 MB.
pub(super) const KEPT: usize = 250_000;
/// The longest stretch of time kept sample by sample.
pub(super) const LONGEST: Duration = Duration::from_secs(600);

/// Over which time the dashboard looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The latest stretch of time.
    Last(Duration),
    /// Everything, of which half is forgotten in so much time, half of the rest in as much again, and so on. What was
    /// measured and not sampled is that of a stretch that holds as much.
    Decaying(Duration),
    /// Everything since the start.
    Start,
}

impl Default for Window {
    fn default() -> Self {
        Self::Last(Duration::from_secs(10))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(time) if time.subsec_nanos() == 0 => write!(f, "last {} s", time.as_secs()),
            Self::Last(time) => write!(f, "last {:.1} s", time.as_secs_f64()),
            Self::Decaying(half) => write!(f, "decaying, half in {} s", half.as_secs_f64()),
            Self::Start => f.write_str("since start"),
        }
    }
}

/// What the dashboard remembers. See the [module](self) for how much that is.
#[derive(Debug)]
pub(super) struct History {
    /// The tables, and what was observed and the quality of what is shown.
    profile: Profile,
    epoch: Epoch,
    /// How far back `recent` and `quality` go, in nanoseconds.
    span_ns: u64,
    recent: VecDeque<Sample>,
    quality: VecDeque<QualityWindow>,
    since_start: Fair,
    measured: Measured,
    quality_since_start: QualityWindow,
    /// The latest moment of which there is news, in nanoseconds since the recording began.
    latest_ns: u64,
    shown_ns: Range<u64>,
    /// Writes what comes in to a trace, too.
    recorder: Option<Recorder>,
}

impl History {
    /// Nothing yet. `span` is how far back one can look sample by sample.
    pub(super) fn new(span: Duration) -> Self {
        Self::smaller(span, 1)
    }

    /// As [`Self::new`], with so many times less room for what stands for all since the start, and for what was measured.
    pub(super) fn smaller(span: Duration, times: usize) -> Self {
        Self {
            profile: Profile::default(),
            epoch: Epoch::default(),
            span_ns: nanoseconds(span.min(LONGEST)),
            recent: VecDeque::new(),
            quality: VecDeque::new(),
            since_start: Fair::new(KEPT / times),
            measured: Measured::new(times),
            quality_since_start: QualityWindow::default(),
            latest_ns: 0,
            shown_ns: 0..0,
            recorder: None,
        }
    }

    /// What is new. What is shown does not change by it, names that became known apart.
    ///
    /// # Errors
    /// If the delta refers to a row that the feed never sent; its samples are left out.
    pub(super) fn absorb(&mut self, mut delta: Delta) -> Result<(), ExtendError> {
        if let Some(metadata) = delta.metadata.take() {
            self.profile.metadata = metadata;
        }
        let windows = std::mem::take(&mut delta.quality);
        for window in &windows {
            self.latest_ns = self.latest_ns.max(window.end_ns);
            self.quality_since_start.add(window);
        }
        self.profile.ended |= delta.ended;
        let mut observed = self.epoch.take(&mut self.profile, &mut delta)?;
        if let Some(recorder) = &mut self.recorder {
            recorder.take(&self.profile, &observed, &windows);
        }
        self.quality.extend(windows);
        for sample in observed.samples.drain(..) {
            self.latest_ns = self.latest_ns.max(sample.time_ns);
            self.since_start.push(sample);
            self.recent.push_back(sample);
        }
        self.measured.take(observed, &mut self.profile);
        self.forget();
        Ok(())
    }

    /// The feed begins its tables anew: the ids of the next delta count from 0 again. Times go on.
    pub(super) fn restart(&mut self) {
        self.epoch = Epoch::default();
        let mut samples = std::mem::take(&mut self.profile.samples);
        let mut thread_times = std::mem::take(&mut self.profile.thread_times);
        let mut latencies = std::mem::take(&mut self.profile.latencies);
        let mut slow = std::mem::take(&mut self.profile.slow);
        let mut lock_waits = std::mem::take(&mut self.profile.lock_waits);
        let mut call_stacks = std::mem::take(&mut self.profile.call_stacks);
        let quality = std::mem::take(&mut self.profile.quality);
        let old = std::mem::take(&mut self.profile);
        let mut new = Profile {
            metadata: old.metadata.clone(),
            sample_types: old.sample_types.clone(),
            ended: old.ended,
            ..Profile::default()
        };
        let mut moved = Moved::default();
        let mut compaction = Compaction::new(&old, &mut new, &mut moved, 0);
        let kept = self.recent.iter_mut().chain(&mut self.since_start.samples);
        kept.chain(&mut samples)
            .for_each(|sample| compaction.keep(sample));
        self.measured.keep(&mut compaction);
        thread_times
            .iter_mut()
            .for_each(|span| compaction.keep_time(span));
        latencies.iter_mut().for_each(|row| compaction.keep_latency(row));
        slow.iter_mut().for_each(|event| compaction.keep_slow(event));
        lock_waits
            .iter_mut()
            .for_each(|wait| compaction.keep_lock_wait(wait));
        call_stacks
            .iter_mut()
            .for_each(|call| compaction.keep_call_stack(call));
        self.profile = Profile {
            samples,
            thread_times,
            latencies,
            slow,
            lock_waits,
            call_stacks,
            quality,
            ..new
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.restart();
        }
    }

    /// Lets [`Self::shown`] be what was observed, and the quality, of `window`, as far as they are known now. Of sampled
    /// waits that its begin cuts, what lies within is in it; spans of threads, calls and waits for locks are in it whole.
    pub(super) fn show(&mut self, window: Window) {
        self.shown_ns = self.latest_ns.saturating_sub(self.reach_ns(window))..self.latest_ns;
        let Self { profile, .. } = self;
        let start = match window {
            Window::Last(_) | Window::Decaying(_) => Some(self.shown_ns.start),
            Window::Start => None,
        };
        self.measured.show(start, profile);
        profile.samples.clear();
        profile.quality.clear();
        match window {
            Window::Last(time) => {
                let start = self.latest_ns.saturating_sub(nanoseconds(time));
                let mut samples = std::mem::take(&mut profile.samples);
                let within = Selection {
                    time: Some(start..u64::MAX),
                    sample_types: (0..=u8::MAX).take(profile.sample_types.len()).collect(),
                    ..Selection::default()
                };
                let within = within.matcher(profile);
                samples.extend(self.recent.iter().filter_map(|sample| within.part(sample)));
                profile.samples = samples;
                // A window of quality that only begins before belongs to it in part: the one that has its end in it.
                let quality = self.quality.iter().filter(|window| window.end_ns > start);
                profile.quality.extend(quality.cloned());
            }
            Window::Decaying(half) => {
                let (latest_ns, half_ns) = (self.latest_ns, nanoseconds(half));
                let oldest = latest_ns.saturating_sub(half_ns.saturating_mul(decay::HALVINGS.into()));
                let recent = self.recent.iter().filter(|sample| sample.time_ns >= oldest);
                let left = recent.filter(|sample| {
                    decay::is_left(sample, latest_ns.saturating_sub(sample.time_ns), half_ns)
                });
                profile.samples.extend(left);
                let start = self.shown_ns.start;
                let quality = self.quality.iter().filter(|window| window.end_ns > start);
                profile.quality.extend(quality.cloned());
            }
            Window::Start => {
                profile.samples.extend(self.since_start.weighted());
                profile.quality.push(self.quality_since_start.clone());
            }
        }
    }

    /// What writes what comes in to a trace, if something does.
    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// From now on what comes in goes to a trace, too, or not any more. What did that before comes back.
    pub(super) fn set_recorder(&mut self, recorder: Option<Recorder>) -> Option<Recorder> {
        std::mem::replace(&mut self.recorder, recorder)
    }

    /// The tables, and the latest moment of which there is news, in nanoseconds since collecting began.
    pub(super) fn now(&self) -> (&Profile, u64) {
        (&self.profile, self.latest_ns)
    }

    /// As [`Self::show`], of everything from `start_ns` on that is kept one by one.
    pub(super) fn show_from(&mut self, start_ns: u64) {
        let back = self.latest_ns.saturating_sub(start_ns);
        self.show(Window::Last(Duration::from_nanos(back)));
    }

    /// All samples that are kept one by one.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Sample> {
        self.recent.iter()
    }

    /// What is kept of the quality.
    pub(super) fn quality(&self) -> impl Iterator<Item = &QualityWindow> {
        self.quality.iter()
    }

    /// What is kept of how threads spent their latest time.
    pub(super) fn thread_times(&self) -> impl Iterator<Item = &ThreadTime> {
        self.measured.times()
    }

    /// What is kept of waits for locks, of the latest stretch of time.
    pub(super) fn lock_waits(&self) -> impl Iterator<Item = &LockWait> {
        self.measured.lock_waits()
    }

    /// From when to when samples are kept one by one.
    pub(super) fn kept_ns(&self) -> Range<u64> {
        let span = self.reach_ns(Window::Last(Duration::from_nanos(self.span_ns)));
        self.latest_ns.saturating_sub(span)..self.latest_ns
    }

    /// The profile of what is shown: since the latest [`Self::show`], with all tables.
    pub(super) fn shown(&self) -> &Profile {
        &self.profile
    }

    /// Begin and end of what is shown, in nanoseconds since the recording began.
    pub(super) fn shown_ns(&self) -> Range<u64> {
        self.shown_ns.clone()
    }

    /// How many rows of whatever kind are remembered, what is shown included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let Profile {
            mappings,
            locations,
            stacks,
            processes,
            threads,
            samples,
            thread_times,
            latencies,
            targets,
            slow,
            locks,
            lock_waits,
            call_stacks,
            functions,
            lines,
            ..
        } = &self.profile;
        let tables = mappings.len() + locations.len() + stacks.len() + processes.len() + threads.len();
        let named = targets.len() + locks.len() + functions.len() + lines.len();
        let shown = samples.len() + thread_times.len() + latencies.len() + slow.len();
        let waits = lock_waits.len() + call_stacks.len();
        let kept = self.recent.len() + self.since_start.samples.len() + self.quality.len();
        tables + named + shown + waits + kept + self.measured.entries()
    }

    /// How far `window` really goes back: not before the start, nor before the oldest sample kept.
    fn reach_ns(&self, window: Window) -> u64 {
        match window {
            Window::Last(time) => {
                let kept = match self.recent.front() {
                    Some(oldest) if self.recent.len() >= RECENT => {
                        self.latest_ns.saturating_sub(oldest.time_ns)
                    }
                    _ => self.latest_ns,
                };
                nanoseconds(time).min(kept)
            }
            Window::Decaying(half) => nanoseconds(decay::length(half, Duration::from_nanos(self.latest_ns))),
            Window::Start => self.latest_ns,
        }
    }

    fn forget(&mut self) {
        let start = self.latest_ns.saturating_sub(self.span_ns);
        let too_many = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..too_many);
        // Samples are nearly in order of time: the few that are older than their neighbours go a little later.
        while self.recent.front().is_some_and(|oldest| oldest.time_ns < start) {
            self.recent.pop_front();
        }
        self.measured.forget_until(start);
        while self.quality.front().is_some_and(|oldest| oldest.end_ns <= start) {
            self.quality.pop_front();
        }
    }
}

/// A fair choice of at most so many samples out of any number.
#[derive(Debug)]
struct Fair {
    samples: Vec<Sample>,
    most: usize,
    /// Each sample stands for 2 to the power of this many.
    halvings: u32,
    coin: Coin,
}

impl Fair {
    fn new(most: usize) -> Self {
        Self {
            samples: Vec::new(),
            most,
            halvings: 0,
            coin: Coin::default(),
        }
    }

    fn push(&mut self, sample: Sample) {
        if !self.stays(self.halvings) {
            return;
        }
        if self.samples.len() >= self.most {
            let mut samples = std::mem::take(&mut self.samples);
            samples.retain(|_| self.stays(1));
            self.samples = samples;
            self.halvings += 1;
            if !self.stays(1) {
                return;
            }
        }
        self.samples.push(sample);
    }

    fn weighted(&self) -> impl Iterator<Item = Sample> + '_ {
        let weight = 1u64.checked_shl(self.halvings).unwrap_or(u64::MAX);
        self.samples.iter().map(move |sample| Sample {
            value: sample.value.saturating_mul(weight),
            ..*sample
        })
    }

    /// Whether so many coins all fall the right way. Not every n-th sample: samples of all CPUs arrive in turn, and
    /// some CPUs would never be seen.
    fn stays(&mut self, coins: u32) -> bool {
        let bits = self.coin.bits();
        coins == 0 || bits >> (64 - coins.min(63)) == 0
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
