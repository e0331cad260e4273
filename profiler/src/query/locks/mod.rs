//! Who waits, for which lock, and who held it.
//!
//! Every wait is one for a lock, in the widest sense: something that another thread has to do first. What it is, is told by
//! the code that waits ([`Class`]); where it is idle, as in a pool of workers without work, it stands apart from contention
//! ([`Purpose`]). Locks are put together as a person would ([`LockRow`]): a static variable is one lock wherever its module
//! runs, and locks in many objects are one if the same function uses them. Who held a lock is said by the lock's own word,
//! or by who ended the wait ([`Evidence`]); where neither is known, it is unknown.

mod call_stacks;
mod chains;
mod class;
mod estimate;
mod holder;
mod joined;
mod kernel;
mod meanwhile;
mod place;
mod releases;
mod row;
mod rules;
pub mod samples;
mod subject;
mod values;

#[cfg(test)]
pub(crate) mod tests;

use rustc_hash::FxHashMap;

pub use self::{
    call_stacks::CallStacks,
    class::{Class, Library, Mode, Purpose},
    estimate::{Estimate, Stretch},
    holder::{Evidence, Held, Holder, start_ns, weight_within_ns, within_ns},
    joined::Joined,
    meanwhile::{Doing, LongCall, Meanwhile},
    place::Function,
    row::{Deadlock, Link, LockRow, Member, Waiter},
};
use self::{
    chains::Chains, holder::Holders, meanwhile::Activity, place::Places, row::Tables, subject::Subjects,
};
use super::{Selection, Timing};
use crate::profile::{Contention, LockWait, Operation, Profile};

/// Whose locks are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those of programs.
    User,
    /// Those of the kernel.
    Kernel,
}

impl Which {
    /// Whether locks that are waited for so are meant.
    pub fn has(self, contention: Contention) -> bool {
        match self {
            Self::All => true,
            Self::User => contention.is_futex(),
            Self::Kernel => !contention.is_futex(),
        }
    }
}

/// Which waits are meant, beyond what a [`Selection`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Whose locks.
    pub which: Which,
    /// Shorter waits are left out, in nanoseconds.
    pub threshold_ns: u64,
}

/// The selected waits, by what they were for.
#[derive(Clone, Debug, Default)]
pub struct Locks<'a> {
    /// Circles of threads that wait for each other, whatever is selected.
    pub deadlocks: Vec<Deadlock<'a>>,
    /// Waits for what somebody else had.
    pub contention: Group<'a>,
    /// Waits of which it is not known whether they are contention.
    pub unknown: Group<'a>,
    /// Waits of threads that had nothing to do.
    pub idle: Group<'a>,
    /// All waits for locks of the kernel, counted in the kernel: exact, by the kind of lock, longest in all first.
    pub kernel_kinds: Vec<(Contention, Timing)>,
    /// How many waits the recording holds, selected or not.
    pub recorded: u64,
}

/// Locks with one purpose.
#[derive(Clone, Debug, Default)]
pub struct Group<'a> {
    /// All of it.
    pub waits: Estimate,
    /// The locks; longest in all first.
    pub rows: Vec<LockRow<'a>>,
}

/// The selected waits, by what they were for. Of a selection, all applies: conditions on stacks to those that waited.
///
/// A wait counts if any of it lies in the selected time: times are of what lies in there, lengths of whole waits. Deadlocks
/// are there whatever is selected.
pub fn locks<'a>(profile: &'a Profile, selection: &Selection, asked: Asked) -> Locks<'a> {
    let mut places = Places::new(profile);
    let subjects = Subjects::new(profile, &profile.lock_waits, &mut places);
    let purposes: Vec<Purpose> = subjects
        .waits
        .iter()
        .map(|judged| purpose(&subjects.subjects[judged.subject]))
        .collect();
    let calls = CallStacks::new(profile);
    let matcher = selection.matcher(profile);
    let mut of_subject: Vec<Vec<usize>> = vec![Vec::new(); subjects.subjects.len()];
    for (number, wait) in profile.lock_waits.iter().enumerate() {
        if !asked.which.has(wait.contention)
            || wait.duration_ns < asked.threshold_ns
            || !selection.touches(start_ns(wait), wait.end_ns)
        {
            continue;
        }
        let stack = Joined::of(profile, &calls, wait);
        if [stack.inner, stack.outer]
            .iter()
            .any(|&stack| matcher.matches_at(wait.thread, stack))
        {
            of_subject[subjects.waits[number].subject].push(number);
        }
    }
    let activity = Activity::new(profile);
    let holders = Holders::new(profile, &purposes, &subjects);
    let chains = Chains::new(profile, &holders);
    let mut tables = Tables {
        profile,
        subjects: &subjects,
        places: &mut places,
        calls: &calls,
        holders: &holders,
        activity: &activity,
        chains: &chains,
        thread_ns: row::thread_ns(profile, selection),
        time: selection.time.clone(),
    };
    let deadlocks = chains.deadlocks().into_iter();
    let mut found = Locks {
        deadlocks: deadlocks
            .map(|waits| Deadlock {
                links: waits.into_iter().map(|wait| tables.link(wait)).collect(),
            })
            .collect(),
        kernel_kinds: kernel_kinds(profile, selection, asked.which),
        recorded: profile.lock_waits.len() as u64,
        ..Locks::default()
    };
    for (number, waits) in of_subject
        .iter()
        .enumerate()
        .filter(|(_, waits)| !waits.is_empty())
    {
        let row = tables.row(number, waits);
        let group = match purpose(&subjects.subjects[number]) {
            Purpose::Contention => &mut found.contention,
            Purpose::Unknown => &mut found.unknown,
            Purpose::Idle => &mut found.idle,
        };
        group.waits.merge(&row.waits);
        group.rows.push(row);
    }
    for group in [&mut found.contention, &mut found.unknown, &mut found.idle] {
        let rows = &mut group.rows;
        rows.sort_by(|a, b| {
            let sizes = b.waits.total_ns.total_cmp(&a.waits.total_ns);
            sizes.then_with(|| a.label.cmp(&b.label))
        });
    }
    found
}

/// Of `waits`, which belong to the profile whether it holds them now or not, those of programs for what another thread
/// had.
pub fn contended<'a>(
    profile: &Profile,
    waits: &'a [LockWait],
) -> impl Iterator<Item = &'a LockWait> + use<'a> {
    let subjects = Subjects::new(profile, waits, &mut Places::new(profile));
    let purposes: Vec<Purpose> = subjects.subjects.iter().map(purpose).collect();
    let judged = waits.iter().zip(subjects.waits);
    judged
        .filter(move |(wait, judged)| {
            wait.contention.is_futex() && purposes[judged.subject] == Purpose::Contention
        })
        .map(|(wait, _)| wait)
}

/// The kernel's locks have one purpose, whatever they are: nobody is idle in the kernel for want of a lock.
fn purpose(subject: &subject::Subject) -> Purpose {
    match subject.kernel {
        true => Purpose::Contention,
        false => subject.class.purpose(),
    }
}

fn kernel_kinds(profile: &Profile, selection: &Selection, which: Which) -> Vec<(Contention, Timing)> {
    let processes = selection.processes(profile);
    let mut kinds: FxHashMap<Contention, Timing> = FxHashMap::default();
    for window in &profile.latencies {
        let Operation::KernelLock(contention) = window.key.operation else {
            continue;
        };
        if which.has(contention)
            && processes[window.key.process.index()]
            && selection.holds_middle(window.start_ns, window.end_ns)
        {
            kinds.entry(contention).or_default().add(window);
        }
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(contention, timing)| (std::cmp::Reverse(timing.total_ns), *contention));
    kinds
}
