//! How figures are written: the same in every view. Rounding never turns some into none or all.

/// Nanoseconds in three digits: `850 ns`, `12.3 µs`, `1.20 ms`, `20.6 min`.
pub fn latency(nanoseconds: u64) -> String {
    const UNITS: [(&str, f64); 6] = [
        ("µs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("min", 6e10),
        ("h", 3.6e12),
        ("d", 8.64e13),
    ];
    if nanoseconds < 1_000 {
        return format!("{nanoseconds} ns");
    }
    let nanoseconds = nanoseconds as f64;
    // 999.6 µs would be rounded to four digits.
    let unit = UNITS.iter().find(|(_, length)| nanoseconds / length < 999.5);
    let (unit, length) = unit.unwrap_or(&UNITS[5]);
    let number = nanoseconds / length;
    let decimals = match number {
        small if small < 9.995 => 2,
        middle if middle < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$} {unit}")
}

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

/// So many of a thing: `1 sample`, `1,200 samples`.
pub fn plural(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", count(number))
}
