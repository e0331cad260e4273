//! The trees of the stacks tab: all paths, or those around one function.

use crate::query::{Name, Tree, tree::Growing};

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
                        callers.add(end, node.total());
                    }
                    Some(callees.child(None, node.name))
                }
                None => None,
            };
            if let Some(place) = place {
                callees.add(place, node.own());
            }
            places.push(place);
        }
        Self {
            total_value: tree.total_value,
            trees: vec![
                (Reading::Callers, callers.finish_few(&tree.names)),
                (Reading::Callees, callees.finish_few(&tree.names)),
            ],
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
