//! Which nodes of the trees are on the screen: those whose branches are open.

use std::hash::{Hash as _, Hasher as _};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::{forest::Forest, matching::Text};
use crate::query::{Name, Tree};

/// A branch opens by itself if it has so many percent of all that stands beside it, itself included.
const LEADS: u128 = 90;
/// And stays open as long as it has so many.
const LEADS_ON: u128 = 50;

/// Whether a branch shows what hangs from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branch {
    /// Nothing hangs from it.
    Leaf,
    /// Its children are not shown.
    Closed,
    /// Its children are shown.
    Open,
}

/// One node on the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct BranchRow {
    /// Which tree of the forest.
    pub(super) tree: usize,
    /// Which node of the tree.
    pub(super) node: u32,
    /// How many steps it stands inward. Only children of only children stand below each other without steps, so
    /// that deep stacks fit on the screen.
    pub(super) indent: usize,
    /// Where its parent is on the screen.
    pub(super) parent: Option<usize>,
    /// Whether it shows what hangs from it.
    pub(super) branch: Branch,
    /// Names the path to it, whatever the numbers of the nodes.
    pub(super) path: u64,
}

/// Which branches are open: those that were opened by hand, and those that leave nothing to choose.
#[derive(Debug, Default)]
pub(super) struct Branches {
    /// What was opened (`true`) and closed by hand.
    chosen: FxHashMap<u64, bool>,
    /// What opened by itself, in the latest rows.
    opened: FxHashSet<u64>,
}

impl Branches {
    /// Opens what is closed, closes what is open.
    pub(super) fn toggle(&mut self, row: &BranchRow) {
        self.chosen.insert(row.path, row.branch == Branch::Closed);
    }

    /// Opens `row`, and on along the hottest path as long as one child has at least half of its parent.
    pub(super) fn open_hottest(&mut self, forest: &Forest, row: &BranchRow) {
        self.chosen.insert(row.path, true);
        let tree = &forest.trees[row.tree].1;
        let (mut node, mut path) = (row.node, row.path);
        while let [hottest, ..] = tree.children(node) {
            let hot = &tree.nodes[*hottest as usize];
            if hot.total_value < tree.nodes[node as usize].total_value / 2
                || tree.children(*hottest).is_empty()
            {
                break;
            }
            path = step(path, tree.name(*hottest));
            self.chosen.insert(path, true);
            node = *hottest;
        }
    }

    /// The rows on the screen, of which only those stay that have to do with `filter`: a match, what leads to it, and
    /// what hangs from it.
    pub(super) fn rows(&mut self, forest: &Forest, filter: &Text) -> Vec<BranchRow> {
        let mut rows = Vec::new();
        let mut opened = FxHashSet::default();
        for (index, (reading, tree)) in forest.trees.iter().enumerate() {
            let kept = Kept::of(tree, filter);
            let roots = kept.of_children(&tree.roots).collect();
            let mut pending = self.beside(tree, roots, *reading as u64, None, 0);
            while let Some(next) = pending.pop() {
                let children: Vec<u32> = kept.of_children(tree.children(next.node)).collect();
                let open_by_itself = next.leads || kept.leads_to_match(&children);
                let open = self.chosen.get(&next.path).copied().unwrap_or(open_by_itself);
                let branch = match (children.is_empty(), open) {
                    (true, _) => Branch::Leaf,
                    (false, true) => Branch::Open,
                    (false, false) => Branch::Closed,
                };
                let this = rows.len();
                rows.push(BranchRow {
                    tree: index,
                    node: next.node,
                    indent: next.indent,
                    parent: next.parent,
                    branch,
                    path: next.path,
                });
                if branch == Branch::Open {
                    if next.leads {
                        opened.insert(next.path);
                    }
                    let chain = children.len() == 1 && next.alone && next.parent.is_some();
                    let indent = next.indent + usize::from(!chain);
                    pending.extend(self.beside(tree, children, next.path, Some(this), indent));
                }
            }
        }
        self.opened = opened;
        rows
    }

    /// What stands in one place, the last first. Where nearly all of it goes one way, that way opens by itself: there is
    /// nothing to choose. What has opened so stays open for longer: shares of what happens now go up and down.
    fn beside(
        &self,
        tree: &Tree,
        nodes: Vec<u32>,
        above: u64,
        parent: Option<usize>,
        indent: usize,
    ) -> Vec<Pending> {
        let value = |node: u32| tree.nodes[node as usize].total_value;
        let all = nodes.iter().map(|&node| u128::from(value(node))).sum::<u128>();
        let pending = nodes.iter().rev().map(|&node| {
            let path = step(above, tree.name(node));
            let percent = if self.opened.contains(&path) {
                LEADS_ON
            } else {
                LEADS
            };
            Pending {
                node,
                indent,
                parent,
                path,
                alone: nodes.len() == 1,
                leads: u128::from(value(node)) * 100 >= all * percent,
            }
        });
        pending.collect()
    }
}

struct Pending {
    node: u32,
    indent: usize,
    parent: Option<usize>,
    path: u64,
    /// Whether nothing stands beside it.
    alone: bool,
    /// Whether nearly nothing does.
    leads: bool,
}

/// What a filter leaves of a tree. Without a filter it costs nothing.
struct Kept {
    /// For each node: whether it is kept, and whether it or something below it matches.
    nodes: Option<Vec<(bool, bool)>>,
}

impl Kept {
    fn of(tree: &Tree, filter: &Text) -> Self {
        if filter.is_empty() {
            return Self { nodes: None };
        }
        let names: Vec<bool> = tree
            .names
            .iter()
            .map(|name| filter.is_in(&name.label) || filter.is_in(&name.module))
            .collect();
        let mut leads: Vec<bool> = tree.nodes.iter().map(|node| names[node.name as usize]).collect();
        for index in (0..leads.len()).rev() {
            if let Some(parent) = tree.nodes[index].parent
                && leads[index]
            {
                leads[parent as usize] = true;
            }
        }
        let mut below: Vec<bool> = Vec::with_capacity(leads.len());
        for node in &tree.nodes {
            let inherited = node.parent.is_some_and(|parent| below[parent as usize]);
            below.push(inherited || names[node.name as usize]);
        }
        let nodes = below.into_iter().zip(leads);
        Self {
            nodes: Some(nodes.map(|(below, leads)| (below || leads, leads)).collect()),
        }
    }

    fn of_children<'a>(&'a self, children: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        let kept = |node: &u32| self.nodes.as_ref().is_none_or(|nodes| nodes[*node as usize].0);
        children.iter().copied().filter(kept)
    }

    fn leads_to_match(&self, children: &[u32]) -> bool {
        self.nodes
            .as_ref()
            .is_some_and(|nodes| children.iter().any(|&child| nodes[child as usize].1))
    }
}

fn step(path: u64, name: &Name) -> u64 {
    let mut hasher = FxHasher::default();
    (path, name).hash(&mut hasher);
    hasher.finish()
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
        let profile = from_folded(text);
        let tree = Tree::build(&profile, &Selection::default(), Direction::TopDown);
        Forest::whole(tree, Reading::Paths)
    }

    fn drawn(forest: &Forest, branches: &mut Branches, filter: &str) -> Vec<String> {
        branches
            .rows(forest, &Text::new(filter))
            .iter()
            .map(|row| {
                let name = forest.trees[row.tree].1.name(row.node);
                let sign = match row.branch {
                    Branch::Leaf => ' ',
                    Branch::Closed => '+',
                    Branch::Open => '-',
                };
                format!("{}{sign}{}", " ".repeat(row.indent), name.label)
            })
            .collect()
    }

    const TEXT: &str = "app;_start;main;f;f1;f2 6\napp;_start;main;g;g1 3\napp;_start;main;g;g2 1";

    #[test]
    fn only_children_are_open_and_do_not_step_inward() {
        let forest = forest(TEXT);
        let drawn = drawn(&forest, &mut Branches::default(), "");
        assert_eq!(drawn, ["-_start", " -main", "  +f", "  +g"]);
    }

    #[test]
    fn opening_follows_the_hottest_path_and_closing_takes_it_back() {
        let forest = forest(TEXT);
        let mut branches = Branches::default();
        let rows = branches.rows(&forest, &Text::default());
        branches.open_hottest(&forest, &rows[2]);
        assert_eq!(
            drawn(&forest, &mut branches, ""),
            ["-_start", " -main", "  -f", "   -f1", "    f2", "  +g"]
        );
        let rows = branches.rows(&forest, &Text::default());
        branches.toggle(&rows[2]);
        assert_eq!(drawn(&forest, &mut branches, "")[2], "  +f");
    }

    /// Two roots, one of which has this many percent.
    fn two_roots(percent: u32) -> Forest {
        forest(&format!(
            "app;_start;main;f;f1 {}\napp;_start;main;g;g1 40\nirq;entry;handler {}",
            percent - 40,
            100 - percent
        ))
    }

    #[test]
    fn a_path_that_has_nearly_all_is_open_to_where_it_branches() {
        let open = ["-_start", " -main", "  +f", "  +g", "+entry"];
        let closed = ["+_start", "+entry"];
        assert_eq!(drawn(&two_roots(99), &mut Branches::default(), ""), open);
        assert_eq!(
            drawn(&two_roots(80), &mut Branches::default(), "")[..1],
            closed[..1]
        );
        // What has opened stays so while it leads at all, and what was closed by hand stays closed.
        let mut branches = Branches::default();
        for percent in [99, 80] {
            assert_eq!(drawn(&two_roots(percent), &mut branches, "")[0], "-_start");
        }
        let rows = branches.rows(&two_roots(99), &Text::default());
        branches.toggle(&rows[0]);
        assert_eq!(drawn(&two_roots(99), &mut branches, ""), closed);
        assert_eq!(drawn(&two_roots(80), &mut branches, ""), closed);
    }

    #[test]
    fn a_filter_keeps_matches_with_what_leads_to_them_and_hangs_from_them() {
        let forest = forest(TEXT);
        let mut branches = Branches::default();
        assert_eq!(
            drawn(&forest, &mut branches, "g2"),
            ["-_start", " -main", " -g", "  g2"]
        );
        assert_eq!(drawn(&forest, &mut branches, "nothing"), [""; 0]);
    }
}
