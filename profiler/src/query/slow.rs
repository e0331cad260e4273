//! Single operations that took long.

use std::cmp::Reverse;

use super::{Selection, operation::is_idle};
use crate::profile::{Extent, Profile, SlowEvent};

/// The selected slow operations.
#[derive(Clone, Debug, Default)]
pub struct Slow<'a> {
    /// Those that ended, longest first, and then those that did not: most of them are threads that wait for work.
    pub events: Vec<&'a SlowEvent>,
    /// Nanoseconds that they took in all.
    pub total_ns: u64,
    /// How many more were left out because they are idle.
    pub idle: u64,
    /// How many the recording holds, selected or not.
    pub recorded: u64,
}

/// The selected slow operations; those that wait for events, a time or a person only if `idle` says so.
///
/// An operation counts, and counts whole, if any of it lies in the selected time. Conditions on stacks apply.
pub fn slow<'a>(profile: &'a Profile, selection: &Selection, idle: bool) -> Slow<'a> {
    let matcher = selection.matcher(profile);
    let mut slow = Slow {
        recorded: profile.slow.len() as u64,
        ..Slow::default()
    };
    for event in &profile.slow {
        if !matcher.matches_at(event.thread, event.stack) || !selection.touches(start_ns(event), event.end_ns)
        {
            continue;
        }
        if !idle && is_idle(event.operation, event.object) {
            slow.idle += 1;
            continue;
        }
        slow.total_ns = slow.total_ns.saturating_add(event.duration_ns);
        slow.events.push(event);
    }
    slow.events
        .sort_by_key(|event| (has_no_end(event), Reverse(event.duration_ns), event.end_ns));
    slow
}

/// Whether an operation still ran when the recording ended.
pub fn has_no_end(event: &SlowEvent) -> bool {
    matches!(event.extent, Extent::NotEnded | Extent::Throughout)
}

/// When an operation began, or the recording did, in nanoseconds since the latter.
pub fn start_ns(event: &SlowEvent) -> u64 {
    event.end_ns.saturating_sub(event.duration_ns)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        profile::{Id, ObjectKind, Operation, Outcome, Waker, folded::from_folded},
        query::Glob,
    };

    pub(crate) const READ: Operation = Operation::Call(0);
    const EPOLL_WAIT: Operation = Operation::Call(232);

    /// A `read` of a thread, in nanoseconds.
    pub(crate) fn event(thread: u32, start_ns: u64, end_ns: u64, waker: Waker) -> SlowEvent {
        SlowEvent {
            thread: Id::new(thread),
            end_ns,
            duration_ns: end_ns - start_ns,
            extent: Extent::Whole,
            operation: READ,
            object: ObjectKind::None,
            target: None,
            result: 0,
            arguments: [0; 6],
            stack: None,
            outcome: Outcome::NoUserStack,
            wait_ns: 0,
            waker,
            woken_ns: 0,
        }
    }

    /// Threads 7, 9 and 11, of which 7 has stacks.
    fn profile() -> Profile {
        let mut profile = from_folded("app/7;main;read 1\nother/9;main 1\nidle/11 1");
        let stack = profile.samples[0].stack;
        profile.slow = vec![
            SlowEvent {
                stack,
                ..event(0, 100, 200, Waker::Unknown)
            },
            event(1, 50, 300, Waker::Unknown),
            SlowEvent {
                operation: EPOLL_WAIT,
                ..event(2, 0, 1_000, Waker::Unknown)
            },
        ];
        profile
    }

    fn durations(selection: &Selection, idle: bool) -> Vec<u64> {
        let profile = profile();
        let slow = slow(&profile, selection, idle);
        assert_eq!(slow.recorded, 3);
        slow.events.iter().map(|event| event.duration_ns).collect()
    }

    #[test]
    fn the_longest_is_first_and_who_waits_for_events_is_not_slow() {
        let everything = Selection::default();
        assert_eq!(durations(&everything, false), [250, 100]);
        assert_eq!(durations(&everything, true), [1_000, 250, 100]);
        let profile = profile();
        let slow = slow(&profile, &everything, false);
        assert_eq!((slow.idle, slow.total_ns), (1, 350));
    }

    #[test]
    fn filters_of_threads_stacks_and_time_apply() {
        let everything = Selection::default();
        let cases = [
            (
                Selection {
                    tids: vec![9],
                    ..everything.clone()
                },
                vec![250],
            ),
            (
                Selection {
                    comm: Some(Glob::new("a*")),
                    ..everything.clone()
                },
                vec![100],
            ),
            (
                Selection {
                    pattern: Some("read".into()),
                    ..everything.clone()
                },
                vec![100],
            ),
            // Whole, if any of it lies within.
            (
                Selection {
                    time: Some(0..60),
                    ..everything.clone()
                },
                vec![250],
            ),
            (
                Selection {
                    time: Some(200..210),
                    ..everything.clone()
                },
                vec![250],
            ),
            (
                Selection {
                    time: Some(300..u64::MAX),
                    ..everything
                },
                vec![],
            ),
        ];
        for (selection, expected) in cases {
            assert_eq!(durations(&selection, false), expected, "{selection:?}");
        }
    }

    #[test]
    fn durations_that_a_file_made_up_saturate() {
        let mut profile = profile();
        for event in &mut profile.slow {
            event.duration_ns = u64::MAX;
        }
        let slow = slow(&profile, &Selection::default(), false);
        assert_eq!((slow.total_ns, start_ns(slow.events[0])), (u64::MAX, 0));
    }
}
