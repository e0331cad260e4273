//! The host at a glance.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    calls,
    label::short,
    locks, mark, put, put_right, put_text, row,
    text::{count, count_short, duration, fit, latency, percent, percent_sign, width},
    time,
};
use crate::{
    query::share,
    tui::{
        app::App,
        charts::{CHARTS, Chart},
        glance::Item,
        locks::{Kind, LockRow},
        off::Probe,
        overview::Overview,
        theme::Theme,
        times::Times,
    },
};

/// Cells for a chart's name and its average.
const WORDS: u16 = 19;

/// What is charted.
const NAMES: [&str; CHARTS] = [
    "CPUs busy",
    "wait CPU",
    "wait disk",
    "wait net",
    "wait lock",
    "wait fault",
];

/// As high as a point is of the highest; what was measured and is nothing is a line at the bottom, and what was not
/// measured is blank.
const HEIGHTS: [char; 9] = ['_', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Charts, processes, paths and waits, one below the other; each has the more room the more there is.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    let Some(overview) = &app.answers.overview else {
        return;
    };
    let blocks = app.blocks();
    charted(frame, blocks.charts, app, overview, theme);
    for (index, points) in overview.charts.iter().enumerate() {
        chart(
            frame,
            row(blocks.charts, index as u16 + 1),
            app,
            (index, points),
            theme,
        );
    }
    title(frame, blocks.owners, &owners(app), theme);
    if blocks.has_heading() {
        time::heading(frame, row(blocks.owners, 1), app, theme);
    }
    title(frame, blocks.paths, "hottest paths", theme);
    calls::slowest(frame, blocks.calls, app, theme);
    let cursor = app.shown_list().cursor();
    for (index, placed) in app.overview_rows.iter().enumerate() {
        if index == cursor {
            mark(frame, placed.area, theme);
        }
        match (placed.item, &app.answers.times, &app.answers.locks) {
            (Item::Owner(row), Some(times), _) => time::line(frame, placed.area, times, row, theme),
            (Item::Path(node), ..) => path(frame, placed.area, overview, node, theme),
            (Item::Lock(row), _, Some(locks)) => draw_lock(frame, placed.area, &locks.rows[row], theme),
            // The table of calls draws its rows.
            _ => {}
        }
    }
}

/// Of which time the charts are, and of whom if not of what is chosen.
fn charted(frame: &mut Frame<'_>, area: Rect, app: &App, overview: &Overview, theme: &Theme) {
    let shown = app.shown_ns();
    let shown_ns = shown.end.saturating_sub(shown.start);
    let filtered = app
        .answers
        .summary
        .as_ref()
        .is_some_and(|summary| !summary.filters.is_empty());
    let whose = match app.chosen.iter().next().is_some() || app.part().is_some() {
        true => " (charts: the whole host) ",
        false if filtered => " (CPUs: the whole host) ",
        false => "",
    };
    let average = match shown_ns {
        0 => String::new(),
        _ => format!(": average of {}", duration(shown_ns)),
    };
    let charts = match overview.span_ns == shown_ns {
        true => String::new(),
        false => format!(", charts {}", duration(overview.span_ns)),
    };
    let left = Rect {
        width: area.width.saturating_sub(width(whose) as u16),
        ..area
    };
    let what = format!("CPUs and waiting threads{average}{charts}");
    title(frame, left, &what, theme);
    let right = Rect {
        x: left.x + left.width,
        width: area.width - left.width,
        ..area
    };
    put_text(frame, row(right, 0), whose, theme.warn);
}

/// How sure the table of processes is.
fn owners(app: &App) -> String {
    let what = match app.process() {
        Some(_) => "threads",
        None => "processes",
    };
    let off = app.off_words(Probe::States);
    let shown = app.shown_ns();
    let shown_ns = shown.end.saturating_sub(shown.start);
    match (&app.answers.times, off) {
        (Some(Times { sampled: true, .. }), Some(off)) => {
            let why = off.split(';').next().unwrap_or_default();
            format!("{what}: CPU time only, from samples; states {why}")
        }
        (Some(times), off) if times.measured_ns < shown_ns => {
            let off = off.map(|off| format!("; states {}", off.split(';').next().unwrap_or_default()));
            format!(
                "{what}: how the {} were spent that were measured{}",
                duration(times.measured_ns),
                off.unwrap_or_default()
            )
        }
        _ => format!("{what}: how their threads spent the time"),
    }
}

fn draw_lock(frame: &mut Frame<'_>, area: Rect, lock: &LockRow, theme: &Theme) {
    let waits = &lock.waits;
    let number = waits.count.round() as u64;
    let figures = format!(
        " in {} {}, longest {}, of {}",
        count(number),
        if number == 1 { "wait" } else { "waits" },
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
    let text = fit(text, usize::from(area.width).saturating_sub(4));
    let line = "─".repeat(usize::from(area.width).saturating_sub(width(&text) + 4));
    put_text(frame, row(area, 0), format!("── {text} {line}"), theme.dim);
}

/// A line: name, the average of what is shown, and how it came there.
fn chart(frame: &mut Frame<'_>, area: Rect, app: &App, (index, chart): (usize, &Chart), theme: &Theme) {
    let average = match (chart.average, index) {
        (None, _) => "–".to_owned(),
        (Some(busy), 0) => percent_sign(busy as f64 / 10.0),
        (Some(threads), _) => count_short(threads as f64 / 1_000.0),
    };
    let words = vec![
        Span::styled(format!(" {:<10}", NAMES[index]), theme.dim),
        Span::styled(format!("{average:>7}"), theme.text),
    ];
    put(frame, area, Line::from(words));
    let area = Rect {
        x: area.x + WORDS.min(area.width),
        width: area.width.saturating_sub(WORDS),
        ..area
    };
    let cells = usize::from(area.width).min(chart.points.len());
    let latest = &chart.points[chart.points.len() - cells..];
    // One thread all the time is as high as a chart is, unless there were more.
    let most = latest.iter().flatten().copied().max().unwrap_or(0).max(1_000);
    let line: String = latest.iter().map(|point| height(*point, most)).collect();
    put_text(frame, area, line, style(index, theme));
    let off = match index {
        0 => None,
        4 => app.off_words(Probe::Locks),
        _ => app.off_words(Probe::States),
    };
    // Why there is nothing any more stands where there is nothing, or not at all.
    if let Some(off) = off.filter(|_| latest.last().is_none_or(Option::is_none)) {
        let empty = latest.iter().rev().take_while(|point| point.is_none()).count();
        let before = (cells - empty) as u16;
        let place = Rect {
            x: area.x + before + u16::from(before > 0),
            width: area.width.saturating_sub(before + u16::from(before > 0)),
            ..area
        };
        if width(&off) <= place.width.into() || before == 0 {
            put_text(frame, place, fit(&off, place.width.into()), theme.warn);
        } else {
            let short = off.split(';').next().unwrap_or_default();
            if width(short) <= place.width.into() {
                put_right(frame, place, short, theme.warn);
            }
        }
    }
}

fn height(point: Option<u64>, most: u64) -> char {
    match point {
        None => ' ',
        Some(0) => HEIGHTS[0],
        Some(value) => HEIGHTS[((value as f64 / most as f64 * 8.0).round() as usize).clamp(1, 8)],
    }
}

/// The colours of the states, as in the view Time.
fn style(index: usize, theme: &Theme) -> Style {
    match index {
        0 => theme.own,
        1..=3 => theme.states[index],
        4 => theme.states[locks::LOCK],
        _ => theme.states[6],
    }
}

/// The innermost function first, and as many of its callers as there is room for.
fn path(frame: &mut Frame<'_>, area: Rect, overview: &Overview, node: u32, theme: &Theme) {
    let tree = &overview.tree;
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
    put(frame, area, Line::from(spans));
}
