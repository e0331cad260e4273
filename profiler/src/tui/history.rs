//! What the dashboard remembers, in bounded memory.
//!
//! Samples of the latest stretch of time are kept one by one, at most [`RECENT`]. Of all samples since the start at
//! most [`KEPT`] are kept: when they would be more, a fair coin decides for each whether it stays, and those that stay
//! count twice. So shares stay true on average, with an error of at most 0.2 points (95 %).
//!
//! Tables grow with what is new, and shrink to what the kept samples refer to whenever the feed begins its own
//! tables anew (`restart`). So memory is bounded by the two numbers above plus what the feed sends
//! between two such moments; when that is, is the feed's decision, which has the same tables to bound.

use std::{collections::VecDeque, fmt, ops::Range, time::Duration};

use super::{compact::Compaction, epoch::Epoch};
use crate::profile::{Delta, ExtendError, Profile, QualityWindow, Sample};

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
            Self::Start => f.write_str("since start"),
        }
    }
}

/// What the dashboard remembers. See the [module](self) for how much that is.
#[derive(Debug)]
pub(super) struct History {
    /// The tables, and the samples and quality of what is shown.
    profile: Profile,
    epoch: Epoch,
    /// How far back `recent` and `quality` go, in nanoseconds.
    span_ns: u64,
    recent: VecDeque<Sample>,
    quality: VecDeque<QualityWindow>,
    since_start: Fair,
    quality_since_start: QualityWindow,
    /// The latest moment of which there is news, in nanoseconds since the recording began.
    latest_ns: u64,
    shown_ns: Range<u64>,
}

impl History {
    /// Nothing yet. `span` is how far back one can look sample by sample.
    pub(super) fn new(span: Duration) -> Self {
        Self {
            profile: Profile::default(),
            epoch: Epoch::default(),
            span_ns: nanoseconds(span.min(LONGEST)),
            recent: VecDeque::new(),
            quality: VecDeque::new(),
            since_start: Fair::new(KEPT),
            quality_since_start: QualityWindow::default(),
            latest_ns: 0,
            shown_ns: 0..0,
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
        for window in delta.quality.drain(..) {
            self.latest_ns = self.latest_ns.max(window.end_ns);
            self.quality_since_start.add(&window);
            self.quality.push_back(window);
        }
        self.profile.ended |= delta.ended;
        for sample in self.epoch.take(&mut self.profile, &mut delta)? {
            self.latest_ns = self.latest_ns.max(sample.time_ns);
            self.since_start.push(sample);
            self.recent.push_back(sample);
        }
        self.forget();
        Ok(())
    }

    /// The feed begins its tables anew: the ids of the next delta count from 0 again. Times go on.
    pub(super) fn restart(&mut self) {
        self.epoch = Epoch::default();
        let mut shown = std::mem::take(&mut self.profile.samples);
        let quality = std::mem::take(&mut self.profile.quality);
        let mut compaction = Compaction::of(std::mem::take(&mut self.profile));
        let samples = self.recent.iter_mut().chain(&mut self.since_start.samples);
        samples
            .chain(&mut shown)
            .for_each(|sample| compaction.keep(sample));
        self.profile = Profile {
            samples: shown,
            quality,
            ..compaction.finish()
        };
    }

    /// Lets [`Self::shown`] be the samples and the quality of `window`, as far as they are known now.
    pub(super) fn show(&mut self, window: Window) {
        self.shown_ns = self.latest_ns.saturating_sub(self.reach_ns(window))..self.latest_ns;
        let Self { profile, .. } = self;
        profile.samples.clear();
        profile.quality.clear();
        match window {
            Window::Last(time) => {
                let start = self.latest_ns.saturating_sub(nanoseconds(time));
                let recent = self.recent.iter().filter(|sample| sample.time_ns >= start);
                profile.samples.extend(recent);
                // A window of quality that only begins before belongs to it in part: the one that has its end in it.
                let quality = self.quality.iter().filter(|window| window.end_ns > start);
                profile.quality.extend(quality.cloned());
            }
            Window::Start => {
                profile.samples.extend(self.since_start.weighted());
                profile.quality.push(self.quality_since_start.clone());
            }
        }
    }

    /// The profile of what is shown: since the latest [`Self::show`], with all tables.
    pub(super) fn shown(&self) -> &Profile {
        &self.profile
    }

    /// Begin and end of what is shown, in nanoseconds since the recording began.
    pub(super) fn shown_ns(&self) -> Range<u64> {
        self.shown_ns.clone()
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
    state: u64,
}

impl Fair {
    fn new(most: usize) -> Self {
        Self {
            samples: Vec::new(),
            most,
            halvings: 0,
            state: 0x9e37_79b9_7f4a_7c15,
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
        // xorshift64*: https://en.wikipedia.org/wiki/Xorshift
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let bits = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        coins == 0 || bits >> (64 - coins.min(63)) == 0
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, Mark, Waker, folded::from_folded},
        query::{Selection, functions},
    };

    const SECOND: u64 = 1_000_000_000;

    /// A delta of `text`, begun at `second`, as from a collector with tables of its own.
    fn delta(text: &str, second: u64) -> Delta {
        let mut profile = from_folded(text);
        let lines = std::mem::take(&mut profile.lines);
        let mut delta = profile.take_delta(&mut Mark::default());
        delta.lines = lines.into_iter().collect();
        for sample in &mut delta.samples {
            sample.time_ns += second * SECOND;
        }
        for window in &mut delta.quality {
            window.start_ns += second * SECOND;
            window.end_ns += second * SECOND;
        }
        delta
    }

    fn hottest(history: &mut History, window: Window) -> Vec<(String, u64)> {
        history.show(window);
        let functions = functions(history.shown(), &Selection::default());
        let hot = functions.rows.into_iter().filter(|row| row.self_samples > 0);
        hot.map(|row| (row.label, row.self_samples)).collect()
    }

    fn expected(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
        rows.iter()
            .map(|&(label, samples)| (label.to_owned(), samples))
            .collect()
    }

    const TEN: Window = Window::Last(Duration::from_secs(10));

    #[test]
    fn a_window_forgets_and_since_the_start_does_not() {
        let mut history = History::new(Duration::from_secs(60));
        history.absorb(delta("app;main;f 5", 0)).unwrap();
        history.restart();
        history.absorb(delta("bpp;main;g 2", 30)).unwrap();
        assert_eq!(hottest(&mut history, TEN), expected(&[("g", 2)]));
        assert_eq!(
            history.shown_ns(),
            20 * SECOND + 20_000_000..30 * SECOND + 20_000_000
        );
        let both = expected(&[("f", 5), ("g", 2)]);
        assert_eq!(hottest(&mut history, Window::Last(Duration::from_secs(60))), both);
        assert_eq!(hottest(&mut history, Window::Start), both);
        history.restart();
        history.absorb(delta("cpp;main;h 1", 100)).unwrap();
        assert_eq!(
            hottest(&mut history, Window::Last(Duration::from_secs(60))),
            expected(&[("h", 1)])
        );
        assert_eq!(history.recent.len(), 1);
    }

    #[test]
    fn samples_from_before_and_after_a_restart_meet_in_one_row() {
        let mut history = History::new(Duration::from_secs(60));
        history.absorb(delta("app/7;main;x;f 5", 0)).unwrap();
        history.restart();
        // Other numbers for the same rows.
        history
            .absorb(delta("other/9;start 1\napp/7;main;x;f 3", 1))
            .unwrap();
        assert_eq!(hottest(&mut history, TEN), expected(&[("f", 8), ("start", 1)]));
        let profile = history.shown();
        assert_eq!((profile.stacks.len(), profile.processes.len()), (4, 2));
    }

    #[test]
    fn names_that_become_known_later_are_shown() {
        let mut history = History::new(Duration::from_secs(60));
        let mut first = delta("app;main;f 5", 0);
        let lines = std::mem::take(&mut first.lines);
        let functions = std::mem::take(&mut first.functions);
        history.absorb(first).unwrap();
        assert_eq!(hottest(&mut history, TEN), expected(&[("app+0x1010", 5)]));
        history
            .absorb(Delta {
                lines,
                functions,
                ..Delta::default()
            })
            .unwrap();
        assert_eq!(hottest(&mut history, TEN), expected(&[("f", 5)]));
    }

    #[test]
    fn tables_stay_bounded_over_many_restarts() {
        let mut history = History::new(Duration::from_secs(60));
        history.since_start = Fair::new(100);
        for turn in 0..300 {
            let text = format!("app{turn};main{turn};f{turn};{turn} 10");
            history.absorb(delta(&text, turn)).unwrap();
            history.restart();
        }
        // 60 s of one stack of three nodes each, and at most 100 samples since the start.
        let stacks = history.shown().stacks.len();
        assert!(stacks <= 3 * (62 + 100), "{stacks}");
        assert!(history.shown().functions.len() <= stacks);
        assert!(history.shown().processes.len() <= stacks / 3);
        assert_eq!(history.shown().lines.len(), history.shown().locations.len());
        assert!(history.quality.len() <= 61);
    }

    #[test]
    fn a_fair_choice_keeps_shares_and_sums() {
        let mut history = History::new(Duration::from_secs(1));
        history.since_start = Fair::new(4_000);
        for _ in 0..50 {
            history.restart();
            history.absorb(delta("app;f 750\napp;g 250", 0)).unwrap();
        }
        assert!(history.since_start.halvings >= 3);
        history.show(Window::Start);
        let functions = functions(history.shown(), &Selection::default());
        let share = functions.rows[0].self_value as f64 / functions.total_value as f64;
        assert_eq!(functions.rows[0].label, "f");
        assert!((share - 0.75).abs() < 0.03, "{share}");
        let samples = functions.total_value as f64 / crate::profile::folded::PERIOD_NS as f64;
        assert!((samples / 50_000.0 - 1.0).abs() < 0.1, "{samples}");
    }

    #[test]
    fn who_ended_a_wait_is_known_still_after_a_restart() {
        let mut history = History::new(Duration::from_secs(60));
        let mut waits = delta("cat/9;main\napp/7;main\nsh/8;main", 0);
        waits.samples.remove(0);
        waits.samples[0].waker = Waker::Thread(Id::new(0));
        waits.samples[1].waker = Waker::Nobody;
        // Other numbers for the same rows.
        history.absorb(delta("first/5;main", 0)).unwrap();
        history.restart();
        history.absorb(waits).unwrap();
        for _ in 0..2 {
            history.show(TEN);
            let profile = history.shown();
            let wakers: Vec<_> = profile.samples[1..].iter().map(|sample| sample.waker).collect();
            let (Waker::Thread(waker), Waker::Nobody) = (wakers[0], wakers[1]) else {
                panic!("{wakers:?}")
            };
            assert_eq!(profile.threads[waker].tid, 9);
            history.restart();
        }
        let mut broken = delta("app;f 1", 0);
        broken.samples[0].waker = Waker::Thread(Id::new(1));
        let error = history.absorb(broken).unwrap_err();
        assert_eq!(
            error.to_string(),
            "refers to row 1 of threads, which is not there"
        );
    }

    #[test]
    fn a_delta_that_refers_to_nothing_is_refused_by_name() {
        let mut history = History::new(Duration::from_secs(1));
        let mut broken = delta("app;f 1", 0);
        broken.locations.clear();
        let error = history.absorb(broken).unwrap_err();
        assert_eq!(
            error.to_string(),
            "refers to row 0 of locations, which is not there"
        );
        assert_eq!(hottest(&mut history, TEN), []);
    }
}
