//! Text that fits: cut, cleaned, and figures as a person reads them.

pub(super) use crate::query::latency;
use std::borrow::Cow;

use ratatui::text::Span;

pub(super) use crate::query::clean;

/// How many cells `text` takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// `text`, made safe for the terminal, in at most so many cells; `…` stands for what was cut off its end.
pub(super) fn fit(text: &str, cells: usize) -> Cow<'_, str> {
    // A cell holds at least four bytes of what is not worth measuring: hostile names may be very long.
    let measured = text.char_indices().nth(cells.saturating_mul(2).saturating_add(8));
    let (text, long) = match measured {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    };
    let text = clean(text);
    if !long && width(&text) <= cells {
        return text;
    }
    let mut fitting = String::new();
    let mut used = 0;
    let mut buffer = [0; 4];
    for c in text.chars() {
        used += width(c.encode_utf8(&mut buffer));
        if used + 1 > cells {
            break;
        }
        fitting.push(c);
    }
    if cells > 0 {
        fitting.push('…');
    }
    Cow::Owned(fitting)
}

/// As [`fit`], with `…` for what was cut off its begin. For paths, which are short enough to be measured whole.
pub(super) fn fit_end(text: &str, cells: usize) -> Cow<'_, str> {
    let text = clean(text);
    if width(&text) <= cells {
        return text;
    }
    let mut begin = text.len();
    let mut used = 1;
    let mut buffer = [0; 4];
    for (at, c) in text.char_indices().rev() {
        used += width(c.encode_utf8(&mut buffer));
        if used > cells {
            break;
        }
        begin = at;
    }
    let sign = if cells > 0 { "…" } else { "" };
    Cow::Owned(format!("{sign}{}", &text[begin..]))
}

/// The module as there is room for it: what perf calls `[kernel.kallsyms]` is the kernel.
pub(super) fn module(module: &str) -> &str {
    match module {
        "[kernel.kallsyms]" => "[kernel]",
        other => other,
    }
}

/// A bar of at most so many cells, as long as `value` is of `most`. Whatever is not nothing can be seen.
pub(super) fn bar(value: u64, most: u64, cells: u16) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if most == 0 || value == 0 {
        return String::new();
    }
    let share = (value as f64 / most as f64).min(1.0);
    let eighths = ((share * f64::from(cells) * 8.0).round() as usize).max(1);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

/// A share in percent, in five cells: ` 7.3`, `100`. What is not nothing is not `0.0`.
pub(super) fn percent(percent: f64) -> String {
    if percent >= 99.95 {
        format!("{percent:5.0}")
    } else if (f64::MIN_POSITIVE..0.05).contains(&percent) {
        " <0.1".to_owned()
    } else {
        format!("{percent:5.1}")
    }
}

/// As [`percent()`], with its sign and no blanks.
pub(super) fn percent_sign(value: f64) -> String {
    format!("{} %", percent(value).trim_start())
}

/// A time in nanoseconds: `9.5 s`, `75 s`, `12 min 3 s`, `3 h 5 min`.
pub(super) fn duration(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0..10 => format!("{:.1} s", nanoseconds as f64 / 1e9),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A moment of a recording: `9.5 s`, `1:05`, `1:00:05`.
pub(super) fn moment(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0..60 => format!("{:.1} s", nanoseconds as f64 / 1e9),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

/// Values as bars in so many cells, the largest as high as a cell. What is not nothing can be seen. Where there are more
/// values than cells, neighbours are added up.
pub(super) fn sparkline(values: &[u64], cells: usize) -> String {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let place = |cell: usize| cell * values.len() / cells.max(1);
    let sum = |cell: usize| {
        let range = place(cell)..place(cell + 1).max(place(cell) + 1).min(values.len());
        // Stretches of one or two values side by side would be a comb if they were not averaged.
        let count = range.len().max(1) as f64;
        values
            .get(range)
            .unwrap_or_default()
            .iter()
            .map(|value| *value as f64)
            .sum::<f64>()
            / count
    };
    let sums: Vec<f64> = (0..cells).map(sum).collect();
    let most = sums.iter().copied().fold(0.0, f64::max);
    let height = |value: f64| match value > 0.0 {
        true => EIGHTHS[((value / most * 8.0).round() as usize).clamp(1, 8)],
        false => EIGHTHS[0],
    };
    sums.into_iter().map(height).collect()
}

/// How long ago, in six cells: `0.3 s`, `75 s`, `12 min`, `3 h`.
pub(super) fn ago(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0..10 => format!("{:.1} s", nanoseconds as f64 / 1e9),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// How often a second, in at most seven cells; a dot for never.
pub(super) fn rate(number: u64, seconds: f64) -> String {
    if number == 0 || seconds <= 0.0 {
        return "·".to_owned();
    }
    match number as f64 / seconds {
        rate if rate < 0.1 => "<0.1".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate if rate < 999_999.5 => count(rate.round() as u64),
        rate => format!("{:.1} M", rate / 1e6),
    }
}

/// How many on average, in five cells. What is not nothing is not `0.00`.
pub(super) fn count_short(number: f64) -> String {
    match number {
        small if (f64::MIN_POSITIVE..0.005).contains(&small) => "<0.01".to_owned(),
        small if small < 99.995 => format!("{small:.2}"),
        middle if middle < 999.95 => format!("{middle:.1}"),
        large => format!("{large:.0}"),
    }
}

/// A share in percent in four cells; a dot for none. Rounding never turns some into none or all.
pub(super) fn share(part: u64, whole: u64) -> String {
    match crate::query::percent(part, whole) {
        0.0 => "·".to_owned(),
        small if small < 0.05 => "<0.1".to_owned(),
        percent if percent >= 100.0 => "100".to_owned(),
        percent => format!("{:.1}", percent.min(99.9)),
    }
}

/// A count with its thousands apart: `12,345`.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Lines of at most so many cells, cut between words where that is possible.
pub(super) fn wrapped(text: &str, cells: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one from the begin");
        if !line.is_empty() && width(line) + 1 + width(word) > cells {
            lines.push(String::new());
        } else if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            let line = lines.last_mut().expect("there is one from the begin");
            if width(line) >= cells {
                lines.push(String::new());
            }
            lines.last_mut().expect("there is one from the begin").push(c);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_and_long_words_are_cut() {
        assert_eq!(
            wrapped("a torn chunk at the end", 8),
            ["a torn", "chunk at", "the end"]
        );
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn what_is_cut_says_so_and_fits() {
        assert_eq!(fit("malloc", 6), "malloc");
        assert_eq!(fit("malloc", 5), "mall…");
        assert_eq!(fit("malloc", 1), "…");
        assert_eq!(fit("malloc", 0), "");
        // Each of these takes two cells.
        assert_eq!(fit("数据库", 6), "数据库");
        assert_eq!(fit("数据库", 5), "数据…");
        assert_eq!(fit("数据库", 4), "数…");
    }

    #[test]
    fn a_path_keeps_its_end() {
        assert_eq!(fit_end("/src/a.c:7", 10), "/src/a.c:7");
        assert_eq!(fit_end("/src/a.c:7", 6), "…a.c:7");
        assert_eq!(fit_end("/src/a.c:7", 1), "…");
        assert_eq!(fit_end("/src/a.c:7", 0), "");
        assert_eq!(fit_end("数据库", 5), "…据库");
        assert_eq!(fit_end("数据库", 4), "…库");
    }

    #[test]
    fn hostile_text_is_harmless_whatever_its_length() {
        assert_eq!(fit("\x1b[2Jx", 10), "�[2Jx");
        let long = "\u{301}".repeat(1_000_000);
        assert!(fit(&long, 10).chars().count() < 40);
        assert_eq!(fit(&"a".repeat(1_000_000), 4), "aaa…");
    }

    #[test]
    fn a_bar_shows_whatever_is_not_nothing() {
        assert_eq!(bar(0, 10, 8), "");
        assert_eq!(bar(1, 1_000_000, 8), "▏");
        assert_eq!(bar(10, 10, 8), "████████");
        assert_eq!(bar(5, 10, 3), "█▌");
        assert_eq!(bar(5, 0, 3), "");
    }

    #[test]
    fn a_sparkline_is_as_high_as_its_values() {
        assert_eq!(sparkline(&[0, 1, 4, 8, 1000], 5), " ▁▁▁█");
        assert_eq!(sparkline(&[8, 8, 4, 4], 2), "█▄");
        assert_eq!(sparkline(&[8, 4], 4), "██▄▄");
        assert_eq!(sparkline(&[], 3), "   ");
        assert_eq!(sparkline(&[1], 0), "");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(percent(0.0), "  0.0");
        assert_eq!(percent(0.01), " <0.1");
        assert_eq!(percent(99.99), "  100");
        assert_eq!(percent_sign(7.25), "7.2 %");
        assert_eq!(duration(9_500_000_000), "9.5 s");
        assert_eq!(duration(723_000_000_000), "12 min 3 s");
        assert_eq!(count(1_234_567), "1,234,567");
        let moments = [0, 59_900_000_000, 65_000_000_000, 3_605_000_000_000].map(moment);
        assert_eq!(moments, ["0.0 s", "59.9 s", "1:05", "1:00:05"]);
        let agos = [300_000_000, 75_000_000_000, 740_000_000_000, u64::MAX].map(ago);
        assert_eq!(agos, ["0.3 s", "75 s", "12 min", "5124095 h"]);
        let times = [0, 999, 999_600, 1_234_000, 61_000_000_000].map(latency);
        assert_eq!(times, ["0 ns", "999 ns", "1.00 ms", "1.23 ms", "61.0 s"]);
        let rates = [0, 1, 99, 99_600, 12_345_678_900].map(|number| rate(number, 100.0));
        assert_eq!(rates, ["·", "<0.1", "1.0", "996", "123.5 M"]);
        let counts = [0.0, 0.001, 1.234, 99.996, 123_456.0].map(count_short);
        assert_eq!(counts, ["0.00", "<0.01", "1.23", "100.0", "123456"]);
        let shares = [0, 1, 123_456, 999_999, 1_000_000].map(|part| share(part, 1_000_000));
        assert_eq!(shares, ["·", "<0.1", "12.3", "99.9", "100"]);
        assert_eq!(count(12), "12");
    }
}
