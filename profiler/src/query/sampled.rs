//! What the selected samples stand for: time on a CPU, time off it, or both.

use super::Selection;
use crate::profile::{Function, Id, Line, Location, Mapping, MappingKind, Profile, Sample, SampleType, Unit};

/// The sample type of threads on a CPU.
const CPU: &str = "cpu";
/// The sample type of threads that wait.
const OFF_CPU: &str = "off_cpu";
/// The sample type of waits for locks, which are made into samples: see [`super::locks::samples`].
pub(crate) const LOCK: &str = "lock";
/// The sample type of slow calls, which are made into samples: see [`super::slow_samples`].
pub(crate) const SLOW: &str = "slow_call";
/// The module of frames that are locks.
pub(crate) const LOCK_MODULE: &str = "[lock]";
/// The module of frames that are system calls, as far as they are known only by their numbers.
pub(crate) const CALL_MODULE: &str = "[call]";

/// What samples stand for. Samples on and off a CPU have one unit, so together they are the time of threads by the
/// clock on the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampled {
    /// Time on a CPU.
    #[default]
    Cpu,
    /// Time off the CPU: blocked, or waiting for a CPU.
    OffCpu,
    /// Both.
    Wall,
    /// Waiting for locks that somebody else had.
    Lock,
    /// Slow calls that are told one by one.
    Slow,
    /// Something that only a newer version knows, or that was lost with a damaged trace.
    Other,
}

impl Sampled {
    /// What the samples of a selection stand for.
    pub fn of(profile: &Profile, selection: &Selection) -> Self {
        let (mut cpu, mut off_cpu, mut lock, mut slow) = (false, false, false, false);
        for &index in &selection.sample_types {
            match profile.sample_types.get(usize::from(index)) {
                // An empty profile has no sample types yet.
                None => cpu = true,
                Some(kind) if kind.name == CPU => cpu = true,
                Some(kind) if kind.name == OFF_CPU => off_cpu = true,
                Some(kind) if kind.name == LOCK => lock = true,
                Some(kind) if kind.name == SLOW => slow = true,
                Some(_) => return Self::Other,
            }
        }
        match (cpu, off_cpu, lock, slow) {
            (false, false, true, false) => Self::Lock,
            (false, false, false, true) => Self::Slow,
            // Waits for locks and in calls are a part of the time off the CPU: together they are nothing.
            (_, _, true, _) | (_, _, _, true) => Self::Other,
            (true, true, ..) => Self::Wall,
            (false, true, ..) => Self::OffCpu,
            (_, false, ..) => Self::Cpu,
        }
    }

    /// For [`Selection::sample_types`]; `None` if the profile has no samples of waiting threads, none of waits for locks, or
    /// none of slow calls, and they are asked for.
    pub fn sample_types(self, profile: &Profile) -> Option<Vec<u8>> {
        let find = |name: &str| {
            let place = profile.sample_types.iter().position(|kind| kind.name == name)?;
            u8::try_from(place).ok()
        };
        let cpu = find(CPU).unwrap_or(0);
        if matches!(self, Self::Cpu | Self::Other) {
            return Some(vec![cpu]);
        }
        let waiting = find(match self {
            Self::Lock => LOCK,
            Self::Slow => SLOW,
            _ => OFF_CPU,
        })?;
        let waited = profile.samples.iter().any(|sample| sample.sample_type == waiting);
        let types = match self {
            Self::Wall => vec![cpu, waiting],
            _ => vec![waiting],
        };
        waited.then_some(types)
    }

    /// All samples that stand for this; none if the profile has none.
    pub(super) fn samples(self, profile: &Profile) -> impl Iterator<Item = &Sample> {
        let types = self.sample_types(profile).unwrap_or_default();
        let samples = profile.samples.iter();
        samples.filter(move |sample| types.contains(&sample.sample_type))
    }

    /// Whether every sample is a wait, which stands for the time that it took and for no period of a clock.
    pub fn is_waits(self) -> bool {
        matches!(self, Self::OffCpu | Self::Lock | Self::Slow)
    }

    /// The name of what values measure, as pprof and OTLP spell it; `None` where the sample type has its own.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Cpu => Some(CPU),
            Self::OffCpu => Some(OFF_CPU),
            Self::Wall => Some("wall"),
            Self::Lock => Some(LOCK),
            Self::Slow => Some(SLOW),
            Self::Other => None,
        }
    }

    /// What a person calls one of the samples.
    pub fn sample(self) -> &'static str {
        match self {
            Self::Cpu => "busy sample",
            Self::OffCpu => "waiting sample",
            Self::Wall => "busy or waiting sample",
            Self::Lock => "lock wait",
            Self::Slow => "slow call",
            Self::Other => "sample",
        }
    }

    /// What a person calls the time that they stand for.
    pub fn time(self) -> &'static str {
        match self {
            Self::Cpu => "CPU time",
            Self::OffCpu => "waiting time",
            Self::Wall => "wall-clock time",
            Self::Lock => "time waiting for locks",
            Self::Slow => "time in slow calls",
            Self::Other => "time",
        }
    }
}

/// Whether the value of samples of this type is how long a wait was, which ended when the sample was taken.
pub(super) fn is_wait(profile: &Profile, sample_type: u8) -> bool {
    let kind = profile.sample_types.get(usize::from(sample_type));
    kind.is_some_and(|kind| [OFF_CPU, LOCK, SLOW].contains(&kind.name.as_str()))
}

/// [`is_wait`] for each sample type.
pub(super) fn waits(profile: &Profile) -> Vec<bool> {
    let types = (0..=u8::MAX).take(profile.sample_types.len());
    types.map(|kind| is_wait(profile, kind)).collect()
}

/// The sample type of this name for what is made into samples, whether it was there or not.
pub(crate) fn made(profile: &mut Profile, name: &str) -> Option<u8> {
    let types = &mut profile.sample_types;
    let place = types
        .iter()
        .position(|kind| kind.name == name)
        .unwrap_or_else(|| {
            types.push(SampleType {
                name: name.into(),
                unit: Unit::Nanoseconds,
            });
            types.len() - 1
        });
    u8::try_from(place).ok()
}

/// The place that stands for what is no code, but ends a stack: its address is the number of its name.
pub(super) fn location(profile: &mut Profile, module: &str, label: String) -> Id<Location> {
    let mapping = profile.mappings.intern(Mapping {
        kind: MappingKind::FileOffset,
        path: module.into(),
        build_id: Vec::new(),
    });
    let function = profile.functions.intern(Function {
        name: label,
        file: String::new(),
    });
    let location = profile.locations.intern(Location {
        mapping,
        address: function.raw().into(),
    });
    profile
        .lines
        .entry(location)
        .or_insert_with(|| vec![Line { function, line: 0 }]);
    location
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::{from_folded, with_waits};

    fn selection(sample_types: &[u8]) -> Selection {
        Selection {
            sample_types: sample_types.to_vec(),
            ..Selection::default()
        }
    }

    #[test]
    fn samples_on_and_off_a_cpu_are_the_wall_clock_together() {
        let profile = with_waits(from_folded("a;main 1"), "a;main;read 5");
        for sampled in [Sampled::Cpu, Sampled::OffCpu, Sampled::Wall] {
            let types = sampled.sample_types(&profile).unwrap();
            assert_eq!(Sampled::of(&profile, &selection(&types)), sampled, "{types:?}");
        }
        assert_eq!(
            Sampled::of(&Profile::default(), &Selection::default()),
            Sampled::Cpu
        );
    }

    #[test]
    fn a_profile_without_waits_has_none_to_offer() {
        let mut profile = from_folded("a;main 1");
        assert_eq!(Sampled::Cpu.sample_types(&profile), Some(vec![0]));
        for sampled in [Sampled::OffCpu, Sampled::Wall] {
            assert_eq!(sampled.sample_types(&profile), None);
        }
        // The recorder knew of the type, and had no sample of it.
        profile = with_waits(profile, "");
        assert_eq!(profile.sample_types.len(), 2);
        assert_eq!(Sampled::Wall.sample_types(&profile), None);
    }

    #[test]
    fn a_type_that_nobody_knows_is_not_called_busy() {
        let mut profile = from_folded("a;main 1");
        profile.sample_types[0].name = "page_faults".into();
        assert_eq!(Sampled::of(&profile, &Selection::default()), Sampled::Other);
    }
}
