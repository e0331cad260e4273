//! Numbers as a person reads them. Rounding never turns some into none or all.

use crate::query::Share;

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds as `350 ms`, `10.0 s`, `2 min 05 s` or `3 h 20 min`.
pub fn duration(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    if nanoseconds < 1_000_000 {
        format!("{} µs", nanoseconds / 1_000)
    } else if seconds < 1 {
        format!("{} ms", nanoseconds / 1_000_000)
    } else if seconds < 120 {
        format!("{:.1} s", (nanoseconds / 100_000_000) as f64 / 10.0)
    } else if seconds < 7_200 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60)
    }
}

/// Percent with one decimal; `<0.1 %` for little that is not nothing, `>99.9 %` for much that is not all.
pub fn percent(percent: f64) -> String {
    if percent > 0.0 && percent < 0.05 {
        "<0.1 %".to_owned()
    } else if (99.95..100.0).contains(&percent) {
        ">99.9 %".to_owned()
    } else if percent == 0.0 || percent == 100.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
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
    fn some_is_never_none_and_most_is_never_all() {
        let text = [0.0, 0.001, 0.05, 12.34, 99.94, 99.96, 100.0].map(percent);
        assert_eq!(
            text,
            ["0 %", "<0.1 %", "0.1 %", "12.3 %", "99.9 %", ">99.9 %", "100 %"]
        );
    }
}
