//! From the state to the screen. Views borrow and draw; they ask nothing and change nothing.

mod annotation;
mod calls;
mod changes;
mod detail;
mod flame;
mod footer;
mod functions;
mod header;
mod heat;
mod help;
mod histogram;
mod label;
mod lock;
mod locks;
mod notes;
mod overview;
mod position;
mod processes;
mod tabs;
mod text;
mod time;
mod tree;
mod whole;

use ratatui::{
    Frame,
    layout::{Position, Rect},
    style::Style,
    text::{Line, Span},
};

use super::{
    app::{App, Missing, Tab},
    chosen::Choice,
    heat::{Cell, Heat},
    keys::Action,
    off::Probe,
    theme::Theme,
};
use crate::query::Sampled;

/// Draws the whole screen. [`App::prepare`] comes before.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    let layout = app.layout();
    header::draw(frame, layout.header, app, theme);
    position::draw(frame, layout.position, app, theme);
    tabs::draw(frame, layout.tabs, app, theme);
    let mut body = layout.body;
    if layout.has_heading() && app.tab != Tab::Overview {
        let heading = row(body, 0);
        body = below(body, 1);
        match app.tab {
            Tab::Functions if app.answers.changes.is_some() => changes::heading(frame, heading, app, theme),
            Tab::Functions => functions::heading(frame, heading, app, theme),
            Tab::Processes => processes::heading(frame, heading, app, theme),
            Tab::Stacks if app.is_flame() => flame::heading(frame, heading, app, theme),
            Tab::Stacks => tree::heading(frame, heading, app, theme),
            Tab::Time => time::heading(frame, heading, app, theme),
            Tab::Calls => calls::heading(frame, heading, theme),
            Tab::Locks => locks::heading(frame, heading, theme),
            Tab::Heat => heat::heading(frame, heading, app, theme),
            Tab::Overview => {}
        }
    }
    if app.is_empty() {
        put(frame, body, Line::from(Span::styled(nothing(app), theme.dim)));
    } else {
        match app.tab {
            Tab::Functions if app.answers.changes.is_some() => changes::draw(frame, body, app, theme),
            Tab::Functions => functions::draw(frame, body, app, theme),
            Tab::Processes => processes::draw(frame, body, app, theme),
            Tab::Stacks if app.is_flame() => flame::draw(frame, body, app, theme),
            Tab::Stacks => tree::draw(frame, body, app, theme),
            Tab::Time => time::draw(frame, body, app, theme),
            Tab::Calls => calls::draw(frame, body, app, theme),
            Tab::Locks => locks::draw(frame, body, app, theme),
            Tab::Heat => heat::draw(frame, body, app, theme),
            Tab::Overview => overview::draw(frame, app, theme),
        }
    }
    if layout.total.height > 0 {
        time::total(frame, layout.total, app, theme);
    }
    if layout.lower.height > 0 {
        match app.tab {
            Tab::Calls if app.histogram => histogram::draw(frame, layout.lower, app, theme),
            Tab::Calls => calls::slowest(frame, layout.lower, app, theme),
            Tab::Locks => lock::draw(frame, layout.lower, app, theme),
            _ => tree::preview(frame, layout.lower, app, theme),
        }
    }
    footer::draw(frame, layout.footer, app, theme);
    if let Some(scroll) = app.help {
        help::draw(frame, scroll, app, theme);
    }
    if let Some(annotation) = &app.annotation {
        annotation::draw(frame, annotation, app, theme);
    }
    if let Some(detail) = &app.detail {
        detail::draw(frame, detail, app, theme);
    }
    if app.notes {
        notes::draw(frame, app, theme);
    }
}

/// The tab whose title is in this column of the line of tabs.
pub(super) fn tab_at(app: &App, area: Rect, column: u16) -> Option<Tab> {
    tabs::at(app, area, column)
}

/// The cell of the map that is there on the screen.
pub(super) fn cell_at(heat: &Heat, area: Rect, at: Position) -> Option<Cell> {
    heat::cell_at(heat, area, at)
}

/// How many columns and rows a map of time has room for in the body.
pub(super) fn room_of_map(body: Rect) -> (usize, usize) {
    let heading = u16::from(body.height >= 3);
    heat::room(below(body, heading))
}

/// Why there is no row.
fn nothing(app: &App) -> String {
    match app.missing() {
        Some(Missing::Filter) => {
            return " not measured: -G and --comm leave it out; choose processes with -p instead".to_owned();
        }
        Some(Missing::Flag) => {
            let flag = match app.tab {
                Tab::Locks => "--no-locks",
                _ => "--no-calls",
            };
            return format!(" not measured, as --no-states or {flag} asks for");
        }
        Some(Missing::NotRecorded) if app.tab == Tab::Locks => {
            return " not recorded: `profiler record --probe lock` records waits for locks".to_owned();
        }
        Some(Missing::NotRecorded) => return " not recorded".to_owned(),
        None => {}
    }
    let shown = app.source.shown();
    let (rows, what) = match app.tab {
        Tab::Overview | Tab::Functions | Tab::Processes | Tab::Stacks | Tab::Heat => match app.sampled {
            Sampled::OffCpu => (shown.samples.len(), "samples of waiting threads"),
            Sampled::Lock => (shown.lock_waits.len(), "waits for locks"),
            Sampled::Slow => (shown.slow.len(), "slow calls told singly"),
            _ => (shown.samples.len(), "samples"),
        },
        Tab::Time => (shown.thread_times.len(), "times of threads"),
        Tab::Calls => (shown.latencies.len(), "calls"),
        Tab::Locks => (shown.lock_waits.len(), "waits for locks"),
    };
    let stacks = !matches!(app.tab, Tab::Time | Tab::Calls | Tab::Locks);
    // Whoever waits still is not heard of yet.
    let later = match app.sampled {
        Sampled::OffCpu | Sampled::Wall | Sampled::Lock if stacks => ": waits count once they have ended",
        Sampled::Slow if stacks => ": calls count once they have ended",
        _ => "",
    };
    if !app.filter.is_empty() && app.heeds_filter() && rows > 0 {
        let verb = if app.filter.is_pattern() {
            "matches"
        } else {
            "contains"
        };
        return format!(
            " nothing here {verb} “{}”: {} drops the filter{}",
            text::clean(app.filter.as_str()),
            app.key(Action::Back),
            later.replacen(':', ";", 1)
        );
    }
    if shown.quality.is_empty() && rows == 0 {
        return match app.ended {
            Some(_) => format!(" there are no {what}"),
            None => format!(" waiting for the first {what} …"),
        };
    }
    if let Some(probe) = shed(app) {
        return format!(" no {what}: {probe} was turned off, too dear for --max-overhead");
    }
    let window = match &app.range {
        Some(_) => "chosen range".to_owned(),
        None => app.window().to_string(),
    };
    let mut only: Vec<String> = app.chosen.iter().chain(app.part()).map(Choice::words).collect();
    if app.tab == Tab::Stacks {
        only.extend(app.function().map(|function| function.label.clone()));
    }
    match (only.is_empty(), app.tab) {
        (false, _) => format!(
            " no {what} of {} ({window}){later}",
            text::clean(&only.join(", "))
        ),
        (true, Tab::Calls) if !app.idle && rows > 0 => {
            format!(
                " no {what} that were not idle ({window}): {} shows the others",
                app.key(Action::Idle)
            )
        }
        (true, Tab::Locks) if app.hides_locks() => {
            format!(
                " no contention ({window}): no thread waited for what another had; {} shows idle waits",
                app.key(Action::Idle)
            )
        }
        (true, Tab::Locks) => format!(" no {what} ({window}): no thread waited for another"),
        (true, Tab::Calls) => format!(" no {what} ({window})"),
        (true, Tab::Time) => format!(" no {what} ({window}): {}", no_times(app)),
        (true, _) if !later.is_empty() => format!(" no {what} ({window}){later}"),
        (true, _) => format!(" no {what} ({window}): nothing of this ran"),
    }
}

/// Why there is no time of any thread: some thread of a whole system always does something.
fn no_times(app: &App) -> &'static str {
    let filtered = !app.source.shown().metadata.filters.is_empty();
    match app.source.thread_times().next() {
        None if !filtered => "this kernel has told of none yet; profiler doctor says whether it can",
        None => "what was chosen has done nothing yet",
        Some(_) => "no thread did anything",
    }
}

/// The probe that this tab, or what it counts, lives on, if it was off in what is shown since it was too dear.
fn shed(app: &App) -> Option<&'static str> {
    let probe = match app.tab {
        Tab::Time => Probe::States.name(),
        Tab::Calls => Probe::Calls.name(),
        Tab::Locks => Probe::Locks.name(),
        Tab::Overview | Tab::Functions | Tab::Processes | Tab::Stacks | Tab::Heat => match app.sampled {
            Sampled::OffCpu | Sampled::Wall => "off-cpu",
            Sampled::Lock => Probe::Locks.name(),
            Sampled::Slow => Probe::Calls.name(),
            Sampled::Cpu | Sampled::Other => return None,
        },
    };
    let shed = &app.answers.summary.as_ref()?.quality.shed_ns;
    shed.contains_key(probe).then_some(probe)
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

/// Text in one style at the end of `area`.
fn put_right(frame: &mut Frame<'_>, area: Rect, text: &str, style: Style) {
    let cells = usize::from(area.width);
    put_text(frame, area, format!("{text:>cells$}"), style);
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

/// `area` without its first cells.
fn right_of(area: Rect, cells: u16) -> Rect {
    let cells = cells.min(area.width);
    Rect::new(area.x + cells, area.y, area.width - cells, area.height)
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
struct Columns {
    /// What is left.
    left: Rect,
    /// How wide all of it was.
    whole: u16,
}

impl Columns {
    fn of(area: Rect) -> Self {
        Self {
            left: area,
            whole: area.width,
        }
    }

    fn next(&mut self, width: u16) -> Rect {
        let width = width.min(self.left.width);
        let column = Rect { width, ..self.left };
        let step = (width + 1).min(self.left.width);
        self.left.x += step;
        self.left.width -= step;
        column
    }

    /// A column that is there where the whole area is at least `from` cells wide; else it has no width.
    fn next_from(&mut self, width: u16, from: u16) -> Rect {
        if self.whole < from {
            return Rect::default();
        }
        self.next(width)
    }

    /// Everything but `keep` cells at the end.
    fn rest(&mut self, keep: u16) -> Rect {
        let keep = if keep == 0 { 0 } else { keep + 1 };
        self.next(self.left.width.saturating_sub(keep))
    }
}
