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
    tui::{
        app::App,
        theme::Theme,
        times::{Busy, Times},
    },
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
    let Some(times) = &app.answers.times else {
        return;
    };
    for (area, index, cursor) in visible(area, app) {
        if cursor {
            mark(frame, area, theme);
        }
        line(frame, area, times, app.time_rows[index].index, theme);
    }
}

/// A row of the answer.
pub(super) fn line(frame: &mut Frame<'_>, area: Rect, times: &Times, index: usize, theme: &Theme) {
    let (row, busy) = (&times.states.rows[index], times.busy[index]);
    let cells = Cells::of(area);
    let shown = Shown {
        times: &row.times,
        busy,
        kernel: kernel(&times.states, &row.modes),
        run_queue: row.run_queue.as_ref(),
    };
    shown.draw(frame, &cells, times, theme);
    put_right(frame, cells.id, &id(row), theme.dim);
    put_text(
        frame,
        cells.name,
        fit(&row.label, cells.name.width.into()),
        theme.text,
    );
}

/// All rows together, whether a filter hides them or not.
pub(super) fn total(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let times = app.answers.times.as_ref();
    let Some(times) = times.filter(|it| !it.sampled && !it.states.rows.is_empty()) else {
        return;
    };
    let states = &times.states;
    let cells = Cells::of(area);
    let shown = Shown {
        times: &states.total,
        busy: times.total,
        kernel: kernel(states, &states.modes),
        run_queue: states.run_queue.as_ref(),
    };
    shown.draw(frame, &cells, times, theme);
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

/// What is shown of a row, or of all.
struct Shown<'a> {
    times: &'a StateTimes,
    busy: Busy,
    kernel: Option<u64>,
    run_queue: Option<&'a Timing>,
}

impl Shown<'_> {
    fn draw(&self, frame: &mut Frame<'_>, cells: &Cells, all: &Times, theme: &Theme) {
        let seconds = all.measured_ns as f64 / 1e9;
        let busy = match seconds > 0.0 {
            true => count_short(self.busy.ns as f64 / 1e9 / seconds),
            false => "–".to_owned(),
        };
        put_right(frame, cells.busy, &busy, theme.text);
        self.put_bar(frame, cells.bar, all, theme);
        if all.sampled {
            let unknown = [cells.kernel, cells.waits, cells.run_queue];
            for cell in cells.shares.into_iter().chain(unknown) {
                put_right(frame, cell, "–", theme.dim);
            }
            return;
        }
        for (column, cell) in COLUMNS.iter().zip(cells.shares) {
            let ns = sum(self.times, column.2);
            let idle = column
                .2
                .iter()
                .any(|state| matches!(state, State::Sleep | State::Events));
            let style = if ns == 0 || idle { theme.dim } else { theme.text };
            put_right(frame, cell, &share(ns, self.times.total_ns()), style);
        }
        let kernel = self
            .kernel
            .map_or_else(|| "·".to_owned(), |ns| share(ns, self.times.of(State::Running)));
        put_right(frame, cells.kernel, &kernel, theme.text);
        put_right(frame, cells.waits, &rate(self.times.waits, seconds), theme.text);
        let p99 = self.run_queue.and_then(|waits| waits.percentile(99.0));
        put_right(
            frame,
            cells.run_queue,
            &p99.map_or_else(|| "·".to_owned(), latency),
            theme.text,
        );
    }

    /// As long as what was busy is of one thread that always was, or of the busiest row, and made of what it was.
    fn put_bar(&self, frame: &mut Frame<'_>, area: Rect, all: &Times, theme: &Theme) {
        let busiest = all.busy.iter().map(|busy| busy.ns).max();
        // The sum of all rows fills the line, too.
        let most = busiest.unwrap_or(0).max(all.measured_ns).max(self.busy.ns);
        let parts = COLUMNS.iter().take(MARKS.len()).map(|column| match column.2 {
            // Only what counts as busy.
            [State::Network] | [State::Ipc] => 0,
            [State::Lock] => self.busy.lock_ns,
            OTHER => self.times.of(State::Blocked),
            states => sum(self.times, states),
        });
        let mut spans = Vec::new();
        let marks = MARKS.iter().zip(theme.states);
        for ((mark, style), cells) in marks.zip(lengths(parts, most, area.width)) {
            spans.push(Span::styled(mark.repeat(cells), style));
        }
        // Whatever is not nothing can be seen.
        if self.busy.ns > 0 && spans.iter().all(|span| span.content.is_empty()) {
            spans.push(Span::styled("▏", theme.dim));
        }
        put(frame, area, Line::from(spans));
    }
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
