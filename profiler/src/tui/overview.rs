//! The host at a glance: what it did over the last minutes, and the hottest paths.

use std::ops::Range;

use crate::{
    profile::{QualityWindow, State, ThreadTime},
    query::Tree,
};

/// Points of a chart, at most: as many as a wide screen has cells.
const POINTS: u64 = 240;
/// The shortest stretch of time that is a point.
const SHORTEST: u64 = 1_000_000_000;
/// The most paths that are kept.
pub(super) const PATHS: usize = 40;

/// What is charted beside the CPUs: how many threads were in these states, on average.
pub(super) const CHARTS: [(&str, &[State]); 5] = [
    ("runnable", &[State::Runnable]),
    ("disk", &[State::Disk]),
    ("network", &[State::Network]),
    ("locks", &[State::Lock]),
    ("faults", &[State::PageFault]),
];

/// The host at a glance.
#[derive(Debug)]
pub(super) struct Overview {
    /// How long the charts go back, in nanoseconds.
    pub(super) span_ns: u64,
    /// Busy time of all CPUs, in thousandths of it, point by point; the latest last. Empty if it is not known.
    pub(super) busy: Vec<u64>,
    /// For each of [`CHARTS`] thousandths of threads, point by point.
    pub(super) threads: [Vec<u64>; CHARTS.len()],
    /// The call tree, or as much of it as has [`Self::paths`].
    pub(super) tree: Tree,
    /// Where most time was spent: nodes of the call tree, largest own value first.
    pub(super) paths: Vec<u32>,
}

impl Overview {
    /// Of what is known of a stretch of time, and the call tree of what is shown: at least its [`PATHS`] hottest paths.
    pub(super) fn of<'a>(
        quality: impl Iterator<Item = &'a QualityWindow>,
        times: impl Iterator<Item = &'a ThreadTime>,
        within: Range<u64>,
        tree: Tree,
    ) -> Self {
        let span_ns = within.end.saturating_sub(within.start);
        let points = (span_ns / SHORTEST).clamp(1, POINTS) as usize;
        let axis = Axis {
            start: within.start,
            length: (span_ns / points as u64).max(1),
            points,
        };
        let mut threads = CHARTS.map(|_| vec![0.0; points]);
        for span in times {
            for ((_, states), sums) in CHARTS.iter().zip(&mut threads) {
                let ns: u64 = states
                    .iter()
                    .map(|&state| span.ns[state as usize])
                    .fold(0, u64::saturating_add);
                if ns > 0 {
                    axis.spread(span.start_ns..span.end_ns, ns as f64, sums);
                }
            }
        }
        let thousandths = |sum: f64| (sum / axis.length as f64 * 1_000.0) as u64;
        Self {
            span_ns,
            busy: busy(quality, &axis),
            threads: threads.map(|sums| sums.into_iter().map(thousandths).collect()),
            paths: hottest(&tree),
            tree,
        }
    }
}

struct Axis {
    start: u64,
    /// How long a point is.
    length: u64,
    points: usize,
}

impl Axis {
    /// Adds `value` to the points that `range` lies in, to each its part.
    fn spread(&self, range: Range<u64>, value: f64, sums: &mut [f64]) {
        let long = range.end.saturating_sub(range.start).max(1) as f64;
        let first = range.start.saturating_sub(self.start) / self.length;
        for point in first..self.points as u64 {
            let begin = self.start + point * self.length;
            let (from, to) = (range.start.max(begin), range.end.min(begin + self.length));
            if begin >= range.end {
                break;
            }
            if to > from {
                sums[point as usize] += value * (to - from) as f64 / long;
            }
        }
    }
}

fn busy<'a>(quality: impl Iterator<Item = &'a QualityWindow>, axis: &Axis) -> Vec<u64> {
    let (mut busy, mut all) = (vec![0.0; axis.points], vec![0.0; axis.points]);
    for window in quality {
        let range = window.start_ns..window.end_ns;
        let both = window.host_busy_ns.saturating_add(window.host_idle_ns);
        axis.spread(range.clone(), window.host_busy_ns as f64, &mut busy);
        axis.spread(range, both as f64, &mut all);
    }
    if all.iter().all(|all| *all == 0.0) {
        return Vec::new();
    }
    let share = |(busy, all): (f64, f64)| {
        if all > 0.0 {
            (busy / all * 1_000.0) as u64
        } else {
            0
        }
    };
    busy.into_iter().zip(all).map(share).collect()
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
        profile::{Id, folded::from_folded},
        query::{Direction, Selection},
    };

    const S: u64 = 1_000_000_000;

    fn window(start: u64, end: u64, busy: u64, idle: u64) -> QualityWindow {
        QualityWindow {
            start_ns: start * S,
            end_ns: end * S,
            host_busy_ns: busy * S,
            host_idle_ns: idle * S,
            ..QualityWindow::default()
        }
    }

    fn waited(start: u64, end: u64, ns: u64) -> ThreadTime {
        let mut times = [0; State::COUNT];
        times[State::Disk as usize] = ns * S;
        ThreadTime {
            thread: Id::new(0),
            start_ns: start * S,
            end_ns: end * S,
            ns: times,
            waits: 1,
            preemptions: 0,
            in_calls_ns: None,
        }
    }

    #[test]
    fn a_span_counts_where_it_lies_and_a_window_as_what_it_is() {
        let quality = [window(0, 2, 4, 0), window(2, 4, 1, 3)];
        let times = [waited(1, 3, 2), waited(2, 4, 1), waited(9, 12, 3)];
        let overview = Overview::of(quality.iter(), times.iter(), 0..4 * S, Tree::default());
        assert_eq!(overview.busy, [1000, 1000, 250, 250]);
        assert_eq!(overview.threads[1], [0, 1000, 1500, 500]);
        assert_eq!(overview.threads[0], [0; 4]);
    }

    #[test]
    fn nothing_known_is_no_trouble() {
        let overview = Overview::of(
            [].iter(),
            [waited(0, u64::MAX / S, 1)].iter(),
            5..5,
            Tree::default(),
        );
        assert!(overview.busy.is_empty() && overview.paths.is_empty());
        let long = Overview::of([].iter(), [waited(0, 9, 9)].iter(), 0..u64::MAX, Tree::default());
        assert_eq!(long.threads[1].len(), POINTS as usize);
    }

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
