//! The intervals in which the page knows what was measured and not sampled: the recorder's own, about a second each.

use std::collections::BTreeMap;

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
/// has them, but for the first and the last. There is one interval at least.
pub(super) fn borders(profile: &Profile, span: Span) -> Vec<u64> {
    let step = USUAL_NS.max((span.end_ns - span.start_ns) / MAX as u64);
    let mut borders = vec![span.start_ns];
    let mut fill = |until_ns: u64, step: Option<u64>| {
        let until = until_ns.min(span.end_ns);
        let until = until - until % FINEST_NS;
        while let Some(next) = step.and_then(|step| borders[borders.len() - 1].checked_add(step))
            && next.saturating_add(SHORTEST_NS) <= until
        {
            borders.push(next);
        }
        let shortest = until
            .saturating_sub(borders[borders.len() - 1])
            .min(span.end_ns - until);
        if shortest >= SHORTEST_NS {
            borders.push(until);
        }
    };
    let mut windows: BTreeMap<u64, u64> = BTreeMap::new();
    for window in &profile.latencies {
        let end_ns = windows.entry(window.start_ns).or_default();
        *end_ns = window.end_ns.max(*end_ns);
    }
    // Where nothing happened there are no windows; no window is divided.
    for (start_ns, end_ns) in windows {
        fill(start_ns, Some(step));
        fill(end_ns, None);
    }
    fill(span.end_ns, Some(step));
    borders.push(span.end_ns);
    while borders.len() > 2 && (borders.len() - 1 > MAX || cells(profile, &borders) > MAX_CELLS) {
        let last = borders.len() - 1;
        let places = borders.iter().enumerate();
        let kept = places.filter(|(place, _)| place.is_multiple_of(2) || *place == last);
        borders = kept.map(|(_, border)| *border).collect();
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
