//! How long operations took, added up.

use std::collections::BTreeMap;

use profiler_common::histogram::{BUCKETS, lower_bound};

use crate::profile::Latency;

/// How long operations took, added up. Sums saturate: rows come from a file that anybody may have written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// How many operations there were.
    pub count: u64,
    /// How many of them have an end, so that there is something to time: calls such as `exit` never return.
    pub timed: u64,
    /// How long they took in all, in nanoseconds.
    pub total_ns: u64,
    /// The longest of them.
    pub max_ns: u64,
    /// The shortest of them, once there is one.
    min_ns: Option<u64>,
    /// How many failed with each `errno`; 0 stands for errors of further kinds.
    pub errors: BTreeMap<u16, u64>,
    /// How many lie in each bucket, by its number.
    buckets: Vec<u64>,
}

/// A stretch of durations, and how many operations lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which of the histogram's buckets it is.
    pub number: u32,
    /// The shortest duration in it, in nanoseconds.
    pub from_ns: u64,
    /// The first beyond it; `None`: it has no end.
    pub to_ns: Option<u64>,
    /// How many operations took so long.
    pub count: u64,
}

impl Timing {
    /// Adds the operations of a window.
    pub fn add(&mut self, window: &Latency) {
        add(&mut self.count, window.count);
        add(&mut self.total_ns, window.total_ns);
        self.max_ns = self.max_ns.max(window.max_ns);
        for &(errno, count) in &window.errors {
            add(self.errors.entry(errno).or_default(), count);
        }
        if window.buckets.is_empty() {
            return;
        }
        self.min_ns = Some(self.min_ns().map_or(window.min_ns, |min| min.min(window.min_ns)));
        for &(bucket, count) in &window.buckets {
            let bucket = usize::from(bucket).min(BUCKETS - 1);
            if self.buckets.len() <= bucket {
                self.buckets.resize(bucket + 1, 0);
            }
            add(&mut self.buckets[bucket], count);
            add(&mut self.timed, count);
        }
    }

    /// How many of them failed.
    pub fn failed(&self) -> u64 {
        self.errors
            .values()
            .fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// The shortest of them, in nanoseconds; `None` if there is none.
    pub fn min_ns(&self) -> Option<u64> {
        self.min_ns
    }

    /// How long it took at most, in nanoseconds, in `percent` of the operations; `None` if there is none. It is the
    /// middle of a bucket, so at most 6.25 % wrong, and neither below the shortest nor above the longest; of the longest
    /// itself it is exact.
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        let rank = ((self.timed as f64 * percent / 100.0).ceil() as u64).clamp(1, self.timed.max(1));
        if self.timed > 0 && rank >= self.timed {
            return Some(self.max_ns);
        }
        let mut seen = 0u64;
        let bucket = self.buckets.iter().position(|&count| {
            seen = seen.saturating_add(count);
            seen >= rank
        })?;
        let from = lower_bound(bucket as u32);
        let middle = match upper_bound(bucket) {
            Some(to) => from + (to - from) / 2,
            None => self.max_ns,
        };
        Some(middle.max(self.min_ns.unwrap_or(0)).min(self.max_ns))
    }

    /// The histogram: only stretches that some operation lies in, shortest first.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let buckets = self.buckets.iter().enumerate();
        buckets
            .filter(|&(_, &count)| count > 0)
            .map(|(bucket, &count)| Bucket {
                number: bucket as u32,
                from_ns: lower_bound(bucket as u32),
                to_ns: upper_bound(bucket),
                count,
            })
    }
}

/// Where a bucket ends; `None` for the last, which holds all that is longer.
fn upper_bound(bucket: usize) -> Option<u64> {
    (bucket + 1 < BUCKETS).then(|| lower_bound(bucket as u32 + 1))
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

#[cfg(test)]
pub(crate) mod tests {
    use profiler_common::histogram::bucket;

    use super::*;
    use crate::profile::{Id, LatencyKey, ObjectKind, Operation};

    /// A window of operations that took so long each, in nanoseconds.
    pub(crate) fn window(durations: &[u64]) -> Latency {
        let each: Vec<_> = durations.iter().map(|&duration| (duration, 1)).collect();
        counted(&each)
    }

    /// A window of so many operations of each duration, in nanoseconds: of second 0, of process 0, `read`.
    pub(crate) fn counted(durations: &[(u64, u64)]) -> Latency {
        let mut buckets: BTreeMap<u8, u64> = BTreeMap::new();
        for &(duration, count) in durations {
            *buckets
                .entry(u8::try_from(bucket(duration)).unwrap())
                .or_default() += count;
        }
        let each = || durations.iter().map(|(duration, _)| *duration);
        Latency {
            key: LatencyKey {
                process: Id::new(0),
                operation: Operation::Call(0),
                object: ObjectKind::None,
                device: 0,
            },
            start_ns: 0,
            end_ns: 1_000_000_000,
            count: durations.iter().map(|(_, count)| count).sum(),
            total_ns: durations.iter().map(|(duration, count)| duration * count).sum(),
            min_ns: each().min().unwrap_or(0),
            max_ns: each().max().unwrap_or(0),
            errors: Vec::new(),
            buckets: buckets.into_iter().collect(),
        }
    }

    fn timing(windows: &[&[u64]]) -> Timing {
        let mut timing = Timing::default();
        windows
            .iter()
            .for_each(|durations| timing.add(&window(durations)));
        timing
    }

    #[test]
    fn percentiles_are_no_further_from_the_truth_than_promised() {
        let durations: Vec<u64> = (1..=10_000).map(|i| i * i * 37).collect();
        let timing = timing(&[&durations[..3_000], &durations[3_000..]]);
        for percent in [1.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
            let truth = durations[(100.0 * percent) as usize - 1] as f64;
            let found = timing.percentile(percent).unwrap() as f64;
            assert!(
                (found - truth).abs() / truth <= 0.0625,
                "{percent}: {found} {truth}"
            );
        }
    }

    #[test]
    fn one_operation_is_its_own_percentile() {
        let timing = timing(&[&[1_000_003]]);
        assert_eq!(
            [0.0, 50.0, 100.0].map(|p| timing.percentile(p)),
            [Some(1_000_003); 3]
        );
    }

    #[test]
    fn what_never_returns_counts_and_has_no_duration() {
        let mut timing = Timing::default();
        timing.add(&Latency {
            count: 3,
            ..window(&[])
        });
        assert_eq!((timing.count, timing.timed, timing.min_ns()), (3, 0, None));
        assert_eq!((timing.percentile(50.0), timing.buckets().count()), (None, 0));
        timing.add(&window(&[500]));
        assert_eq!((timing.count, timing.min_ns()), (4, Some(500)));
    }

    #[test]
    fn what_a_file_made_up_saturates() {
        let mut timing = Timing::default();
        for _ in 0..2 {
            timing.add(&Latency {
                count: u64::MAX,
                total_ns: u64::MAX,
                min_ns: u64::MAX,
                max_ns: 1,
                errors: vec![(1, u64::MAX), (1, u64::MAX), (2, 1)],
                buckets: vec![(255, u64::MAX), (255, 1), (0, 1)],
                ..window(&[])
            });
        }
        assert_eq!(
            (timing.count, timing.timed, timing.failed()),
            (u64::MAX, u64::MAX, u64::MAX)
        );
        assert_eq!(timing.percentile(50.0), Some(1));
        assert_eq!(timing.buckets().last().map(|bucket| bucket.to_ns), Some(None));
    }

    #[test]
    fn the_longest_bucket_is_as_long_as_the_longest_operation() {
        let timing = timing(&[&[200_000_000_000, 900_000_000_000]]);
        assert_eq!(timing.percentile(99.0), Some(900_000_000_000));
    }
}
