//! Call stacks as a tree.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    Columns, below, detail, mark, put, put_text, right_of, row,
    text::{bar, fit, module, percent, width},
    visible,
    whole::whole,
};
use crate::{
    query::share,
    tui::{
        app::App,
        branches::{Branch, BranchRow},
        forest::{Forest, Reading},
        matching::Text,
        theme::Theme,
    },
};

/// Where each figure is. What there is no room for has no width.
struct Cells {
    total: Rect,
    bar: Rect,
    own: Rect,
    tree: Rect,
}

impl Cells {
    fn of(area: Rect) -> Self {
        let width = area.width;
        let mut columns = Columns::of(area);
        Self {
            total: columns.next_from(6, 14),
            bar: columns.next_from((width / 12).clamp(6, 16), 44),
            own: columns.next_from(6, 30),
            tree: columns.rest(0),
        }
    }
}

pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let cells = Cells::of(area);
    put_text(frame, cells.total, "TOTAL%", theme.strong);
    put_text(frame, cells.own, "  SELF", theme.dim);
    let (lead, room) = ("STACK  % of ", usize::from(cells.tree.width));
    let widest = [false, true].map(|little| whole(app, little));
    let text = match widest.iter().find(|of| width(lead) + width(of) <= room) {
        Some(of) if !of.is_empty() => format!("{lead}{of}"),
        _ => "STACK".to_owned(),
    };
    put_text(frame, cells.tree, &text, theme.dim);
    let room = right_of(cells.tree, width(&text) as u16 + 3);
    if let Some(course) = &app.answers.course {
        let (figures, chart) = detail::in_line(course, usize::from(room.width));
        let spans = vec![Span::styled(figures, theme.dim), Span::styled(chart, theme.own)];
        put(frame, room, Line::from(spans));
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let Some(forest) = &app.answers.forest else {
        return;
    };
    for (area, index, cursor) in visible(area, app) {
        if cursor {
            mark(frame, area, theme);
        }
        branch(frame, area, forest, &app.branch_rows[index], &app.filter, theme);
    }
}

/// The stacks of the row under the cursor, as far as there is room.
pub(super) fn preview(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let room = usize::from(area.width).saturating_sub(4);
    let title = app.answers.preview.as_ref().map_or("", |preview| &preview.title);
    let title = format!(" stacks of {} ", fit(title, room.saturating_sub(11)));
    let line = "─".repeat(room.saturating_sub(width(&title)));
    put_text(frame, row(area, 0), format!("──{title}{line}"), theme.dim);
    let area = below(area, 1);
    let Some(preview) = &app.answers.preview else {
        return;
    };
    let nothing = Text::default();
    for (line, branch_row) in (0..area.height).zip(&preview.rows) {
        branch(
            frame,
            row(area, line),
            &preview.forest,
            branch_row,
            &nothing,
            theme,
        );
    }
}

fn branch(frame: &mut Frame<'_>, area: Rect, forest: &Forest, row: &BranchRow, filter: &Text, theme: &Theme) {
    let (reading, tree) = &forest.trees[row.tree];
    let node = &tree.nodes[row.node as usize];
    let name = tree.name(row.node);
    let cells = Cells::of(area);
    let all = forest.total_value;
    put_text(
        frame,
        cells.total,
        percent(share::percent(node.total_value, all)),
        theme.text,
    );
    put_text(
        frame,
        cells.bar,
        bar(node.total_value, all, cells.bar.width),
        theme.total,
    );
    // In a tree of callers, what ends at a node has no name: it is where stacks begin.
    if matches!(reading, Reading::Paths | Reading::Callees) && node.self_value > 0 {
        put_text(
            frame,
            cells.own,
            percent(share::percent(node.self_value, all)),
            theme.text,
        );
    }
    let available = usize::from(cells.tree.width);
    let sign = match row.branch {
        Branch::Leaf => "  ",
        Branch::Closed => "▸ ",
        Branch::Open => "▾ ",
    };
    let lead = match (reading, node.parent) {
        (Reading::Callers, None) => "callers of ",
        (Reading::Callees, None) => "callees of ",
        _ => "",
    };
    let mut spans = vec![Span::styled(indent(row.indent, available), theme.dim)];
    spans.push(Span::styled(sign, theme.dim));
    spans.push(Span::styled(lead, theme.dim));
    let style = match (name.kernel, name.module.is_empty()) {
        _ if !filter.is_empty() && (filter.is_in(&name.label) || filter.is_in(&name.module)) => theme.found,
        (true, _) => theme.kernel,
        (_, true) => theme.dim,
        _ => theme.text,
    };
    let used: usize = spans.iter().map(Span::width).sum();
    let rest = available.saturating_sub(used);
    let label = fit(&name.label, rest);
    let rest = rest.saturating_sub(width(&label) + 2);
    spans.push(Span::styled(label, style));
    if rest >= 6 {
        spans.push(Span::raw("  "));
        spans.push(Span::styled(fit(module(&name.module), rest), theme.dim));
    }
    put(frame, cells.tree, Line::from(spans));
}

/// Two cells a step, as long as that leaves half of the room for the name; then a number.
fn indent(steps: usize, available: usize) -> String {
    if steps * 2 <= available / 2 {
        " ".repeat(steps * 2)
    } else {
        let mark = format!("{steps}› ");
        let blank = (available / 2).saturating_sub(width(&mark));
        format!("{}{mark}", " ".repeat(blank))
    }
}
