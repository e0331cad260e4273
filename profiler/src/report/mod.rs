//! Text for a terminal or a pipe, and JSON for machines.
//!
//! A [`Report`] is the question; [`text::write`] and [`json::write`] are the two ways to answer. Both begin with how
//! far the recording can be trusted.

pub mod json;
pub mod text;

use crate::{
    profile::Profile,
    query::{
        Direction, FunctionRow, GroupBy, Latencies, LatencyRow, Owner, Selection, StateRow, States, Targets,
        locks::Asked, percent,
    },
};

/// What to report on.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// What the user calls the trace: a file name. Untrusted text.
    pub trace: &'a str,
    /// The trace.
    pub profile: &'a Profile,
    /// What was found wrong while reading it, each a sentence. Untrusted text.
    pub notes: &'a [String],
    /// Which part of it.
    pub selection: &'a Selection,
    /// From which side to look at it.
    pub view: View,
    /// Leave out what has a smaller share than this, in percent.
    pub percent_limit: f64,
    /// But show this many rows of a table that is sorted by size, so that a flat profile is not an empty answer.
    pub at_least: usize,
    /// Show this many rows at most.
    pub limit: Option<usize>,
}

impl Report<'_> {
    /// Whether a table that is sorted by size shows its row number `place`, counted from 0.
    fn shows(&self, place: usize, part: u64, whole: u64) -> bool {
        !is_below(part, whole, self.percent_limit) || (place < self.at_least && part > 0)
    }

    /// The rows of a table of functions, in order; `whole` is their total value.
    fn select<'r>(&self, rows: &'r [FunctionRow], sort: Sort, whole: u64) -> Vec<&'r FunctionRow> {
        let by_size = matches!(sort, Sort::SelfValue | Sort::Total);
        rows.iter()
            .enumerate()
            .filter(|&(place, row)| {
                let place = if by_size { place } else { usize::MAX };
                self.shows(place, sort.weight(row), whole)
            })
            .map(|(_, row)| row)
            .take(self.limit.unwrap_or(usize::MAX))
            .collect()
    }

    /// The rows of a table that is sorted by size, in order; `part` says how large each is, `whole` all of them together.
    fn pick<'r, T>(&self, rows: &'r [T], part: impl Fn(&T) -> u64, whole: u64) -> Vec<&'r T> {
        rows.iter()
            .enumerate()
            .filter(|&(place, row)| self.shows(place, part(row), whole))
            .map(|(_, row)| row)
            .take(self.limit.unwrap_or(usize::MAX))
            .collect()
    }

    /// The rows of a table of states, in order. Idle threads are small, however long they were idle.
    fn select_states<'r>(&self, states: &'r States) -> Vec<&'r StateRow> {
        let whole = states.total.active_ns();
        self.pick(&states.rows, |row| row.times.active_ns(), whole)
    }

    /// The rows of a table of latencies, in order: what is not idle, and what is, each by its own size.
    fn select_latencies<'r>(&self, all: &'r Latencies) -> (Vec<&'r LatencyRow>, Vec<&'r LatencyRow>) {
        let (busy, idle) = all.rows.split_at(all.rows.partition_point(|row| !row.idle));
        let total = |row: &LatencyRow| row.timing.total_ns;
        let busy = self.pick(busy, total, all.busy.total_ns);
        let mut idle = self.pick(idle, total, all.idle.total_ns);
        idle.truncate(
            self.limit
                .map_or(usize::MAX, |limit| limit.saturating_sub(busy.len())),
        );
        (busy, idle)
    }

    /// What the user would type to see what a view that shows `shown` rows leaves out.
    fn remedy(&self, shown: usize) -> &'static str {
        if self.limit.is_some_and(|limit| limit <= shown) {
            "a larger --limit"
        } else {
            "--percent-limit 0"
        }
    }
}

/// From which side to look at a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// A table of functions.
    Functions(Sort),
    /// A tree of paths.
    Tree(Direction),
    /// A table of processes, modules, units, ….
    Groups(GroupBy),
    /// A table of what threads did all the time, by whose they are.
    States(Owner),
    /// A table of system calls, by whose they are.
    Syscalls(Owner),
    /// A list of the slowest calls, with or without those that wait for events or sleep.
    Slow(Idle),
    /// A table of what slow calls were on, likewise.
    Targets(Targets, Idle),
    /// A table of who ended the waits of whom.
    Wakers(Owner),
    /// A list of locks, with who waited and who held them.
    Locks(Asked),
    /// A table of block I/O, by whose it is.
    Block(Owner),
    /// A list of tasks that kept a worker of an async runtime from other tasks; polls that last so long, in nanoseconds,
    /// are suspected.
    Async(u64),
}

/// What becomes of slow calls that wait for events, sleep, or read from a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// They are left out.
    LeftOut,
    /// They are shown among the others.
    Shown,
}

/// What a table of functions is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Time in the function itself, largest first.
    SelfValue,
    /// Time in the function and what it calls, largest first.
    Total,
    /// The function's name.
    Name,
    /// The module's name, and in it as [`Self::SelfValue`].
    Module,
}

impl Sort {
    /// Puts rows, sorted by self value as they come, into this order.
    fn apply(self, rows: &mut [FunctionRow]) {
        match self {
            Self::SelfValue => {}
            Self::Total => rows.sort_by_key(|row| std::cmp::Reverse(row.total_value)),
            Self::Name => rows.sort_by(|a, b| a.label.cmp(&b.label)),
            Self::Module => rows.sort_by(|a, b| a.module.cmp(&b.module)),
        }
    }

    /// The value by which a row is found too small to show.
    fn weight(self, row: &FunctionRow) -> u64 {
        match self {
            Self::Total => row.total_value,
            _ => row.self_value,
        }
    }
}

/// Whether a part is too small to show.
fn is_below(part: u64, whole: u64, percent_limit: f64) -> bool {
    percent(part, whole) < percent_limit
}

#[cfg(test)]
mod tests;
