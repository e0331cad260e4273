//! The tree of paths, drawn with lines.
//!
//! An only child stands straight below its parent, so that the width needed grows with the number of forks on a path
//! and not with its depth. The module is named where it changes.

use std::io::{self, Write};

use super::{
    super::{Report, is_below},
    layout::{Ink, Layout, module},
    number,
};
use crate::query::{Direction, Share, Tree, Weights, percent};

pub(super) fn write(
    report: &Report<'_>,
    direction: Direction,
    weights: &Weights,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tree = Tree::of_weights(report.profile, report.selection, weights, direction);
    let header = match direction {
        Direction::TopDown => format!(
            "{:>7} {:<5}  {:>7}  function and what it calls",
            "total", "", "self"
        ),
        Direction::BottomUp => format!("{:>7} {:<5}  function and its callers", "self", ""),
    };
    writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
    let is_shown = |&&node: &&u32| {
        !is_below(
            tree.nodes[node as usize].total_value,
            tree.total_value,
            report.percent_limit,
        )
    };
    let mut left = report.limit.unwrap_or(usize::MAX);
    let mut written = 0;
    // What is still to be written, the next last.
    let mut stack: Vec<Row> = Vec::new();
    push(&mut stack, tree.roots.iter().filter(is_shown), "");
    while let Some(row) = stack.pop() {
        if left == 0 {
            break;
        }
        left -= 1;
        written += 1;
        write_node(&tree, &row, direction, layout, out)?;
        push(
            &mut stack,
            tree.children(row.node).iter().filter(is_shown),
            &row.below,
        );
    }
    let hidden = tree.nodes.len() - written;
    if hidden > 0 {
        let rest = format!(
            "… {} more; {} shows them",
            number::count(hidden as u64),
            report.remedy(written)
        );
        writeln!(out, "{}", layout.paint(Ink::Faint, &rest))?;
    }
    Ok(())
}

struct Row {
    node: u32,
    /// What is drawn before its name.
    before: String,
    /// What is drawn before whatever hangs from it.
    below: String,
}

fn push<'a>(stack: &mut Vec<Row>, nodes: impl Iterator<Item = &'a u32>, above: &str) {
    let nodes: Vec<u32> = nodes.copied().collect();
    let (last, only) = (nodes.len().saturating_sub(1), nodes.len() == 1);
    for (index, &node) in nodes.iter().enumerate().rev() {
        let (fork, below) = match (only, index == last) {
            (true, _) => ("", ""),
            (_, false) => ("├─ ", "│  "),
            (_, true) => ("└─ ", "   "),
        };
        stack.push(Row {
            node,
            before: format!("{above}{fork}"),
            below: format!("{above}{below}"),
        });
    }
}

fn write_node(
    tree: &Tree,
    row: &Row,
    direction: Direction,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let node = &tree.nodes[row.node as usize];
    let name = tree.name(row.node);
    let mut figures = number::share(Share::of(node.total_value, tree.total_value, tree.total_samples));
    if direction == Direction::TopDown {
        figures.push_str(&format!(
            "  {:>5.1} %",
            percent(node.self_value, tree.total_value)
        ));
    }
    figures.push_str("  ");
    let used = figures.chars().count();
    let parent_module = node.parent.map(|parent| tree.name(parent).module.as_str());
    let place = if name.module.is_empty() || parent_module == Some(name.module.as_str()) {
        String::new()
    } else {
        let module = module(&name.module);
        if module.starts_with('[') {
            format!("  {module}")
        } else {
            format!("  [{module}]")
        }
    };
    let before = indent(&row.before, used, layout);
    let label = layout.fit(&name.label, used + before.chars().count() + place.chars().count());
    let label = if name.kernel {
        layout.paint(Ink::Kernel, &label)
    } else {
        label.into_owned()
    };
    writeln!(
        out,
        "{figures}{before}{label}{}",
        layout.paint(Ink::Faint, &place)
    )
}

/// Lines that would leave no room for the name lose their begin.
fn indent<'a>(before: &'a str, used: usize, layout: &Layout) -> std::borrow::Cow<'a, str> {
    let room = layout
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(used) / 2);
    let length = before.chars().count();
    if length <= room.max(6) {
        return before.into();
    }
    let kept = room.max(6) - 1;
    format!("…{}", before.chars().skip(length - kept).collect::<String>()).into()
}
