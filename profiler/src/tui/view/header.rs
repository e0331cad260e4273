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
        return with_state(frame, row(area, 0), quality(summary, theme), state);
    }
    with_state(frame, row(area, 0), looked_at(app, summary, theme), state);
    put(frame, row(area, 1), host(summary, theme));
    let mut last = quality(summary, theme);
    last.extend(remarks(app, theme));
    put(frame, row(area, 2), last);
}

/// That something is wrong with the recording.
fn remarks(app: &App, theme: &Theme) -> Option<Span<'static>> {
    let notes = app.source.replay()?.notes().len();
    let remarks = if notes == 1 { "remark" } else { "remarks" };
    (notes > 0).then(|| {
        Span::styled(
            format!("{notes} {remarks}: {} shows", app.key(Action::Notes)),
            theme.warn,
        )
    })
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

fn host(summary: &Summary, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::styled(" host ", theme.dim)];
    match summary.host_busy_percent() {
        Some(busy) => {
            let filled = bar((busy * 100.0) as u64, 10_000, METER);
            let empty = usize::from(METER).saturating_sub(width(&filled));
            spans.push(Span::styled(filled, theme.own));
            spans.push(Span::styled("·".repeat(empty), theme.dim));
            spans.push(Span::styled(format!(" {} busy", percent_sign(busy)), theme.text));
        }
        None => spans.push(Span::styled("CPU use not known yet", theme.dim)),
    }
    if summary.cpus > 0 {
        let plural = if summary.cpus == 1 { "" } else { "s" };
        spans.push(Span::styled(
            format!(" of {} CPU{plural}", summary.cpus),
            theme.dim,
        ));
    }
    let seconds = summary.quality_ns as f64 / 1e9;
    if seconds > 0.0 {
        let rate = summary.quality.samples as f64 / seconds;
        spans.push(Span::styled(" · ", theme.dim));
        spans.push(Span::styled(
            format!("{} samples/s", count(rate.round() as u64)),
            theme.text,
        ));
    }
    if summary.frequency_hz > 0 {
        let clock = clean(&summary.clock).into_owned();
        spans.push(Span::styled(
            format!(" · {clock} {} Hz", summary.frequency_hz),
            theme.dim,
        ));
    }
    Line::from(spans)
}

fn quality(summary: &Summary, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    let mut figure = |name: &'static str, value: Option<f64>, good: f64, warn: f64| {
        spans.push(Span::styled(format!("{name} "), theme.dim));
        spans.push(match value {
            Some(value) => Span::styled(percent_sign(value), level(value, good, warn, theme)),
            None => Span::styled("–", theme.dim),
        });
        spans.push(Span::raw("  "));
    };
    let any = summary.samples > 0 || summary.quality.samples > 0;
    let lost = summary.lost() + summary.never_ran();
    let due = summary.ran().max(summary.quality.expected).max(summary.samples);
    figure("lost", any.then(|| share::percent(lost, due.max(lost))), 0.1, 2.0);
    let incomplete = summary.complete_percent().map(|complete| 100.0 - complete);
    figure("incomplete", incomplete, 3.0, 10.0);
    let unknown = summary
        .unnamed_percent()
        .zip(summary.unmapped_percent())
        .map(|(unnamed, unmapped)| unnamed + unmapped);
    figure("unknown", unknown, 5.0, 25.0);
    figure("own CPU", summary.own_cpu_percent(), 2.0, 5.0);
    if summary.bpf_percent().is_some() {
        figure("in kernel", summary.bpf_percent(), 2.0, 5.0);
    }
    for probe in summary.quality.shed_ns.keys() {
        // Turned off within the window that is shown.
        spans.push(Span::styled(
            format!("{} off: too dear  ", clean(probe)),
            theme.warn,
        ));
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
