//! A bound on how many events a second are kept: the longest ones.

/// Lets through at most so many events a second. A bound that is met raises the threshold, so that what is kept is what
/// is longest; a quiet second lowers it again.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Events shorter than the lowest threshold shifted left by this are left out.
    raised: u32,
    /// Events that were let through in this second.
    kept: u32,
    /// Events that were not, though they were long enough.
    missed: u32,
    /// Which second it is: a time shifted right by [`SECOND_BITS`].
    second: u32,
}

/// A second is 2^30 ns here.
const SECOND_BITS: u32 = 30;
/// 1 ms shifted by this is over an hour.
const MOST_RAISED: u32 = 22;

/// Whether an event is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is short.
    Short,
    /// It is kept.
    Kept,
    /// It is long, and there are too many.
    Missed,
}

impl Gate {
    /// Whether an event of `ns` nanoseconds that ends at `now` is kept. Events from `threshold` on are long; `limit` a
    /// second are kept, and as many again that are four times as long as the others have to be.
    #[inline(always)]
    pub fn admits(&mut self, now: u64, ns: u64, threshold: u64, limit: u32) -> Verdict {
        if ns < threshold {
            return Verdict::Short;
        }
        let second = (now >> SECOND_BITS) as u32;
        if second != self.second {
            if self.missed > 0 {
                self.raised += (self.raised < MOST_RAISED) as u32;
            } else if self.kept < limit / 4 {
                self.raised -= (self.raised > 0) as u32;
            }
            (self.second, self.kept, self.missed) = (second, 0, 0);
        }
        let raised = threshold << (self.raised & 31);
        let limit = if ns >= raised << 2 { limit * 2 } else { limit };
        if ns < raised {
            return Verdict::Missed;
        }
        if self.kept >= limit {
            self.missed += 1;
            return Verdict::Missed;
        }
        self.kept += 1;
        Verdict::Kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << SECOND_BITS;
    const MS: u64 = 1_000_000;

    fn kept(gate: &mut Gate, second: u64, events: u64, ns: u64) -> u64 {
        let verdicts = (0..events).map(|at| gate.admits(second * SECOND + at, ns, MS, 10));
        verdicts.filter(|verdict| *verdict == Verdict::Kept).count() as u64
    }

    #[test]
    fn few_events_are_all_kept_and_short_ones_are_not() {
        let mut gate = Gate::default();
        assert_eq!(kept(&mut gate, 5, 10, MS), 10);
        assert_eq!(kept(&mut gate, 6, 10, MS - 1), 0);
        assert_eq!(gate.admits(6 * SECOND, MS - 1, MS, 10), Verdict::Short);
    }

    #[test]
    fn many_events_raise_the_threshold_and_quiet_lowers_it() {
        let mut gate = Gate::default();
        for second in 1..8 {
            assert!(kept(&mut gate, second, 1_000, MS + MS / 2) <= 10);
        }
        assert_eq!(kept(&mut gate, 8, 5, 100 * MS), 5);
        for second in 9..16 {
            kept(&mut gate, second, 1, 100 * MS);
        }
        assert_eq!(kept(&mut gate, 17, 5, MS), 5);
    }

    #[test]
    fn a_much_longer_one_is_kept_though_the_bound_is_met() {
        let mut gate = Gate::default();
        assert_eq!(kept(&mut gate, 1, 100, MS), 10);
        assert_eq!(kept(&mut gate, 1, 100, 4 * MS), 10);
        assert_eq!(kept(&mut gate, 1, 100, 4 * MS), 0);
    }
}
