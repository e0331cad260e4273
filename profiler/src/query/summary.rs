//! How much was recorded, and how far it can be trusted.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{Sampled, Selection, frame, share::percent, weight::Weights};
use crate::profile::{Id, MappingKind, Outcome, Profile, QualityWindow, Sample};

/// The clock whose periods are wall-clock time of a CPU.
const CPU_CLOCK: &str = "cpu-clock";

/// How much was recorded, and how far it can be trusted.
///
/// Samples, stacks and frames are those selected. Loss, own cost and the host's CPU use cannot be told apart by
/// process: they are of the whole recording within the selected time, over the quality windows that touch it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// What the selected samples stand for.
    pub sampled: Sampled,
    /// How much of the recording was selected, in nanoseconds.
    pub duration_ns: u64,
    /// How many samples were selected.
    pub samples: u64,
    /// Their value, in the sample types' unit.
    pub value: u64,
    /// How many samples the recording holds, of these types.
    pub recorded_samples: u64,
    /// Slow calls, waits for locks and stacks of calls that were recorded; selected or not.
    pub events: u64,
    /// Samples whose user stack was walked to a known root.
    pub complete: u64,
    /// Samples whose user stack was cut short, by outcome.
    pub incomplete: BTreeMap<Outcome, u64>,
    /// Samples without a user stack: kernel threads, or user stacks were not recorded.
    pub no_user_stack: u64,
    /// In which modules stacks were cut short (the outermost frame that was reached): the module's name and how many
    /// samples, most first.
    pub incomplete_modules: Vec<(String, u64)>,
    /// Frames over all selected samples, inlined ones apart.
    pub frames: u64,
    /// Those in mapped binaries and in the kernel, but without a function name.
    pub unnamed_frames: u64,
    /// Those in executable memory without a file (JIT), and without a function name.
    pub anonymous_frames: u64,
    /// Those for which no mapping was known.
    pub unmapped_frames: u64,
    /// In which modules the unnamed frames lie: the module's name and how many frames, most first.
    pub unnamed_modules: Vec<(String, u64)>,
    /// The counters of the selected time, added up.
    pub quality: QualityWindow,
    /// How much time those counters cover, in nanoseconds: the base of `own_cpu_percent`.
    pub quality_ns: u64,
    /// How many CPUs were online.
    pub cpus: u32,
    /// The clock that really fired.
    pub clock: String,
    /// Samples a second and CPU that were asked for.
    pub frequency_hz: u32,
    /// What was filtered while recording; empty: the whole system.
    pub filters: Vec<String>,
    /// Whether the recording was ended in good order.
    pub ended: bool,
}

impl Summary {
    /// Reads it off a profile.
    pub fn of(profile: &Profile, selection: &Selection) -> Self {
        Self::with(profile, selection, &Weights::of(profile, selection))
    }

    /// As [`Self::of`], with what was added up for this selection.
    pub fn with(profile: &Profile, selection: &Selection, weights: &Weights) -> Self {
        let mut summary = Self {
            sampled: Sampled::of(profile, selection),
            duration_ns: selected_duration(profile, selection),
            cpus: profile.metadata.cpus,
            clock: profile.metadata.clock.clone(),
            frequency_hz: profile.metadata.frequency_hz,
            filters: profile.metadata.filters.clone(),
            ended: profile.ended,
            ..Self::default()
        };
        let events = profile.slow.len() + profile.lock_waits.len() + profile.call_stacks.len();
        summary.events = events as u64;
        summary.add_quality(profile, selection);
        summary.add_samples(profile, selection, weights);
        summary
    }

    /// Records lost, whatever the reason.
    pub fn lost(&self) -> u64 {
        self.quality.lost_total()
    }

    /// Lost records as a part of all that were or should have been recorded, in percent.
    pub fn lost_percent(&self) -> f64 {
        let recorded = self.quality.samples.max(self.samples);
        let recorded = recorded.saturating_add(self.events);
        percent(self.lost(), recorded.saturating_add(self.lost()))
    }

    /// How often the sampler ran: on wanted, idle and unwanted threads.
    pub fn ran(&self) -> u64 {
        self.quality.samples + self.quality.idle + self.quality.filtered
    }

    /// Periods of busy CPUs that passed without the sampler running (the host took the virtual CPU away, interrupts were
    /// off, or the kernel throttled it). On some idle CPUs the clock does not fire at all: those periods do not count.
    /// Waits are sampled without a clock, so none of its periods matters to them.
    pub fn never_ran(&self) -> u64 {
        if self.sampled.is_waits() {
            return 0;
        }
        self.quality
            .expected
            .saturating_sub(self.ran())
            .saturating_sub(self.lost())
            .saturating_sub(self.idle_without_run())
    }

    /// Idle periods, by the kernel's own account of idle time, beyond those in which the sampler ran. A clock of cycles
    /// does not tick on an idle CPU, so none of its periods are idle.
    fn idle_without_run(&self) -> u64 {
        if self.clock != CPU_CLOCK {
            return 0;
        }
        let idle = u128::from(self.quality.host_idle_ns) * u128::from(self.frequency_hz) / 1_000_000_000;
        (idle as u64).saturating_sub(self.quality.idle)
    }

    /// As a part of the periods that passed, in percent.
    pub fn never_ran_percent(&self) -> f64 {
        percent(self.never_ran(), self.quality.expected)
    }

    /// Samples whose user stack was cut short.
    pub fn incomplete_total(&self) -> u64 {
        self.incomplete.values().sum()
    }

    /// Complete user stacks as a part of all user stacks, in percent; `None` if there was no user stack at all.
    pub fn complete_percent(&self) -> Option<f64> {
        let all = self.complete + self.incomplete_total();
        (all > 0).then(|| percent(self.complete, all))
    }

    /// Frames in mapped binaries without a name, in percent of all frames; `None` if there was no frame at all.
    pub fn unnamed_percent(&self) -> Option<f64> {
        (self.frames > 0).then(|| percent(self.unnamed_frames, self.frames))
    }

    /// Frames without a known mapping, in percent of all frames; `None` if there was no frame at all.
    pub fn unmapped_percent(&self) -> Option<f64> {
        (self.frames > 0).then(|| percent(self.unmapped_frames, self.frames))
    }

    /// This program's CPU time, user and system, in percent of one CPU; `None` if it was not measured.
    pub fn own_cpu_percent(&self) -> Option<f64> {
        let (own, whole) = (self.quality.own_cpu_ns, self.quality_ns);
        // Nothing records for no time at all.
        (own > 0 && whole > 0).then(|| percent(own, whole))
    }

    /// Run time of this program's BPF programs in percent of one CPU, over `quality.bpf_measured_ns`; `None` if it was
    /// not measured.
    pub fn bpf_percent(&self) -> Option<f64> {
        let measured = self.quality.bpf_measured_ns;
        (measured > 0).then(|| percent(self.quality.bpf_ns, measured))
    }

    /// Busy time of all CPUs in percent of their time; `None` if it was not measured.
    pub fn host_busy_percent(&self) -> Option<f64> {
        let (busy, idle) = (self.quality.host_busy_ns, self.quality.host_idle_ns);
        let all = busy.saturating_add(idle);
        (all > 0).then(|| percent(busy, all))
    }

    /// The worst of what was kept (samples that were not lost), what ran (periods in which the sampler ran) and what is
    /// whole (user stacks walked to a known root), each in percent: what `--min-quality` is held against. A recording
    /// in which the sampler never ran proves nothing: 0.
    pub fn quality_percent(&self) -> f64 {
        if self.samples == 0 && self.ran() == 0 {
            return 0.0;
        }
        let kept = 100.0 - self.lost_percent();
        let ran = 100.0 - self.never_ran_percent();
        kept.min(ran).min(self.complete_percent().unwrap_or(100.0))
    }

    fn add_quality(&mut self, profile: &Profile, selection: &Selection) {
        let touches = |window: &&QualityWindow| {
            selection
                .time
                .as_ref()
                .is_none_or(|time| window.start_ns < time.end && time.start < window.end_ns)
        };
        for window in profile.quality.iter().filter(touches) {
            self.quality.add(window);
            self.quality_ns += window.end_ns.saturating_sub(window.start_ns);
        }
    }

    fn add_samples(&mut self, profile: &Profile, selection: &Selection, weights: &Weights) {
        let of_type = |sample: &&Sample| selection.sample_types.contains(&sample.sample_type);
        self.recorded_samples = profile.samples.iter().filter(of_type).count() as u64;
        let mut cut_in: FxHashMap<&str, u64> = FxHashMap::default();
        for &((outcome, stack), weight) in weights.by_end() {
            self.samples += weight.samples;
            self.value = self.value.saturating_add(weight.value);
            match outcome {
                Outcome::Complete => self.complete += weight.samples,
                Outcome::NoUserStack => self.no_user_stack += weight.samples,
                cut => {
                    *self.incomplete.entry(cut).or_default() += weight.samples;
                    let outermost = stack.and_then(|stack| profile.stacks.locations(stack).last());
                    let module = outermost.map_or("[no stack]", |location| {
                        frame::module(profile.mapping_of(location))
                    });
                    *cut_in.entry(module).or_default() += weight.samples;
                }
            }
        }
        self.incomplete_modules = most_first(cut_in);
        self.add_frames(profile, weights);
    }

    fn add_frames(&mut self, profile: &Profile, weights: &Weights) {
        // How many samples come through each stack: from the leaves inward, callees before their callers.
        let mut through = vec![0u64; profile.stacks.len()];
        for &((_, stack), weight) in weights.by_end() {
            if let Some(stack) = stack {
                through[stack.index()] += weight.samples;
            }
        }
        // There are far fewer places than stacks, and each is looked at once.
        let mut at = vec![0u64; profile.locations.len()];
        let stacks = profile.stacks.since(0);
        for index in (0..stacks.len()).rev() {
            let (stack, samples) = (stacks[index], through[index]);
            if let Some(caller) = stack.caller {
                through[caller.index()] += samples;
            }
            at[stack.location.index()] += samples;
        }
        let mut unnamed: FxHashMap<&str, u64> = FxHashMap::default();
        for (location, samples) in (0..).map(Id::new).zip(at).filter(|(_, samples)| *samples > 0) {
            self.frames += samples;
            let mapping = profile.mapping_of(location);
            let named = frame::frames(profile, location).any(|frame| frame.function.is_some());
            match mapping.kind {
                MappingKind::Unknown(_) => self.unmapped_frames += samples,
                _ if named => {}
                MappingKind::Anonymous(_) => self.anonymous_frames += samples,
                _ => {
                    self.unnamed_frames += samples;
                    *unnamed.entry(frame::module(mapping)).or_default() += samples;
                }
            }
        }
        self.unnamed_modules = most_first(unnamed);
    }
}

fn selected_duration(profile: &Profile, selection: &Selection) -> u64 {
    let recorded = profile.duration_ns();
    match &selection.time {
        Some(time) => time.end.min(recorded).saturating_sub(time.start),
        None => recorded,
    }
}

fn most_first(counts: FxHashMap<&str, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    #[test]
    fn stacks_cut_short_are_counted_by_reason_and_module() {
        let mut profile = from_folded("a;main;f 6\na;lib.so`g 2\nkworker;work_[k] 2");
        for (index, outcome) in [
            (6, Outcome::NoUnwindInfo),
            (7, Outcome::NoUnwindInfo),
            (8, Outcome::NoUserStack),
            (9, Outcome::NoUserStack),
        ] {
            profile.samples[index].outcome = outcome;
        }
        let summary = Summary::of(&profile, &Selection::default());
        assert_eq!(
            (
                summary.complete,
                summary.no_user_stack,
                summary.incomplete_total()
            ),
            (6, 2, 2)
        );
        assert_eq!(summary.complete_percent(), Some(75.0));
        assert_eq!(summary.incomplete_modules, [("lib.so".to_owned(), 2)]);
    }

    #[test]
    fn frames_without_a_name_count_as_often_as_they_were_sampled() {
        let mut profile = from_folded("a;main;f 3\na;main 1");
        // `f` loses its name.
        profile.lines.remove(&Id::new(1));
        let summary = Summary::of(&profile, &Selection::default());
        assert_eq!(
            (summary.frames, summary.unnamed_frames, summary.unmapped_frames),
            (7, 3, 0)
        );
        assert_eq!(summary.unnamed_modules, [("a".to_owned(), 3)]);
    }

    #[test]
    fn periods_without_a_run_are_neither_idle_nor_lost() {
        let mut profile = from_folded("a;main 10");
        profile.quality = vec![QualityWindow {
            end_ns: 1_000_000_000,
            samples: 10,
            idle: 60,
            filtered: 5,
            expected: 100,
            lost: [("ring full".to_owned(), 5)].into(),
            own_cpu_ns: 5_000_000,
            bpf_ns: 100_000,
            bpf_measured_ns: 100_000_000,
            host_busy_ns: 1,
            host_idle_ns: 3,
            ..QualityWindow::default()
        }];
        let summary = Summary::of(&profile, &Selection::default());
        assert_eq!((summary.ran(), summary.never_ran(), summary.lost()), (75, 20, 5));
        assert_eq!(summary.own_cpu_percent(), Some(0.5));
        assert!((summary.quality_percent() - 100.0 * 10.0 / 15.0).abs() < 1e-9);
        assert_eq!(summary.bpf_percent(), Some(0.1));
        assert_eq!(summary.host_busy_percent(), Some(25.0));
        assert!((summary.lost_percent() - 100.0 * 5.0 / 15.0).abs() < 1e-9);
    }

    #[test]
    fn a_clock_that_does_not_fire_on_idle_cpus_misses_nothing() {
        let mut profile = from_folded("a;main 10");
        profile.metadata.clock = CPU_CLOCK.to_owned();
        profile.metadata.frequency_hz = 100;
        profile.quality = vec![QualityWindow {
            end_ns: 1_000_000_000,
            samples: 80,
            idle: 10,
            expected: 200,
            host_busy_ns: 1_000_000_000,
            host_idle_ns: 1_000_000_000,
            ..QualityWindow::default()
        }];
        let summary = Summary::of(&profile, &Selection::default());
        assert_eq!(summary.never_ran(), 20);
        profile.metadata.clock = "cycles".to_owned();
        let summary = Summary::of(&profile, &Selection::default());
        assert_eq!(summary.never_ran(), 110);
    }

    #[test]
    fn time_selects_samples_and_counters_alike() {
        let mut profile = from_folded("a;main 100");
        profile.quality = (0..2)
            .map(|second| QualityWindow {
                start_ns: second * 500_000_000,
                end_ns: (second + 1) * 500_000_000,
                idle: second + 1,
                ..QualityWindow::default()
            })
            .collect();
        let selection = Selection {
            time: Some(500_000_000..u64::MAX),
            ..Selection::default()
        };
        let summary = Summary::of(&profile, &selection);
        assert_eq!((summary.samples, summary.recorded_samples), (50, 100));
        assert_eq!(
            (summary.quality.idle, summary.quality_ns, summary.duration_ns),
            (2, 500_000_000, 500_000_000)
        );
    }

    #[test]
    fn an_empty_profile_claims_nothing() {
        let summary = Summary::of(&Profile::default(), &Selection::default());
        assert_eq!(summary, Summary::default());
        assert_eq!(
            (summary.complete_percent(), summary.own_cpu_percent()),
            (None, None)
        );
        assert_eq!((summary.host_busy_percent(), summary.lost_percent()), (None, 0.0));
        assert_eq!(summary.quality_percent(), 0.0);
    }
}
