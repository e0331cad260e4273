//! How figures are written: the same in every view.

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
