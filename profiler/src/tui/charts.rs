//! What the host did over the last minutes, point by point.

use std::ops::Range;

use super::off::{Gaps, Probe};
use crate::{
    profile::{LockWait, QualityWindow, State, ThreadTime},
    query::locks::{start_ns, weight_within_ns},
};

/// Points of a chart, at most: as many as a wide screen has cells.
const POINTS: u64 = 240;
/// The shortest stretch of time that is a point.
const SHORTEST: u64 = 1_000_000_000;
/// A point of which less than this part was measured is not known.
const ENOUGH: f64 = 0.1;

/// What is charted: how busy all CPUs were, and then how many threads waited for what, on average.
pub(super) const CHARTS: usize = 6;

/// What threads wait for, chart by chart after the first.
const WAITS: [State; CHARTS - 1] = [
    State::Runnable,
    State::Disk,
    State::Network,
    State::Lock,
    State::PageFault,
];

/// One chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chart {
    /// Thousandths, of all CPUs or of a thread; the latest last. `None` where nothing was measured.
    pub(super) points: Vec<Option<u64>>,
    /// The average of what is shown.
    pub(super) average: Option<u64>,
}

/// What charts are made of.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) quality: Vec<&'a QualityWindow>,
    /// `None` if times of threads are not measured.
    pub(super) times: Option<Vec<&'a ThreadTime>>,
    /// Waits for what another thread had; `None` if waits for locks are not recorded.
    pub(super) contended: Option<Vec<&'a LockWait>>,
}

impl Evidence<'_> {
    /// Charts of a stretch of time.
    pub(super) fn charts(&self, within: &Range<u64>) -> [Chart; CHARTS] {
        let span_ns = within.end.saturating_sub(within.start);
        let points = (span_ns / SHORTEST).clamp(1, POINTS);
        self.points(within, points).map(|points| Chart {
            points,
            average: None,
        })
    }

    /// The average of a stretch of time, of each chart.
    pub(super) fn averages(&self, within: &Range<u64>) -> [Option<u64>; CHARTS] {
        self.points(within, 1)
            .map(|points| points.first().copied().flatten())
    }

    fn points(&self, within: &Range<u64>, points: u64) -> [Vec<Option<u64>>; CHARTS] {
        let length = within.end.saturating_sub(within.start);
        let axis = Axis {
            start: within.start,
            length: (length / points).max(1),
            points: points as usize,
        };
        let mut all: [Vec<Option<u64>>; CHARTS] = std::array::from_fn(|_| vec![None; axis.points]);
        all[0] = self.busy(&axis);
        let Some(times) = self.times.as_ref().filter(|_| length > 0) else {
            return all;
        };
        let states = axis.measured(&self.quality, &[Probe::States]);
        let locks = axis.measured(&self.quality, &[Probe::States, Probe::Locks]);
        for (points, state) in all[1..].iter_mut().zip(WAITS) {
            let mut sums = vec![0.0; axis.points];
            match (state, &self.contended) {
                (State::Lock, None) => continue,
                (State::Lock, Some(waits)) => {
                    for wait in waits {
                        let range = start_ns(wait)..wait.end_ns;
                        let weight = weight_within_ns(wait, &range);
                        axis.spread(range, weight, &mut sums);
                    }
                }
                _ => {
                    for span in times {
                        let ns = span.ns[state as usize];
                        if ns > 0 {
                            axis.spread(span.start_ns..span.end_ns, ns as f64, &mut sums);
                        }
                    }
                }
            }
            let measured = if state == State::Lock { &locks } else { &states };
            let rate = |(sum, &measured): (f64, &f64)| {
                let enough = measured >= axis.length as f64 * ENOUGH;
                enough.then(|| (sum / measured * 1_000.0) as u64)
            };
            *points = sums.into_iter().zip(measured).map(rate).collect();
        }
        all
    }

    fn busy(&self, axis: &Axis) -> Vec<Option<u64>> {
        let (mut busy, mut all) = (vec![0.0; axis.points], vec![0.0; axis.points]);
        for window in &self.quality {
            let range = window.start_ns..window.end_ns;
            let both = window.host_busy_ns.saturating_add(window.host_idle_ns);
            axis.spread(range.clone(), window.host_busy_ns as f64, &mut busy);
            axis.spread(range, both as f64, &mut all);
        }
        let share = |(busy, all): (f64, f64)| (all > 0.0).then(|| (busy / all * 1_000.0) as u64);
        busy.into_iter().zip(all).map(share).collect()
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
            let begin = self.start.saturating_add(point.saturating_mul(self.length));
            let end = begin.saturating_add(self.length);
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if begin >= range.end {
                break;
            }
            if to > from {
                sums[point as usize] += value * (to - from) as f64 / long;
            }
        }
    }

    /// How much of each point was measured, in nanoseconds.
    fn measured(&self, quality: &[&QualityWindow], probes: &[Probe]) -> Vec<f64> {
        let gaps = Gaps::of(quality.iter().copied(), probes);
        let points = 0..self.points as u64;
        let measured = points.map(|point| {
            let begin = self.start.saturating_add(point.saturating_mul(self.length));
            gaps.measured_ns(&(begin..begin.saturating_add(self.length))) as f64
        });
        measured.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{profile::Id, query::locks::tests::wait};

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
        times[State::Lock as usize] = (end - start - ns) * S;
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

    fn known(points: &[u64]) -> Vec<Option<u64>> {
        points.iter().copied().map(Some).collect()
    }

    #[test]
    fn a_span_counts_where_it_lies_and_a_window_as_what_it_is() {
        let quality = [window(0, 2, 4, 0), window(2, 4, 1, 3)];
        let times = [waited(1, 3, 2), waited(2, 4, 1), waited(9, 12, 3)];
        // Half a second of the third, and nothing of what the states call locks.
        let contended = LockWait {
            duration_ns: S / 2,
            blocked_ns: S / 2,
            ..wait(0, 3_000)
        };
        let mut evidence = Evidence {
            quality: quality.iter().collect(),
            times: Some(times.iter().collect()),
            contended: Some(vec![&contended]),
        };
        let [busy, runnable, disk, _, locks, _] = evidence.charts(&(0..4 * S));
        assert_eq!(busy.points, known(&[1000, 1000, 250, 250]));
        assert_eq!(runnable.points, known(&[0; 4]));
        assert_eq!(disk.points, known(&[0, 1000, 1500, 500]));
        assert_eq!(locks.points, known(&[0, 0, 500, 0]));
        assert_eq!(evidence.averages(&(2 * S..4 * S))[2], Some(1000));
        evidence.contended = None;
        assert_eq!(evidence.averages(&(0..4 * S))[4], None);
    }

    #[test]
    fn where_nothing_was_measured_is_a_gap_and_rates_are_over_the_rest() {
        let mut off = window(2, 4, 1, 1);
        off.shed_ns.insert("states".into(), 2 * S);
        let quality = [window(0, 2, 1, 1), off];
        let times = [waited(0, 2, 2)];
        let evidence = Evidence {
            quality: quality.iter().collect(),
            times: Some(times.iter().collect()),
            contended: None,
        };
        let [busy, _, disk, ..] = evidence.charts(&(0..4 * S));
        assert_eq!(busy.points, known(&[500; 4]));
        assert_eq!(disk.points, [Some(1000), Some(1000), None, None]);
        assert_eq!(evidence.averages(&(0..4 * S))[2], Some(1000));
        assert_eq!(evidence.averages(&(2 * S..4 * S))[2], None);
    }

    #[test]
    fn nothing_known_is_no_trouble() {
        let span = ThreadTime {
            end_ns: u64::MAX,
            ..waited(0, 9, 1)
        };
        let evidence = Evidence {
            quality: Vec::new(),
            times: Some(vec![&span]),
            contended: None,
        };
        assert!(
            evidence
                .charts(&(5..5))
                .iter()
                .all(|chart| chart.points == [None])
        );
        assert_eq!(evidence.charts(&(0..u64::MAX))[2].points.len(), POINTS as usize);
    }
}
