//! Text for a terminal or a pipe, and JSON for machines.
//!
//! A [`Report`] is the question; [`text::write`] and [`json::write`] are the two ways to answer. Both begin with how
//! far the recording can be trusted.

pub mod json;
pub mod text;

use crate::{
    profile::Profile,
    query::{Direction, GroupBy, Selection},
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
    /// Show this many rows at most.
    pub limit: Option<usize>,
}

impl Report<'_> {
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
    fn apply(self, rows: &mut [crate::query::FunctionRow]) {
        match self {
            Self::SelfValue => {}
            Self::Total => rows.sort_by_key(|row| std::cmp::Reverse(row.total_value)),
            Self::Name => rows.sort_by(|a, b| a.label.cmp(&b.label)),
            Self::Module => rows.sort_by(|a, b| a.module.cmp(&b.module)),
        }
    }

    /// The value by which a row is found too small to show.
    fn weight(self, row: &crate::query::FunctionRow) -> u64 {
        match self {
            Self::Total => row.total_value,
            _ => row.self_value,
        }
    }
}

/// Whether a part is too small to show.
fn is_below(part: u64, whole: u64, percent_limit: f64) -> bool {
    crate::query::percent(part, whole) < percent_limit
}

#[cfg(test)]
mod tests;
