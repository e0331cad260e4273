//! What a thread really waited for: what the one that ended its wait had been doing.

use rustc_hash::FxHashMap;

use super::{locks::CallStacks, slow::start_ns};
use crate::profile::{Id, Operation, Profile, SlowEvent, Stack, Waker};

/// The longest way that is followed.
const HOPS: usize = 5;
/// A thread's operation that woke another may end a little after the one it ended: it has to return first.
const SLACK_NS: u64 = 100_000;
/// Operations of one thread that are looked at for one hop: a thread does one thing at a time, so few lie within
/// another's operation, except in a trace that somebody made up.
const CANDIDATES: usize = 1_000;

/// Finds for slow operations what the threads that ended them had been doing.
#[derive(Debug)]
pub struct Chains<'a> {
    profile: &'a Profile,
    /// The slow operations of each thread, by its id, in the order of their ends.
    threads: FxHashMap<u32, Vec<&'a SlowEvent>>,
    calls: CallStacks<'a>,
}

impl<'a> Chains<'a> {
    /// Ready to answer for the slow operations of `profile`.
    pub fn new(profile: &'a Profile) -> Self {
        let mut threads: FxHashMap<u32, Vec<&SlowEvent>> = FxHashMap::default();
        for event in &profile.slow {
            let tid = profile.threads[event.thread].tid;
            threads.entry(tid).or_default().push(event);
        }
        for events in threads.values_mut() {
            events.sort_by_key(|event| event.end_ns);
        }
        Self {
            profile,
            threads,
            calls: CallStacks::new(profile),
        }
    }

    /// The slow operation of the thread that ended `event`'s wait, then that of the thread that ended that one's, and so
    /// on: at most five, no thread twice. Each lies, at least in part, within the one before it, and ended with it or
    /// before; of several, it is the one that covers most of it.
    pub fn of(&self, event: &'a SlowEvent) -> Vec<&'a SlowEvent> {
        let mut chain = Vec::new();
        if event.operation == Operation::RunQueue {
            // Nobody ended that but the scheduler.
            return chain;
        }
        let mut tids = vec![self.profile.threads[event.thread].tid];
        let mut last = event;
        while chain.len() < HOPS {
            let Waker::Thread(waker) = last.waker else { break };
            let tid = self.profile.threads[waker].tid;
            if tids.contains(&tid) {
                break;
            }
            let Some(cause) = self.cause(tid, last) else { break };
            tids.push(tid);
            chain.push(cause);
            last = cause;
        }
        chain
    }

    /// Where the thread was that ended `event`'s wait, in its own code; `None` if that is not known.
    pub fn waker_stack(&self, event: &SlowEvent) -> Option<Id<Stack>> {
        let Waker::Thread(waker) = event.waker else {
            return None;
        };
        if event.woken_ns == 0 {
            return None;
        }
        self.calls.at(waker, event.woken_ns)?.stack
    }

    fn cause(&self, tid: u32, event: &SlowEvent) -> Option<&'a SlowEvent> {
        let events = self.threads.get(&tid)?;
        let (start, end) = (start_ns(event), event.end_ns);
        let after = events.partition_point(|other| other.end_ns <= end.saturating_add(SLACK_NS));
        events[..after]
            .iter()
            .rev()
            .take(CANDIDATES)
            .take_while(|other| other.end_ns > start)
            .filter(|other| start_ns(other) < end)
            .max_by_key(|other| other.end_ns.min(end).saturating_sub(start_ns(other).max(start)))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Id, folded::from_folded},
        query::slow::tests::event,
    };

    const MS: u64 = 1_000_000;

    /// A slow operation of thread `thread`, in milliseconds, that thread `waker` ended.
    fn slow(thread: u32, start: u64, end: u64, waker: Option<u32>) -> SlowEvent {
        let waker = waker.map_or(Waker::Interrupt, |waker| Waker::Thread(Id::new(waker)));
        event(thread, start * MS, end * MS, waker)
    }

    /// Who is in the chain of the first of these, and when its operation ended, in milliseconds.
    fn chain(slow: Vec<SlowEvent>) -> Vec<(usize, u64)> {
        let threads: String = (0..8).map(|i| format!("t{i}/{};main 1\n", 10 + i)).collect();
        let profile = Profile {
            slow,
            ..from_folded(&threads)
        };
        let chain = Chains::new(&profile).of(&profile.slow[0]);
        chain
            .iter()
            .map(|event| (event.thread.index(), event.end_ns / MS))
            .collect()
    }

    #[test]
    fn who_waited_for_whom_is_followed_to_the_end() {
        let events = vec![
            slow(0, 0, 100, Some(1)),
            slow(1, 10, 99, Some(2)),
            slow(2, 20, 90, None),
        ];
        assert_eq!(chain(events), [(1, 99), (2, 90)]);
    }

    #[test]
    fn of_several_operations_the_one_that_explains_most_is_named() {
        let events = vec![
            slow(0, 50, 100, Some(1)),
            // Longer, but mostly before.
            slow(1, 0, 60, None),
            slow(1, 61, 90, None),
            slow(1, 95, 99, None),
            // Ended later, or does not overlap.
            slow(1, 70, 200, None),
            slow(1, 0, 50, None),
        ];
        assert_eq!(chain(events), [(1, 90)]);
    }

    #[test]
    fn the_waker_may_return_a_little_later_than_whom_it_woke() {
        let mut events = vec![slow(0, 0, 100, Some(1)), slow(1, 0, 100, None)];
        events[1].end_ns += SLACK_NS;
        assert_eq!(chain(events.clone()), [(1, 100)]);
        events[1].end_ns += 1;
        assert_eq!(chain(events), []);
    }

    #[test]
    fn a_circle_and_a_long_way_end() {
        let circle = vec![slow(0, 0, 100, Some(1)), slow(1, 0, 100, Some(0))];
        assert_eq!(chain(circle), [(1, 100)]);
        let long = (0..8).map(|i| slow(i, 0, 100, Some((i + 1) % 8))).collect();
        assert_eq!(chain(long).len(), HOPS);
    }
}
