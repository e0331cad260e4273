//! What is said about a lock. All text is raw.

use crate::{
    profile::{Id, Profile, Thread},
    query::{
        latency,
        locks::{Deadlock, Estimate, Holder, Link, LockRow, Meanwhile, Waiter},
        operation::contention,
        percent,
    },
};

/// Parts of what a holder did that are told.
const PARTS: usize = 3;

/// What kind of lock it is, where, and what it means to its processes.
pub(super) fn what(row: &LockRow<'_>) -> String {
    let mut parts = Vec::new();
    if row.kernel {
        let kinds: Vec<_> = row.contentions.iter().map(|&kind| contention(kind)).collect();
        parts.push(format!("the kernel's, {}", kinds.join(", ")));
    } else if !row.library.name().is_empty() {
        parts.push(row.library.name().to_owned());
    }
    match row.address {
        Some(address) if address > 0 => parts.push(format!("at {address:#x}")),
        Some(_) => {}
        None => parts.push(format!("{} objects", row.objects)),
    }
    if let Some(lived) = row.threads_ns {
        let part = percent(row.waits.total_ns as u64, lived);
        parts.push(format!("{} of all threads' time", share(part)));
    }
    if row.read.seen > 0 && row.write.seen > 0 {
        let part = |waits: &Estimate| format!("{} in {}", time(waits), plural(waits.count, "wait"));
        parts.push(format!(
            "to read {}, to write {}",
            part(&row.read),
            part(&row.write)
        ));
    }
    if row.waits.failed > 0 {
        parts.push(format!("{} gave up", row.waits.failed));
    }
    parts.join(", ")
}

pub(super) fn waited(profile: &Profile, waiter: &Waiter) -> String {
    let others = match waiter.threads {
        0 | 1 => String::new(),
        2 => " and another thread".to_owned(),
        all => format!(" and {} others", all - 1),
    };
    let mode = waiter.mode.words();
    format!(
        "{} in {}: {}{others} waited{mode} at",
        time(&waiter.waits),
        plural(waiter.waits.count, "wait"),
        name(profile, waiter.thread)
    )
}

pub(super) fn held(profile: &Profile, row: &LockRow<'_>, holder: &Holder) -> String {
    let part = percent(holder.total_ns as u64, row.waits.total_ns as u64);
    let place = holder.held.words();
    format!(
        "{} in {}: {} {}{place}",
        share(part),
        plural(holder.count, "wait"),
        holder.evidence.words(),
        name(profile, holder.thread)
    )
}

/// What the holder did; empty if nothing is known.
pub(super) fn meanwhile(meanwhile: &Meanwhile) -> String {
    let sentence = meanwhile.sentence(PARTS, |part| share(part * 100.0), str::to_owned);
    sentence.unwrap_or_default()
}

/// For how much no holder is known, and whom the holder of the longest wait waited for itself.
pub(super) fn remarks(profile: &Profile, row: &LockRow<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    if row.unheld_count > 0.0 {
        let part = percent(row.unheld_ns as u64, row.waits.total_ns as u64);
        remarks.push(format!("not known who held it: {} of the time", share(part)));
    }
    if let Some(last) = row.chain.last() {
        let links = row.chain.iter().map(|link| {
            let (thread, wait) = (name(profile, link.wait.thread), link.wait.duration_ns);
            format!(" ‹ {thread} {} for {}", latency(wait), link.label)
        });
        let links: String = links.collect();
        let holder = match last.holder {
            Some((holder, _)) => format!(" ‹ {}", name(profile, holder)),
            None => String::new(),
        };
        let first = name(profile, row.longest.wait.thread);
        remarks.push(format!("the longest: {first}{links}{holder}"));
    }
    remarks
}

pub(super) fn deadlock(circle: &Deadlock<'_>) -> String {
    let locks: Vec<_> = circle.links.iter().map(|link| link.label.as_str()).collect();
    let locks = locks.join(", ");
    match circle.links.len() {
        1 => format!("deadlock? a thread waits for what it holds: {locks}"),
        threads => format!("deadlock? {threads} threads in a circle: {locks}"),
    }
}

/// A link of a deadlock.
pub(super) fn link(profile: &Profile, link: &Link<'_>) -> String {
    let holder = match link.holder {
        Some((holder, _)) => format!(", held by {}", name(profile, holder)),
        None => String::new(),
    };
    format!(
        "{} waits for {}{holder}, {} to the end, at",
        name(profile, link.wait.thread),
        link.label,
        latency(link.wait.duration_ns),
    )
}

fn name(profile: &Profile, thread: Id<Thread>) -> String {
    let Thread { name, tid, .. } = &profile.threads[thread];
    format!("{name}/{tid}")
}

fn time(waits: &Estimate) -> String {
    latency(waits.total_ns as u64)
}

fn share(percent: f64) -> String {
    format!("{percent:.1} %")
}

fn plural(number: f64, what: &str) -> String {
    match number.round() as u64 {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}
