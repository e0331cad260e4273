//! Functions now, compared with those that were marked.

use ratatui::{Frame, layout::Rect};

use super::{
    Columns,
    label::short,
    mark, put_right, put_text,
    text::{fit, module, percent},
    visible,
};
use crate::tui::{answers::Sort, app::App, theme::Theme};

/// Where each figure is. What there is no room for has no width.
struct Cells {
    change: Rect,
    error: Rect,
    now: Rect,
    was: Rect,
    function: Rect,
    module: Rect,
}

impl Cells {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let mut columns = Columns::of(area);
        Self {
            change: columns.next_from(7, 14),
            error: columns.next_from(6, 26),
            now: columns.next_from(6, 34),
            was: columns.next_from(6, 42),
            function: columns.rest(if width >= 60 { width / 5 } else { 0 }),
            module: columns.rest(0),
        }
    }
}

pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let cells = Cells::of(area);
    let (now, was) = match app.sort {
        Sort::Own => ("SELF%", "WAS"),
        Sort::Total => ("TOTAL%", "WAS"),
    };
    put_right(frame, cells.change, "CHANGE▼", theme.strong);
    put_right(frame, cells.error, "±", theme.dim);
    put_right(frame, cells.now, now, theme.dim);
    put_right(frame, cells.was, was, theme.dim);
    put_text(frame, cells.function, "FUNCTION", theme.dim);
    put_text(frame, cells.module, "MODULE", theme.dim);
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(changes) = &app.answers.changes else {
        return;
    };
    let place = app.sort as usize;
    for (area, index, cursor) in visible(area, app) {
        let row = &changes[app.function_rows[index].index];
        let cells = Cells::of(area);
        if cursor {
            mark(frame, area, theme);
        }
        let change = row.change(app.sort);
        // What may be chance stands back.
        let style = match row.is_clear(app.sort) {
            false => theme.dim,
            true if change > 0.0 => theme.bad,
            true => theme.good,
        };
        put_right(frame, cells.change, &signed(change), style);
        put_right(
            frame,
            cells.error,
            percent(row.plus_minus[place]).trim_start(),
            theme.dim,
        );
        put_text(frame, cells.now, percent(row.now[place]), theme.text);
        put_text(frame, cells.was, percent(row.was[place]), theme.text);
        let style = if row.name.kernel { theme.kernel } else { theme.text };
        put_text(
            frame,
            cells.function,
            short(&row.name.label, cells.function.width.into()),
            style,
        );
        put_text(
            frame,
            cells.module,
            fit(module(&row.name.module), cells.module.width.into()),
            theme.dim,
        );
    }
}

/// Percentage points with their sign. What is not nothing is not `0.0`.
fn signed(points: f64) -> String {
    match points {
        0.0 => "0.0".to_owned(),
        small if small.abs() < 0.05 => if small > 0.0 { "+<0.1" } else { "-<0.1" }.to_owned(),
        other => format!("{other:+.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_sign() {
        let texts = [0.0, 0.01, -0.01, 12.34, -100.0].map(signed);
        assert_eq!(texts, ["0.0", "+<0.1", "-<0.1", "+12.3", "-100.0"]);
    }
}
