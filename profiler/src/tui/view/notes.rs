//! What is wrong with a recording, over everything else.

use ratatui::{
    Frame,
    text::{Line, Span},
    widgets::Clear,
};

use super::{
    help::{centred, mark_background},
    put, row,
    text::{clean, width, wrapped},
};
use crate::tui::{app::App, keys::Action, theme::Theme};

/// Wider lines are hard to read.
const WIDEST: usize = 100;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    let notes = app.source.replay().map_or(&[][..], |replay| replay.notes());
    let room = usize::from(frame.area().width).saturating_sub(8).clamp(1, WIDEST);
    let mut lines: Vec<String> = Vec::new();
    for note in notes {
        let mut bullet = "• ";
        for line in wrapped(&clean(note), room) {
            lines.push(format!("{bullet}{line}"));
            bullet = "  ";
        }
    }
    let widest = lines.iter().map(|line| width(line)).max().unwrap_or(0);
    let area = centred(frame.area(), (widest + 4).max(56), lines.len() + 4);
    frame.render_widget(Clear, area);
    mark_background(frame, area, theme);
    let title = " What is wrong with this recording";
    put(frame, row(area, 0), Line::from(Span::styled(title, theme.warn)));
    let last = area.height.saturating_sub(1);
    for (place, line) in (2..last).zip(lines) {
        let spans = vec![Span::raw("  "), Span::styled(line, theme.text)];
        put(frame, row(area, place), Line::from(spans));
    }
    let (open, again) = (app.key(Action::Open), app.key(Action::Notes));
    let more = format!(" {open} shows the rest of it; {again} shows this again");
    put(frame, row(area, last), Line::from(Span::styled(more, theme.dim)));
}
