//! How a lock went from hand to hand.
//!
//! Who wakes a thread that waits for a lock has just released it. So the wake-ups of all who waited for a lock say who had it
//! when: whoever releases it has had it since the release before.

use rustc_hash::FxHashMap;

use super::{Library, call_stacks::ids, subject::Subjects};
use crate::profile::{Id, Lock, Profile, Thread, Waker};

/// A lock as it goes from hand to hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Baton {
    /// The word that is waited for.
    Word(Id<Lock>),
    /// The number of a subject: each thread that waits for a lock of `parking_lot` waits for a word of its own.
    Subject(usize),
}

/// Releases before and after a time that are looked at for one of a thread.
const NEIGHBOURS: usize = 1_000;

/// The releases of all locks, as far as somebody waited for them.
#[derive(Debug)]
pub(super) struct Releases<'a> {
    profile: &'a Profile,
    /// What each wait was for.
    batons: Vec<Baton>,
    /// When, in nanoseconds since the recording began, and by whom; in the order of time.
    of_baton: FxHashMap<Baton, Vec<(u64, Id<Thread>)>>,
}

impl<'a> Releases<'a> {
    pub(super) fn new(profile: &'a Profile, subjects: &Subjects) -> Self {
        let judged = profile.lock_waits.iter().zip(&subjects.waits);
        let batons = judged.map(|(wait, judged)| match subjects.libraries[judged.subject] {
            Library::ParkingLot => Baton::Subject(judged.subject),
            _ => Baton::Word(wait.lock),
        });
        Self::of(profile, batons.collect())
    }

    fn of(profile: &'a Profile, batons: Vec<Baton>) -> Self {
        let mut of_baton: FxHashMap<Baton, Vec<(u64, Id<Thread>)>> = FxHashMap::default();
        for (wait, baton) in profile.lock_waits.iter().zip(&batons) {
            if let Waker::Thread(waker) = wait.waker
                && wait.errno == 0
                && wait.woken_ns > 0
            {
                of_baton.entry(*baton).or_default().push((wait.woken_ns, waker));
            }
        }
        for releases in of_baton.values_mut() {
            releases.sort_unstable();
        }
        Self {
            profile,
            batons,
            of_baton,
        }
    }

    /// The releases of the lock of wait `number` after `start_ns`, up to `end_ns`.
    fn between(&self, number: usize, (start_ns, end_ns): (u64, u64)) -> &[(u64, Id<Thread>)] {
        let releases = self.of_baton.get(&self.batons[number]);
        let releases = releases.map_or(&[][..], Vec::as_slice);
        let first = releases.partition_point(|(time, _)| *time <= start_ns);
        let after = releases.partition_point(|(time, _)| *time <= end_ns);
        releases.get(first..after).unwrap_or_default()
    }

    /// Who had the lock of wait `number` for the longest part of a stretch of time that ends with a release; `None` if none is known.
    pub(super) fn longest_holder(&self, number: usize, stretch: (u64, u64)) -> Option<Id<Thread>> {
        let mut since = stretch.0;
        let mut had: FxHashMap<(u32, u32), (u64, Id<Thread>)> = FxHashMap::default();
        for &(time, thread) in self.between(number, stretch) {
            let entry = had.entry(ids(self.profile, thread)).or_insert((0, thread));
            entry.0 += time - since;
            since = time;
        }
        had.into_values().max().map(|(_, thread)| thread)
    }

    /// When `thread` released the lock of wait `number` at another time, the nearest to `time_ns` that is known.
    pub(super) fn nearest_of(&self, number: usize, thread: Id<Thread>, time_ns: u64) -> Option<u64> {
        let releases = self.of_baton.get(&self.batons[number])?;
        let own = ids(self.profile, thread);
        let is_own = |(_, by): &&(u64, Id<Thread>)| ids(self.profile, *by) == own;
        let (before, after) = releases.split_at(releases.partition_point(|(time, _)| *time <= time_ns));
        let before = before.iter().rev().take(NEIGHBOURS).find(is_own);
        let after = after.iter().take(NEIGHBOURS).find(is_own);
        let times = before.into_iter().chain(after).map(|(time, _)| *time);
        times.min_by_key(|time| time.abs_diff(time_ns))
    }

    /// When `thread` released the lock of wait `number` last in a stretch of time.
    pub(super) fn last_of(&self, number: usize, thread: Id<Thread>, stretch: (u64, u64)) -> Option<u64> {
        let releases = self.between(number, stretch).iter().rev();
        let own = ids(self.profile, thread);
        releases
            .into_iter()
            .find(|(_, by)| ids(self.profile, *by) == own)
            .map(|(time, _)| *time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Contention, Extent, LockWait, Outcome, folded::from_folded};

    fn woken(lock: u32, woken_ns: u64, waker: u32) -> LockWait {
        LockWait {
            thread: Id::new(2),
            lock: Id::new(lock),
            contention: Contention::FutexWaitBitset,
            value: 2,
            end_ns: woken_ns + 1,
            duration_ns: 1,
            blocked_ns: 1,
            threshold_ns: 0,
            extent: Extent::Whole,
            errno: 0,
            owner: Waker::Unknown,
            waker: Waker::Thread(Id::new(waker)),
            woken_ns,
            stack: None,
            outcome: Outcome::Complete,
        }
    }

    fn of_words(profile: &Profile) -> Releases<'_> {
        let words = profile.lock_waits.iter().map(|wait| Baton::Word(wait.lock));
        Releases::of(profile, words.collect())
    }

    #[test]
    fn a_lock_goes_from_hand_to_hand() {
        let mut profile = from_folded("a/7;main 1\nb/8;main 1\nc/9;main 1");
        // The first thread releases at 500, the second at 501 and 502; another lock is another matter.
        profile.lock_waits = vec![
            woken(0, 502, 1),
            woken(0, 500, 0),
            woken(0, 501, 1),
            woken(1, 400, 2),
        ];
        let releases = of_words(&profile);
        let longest = |stretch| releases.longest_holder(0, stretch).map(Id::raw);
        assert_eq!(longest((0, 502)), Some(0));
        assert_eq!(longest((500, 502)), Some(1));
        assert_eq!(longest((502, 600)), None);
        assert_eq!(releases.last_of(0, Id::new(0), (0, 502)), Some(500));
        assert_eq!(releases.last_of(0, Id::new(1), (0, 501)), Some(501));
        assert_eq!(releases.last_of(0, Id::new(2), (0, 600)), None);
        assert_eq!(releases.nearest_of(0, Id::new(1), 10), Some(501));
        assert_eq!(releases.nearest_of(0, Id::new(0), 700), Some(500));
        assert_eq!(releases.nearest_of(0, Id::new(2), 700), None);
    }

    #[test]
    fn a_wait_that_timed_out_released_nothing() {
        let mut profile = from_folded("a/7;main 1\nb/8;main 1\nc/9;main 1");
        profile.lock_waits = vec![LockWait {
            errno: 110,
            ..woken(0, 500, 0)
        }];
        let releases = of_words(&profile);
        assert_eq!(releases.longest_holder(0, (0, 600)), None);
    }
}
