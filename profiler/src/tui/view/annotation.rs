//! Where in a function the samples were, over everything else.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Clear,
};

use super::{
    help::{centred, mark_background},
    put, row,
    text::{clean, fit, fit_end, percent, width},
};
use crate::{
    query::{SourcePlace, share},
    tui::{annotation::Annotation, app::App, keys::Action, theme::Theme},
};

/// The most lines of the function that are shown by their counts.
const LINES: usize = 10;
/// The most cells for the name of what is inlined.
const LONGEST: usize = 40;
/// How many cells the figures of a line have.
const FIGURES: usize = 17;

pub(super) fn draw(frame: &mut Frame<'_>, annotation: &Annotation, app: &App, theme: &Theme) {
    let room = usize::from(frame.area().width).saturating_sub(2);
    let rows = rows(annotation, room, theme);
    let widest = rows.iter().map(Line::width).max().unwrap_or(0);
    let area = centred(frame.area(), (widest + 2).max(72), rows.len() + 3);
    frame.render_widget(Clear, area);
    mark_background(frame, area, theme);
    let title = format!(
        " {}  {}",
        clean(&annotation.name.label),
        clean(&annotation.name.module)
    );
    put(frame, row(area, 0), Line::from(Span::styled(title, theme.strong)));
    let room = usize::from(area.height.saturating_sub(2));
    let scroll = annotation.scroll.min(rows.len().saturating_sub(room));
    let more = rows.len() > scroll + room;
    for (line, content) in (1..area.height.saturating_sub(1)).zip(rows.into_iter().skip(scroll)) {
        put(frame, row(area, line), content);
    }
    let back = format!(
        " {} goes back{}",
        app.key(Action::Back),
        if more { "; ↓ more" } else { "" }
    );
    put(frame, last(area), Line::from(Span::styled(back, theme.dim)));
}

fn last(area: Rect) -> Rect {
    row(area, area.height.saturating_sub(1))
}

fn rows(annotation: &Annotation, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let all = annotation.lines.total_value;
    let share = |value: u64| match value {
        0 => String::new(),
        _ => percent(share::percent(value, all)),
    };
    let plain = |text: String, style: Style| Line::from(Span::styled(text, style));
    let mut rows = vec![plain("  SELF%  TOTAL%  LINE".to_owned(), theme.dim)];
    for line in annotation.lines.rows.iter().take(LINES) {
        let SourcePlace {
            file,
            line: number,
            inlined,
        } = &line.place;
        let place = match (file.as_str(), number) {
            ("", 0) => "no line is known".to_owned(),
            (file, 0) => clean(file).into_owned(),
            (file, number) => format!("{}:{number}", clean(file)),
        };
        let of = match inlined.as_str() {
            "" => String::new(),
            name => format!("  in {}, inlined", fit(name, LONGEST)),
        };
        // What tells paths apart is their end.
        let place = fit_end(&place, room.saturating_sub(FIGURES + width(&of)));
        rows.push(Line::from(vec![
            Span::styled(
                format!(
                    "  {:>5}   {:>5}  ",
                    share(line.self_value),
                    share(line.total_value)
                ),
                theme.text,
            ),
            Span::styled(place.into_owned(), theme.own),
            Span::styled(of, theme.dim),
        ]));
    }
    if let Some(left_out) = annotation.lines.rows.len().checked_sub(LINES + 1) {
        rows.push(plain(
            format!("                 … and {} more", left_out + 1),
            theme.dim,
        ));
    }
    if let Some(why) = &annotation.failed {
        rows.push(plain(format!("  {}", clean(why)), theme.dim));
    }
    if annotation.lines.rows.iter().all(|row| row.place.line == 0) {
        let hint = match annotation.asks {
            true => "debug information is being read …",
            false => "lines are known of programs with debug information (-g, a -dbgsym package)",
        };
        rows.push(plain(format!("  {hint}"), theme.dim));
    }
    let Some(code) = &annotation.code else {
        return rows;
    };
    let mut section = |title: String, lines: Result<Vec<(String, u64, bool, String)>, String>| {
        rows.push(Line::default());
        rows.push(plain(format!(" ── {title} "), theme.dim));
        match lines {
            Ok(lines) => rows.extend(lines.into_iter().map(|(number, value, hottest, text)| {
                let style = if hottest { theme.found } else { theme.text };
                let gap = " ".repeat(12usize.saturating_sub(width(&number)));
                Line::from(vec![
                    Span::styled(format!("  {:>5}{gap}{number}  ", share(value)), theme.dim),
                    Span::styled(clean(&text.replace('\t', "    ")).into_owned(), style),
                ])
            })),
            Err(why) => rows.push(plain(format!("  {}", clean(&why)), theme.dim)),
        }
    };
    if let Some((file, hot)) = &annotation.spot.source {
        let lines = code.source.clone().map(|lines| {
            let line = |(number, text): (u32, String)| {
                (
                    number.to_string(),
                    annotation.at_line(number),
                    number == *hot,
                    text,
                )
            };
            lines.into_iter().map(line).collect()
        });
        section(clean(&file.to_string_lossy()).into_owned(), lines);
    }
    let lines = code.instructions.clone().map(|lines| {
        let line = |(address, text): (u64, String)| {
            let value = annotation.at_address(address);
            (
                format!("{address:x}"),
                value,
                address == annotation.spot.address,
                text,
            )
        };
        lines.into_iter().map(line).collect()
    });
    section("instructions".to_owned(), lines);
    rows
}
