//! The user stack that a thread had in a system call, found by the time.

use rustc_hash::FxHashMap;

use crate::profile::{CallStack, Id, Profile, Thread};

/// A thread's calls follow one another: more than these never have to be looked at, except in a trace that somebody made
/// up.
const CANDIDATES: usize = 16;

/// Finds the stacks of calls by thread and time.
#[derive(Debug)]
pub struct CallStacks<'a> {
    profile: &'a Profile,
    /// The calls of each thread, by process and thread id, in the order of their begins.
    threads: FxHashMap<(u32, u32), Vec<&'a CallStack>>,
}

impl<'a> CallStacks<'a> {
    /// Ready to answer for the calls of `profile`.
    pub fn new(profile: &'a Profile) -> Self {
        let mut threads: FxHashMap<(u32, u32), Vec<&CallStack>> = FxHashMap::default();
        for call in &profile.call_stacks {
            threads.entry(ids(profile, call.thread)).or_default().push(call);
        }
        for calls in threads.values_mut() {
            calls.sort_by_key(|call| (call.start_ns, call.end_ns));
        }
        Self { profile, threads }
    }

    /// The call that `thread` was in at `time_ns`, in nanoseconds since the recording began; `None` if it is not known.
    pub fn at(&self, thread: Id<Thread>, time_ns: u64) -> Option<&'a CallStack> {
        let calls = self.threads.get(&ids(self.profile, thread))?;
        let after = calls.partition_point(|call| call.start_ns <= time_ns);
        let begun = calls[..after].iter().rev().take(CANDIDATES);
        begun.copied().find(|call| call.end_ns >= time_ns)
    }
}

/// A thread, whatever its name was: programs rename their threads.
pub(super) fn ids(profile: &Profile, thread: Id<Thread>) -> (u32, u32) {
    let thread = &profile.threads[thread];
    (profile.processes[thread.process].pid, thread.tid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Outcome, folded::from_folded};

    #[test]
    fn a_call_is_found_by_any_time_within_it() {
        let mut profile = from_folded("a/7;main 1\nb/8;main 1");
        let call = |thread, start_ns, end_ns| CallStack {
            thread: Id::new(thread),
            start_ns,
            end_ns,
            stack: None,
            outcome: Outcome::Complete,
        };
        profile.call_stacks = vec![call(0, 50, 60), call(0, 10, 20), call(1, 0, 100), call(0, 20, 25)];
        let calls = CallStacks::new(&profile);
        let at = |thread, time| calls.at(Id::new(thread), time).map(|call| call.start_ns);
        assert_eq!(
            [9, 10, 20, 25, 26, 49, 60, 61].map(|time| at(0, time)),
            [None, Some(10), Some(20), Some(20), None, None, Some(50), None]
        );
        assert_eq!(at(1, 55), Some(0));
    }
}
