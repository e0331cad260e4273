//! Every key and what it does, read off the table.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Clear,
};

use super::{
    put, row,
    text::{width, wrapped},
};
use crate::tui::{app::App, theme::Theme};

/// Wider lines are hard to read.
const WIDEST: usize = 100;

const FIGURES: &[(&str, &str)] = &[
    (
        "SELF, TOTAL",
        "time in the function itself; with all that it called",
    ),
    ("±", "95 % of the time the truth is within so many points"),
    ("CPU%", "100 is one CPU"),
    (
        "OFF%, WALL% …",
        "100 is one thread all the time; in locks and slow calls: LOCK%, CALL%",
    ),
    (
        "CHANGE",
        "points of share since the mark; dim: chance may do as much",
    ),
    (
        "BUSY",
        "how many threads ran, wanted a CPU, waited for a disk, for memory or in the kernel, or for a lock that another had, on average; waits for something to do, for children, pipes and sockets are not counted; rows are in this order",
    ),
    (
        "bar of BUSY",
        "█ running, ▒ wants a CPU, waits for d disk l lock f fault o other; full: one thread always, or the largest",
    ),
    ("RUN …", "shares of the threads' whole time, idle time as well"),
    ("RUNQ P99", "99 % of the waits for a CPU were shorter"),
    (
        "TIME%",
        "of the calls in the table; idle ones, where I shows them, are not counted",
    ),
    (
        "WAIT%",
        "of all threads' waiting for what others held (·: that is not so, or not sure)",
    ),
    (
        "TIME, ±, LONGEST",
        "waiting within what is shown; how far off that may be; the longest wait, whole",
    ),
    (
        "held, ended by",
        "who held a lock: by the lock's own word; by who ended the wait",
    ),
    (
        "lost",
        "samples that should be there and are not, for whatever reason",
    ),
    (
        "incomplete",
        "user stacks that do not reach the thread's first function",
    ),
    ("unknown", "frames without a function name"),
    (
        "own + kernel",
        "what this program costs itself, and what its probes cost others, in percent of one CPU; --max-overhead is of all CPUs",
    ),
    (
        "off",
        "probes that were turned off in what is shown, for they would have cost more than --max-overhead",
    ),
    (
        "wait lock",
        "threads that wait for what another has, as the locks view judges; idle workers are not among them",
    ),
];

/// Over everything else, in the middle; `scroll` lines are above its first.
pub(super) fn draw(frame: &mut Frame<'_>, scroll: usize, app: &App, theme: &Theme) {
    let mut lines: Vec<(String, &str)> = app
        .keys
        .bindings(app.mode())
        .map(|bound| {
            let keys: Vec<_> = bound.keys.iter().map(ToString::to_string).collect();
            (keys.join(" "), bound.binding.long)
        })
        .collect();
    lines.push((String::new(), ""));
    lines.extend(
        FIGURES
            .iter()
            .map(|&(figure, meaning)| (figure.to_owned(), meaning)),
    );
    let left = lines.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0);
    let room = usize::from(frame.area().width)
        .saturating_sub(left + 6)
        .clamp(1, WIDEST);
    // What does not fit goes on in the next line.
    let lines: Vec<(String, String)> = lines
        .into_iter()
        .flat_map(|(keys, long)| {
            let first = std::iter::once(keys).chain(std::iter::repeat(String::new()));
            first.zip(wrapped(long, room))
        })
        .collect();
    let right = lines.iter().map(|(_, long)| width(long)).max().unwrap_or(0);
    let area = centred(frame.area(), left + right + 6, lines.len() + 2);
    frame.render_widget(Clear, area);
    mark_background(frame, area, theme);
    let scroll = scroll.min(
        lines
            .len()
            .saturating_sub(usize::from(area.height).saturating_sub(2)),
    );
    let more = area.height < 3 || usize::from(area.height - 2) + scroll < lines.len();
    let title = format!(" Keys and figures{} ", if more { " (↓ more)" } else { "" });
    put(frame, row(area, 0), Line::from(Span::styled(title, theme.strong)));
    for (line, (keys, long)) in (1..area.height.saturating_sub(1)).zip(&lines[scroll..]) {
        let blank = " ".repeat(left - width(keys));
        let spans = vec![
            Span::raw("  "),
            Span::styled(format!("{keys}{blank}"), theme.strong),
            Span::raw("  "),
            Span::styled(long.as_str(), theme.text),
        ];
        put(frame, row(area, line), Line::from(spans));
    }
}

pub(super) fn mark_background(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    frame.buffer_mut().set_style(area, theme.panel);
}

pub(super) fn centred(screen: Rect, width: usize, height: usize) -> Rect {
    let width = u16::try_from(width).unwrap_or(u16::MAX).min(screen.width);
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(screen.height);
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    }
}
