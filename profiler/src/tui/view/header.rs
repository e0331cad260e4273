//! What the host does, and how far the picture can be trusted.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    put, row,
    text::{bar, clean, count, duration, fit, moment, percent_sign, width},
};
use crate::{
    query::{Sampled, Summary, share},
    tui::{app::App, history::Window, keys::Action, replay::Replay, theme::Theme},
};

const METER: u16 = 12;

/// Three lines: what is looked at, what the host does, how sure that is. If there is one only, the last.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let nothing = Summary::default();
    let summary = app.answers.summary.as_ref().unwrap_or(&nothing);
    let state = state(app, theme);
    if area.height < 3 {
        let states = state.iter().map(Span::width).sum::<usize>() as u16;
        let room = area.width.saturating_sub(states);
        return with_state(frame, row(area, 0), quality(app, summary, room, theme), state);
    }
    with_state(frame, row(area, 0), looked_at(app, summary, theme), state);
    put(frame, row(area, 1), host(summary, area.width, theme));
    put(frame, row(area, 2), quality(app, summary, area.width, theme));
}

/// What must be seen on every screen: that a trace is written, that the picture stands still, and why.
fn state(app: &App, theme: &Theme) -> Vec<Span<'static>> {
    let mut state = Vec::new();
    if let Some(recorder) = app.source.recorder() {
        let (recorded, bytes) = recorder.progress();
        state.push(match recorder.failure() {
            Some(_) => Span::styled(
                format!(" RECORDING FAILED: {} says why ", app.key(Action::Record)),
                theme.bad,
            ),
            None => Span::styled(
                format!(" ● {} s {} ", recorded.as_secs(), size(bytes)),
                theme.warn,
            ),
        });
    }
    match &app.ended {
        Some(why) => state.push(Span::styled(format!(" ENDED: {} ", clean(why)), theme.bad)),
        None if app.paused => state.push(Span::styled(" PAUSED ", theme.warn)),
        None => {}
    }
    state
}

/// A size of a file, as it is read at a glance.
fn size(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn with_state(frame: &mut Frame<'_>, area: Rect, line: Line<'_>, state: Vec<Span<'_>>) {
    let cells = u16::try_from(state.iter().map(Span::width).sum::<usize>())
        .unwrap_or(u16::MAX)
        .min(area.width);
    put(frame, area, line);
    let right = Rect {
        x: area.x + area.width - cells,
        width: cells,
        ..area
    };
    put(frame, right, Line::from(state));
}

fn looked_at(app: &App, summary: &Summary, theme: &Theme) -> Line<'static> {
    let metadata = &app.source.shown().metadata;
    let shown = app.shown_ns();
    let span = shown.end - shown.start;
    let mut parts = vec![if metadata.hostname.is_empty() {
        "this host".to_owned()
    } else {
        clean(&metadata.hostname).into_owned()
    }];
    if app.sampled != Sampled::Cpu {
        parts.push(app.sampled.time().to_owned());
    }
    if let Some(replay) = app.source.replay() {
        parts.push(fit(file_name(replay.name()), 40).into_owned());
    }
    parts.push(match app.window() {
        _ if app.range.is_some() => format!("range {}–{}", moment(shown.start), moment(shown.end)),
        Window::Start if app.source.replay().is_some() => {
            match shown.end < app.source.replay().map_or(0, Replay::end_ns) {
                true => format!("from the begin: {}", duration(span)),
                false => format!("whole recording: {}", duration(span)),
            }
        }
        _ if app.source.replay().is_some() => format!("{} of a recording", duration(span)),
        Window::Start => format!("since start: {}", duration(span)),
        Window::Decaying(_) => format!("{} of {}", app.window(), duration(shown.end)),
        Window::Last(time) if u128::from(span) >= time.as_nanos() => {
            format!("{} of {}", app.window(), duration(shown.end))
        }
        Window::Last(_) if span == 0 => app.window().to_string(),
        // Not so much yet, or too much to be kept.
        Window::Last(_) => format!("{} (there are {})", app.window(), duration(span)),
    });
    parts.push(if summary.filters.is_empty() {
        "whole system".to_owned()
    } else {
        clean(&summary.filters.join(", ")).into_owned()
    });
    if !app.kernel {
        parts.push("kernel hidden".to_owned());
    }
    let mut spans = vec![Span::styled(" profiler", theme.strong)];
    for part in parts {
        spans.push(Span::styled(" · ", theme.dim));
        spans.push(Span::styled(part, theme.text));
    }
    Line::from(spans)
}

/// The path without its directories, for there is little room.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What the host does; on narrow screens without what is known anyway.
fn host(summary: &Summary, room: u16, theme: &Theme) -> Line<'static> {
    let mut parts = Vec::new();
    match summary.host_busy_percent() {
        Some(busy) => {
            let filled = bar((busy * 100.0) as u64, 10_000, METER);
            let empty = usize::from(METER).saturating_sub(width(&filled));
            parts.push(Span::styled(filled, theme.own));
            parts.push(Span::styled("·".repeat(empty), theme.dim));
            parts.push(Span::styled(format!(" {} busy", percent_sign(busy)), theme.text));
        }
        None => parts.push(Span::styled("CPU use not known yet", theme.dim)),
    }
    if summary.cpus > 0 {
        let plural = if summary.cpus == 1 { "" } else { "s" };
        parts.push(Span::styled(
            format!(" of {} CPU{plural}", summary.cpus),
            theme.dim,
        ));
    }
    let seconds = summary.quality_ns as f64 / 1e9;
    if seconds > 0.0 {
        let rate = summary.quality.samples as f64 / seconds;
        let rate = count(rate.round() as u64);
        parts.push(Span::styled(format!(" · {rate} samples/s"), theme.text));
    }
    if summary.frequency_hz > 0 {
        let clock = clean(&summary.clock).into_owned();
        parts.push(Span::styled(
            format!(" · {clock} {} Hz", summary.frequency_hz),
            theme.dim,
        ));
    }
    let mut spans = vec![Span::styled(" host ", theme.dim)];
    let mut left = usize::from(room).saturating_sub(spans[0].width());
    for part in parts {
        match left.checked_sub(part.width()) {
            Some(rest) => left = rest,
            None => break,
        }
        spans.push(part);
    }
    Line::from(spans)
}

/// How good the picture is, and what it costs: what matters most first, in as many words as there is room for.
fn quality(app: &App, summary: &Summary, room: u16, theme: &Theme) -> Line<'static> {
    let any = summary.samples > 0 || summary.quality.samples > 0;
    let lost = summary.lost() + summary.never_ran();
    let due = summary.ran().max(summary.quality.expected).max(summary.samples);
    let lost = any.then(|| share::percent(lost, due.max(lost)));
    let incomplete = summary.complete_percent().map(|complete| 100.0 - complete);
    let unknown = summary
        .unnamed_percent()
        .zip(summary.unmapped_percent())
        .map(|(unnamed, unmapped)| unnamed + unmapped);
    let mut items = Vec::new();
    items.extend(remarks(app, theme));
    items.extend(off(summary, theme));
    items.push(Item::figure(("lost", "lost"), lost, (0.1, 2.0), theme));
    items.push(cost(summary, theme));
    items.push(Item::figure(
        ("incomplete", "incompl."),
        incomplete,
        (3.0, 10.0),
        theme,
    ));
    items.push(Item::figure(("unknown", "unkn."), unknown, (5.0, 25.0), theme));
    fitting(items, room.into())
}

/// Something that the header says, in full and in short.
struct Item {
    full: Vec<Span<'static>>,
    short: Vec<Span<'static>>,
    /// Whether it is no news: it may be left out.
    good: bool,
}

impl Item {
    fn figure(name: (&str, &str), value: Option<f64>, (good, warn): (f64, f64), theme: &Theme) -> Self {
        let spans = |name: &str| {
            vec![
                Span::styled(format!("{name} "), theme.dim),
                percent_of(value, (good, warn), theme),
            ]
        };
        Self {
            full: spans(name.0),
            short: spans(name.1),
            good: value.is_none_or(|value| value <= good),
        }
    }
}

fn percent_of(value: Option<f64>, (good, warn): (f64, f64), theme: &Theme) -> Span<'static> {
    match value {
        Some(value) => Span::styled(percent_sign(value), level(value, good, warn, theme)),
        None => Span::styled("–", theme.dim),
    }
}

/// What this program costs: itself, and its probes in whatever they interrupt. Of one CPU, while the bound is of all.
fn cost(summary: &Summary, theme: &Theme) -> Item {
    const LEVELS: (f64, f64) = (2.0, 5.0);
    let (own, kernel) = (summary.own_cpu_percent(), summary.bpf_percent());
    let costs = |plus: &'static str, of: &'static str| {
        let mut spans = vec![Span::styled("own ", theme.dim), percent_of(own, LEVELS, theme)];
        if kernel.is_some() {
            spans.push(Span::styled(plus, theme.dim));
            spans.push(percent_of(kernel, LEVELS, theme));
        }
        spans.extend((own.is_some() || kernel.is_some()).then(|| Span::styled(of, theme.dim)));
        spans
    };
    Item {
        full: costs(" + kernel ", " of a CPU"),
        short: costs(" + ", " of a CPU"),
        good: own.unwrap_or(0.0).max(kernel.unwrap_or(0.0)) <= LEVELS.0,
    }
}

/// What was turned off within the window that is shown.
fn off(summary: &Summary, theme: &Theme) -> Option<Item> {
    let probes: Vec<_> = summary.quality.shed_ns.keys().map(|probe| clean(probe)).collect();
    let probes = probes.join(", ");
    (!probes.is_empty()).then(|| Item {
        full: vec![Span::styled(format!("off, too dear: {probes}"), theme.warn)],
        short: vec![Span::styled(format!("off: {probes}"), theme.warn)],
        good: false,
    })
}

/// That something is wrong with the recording.
fn remarks(app: &App, theme: &Theme) -> Option<Item> {
    let notes = app.source.replay()?.notes().len();
    let remarks = if notes == 1 { "remark" } else { "remarks" };
    let key = app.key(Action::Notes);
    let words = vec![Span::styled(
        format!("{notes} {remarks}: {key} shows"),
        theme.warn,
    )];
    (notes > 0).then(|| Item {
        full: words.clone(),
        short: words,
        good: false,
    })
}

/// All in full; or in short; or without what is good, from the end on; or as much as there is room for. Nothing is cut.
fn fitting(mut items: Vec<Item>, room: usize) -> Line<'static> {
    const GAP: usize = 2;
    let cells = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>() + GAP;
    let full: usize = items.iter().map(|item| cells(&item.full)).sum();
    let is_full = full < room + GAP;
    if !is_full {
        let short = |items: &[Item]| items.iter().map(|item| cells(&item.short)).sum::<usize>();
        while short(&items) >= room + GAP {
            let Some(good) = items.iter().rposition(|item| item.good) else {
                break;
            };
            items.remove(good);
        }
    }
    let mut spans = vec![Span::raw(" ")];
    let mut left = (room + GAP).saturating_sub(1);
    for item in items {
        let item = if is_full { item.full } else { item.short };
        match left.checked_sub(cells(&item)) {
            Some(rest) => left = rest,
            None => break,
        }
        spans.extend(item);
        spans.push(Span::raw("  "));
    }
    Line::from(spans)
}

fn level(value: f64, good: f64, warn: f64, theme: &Theme) -> Style {
    if value <= good {
        theme.good
    } else if value <= warn {
        theme.warn
    } else {
        theme.bad
    }
}
