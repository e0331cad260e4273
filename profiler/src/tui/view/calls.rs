//! System calls, and the slowest of them.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    Columns, below, mark, put, put_right, put_text, row,
    text::{ago, bar, count, fit, latency, percent, rate, width},
    visible,
};
use crate::{
    query::{
        LatencyRow, Timing,
        operation::{errno, object, operation},
        share,
    },
    tui::{
        app::{App, Tab},
        glance::Item,
        off::{Off, Probe},
        slow::SlowRow,
        theme::Theme,
    },
};

/// Where each figure is. What there is no room for has no width.
struct Cells {
    share: Rect,
    bar: Rect,
    rate: Rect,
    errors: Rect,
    total: Rect,
    p50: Rect,
    p99: Rect,
    max: Rect,
    pid: Rect,
    process: Rect,
    call: Rect,
    remark: Rect,
}

impl Cells {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let mut columns = Columns::of(area);
        Self {
            share: columns.next_from(6, 14),
            bar: columns.next_from(width / 12, 120),
            rate: columns.next_from(7, 40),
            errors: columns.next_from(6, 62),
            total: columns.next_from(8, 92),
            p50: columns.next_from(8, 100),
            p99: columns.next_from(8, 52),
            max: columns.next_from(8, 70),
            pid: columns.next_from(7, 78),
            process: columns.next_from((width / 6).clamp(5, 15), 26),
            call: columns.rest(if width >= 150 { width / 5 } else { 0 }),
            remark: columns.rest(0),
        }
    }
}

pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let cells = Cells::of(area);
    put_text(frame, cells.share, "TIME%▼", theme.strong);
    for (cell, name) in [
        (cells.rate, "CALLS/S"),
        (cells.errors, "ERRORS"),
        (cells.total, "TOTAL"),
        (cells.p50, "P50"),
        (cells.p99, "P99"),
        (cells.max, "MAX"),
        (cells.pid, "PID"),
    ] {
        put_right(frame, cell, name, theme.dim);
    }
    put_text(frame, cells.process, "PROCESS", theme.dim);
    put_text(frame, cells.call, "CALL", theme.dim);
    put_text(frame, cells.remark, "ERRORS ARE", theme.dim);
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(calls) = &app.answers.calls else {
        return;
    };
    let shown = app.shown_ns();
    let seconds = (shown.end - shown.start) as f64 / 1e9;
    for (area, index, cursor) in visible(area, app) {
        if cursor {
            mark(frame, area, theme);
        }
        let row = &calls.rows[app.call_rows[index].index];
        call(frame, area, row, app.calls_ns, seconds, theme);
    }
}

/// `whole_ns` is what shares are of.
fn call(frame: &mut Frame<'_>, area: Rect, row: &LatencyRow, whole_ns: u64, seconds: f64, theme: &Theme) {
    let cells = Cells::of(area);
    let timing = &row.timing;
    let text = if row.idle { theme.dim } else { theme.text };
    if row.idle {
        put_right(frame, cells.share, "·", text);
    } else {
        let share = share::percent(timing.total_ns, whole_ns);
        put_text(frame, cells.share, percent(share), text);
        let bar = bar(timing.total_ns, whole_ns, cells.bar.width);
        put_text(frame, cells.bar, bar, theme.total);
    }
    put_right(frame, cells.rate, &rate(timing.count, seconds), text);
    let failed = match timing.failed() {
        0 => "·".to_owned(),
        many @ 100_000.. => format!("{}k", many / 1_000),
        some => some.to_string(),
    };
    put_right(frame, cells.errors, &failed, text);
    put_right(frame, cells.total, &latency(timing.total_ns), text);
    for (cell, part) in [(cells.p50, 50.0), (cells.p99, 99.0), (cells.max, 100.0)] {
        let time = timing.percentile(part);
        put_right(frame, cell, &time.map_or_else(|| "·".to_owned(), latency), text);
    }
    // Those that were put together have none.
    let pid = row.pid.filter(|&pid| pid != 0);
    let pid = pid.map_or_else(|| "–".to_owned(), |pid| pid.to_string());
    put_right(frame, cells.pid, &pid, theme.dim);
    put_text(
        frame,
        cells.process,
        fit(&row.label, cells.process.width.into()),
        text,
    );
    let name = operation(row.operation);
    let room = usize::from(cells.call.width).saturating_sub(width(&name) + 1);
    let line = vec![
        Span::styled(fit(&name, cells.call.width.into()), text),
        Span::raw(" "),
        Span::styled(fit(object(row.object), room), theme.dim),
    ];
    put(frame, cells.call, Line::from(line));
    let errors = errors(timing);
    put_text(
        frame,
        cells.remark,
        fit(&errors, cells.remark.width.into()),
        theme.dim,
    );
}

/// Which errors, the most frequent first.
fn errors(timing: &Timing) -> String {
    let mut errors: Vec<_> = timing.errors.iter().filter(|&(_, &count)| count > 0).collect();
    errors.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
    let words = errors.into_iter().map(|(&number, &times)| match number {
        0 => format!("{} other", count(times)),
        number => format!("{} {}", count(times), errno(number)),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Where each word of a slow call is.
struct Words {
    ago: Rect,
    duration: Rect,
    thread: Rect,
    call: Rect,
    woken_by: Rect,
}

impl Words {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let mut columns = Columns::of(area);
        Self {
            ago: columns.next(if width >= 50 { 6 } else { 0 }),
            duration: columns.next(8),
            thread: columns.next((width / 5).clamp(8, 23)),
            call: columns.rest(if width >= 70 { (width / 5).min(28) } else { 0 }),
            woken_by: columns.rest(0),
        }
    }
}

/// The slowest calls, as many as there is room for.
pub(super) fn slowest(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let room = usize::from(area.width).saturating_sub(2);
    // The rows may be from before it went off.
    let off = app.off(Probe::Calls) == Some(Off::TooDear) && !app.slow_rows.is_empty();
    let title = match off {
        true => " slowest calls (off now: too dear) ",
        false => " slowest calls ",
    };
    let line = "─".repeat(room.saturating_sub(width(title)));
    put_text(frame, row(area, 0), format!("──{title}{line}"), theme.dim);
    let slow = app.answers.slow.as_deref().unwrap_or_default();
    if app.slow_rows.is_empty() {
        let words = match (app.tab, app.off_words(Probe::Calls)) {
            // The table above says why.
            (Tab::Calls, _) if app.missing().is_some() => String::new(),
            (_, Some(off)) => format!(" – {off}"),
            (_, None) if app.source.shown().quality.is_empty() => " – nothing is known yet".to_owned(),
            (_, None) => format!(" none ({})", app.window()),
        };
        return put_text(frame, row(area, 1), words, theme.dim);
    }
    let heading = Words::of(row(area, 1));
    put_right(frame, heading.ago, "AGO", theme.dim);
    put_right(frame, heading.duration, "DURATION", theme.strong);
    put_text(frame, heading.thread, "THREAD", theme.dim);
    put_text(frame, heading.call, "CALL", theme.dim);
    put_text(frame, heading.woken_by, "WOKEN BY", theme.dim);
    let area = below(area, 2);
    let now = app.shown_ns().end;
    for (line, &index) in (0..area.height).zip(&app.slow_rows) {
        let area = row(area, line);
        if app.tab == Tab::Overview && app.item() == Some(Item::Call(index)) {
            mark(frame, area, theme);
        }
        slow_call(frame, area, &slow[index], now, theme);
    }
}

fn slow_call(frame: &mut Frame<'_>, area: Rect, slow: &SlowRow, now: u64, theme: &Theme) {
    let words = Words::of(area);
    put_right(frame, words.ago, &ago(now.saturating_sub(slow.end_ns)), theme.dim);
    put_right(frame, words.duration, &latency(slow.duration_ns), theme.text);
    put_text(
        frame,
        words.thread,
        fit(&slow.thread, words.thread.width.into()),
        theme.text,
    );
    let result = match slow.result.as_str() {
        "" => String::new(),
        result => format!(" = {result}"),
    };
    let room = usize::from(words.call.width);
    let rest = room.saturating_sub(width(&slow.call) + 1 + width(&result));
    let mut call = vec![Span::styled(fit(&slow.call, room), theme.text)];
    if !slow.target.is_empty() {
        call.push(Span::raw(" "));
        call.push(Span::styled(fit(&slow.target, rest), theme.kernel));
    }
    call.push(Span::styled(fit(&result, room), theme.dim));
    put(frame, words.call, Line::from(call));
    put_text(
        frame,
        words.woken_by,
        fit(&slow.woken_by, words.woken_by.width.into()),
        theme.dim,
    );
}
