//! A table whose columns are as wide as what is in them, and that fits into the terminal.

use std::io::{self, Write};

use super::layout::{Ink, Layout, cut};
use crate::query::clean;

/// From this width on there are two blanks between columns.
const ROOM: usize = 110;
/// At least this much of a name is shown, however narrow the terminal.
const NAME_MIN: usize = 8;
/// Remarks beneath a row stand so far to the right.
const INDENT: &str = "        ";
/// Names are cut to this before figures go.
const NAME_COMFORT: usize = 16;

/// What is in a column, and what becomes of it where there is little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A figure, always shown.
    Figure,
    /// A figure that is left out where there is little room: those with the greatest number first.
    Spare(u8),
    /// Text, which is cut in its middle.
    Name,
    /// Text that stands in a line of its own beneath the row where there is no room for all of it.
    Remark,
}

/// A row, or a line between rows.
enum Line {
    Row { cells: Vec<String>, faint: bool },
    Words(String),
}

/// A table in the making.
pub(super) struct Table {
    columns: Vec<(&'static str, Kind)>,
    lines: Vec<Line>,
}

impl Table {
    pub(super) fn new(columns: Vec<(&'static str, Kind)>) -> Self {
        Self {
            columns,
            lines: Vec::new(),
        }
    }

    /// Adds a row: as many cells as there are columns. They are cleaned.
    pub(super) fn row(&mut self, cells: Vec<String>, faint: bool) {
        debug_assert_eq!(cells.len(), self.columns.len());
        let cells = cells.iter().map(|cell| clean(cell).into_owned()).collect();
        self.lines.push(Line::Row { cells, faint });
    }

    /// Adds a line of words across all columns.
    pub(super) fn words(&mut self, words: impl Into<String>) {
        self.lines.push(Line::Words(words.into()));
    }

    pub(super) fn write(&self, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
        let gap = if layout.width.is_some_and(|width| width < ROOM) {
            " "
        } else {
            "  "
        };
        let widths = self.fit(layout.width, gap.len());
        let names: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let header = self.line(&names, &widths, gap);
        writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
        for line in &self.lines {
            let (text, faint) = match line {
                Line::Row { cells, faint } => (self.line(cells, &widths, gap), *faint),
                Line::Words(words) => (words.clone(), true),
            };
            let text = if faint {
                layout.paint(Ink::Faint, &text)
            } else {
                text
            };
            writeln!(out, "{text}")?;
            let Line::Row { cells, .. } = line else { continue };
            for remark in self.beneath(cells, &widths) {
                let remark = layout.fit(&remark, INDENT.len()).into_owned();
                writeln!(out, "{}", layout.paint(Ink::Faint, &format!("{INDENT}{remark}")))?;
            }
        }
        Ok(())
    }

    /// The remarks of a row that are no column.
    fn beneath<'a>(&'a self, cells: &'a [String], widths: &'a [usize]) -> impl Iterator<Item = String> + 'a {
        let columns = self.columns.iter().zip(cells).zip(widths);
        columns
            .filter(|(((_, kind), cell), width)| *kind == Kind::Remark && **width == 0 && !cell.is_empty())
            .map(|(((name, _), cell), _)| format!("{name}: {cell}"))
    }

    /// How wide each column is; 0: it is left out.
    fn fit(&self, room: Option<usize>, gap: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        let Some(room) = room else { return widths };
        let used = |widths: &[usize]| {
            let shown = widths.iter().filter(|&&width| width > 0);
            shown.map(|width| width + gap).sum::<usize>().saturating_sub(gap)
        };
        while used(&widths) > room {
            let kinds = self.columns.iter().map(|(_, kind)| *kind);
            // What can give way, and how soon: remarks go beneath, then names are cut a little, then figures go.
            let first = kinds
                .zip(&widths)
                .enumerate()
                .filter_map(|(place, (kind, &width))| {
                    let turn = match kind {
                        Kind::Remark if width > 0 => (3, 0),
                        Kind::Name if width > NAME_COMFORT => (2, width),
                        Kind::Spare(number) if width > 0 => (1, number.into()),
                        Kind::Name if width > NAME_MIN => (0, width),
                        _ => return None,
                    };
                    Some((turn, place, kind))
                })
                .max_by_key(|(turn, ..)| *turn);
            match first {
                None => break,
                Some((_, place, Kind::Spare(_) | Kind::Remark)) => widths[place] = 0,
                Some((_, place, _)) => widths[place] -= 1,
            }
        }
        widths
    }

    /// The width of what is in a column; 0 if all of it is empty, so that the column tells nothing.
    fn width(&self, column: usize) -> usize {
        let cells = self.lines.iter().filter_map(|line| match line {
            Line::Row { cells, .. } => cells.get(column),
            Line::Words(_) => None,
        });
        match cells.map(|cell| cell.chars().count()).max() {
            None | Some(0) => 0,
            Some(width) => width.max(self.columns[column].0.chars().count()),
        }
    }

    fn line(&self, cells: &[String], widths: &[usize], gap: &str) -> String {
        let shown = cells.iter().zip(widths).zip(&self.columns);
        let cells: Vec<String> = shown
            .filter(|((_, width), _)| **width > 0)
            .map(|((cell, &width), (_, kind))| {
                let cell = cut(cell.as_str().into(), width);
                match kind {
                    Kind::Figure | Kind::Spare(_) => format!("{cell:>width$}"),
                    Kind::Name | Kind::Remark => format!("{cell:<width$}"),
                }
            })
            .collect();
        cells.join(gap).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(width: usize) -> String {
        let mut table = Table::new(vec![
            ("n", Kind::Figure),
            ("p50", Kind::Spare(2)),
            ("p99", Kind::Spare(1)),
            ("name", Kind::Name),
            ("why", Kind::Remark),
            ("empty", Kind::Figure),
        ]);
        for name in ["a-very-long-name-of-a-process", "b\u{1b}"] {
            let cells = ["1", "22 ms", "333 ms", name, "because of this or that", ""];
            table.row(cells.map(str::to_owned).to_vec(), false);
        }
        table.words("that is all");
        let layout = Layout {
            width: Some(width),
            color: false,
        };
        let mut out = Vec::new();
        table.write(&layout, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn remarks_give_way_first_then_names_then_figures() {
        assert_eq!(
            show(120),
            "\
n    p50     p99  name                           why
1  22 ms  333 ms  a-very-long-name-of-a-process  because of this or that
1  22 ms  333 ms  b�                             because of this or that
that is all
"
        );
        assert_eq!(
            show(64).lines().take(3).collect::<Vec<_>>(),
            [
                "n   p50    p99 name",
                "1 22 ms 333 ms a-very-long-name-of-a-process",
                "        why: because of this or that"
            ]
        );
        assert!(
            show(36).contains("1 22 ms 333 ms a-very-lon…-a-process\n"),
            "{}",
            show(36)
        );
        assert!(show(26).contains("1 333 ms a-very-l…process\n"), "{}", show(26));
        for width in 24..120 {
            assert!(show(width).lines().all(|line| line.chars().count() <= width));
        }
    }
}
