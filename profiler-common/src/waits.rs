//! Which waits are sampled: one uniformly random point in every period of a thread's accumulated off-CPU time.
//!
//! The wait that holds a point is sampled with the period as its weight (several points: that multiple). So a wait of
//! length `d` is expected to weigh `d`, whatever the lengths of the others: short ones are not cut off, long ones are not
//! drowned, and nothing falls into step with the points, which are random in each period of each thread.

/// Nanoseconds of a thread's off-CPU time for each point: 8.4 ms. A power of two, so that the kernel side need not divide.
pub const PERIOD: u64 = 1 << PERIOD_BITS;
const PERIOD_BITS: u32 = 23;

/// How far a thread's off-CPU time has come, and where the next point is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// Off-CPU time so far.
    so_far: u64,
    /// The next point. Never 0 once drawn.
    next: u64,
}

impl Points {
    /// A wait of `ns` has ended. Returns what it weighs, in nanoseconds: how many points lay in it, times the period.
    /// `random` draws the points.
    #[inline(always)]
    pub fn weigh(&mut self, ns: u64, random: u32) -> u64 {
        if self.next == 0 {
            self.next = 1 + offset(random.rotate_left(16));
        }
        let end = self.so_far.wrapping_add(ns);
        self.so_far = end;
        if end < self.next {
            return 0;
        }
        let (first, last) = (self.next >> PERIOD_BITS, end >> PERIOD_BITS);
        if first == last {
            self.next = ((first + 1) << PERIOD_BITS) + offset(random);
            return PERIOD;
        }
        // One in the first period, one in each that the wait spans whole, and perhaps one in the last.
        let mut points = last - first;
        let point = (last << PERIOD_BITS) + offset(random);
        if point <= end {
            points += 1;
            self.next = ((last + 1) << PERIOD_BITS) + offset(random.rotate_left(13) ^ 0x9e37_79b9);
        } else {
            self.next = point;
        }
        points << PERIOD_BITS
    }
}

/// A random place in a period.
#[inline(always)]
fn offset(random: u32) -> u64 {
    u64::from(random) >> (32 - PERIOD_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// splitmix64 (Steele, Lea, Flood 2014).
    struct Random(u64);
    impl Random {
        fn next(&mut self) -> u32 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 32) as u32
        }
    }

    /// What `waits` weigh, against how long they are: short and long ones apart.
    fn weigh(threads: u64, waits: impl Fn(&mut Random, u64) -> Option<u64>) -> ((u64, u64), (u64, u64)) {
        let (mut short, mut long) = ((0, 0), (0, 0));
        for thread in 0..threads {
            let (mut random, mut points) = (Random(thread), Points::default());
            for wait in 0.. {
                let Some(ns) = waits(&mut random, wait) else { break };
                let weight = points.weigh(ns, random.next());
                let sum = if ns < PERIOD { &mut short } else { &mut long };
                *sum = (sum.0 + ns, sum.1 + weight);
            }
        }
        (short, long)
    }

    fn assert_close((length, weight): (u64, u64), percent: f64) {
        let error = 100.0 * (weight as f64 - length as f64) / length as f64;
        assert!(error.abs() < percent, "{length} ns weigh {weight}: {error:.2} %");
    }

    #[test]
    fn many_short_waits_and_a_long_one_weigh_what_they_last() {
        let (short, long) = weigh(50, |_, wait| match wait {
            0..10_000 => Some(50_000),
            10_000 => Some(1_000_000_000),
            _ => None,
        });
        assert_close(short, 3.0);
        assert_close(long, 1.0);
    }

    #[test]
    fn threads_that_wait_less_than_a_period_in_all_are_not_missed() {
        let (short, _) = weigh(20_000, |_, wait| (wait < 3).then_some(700_000));
        assert_close(short, 5.0);
    }

    #[test]
    fn waits_in_step_with_the_period_are_not_favoured() {
        let (_, exact) = weigh(200, |_, wait| (wait < 100).then_some(PERIOD));
        assert_close(exact, 1.0);
        // A short and a longer one in turns, together a period.
        let (short, _) = weigh(400, |_, wait| {
            (wait < 200).then_some(if wait % 2 == 0 {
                PERIOD / 8
            } else {
                PERIOD - PERIOD / 8
            })
        });
        assert_close(short, 2.0);
        let eighth = (0..400).map(|thread| {
            let (mut random, mut points) = (Random(thread), Points::default());
            let mut weight = 0;
            for wait in 0..200 {
                let ns = if wait % 2 == 0 {
                    PERIOD / 8
                } else {
                    PERIOD - PERIOD / 8
                };
                let points = points.weigh(ns, random.next());
                weight += if wait % 2 == 0 { points } else { 0 };
            }
            weight
        });
        assert_close((400 * 100 * (PERIOD / 8), eighth.sum()), 5.0);
    }
}
