//! Call stacks as a flame graph.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    label::short,
    put, put_right, put_text,
    text::{fit, module, percent_sign, width},
    whole::{samples, whole},
};
use crate::{
    query::{Tree, share},
    tui::{
        app::App,
        flame::{Flame, Piece},
        kind::Kind,
        theme::Theme,
    },
};

/// Narrower screens have no room for many words beside a name.
const ROOMY: u16 = 120;

/// What the frame under the cursor is, and how much was found.
pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some((forest, piece)) = app.answers.forest.as_ref().zip(app.flame.piece()) else {
        return;
    };
    let tree = &forest.trees[app.flame.tree()].1;
    let node = &tree.nodes[piece.node as usize];
    let name = tree.name(piece.node);
    let of_all = |value| percent_sign(share::percent(value, forest.total_value));
    let found = match app.flame.found_value() {
        Some(value) => format!(" found in {} ", of_all(value)),
        None => String::new(),
    };
    let figures = format!(
        " {} of {} · self {} · {} ",
        of_all(node.total_value),
        whole(app, area.width < ROOMY),
        of_all(node.self_value),
        samples(app.sampled, node.samples),
    );
    let room = usize::from(area.width).saturating_sub(width(&figures) + width(&found));
    let label = short(&name.label, room);
    let rest = room.saturating_sub(width(&label) + 2);
    let mut spans = vec![Span::styled(label, theme.strong)];
    if rest >= 6 && !name.module.is_empty() {
        spans.push(Span::styled(
            format!("  {}", fit(module(&name.module), rest)),
            theme.dim,
        ));
    }
    spans.push(Span::styled(figures, theme.text));
    put(frame, area, Line::from(spans));
    let cells = u16::try_from(width(&found)).unwrap_or(u16::MAX).min(area.width);
    let right = Rect {
        x: area.x + area.width - cells,
        width: cells,
        ..area
    };
    put_right(frame, right, &found, theme.found);
}

/// The outermost frames at the bottom; of an inverted graph, where the innermost come first, at the top.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(forest) = &app.answers.forest else {
        return;
    };
    let Some((_, tree)) = forest.trees.get(app.flame.tree()) else {
        return;
    };
    let rows = app.flame.rows().iter().skip(app.flame.offset());
    for (line, pieces) in (0..area.height).zip(rows) {
        let line = Rect {
            y: row_at(area, line, app.inverted),
            height: 1,
            ..area
        };
        put(
            frame,
            line,
            pieces_of(pieces, tree, &app.flame, app.is_cold(), theme),
        );
    }
    more(frame, area, app, theme);
}

/// At the edges, how many more rows of frames there are beyond.
fn more(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let outer = app.flame.offset();
    let shown = outer + usize::from(area.height);
    let inner = app.flame.rows().len().saturating_sub(shown);
    let (above, below) = match app.inverted {
        true => (outer, inner),
        false => (inner, outer),
    };
    let last = area.height.saturating_sub(1);
    for (line, sign, rows) in [(0, '▲', above), (last, '▼', below)] {
        if rows == 0 || area.height < 2 {
            continue;
        }
        let text = format!(" {sign} {rows} more ");
        let cells = (width(&text) as u16).min(area.width);
        let place = Rect {
            x: area.x + area.width - cells,
            y: area.y + line,
            width: cells,
            height: 1,
        };
        put_text(frame, place, text, theme.strong);
    }
}

/// Where on the screen the depth is that comes as number `line`.
pub(super) fn row_at(area: Rect, line: u16, inverted: bool) -> u16 {
    match inverted {
        true => area.y + line,
        false => area.y + area.height - 1 - line,
    }
}

fn pieces_of<'a>(pieces: &[Piece], tree: &'a Tree, flame: &Flame, cold: bool, theme: &Theme) -> Line<'a> {
    let here = flame.piece();
    let mut spans = Vec::with_capacity(pieces.len() * 2);
    let mut end = 0;
    for piece in pieces {
        spans.push(Span::raw(" ".repeat(piece.start.saturating_sub(end).into())));
        end = piece.start + piece.width;
        let number = tree.nodes[piece.node as usize].name;
        let name = &tree.names[number as usize];
        let kind = Kind::of(name);
        let mut style = match flame.is_found(number) {
            true => theme.frame_found,
            false => theme.frame(kind, &name.label, cold),
        };
        if here == Some(*piece) {
            style = style.patch(theme.frame_cursor);
        }
        spans.push(Span::styled(
            text(&name.label, kind, piece.width.into(), theme),
            style,
        ));
    }
    Line::from(spans)
}

/// A line marks where each begins. Where there are no colours, what is behind the name says what it is.
fn text(label: &str, kind: Kind, cells: usize, theme: &Theme) -> String {
    let label = short(label, cells.saturating_sub(1));
    let fill = if theme.fills { kind.fill() } else { ' ' };
    let blank = cells.saturating_sub(1 + width(&label));
    let mut text = String::with_capacity(cells * 2);
    text.push('▏');
    text.push_str(&label);
    // The blank in front lets the name end.
    text.extend((0..blank).map(|place| if place == 0 { ' ' } else { fill }));
    text
}
