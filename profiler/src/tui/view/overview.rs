//! The host at a glance.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    below, calls,
    label::short,
    locks, put, put_text, row,
    text::{count, count_short, duration, fit, latency, percent, percent_sign, sparkline, width},
    time,
};
use crate::{
    query::share,
    tui::{
        app::App,
        locks::{Kind, LockRow},
        overview::{CHARTS, Overview},
        theme::Theme,
    },
};

/// Cells for a chart's name and what it is now.
const WORDS: u16 = 26;

/// Charts, processes, paths and waits, one below the other; each has the more room the more there is.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(overview) = &app.answers.overview else {
        return;
    };
    let charts = CHARTS.len() as u16 + 1;
    let rest = area.height.saturating_sub(charts);
    let part = rest / 3;
    let mut top = 0;
    let mut next = |height: u16| {
        let block = below(area, top);
        top += height;
        Rect {
            height: height.min(block.height),
            ..block
        }
    };
    draw_charts(frame, next(charts), overview, theme);
    let block = next(rest - part * 2);
    title(frame, block, "processes: how their threads spent the time", theme);
    let headed = block.height >= 7;
    if headed {
        time::heading(frame, row(block, 1), app, theme);
    }
    time::briefly(frame, below(block, 1 + u16::from(headed)), app, theme);
    let block = next(part);
    title(frame, block, "hottest paths", theme);
    paths(frame, below(block, 1), overview, theme);
    let mut block = next(part);
    if let Some(lock) = worst_lock(app).filter(|_| block.height >= 4) {
        block.height -= 1;
        draw_lock(frame, below(area, area.height - 1), lock, theme);
    }
    calls::slowest(frame, block, app, theme);
}

/// The lock that threads waited for longest in all.
fn worst_lock(app: &App) -> Option<&LockRow> {
    let contended = |row: &&LockRow| matches!(row.kind, Kind::Deadlock | Kind::Contention);
    app.answers.locks.as_ref()?.rows.iter().find(contended)
}

fn draw_lock(frame: &mut Frame<'_>, area: Rect, lock: &LockRow, theme: &Theme) {
    let waits = &lock.waits;
    let figures = format!(
        " in {} waits, longest {}, of {}",
        count(waits.count.round() as u64),
        latency(waits.max_ns),
        locks::process(lock)
    );
    let style = match lock.kind {
        Kind::Deadlock => theme.bad,
        _ => theme.states[locks::LOCK],
    };
    let lead = " worst lock: ";
    let time = latency(waits.total_ns as u64);
    let room = usize::from(area.width).saturating_sub(width(lead) + width(&time) + 4);
    let label = fit(&lock.label, room / 2).into_owned();
    let rest = fit(&figures, room.saturating_sub(width(&label))).into_owned();
    let spans = vec![
        Span::styled(lead, theme.dim),
        Span::styled(label, style),
        Span::styled(format!("  {time}"), theme.text),
        Span::styled(rest, theme.dim),
    ];
    put(frame, area, Line::from(spans));
}

fn title(frame: &mut Frame<'_>, area: Rect, text: &str, theme: &Theme) {
    let line = "─".repeat(usize::from(area.width).saturating_sub(width(text) + 4));
    put_text(frame, row(area, 0), format!("── {text} {line}"), theme.dim);
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, overview: &Overview, theme: &Theme) {
    let busy = overview.busy.last().map(|&now| percent_sign(now as f64 / 10.0));
    let span = format!("{} ", duration(overview.span_ns));
    chart(
        frame,
        row(area, 0),
        ("CPU", busy),
        &overview.busy,
        1_000,
        theme.own,
        theme,
    );
    put_right_dim(frame, row(area, 0), &span, theme);
    for (line, ((name, _), points)) in (1..).zip(CHARTS.iter().zip(&overview.threads)) {
        let now = points.last().map(|&now| count_short(now as f64 / 1_000.0));
        // The colours of the states, as in the view Time.
        let style = match line {
            1..=3 => theme.states[usize::from(line)],
            4 => theme.states[5],
            _ => theme.states[6],
        };
        // One thread all the time is as high as a chart is, unless there were more.
        let most = points.iter().copied().max().unwrap_or(0).max(1_000);
        chart(frame, row(area, line), (name, now), points, most, style, theme);
    }
}

/// How far back the charts go stands where they begin.
fn put_right_dim(frame: &mut Frame<'_>, area: Rect, text: &str, theme: &Theme) {
    let cells = (width(text) as u16).min(WORDS);
    let place = Rect {
        x: area.x + WORDS.saturating_sub(cells).min(area.width),
        width: cells.min(area.width.saturating_sub(WORDS - cells)),
        ..area
    };
    put_text(frame, place, text, theme.dim);
}

/// A line: name, what it is now, and how it came there; `most` is as high as the line.
fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    (name, now): (&str, Option<String>),
    points: &[u64],
    most: u64,
    style: Style,
    theme: &Theme,
) {
    let now = now.unwrap_or_else(|| "–".to_owned());
    let words = vec![
        Span::styled(format!(" {name:<9}"), theme.dim),
        Span::styled(format!("{now:>6}"), theme.text),
    ];
    put(frame, area, Line::from(words));
    let cells = usize::from(area.width.saturating_sub(WORDS)).min(points.len().max(1));
    let latest = &points[points.len().saturating_sub(cells)..];
    // One point more than is shown sets the height.
    let line = sparkline(&[latest, &[most]].concat(), latest.len() + 1);
    let line: String = line.chars().take(latest.len()).collect();
    let place = Rect {
        x: area.x + WORDS.min(area.width),
        width: area.width.saturating_sub(WORDS),
        ..area
    };
    put_text(frame, place, line, style);
}

/// The innermost function first, and as many of its callers as there is room for.
fn paths(frame: &mut Frame<'_>, area: Rect, overview: &Overview, theme: &Theme) {
    let tree = &overview.tree;
    for (line, &node) in (0..area.height).zip(&overview.paths) {
        let value = tree.nodes[node as usize].self_value;
        let mut spans = vec![Span::styled(
            format!("{} ", percent(share::percent(value, tree.total_value))),
            theme.text,
        )];
        let mut room = usize::from(area.width).saturating_sub(spans[0].width());
        for (place, node) in tree.path(node).enumerate() {
            let name = tree.name(node);
            let lead = if place > 0 { " ‹ " } else { "" };
            if room < width(lead) + 6 {
                break;
            }
            let label = short(
                &name.label,
                (room - width(lead)).min(if place > 0 { 28 } else { 40 }),
            );
            room -= width(lead) + width(&label);
            spans.push(Span::styled(lead, theme.dim));
            let style = match (name.kernel, place) {
                (true, _) => theme.kernel,
                (false, 0) => theme.text,
                _ => theme.dim,
            };
            spans.push(Span::styled(fit(&label, 40).into_owned(), style));
        }
        put(frame, row(area, line), Line::from(spans));
    }
}
