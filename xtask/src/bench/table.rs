//! Measured figures: every value kept, shown as median, least, most and number.

use std::fmt;

/// One figure of one program.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) measure: String,
    pub(super) who: String,
    pub(super) unit: &'static str,
    pub(super) values: Vec<f64>,
    /// Why there are no values, or what they mean.
    pub(super) note: String,
}

/// The figures of a chapter.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

impl Table {
    pub(super) fn new(title: &'static str) -> Self {
        Self {
            title,
            rows: Vec::new(),
        }
    }

    /// Adds a value to the figure `measure` of `who`.
    pub(super) fn add(&mut self, measure: &str, who: &str, unit: &'static str, value: f64) {
        let row = self.row(measure, who, unit);
        row.values.push(value);
    }

    /// Says something about the figure `measure` of `who`.
    pub(super) fn note(&mut self, measure: &str, who: &str, note: &str) {
        note.clone_into(&mut self.row(measure, who, "").note);
    }

    fn row(&mut self, measure: &str, who: &str, unit: &'static str) -> &mut Row {
        let index = self
            .rows
            .iter()
            .position(|row| row.measure == measure && row.who == who)
            .unwrap_or_else(|| {
                self.rows.push(Row {
                    measure: measure.to_owned(),
                    who: who.to_owned(),
                    unit,
                    values: Vec::new(),
                    note: String::new(),
                });
                self.rows.len() - 1
            });
        let row = &mut self.rows[index];
        if row.unit.is_empty() {
            row.unit = unit;
        }
        row
    }

    /// The table as a JSON object, with every single value.
    pub(super) fn json(&self) -> String {
        let rows: Vec<String> = self
            .rows
            .iter()
            .map(|row| {
                let values: Vec<String> = row.values.iter().map(|value| number(*value)).collect();
                format!(
                    "{{\"measure\":{},\"who\":{},\"unit\":{},\"median\":{},\"values\":[{}],\"note\":{}}}",
                    text(&row.measure),
                    text(&row.who),
                    text(row.unit),
                    median(&row.values).map_or_else(|| "null".to_owned(), number),
                    values.join(","),
                    text(&row.note)
                )
            })
            .collect();
        format!("{{\"title\":{},\"rows\":[{}]}}", text(self.title), rows.join(","))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n", self.title)?;
        writeln!(f, "| measure | who | median | min | max | n | |")?;
        writeln!(f, "|---|---|---:|---:|---:|---:|---|")?;
        for row in &self.rows {
            let least = row.values.iter().copied().reduce(f64::min);
            let most = row.values.iter().copied().reduce(f64::max);
            let show = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
            writeln!(
                f,
                "| {} | {} | {} {} | {} | {} | {} | {} |",
                row.measure,
                row.who,
                show(median(&row.values)),
                if row.values.is_empty() { "" } else { row.unit },
                show(least),
                show(most),
                row.values.len(),
                row.note
            )?;
        }
        Ok(())
    }
}

/// The middle value; `None` if there is none.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted.get(middle).copied()
    } else {
        Some((sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0)
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 1.0 || small == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn number(value: f64) -> String {
    if value.is_finite() {
        value.to_string()
    } else {
        "null".to_owned()
    }
}

fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        let mut table = Table::new("cost");
        table.add("sample", "a", "µs", 1.0);
        table.add("sample", "a", "µs", 3.0);
        table.note("sample", "b", "not \"installed\"");
        let shown = table.to_string();
        assert!(
            shown.contains("| sample | a | 2.00 µs | 1.00 | 3.00 | 2 |  |"),
            "{shown}"
        );
        assert!(
            shown.contains("| sample | b | –  | – | – | 0 | not \"installed\" |"),
            "{shown}"
        );
        assert!(
            table
                .json()
                .contains("\"median\":null,\"values\":[],\"note\":\"not \\\"installed\\\"\"")
        );
    }
}
