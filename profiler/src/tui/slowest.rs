//! Calls that took long, as many as there is room for.

use std::collections::VecDeque;

use super::compact::Compaction;
use crate::{profile::SlowEvent, query::operation::is_idle};

/// Calls that took long, in the order in which they came, at most so many: when there would be more, the shorter half
/// goes, and before it those that wait for events, a time or a person.
#[derive(Debug)]
pub(super) struct Slowest {
    events: VecDeque<SlowEvent>,
    most: usize,
}

impl Slowest {
    pub(super) fn new(most: usize) -> Self {
        Self {
            events: VecDeque::new(),
            most,
        }
    }

    pub(super) fn push(&mut self, event: SlowEvent) {
        if self.events.len() >= self.most {
            let mut ranks: Vec<_> = self.events.iter().map(rank).collect();
            let middle = ranks.len() / 2;
            let (_, &mut median, _) = ranks.select_nth_unstable(middle);
            let mut room = self.most - self.most / 2;
            self.events.retain(|event| {
                let stays = rank(event) >= median && room > 0;
                room -= usize::from(stays);
                stays
            });
        }
        self.events.push_back(event);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SlowEvent> {
        self.events.iter()
    }

    /// Drops what ended by `start_ns`; nearly in the order of their ends, so a few go later.
    pub(super) fn forget_until(&mut self, start_ns: u64) {
        while self.events.front().is_some_and(|event| event.end_ns <= start_ns) {
            self.events.pop_front();
        }
    }

    /// Takes along what the events refer to.
    pub(super) fn keep(&mut self, compaction: &mut Compaction<'_>) {
        self.events
            .iter_mut()
            .for_each(|event| compaction.keep_slow(event));
    }
}

/// What is larger stays longer.
fn rank(event: &SlowEvent) -> (bool, u64) {
    (!is_idle(event.operation, event.object), event.duration_ns)
}
