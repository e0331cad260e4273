//! When probes that were shed are tried again: a storm of calls ends, and who looks on for hours wants to see what comes
//! after it. The longer a load lasts that they cost too much under, the more rarely they are tried.

use std::collections::BTreeMap;

use super::governor::Sheddable;

/// The first trial comes so long after a probe was shed, in nanoseconds; each that fails doubles it.
const FIRST_NS: u64 = 10_000_000_000;
/// But it takes no longer than this.
const LONGEST_NS: u64 = 320_000_000_000;
/// A probe that was on for so long is not shed because its trial failed, in nanoseconds.
const LASTED_NS: u64 = 60_000_000_000;

/// The probes that were shed, and how often.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    probes: BTreeMap<Sheddable, Trial>,
    /// What was put back and is not measured yet.
    running: Option<Sheddable>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Trial {
    /// Whether it is off.
    is_off: bool,
    /// Since when it is on or off, in nanoseconds.
    since: u64,
    /// How often in a row it was found too dear.
    failed: u32,
}

impl Trials {
    /// A probe is shed at `now`.
    pub fn shed(&mut self, probe: Sheddable, now: u64) {
        let trial = self.probes.entry(probe).or_default();
        if !trial.is_off && now.saturating_sub(trial.since) > LASTED_NS {
            trial.failed = 0;
        }
        *trial = Trial {
            is_off: true,
            since: now,
            failed: trial.failed + 1,
        };
        self.running = self.running.filter(|running| *running != probe);
    }

    /// Which probe is to be put back at `now`. One at a time, so that it is known what costs; the states of threads before
    /// the others, which need them, and what is most easily done without last.
    pub fn next(&mut self, now: u64) -> Option<Sheddable> {
        if self.running.is_some() {
            return None;
        }
        let mut off = self.probes.iter_mut().rev().filter(|(_, trial)| trial.is_off);
        let is_due = |trial: &Trial| {
            let wait = FIRST_NS << (trial.failed - 1).min(8);
            now >= trial.since + wait.min(LONGEST_NS)
        };
        let (probe, trial) = off.find(|(probe, trial)| is_due(trial) || **probe == Sheddable::States)?;
        if !is_due(trial) {
            return None;
        }
        (trial.is_off, trial.since) = (false, now);
        self.running = Some(*probe);
        self.running
    }

    /// What is on trial; it was measured now, and is on trial no longer.
    pub fn measured(&mut self) -> Option<Sheddable> {
        self.running.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Sheddable::{Locks, States, Syscalls};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn trials_become_rarer_while_they_fail() {
        let mut trials = Trials::default();
        let mut at = Vec::new();
        trials.shed(Syscalls, 0);
        for second in 1..=700 {
            if let Some(probe) = trials.next(second * SECOND) {
                at.push(second);
                trials.shed(probe, second * SECOND);
            }
        }
        assert_eq!(at, [10, 30, 70, 150, 310, 630]);
    }

    #[test]
    fn one_that_lasted_starts_again() {
        let mut trials = Trials::default();
        trials.shed(Syscalls, 0);
        trials.shed(Syscalls, 0);
        assert_eq!(trials.next(20 * SECOND), Some(Syscalls));
        assert_eq!(trials.measured(), Some(Syscalls));
        trials.shed(Syscalls, 100 * SECOND);
        assert_eq!(trials.next(109 * SECOND), None);
        assert_eq!(trials.next(110 * SECOND), Some(Syscalls));
    }

    #[test]
    fn one_at_a_time_and_states_before_the_others() {
        let mut trials = Trials::default();
        for probe in [Syscalls, Locks] {
            trials.shed(probe, 0);
        }
        trials.shed(States, 5 * SECOND);
        assert_eq!(trials.next(12 * SECOND), None);
        assert_eq!(trials.next(15 * SECOND), Some(States));
        assert_eq!(trials.next(16 * SECOND), None);
        assert_eq!(trials.measured(), Some(States));
        assert_eq!(trials.next(17 * SECOND), Some(Locks));
        trials.measured();
        assert_eq!(trials.next(18 * SECOND), Some(Syscalls));
        trials.measured();
        assert_eq!(trials.next(19 * SECOND), None);
    }
}
