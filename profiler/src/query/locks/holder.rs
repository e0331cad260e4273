//! Who held a lock while another waited for it, and where.

use std::ops::Range;

use super::{
    CallStacks, Meanwhile, Purpose, call_stacks::ids, meanwhile::Activity, place::Places, releases::Releases,
    subject::Subjects,
};
use crate::profile::{Id, LockWait, Profile, Stack, Thread, Waker};

/// How it is known who held a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The lock's own word said so when the wait began.
    Owner,
    /// It ended the wait: it was the last that held the lock, or has said that there is something to do.
    Waker,
}

impl Evidence {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Waker => "waker",
        }
    }

    /// What a person says before the thread's name.
    pub fn words(self) -> &'static str {
        match self {
            Self::Owner => "held by",
            Self::Waker => "ended by",
        }
    }
}

/// What the stack of a holder shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// Where it gave the lock away.
    Released,
    /// Where it was sampled most while the other waited.
    Sampled,
    /// Where it gave the lock away at another time: of this one no stack is known.
    OtherTimes,
    /// Nothing: no stack is known.
    Unknown,
}

impl Held {
    /// What a person says between the thread's name and its stack.
    pub fn words(self) -> &'static str {
        match self {
            Self::Released => ", which let go at",
            Self::Sampled => ", which was sampled at",
            Self::OtherTimes => ", which lets go at (other times)",
            Self::Unknown => ", which has no stack",
        }
    }

    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Sampled => "sampled",
            Self::OtherTimes => "other-times",
            Self::Unknown => "unknown",
        }
    }
}

/// A thread that held a lock, at one place, and what that cost others.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Who.
    pub thread: Id<Thread>,
    /// How that is known.
    pub evidence: Evidence,
    /// Where.
    pub stack: Option<Id<Stack>>,
    /// What the stack shows.
    pub held: Held,
    /// How many of the stack's frames, from the innermost on, are the lock's own code.
    pub within: usize,
    /// How many waits it is to blame for, estimated.
    pub count: f64,
    /// How long those took, in nanoseconds, estimated.
    pub total_ns: f64,
    /// What it did meanwhile.
    pub meanwhile: Meanwhile,
}

/// Who held the locks of all waits.
#[derive(Debug)]
pub(super) struct Holders<'a> {
    profile: &'a Profile,
    /// What each wait is.
    purposes: &'a [Purpose],
    releases: Releases<'a>,
}

impl<'a> Holders<'a> {
    pub(super) fn new(profile: &'a Profile, purposes: &'a [Purpose], subjects: &Subjects) -> Self {
        Self {
            profile,
            purposes,
            releases: Releases::new(profile, subjects),
        }
    }

    /// What wait `number` is.
    pub(super) fn purpose(&self, number: usize) -> Purpose {
        self.purposes[number]
    }

    /// Who held the lock for most of wait `number`, and how that is known: a lock goes from hand to hand while one waits. A
    /// condition does not; whoever ended the wait for it has said so.
    pub(super) fn of(&self, number: usize) -> Option<(Id<Thread>, Evidence)> {
        let wait = &self.profile.lock_waits[number];
        if let Waker::Thread(owner) = wait.owner {
            return Some((owner, Evidence::Owner));
        }
        let Waker::Thread(waker) = wait.waker else {
            return None;
        };
        // A wait that timed out was not ended by whom it waited for.
        if wait.errno != 0 || ids(self.profile, waker) == ids(self.profile, wait.thread) {
            return None;
        }
        let longest = match self.purposes[number] {
            Purpose::Contention => self.releases.longest_holder(number, stretch(wait)),
            Purpose::Idle | Purpose::Unknown => None,
        };
        Some((longest.unwrap_or(waker), Evidence::Waker))
    }

    /// When `holder` released the lock of wait `number` last while that lasted, if that is known.
    fn released(&self, number: usize, holder: Id<Thread>) -> Option<u64> {
        let wait = &self.profile.lock_waits[number];
        self.releases.last_of(number, holder, stretch(wait))
    }
}

/// Where the holder of a lock was during wait `number` for it.
pub(super) fn where_held(
    profile: &Profile,
    number: usize,
    holder: Id<Thread>,
    calls: &CallStacks<'_>,
    activity: &Activity<'_>,
    holders: &Holders<'_>,
) -> (Option<Id<Stack>>, Held) {
    let wait = &profile.lock_waits[number];
    if let Waker::Thread(waker) = wait.waker
        && wait.woken_ns > 0
        && ids(profile, waker) == ids(profile, holder)
        && let Some(stack) = calls.at(waker, wait.woken_ns).and_then(|call| call.stack)
    {
        return (Some(stack), Held::Released);
    }
    let (start_ns, end_ns) = stretch(wait);
    // It gave the lock to another who waited, too.
    if let Some(stack) = holders
        .released(number, holder)
        .and_then(|time| calls.at(holder, time)?.stack)
    {
        return (Some(stack), Held::Released);
    }
    if let Some(stack) = activity.stack(holder, start_ns, end_ns) {
        return (Some(stack), Held::Sampled);
    }
    let released = holders.releases.nearest_of(number, holder, end_ns);
    match released.and_then(|time| calls.at(holder, time)?.stack) {
        Some(stack) => (Some(stack), Held::OtherTimes),
        None => (None, Held::Unknown),
    }
}

/// From when to when somebody else had the lock, in nanoseconds since the recording began.
pub(super) fn stretch(wait: &LockWait) -> (u64, u64) {
    let start_ns = start_ns(wait);
    match wait.woken_ns {
        woken if woken > start_ns && woken < wait.end_ns => (start_ns, woken),
        _ => (start_ns, wait.end_ns),
    }
}

/// When a wait began, or the recording did, in nanoseconds since the latter.
pub fn start_ns(wait: &LockWait) -> u64 {
    wait.end_ns.saturating_sub(wait.duration_ns)
}

/// How much of a wait lies in `time`, in nanoseconds; `None`: all of it does.
pub fn within_ns(wait: &LockWait, time: Option<&Range<u64>>) -> u64 {
    let (start_ns, end_ns) = clipped((start_ns(wait), wait.end_ns), time);
    match time {
        Some(_) => end_ns.saturating_sub(start_ns),
        None => wait.duration_ns,
    }
}

/// How much waiting that lies in `time` a wait stands for, in nanoseconds.
pub fn weight_within_ns(wait: &LockWait, time: &Range<u64>) -> f64 {
    wait.stands_for() * within_ns(wait, Some(time)) as f64
}

/// What of a stretch of time lies in `time`; it may end before it begins.
pub(super) fn clipped((start_ns, end_ns): (u64, u64), time: Option<&Range<u64>>) -> (u64, u64) {
    match time {
        Some(time) => (start_ns.max(time.start), end_ns.min(time.end)),
        None => (start_ns, end_ns),
    }
}

/// How many frames of a holder's stack are the lock's own code.
pub(super) fn within(places: &mut Places<'_>, stack: Option<Id<Stack>>) -> usize {
    stack.map_or(0, |stack| places.futex(stack).within)
}
