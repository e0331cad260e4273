//! Locks: who waited for each, and who held it, in words that outlive the answer.

mod words;

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

use crate::{
    profile::Profile,
    query::{
        Frame, Name, Selection, frames,
        locks::{Asked, Deadlock, Estimate, Group, Joined, LockRow as Found, Which, within_ns},
    },
};

/// So many of each group are put into words: more than any screen has room for, so that a filter finds some among them.
const MOST: usize = 200;
/// Places of waiters, and of holders, that are put into words.
const PLACES: usize = 6;
/// Frames of a stack that are named.
const FRAMES: usize = 32;

/// What waits for a lock are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// Threads wait for each other in a circle: no lock, but several.
    Deadlock,
    /// Another thread had it.
    Contention,
    /// Another thread had it, or there was nothing to do.
    Unknown,
    /// There was nothing to do.
    Idle,
}

/// Locks that were waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct LockRows {
    /// Suspected deadlocks, then contention, then what is not known, then idle waits; within each longest in all first.
    pub(super) rows: Vec<LockRow>,
    /// How long all contention took, in nanoseconds.
    pub(super) contention_ns: u64,
}

/// A lock, or what a person would call one. All text is raw.
#[derive(Clone, Debug)]
pub(super) struct LockRow {
    pub(super) kind: Kind,
    /// What names it from answer to answer.
    pub(super) key: u64,
    pub(super) label: String,
    /// Who waited most: number and name.
    pub(super) process: Option<(u32, String)>,
    /// How many other processes waited for it.
    pub(super) others: usize,
    pub(super) waits: Estimate,
    /// What else is to be said about it.
    pub(super) what: String,
    /// Where threads waited.
    pub(super) waiters: Vec<Place>,
    /// Where threads held it.
    pub(super) holders: Vec<Place>,
    /// What belongs to no place.
    pub(super) remarks: Vec<String>,
}

/// Where threads waited for a lock or held it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) words: String,
    /// The frames, innermost first, without those of the lock's own code.
    pub(super) stack: Vec<Name>,
    /// What was done meanwhile; empty if that is not known.
    pub(super) meanwhile: String,
}

/// The locks that are waited for in what is selected; those of the kernel only if its code is shown.
pub(super) fn locks(profile: &Profile, selection: &Selection) -> LockRows {
    let which = match selection.kernel {
        true => Which::All,
        false => Which::User,
    };
    let asked = Asked {
        which,
        ..Asked::default()
    };
    let found = crate::query::locks(profile, selection, asked);
    let mut rows: Vec<_> = found
        .deadlocks
        .iter()
        .map(|circle| deadlock(profile, selection, circle))
        .collect();
    for (kind, group) in [
        (Kind::Contention, &found.contention),
        (Kind::Unknown, &found.unknown),
        (Kind::Idle, &found.idle),
    ] {
        rows.extend(in_words(profile, selection, kind, group));
    }
    LockRows {
        rows,
        contention_ns: found.contention.waits.total_ns as u64,
    }
}

fn in_words<'a>(
    profile: &'a Profile,
    selection: &'a Selection,
    kind: Kind,
    group: &'a Group<'a>,
) -> impl Iterator<Item = LockRow> + 'a {
    let rows = group.rows.iter().take(MOST);
    rows.map(move |found| row(profile, selection, kind, found))
}

fn row(profile: &Profile, selection: &Selection, kind: Kind, found: &Found<'_>) -> LockRow {
    let process = found.processes.first().map(|&process| {
        let process = &profile.processes[process];
        (process.pid, process.name.clone())
    });
    let waiters = found.waiters.iter().take(PLACES).map(|waiter| Place {
        words: words::waited(profile, waiter),
        stack: stack(profile, selection, waiter.stack, waiter.within),
        meanwhile: String::new(),
    });
    let holders = found.holders.iter().take(PLACES).map(|holder| {
        let shown = Joined {
            inner: holder.stack,
            outer: None,
        };
        Place {
            words: words::held(profile, found, holder),
            stack: stack(profile, selection, shown, holder.within),
            meanwhile: words::meanwhile(&holder.meanwhile),
        }
    });
    LockRow {
        kind,
        key: key(&(kind, &found.label, process.as_ref().map(|(pid, _)| *pid))),
        label: found.label.clone(),
        process,
        others: found.processes.len().saturating_sub(1),
        waits: found.waits.clone(),
        what: words::what(found),
        waiters: waiters.collect(),
        holders: holders.collect(),
        remarks: words::remarks(profile, found),
    }
}

fn deadlock(profile: &Profile, selection: &Selection, circle: &Deadlock<'_>) -> LockRow {
    let mut waits = Estimate::default();
    let links = circle.links.iter();
    links.for_each(|link| waits.add(link.wait, within_ns(link.wait, selection.time.as_ref())));
    let label = words::deadlock(circle);
    let process = circle.links.first().map(|link| {
        let process = &profile.processes[profile.threads[link.wait.thread].process];
        (process.pid, process.name.clone())
    });
    let waiters = circle.links.iter().map(|link| Place {
        words: words::link(profile, link),
        stack: stack(profile, selection, link.stack, link.within),
        meanwhile: String::new(),
    });
    LockRow {
        kind: Kind::Deadlock,
        key: key(&(
            Kind::Deadlock,
            circle.links.first().map(|link| link.wait.thread.raw()),
        )),
        label,
        process,
        others: 0,
        waits,
        what: "none of these waits had ended when the recording did".to_owned(),
        waiters: waiters.collect(),
        holders: Vec::new(),
        remarks: Vec::new(),
    }
}

fn stack(profile: &Profile, selection: &Selection, shown: Joined, within: usize) -> Vec<Name> {
    let wanted = |frame: &Frame<'_>| match frame.kernel {
        true => selection.kernel,
        false => selection.user,
    };
    let all = shown
        .locations(profile)
        .flat_map(|location| frames(profile, location));
    let named = all.skip(within).filter(wanted).take(FRAMES).map(|frame| Name {
        label: frame.label().into_owned(),
        module: frame.module.to_owned(),
        kernel: frame.kernel,
    });
    named.collect()
}

fn key(of: &impl std::hash::Hash) -> u64 {
    let mut hasher = FxHasher::default();
    of.hash(&mut hasher);
    hasher.finish()
}
