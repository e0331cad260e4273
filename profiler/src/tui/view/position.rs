//! Where in a recording the picture is.

use std::ops::Range;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    put, put_text,
    text::{moment, sparkline},
};
use crate::tui::{app::App, replay::Replay, theme::Theme};

/// Cells for the words in front of the line.
const WORDS: u16 = 30;

/// Whether it plays and how fast, which part is shown, and the whole recording as a line, as high as much was sampled.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(replay) = app.source.replay().filter(|_| area.height > 0) else {
        return;
    };
    let shown = app.shown_ns();
    let (state, style) = match replay.is_playing() {
        true => (format!("▶ ×{}", replay.speed()), theme.good),
        false => (format!("‖ ×{}", replay.speed()), theme.warn),
    };
    let words = vec![
        Span::raw(" "),
        Span::styled(format!("{state:<7}"), style),
        Span::styled(
            format!("{}–{}", moment(shown.start), moment(shown.end)),
            theme.text,
        ),
        Span::styled(format!(" of {}", moment(replay.end_ns())), theme.dim),
    ];
    let used: usize = words.iter().map(Span::width).sum();
    put(frame, area, Line::from(words));
    let used = u16::try_from(used + 1)
        .unwrap_or(u16::MAX)
        .max(WORDS)
        .min(area.width);
    let line = Rect {
        x: area.x + used,
        width: (area.width - used).saturating_sub(1),
        ..area
    };
    put_line(frame, line, app.shown_ns(), replay, theme);
}

fn put_line(frame: &mut Frame<'_>, area: Rect, shown: Range<u64>, replay: &Replay, theme: &Theme) {
    let cells = usize::from(area.width);
    let cell_of = |ns: u64| {
        let part = ns as f64 / replay.end_ns().max(1) as f64;
        ((part * cells as f64).round() as usize).min(cells)
    };
    let (from, to) = (cell_of(shown.start), cell_of(shown.end));
    // What is shown is never narrower than a cell.
    let from = from.min(cells.saturating_sub(1));
    let to = to.max(from + 1).min(cells);
    let bars: Vec<char> = sparkline(replay.activity(), cells).chars().collect();
    if bars.len() < cells || cells == 0 {
        return;
    }
    let text = |range: Range<usize>| bars[range].iter().collect::<String>();
    let spans = vec![
        Span::styled(text(0..from), theme.dim),
        Span::styled(text(from..to), theme.own),
        Span::styled(text(to..cells), theme.dim),
    ];
    put(frame, area, Line::from(spans));
    // The part that is shown is marked by more than a colour.
    if to - from < cells {
        let at = |cell: usize| Rect {
            x: area.x + cell as u16,
            width: 1,
            ..area
        };
        put_text(frame, at(from), "[", theme.strong);
        put_text(
            frame,
            at((to - 1).max(from)),
            if to - 1 > from { "]" } else { "|" },
            theme.strong,
        );
    }
}
