//! The hottest functions.

use ratatui::{Frame, layout::Rect};

use super::{
    Columns, mark, put_text,
    text::{bar, fit, module, percent},
    visible,
};
use crate::{
    query::{FunctionRow, Share, share},
    tui::{answers::Sort, app::App, theme::Theme},
};

/// Where each figure is. What there is no room for has no width.
struct Cells {
    own: Rect,
    own_bar: Rect,
    own_error: Rect,
    total: Rect,
    total_bar: Rect,
    function: Rect,
    module: Rect,
}

impl Cells {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let bar = (width / 10).clamp(6, 20);
        let mut columns = Columns::of(area);
        let own = columns.next_from(6, 14);
        let own_bar = columns.next_from(bar, 44);
        let own_error = columns.next_from(6, 100);
        let total = columns.next_from(6, 24);
        let total_bar = columns.next_from(bar, 110);
        let function = columns.rest(if width >= 60 { width / 5 } else { 0 });
        Self {
            own,
            own_bar,
            own_error,
            total,
            total_bar,
            function,
            module: columns.rest(0),
        }
    }
}

pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let cells = Cells::of(area);
    let (own, total) = match app.sort {
        Sort::Own => (("SELF%▼", theme.strong), (" TOTAL", theme.dim)),
        Sort::Total => (("  SELF", theme.dim), ("TOTAL▼", theme.strong)),
    };
    put_text(frame, cells.own, own.0, own.1);
    put_text(frame, cells.own_error, "    ±", theme.dim);
    put_text(frame, cells.total, total.0, total.1);
    put_text(frame, cells.function, "FUNCTION", theme.dim);
    put_text(frame, cells.module, "MODULE", theme.dim);
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(functions) = &app.answers.functions else {
        return;
    };
    let most = |of: fn(&FunctionRow) -> u64| functions.rows.iter().map(of).max().unwrap_or(0);
    let (most_own, most_total) = (most(|row| row.self_value), most(|row| row.total_value));
    for (area, index, cursor) in visible(area, app) {
        let row = &functions.rows[app.function_rows[index].index];
        let cells = Cells::of(area);
        let all = functions.total_value;
        if cursor {
            mark(frame, area, theme);
        }
        put_text(
            frame,
            cells.own,
            percent(share::percent(row.self_value, all)),
            theme.text,
        );
        put_text(
            frame,
            cells.own_bar,
            bar(row.self_value, most_own, cells.own_bar.width),
            theme.own,
        );
        if let Some(share) = Share::of(row.self_value, all, functions.total_samples) {
            put_text(frame, cells.own_error, percent(share.plus_minus()), theme.dim);
        }
        put_text(
            frame,
            cells.total,
            percent(share::percent(row.total_value, all)),
            theme.text,
        );
        put_text(
            frame,
            cells.total_bar,
            bar(row.total_value, most_total, cells.total_bar.width),
            theme.total,
        );
        let style = match (row.kernel, row.module.is_empty()) {
            (true, _) => theme.kernel,
            (_, true) => theme.dim,
            _ if !app.filter.is_empty() => theme.found,
            _ => theme.text,
        };
        put_text(
            frame,
            cells.function,
            fit(&row.label, cells.function.width.into()),
            style,
        );
        put_text(
            frame,
            cells.module,
            fit(module(&row.module), cells.module.width.into()),
            theme.dim,
        );
    }
}
