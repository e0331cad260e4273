//! The map of time.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    style::Style,
    text::{Line, Span},
};

use super::{
    put, put_text, row,
    text::{latency, moment},
};
use crate::tui::{
    app::App,
    heat::{Cell, Heat},
    keys::Action,
    theme::Theme,
};

/// Cells for the words beside the map.
const SCALE: u16 = 8;
/// The widest a column is drawn.
const WIDEST: u16 = 4;
/// As full as a cell is.
const LEVELS: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// How many columns and rows there is room for.
pub(super) fn room(area: Rect) -> Cell {
    let rows = area.height.saturating_sub(1).max(1);
    (area.width.saturating_sub(SCALE).max(1).into(), rows.into())
}

/// What is under the cursor, and what can be done there.
pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(heat) = &app.answers.heat else { return };
    let cell = app.pointer.cell(heat);
    let time = heat.time(cell);
    let open = app.key(Action::Open);
    let next = match (&app.pointer.begun, &app.range) {
        (Some(_), _) => format!("move to the end of the range, {open}"),
        (None, Some(_)) => format!("{} shows all again", app.key(Action::Back)),
        (None, None) => format!("{open} begins a range"),
    };
    let spans = vec![
        Span::styled(
            format!("{} to {}  ", precise(time.start), precise(time.end)),
            theme.strong,
        ),
        Span::styled(
            format!("{} of {}  ", latency(heat.value(cell)), app.sampled.time()),
            theme.text,
        ),
        Span::styled(next, theme.dim),
    ];
    put(frame, area, Line::from(spans));
}

/// Columns from left to right, seconds from top to bottom; the last row says when.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(heat) = app.answers.heat.as_ref().filter(|it| it.columns() > 0) else {
        return;
    };
    let wide = wide(heat, area);
    let here = app.pointer.cell(heat);
    let every = heat.label_rows();
    for line in 0..heat.rows().min(area.height.into()) as u16 {
        let at = heat.time((0, line.into())).start - heat.time((0, 0)).start;
        let scale = if usize::from(line).is_multiple_of(every) {
            offset(at, heat.column_ns())
        } else {
            String::new()
        };
        let mut spans = vec![Span::styled(format!("{scale:>7} "), theme.dim)];
        for column in 0..heat.columns() {
            let cell = (column, usize::from(line));
            let (text, style) = look(heat, cell, app, theme);
            let style = if cell == here {
                style.patch(theme.frame_cursor)
            } else {
                style
            };
            let text = if cell == here && text == " " { "·" } else { text };
            spans.push(Span::styled(text.repeat(wide.into()), style));
        }
        put(frame, row(area, line), Line::from(spans));
    }
    let axis = row(area, (heat.rows() as u16).min(area.height.saturating_sub(1)));
    if usize::from(area.height) > heat.rows() {
        put_axis(frame, axis, heat, wide, theme);
    }
}

/// How many cells of the screen a column has.
fn wide(heat: &Heat, area: Rect) -> u16 {
    let columns = u16::try_from(heat.columns()).unwrap_or(u16::MAX).max(1);
    (area.width.saturating_sub(SCALE) / columns).clamp(1, WIDEST)
}

/// The cell of the map that is there on the screen.
pub(super) fn cell_at(heat: &Heat, area: Rect, at: Position) -> Option<Cell> {
    let column = usize::from(at.x.checked_sub(area.x + SCALE)? / wide(heat, area));
    let row = usize::from(at.y.checked_sub(area.y)?);
    (column < heat.columns() && row < heat.rows()).then_some((column, row))
}

/// When columns begin, wherever there is room for that.
fn put_axis(frame: &mut Frame<'_>, area: Rect, heat: &Heat, wide: u16, theme: &Theme) {
    const APART: u16 = 10;
    let every = usize::from(APART.div_ceil(wide));
    for column in (0..heat.columns()).step_by(every) {
        let x = area.x.saturating_add(SCALE).saturating_add(column as u16 * wide);
        let cell = Rect {
            x,
            width: area.width.saturating_sub(x - area.x).min(APART - 1),
            ..area
        };
        put_text(frame, cell, moment(heat.time((column, 0)).start), theme.dim);
    }
}

fn look(heat: &Heat, cell: Cell, app: &App, theme: &Theme) -> (&'static str, Style) {
    let level = heat.level(cell, LEVELS.len() - 1);
    let time = heat.time(cell);
    let chosen = |range: &std::ops::Range<u64>| range.start < time.end && time.start < range.end;
    let begun = app.pointer.begun.as_ref().is_some_and(chosen);
    match begun || app.range.as_ref().is_some_and(chosen) {
        // A range is seen where it is empty, too.
        true if level == 0 => ("-", theme.found),
        true => (LEVELS[level], theme.found),
        false => (LEVELS[level], theme.heat[level]),
    }
}

fn offset(ns: u64, column_ns: u64) -> String {
    match column_ns {
        0..=1_000_000_000 => format!("+{} ms", ns / 1_000_000),
        _ => format!("+{:.1} s", ns as f64 / 1e9),
    }
}

/// A moment to the millisecond.
fn precise(ns: u64) -> String {
    let (seconds, ms) = (ns / 1_000_000_000, ns / 1_000_000 % 1_000);
    match seconds {
        0..60 => format!("{seconds}.{ms:03} s"),
        _ => format!("{}:{:02}.{ms:03}", seconds / 60, seconds % 60),
    }
}
