//! What the queries answered about what is shown. Asked once, when data or selection have changed, never by a draw.

use super::{
    app::Tab, branches::BranchRow, changes::ChangeRow, course::Course, forest::Forest, heat::Heat,
    locks::LockRows, off::Probe, overview::Overview, slow::SlowRow, times::Times,
};
use crate::query::{FunctionRow, Functions, GroupRow, Latencies, Name, Summary, Weights};

/// Answers that are known; `None` is to be asked.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The samples, from which most other answers are made.
    pub(super) weights: Option<Weights>,
    pub(super) summary: Option<Summary>,
    pub(super) functions: Option<Functions>,
    /// Functions compared with those that were marked.
    pub(super) changes: Option<Vec<ChangeRow>>,
    pub(super) processes: Option<Vec<GroupRow>>,
    pub(super) forest: Option<Forest>,
    /// How the share of the function that is open went.
    pub(super) course: Option<Course>,
    pub(super) preview: Option<Preview>,
    pub(super) times: Option<Times>,
    pub(super) calls: Option<Latencies>,
    pub(super) slow: Option<Vec<SlowRow>>,
    pub(super) locks: Option<LockRows>,
    pub(super) heat: Option<Heat>,
    pub(super) overview: Option<Overview>,
    /// The probes that are off at the end of what is shown, because they would cost too much.
    pub(super) shed: Vec<Probe>,
}

/// The stacks of the row under the cursor.
#[derive(Debug)]
pub(super) struct Preview {
    /// Which row that is, of which tab.
    pub(super) tab: Tab,
    pub(super) key: u64,
    /// What a person calls it. Raw.
    pub(super) title: String,
    pub(super) forest: Forest,
    pub(super) rows: Vec<BranchRow>,
}

/// A row of an answer that passed the filter, and the name of it that outlives the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) index: usize,
    pub(super) key: u64,
}

/// By what functions are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By the time in the function itself.
    #[default]
    Own,
    /// By the time in the function and in what it called.
    Total,
}

impl Sort {
    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Own => Self::Total,
            Self::Total => Self::Own,
        }
    }

    /// Which rows come first, as a number to sort by in descending order.
    pub(super) fn rank(self, row: &FunctionRow) -> (u64, u64) {
        match self {
            Self::Own => (row.self_value, row.total_value),
            Self::Total => (row.total_value, row.self_value),
        }
    }
}

/// The name of a row's function.
pub(super) fn name_of(row: &FunctionRow) -> Name {
    Name {
        label: row.label.clone(),
        module: row.module.clone(),
        kernel: row.kernel,
    }
}
