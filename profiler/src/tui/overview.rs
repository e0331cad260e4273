//! The host at a glance: what it did over the last minutes, and the hottest paths.

use std::ops::Range;

use super::charts::{CHARTS, Chart, Evidence};
use crate::query::Tree;

/// The most paths that are kept.
pub(super) const PATHS: usize = 40;

/// The host at a glance.
#[derive(Debug)]
pub(super) struct Overview {
    /// How long the charts go back, in nanoseconds.
    pub(super) span_ns: u64,
    pub(super) charts: [Chart; CHARTS],
    /// The call tree, or as much of it as has [`Self::paths`].
    pub(super) tree: Tree,
    /// Where most time was spent: nodes of the call tree, largest own value first.
    pub(super) paths: Vec<u32>,
}

impl Overview {
    /// Of what is known of a stretch of time, the averages of what is shown, and the call tree of that: at least its
    /// [`PATHS`] hottest paths.
    pub(super) fn of(
        evidence: &Evidence<'_>,
        charted: &Range<u64>,
        averages: [Option<u64>; CHARTS],
        tree: Tree,
    ) -> Self {
        let mut charts = evidence.charts(charted);
        for (chart, average) in charts.iter_mut().zip(averages) {
            chart.average = average;
        }
        Self {
            span_ns: charted.end.saturating_sub(charted.start),
            charts,
            paths: hottest(&tree),
            tree,
        }
    }
}

fn hottest(tree: &Tree) -> Vec<u32> {
    let mut paths: Vec<u32> = (0..tree.nodes.len() as u32)
        .filter(|&node| tree.nodes[node as usize].self_value > 0)
        .collect();
    let rank = |node: &u32| std::cmp::Reverse(tree.nodes[*node as usize].self_value);
    if paths.len() > PATHS {
        paths.select_nth_unstable_by_key(PATHS, rank);
        paths.truncate(PATHS);
    }
    paths.sort_by_key(|node| (rank(node), *node));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::folded::from_folded,
        query::{Direction, Selection},
    };

    #[test]
    fn paths_are_sorted_by_what_ends_there() {
        let tree = Tree::build(
            &from_folded("a;main;f 3\na;main;g 5\na;main 1"),
            &Selection::default(),
            Direction::TopDown,
        );
        let labels: Vec<_> = hottest(&tree)
            .into_iter()
            .map(|node| tree.name(node).label.clone())
            .collect();
        assert_eq!(labels, ["g", "f", "main"]);
    }
}
