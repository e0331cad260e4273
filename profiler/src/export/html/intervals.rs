//! The intervals in which the page knows what was measured and not sampled: the recorder's own, about a second each.

use rustc_hash::FxHashSet;

use super::streams::{FINEST_NS, Span};
use crate::{
    profile::{Operation, Profile},
    query::{operation::is_call, state_slices::between},
};

/// No page has more intervals.
const MAX: usize = 240;
/// Nor more pairs of a row and an interval in which something is known of it. Where there would be more, intervals are
/// longer.
const MAX_CELLS: usize = if cfg!(test) { 400 } else { 20_000 };
/// Windows that begin closer together have one interval.
const SHORTEST_NS: u64 = 500_000_000;
/// How long they are where there are no windows.
const USUAL_NS: u64 = 1_000_000_000;

/// Where intervals begin and end, ascending, in nanoseconds since the recording began: whole milliseconds, as `--time`
/// has them, but for the last. There is one interval at least.
pub(super) fn borders(profile: &Profile, span: Span) -> Vec<u64> {
    let mut begins: Vec<u64> = profile.latencies.iter().map(|window| window.start_ns).collect();
    begins.sort_unstable();
    begins.dedup();
    let mut borders = vec![span.start_ns];
    if begins.is_empty() {
        let length = USUAL_NS.max((span.end_ns - span.start_ns) / MAX as u64);
        let next = |border: &u64| border.checked_add(length);
        begins.extend(std::iter::successors(next(&span.start_ns), next).take(MAX));
    }
    for begin in begins {
        let begin = begin - begin % FINEST_NS;
        let before = borders[borders.len() - 1];
        if begin < span.end_ns && begin.saturating_sub(before) >= SHORTEST_NS {
            borders.push(begin);
        }
    }
    borders.push(span.end_ns);
    while borders.len() > 2 && (borders.len() - 1 > MAX || cells(profile, &borders) > MAX_CELLS) {
        let last = borders.len() - 1;
        let mut place = 0..;
        borders.retain(|_| {
            place
                .next()
                .is_some_and(|place: usize| place % 2 == 0 || place == last)
        });
    }
    borders
}

/// In how many intervals something is known of how many processes, operations and locks.
fn cells(profile: &Profile, borders: &[u64]) -> usize {
    let is_shown = |operation| is_call(operation) || operation == Operation::RunQueue;
    let at = |start_ns, end_ns| between(borders, start_ns, end_ns).0;
    let windows = profile
        .latencies
        .iter()
        .filter(|window| is_shown(window.key.operation));
    let windows: FxHashSet<_> = windows
        .map(|window| (window.key, at(window.start_ns, window.end_ns)))
        .collect();
    let spans = profile.thread_times.iter().map(|span| {
        let process = profile.threads[span.thread].process;
        (process, at(span.start_ns, span.end_ns))
    });
    let spans: FxHashSet<_> = spans.collect();
    let waits = profile.lock_waits.iter();
    let waits: FxHashSet<_> = waits
        .map(|wait| (wait.lock, wait.stack, at(wait.end_ns, wait.end_ns)))
        .collect();
    windows.len() + spans.len() + waits.len()
}
