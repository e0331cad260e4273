//! A flame graph: the same paths as the tree, each as wide as its share.
//!
//! Where the cursor is and what is zoomed into is kept as paths of names: when new samples come, nodes have other numbers
//! and frames other widths, and both are found again.

use super::{finding, forest::Forest, matching::Text};
use crate::query::{Name, Tree};

/// Frames narrower than this part of a cell are left out.
const NARROWEST: f64 = 0.5;
/// Deeper frames are left out. Recorded stacks have a few hundred; a file may claim any number.
const DEEPEST: usize = 2048;

/// A frame on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its node in the tree.
    pub(super) node: u32,
    /// The first of its cells.
    pub(super) start: u16,
    /// How many cells it has; at least one.
    pub(super) width: u16,
}

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To what the frame called (or, in an inverted graph, was called by): so many steps, or back.
    Inward(isize),
    /// To the frame beside.
    Aside(isize),
}

/// What is on the screen of a flame graph, and where the cursor is.
#[derive(Debug, Default)]
pub(super) struct Flame {
    /// What is zoomed into, and what was before: names from the outermost frame on.
    zooms: Vec<Vec<Name>>,
    cursor: Vec<Name>,
    /// Frames by depth, from left to right. Those above what is zoomed into are as wide as the screen.
    rows: Vec<Vec<Piece>>,
    /// Depth and place of the frame under the cursor.
    at: (usize, usize),
    /// The first depth on the screen.
    offset: usize,
    /// Which tree of the forest it is.
    tree: usize,
    /// For each name of the tree whether it is what is looked for; empty if nothing is.
    found: Vec<bool>,
    found_value: u64,
}

impl Flame {
    /// Frames by depth, from left to right.
    pub(super) fn rows(&self) -> &[Vec<Piece>] {
        &self.rows
    }

    /// The first depth on the screen.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Which tree of the forest it is.
    pub(super) fn tree(&self) -> usize {
        self.tree
    }

    /// The frame under the cursor.
    pub(super) fn piece(&self) -> Option<Piece> {
        self.rows.get(self.at.0)?.get(self.at.1).copied()
    }

    /// What is zoomed into.
    pub(super) fn zoomed(&self) -> Option<&Name> {
        self.zooms.last()?.last()
    }

    /// Whether a name of the tree is what is looked for.
    pub(super) fn is_found(&self, name: u32) -> bool {
        self.found.get(name as usize).copied().unwrap_or(false)
    }

    /// How much lies under frames that are looked for; `None` if nothing is looked for.
    pub(super) fn found_value(&self) -> Option<u64> {
        (!self.found.is_empty()).then_some(self.found_value)
    }

    /// Begins anew, at the outermost frames.
    pub(super) fn reset(&mut self) {
        self.zooms.clear();
        self.cursor.clear();
    }

    /// The forest has changed, the width, or what is looked for. Of a function's callers and callees, `callers` says
    /// which are drawn.
    pub(super) fn arrange(&mut self, forest: &Forest, callers: bool, filter: &Text, cells: u16) {
        self.tree = match forest.trees.len() {
            0 | 1 => 0,
            _ => usize::from(!callers),
        };
        self.rows.clear();
        let Some((_, tree)) = forest.trees.get(self.tree) else {
            return;
        };
        self.look_for(tree, filter);
        let zoomed = self.zooms.last().map_or(&[][..], Vec::as_slice);
        let path = follow(tree, zoomed);
        for &node in &path {
            self.rows.push(vec![Piece {
                node,
                start: 0,
                width: cells,
            }]);
        }
        let first = match path.last() {
            Some(&node) => beside(tree, tree.children(node), 0.0, scale(tree, node, cells)),
            None => beside(
                tree,
                &tree.roots,
                0.0,
                f64::from(cells) / tree.total_value.max(1) as f64,
            ),
        };
        let scale = match path.last() {
            Some(&node) => scale(tree, node, cells),
            None => f64::from(cells) / tree.total_value.max(1) as f64,
        };
        let mut next = first;
        while !next.is_empty() && self.rows.len() < DEEPEST {
            self.rows.push(next.iter().map(|(piece, _)| *piece).collect());
            next = next
                .iter()
                .flat_map(|(piece, start)| beside(tree, tree.children(piece.node), *start, scale))
                .collect();
        }
        self.find_cursor(tree);
    }

    /// So many depths are on the screen: the one with the cursor is among them.
    pub(super) fn settle(&mut self, height: usize) {
        let height = height.max(1);
        self.offset = self
            .offset
            .min(self.rows.len().saturating_sub(height))
            .min(self.at.0)
            .max((self.at.0 + 1).saturating_sub(height));
    }

    /// Moves the cursor.
    pub(super) fn go(&mut self, forest: &Forest, way: Way) {
        let Some((_, tree)) = forest.trees.get(self.tree) else {
            return;
        };
        match way {
            Way::Aside(steps) => {
                let last = self
                    .rows
                    .get(self.at.0)
                    .map_or(0, |row| row.len().saturating_sub(1));
                self.at.1 = self.at.1.saturating_add_signed(steps).min(last);
            }
            Way::Inward(steps) => {
                for _ in 0..steps.unsigned_abs().min(DEEPEST) {
                    let to = if steps > 0 {
                        self.widest_inward(tree)
                    } else {
                        self.outward(tree)
                    };
                    let Some(to) = to else { break };
                    self.at = to;
                }
            }
        }
        self.remember(tree);
    }

    /// The cursor goes to the frame at this depth and cell, if there is one.
    pub(super) fn go_to(&mut self, forest: &Forest, depth: usize, cell: u16) -> bool {
        let holds = |piece: &Piece| (piece.start..piece.start + piece.width).contains(&cell);
        let place = self.rows.get(depth).and_then(|row| row.iter().position(holds));
        if let (Some(place), Some((_, tree))) = (place, forest.trees.get(self.tree)) {
            self.at = (depth, place);
            self.remember(tree);
        }
        place.is_some()
    }

    /// The cursor goes to the next frame that is looked for, or so many on or back; after the last comes the first.
    pub(super) fn find(&mut self, forest: &Forest, steps: isize) {
        let Some((_, tree)) = forest.trees.get(self.tree) else {
            return;
        };
        let mut places = Vec::new();
        for (depth, row) in self.rows.iter().enumerate() {
            let found = row.iter().enumerate();
            let found = found.filter(|(_, piece)| self.is_found(tree.nodes[piece.node as usize].name));
            places.extend(found.map(|(place, _)| (depth, place)));
        }
        if let Some(next) = finding::next(&places, &self.at, steps) {
            self.at = next;
            self.remember(tree);
        }
    }

    /// Zooms into the frame under the cursor, or out if that is what is zoomed into.
    pub(super) fn zoom(&mut self) {
        if self.zooms.last() == Some(&self.cursor) {
            self.zooms.pop();
        } else if !self.cursor.is_empty() {
            self.zooms.push(self.cursor.clone());
        }
    }

    /// Zooms out by a step. Whether there was one.
    pub(super) fn unzoom(&mut self) -> bool {
        self.zooms.pop().is_some()
    }

    fn look_for(&mut self, tree: &Tree, filter: &Text) {
        self.found.clear();
        self.found_value = 0;
        if filter.is_empty() {
            return;
        }
        let is_in = |name: &Name| filter.is_in(&name.label) || filter.is_in(&name.module);
        self.found = tree.names.iter().map(is_in).collect();
        // What lies under two of them counts once.
        let mut covered: Vec<bool> = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let above = node.parent.is_some_and(|parent| covered[parent as usize]);
            let found = self.found[node.name as usize];
            if found && !above {
                self.found_value = self.found_value.saturating_add(node.total_value);
            }
            covered.push(above || found);
        }
    }

    /// Where the path of the cursor leads now; as far as it does.
    fn find_cursor(&mut self, tree: &Tree) {
        let widest = self.rows.first().and_then(|row| {
            // Of equals the first.
            let pieces = row.iter().enumerate().rev();
            pieces
                .max_by_key(|(_, piece)| piece.width)
                .map(|(place, _)| place)
        });
        self.at = (0, widest.unwrap_or(0));
        if self.cursor.is_empty() {
            return self.remember(tree);
        }
        let path = follow(tree, &self.cursor);
        for (depth, node) in path.into_iter().enumerate() {
            let Some(row) = self.rows.get(depth) else { break };
            let Some(place) = row.iter().position(|piece| piece.node == node) else {
                break;
            };
            self.at = (depth, place);
        }
    }

    fn widest_inward(&self, tree: &Tree) -> Option<(usize, usize)> {
        let here = self.piece()?;
        let row = self.rows.get(self.at.0 + 1)?;
        let inward = row.iter().enumerate();
        let inward = inward.filter(|(_, piece)| tree.nodes[piece.node as usize].parent == Some(here.node));
        // Of equals the first.
        let widest = inward.rev().max_by_key(|(_, piece)| piece.width)?;
        Some((self.at.0 + 1, widest.0))
    }

    fn outward(&self, tree: &Tree) -> Option<(usize, usize)> {
        let parent = tree.nodes[self.piece()?.node as usize].parent?;
        let depth = self.at.0.checked_sub(1)?;
        let place = self.rows[depth].iter().position(|piece| piece.node == parent)?;
        Some((depth, place))
    }

    fn remember(&mut self, tree: &Tree) {
        if let Some(piece) = self.piece() {
            self.cursor = tree
                .path(piece.node)
                .map(|node| tree.name(node).clone())
                .collect();
            self.cursor.reverse();
        }
    }
}

/// The nodes along a path of names, as far as it leads.
fn follow(tree: &Tree, names: &[Name]) -> Vec<u32> {
    let mut path = Vec::with_capacity(names.len());
    let mut candidates = &tree.roots[..];
    for name in names {
        let Some(&node) = candidates.iter().find(|&&node| tree.name(node) == name) else {
            break;
        };
        path.push(node);
        candidates = tree.children(node);
    }
    path
}

/// Cells for a unit of value, if `node` is as wide as the screen.
fn scale(tree: &Tree, node: u32, cells: u16) -> f64 {
    f64::from(cells) / tree.nodes[node as usize].total_value.max(1) as f64
}

/// Siblings side by side from `start` on, in the order of their names, so that they keep their places when their shares
/// change; with where each really starts. Those that are too narrow leave their room blank at the end.
fn beside(tree: &Tree, siblings: &[u32], start: f64, scale: f64) -> Vec<(Piece, f64)> {
    let width = |node: u32| tree.nodes[node as usize].total_value as f64 * scale;
    // They come widest first.
    let mut wide: Vec<u32> = siblings
        .iter()
        .copied()
        .take_while(|&node| width(node) >= NARROWEST)
        .collect();
    wide.sort_by(|&a, &b| {
        let (a, b) = (tree.name(a), tree.name(b));
        (&a.label, &a.module).cmp(&(&b.label, &b.module))
    });
    let mut pieces = Vec::with_capacity(wide.len());
    let mut from = start;
    for node in wide {
        let to = from + width(node);
        let (first, end) = (from.round() as u16, to.round() as u16);
        if end > first {
            let piece = Piece {
                node,
                start: first,
                width: end - first,
            };
            pieces.push((piece, from));
        }
        from = to;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::folded::from_folded,
        query::{Direction, Selection},
        tui::forest::Reading,
    };

    fn forest(text: &str) -> Forest {
        let tree = Tree::build(&from_folded(text), &Selection::default(), Direction::TopDown);
        Forest::whole(tree, Reading::Paths)
    }

    fn rows(flame: &Flame, forest: &Forest) -> Vec<String> {
        let tree = &forest.trees[flame.tree()].1;
        let text = |piece: &Piece| format!("{}@{}+{}", tree.name(piece.node).label, piece.start, piece.width);
        let row = |row: &Vec<Piece>| row.iter().map(text).collect::<Vec<_>>().join(" ");
        flame.rows().iter().map(row).collect()
    }

    fn under_cursor(flame: &Flame, forest: &Forest) -> String {
        let piece = flame.piece().unwrap();
        forest.trees[flame.tree()].1.name(piece.node).label.clone()
    }

    const APP: &str = "app;main;z 2\napp;main;a;x 5\napp;main 3";

    #[test]
    fn frames_are_as_wide_as_their_shares_in_the_order_of_their_names() {
        let forest = forest(APP);
        let mut flame = Flame::default();
        flame.arrange(&forest, false, &Text::default(), 100);
        assert_eq!(rows(&flame, &forest), ["main@0+100", "a@0+50 z@50+20", "x@0+50"]);
    }

    #[test]
    fn a_frame_that_is_zoomed_into_is_as_wide_as_the_screen() {
        let forest = forest(APP);
        let mut flame = Flame::default();
        let nothing = Text::default();
        flame.arrange(&forest, false, &nothing, 100);
        flame.go(&forest, Way::Inward(1));
        assert_eq!(under_cursor(&flame, &forest), "a");
        flame.go(&forest, Way::Aside(9));
        assert_eq!(under_cursor(&flame, &forest), "z");
        flame.go(&forest, Way::Aside(-1));
        flame.zoom();
        flame.arrange(&forest, false, &nothing, 100);
        assert_eq!(rows(&flame, &forest), ["main@0+100", "a@0+100", "x@0+100"]);
        assert_eq!(
            (
                under_cursor(&flame, &forest).as_str(),
                flame.zoomed().unwrap().label.as_str()
            ),
            ("a", "a")
        );
        assert!(flame.unzoom() && !flame.unzoom());
    }

    #[test]
    fn the_cursor_and_the_zoom_find_their_frames_when_samples_come() {
        let before = forest(APP);
        let mut flame = Flame::default();
        let nothing = Text::default();
        flame.arrange(&before, false, &nothing, 100);
        flame.go(&before, Way::Inward(9));
        assert_eq!(under_cursor(&flame, &before), "x");
        let after = forest(&format!("other;start 90\n{APP}"));
        flame.arrange(&after, false, &nothing, 100);
        assert_eq!(under_cursor(&flame, &after), "x");
        // What is not there any more leads to the nearest that is.
        let later = forest("app;main;a 5");
        flame.zoom();
        flame.arrange(&later, false, &nothing, 100);
        assert_eq!(
            (
                under_cursor(&flame, &later).as_str(),
                rows(&flame, &later)[1].as_str()
            ),
            ("a", "a@0+100")
        );
        flame.arrange(&Forest::default(), false, &nothing, 100);
        assert_eq!(flame.piece(), None);
    }

    #[test]
    fn what_is_found_counts_once_however_often_it_is_on_a_path() {
        let forest = forest("app;main;f;g;f 5\napp;main;h 5");
        let mut flame = Flame::default();
        flame.arrange(&forest, false, &Text::new("f"), 100);
        let share = flame.found_value().unwrap() as f64 / forest.total_value as f64;
        assert!((share - 0.5).abs() < 1e-9, "{share}");
        flame.arrange(&forest, false, &Text::default(), 100);
        assert_eq!(flame.found_value(), None);
    }

    #[test]
    fn the_screen_follows_the_cursor() {
        let forest = forest("app;a;b;c;d;e;f 1");
        let mut flame = Flame::default();
        flame.arrange(&forest, false, &Text::default(), 10);
        flame.go(&forest, Way::Inward(5));
        flame.settle(3);
        assert_eq!(flame.offset(), 3);
        flame.go(&forest, Way::Inward(-5));
        flame.settle(3);
        assert_eq!(flame.offset(), 0);
    }
}
