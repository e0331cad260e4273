//! Who waited for whom who waited for whom: and whether that is a circle.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    call_stacks::ids,
    class::Purpose,
    holder::{Evidence, Holders, start_ns},
};
use crate::profile::{Extent, LockWait, Profile};

/// The longest way that is followed.
const HOPS: usize = 5;
/// A holder's own wait may end a little after the one that it caused: it has to run first.
const SLACK_NS: u64 = 100_000;
/// Waits of one thread that are looked at for one hop.
const CANDIDATES: usize = 1_000;

/// Follows waits from thread to thread.
#[derive(Debug)]
pub(super) struct Chains<'a> {
    profile: &'a Profile,
    holders: &'a Holders<'a>,
    /// Numbers of the waits of each thread, by process and thread id, in the order of their ends.
    threads: FxHashMap<(u32, u32), Vec<usize>>,
}

impl<'a> Chains<'a> {
    pub(super) fn new(profile: &'a Profile, holders: &'a Holders<'a>) -> Self {
        let mut threads: FxHashMap<(u32, u32), Vec<usize>> = FxHashMap::default();
        for (number, wait) in profile.lock_waits.iter().enumerate() {
            threads.entry(ids(profile, wait.thread)).or_default().push(number);
        }
        for waits in threads.values_mut() {
            waits.sort_by_key(|&number| profile.lock_waits[number].end_ns);
        }
        Self {
            profile,
            holders,
            threads,
        }
    }

    /// The wait of the thread that held the lock of wait `number`, during that, then that of the thread that held that one's,
    /// and so on: at most five, no thread twice.
    pub(super) fn of(&self, number: usize) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut last = number;
        let mut seen = vec![ids(self.profile, self.profile.lock_waits[number].thread)];
        while chain.len() < HOPS {
            let Some((holder, evidence)) = self.holders.of(last) else {
                break;
            };
            let holder = ids(self.profile, holder);
            if seen.contains(&holder) {
                break;
            }
            let Some(cause) = self.cause(holder, evidence, &self.profile.lock_waits[last]) else {
                break;
            };
            seen.push(holder);
            chain.push(cause);
            last = cause;
        }
        chain
    }

    fn cause(&self, holder: (u32, u32), evidence: Evidence, wait: &LockWait) -> Option<usize> {
        let waits = self.threads.get(&holder)?;
        let all = &self.profile.lock_waits;
        let (start, end) = (start_ns(wait), wait.end_ns);
        let after = waits.partition_point(|&number| all[number].end_ns <= end.saturating_add(SLACK_NS));
        waits[..after]
            .iter()
            .rev()
            .take(CANDIDATES)
            .take_while(|&&number| all[number].end_ns > start)
            // Who ended the wait may have been idle before it took the lock; who owned it all the time was not.
            .filter(|&&number| evidence == Evidence::Owner || self.holders.purpose(number) != Purpose::Idle)
            .filter(|&&number| start_ns(&all[number]) < end)
            .max_by_key(|&&number| {
                let other = &all[number];
                other.end_ns.min(end).saturating_sub(start_ns(other).max(start))
            })
            .copied()
    }

    /// Circles of waits that had not ended: the lock of each is held by the thread of the next, and that of the last by the
    /// first's.
    pub(super) fn deadlocks(&self) -> Vec<Vec<usize>> {
        let mut waits: FxHashMap<(u32, u32), ((u32, u32), usize)> = FxHashMap::default();
        for (number, wait) in self.profile.lock_waits.iter().enumerate() {
            let ends = !matches!(wait.extent, Extent::NotEnded | Extent::Throughout);
            if ends || self.holders.purpose(number) == Purpose::Idle {
                continue;
            }
            if let Some((owner, Evidence::Owner)) = self.holders.of(number) {
                waits.insert(ids(self.profile, wait.thread), (ids(self.profile, owner), number));
            }
        }
        let mut threads: Vec<_> = waits.keys().copied().collect();
        threads.sort_unstable();
        let mut done: FxHashSet<(u32, u32)> = FxHashSet::default();
        let mut found = Vec::new();
        for thread in threads {
            let mut way = Vec::new();
            let mut next = thread;
            // Until it ends, or comes to where it or an earlier way was.
            while let Some(&(owner, _)) = waits.get(&next)
                && done.insert(next)
            {
                way.push(next);
                next = owner;
            }
            if let Some(begin) = way.iter().position(|&on_it| on_it == next) {
                found.push(way[begin..].iter().map(|thread| waits[thread].1).collect());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, Waker, folded::from_folded},
        query::locks::{
            place::Places,
            subject::Subjects,
            tests::{lock, wait},
        },
    };

    /// A wait of a thread of one process, in milliseconds, for a lock that another holds.
    fn held(thread: u32, start: u64, end: u64, owner: u32, extent: Extent) -> LockWait {
        LockWait {
            lock: Id::new(thread),
            end_ns: end * 1_000_000,
            duration_ns: (end - start) * 1_000_000,
            owner: Waker::Thread(Id::new(owner)),
            extent,
            ..wait(thread, 0)
        }
    }

    fn profile(waits: Vec<LockWait>) -> Profile {
        let mut profile = from_folded("app/7;main 1");
        for thread in 1..8 {
            let mut copy = profile.threads[Id::new(0)].clone();
            copy.tid += thread;
            profile.threads.intern(copy);
        }
        for number in 0..8 {
            lock(&mut profile, number);
        }
        profile.lock_waits = waits;
        profile
    }

    fn of(waits: Vec<LockWait>) -> (Vec<usize>, Vec<Vec<usize>>) {
        let profile = profile(waits);
        let purposes = vec![Purpose::Contention; profile.lock_waits.len()];
        let mut places = Places::new(&profile);
        let subjects = Subjects::new(&profile, &profile.lock_waits, &mut places);
        let holders = Holders::new(&profile, &purposes, &subjects);
        let chains = Chains::new(&profile, &holders);
        let thread = |&number: &usize| profile.lock_waits[number].thread.index();
        let threads = |waits: &Vec<usize>| waits.iter().map(thread).collect::<Vec<_>>();
        (
            threads(&chains.of(0)),
            chains.deadlocks().iter().map(threads).collect(),
        )
    }

    #[test]
    fn who_waits_for_whom_is_followed() {
        let whole = |thread, start, end, owner| held(thread, start, end, owner, Extent::Whole);
        let chain = of(vec![
            whole(0, 0, 100, 1),
            whole(1, 10, 99, 2),
            // Shorter within it, later, or before.
            whole(1, 0, 9, 3),
            whole(1, 90, 200, 3),
            whole(2, 20, 90, 4),
        ]);
        assert_eq!(chain, (vec![1, 2], vec![]));
        // A circle that has ended is none, and is not followed for ever.
        let circle = of(vec![whole(0, 0, 100, 1), whole(1, 0, 100, 0)]);
        assert_eq!(circle, (vec![1], vec![]));
    }

    #[test]
    fn a_circle_that_had_not_ended_is_a_deadlock_and_who_waits_for_it_is_not() {
        let stuck = |thread, owner| held(thread, 0, 100, owner, Extent::NotEnded);
        let (_, deadlocks) = of(vec![stuck(0, 1), stuck(1, 2), stuck(2, 1), stuck(3, 4)]);
        assert_eq!(deadlocks, [vec![1, 2]]);
        // Alone with itself, and two circles.
        let (_, deadlocks) = of(vec![
            stuck(5, 5),
            stuck(6, 7),
            held(7, 0, 100, 6, Extent::Throughout),
        ]);
        assert_eq!(deadlocks, [vec![5], vec![6, 7]]);
    }
}
