//! A share, and how sure it is.

/// A share of samples with its 95 % interval (Wilson's, for a binomial proportion). All between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The share that was observed.
    pub share: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Share {
    /// `part` of `whole` (in any unit), seen through `samples` samples in all; `None` if there is nothing to take a
    /// share of.
    pub fn of(part: u64, whole: u64, samples: u64) -> Option<Self> {
        if whole == 0 || samples == 0 {
            return None;
        }
        const Z: f64 = 1.959_964;
        let (share, n) = ((part as f64 / whole as f64).min(1.0), samples as f64);
        let scale = 1.0 + Z * Z / n;
        let centre = (share + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        Some(Self {
            share,
            low: (centre - half).clamp(0.0, share),
            high: (centre + half).clamp(share, 1.0),
        })
    }

    /// The share in percent.
    pub fn percent(self) -> f64 {
        self.share * 100.0
    }

    /// How far the truth may be from it, in percentage points: the farther end of the interval.
    pub fn plus_minus(self) -> f64 {
        (self.share - self.low).max(self.high - self.share) * 100.0
    }
}

/// `part / whole` in percent; 0 of nothing is 0.
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64 * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // R: prop.test(100, 1000, correct = FALSE) gives 0.0829 to 0.1202.
        let share = Share::of(100, 1000, 1000).unwrap();
        assert!((share.low - 0.0829).abs() < 1e-4, "{share:?}");
        assert!((share.high - 0.1202).abs() < 1e-4, "{share:?}");
    }

    #[test]
    fn one_sample_of_one_is_not_certainty() {
        let share = Share::of(1, 1, 1).unwrap();
        assert!(share.plus_minus() > 50.0);
        assert_eq!(share.high, 1.0);
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        assert_eq!(Share::of(0, 0, 0), None);
    }
}
