//! Waits for locks as samples, so that all that draws or exports samples can draw and export them.

use super::{CallStacks, Joined, Purpose, place::Places, purpose, subject::Subjects};
use crate::{
    profile::{Id, Location, LockWait, Outcome, Profile, Sample},
    query::sampled::{self, LOCK, LOCK_MODULE},
};

/// A wait of which it is known what it was for.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The wait.
    pub wait: LockWait,
    /// What its lock is called; raw.
    pub label: String,
    /// Where it was: of a kernel lock with the user part of the stack; outermost first.
    pub path: Vec<Id<Location>>,
}

/// Adds a sample of type `lock` for each wait that is, or may be, contention: its value is the waiting time that it stands
/// for, in nanoseconds, and the innermost frame of its stack is the lock. Idle waits are left out: `off_cpu` has them.
pub fn add(profile: &mut Profile) {
    let (waits, _) = judged(profile, usize::MAX, |_, purpose| purpose != Purpose::Idle);
    put(profile, waits);
}

/// The waits that are `wanted`, by what they were for, in the profile's order; of more than `most` those that weigh most.
/// With how many there are in all.
pub fn judged(
    profile: &Profile,
    most: usize,
    wanted: impl Fn(&LockWait, Purpose) -> bool,
) -> (Vec<Judged>, usize) {
    let mut places = Places::new(profile);
    let subjects = Subjects::new(profile, &profile.lock_waits, &mut places);
    let calls = CallStacks::new(profile);
    let waits = profile.lock_waits.iter().zip(&subjects.waits);
    let waits = waits.filter(|(wait, judged)| wanted(wait, purpose(&subjects.subjects[judged.subject])));
    let mut waits: Vec<_> = waits.enumerate().collect();
    let all = waits.len();
    if all > most {
        waits.select_nth_unstable_by(most, |(_, (a, _)), (_, (b, _))| {
            b.weight_ns().total_cmp(&a.weight_ns())
        });
        waits.truncate(most);
        waits.sort_unstable_by_key(|(number, _)| *number);
    }
    let waits = waits.into_iter().map(|(_, (wait, judged))| {
        let mut path: Vec<_> = Joined::of(profile, &calls, wait).locations(profile).collect();
        path.reverse();
        Judged {
            wait: *wait,
            label: subjects.labels[judged.subject].clone(),
            path,
        }
    });
    (waits.collect(), all)
}

/// Adds waits, which refer to rows of `profile`, as samples: see [`add`].
pub fn put(profile: &mut Profile, waits: impl IntoIterator<Item = Judged>) {
    let Some(sample_type) = sampled::made(profile, LOCK) else {
        return;
    };
    for Judged { wait, label, path } in waits {
        let lock = sampled::location(profile, LOCK_MODULE, label);
        let stack = profile.stacks.intern(path.into_iter().chain([lock]));
        profile.samples.push(Sample {
            time_ns: wait.end_ns,
            thread: wait.thread,
            stack,
            sample_type,
            outcome: match wait.stack {
                None => Outcome::NotInCall,
                Some(_) => wait.outcome,
            },
            cpu: 0,
            value: wait.weight_ns() as u64,
            waker: wait.waker,
        });
    }
}
