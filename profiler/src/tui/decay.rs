//! A window that forgets little by little: of what is so old, half is left, of what is twice as old, a quarter.
//!
//! Samples are forgotten whole, each when its time has come: so counts of samples, and the errors that follow from them,
//! stay what they are, and what is still there does not flicker.

use std::{
    hash::{DefaultHasher, Hasher as _},
    time::Duration,
};

use crate::profile::Sample;

/// What is older than so many half-lives is not looked at: a part in 65,536 would be left.
pub(super) const HALVINGS: u32 = 16;

/// How long a window is that holds as much as is left of all since the start, `known` ago, if half of it goes in `half`.
pub(super) fn length(half: Duration, known: Duration) -> Duration {
    let halvings = known.as_secs_f64() / half.as_secs_f64().max(f64::MIN_POSITIVE);
    half.mul_f64((1.0 - (-halvings).exp2()) / std::f64::consts::LN_2)
}

/// Whether a sample that is so old is still there, if half of them go in `half_ns`.
pub(super) fn is_left(sample: &Sample, age_ns: u64, half_ns: u64) -> bool {
    age_ns as f64 <= life(sample) * half_ns as f64
}

/// How many half-lives a sample lives. A sample has the same life whenever it is asked.
fn life(sample: &Sample) -> f64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(sample.time_ns);
    hasher.write_u16(sample.cpu);
    // From above 0 to 1.
    let chance = ((hasher.finish() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -chance.log2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    #[test]
    fn half_of_the_samples_go_in_a_half_life_and_those_that_are_gone_stay_away() {
        let profile = from_folded("app;main 20000");
        let left = |age| {
            profile
                .samples
                .iter()
                .filter(move |sample| is_left(sample, age, 1000))
        };
        for (age, share) in [(0, 1.0), (1000, 0.5), (2000, 0.25), (4000, 0.0625)] {
            let found = left(age).count() as f64 / 20_000.0;
            // Five times the error of so many coins.
            assert!((found - share).abs() < 0.018, "{found} of {share}");
        }
        let later: Vec<u64> = left(3000).map(|sample| sample.time_ns).collect();
        assert!(
            left(1500)
                .filter(|sample| later.contains(&sample.time_ns))
                .count()
                == later.len()
        );
    }

    #[test]
    fn it_is_as_long_as_what_is_left() {
        let ten = Duration::from_secs(10);
        assert_eq!(length(ten, Duration::from_secs(1000)).as_millis(), 14_426);
        // In the beginning hardly anything has been forgotten.
        let short = length(ten, Duration::from_secs(1)).as_secs_f64();
        assert!((0.96..0.97).contains(&short), "{short}");
        assert_eq!(length(Duration::ZERO, ten), Duration::ZERO);
    }
}
