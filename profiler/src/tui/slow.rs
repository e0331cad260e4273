//! The slowest calls, in words.

use crate::{
    profile::{Extent, Id, Profile, SlowEvent, Thread, Waker},
    query::{
        Selection,
        operation::{errno, is_call, object, operation, transfers, waits_for_others},
        slow,
    },
};

/// So many are put into words: more than any screen has room for, so that a filter finds some among them.
const MOST: usize = 500;

/// A call that took long. All text is raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlowRow {
    pub(super) end_ns: u64,
    pub(super) duration_ns: u64,
    /// The process: number and name.
    pub(super) process: (u32, String),
    /// Who: name and number.
    pub(super) thread: String,
    /// What: `write`.
    pub(super) call: String,
    /// On what: a path, a peer, or the kind of thing; empty if it is not known.
    pub(super) target: String,
    /// What came of it: `4096 bytes`, `ENOENT`; empty if it has not ended.
    pub(super) result: String,
    /// Who ended its last wait; empty if it is not known.
    pub(super) woken_by: String,
}

/// The slowest calls of what is selected, longest first; those that wait for events or for other threads only if `idle`.
pub(super) fn slowest(profile: &Profile, selection: &Selection, idle: bool) -> Vec<SlowRow> {
    let slow = slow(profile, selection, idle);
    let wanted =
        |event: &&SlowEvent| is_call(event.operation) && (idle || !waits_for_others(event.operation));
    let calls = slow.events.into_iter().filter(wanted);
    calls.take(MOST).map(|event| row(profile, event)).collect()
}

fn row(profile: &Profile, event: &SlowEvent) -> SlowRow {
    let process = &profile.processes[profile.threads[event.thread].process];
    SlowRow {
        process: (process.pid, process.name.clone()),
        end_ns: event.end_ns,
        duration_ns: event.duration_ns,
        thread: name(profile, event.thread),
        call: operation(event.operation).into_owned(),
        target: match event.target {
            Some(target) => profile.targets[target].0.clone(),
            None => object(event.object).to_owned(),
        },
        result: result(event),
        woken_by: match event.waker {
            Waker::Thread(thread) => name(profile, thread),
            Waker::Interrupt => "an interrupt".to_owned(),
            Waker::Nobody => "waited for a CPU".to_owned(),
            Waker::Unknown => String::new(),
        },
    }
}

fn result(event: &SlowEvent) -> String {
    if matches!(event.extent, Extent::NotEnded | Extent::Throughout) {
        return String::new();
    }
    match event.result {
        error @ -4095..0 => errno(error.unsigned_abs() as u16).into_owned(),
        1 if transfers(event.operation) => "1 byte".to_owned(),
        bytes @ 0.. if transfers(event.operation) => format!("{bytes} bytes"),
        // An address.
        large if !(0..1 << 32).contains(&large) => format!("{large:#x}"),
        number => number.to_string(),
    }
}

fn name(profile: &Profile, thread: Id<Thread>) -> String {
    let Thread { name, tid, .. } = &profile.threads[thread];
    format!("{name}/{tid}")
}
