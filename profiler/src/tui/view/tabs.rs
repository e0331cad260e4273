//! Which screens there are, and what was chosen to be on them.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    put,
    text::{clean, moment},
};
use crate::tui::{
    app::{App, Tab},
    chosen::Choice,
    theme::Theme,
};

/// Titles are short, or left out, where whole ones would leave no room for what was chosen.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let (mut spans, chosen) = fitting(area, app, theme);
    spans.extend(chosen);
    put(frame, area, Line::from(spans));
}

/// The tab whose title is in this column of the screen.
pub(super) fn at(app: &App, area: Rect, column: u16) -> Option<Tab> {
    let (spans, _) = fitting(area, app, &Theme::PLAIN);
    let mut end = usize::from(area.x);
    let place = spans.iter().position(|span| {
        end += span.width();
        usize::from(column) < end
    })?;
    // A blank is in front, and one behind each.
    let number = place.checked_sub(1)?;
    (number % 2 == 0)
        .then(|| Tab::ALL.get(number / 2).copied())
        .flatten()
}

/// The titles as there is room for them beside what was chosen, and that.
fn fitting(area: Rect, app: &App, theme: &Theme) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let chosen = chosen(app, theme);
    let cells = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    let room = usize::from(area.width).saturating_sub(cells(&chosen));
    let widest = [title, short].map(|others| tabs(app, theme, others));
    let spans = match widest.into_iter().find(|spans| cells(spans) <= room) {
        Some(spans) => spans,
        None => tabs(app, theme, |_| ""),
    };
    (spans, chosen)
}

fn tabs(app: &App, theme: &Theme, others: fn(Tab) -> &'static str) -> Vec<Span<'static>> {
    let mut spans = vec![Span::raw(" ")];
    for (number, tab) in Tab::ALL.into_iter().enumerate() {
        if tab == app.tab {
            spans.push(Span::styled(format!("[{number} {}]", title(tab)), theme.strong));
        } else {
            let text = match others(tab) {
                "" => number.to_string(),
                title => format!(" {number} {title} "),
            };
            spans.push(Span::styled(text, theme.dim));
        }
        spans.push(Span::raw(" "));
    }
    spans
}

fn chosen(app: &App, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for choice in app.chosen.iter() {
        // What is measured by thread is not tied to stacks.
        let lead = match choice.is_code() && matches!(app.tab, Tab::Time | Tab::Calls) {
            true => Span::styled("not told apart: ", theme.warn),
            false => Span::styled("only ", theme.dim),
        };
        spans.push(lead);
        spans.extend(named(choice, theme));
    }
    if let (Tab::Functions, Some(mark)) = (app.tab, &app.mark) {
        let when = format!(
            "since {}–{} ",
            moment(mark.shown_ns.start),
            moment(mark.shown_ns.end)
        );
        spans.push(match app.compared() {
            Some(_) => Span::styled(when, theme.strong),
            None => Span::styled("the mark is of another selection ", theme.warn),
        });
        let common = app
            .compared()
            .map_or(0, |mark| mark.common_percent(&app.shown_ns()));
        if common > 0 {
            // What both have cannot have changed.
            spans.push(Span::styled(
                format!("{common} % of this is in the mark, too "),
                theme.warn,
            ));
        }
    }
    if let Some(part) = app.part() {
        spans.extend(named(part, theme));
    }
    if app.tab == Tab::Stacks {
        if let Some(function) = app.function() {
            let around = match (app.is_flame(), app.inverted) {
                (false, _) => "around ",
                (true, false) => "callees of ",
                (true, true) => "callers of ",
            };
            spans.push(Span::styled(around, theme.dim));
            spans.push(Span::styled(format!("{} ", clean(&function.label)), theme.strong));
        } else if app.inverted {
            spans.push(Span::styled("callers below ", theme.dim));
        }
        if let Some(name) = app.flame.zoomed().filter(|_| app.is_flame()) {
            spans.push(Span::styled("zoomed into ", theme.dim));
            spans.push(Span::styled(format!("{} ", clean(&name.label)), theme.strong));
        }
    }
    if app.tab == Tab::Stacks && app.one_call {
        spans.push(Span::styled("recursion as one call ", theme.dim));
    }
    if let Some(order) = app.order() {
        spans.push(Span::styled(format!("by {order} "), theme.strong));
    }
    if app.typing || !app.filter.is_empty() {
        if !app.heeds_filter() {
            spans.push(Span::styled("not looked for here: ", theme.warn));
        }
        spans.push(Span::styled("/", theme.dim));
        spans.push(Span::styled(clean(app.filter.as_str()).into_owned(), theme.found));
    }
    spans
}

fn named(choice: &Choice, theme: &Theme) -> [Span<'static>; 2] {
    [
        Span::styled(choice.lead(), theme.dim),
        Span::styled(format!("{} ", clean(&choice.words())), theme.strong),
    ]
}

fn title(tab: Tab) -> &'static str {
    match tab {
        Tab::Overview => "Overview",
        Tab::Functions => "Functions",
        Tab::Processes => "Processes",
        Tab::Stacks => "Stacks",
        Tab::Time => "Time",
        Tab::Calls => "I/O",
        Tab::Heat => "Heat",
        Tab::Locks => "Locks",
    }
}

fn short(tab: Tab) -> &'static str {
    match tab {
        Tab::Overview => "Over",
        Tab::Functions => "Func",
        Tab::Processes => "Proc",
        Tab::Stacks => "Stack",
        Tab::Time => "Time",
        Tab::Calls => "I/O",
        Tab::Heat => "Heat",
        Tab::Locks => "Lock",
    }
}
