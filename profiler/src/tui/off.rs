//! What is not measured, why, and for how much of the time.

use std::ops::Range;

use super::app::{App, Missing};
use crate::profile::QualityWindow;

/// What may be off while samples are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// How threads spend their time.
    States,
    /// System calls.
    Calls,
    /// Waits for locks, one by one.
    Locks,
}

impl Probe {
    /// As quality windows and the command line call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::States => "states",
            Self::Calls => "syscalls",
            Self::Locks => "lock",
        }
    }

    /// With what it is left out; all need the states.
    pub(super) fn flag(self, no_states: bool) -> &'static str {
        match self {
            Self::Calls if !no_states => "--no-calls",
            Self::Locks if !no_states => "--no-locks",
            _ => "--no-states",
        }
    }
}

/// Why something is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// From the begin on.
    Missing(Missing),
    /// It would have cost more than is allowed.
    TooDear,
}

impl App {
    /// Why nothing of a probe is known at the end of what is shown, if that is so.
    pub(super) fn off(&self, probe: Probe) -> Option<Off> {
        let missing = match probe {
            Probe::States => self.no_states,
            Probe::Calls => self.no_calls,
            Probe::Locks => self.no_locks,
        };
        let shed = || self.answers.shed.contains(&probe).then_some(Off::TooDear);
        missing.map(Off::Missing).or_else(shed)
    }

    /// As [`Self::off`], in words with how to get it.
    pub(super) fn off_words(&self, probe: Probe) -> Option<String> {
        let no_states = self.no_states == Some(Missing::Flag);
        Some(match self.off(probe)? {
            Off::TooDear => "off: too dear; a larger --max-overhead keeps it".to_owned(),
            Off::Missing(Missing::Flag) => format!("off: {}", probe.flag(no_states)),
            Off::Missing(Missing::Filter) => "off with -G and --comm; -p has it".to_owned(),
            Off::Missing(Missing::NotRecorded) => {
                format!("not recorded; record --probe {} does", probe.name())
            }
        })
    }
}

/// When one of several probes was off because it would have cost too much. A probe goes, and comes back, where a window of
/// the quality ends, so it is the end of a window that it was off in.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<Range<u64>>);

impl Gaps {
    pub(super) fn of<'a>(quality: impl Iterator<Item = &'a QualityWindow>, probes: &[Probe]) -> Self {
        let gap = |window: &QualityWindow| {
            let off = probes.iter().filter_map(|probe| window.shed_ns.get(probe.name()));
            let off = off.max().copied().filter(|off| *off > 0)?;
            Some(window.end_ns.saturating_sub(off).max(window.start_ns)..window.end_ns)
        };
        Self(quality.filter_map(gap).collect())
    }

    /// How much of a stretch of time was measured, in nanoseconds.
    pub(super) fn measured_ns(&self, within: &Range<u64>) -> u64 {
        let overlap = |gap: &Range<u64>| {
            let end = gap.end.min(within.end);
            end.saturating_sub(gap.start.max(within.start))
        };
        let off = self.0.iter().map(overlap).fold(0, u64::saturating_add);
        within.end.saturating_sub(within.start).saturating_sub(off)
    }
}

/// The probes that were off, because they would have cost too much, in the last of these windows.
pub(super) fn shed_at_end<'a>(quality: impl Iterator<Item = &'a QualityWindow>) -> Vec<Probe> {
    let all = [Probe::States, Probe::Calls, Probe::Locks];
    let Some(last) = quality.max_by_key(|window| window.end_ns) else {
        return Vec::new();
    };
    let states = last.shed_ns.contains_key(Probe::States.name());
    // Without the states there is nothing of the others.
    let shed = |probe: &Probe| states || last.shed_ns.contains_key(probe.name());
    all.into_iter().filter(shed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_what_no_gap_covers() {
        let window = |start_ns, end_ns, off: u64| QualityWindow {
            start_ns,
            end_ns,
            shed_ns: (off > 0)
                .then(|| ("states".to_owned(), off))
                .into_iter()
                .collect(),
            ..QualityWindow::default()
        };
        let windows = [window(0, 10, 0), window(10, 20, 4), window(20, 30, 10)];
        let gaps = Gaps::of(windows.iter(), &[Probe::States]);
        assert_eq!(gaps.measured_ns(&(0..30)), 16);
        assert_eq!(gaps.measured_ns(&(15..25)), 1);
        assert_eq!(
            Gaps::of(windows.iter(), &[Probe::Locks]).measured_ns(&(0..30)),
            30
        );
        assert_eq!(
            shed_at_end(windows.iter()),
            [Probe::States, Probe::Calls, Probe::Locks]
        );
        assert_eq!(shed_at_end(windows[..1].iter()), []);
    }
}
