//! Locks, by how long threads waited for them.

use ratatui::{Frame, layout::Rect, style::Style};

use super::{
    Columns, mark, put_right, put_text,
    text::{bar, count, fit, latency, percent},
    visible,
};
use crate::{
    query::{locks::Class, share},
    tui::{
        app::App,
        locks::{Kind, LockRow},
        theme::Theme,
    },
};

/// Where each figure is. What there is no room for has no width.
struct Cells {
    share: Rect,
    bar: Rect,
    time: Rect,
    margin: Rect,
    waits: Rect,
    average: Rect,
    longest: Rect,
    lock: Rect,
    process: Rect,
}

impl Cells {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let mut columns = Columns::of(area);
        Self {
            share: columns.next_from(6, 14),
            bar: columns.next_from(width / 12, 120),
            time: columns.next_from(8, 24),
            margin: columns.next_from(5, 70),
            waits: columns.next_from(9, 46),
            average: columns.next_from(8, 100),
            longest: columns.next_from(8, 60),
            lock: match width {
                0..50 => columns.rest(0),
                50..150 => columns.rest((width / 5).min(30)),
                150.. => columns.next(70),
            },
            process: columns.rest(0),
        }
    }
}

pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let cells = Cells::of(area);
    put_text(frame, cells.share, "WAIT%▼", theme.strong);
    for (cell, name) in [
        (cells.time, "TIME"),
        (cells.margin, "±"),
        (cells.waits, "WAITS"),
        (cells.average, "AVERAGE"),
        (cells.longest, "LONGEST"),
    ] {
        put_right(frame, cell, name, theme.dim);
    }
    put_text(frame, cells.lock, "LOCK", theme.dim);
    put_text(frame, cells.process, "PROCESS", theme.dim);
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(locks) = &app.answers.locks else {
        return;
    };
    for (area, index, cursor) in visible(area, app) {
        if cursor {
            mark(frame, area, theme);
        }
        let row = &locks.rows[app.lock_rows[index].index];
        lock(frame, area, row, locks.contention_ns, theme);
    }
}

fn lock(frame: &mut Frame<'_>, area: Rect, row: &LockRow, whole_ns: u64, theme: &Theme) {
    let cells = Cells::of(area);
    let waits = &row.waits;
    let total_ns = waits.total_ns as u64;
    let text = style(row.kind, theme);
    if row.kind == Kind::Contention {
        let part = share::percent(total_ns, whole_ns);
        put_text(frame, cells.share, percent(part), text);
        let bar = bar(total_ns, whole_ns, cells.bar.width);
        put_text(frame, cells.bar, bar, theme.states[LOCK]);
    } else {
        put_right(frame, cells.share, "·", text);
    }
    let margin = margin(waits.total_plus_minus(), waits.total_ns);
    for (cell, figure) in [
        (cells.time, latency(total_ns)),
        (cells.margin, margin),
        (cells.waits, count(waits.count.round() as u64)),
        (cells.average, latency(waits.average_ns() as u64)),
        (cells.longest, latency(waits.max_ns)),
    ] {
        put_right(frame, cell, &figure, text);
    }
    let label = labelled(row);
    put_text(frame, cells.lock, fit(&label, cells.lock.width.into()), text);
    let process = process(row);
    put_text(
        frame,
        cells.process,
        fit(&process, cells.process.width.into()),
        theme.dim,
    );
}

/// Which of the states of threads waiting for a lock is, by its colour.
pub(super) const LOCK: usize = 5;

/// What waits are told apart by.
pub(super) fn style(kind: Kind, theme: &Theme) -> Style {
    match kind {
        Kind::Deadlock => theme.bad,
        Kind::Contention => theme.text,
        Kind::Unknown | Kind::Idle => theme.dim,
    }
}

/// The lock, and what waits for it are if they are no contention.
fn labelled(row: &LockRow) -> String {
    match row.kind {
        Kind::Deadlock | Kind::Contention => row.label.clone(),
        Kind::Unknown => format!("? {}", row.label.replace(Class::Unknown.name(), "unknown")),
        Kind::Idle => format!("idle: {}", row.label),
    }
}

/// Who waited most, and how many others did.
pub(super) fn process(row: &LockRow) -> String {
    let Some((pid, name)) = &row.process else {
        return String::new();
    };
    match row.others {
        0 => format!("{name}/{pid}"),
        others => format!("{name}/{pid} +{others}"),
    }
}

/// How far an estimate may be off, in percent of it; nothing if it is exact.
fn margin(margin: f64, of: f64) -> String {
    match margin / of * 100.0 {
        exact if exact <= 0.0 || exact.is_nan() => String::new(),
        little if little < 0.95 => "1 %".to_owned(),
        percent => format!("{:.0} %", percent.min(999.0)),
    }
}
