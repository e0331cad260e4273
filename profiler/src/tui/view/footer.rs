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
use crate::tui::{
    app::App,
    keys::{Action, Binding},
    theme::Theme,
};

/// The keys of the table that have a short name, as many as there is room for.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let mut spans = vec![Span::raw(" ")];
    if app.typing {
        let filter = &app.filter;
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
    if let Some((naming, name)) = &app.naming {
        let (write, leave) = (app.key(Action::Accept), app.key(Action::Back));
        let hint = format!("▏ {write} {}, {leave} does not", naming.does());
        spans.push(Span::styled(naming.lead(), theme.strong));
        spans.push(Span::styled(clean(name).into_owned(), theme.found));
        spans.push(Span::styled(hint, theme.dim));
        return put(frame, area, Line::from(spans));
    }
    if let Some(message) = &app.message {
        spans.push(Span::styled(clean(message).into_owned(), theme.warn));
        return put(frame, area, Line::from(spans));
    }
    let mut room = usize::from(area.width).saturating_sub(spans.iter().map(Span::width).sum());
    for bound in app.keys.bindings(app.mode()) {
        let (Some(key), Binding { short, .. }) = (bound.keys.first(), bound.binding) else {
            continue;
        };
        if short.is_empty() || !app.offers(bound.binding.action) {
            continue;
        }
        let key = key.to_string();
        let what = format!(" {short}  ");
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
