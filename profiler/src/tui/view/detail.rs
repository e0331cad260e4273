//! What is under the cursor with nothing left out, over everything else.

use ratatui::{
    Frame,
    text::{Line, Span},
    widgets::Clear,
};

use super::{
    help::{centred, mark_background},
    put, row,
    text::{clean, duration, percent_sign, sparkline, width, wrapped},
};
use crate::tui::{app::App, course::Course, detail::Detail, keys::Action, theme::Theme};

/// Wider lines are hard to read.
const WIDEST: usize = 120;
/// Cells for what a fact is.
const LABEL: usize = 10;

pub(super) fn draw(frame: &mut Frame<'_>, detail: &Detail, app: &App, theme: &Theme) {
    let room = usize::from(frame.area().width).saturating_sub(6).clamp(1, WIDEST);
    let mut lines: Vec<Line<'_>> = wrapped(&clean(&detail.title), room)
        .into_iter()
        .map(|line| Line::from(Span::styled(line, theme.strong)))
        .collect();
    lines.push(Line::default());
    for (label, text) in &detail.facts {
        let mut label = *label;
        for line in wrapped(&clean(text), room.saturating_sub(LABEL).max(1)) {
            lines.push(Line::from(vec![
                Span::styled(format!("{label:<LABEL$}"), theme.dim),
                Span::styled(line, theme.text),
            ]));
            label = "";
        }
    }
    if let Some(course) = &detail.course {
        lines.push(Line::default());
        let (figures, chart) = of_course(course, room.saturating_sub(2));
        lines.push(Line::from(Span::styled(figures, theme.dim)));
        lines.push(Line::from(Span::styled(chart, theme.own)));
    }
    let height = lines.len() + 3;
    let widest = lines.iter().map(Line::width).max().unwrap_or(0);
    let area = centred(frame.area(), (widest + 4).max(44), height);
    frame.render_widget(Clear, area);
    mark_background(frame, area, theme);
    let last = area.height.saturating_sub(1);
    let shown = usize::from(last.saturating_sub(2));
    let scroll = detail.scroll.min(lines.len().saturating_sub(shown));
    for (place, mut line) in (1..last).zip(lines.into_iter().skip(scroll)) {
        line.spans.insert(0, Span::raw("  "));
        put(frame, row(area, place), line);
    }
    let (close, again) = (app.key(Action::Back), app.key(Action::Detail));
    let keys = format!(" {close} or {again} closes this");
    put(frame, row(area, last), Line::from(Span::styled(keys, theme.dim)));
}

/// What the chart of a course shows, and the chart, in at most so many cells.
pub(super) fn of_course(course: &Course, cells: usize) -> (String, String) {
    let figures = format!(
        "share over {}: now {}, at most {}",
        duration(course.time.end.saturating_sub(course.time.start)),
        percent_sign(course.latest_percent()),
        percent_sign(course.most_percent())
    );
    let chart = sparkline(&course.shares, course.shares.len().min(cells).max(1));
    (figures, chart)
}

/// As [`of_course`], in one line, shorter where there is little room; empty where there is none.
pub(super) fn in_line(course: &Course, cells: usize) -> (String, String) {
    const CHART: usize = 8;
    let (whole, _) = of_course(course, 1);
    let brief = format!("share now {}", percent_sign(course.latest_percent()));
    let figures = [whole, brief].into_iter().map(|figures| figures + " ");
    let fitting = figures
        .into_iter()
        .find(|figures| width(figures) + CHART <= cells);
    match fitting {
        Some(figures) => {
            let (_, chart) = of_course(course, cells - width(&figures));
            (figures, chart)
        }
        None => (String::new(), String::new()),
    }
}
