//! The lock under the cursor: who waited for it and where, who held it, and what that one did meanwhile.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    below,
    label::short,
    locks::style,
    put, row,
    text::{fit, module, width},
};
use crate::{
    query::Name,
    tui::{
        app::App,
        locks::{LockRow, Place},
        theme::Theme,
    },
};

/// From this width on holders stand beside waiters.
const BESIDE: u16 = 130;

/// How much is told, from most to least: places of each side, and frames of each.
const DETAIL: [(usize, usize); 9] = [
    (6, 32),
    (6, 12),
    (4, 8),
    (3, 6),
    (2, 5),
    (2, 3),
    (1, 4),
    (1, 2),
    (1, 1),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let cursor = app.shown_list().cursor();
    let index = app.lock_rows.get(cursor).map(|row| row.index);
    let locks = app.answers.locks.as_ref();
    let Some(lock) = locks.zip(index).map(|(locks, index)| &locks.rows[index]) else {
        return;
    };
    let title = format!(" {} ", lock.label);
    let title = fit(&title, usize::from(area.width).saturating_sub(4));
    let line = "─".repeat(usize::from(area.width).saturating_sub(width(&title) + 2));
    let spans = vec![
        Span::styled("──", theme.dim),
        Span::styled(title, style(lock.kind, theme).patch(theme.strong)),
        Span::styled(line, theme.dim),
    ];
    put(frame, row(area, 0), Line::from(spans));
    let (area, mut top) = (below(area, 1), Vec::new());
    say(&mut top, &lock.what, area.width, theme.dim);
    for remark in &lock.remarks {
        say(&mut top, remark, area.width, theme.dim);
    }
    let told = write(frame, area, top);
    let rest = below(area, told);
    if rest.width >= BESIDE && !lock.holders.is_empty() {
        let half = rest.width / 2 - 1;
        let left = Rect { width: half, ..rest };
        let right = Rect {
            x: rest.x + half + 2,
            width: rest.width - half - 2,
            ..rest
        };
        write(frame, left, fitting(left, &[&lock.waiters], theme));
        write(frame, right, fitting(right, &[&lock.holders], theme));
    } else {
        write(frame, rest, fitting(rest, &sides(lock), theme));
    }
}

fn sides(lock: &LockRow) -> [&[Place]; 2] {
    [&lock.waiters, &lock.holders]
}

/// The most that there is room for.
fn fitting(area: Rect, sides: &[&[Place]], theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (places, frames) in DETAIL {
        lines = told(area.width, sides, places, frames, theme);
        if lines.len() <= usize::from(area.height) {
            break;
        }
    }
    lines
}

fn told(cells: u16, sides: &[&[Place]], places: usize, frames: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for side in sides {
        for place in side.iter().take(places) {
            say(&mut lines, &place.words, cells, theme.text);
            for name in place.stack.iter().take(frames) {
                lines.push(called(name, cells, theme));
            }
            say(&mut lines, &place.meanwhile, cells, theme.warn);
        }
    }
    lines
}

/// A frame of a stack.
fn called(name: &Name, cells: u16, theme: &Theme) -> Line<'static> {
    let room = usize::from(cells).saturating_sub(4);
    let label = short(&name.label, room).into_owned();
    let rest = room.saturating_sub(width(&label) + 2);
    let module = fit(module(&name.module), rest).into_owned();
    let style = if name.kernel { theme.kernel } else { theme.own };
    Line::from(vec![
        Span::raw("    "),
        Span::styled(label, style),
        Span::raw("  "),
        Span::styled(module, theme.dim),
    ])
}

/// A line of words, if there are any.
fn say(lines: &mut Vec<Line<'static>>, words: &str, cells: u16, style: Style) {
    if !words.is_empty() {
        let words = fit(words, usize::from(cells).saturating_sub(1)).into_owned();
        lines.push(Line::from(vec![Span::raw(" "), Span::styled(words, style)]));
    }
}

/// As many lines as there is room for, and how many that are.
fn write(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) -> u16 {
    let mut written = 0;
    for (place, line) in (0..area.height).zip(lines) {
        put(frame, row(area, place), line);
        written = place + 1;
    }
    written
}
