//! Which screens there are, and what was chosen to be on them.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{put, text::clean};
use crate::tui::{
    app::{App, Tab},
    theme::Theme,
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let mut spans = vec![Span::raw(" ")];
    for (number, tab) in (1..).zip(Tab::ALL) {
        let title = format!("{number} {}", title(tab));
        if tab == app.tab {
            spans.push(Span::styled(format!("[{title}]"), theme.strong));
        } else {
            spans.push(Span::styled(format!(" {title} "), theme.dim));
        }
        spans.push(Span::raw(" "));
    }
    if let Some((pid, name)) = app.process() {
        spans.push(Span::styled("in ", theme.dim));
        spans.push(Span::styled(format!("{} {pid} ", clean(name)), theme.strong));
    }
    if app.tab == Tab::Stacks {
        if let Some(function) = app.function() {
            spans.push(Span::styled("around ", theme.dim));
            spans.push(Span::styled(format!("{} ", clean(&function.label)), theme.strong));
        } else if app.inverted {
            spans.push(Span::styled("callers below ", theme.dim));
        }
    }
    if app.typing || !app.filter().is_empty() {
        spans.push(Span::styled("/", theme.dim));
        spans.push(Span::styled(
            clean(app.filter().as_str()).into_owned(),
            theme.found,
        ));
    }
    put(frame, area, Line::from(spans));
}

fn title(tab: Tab) -> &'static str {
    match tab {
        Tab::Functions => "Functions",
        Tab::Processes => "Processes",
        Tab::Stacks => "Stacks",
        Tab::Time => "Time",
        Tab::Calls => "I/O",
    }
}
