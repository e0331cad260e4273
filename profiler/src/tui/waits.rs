//! Waits for locks, as many as there is room for.
//!
//! Each wait was kept with a chance that its length and a threshold tell, and stands for the more waits the smaller that
//! chance was. Where there are too many, the threshold of some is raised, and a coin decides which of them stay: sums stay
//! true on average, and long waits stay all.

use std::{borrow::Cow, collections::VecDeque};

use rustc_hash::FxHashMap;

use super::{coin::Coin, compact::Compaction};
use crate::{
    profile::{CallStack, Extent, Id, LockWait, Profile, Thread, Waker},
    query::locks::start_ns,
};

/// Which waits are thinned out when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinned {
    /// All alike.
    All,
    /// The older half: what is new is looked at more.
    Older,
}

/// Waits for locks in the order in which they came, and the stacks of calls that belong to them.
#[derive(Debug)]
pub(super) struct Waits {
    waits: VecDeque<LockWait>,
    /// Those that had not ended when they were last told of, one of a thread.
    unfinished: Vec<LockWait>,
    calls: VecDeque<CallStack>,
    most: usize,
    thinned: Thinned,
    coin: Coin,
}

impl Waits {
    /// None yet; at most so many, and as many stacks.
    pub(super) fn new(most: usize, thinned: Thinned) -> Self {
        Self {
            waits: VecDeque::new(),
            unfinished: Vec::new(),
            calls: VecDeque::new(),
            most,
            thinned,
            coin: Coin::default(),
        }
    }

    /// A wait that was told of before it ended is that one, and counts once.
    pub(super) fn push(&mut self, wait: LockWait) {
        let before = self
            .unfinished
            .iter()
            .position(|other| other.thread == wait.thread);
        let before = before.map(|place| self.unfinished.swap_remove(place));
        let had_ended = |before: &LockWait| before.end_ns <= start_ns(&wait);
        if let Some(ended) = before.filter(had_ended) {
            self.push_finished(ended);
        }
        if has_no_end(&wait) && self.unfinished.len() < self.most {
            self.unfinished.push(wait);
        } else {
            self.push_finished(wait);
        }
    }

    fn push_finished(&mut self, wait: LockWait) {
        if self.waits.len() >= self.most {
            self.thin();
        }
        self.waits.push_back(wait);
    }

    pub(super) fn push_call(&mut self, call: CallStack) {
        if self.calls.len() >= self.most {
            self.drop_calls();
        }
        self.calls.push_back(call);
    }

    /// How many waits and stacks there are.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.waits.len() + self.unfinished.len() + self.calls.len()
    }

    /// Drops what ended by `start_ns`; nearly in the order of their ends, so a few go later.
    pub(super) fn forget_until(&mut self, start_ns: u64) {
        while self.waits.front().is_some_and(|wait| wait.end_ns <= start_ns) {
            self.waits.pop_front();
        }
        self.unfinished.retain(|wait| wait.end_ns > start_ns);
        while self.calls.front().is_some_and(|call| call.end_ns <= start_ns) {
            self.calls.pop_front();
        }
    }

    /// Takes along what is referred to.
    pub(super) fn keep(&mut self, compaction: &mut Compaction<'_>) {
        self.waits
            .iter_mut()
            .chain(&mut self.unfinished)
            .for_each(|wait| compaction.keep_lock_wait(wait));
        self.calls
            .iter_mut()
            .for_each(|call| compaction.keep_call_stack(call));
    }

    /// All waits.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LockWait> {
        self.waits.iter().chain(&self.unfinished)
    }

    /// Lets `profile` have what ended after `start_ns`.
    pub(super) fn show(&self, start_ns: u64, profile: &mut Profile) {
        profile.lock_waits.clear();
        let waits = self.iter().filter(|wait| wait.end_ns > start_ns);
        profile.lock_waits.extend(waits);
        profile.call_stacks.clear();
        let calls = self.calls.iter().filter(|call| call.end_ns > start_ns);
        profile.call_stacks.extend(calls);
    }

    /// Of those to be thinned out half stay, nearly.
    fn thin(&mut self) {
        let thinned = match self.thinned {
            Thinned::All => self.waits.len(),
            Thinned::Older => self.waits.len() / 2,
        };
        let threshold = halving(self.waits.iter().take(thinned));
        let (coin, mut place) = (&mut self.coin, 0);
        self.waits.retain_mut(|wait| {
            place += 1;
            place > thinned || stays(wait, threshold, coin)
        });
        // Waits that a file made up may have no length that a threshold could be above.
        let too_many = (self.waits.len() + 1).saturating_sub(self.most);
        self.waits.drain(..too_many);
    }

    /// Those that no wait needs any more go, and if that does not suffice the older half.
    fn drop_calls(&mut self) {
        let mut needed: FxHashMap<Id<Thread>, Vec<u64>> = FxHashMap::default();
        for wait in &self.waits {
            if let Waker::Thread(waker) = wait.waker {
                needed.entry(waker).or_default().push(wait.woken_ns);
            }
            if !wait.contention.is_futex() {
                needed.entry(wait.thread).or_default().push(wait.end_ns);
            }
        }
        needed.values_mut().for_each(|times| times.sort_unstable());
        self.calls.retain(|call| {
            needed.get(&call.thread).is_some_and(|times| {
                let after = times.partition_point(|&time| time < call.start_ns);
                times.get(after).is_some_and(|&time| time <= call.end_ns)
            })
        });
        if self.calls.len() > self.most / 4 * 3 {
            self.calls.drain(..self.calls.len() / 2);
        }
    }
}

/// About as many as `most` of these waits, that stand for all: long ones as they are, and of the others, in their order, one
/// for each equal part of the time they took. So sums stay true over any stretch of time in which some stay.
pub(super) fn fewer(waits: &[LockWait], most: usize) -> Cow<'_, [LockWait]> {
    if waits.len() <= most {
        return Cow::Borrowed(waits);
    }
    let step = waits.iter().map(LockWait::weight_ns).sum::<f64>() / most as f64;
    let mut passed = 0.0;
    let stays = |wait: &LockWait| {
        let weight = wait.weight_ns();
        if weight >= step {
            return Some(*wait);
        }
        passed += weight;
        if passed < step {
            return None;
        }
        passed -= step;
        let threshold = step / wait.duration_ns.max(1) as f64 * wait.blocked_ns.max(1) as f64;
        Some(LockWait {
            threshold_ns: threshold as u64,
            ..*wait
        })
    };
    waits.iter().filter_map(stays).collect()
}

fn has_no_end(wait: &LockWait) -> bool {
    matches!(wait.extent, Extent::NotEnded | Extent::Throughout)
}

/// The threshold at which half of these waits stay, on average, or a little fewer.
fn halving<'a>(waits: impl Iterator<Item = &'a LockWait> + Clone) -> u64 {
    let all = waits.clone().count() as f64;
    let staying = |threshold: u64| waits.clone().map(|wait| chance(wait, threshold)).sum::<f64>();
    let thresholds = (0..u64::BITS).map(|bits| 1u64 << bits);
    let mut thresholds = thresholds.skip_while(|&threshold| staying(threshold) > all / 2.0);
    thresholds.next().unwrap_or(u64::MAX)
}

/// How likely it is that a wait that was kept is kept at this threshold.
fn chance(wait: &LockWait, threshold: u64) -> f64 {
    wait.stands_for() / raised(wait, threshold).stands_for()
}

fn raised(wait: &LockWait, threshold: u64) -> LockWait {
    LockWait {
        threshold_ns: wait.threshold_ns.max(threshold),
        ..*wait
    }
}

/// Whether a wait is kept at this threshold, which is its own from then on.
fn stays(wait: &mut LockWait, threshold: u64, coin: &mut Coin) -> bool {
    let stays = coin.falls(chance(wait, threshold));
    *wait = raised(wait, threshold);
    stays
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::locks::tests::wait;

    fn of(duration_ns: u64, end_ns: u64) -> LockWait {
        LockWait {
            duration_ns,
            blocked_ns: duration_ns,
            end_ns,
            ..wait(0, 0)
        }
    }

    fn total(waits: &Waits) -> f64 {
        waits.waits.iter().map(LockWait::weight_ns).sum()
    }

    #[test]
    fn sums_stay_true_and_long_waits_stay() {
        for thinned in [Thinned::All, Thinned::Older] {
            let mut waits = Waits::new(4_000, thinned);
            let mut truth = 0.0;
            for number in 0..40_000 {
                let duration_ns = if number % 1_000 == 0 {
                    50_000_000
                } else {
                    1_000 + number % 7 * 500
                };
                truth += duration_ns as f64;
                waits.push(of(duration_ns, number));
            }
            assert!(waits.waits.len() <= 4_000);
            let long = waits.waits.iter().filter(|wait| wait.duration_ns == 50_000_000);
            assert_eq!(long.count(), 40, "{thinned:?}");
            let kept = total(&waits);
            assert!((kept / truth - 1.0).abs() < 0.05, "{thinned:?} {kept} {truth}");
        }
    }

    #[test]
    fn what_is_new_stays_whole_where_the_older_half_is_thinned_out() {
        let mut waits = Waits::new(1_000, Thinned::Older);
        (0..10_000).for_each(|number| waits.push(of(1_000, number)));
        let exact = waits.waits.iter().rev().take(400);
        assert!(exact.map(LockWait::stands_for).all(|times| times == 1.0));
        assert!((total(&waits) / 1e7 - 1.0).abs() < 0.2);
        waits.forget_until(9_900);
        assert!(waits.waits.iter().all(|wait| wait.end_ns > 9_900));
    }

    #[test]
    fn a_wait_that_goes_on_counts_once_however_often_it_is_told_of() {
        let mut waits = Waits::new(100, Thinned::All);
        let stuck = |end_ns: u64| LockWait {
            extent: Extent::NotEnded,
            ..of(end_ns - 1_000, end_ns)
        };
        let shown = |waits: &Waits| {
            let mut profile = Profile::default();
            waits.show(0, &mut profile);
            let rows = profile.lock_waits.iter();
            rows.map(|wait| (wait.end_ns, wait.extent)).collect::<Vec<_>>()
        };
        waits.push(stuck(3_000));
        waits.push(stuck(5_000));
        assert_eq!(shown(&waits), [(5_000, Extent::NotEnded)]);
        // Another thread's is another.
        waits.push(LockWait {
            thread: Id::new(1),
            ..stuck(4_000)
        });
        assert_eq!(shown(&waits).len(), 2);
        // It ends, and the thread waits anew.
        waits.push(of(5_500, 6_500));
        waits.push(LockWait {
            extent: Extent::NotEnded,
            ..of(1_000, 9_000)
        });
        assert_eq!(
            shown(&waits),
            [
                (6_500, Extent::Whole),
                (4_000, Extent::NotEnded),
                (9_000, Extent::NotEnded)
            ]
        );
        // Nobody said that it ended, but it did.
        waits.push(of(500, 9_900));
        assert!(shown(&waits).contains(&(9_000, Extent::NotEnded)));
        waits.forget_until(8_000);
        assert_eq!(shown(&waits).len(), 2);
    }

    #[test]
    fn fewer_waits_stand_for_all_over_any_stretch_of_time() {
        let waits: Vec<_> = (0..50_000)
            .map(|number| match number % 1_000 {
                0 => of(50_000_000, number),
                _ => of(1_000 + number % 7 * 500, number),
            })
            .collect();
        let few = fewer(&waits, 5_000);
        assert!(few.len() <= 5_100, "{}", few.len());
        assert!(matches!(fewer(&few, 5_100), Cow::Borrowed(_)));
        for range in [0..50_000, 0..10_000, 35_000..40_000] {
            let sum = |waits: &[LockWait]| {
                let within = waits.iter().filter(|wait| range.contains(&wait.end_ns));
                within.map(LockWait::weight_ns).sum::<f64>()
            };
            let (kept, truth) = (sum(&few), sum(&waits));
            assert!((kept / truth - 1.0).abs() < 0.02, "{kept} {truth}");
        }
        assert_eq!(fewer(&vec![of(0, 1); 10], 5).len(), 10);
    }

    #[test]
    fn waits_without_a_length_are_no_trouble() {
        let mut waits = Waits::new(100, Thinned::All);
        (0..1_000).for_each(|number| waits.push(of(0, number)));
        (0..1_000).for_each(|number| waits.push(of(u64::MAX, number)));
        assert!(waits.waits.len() <= 100);
    }

    #[test]
    fn stacks_go_that_no_wait_needs() {
        let mut waits = Waits::new(8, Thinned::All);
        waits.push(LockWait {
            waker: Waker::Thread(Id::new(3)),
            woken_ns: 25,
            ..of(10, 30)
        });
        for start_ns in 0..20 {
            waits.push_call(CallStack {
                thread: Id::new(3),
                start_ns: start_ns * 10,
                end_ns: start_ns * 10 + 9,
                stack: None,
                outcome: crate::profile::Outcome::Complete,
            });
        }
        let mut profile = Profile::default();
        waits.show(0, &mut profile);
        assert!(profile.call_stacks.len() <= 8);
        assert_eq!(profile.call_stacks[0].start_ns, 20);
        assert_eq!(profile.lock_waits.len(), 1);
    }
}
