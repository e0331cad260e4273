//! Waits for locks and slow calls, which are told one by one, as samples: tables, trees and flame graphs are made of them as
//! of others.
//!
//! They are in a profile of their own, made for a picture: what is remembered, and a trace that is being written, have
//! them once.

use std::{cmp::Reverse, ops::Range};

use super::compact::{Compaction, Moved};
use crate::{
    profile::{LockWait, Profile, SlowEvent},
    query::{
        Sampled, Selection,
        locks::{self, Purpose, samples::Judged},
        operation::{is_call, is_idle, waits_for_others},
        sampled, slow, slow_samples,
    },
};

/// The most waits or calls a picture is made of.
const MOST: usize = 30_000;

/// What is to be made into samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Of {
    pub(super) sampled: Sampled,
    /// What touches this time; `None`: all.
    pub(super) time: Option<Range<u64>>,
    /// Whether only what lies in that time is made into samples: who asks says nothing of time.
    pub(super) cut: bool,
    /// Also calls that wait for something to do or for other threads, or have not ended, and waits of which it is not known
    /// whether another had the lock.
    pub(super) idle: bool,
}

/// Waits for locks or slow calls as samples.
#[derive(Debug)]
pub(super) struct Told {
    of: Of,
    /// With samples of just that, and all that they refer to.
    pub(super) profile: Profile,
    /// How many there are; the longest of them are samples.
    pub(super) all: usize,
    /// So many are samples at most.
    most: usize,
}

impl Told {
    /// `None` if `of` asks for what is sampled anyway.
    pub(super) fn new(profile: &Profile, of: &Of) -> Option<Self> {
        Self::of_most(profile, of, MOST)
    }

    fn of_most(profile: &Profile, of: &Of, most: usize) -> Option<Self> {
        let mut told = Self {
            of: of.clone(),
            profile: Profile {
                metadata: profile.metadata.clone(),
                sample_types: profile.sample_types.clone(),
                quality: profile.quality.clone(),
                ended: profile.ended,
                ..Profile::default()
            },
            all: 0,
            most,
        };
        // Both have their numbers, whichever there are samples of.
        sampled::made(&mut told.profile, sampled::LOCK)?;
        sampled::made(&mut told.profile, sampled::SLOW)?;
        match of.sampled {
            Sampled::Lock => told.add_waits(profile, most),
            Sampled::Slow => told.add_calls(profile, most),
            Sampled::Cpu | Sampled::OffCpu | Sampled::Wall | Sampled::Other => return None,
        }
        if of.cut {
            told.cut();
        }
        Some(told)
    }

    fn cut(&mut self) {
        let within = Selection {
            sample_types: (0..=u8::MAX).take(self.profile.sample_types.len()).collect(),
            ..self.within()
        };
        let parts = within.matcher(&self.profile).samples().collect();
        self.profile.samples = parts;
    }

    /// Whether it is what `of` asks for.
    pub(super) fn is_of(&self, of: &Of) -> bool {
        self.of == *of
    }

    /// What its samples stand for.
    pub(super) fn sampled(&self) -> Sampled {
        self.of.sampled
    }

    /// How many were left out since they were too many.
    pub(super) fn left_out(&self) -> usize {
        self.all.saturating_sub(self.most)
    }

    fn within(&self) -> Selection {
        Selection {
            time: self.of.time.clone(),
            ..Selection::default()
        }
    }

    fn add_waits(&mut self, old: &Profile, most: usize) {
        let within = self.within();
        let is_shown = |purpose| match purpose {
            Purpose::Contention => true,
            Purpose::Unknown => self.of.idle,
            Purpose::Idle => false,
        };
        let wanted = |wait: &LockWait, purpose| {
            is_shown(purpose) && within.touches(locks::start_ns(wait), wait.end_ns)
        };
        let (waits, all) = locks::samples::judged(old, most, wanted);
        self.all = all;
        let mut moved = Moved::default();
        let mut compaction = Compaction::new(old, &mut self.profile, &mut moved, 0);
        let waits: Vec<Judged> = waits
            .into_iter()
            .map(
                |Judged {
                     mut wait,
                     label,
                     path,
                 }| {
                    wait.thread = compaction.keep_thread(wait.thread);
                    compaction.keep_waker(&mut wait.waker);
                    let path = path.into_iter();
                    let path = path.map(|location| compaction.keep_location(location)).collect();
                    Judged { wait, label, path }
                },
            )
            .collect();
        locks::samples::put(&mut self.profile, waits);
    }

    fn add_calls(&mut self, old: &Profile, most: usize) {
        let within = self.within();
        // What has not ended are threads that wait for work, most of them.
        let idle = |event: &SlowEvent| {
            is_idle(event.operation, event.object)
                || waits_for_others(event.operation)
                || slow::has_no_end(event)
        };
        let wanted = |event: &&SlowEvent| {
            is_call(event.operation)
                && (self.of.idle || !idle(event))
                && within.touches(slow::start_ns(event), event.end_ns)
        };
        let mut events: Vec<&SlowEvent> = old.slow.iter().filter(wanted).collect();
        self.all = events.len();
        if events.len() > most {
            events.select_nth_unstable_by_key(most, |event| Reverse(event.duration_ns));
            events.truncate(most);
            events.sort_by_key(|event| event.end_ns);
        }
        let mut moved = Moved::default();
        let mut compaction = Compaction::new(old, &mut self.profile, &mut moved, 0);
        let mut slow: Vec<SlowEvent> = events.into_iter().cloned().collect();
        slow.iter_mut().for_each(|event| compaction.keep_slow(event));
        self.profile.slow = slow;
        slow_samples::add(&mut self.profile, |_| true);
        self.profile.slow.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{query::functions, tui::tests::locks::contended};

    fn of(time: Option<Range<u64>>) -> Of {
        Of {
            sampled: Sampled::Lock,
            time,
            cut: false,
            idle: false,
        }
    }

    fn names(told: &Told) -> Vec<(String, u64)> {
        let selection = Selection {
            sample_types: Sampled::Lock.sample_types(&told.profile).unwrap_or_default(),
            time: told.of.time.clone(),
            ..Selection::default()
        };
        let rows = functions(&told.profile, &selection).rows.into_iter();
        rows.filter(|row| row.self_value > 0)
            .map(|row| (row.label, row.self_value / 1_000_000))
            .collect()
    }

    #[test]
    fn the_same_waits_are_samples_as_for_a_report() {
        let profile = contended();
        let all = Of {
            idle: true,
            ..of(None)
        };
        let told = Told::new(&profile, &all).unwrap();
        let mut reported = profile.clone();
        locks::samples::add(&mut reported);
        let selection = |profile: &Profile| Selection {
            sample_types: Sampled::Lock.sample_types(profile).unwrap(),
            ..Selection::default()
        };
        let of = |profile: &Profile| functions(profile, &selection(profile));
        assert_eq!(of(&told.profile), of(&reported));
        assert_eq!(told.left_out(), 0);
    }

    #[test]
    fn of_too_many_the_longest_stay_and_it_is_known_that_some_do_not() {
        let told = Told::of_most(&contended(), &of(None), 5).unwrap();
        assert_eq!((told.profile.samples.len(), told.left_out()), (5, told.all - 5));
        assert_eq!(names(&told)[0].1, 36, "{:?}", names(&told));
    }

    #[test]
    fn where_nobody_cuts_waits_they_are_cut() {
        let of = Of {
            cut: true,
            ..of(Some(20_000_000..22_000_000))
        };
        let told = Told::new(&contended(), &of).unwrap();
        assert!(
            told.profile
                .samples
                .iter()
                .all(|sample| sample.value <= 2_000_000)
        );
        assert!(!told.profile.samples.is_empty());
    }

    #[test]
    fn what_is_sampled_anyway_is_not_told() {
        let sampled = Sampled::Cpu;
        assert!(Told::new(&contended(), &Of { sampled, ..of(None) }).is_none());
    }
}
