//! A bound on how many events a second are kept, without a bias: short ones are kept by chance.

/// Keeps an event of `ns` nanoseconds with probability `min(1, ns / threshold)`. Who counts each event that is kept
/// `max(1, threshold / ns)` times gets an unbiased sum, whatever the threshold was: it follows from events before.
///
/// Only one program at a time may use it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thinning {
    /// From this length on every event is kept, in nanoseconds; below [`LEAST`] it is that.
    threshold: u64,
    /// Events that were kept since the threshold or the slice changed.
    kept: u32,
    /// Which slice of time it is, times two; odd if the threshold was raised in it.
    slice: u32,
}

/// The lowest threshold, in nanoseconds.
pub const LEAST: u64 = 1_000;
/// The highest: 2.1 s. Its product with a random number of 32 bits fits into 64.
const MOST: u64 = 1 << 31;
/// Slices of 2^27 ns: 7.5 a second.
const SLICE_BITS: u32 = 27;

impl Thinning {
    /// Whether an event of `ns` nanoseconds at `now` is kept: at which threshold; 0: it is not. `random` is evenly
    /// distributed over all 32-bit numbers. In a slice of 134 ms `limit` events are kept, and as many again each time that
    /// the threshold has to be raised.
    #[inline(always)]
    pub fn admits(&mut self, now: u64, ns: u64, random: u32, limit: u32) -> u64 {
        let slice = ((now >> SLICE_BITS) as u32) << 1;
        if slice != self.slice & !1 {
            let was_raised = self.slice & 1 != 0;
            if !was_raised && self.kept < limit / 4 && self.threshold > LEAST {
                self.threshold >>= 1;
            }
            (self.slice, self.kept) = (slice, 0);
        }
        if self.threshold < LEAST {
            self.threshold = LEAST;
        }
        let threshold = self.threshold;
        if ns < threshold && (u64::from(random) * threshold) >> 32 >= ns {
            return 0;
        }
        self.kept += 1;
        if self.kept >= limit && threshold < MOST {
            self.threshold = threshold << 1;
            self.slice |= 1;
            self.kept = 0;
        }
        threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: u64 = 1 << SLICE_BITS;

    /// Evenly distributed, and the same every time.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 32) as u32
        }
    }

    #[test]
    fn few_events_are_all_kept() {
        let mut thinning = Thinning::default();
        for at in 1..50 {
            assert_eq!(thinning.admits(at * SLICE / 10, LEAST, u32::MAX, 50), LEAST);
        }
        assert_eq!(thinning.admits(6 * SLICE, LEAST - 1, u32::MAX, 50), 0);
        assert_eq!(thinning.admits(6 * SLICE, LEAST - 1, 0, 50), LEAST);
    }

    #[test]
    fn a_storm_is_bounded_and_its_sums_are_right() {
        let mut random = Random(1);
        let mut thinning = Thinning::default();
        let (mut kept, mut count, mut total) = (0_u64, 0.0, 0.0);
        let (mut true_count, mut true_total) = (0_u64, 0_u64);
        for at in 0..1_000_000_u64 {
            // 100,000 a second, half of 2 µs and half of 9 µs, for 10 s.
            let ns = if at % 2 == 0 { 2_000 } else { 9_000 };
            true_count += 1;
            true_total += ns;
            let threshold = thinning.admits(SLICE + at * 10_000, ns, random.next(), 50);
            if threshold > 0 {
                let stands_for = (threshold as f64 / ns as f64).max(1.0);
                kept += 1;
                count += stands_for;
                total += stands_for * ns as f64;
            }
        }
        assert!(kept < 10_000, "{kept}");
        let wrong = |estimate: f64, truth: u64| (estimate / truth as f64 - 1.0).abs();
        assert!(wrong(count, true_count) < 0.06, "{count}");
        assert!(wrong(total, true_total) < 0.05, "{total}");
    }

    #[test]
    fn one_long_wait_among_many_short_ones_is_kept_once_and_whole() {
        let mut random = Random(7);
        let mut thinning = Thinning::default();
        for at in 0..100_000_u64 {
            thinning.admits(SLICE + at * 10_000, 5_000, random.next(), 50);
        }
        let threshold = thinning.admits(9 * SLICE, 1_000_000_000, u32::MAX, 50);
        assert!((LEAST..1_000_000_000).contains(&threshold), "{threshold}");
    }

    #[test]
    fn quiet_lowers_the_threshold() {
        let mut thinning = Thinning::default();
        for at in 0..10_000 {
            thinning.admits(SLICE + at, 1_000_000, 0, 10);
        }
        let raised = thinning.admits(2 * SLICE, 1 << 40, u32::MAX, 10);
        assert!(raised > 100_000, "{raised}");
        let mut last = raised;
        for slice in 3..50 {
            last = thinning.admits(slice * SLICE, 1 << 40, u32::MAX, 10);
        }
        assert_eq!(last, LEAST);
    }
}
