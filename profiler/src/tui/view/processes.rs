//! The hottest processes.

use ratatui::{Frame, layout::Rect};

use super::{
    Columns, mark, put_text,
    text::{bar, count, fit, module, percent},
    visible,
};
use crate::{
    profile::Unit,
    query::{GroupBy, Sampled, share},
    tui::{app::App, chosen::Choice, theme::Theme},
};

/// Where each figure is. What there is no room for has no width.
struct Cells {
    share: Rect,
    bar: Rect,
    cpu: Rect,
    samples: Rect,
    incomplete: Rect,
    pid: Rect,
    name: Rect,
}

impl Cells {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let mut columns = Columns::of(area);
        Self {
            share: columns.next_from(6, 14),
            bar: columns.next_from((width / 8).clamp(6, 30), 44),
            cpu: columns.next_from(6, 30),
            samples: columns.next_from(9, 60),
            incomplete: columns.next_from(6, 70),
            pid: columns.next_from(7, 22),
            name: columns.rest(0),
        }
    }
}

pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let cells = Cells::of(area);
    put_text(frame, cells.share, "SHARE%", theme.strong);
    let time = match app.sampled {
        Sampled::Cpu | Sampled::Other => "  CPU%",
        Sampled::OffCpu => "  OFF%",
        Sampled::Wall => " WALL%",
        Sampled::Lock => " LOCK%",
        Sampled::Slow => " CALL%",
    };
    put_text(frame, cells.cpu, time, theme.dim);
    put_text(frame, cells.samples, "  SAMPLES", theme.dim);
    put_text(frame, cells.incomplete, " INCPL", theme.dim);
    let (id, name) = match app.by {
        GroupBy::Process => ("    PID", "PROCESS"),
        GroupBy::Thread => ("    TID", "THREAD"),
        GroupBy::Cgroup => ("", "CGROUP"),
        GroupBy::Unit => ("", "UNIT"),
        GroupBy::Container => ("", "CONTAINER"),
        GroupBy::Module => ("", "MODULE"),
        GroupBy::Package => ("", "CRATE, PACKAGE OR MODULE"),
        GroupBy::Comm | GroupBy::Outcome => ("", ""),
    };
    put_text(frame, cells.pid, id, theme.dim);
    put_text(frame, cells.name, name, theme.dim);
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let rows = app.answers.processes.as_deref().unwrap_or_default();
    let all = rows.iter().map(|row| row.value).fold(0, u64::saturating_add);
    let most = rows.iter().map(|row| row.value).max().unwrap_or(0);
    let shown = app.shown_ns();
    let is_time = app
        .source
        .shown()
        .sample_types
        .first()
        .is_some_and(|sample_type| sample_type.unit == Unit::Nanoseconds);
    for (area, index, cursor) in visible(area, app) {
        let row = &rows[app.process_rows[index].index];
        let cells = Cells::of(area);
        if cursor {
            mark(frame, area, theme);
        }
        put_text(
            frame,
            cells.share,
            percent(share::percent(row.value, all)),
            theme.text,
        );
        put_text(frame, cells.bar, bar(row.value, most, cells.bar.width), theme.own);
        // As in top: 100 is one CPU, or one thread that waits all the time.
        let cpu = match is_time {
            true => percent(share::percent(row.value, shown.end - shown.start)),
            false => "    –".to_owned(),
        };
        put_text(frame, cells.cpu, cpu, theme.text);
        put_text(
            frame,
            cells.samples,
            format!("{:>9}", count(row.samples)),
            theme.dim,
        );
        let incomplete = percent(share::percent(row.incomplete, row.samples));
        let style = if row.incomplete * 10 > row.samples {
            theme.warn
        } else {
            theme.dim
        };
        put_text(frame, cells.incomplete, incomplete, style);
        let pid = row.tid.or(row.pid).map_or_else(String::new, |id| id.to_string());
        put_text(frame, cells.pid, format!("{pid:>7}"), theme.dim);
        let opened = app.part().is_some() && Choice::of_group(app.by, row).as_ref() == app.part();
        let style = if opened { theme.strong } else { theme.text };
        put_text(
            frame,
            cells.name,
            fit(module(&row.label), cells.name.width.into()),
            style,
        );
    }
}
