//! How threads spent their time.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    Columns, mark, put, put_right, put_text,
    text::{count_short, fit, latency, rate, share},
    visible,
};
use crate::{
    profile::State,
    query::{Modes, StateRow, StateTimes, States, Timing},
    tui::{app::App, theme::Theme},
};

/// A column of shares: its name where there is room and where there is little, the states in it, from which width of
/// the screen on it is there, and up to which.
struct Column(&'static str, &'static str, &'static [State], u16, u16);

/// From this width on idle time is told apart, and columns that need more room are there.
const ROOM: u16 = 112;
/// From this width on columns have their long names.
const LONG_NAMES: u16 = 140;

const COLUMNS: [Column; 11] = [
    Column("RUNNING", "RUN", &[State::Running], 20, u16::MAX),
    Column("RUNNABLE", "RUNQ", &[State::Runnable], 32, u16::MAX),
    Column("DISK", "DISK", &[State::Disk], 36, u16::MAX),
    Column("NETWORK", "NET", &[State::Network], 46, u16::MAX),
    Column("IPC", "IPC", &[State::Ipc], 70, u16::MAX),
    Column("LOCK", "LOCK", &[State::Lock], 54, u16::MAX),
    Column("FAULT", "FLT", &[State::PageFault], 76, u16::MAX),
    Column("OTHER", "OTHR", OTHER, 66, u16::MAX),
    Column("IDLE", "IDLE", &[State::Sleep, State::Events], 40, ROOM),
    Column("SLEEP", "SLP", &[State::Sleep], ROOM, u16::MAX),
    Column("EVENTS", "EVNT", &[State::Events], ROOM, u16::MAX),
];

const OTHER: &[State] = &[State::Stopped, State::Blocked, State::Unknown];

/// What the bar is made of, in its order: the first columns. Letters, so that colours are not needed.
const MARKS: [&str; 8] = ["█", "▒", "d", "n", "i", "l", "f", "o"];

/// Where each figure is. What there is no room for has no width.
struct Cells {
    busy: Rect,
    bar: Rect,
    shares: [Rect; COLUMNS.len()],
    /// How much of the time on a CPU the kernel had.
    kernel: Rect,
    waits: Rect,
    run_queue: Rect,
    id: Rect,
    name: Rect,
}

impl Cells {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let mut columns = Columns::of(area);
        let mut next = |wanted: u16, from: u16, to: u16| {
            if (from..to).contains(&width) {
                columns.next(wanted)
            } else {
                Rect::default()
            }
        };
        Self {
            busy: next(5, 14, u16::MAX),
            bar: next((width / 9).clamp(6, 24), 50, u16::MAX),
            shares: COLUMNS.map(|column| {
                let wanted = name(&column, width).len().max(4);
                next(wanted as u16, column.3, column.4)
            }),
            kernel: next(8, ROOM, u16::MAX),
            waits: next(7, ROOM, u16::MAX),
            run_queue: next(8, ROOM, u16::MAX),
            id: next(7, 56, u16::MAX),
            name: columns.rest(0),
        }
    }
}

fn name(column: &Column, width: u16) -> &'static str {
    if width < LONG_NAMES { column.1 } else { column.0 }
}

pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let cells = Cells::of(area);
    put_text(frame, cells.busy, "BUSY▼", theme.strong);
    for (place, (column, cell)) in COLUMNS.iter().zip(cells.shares).enumerate() {
        // The colours are those of the bar.
        let style = theme.states.get(place).copied().unwrap_or(theme.dim);
        let name = name(column, area.width);
        put_right(frame, cell, name, style);
    }
    put_right(frame, cells.kernel, "KRNL%RUN", theme.dim);
    put_right(frame, cells.waits, "WAITS/S", theme.dim);
    put_right(frame, cells.run_queue, "RUNQ P99", theme.dim);
    let (id, name) = match app.process() {
        Some(_) => ("TID", "THREAD"),
        None => ("PID", "PROCESS"),
    };
    put_right(frame, cells.id, id, theme.dim);
    put_text(frame, cells.name, name, theme.dim);
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(states) = &app.answers.states else {
        return;
    };
    let most = states.rows.iter().map(|row| row.times.active_ns()).max();
    for (area, index, cursor) in visible(area, app) {
        let row = &states.rows[app.time_rows[index].index];
        let cells = Cells::of(area);
        if cursor {
            mark(frame, area, theme);
        }
        figures(
            frame,
            &cells,
            (&row.times, kernel(states, &row.modes), row.run_queue.as_ref()),
            app,
            theme,
        );
        put_bar(frame, cells.bar, &row.times, most.unwrap_or(0), theme);
        put_right(frame, cells.id, &id(row), theme.dim);
        put_text(
            frame,
            cells.name,
            fit(&row.label, cells.name.width.into()),
            theme.text,
        );
    }
}

/// As many of the first rows as there is room for, without a cursor.
pub(super) fn briefly(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(states) = &app.answers.states else {
        return;
    };
    let most = states.rows.iter().map(|row| row.times.active_ns()).max();
    for (line, row) in (0..area.height).zip(&states.rows) {
        let cells = Cells::of(super::row(area, line));
        figures(
            frame,
            &cells,
            (&row.times, kernel(states, &row.modes), row.run_queue.as_ref()),
            app,
            theme,
        );
        put_bar(frame, cells.bar, &row.times, most.unwrap_or(0), theme);
        put_right(frame, cells.id, &id(row), theme.dim);
        put_text(
            frame,
            cells.name,
            fit(&row.label, cells.name.width.into()),
            theme.text,
        );
    }
}

/// All rows together, whether a filter hides them or not.
pub(super) fn total(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(states) = app.answers.states.as_ref().filter(|it| !it.rows.is_empty()) else {
        return;
    };
    let cells = Cells::of(area);
    figures(
        frame,
        &cells,
        (
            &states.total,
            kernel(states, &states.modes),
            states.run_queue.as_ref(),
        ),
        app,
        theme,
    );
    put_bar(frame, cells.bar, &states.total, states.total.active_ns(), theme);
    let threads = match states.threads {
        1 => "[all: 1 thread]".to_owned(),
        threads => format!("[all: {threads} threads]"),
    };
    let place = match cells.id.width {
        0 => cells.name,
        _ => cells.id.union(cells.name),
    };
    put_text(frame, place, fit(&threads, place.width.into()), theme.strong);
}

fn figures(
    frame: &mut Frame<'_>,
    cells: &Cells,
    (times, kernel, run_queue): (&StateTimes, Option<u64>, Option<&Timing>),
    app: &App,
    theme: &Theme,
) {
    let shown = app.shown_ns();
    let seconds = (shown.end - shown.start) as f64 / 1e9;
    let busy = match seconds > 0.0 {
        true => count_short(times.active_ns() as f64 / 1e9 / seconds),
        false => "–".to_owned(),
    };
    put_right(frame, cells.busy, &busy, theme.text);
    for (column, cell) in COLUMNS.iter().zip(cells.shares) {
        let ns = sum(times, column.2);
        let idle = column
            .2
            .iter()
            .any(|state| matches!(state, State::Sleep | State::Events));
        let style = if ns == 0 || idle { theme.dim } else { theme.text };
        put_right(frame, cell, &share(ns, times.total_ns()), style);
    }
    let kernel = kernel.map_or_else(|| "·".to_owned(), |ns| share(ns, times.of(State::Running)));
    put_right(frame, cells.kernel, &kernel, theme.text);
    put_right(frame, cells.waits, &rate(times.waits, seconds), theme.text);
    let p99 = run_queue.and_then(|waits| waits.percentile(99.0));
    put_right(
        frame,
        cells.run_queue,
        &p99.map_or_else(|| "·".to_owned(), latency),
        theme.text,
    );
}

/// As long as the time that was not idle is of `most`, and made of what it was.
fn put_bar(frame: &mut Frame<'_>, area: Rect, times: &StateTimes, most: u64, theme: &Theme) {
    let parts = COLUMNS
        .iter()
        .take(MARKS.len())
        .map(|column| sum(times, column.2));
    let mut spans = Vec::new();
    let marks = MARKS.iter().zip(theme.states);
    for ((mark, style), cells) in marks.zip(lengths(parts, most, area.width)) {
        spans.push(Span::styled(mark.repeat(cells), style));
    }
    // Whatever is not nothing can be seen.
    if times.active_ns() > 0 && spans.iter().all(|span| span.content.is_empty()) {
        spans.push(Span::styled("▏", theme.dim));
    }
    put(frame, area, Line::from(spans));
}

/// How many cells each part has of a bar that is as long as their sum is of `most`. The end of each is where it should
/// be, so the whole is as long as it should be, too.
fn lengths(parts: impl Iterator<Item = u64>, most: u64, cells: u16) -> impl Iterator<Item = usize> {
    let (mut sum, mut before) = (0u64, 0);
    parts.map(move |part| {
        sum = sum.saturating_add(part);
        let end = match most {
            0 => 0,
            _ => (sum as f64 / most as f64 * f64::from(cells)).round() as usize,
        };
        let length = end.saturating_sub(before);
        before = end;
        length
    })
}

fn sum(times: &StateTimes, states: &[State]) -> u64 {
    let times = states.iter().map(|&state| times.of(state));
    times.fold(0, u64::saturating_add)
}

/// Nanoseconds on a CPU that the kernel had, where that is known.
fn kernel(states: &States, modes: &Modes) -> Option<u64> {
    states.divides().then(|| modes.kernel_ns())
}

/// Those that were put together have none.
fn id(row: &StateRow) -> String {
    match row.tid.or(row.pid) {
        None | Some(0) => "–".to_owned(),
        Some(id) => id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_in_one_column_at_any_width() {
        for width in [80, 200] {
            let there = COLUMNS
                .iter()
                .filter(|column| (column.3..column.4).contains(&width));
            let mut states: Vec<State> = there.flat_map(|column| column.2).copied().collect();
            states.sort();
            assert_eq!(states, State::ALL);
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_parts_together() {
        let of = |parts: &[u64], most| -> Vec<usize> { lengths(parts.iter().copied(), most, 10).collect() };
        assert_eq!(of(&[50, 0, 50], 100), [5, 0, 5]);
        assert_eq!(of(&[1; 100], 100).iter().sum::<usize>(), 10);
        assert_eq!(of(&[7], 0), [0]);
        assert_eq!(of(&[u64::MAX, u64::MAX], u64::MAX), [10, 0]);
    }
}
