//! Calls of a function by itself as one.

use crate::query::{Tree, tree::Growing};

/// The tree with every function that directly called itself as if it had not: what it called is called by the outermost of
/// these calls, and what they spent themselves is spent there.
pub(super) fn folded(tree: &Tree) -> Tree {
    let mut growing = Growing::default();
    // Where each node is; parents come first.
    let mut places: Vec<u32> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let place = match node.parent {
            Some(parent) if tree.nodes[parent as usize].name == node.name => places[parent as usize],
            parent => growing.child(parent.map(|parent| places[parent as usize]), node.name),
        };
        growing.add(place, node.own());
        places.push(place);
    }
    growing.finish(tree.names.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::folded::{PERIOD_NS, from_folded},
        query::{Direction, Selection},
    };

    #[test]
    fn calls_of_a_function_by_itself_are_one() {
        let profile = from_folded("app;main;f;f;f;g 3\napp;main;f;g;f 2\napp;main;f 1");
        let tree = Tree::build(&profile, &Selection::default(), Direction::TopDown);
        let folded = folded(&tree);
        let lines: Vec<String> = (0..folded.nodes.len())
            .map(|index| {
                let node = &folded.nodes[index];
                let path = folded
                    .path(index as u32)
                    .map(|node| folded.name(node).label.as_str());
                let path: Vec<_> = path.collect();
                let (own, total) = (node.self_value / PERIOD_NS, node.total_value / PERIOD_NS);
                format!("{} {own} {total}", path.join("<"))
            })
            .collect();
        assert_eq!(
            lines,
            ["main 0 6", "f<main 1 6", "g<f<main 3 5", "f<g<f<main 2 2"]
        );
        assert_eq!(folded.total_value, tree.total_value);
    }
}
