//! Numbers as a person reads them. Rounding never turns some into none or all.

use crate::query::Share;
pub use crate::query::figures::{count, duration, latency, percent};

/// What stands for nothing: the eye shall find what is there.
pub(super) const NOTHING: &str = "·";

/// How often a second, in at most seven characters for whatever a host can do; a dot for never.
pub(super) fn rate(number: u64, seconds: f64) -> String {
    if number == 0 || seconds == 0.0 {
        return NOTHING.to_owned();
    }
    match number as f64 / seconds {
        rate if rate < 0.1 => "<0.1".to_owned(),
        rate if rate < 10.0 => format!("{rate:.1}"),
        rate if rate < 999_999.5 => count(rate.round() as u64),
        rate => format!("{:.1} M", rate / 1e6),
    }
}

/// A share with its interval, 13 columns: ` 12.3 % ±1.1 `.
pub(super) fn share(share: Option<Share>) -> String {
    match share {
        Some(share) => {
            let margin = format!("±{:.1}", share.plus_minus());
            format!("{:>5.1} % {margin:<5}", share.percent())
        }
        None => format!("{:13}", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn durations() {
        let text = [
            900,
            350_000_000,
            10_040_000_000,
            125_000_000_000,
            12_000_000_000_000,
        ]
        .map(duration);
        assert_eq!(text, ["0 µs", "350 ms", "10.0 s", "2 min 05 s", "3 h 20 min"]);
    }

    #[test]
    fn latencies_have_three_digits() {
        let text = [
            0,
            999,
            1_000,
            9_996,
            99_949,
            999_499,
            999_500,
            1_234_567_890,
            1_200_000_000_000,
            90_000_000_000_000,
            u64::MAX,
        ]
        .map(latency);
        assert_eq!(
            text,
            [
                "0 ns", "999 ns", "1.00 µs", "10.0 µs", "99.9 µs", "999 µs", "1.00 ms", "1.23 s", "20.0 min",
                "25.0 h", "213504 d"
            ]
        );
    }

    #[test]
    fn rates_fit_into_seven_characters() {
        let text = [0, 1, 55, 1_234, 999_999_999, 12_345_678_900].map(|number| rate(number, 100.0));
        assert_eq!(text, ["·", "<0.1", "0.6", "12", "10.0 M", "123.5 M"]);
        assert_eq!(rate(5, 0.0), "·");
    }

    #[test]
    fn some_is_never_none_and_most_is_never_all() {
        let text = [0.0, 0.001, 0.05, 12.34, 99.94, 99.96, 100.0].map(percent);
        assert_eq!(
            text,
            ["0 %", "<0.1 %", "0.1 %", "12.3 %", "99.9 %", ">99.9 %", "100 %"]
        );
    }
}
