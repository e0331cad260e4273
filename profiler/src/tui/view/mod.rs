//! From the state to the screen. Views borrow and draw; they ask nothing and change nothing.

mod footer;
mod functions;
mod header;
mod help;
mod processes;
mod tabs;
mod text;
mod tree;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    app::{App, Tab},
    theme::Theme,
};

/// Draws the whole screen. [`App::prepare`] comes before.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    let layout = app.layout();
    header::draw(frame, layout.header, app, theme);
    tabs::draw(frame, layout.tabs, app, theme);
    let mut body = layout.body;
    if layout.has_heading() {
        let heading = row(body, 0);
        body = below(body, 1);
        match app.tab {
            Tab::Functions => functions::heading(frame, heading, app, theme),
            Tab::Processes => processes::heading(frame, heading, theme),
            Tab::Stacks => tree::heading(frame, heading, theme),
        }
    }
    if app.shown_list().len() == 0 {
        put(frame, body, Line::from(Span::styled(nothing(app), theme.dim)));
    } else {
        match app.tab {
            Tab::Functions => functions::draw(frame, body, app, theme),
            Tab::Processes => processes::draw(frame, body, app, theme),
            Tab::Stacks => tree::draw(frame, body, app, theme),
        }
    }
    if layout.preview.height > 0 {
        tree::preview(frame, layout.preview, app, theme);
    }
    footer::draw(frame, layout.footer, app, theme);
    if let Some(scroll) = app.help {
        help::draw(frame, scroll, theme);
    }
}

/// Why there is no row.
fn nothing(app: &App) -> String {
    let samples = app.history.shown().samples.len();
    if !app.filter().is_empty() && samples > 0 {
        return format!(
            " nothing here contains “{}”: Esc drops the filter",
            text::clean(app.filter().as_str())
        );
    }
    if app.history.shown().quality.is_empty() && samples == 0 {
        return match app.ended {
            Some(_) => " there are no samples".to_owned(),
            None => " waiting for the first samples …".to_owned(),
        };
    }
    match app.process() {
        Some((pid, name)) => format!(" no samples of {} {pid} ({})", text::clean(name), app.window()),
        None => format!(" no samples ({}): nothing of this ran", app.window()),
    }
}

/// The row under the cursor stands out over the whole width.
fn mark(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let area = area.intersection(frame.area());
    frame.buffer_mut().set_style(area, theme.cursor);
}

/// A line at the begin of `area`, cut where it ends.
fn put(frame: &mut Frame<'_>, area: Rect, line: Line<'_>) {
    let area = row(area, 0).intersection(frame.area());
    if !area.is_empty() {
        frame.render_widget(line, area);
    }
}

/// Text in one style at the begin of `area`.
fn put_text(frame: &mut Frame<'_>, area: Rect, text: impl Into<String>, style: Style) {
    put(frame, area, Line::from(Span::styled(text.into(), style)));
}

/// Row number `index` of `area`; empty if there is none.
fn row(area: Rect, index: u16) -> Rect {
    let height = u16::from(index < area.height);
    Rect::new(area.x, area.y + index.min(area.height), area.width, height)
}

/// `area` without its first rows.
fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect::new(area.x, area.y + rows, area.width, area.height - rows)
}

/// The rows of `area` with the numbers of the list's rows that stand there, and whether the cursor does.
fn visible(area: Rect, app: &App) -> impl Iterator<Item = (Rect, usize, bool)> + use<> {
    let list = app.shown_list();
    let (offset, len, cursor) = (list.offset(), list.len(), list.cursor());
    (0..area.height)
        .map(move |line| (row(area, line), offset + usize::from(line)))
        .take_while(move |&(_, index)| index < len)
        .map(move |(area, index)| (area, index, index == cursor))
}

/// Cuts an area into columns from left to right, one cell apart.
struct Columns(Rect);

impl Columns {
    fn next(&mut self, width: u16) -> Rect {
        let width = width.min(self.0.width);
        let column = Rect { width, ..self.0 };
        let step = (width + 1).min(self.0.width);
        self.0.x += step;
        self.0.width -= step;
        column
    }

    /// Everything but `keep` cells at the end.
    fn rest(&mut self, keep: u16) -> Rect {
        let keep = if keep == 0 { 0 } else { keep + 1 };
        self.next(self.0.width.saturating_sub(keep))
    }
}
