//! How many waits there were and how long they took, by those that were kept.

use profiler_common::histogram::{BUCKETS, bucket, lower_bound};

use crate::profile::LockWait;

/// How many standard errors lie between an estimate and the end of its 95 % interval.
const Z: f64 = 1.959_964;

/// Waits added up. Every wait was kept with a known chance `p`, and stands for `w = 1/p` waits: sums of `w` are unbiased,
/// and each adds `w (w - 1)` to their variance (Horvitz and Thompson, for waits that are kept independently).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// How many waits were kept.
    pub seen: u64,
    /// How many there were.
    pub count: f64,
    /// How long they took in all, in nanoseconds; of each what lies in the selected time.
    pub total_ns: f64,
    /// The longest that was kept, in nanoseconds. Long waits are all kept, so it is the longest of all unless that is
    /// shorter than the threshold.
    pub max_ns: u64,
    /// How many of those that were kept failed, by a time-out or a signal.
    pub failed: u64,
    /// As `total_ns`, of whole waits.
    whole_ns: f64,
    count_variance: f64,
    total_variance: f64,
    /// How many lie in each bucket of `profiler_common::histogram`, up to the last that has some.
    buckets: Vec<f64>,
}

/// A stretch of durations, and how many waits lie in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// The shortest duration in it, in nanoseconds.
    pub from_ns: u64,
    /// The first beyond it; `None`: it has no end.
    pub to_ns: Option<u64>,
    /// How many waits took so long.
    pub count: f64,
}

impl Estimate {
    /// Adds a wait, of which so many nanoseconds lie in the selected time. It is as long as it was nevertheless.
    pub fn add(&mut self, wait: &LockWait, within_ns: u64) {
        let (weight, length) = (wait.stands_for(), within_ns as f64);
        self.seen += 1;
        self.count += weight;
        self.total_ns += weight * length;
        self.whole_ns += weight * wait.duration_ns as f64;
        self.max_ns = self.max_ns.max(wait.duration_ns);
        self.failed += u64::from(wait.errno != 0);
        self.count_variance += weight * (weight - 1.0);
        self.total_variance += weight * (weight - 1.0) * length * length;
        let bucket = bucket(wait.duration_ns) as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0.0);
        }
        self.buckets[bucket] += weight;
    }

    /// Adds the waits of another lock.
    pub fn merge(&mut self, other: &Self) {
        self.seen += other.seen;
        self.count += other.count;
        self.total_ns += other.total_ns;
        self.whole_ns += other.whole_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
        self.failed += other.failed;
        self.count_variance += other.count_variance;
        self.total_variance += other.total_variance;
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0.0);
        }
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
    }

    /// Whether every wait was kept, so that nothing is estimated.
    pub fn is_exact(&self) -> bool {
        self.count_variance == 0.0
    }

    /// How far the truth may be from [`Self::count`]: half of the 95 % interval.
    pub fn count_plus_minus(&self) -> f64 {
        Z * self.count_variance.sqrt()
    }

    /// How far the truth may be from [`Self::total_ns`]: half of the 95 % interval, in nanoseconds.
    pub fn total_plus_minus(&self) -> f64 {
        Z * self.total_variance.sqrt()
    }

    /// How long a wait was on average, in nanoseconds, whatever of it was selected.
    pub fn average_ns(&self) -> f64 {
        if self.count > 0.0 {
            self.whole_ns / self.count
        } else {
            0.0
        }
    }

    /// How long waits were: only stretches that some lie in, shortest first.
    pub fn histogram(&self) -> impl Iterator<Item = Stretch> + '_ {
        let buckets = self.buckets.iter().enumerate();
        buckets
            .filter(|&(_, &count)| count > 0.0)
            .map(|(bucket, &count)| Stretch {
                from_ns: lower_bound(bucket as u32),
                to_ns: (bucket + 1 < BUCKETS).then(|| lower_bound(bucket as u32 + 1)),
                count,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::locks::tests::wait;

    fn of(waits: &[(u64, u64)]) -> Estimate {
        let mut sum = Estimate::default();
        for &(duration_ns, threshold_ns) in waits {
            let wait = LockWait {
                duration_ns,
                blocked_ns: duration_ns,
                threshold_ns,
                ..wait(0, 0)
            };
            sum.add(&wait, duration_ns);
        }
        sum
    }

    #[test]
    fn long_waits_are_counted_and_short_ones_estimated() {
        let exact = of(&[(1_000, 1_000), (3_000, 1_000)]);
        assert!(exact.is_exact());
        assert_eq!(
            (exact.count, exact.total_ns, exact.average_ns()),
            (2.0, 4_000.0, 2_000.0)
        );
        assert_eq!((exact.count_plus_minus(), exact.total_plus_minus()), (0.0, 0.0));
        let mut some = of(&[(100, 1_000), (3_000, 1_000)]);
        assert!(!some.is_exact());
        assert_eq!(
            (some.seen, some.count, some.total_ns, some.max_ns),
            (2, 11.0, 4_000.0, 3_000)
        );
        assert!((some.count_plus_minus() - Z * 90f64.sqrt()).abs() < 1e-9);
        assert!((some.total_plus_minus() - Z * 900_000f64.sqrt()).abs() < 1e-6);
        let histogram: Vec<_> = some.histogram().map(|bucket| bucket.count).collect();
        assert_eq!(histogram, [10.0, 1.0]);
        some.merge(&exact);
        assert_eq!((some.seen, some.count, some.max_ns), (4, 13.0, 3_000));
    }

    /// Waits of 1 to 100 µs of which each is kept by chance: on average, what is estimated is what there was, and it is as
    /// far off as is said.
    #[test]
    fn estimates_are_unbiased_and_as_far_off_as_they_say() {
        let mut state = 7u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let threshold = 50_000;
        let (mut within, mut mean, rounds) = (0, 0.0, 400);
        let truth: f64 = (1..=100).map(|n| n as f64 * 1_000.0).sum::<f64>() * 3.0;
        for _ in 0..rounds {
            let kept: Vec<_> = (0..300)
                .map(|n| (n % 100 + 1) * 1_000)
                .filter(|&ns| random() < ns as f64 / threshold as f64)
                .map(|ns| (ns, threshold))
                .collect();
            let sum = of(&kept);
            mean += sum.total_ns / f64::from(rounds);
            within += i32::from((sum.total_ns - truth).abs() <= sum.total_plus_minus());
        }
        assert!((mean / truth - 1.0).abs() < 0.01, "{mean} {truth}");
        assert!(
            (0.90..=0.99).contains(&(f64::from(within) / f64::from(rounds))),
            "{within}"
        );
    }

    #[test]
    fn what_a_file_made_up_is_finite() {
        let sum = of(&[(u64::MAX >> 2, 0), (0, u64::MAX >> 2)]);
        assert!(
            sum.total_ns.is_finite()
                && sum.count_plus_minus().is_finite()
                && sum.total_plus_minus().is_finite()
        );
    }
}
