//! What can be pressed now.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    put,
    text::{clean, width},
};
use crate::tui::{app::App, theme::Theme};

/// The keys of the table that have a short name, as many as there is room for.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let mut spans = vec![Span::raw(" ")];
    if app.typing {
        let filter = app.filter();
        let (kind, why) = match (filter.is_pattern(), filter.is_no_pattern()) {
            (true, _) => ("regex", ""),
            (_, true) => ("text", " (no valid regex)"),
            _ => ("filter", ""),
        };
        spans.push(Span::styled(kind, theme.strong));
        spans.push(Span::styled(why, theme.warn));
        spans.push(Span::styled(": ", theme.strong));
        spans.push(Span::styled(clean(filter.as_str()).into_owned(), theme.found));
        spans.push(Span::styled("▏ ", theme.found));
    }
    if let Some(name) = &app.naming {
        spans.push(Span::styled("export to: ", theme.strong));
        spans.push(Span::styled(clean(name).into_owned(), theme.found));
        spans.push(Span::styled("▏ Enter writes it, Esc does not", theme.dim));
        return put(frame, area, Line::from(spans));
    }
    if let Some(message) = &app.message {
        spans.push(Span::styled(clean(message).into_owned(), theme.warn));
        return put(frame, area, Line::from(spans));
    }
    let mut room = usize::from(area.width).saturating_sub(spans.iter().map(Span::width).sum());
    for binding in app.mode().bindings().filter(|binding| !binding.short.is_empty()) {
        let key = binding.keys[0].to_string();
        let what = format!(" {}  ", binding.short);
        // The blanks at the end may fall off the screen.
        let Some(left) = (room + 2).checked_sub(width(&key) + width(&what)) else {
            break;
        };
        room = left.saturating_sub(2);
        spans.push(Span::styled(key, theme.strong));
        spans.push(Span::styled(what, theme.dim));
    }
    put(frame, area, Line::from(spans));
}
