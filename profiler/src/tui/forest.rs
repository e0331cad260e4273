//! The trees of the stacks tab: all paths, or those around one function.

use rustc_hash::FxHashMap;

use crate::query::{Name, Node, Tree};

/// Which way a tree is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// From the outermost functions inward.
    Paths,
    /// From the functions that were executing outward.
    Inverted,
    /// From one function outward.
    Callers,
    /// From one function inward.
    Callees,
}

/// One or several trees, one below the other.
#[derive(Debug, Default)]
pub(super) struct Forest {
    pub(super) trees: Vec<(Reading, Tree)>,
    /// What shares are of.
    pub(super) total_value: u64,
}

impl Forest {
    /// All paths.
    pub(super) fn whole(tree: Tree, reading: Reading) -> Self {
        Self {
            total_value: tree.total_value,
            trees: vec![(reading, tree)],
        }
    }

    /// The callers and the callees of one function. Where it calls itself, the outermost call is meant, so that
    /// nothing counts twice. Shares are of all samples, not of those in the function. `tree` is the call tree.
    pub(super) fn around(tree: &Tree, function: &Name) -> Self {
        let Some(wanted) = tree.names.iter().position(|name| name == function) else {
            return Self::default();
        };
        let mut callers = Growing::default();
        let mut callees = Growing::default();
        // Where in the callees each node of the tree is; parents come first.
        let mut places: Vec<Option<u32>> = Vec::with_capacity(tree.nodes.len());
        for (index, node) in tree.nodes.iter().enumerate() {
            let above = node.parent.and_then(|parent| places[parent as usize]);
            let place = match above {
                Some(above) => Some(callees.child(Some(above), node.name)),
                None if node.name as usize == wanted => {
                    let mut end = None;
                    for node in tree.path(index as u32) {
                        end = Some(callers.child(end, tree.nodes[node as usize].name));
                    }
                    if let Some(end) = end {
                        callers.add(end, node.total_value, node.samples);
                    }
                    Some(callees.child(None, node.name))
                }
                None => None,
            };
            if let Some(place) = place {
                callees.add(place, node.self_value, node.self_samples);
            }
            places.push(place);
        }
        Self {
            total_value: tree.total_value,
            trees: vec![
                (Reading::Callers, callers.finish(&tree.names)),
                (Reading::Callees, callees.finish(&tree.names)),
            ],
        }
    }
}

/// A tree that still grows.
#[derive(Default)]
pub(super) struct Growing {
    nodes: Vec<Node>,
    children: FxHashMap<(Option<u32>, u32), u32>,
}

impl Growing {
    /// The child with this name, which is added if it is new.
    pub(super) fn child(&mut self, parent: Option<u32>, name: u32) -> u32 {
        *self.children.entry((parent, name)).or_insert_with(|| {
            self.nodes.push(Node {
                name,
                parent,
                children: Vec::new(),
                self_value: 0,
                total_value: 0,
                self_samples: 0,
                samples: 0,
            });
            u32::try_from(self.nodes.len() - 1).expect("fewer nodes than the tree this is taken from")
        })
    }

    /// So much ends at `node`.
    pub(super) fn add(&mut self, node: u32, value: u64, samples: u64) {
        let node = &mut self.nodes[node as usize];
        node.self_value = node.self_value.saturating_add(value);
        node.self_samples += samples;
    }

    /// Numbers the names anew, without those that no node has: there are many more than a function has to do with.
    fn own_names(&mut self, names: &[Name]) -> Vec<Name> {
        let mut own = Vec::new();
        let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
        for node in &mut self.nodes {
            node.name = *numbers.entry(node.name).or_insert_with(|| {
                own.push(names[node.name as usize].clone());
                u32::try_from(own.len() - 1).expect("fewer names than before")
            });
        }
        own
    }

    /// By total value, largest first, then by name.
    fn sort(&self, siblings: &mut [u32], names: &[Name]) {
        siblings.sort_by(|&a, &b| {
            let (a, b) = (&self.nodes[a as usize], &self.nodes[b as usize]);
            let name = |node: &Node| {
                let name = &names[node.name as usize];
                (&name.label, &name.module)
            };
            b.total_value
                .cmp(&a.total_value)
                .then_with(|| name(a).cmp(&name(b)))
        });
    }

    /// The tree, whose nodes were named by their places in `names`.
    pub(super) fn finish(mut self, names: &[Name]) -> Tree {
        for index in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[index];
            node.total_value = node.total_value.saturating_add(node.self_value);
            node.samples += node.self_samples;
            let (total, samples) = (node.total_value, node.samples);
            if let Some(parent) = node.parent {
                let parent = &mut self.nodes[parent as usize];
                parent.total_value = parent.total_value.saturating_add(total);
                parent.samples += samples;
            }
        }
        let names = self.own_names(names);
        let mut roots = Vec::new();
        for node in 0..self.nodes.len() {
            match self.nodes[node].parent {
                Some(parent) => self.nodes[parent as usize].children.push(node as u32),
                None => roots.push(node as u32),
            }
        }
        for node in 0..self.nodes.len() {
            let mut children = std::mem::take(&mut self.nodes[node].children);
            self.sort(&mut children, &names);
            self.nodes[node].children = children;
        }
        self.sort(&mut roots, &names);
        let sum = |of: fn(&Node) -> u64| roots.iter().map(|&root| of(&self.nodes[root as usize])).sum();
        Tree {
            total_value: sum(|node| node.total_value),
            total_samples: sum(|node| node.samples),
            names,
            roots,
            nodes: self.nodes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::folded::{PERIOD_NS, from_folded},
        query::{Direction, Selection},
    };

    fn around(text: &str, function: &str) -> Vec<String> {
        let profile = from_folded(text);
        let tree = Tree::build(&profile, &Selection::default(), Direction::TopDown);
        let name = tree.names.iter().find(|name| name.label == function).unwrap();
        let forest = Forest::around(&tree, name);
        let mut lines = Vec::new();
        for (reading, tree) in &forest.trees {
            for (index, node) in tree.nodes.iter().enumerate() {
                let path: Vec<_> = tree
                    .path(index as u32)
                    .map(|node| tree.name(node).label.as_str())
                    .collect();
                let count = node.total_value / PERIOD_NS;
                lines.push(format!("{reading:?} {} {count}", path.join("<")));
            }
        }
        lines
    }

    #[test]
    fn a_function_has_its_callers_and_its_callees() {
        let lines = around("app;main;f;g 3\napp;main;h;f 2\napp;main;h 9", "f");
        assert_eq!(
            lines,
            [
                "Callers f 5",
                "Callers main<f 3",
                "Callers h<f 2",
                "Callers main<h<f 2",
                "Callees f 5",
                "Callees g<f 3",
            ]
        );
    }

    #[test]
    fn a_function_that_calls_itself_counts_once() {
        let lines = around("app;main;f;f;g 3", "f");
        assert_eq!(
            lines,
            [
                "Callers f 3",
                "Callers main<f 3",
                "Callees f 3",
                "Callees f<f 3",
                "Callees g<f<f 3",
            ]
        );
    }
}
