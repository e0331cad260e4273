//! The paths by which the samples came to be where they were.

mod growing;
mod hottest;

use super::{
    Name, Names, Selection,
    weight::{Ended, Weight, Weights},
};
use crate::profile::{Id, Outcome, Profile, Stack};
pub(crate) use growing::Growing;

/// From which end a [`Tree`] grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Roots are the outermost functions, children their callees: the call tree.
    TopDown,
    /// Roots are the functions that were executing, children their callers.
    BottomUp,
}

/// One function on one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name's number: see [`Tree::name`].
    pub name: u32,
    /// The node it hangs from; always one with a smaller number.
    pub parent: Option<u32>,
    /// Where in the tree's list the nodes stand that hang from it, and how many there are: see [`Tree::children`].
    children: (u32, u32),
    /// Value of the samples whose path ends here: `total_value` less that of the children.
    pub self_value: u64,
    /// Value of the samples whose path comes through here.
    pub total_value: u64,
    /// How many samples `self_value` is.
    pub self_samples: u64,
    /// How many samples `total_value` is.
    pub samples: u64,
}

impl Node {
    /// What ends here.
    pub(crate) fn own(&self) -> Weight {
        Weight {
            value: self.self_value,
            samples: self.self_samples,
        }
    }

    /// What comes through here.
    pub(crate) fn total(&self) -> Weight {
        Weight {
            value: self.total_value,
            samples: self.samples,
        }
    }
}

/// Every path of the selected samples, merged by function (label and module).
///
/// Stacks that were cut short have no place among those that begin at a thread's root: their outermost caller is
/// a node `[incomplete: …]` that says why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// All nodes; a parent comes before its children.
    pub nodes: Vec<Node>,
    /// The nodes without a parent, by total value, largest first, then by name.
    pub roots: Vec<u32>,
    /// The nodes that hang from others, those of one parent beside each other.
    children: Vec<u32>,
    /// The names that nodes refer to.
    pub names: Vec<Name>,
    /// Value of all selected samples: the sum over the roots.
    pub total_value: u64,
    /// How many samples were selected.
    pub total_samples: u64,
}

impl Tree {
    /// The tree of the selected samples. Time grows with the number of distinct stack nodes, not with depth times
    /// samples.
    pub fn build(profile: &Profile, selection: &Selection, direction: Direction) -> Self {
        Self::of_weights(profile, selection, &Weights::of(profile, selection), direction)
    }

    /// As [`Self::build`], of what was added up for this selection.
    pub fn of_weights(
        profile: &Profile,
        selection: &Selection,
        weights: &Weights,
        direction: Direction,
    ) -> Self {
        let (tree, names) = top_down(profile, selection, weights);
        match direction {
            Direction::TopDown => tree.finish(names),
            Direction::BottomUp => tree.invert().finish(names),
        }
    }

    /// The name of a node.
    pub fn name(&self, node: u32) -> &Name {
        &self.names[self.nodes[node as usize].name as usize]
    }

    /// The nodes that hang from a node, by total value, largest first, then by name.
    pub fn children(&self, node: u32) -> &[u32] {
        let (start, count) = self.nodes[node as usize].children;
        &self.children[start as usize..][..count as usize]
    }

    /// The node and its ancestors, the root last.
    pub fn path(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(node), |&node| self.nodes[node as usize].parent)
    }
}

/// The call tree of stacks sorted by outcome, and the names of its nodes.
fn top_down(profile: &Profile, selection: &Selection, weights: &Weights) -> (Growing, Vec<Name>) {
    let mut names = Names::new(profile);
    let mut tree = Growing::default();
    for stacks in weights.by_end().chunk_by(|((a, _), _), ((b, _), _)| a == b) {
        let outcome = stacks[0].0.0;
        grow(profile, selection, outcome, stacks, &mut names, &mut tree);
    }
    (tree, names.into_names())
}

/// Adds stacks that ended alike. The profile's stacks share their prefixes, so each of its nodes is placed once.
fn grow(
    profile: &Profile,
    selection: &Selection,
    outcome: Outcome,
    stacks: &[(Ended, Weight)],
    names: &mut Names<'_>,
    tree: &mut Growing,
) {
    let root = (!outcome.is_whole()).then(|| {
        let number = names.number(Name::remark(format!("[incomplete: {}]", outcome.describe())));
        tree.child(None, number)
    });
    let mut wanted: Vec<Id<Stack>> = Vec::new();
    // The place of each stack in the tree: not wanted, wanted, or placed (at nothing, if no frame of it is shown).
    let mut places: Vec<Place> = vec![Place::NotWanted; profile.stacks.len()];
    for &((_, stack), _) in stacks {
        let mut next = stack;
        while let Some(id) = next.filter(|id| places[id.index()] == Place::NotWanted) {
            places[id.index()] = Place::Wanted;
            wanted.push(id);
            next = profile.stacks.get(id).and_then(|stack| stack.caller);
        }
    }
    wanted.sort_unstable();
    tree.reserve(wanted.len());
    for id in wanted {
        let Some(Stack { caller, location }) = profile.stacks.get(id) else {
            continue;
        };
        let mut place = caller.map_or(root, |caller| match places[caller.index()] {
            Place::At(node) => Some(node),
            _ => root,
        });
        if selection.shows(profile, location) {
            for &name in names.at(location).iter().rev() {
                place = Some(tree.child(place, name));
            }
        }
        places[id.index()] = place.map_or(Place::Nowhere, Place::At);
    }
    for &((_, stack), weight) in stacks {
        let place = match stack.map(|stack| places[stack.index()]) {
            // At the root of incomplete stacks, no frame was shown.
            Some(Place::At(node)) if Some(node) != root => node,
            _ => {
                let number = names.number(Name::remark(selection.nothing_left()));
                tree.child(root, number)
            }
        };
        tree.add(place, weight);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    NotWanted,
    Wanted,
    Nowhere,
    At(u32),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    /// Depth, label, self samples and total samples of each node, in display order.
    fn outline(tree: &Tree) -> Vec<String> {
        let mut lines = Vec::new();
        let mut stack: Vec<(usize, u32)> = tree.roots.iter().rev().map(|&root| (0, root)).collect();
        while let Some((depth, id)) = stack.pop() {
            let node = &tree.nodes[id as usize];
            let label = &tree.name(id).label;
            lines.push(format!(
                "{}{label} {}/{}",
                " ".repeat(depth),
                node.self_samples,
                node.samples
            ));
            stack.extend(tree.children(id).iter().rev().map(|&child| (depth + 1, child)));
        }
        lines
    }

    fn build(text: &str, direction: Direction) -> Vec<String> {
        outline(&Tree::build(&from_folded(text), &Selection::default(), direction))
    }

    #[test]
    fn nodes_with_many_children_have_each_once() {
        // More than are looked through one by one, each met twice and in another order.
        let order = (0..40).chain((0..40).rev());
        let text: Vec<String> = order
            .map(|callee| format!("a;main;f{callee:02};g{}", callee % 3))
            .collect();
        let drawn = build(&text.join("\n"), Direction::TopDown);
        assert_eq!(drawn.len(), 1 + 40 + 40);
        assert_eq!(drawn[..3], ["main 0/80", " f00 0/2", "  g0 2/2"]);
        let drawn = build(&text.join("\n"), Direction::BottomUp);
        assert_eq!(drawn.len(), 3 + 40 + 40);
        assert_eq!(drawn[..3], ["g0 0/28", " f00 0/2", "  main 2/2"]);
    }

    const TEXT: &str = "a;main;f;g 3\na;main;h;g 2\na;main;f 1\nb;main 1";

    #[test]
    fn top_down_it_is_the_call_tree() {
        // Modules differ: the two `main`s are two functions.
        assert_eq!(
            build(TEXT, Direction::TopDown),
            ["main 0/6", " f 1/4", "  g 3/3", " h 0/2", "  g 2/2", "main 1/1"]
        );
    }

    #[test]
    fn bottom_up_the_roots_are_what_was_executing() {
        assert_eq!(
            build(TEXT, Direction::BottomUp),
            [
                "g 0/5",
                " f 0/3",
                "  main 3/3",
                " h 0/2",
                "  main 2/2",
                "f 0/1",
                " main 1/1",
                "main 1/1"
            ]
        );
    }

    #[test]
    fn a_total_is_the_self_value_and_the_children() {
        for direction in [Direction::TopDown, Direction::BottomUp] {
            let tree = Tree::build(&from_folded(TEXT), &Selection::default(), direction);
            for (id, node) in (0..).zip(&tree.nodes) {
                let children: u64 = tree
                    .children(id)
                    .iter()
                    .map(|&child| tree.nodes[child as usize].total_value)
                    .sum();
                assert_eq!(node.total_value, node.self_value + children);
            }
            let roots: u64 = tree
                .roots
                .iter()
                .map(|&root| tree.nodes[root as usize].total_value)
                .sum();
            assert_eq!((roots, tree.total_samples), (tree.total_value, 7));
        }
    }

    #[test]
    fn stacks_cut_short_stand_apart_and_say_why() {
        let mut profile = from_folded("a;main;f 2\na;f 1");
        profile.samples[2].outcome = Outcome::NoUnwindInfo;
        let tree = Tree::build(&profile, &Selection::default(), Direction::TopDown);
        assert_eq!(
            outline(&tree),
            [
                "main 0/2",
                " f 2/2",
                "[incomplete: no unwind information] 0/1",
                " f 1/1"
            ]
        );
        let tree = Tree::build(&profile, &Selection::default(), Direction::BottomUp);
        assert_eq!(
            outline(&tree),
            ["f 0/3", " main 2/2", " [incomplete: no unwind information] 1/1"]
        );
    }

    #[test]
    fn samples_without_a_shown_frame_keep_their_place_in_the_total() {
        let mut profile = from_folded("kworker;work_[k] 2\na 1\na;main;read_[k] 1");
        profile.samples[3].outcome = Outcome::TooDeep;
        let selection = Selection {
            user: false,
            kernel: false,
            ..Selection::default()
        };
        let tree = Tree::build(&profile, &selection, Direction::TopDown);
        assert_eq!(
            outline(&tree),
            [
                "[no stack] 3/3",
                "[incomplete: deeper than the frame limit] 0/1",
                " [no stack] 1/1"
            ]
        );
    }

    #[test]
    fn a_stack_of_a_hundred_thousand_frames_is_no_danger() {
        let mut profile = from_folded("a;f;g 1");
        let [f, g] = [Id::new(0), Id::new(1)];
        let deep = profile
            .stacks
            .intern((0..100_000).map(|i| if i % 2 == 0 { f } else { g }));
        profile.samples[0].stack = deep;
        for direction in [Direction::TopDown, Direction::BottomUp] {
            let tree = Tree::build(&profile, &Selection::default(), direction);
            assert_eq!((tree.nodes.len(), tree.path(99_999).count()), (100_000, 100_000));
        }
    }

    #[test]
    fn an_empty_profile_gives_an_empty_tree() {
        let tree = Tree::build(&Profile::default(), &Selection::default(), Direction::TopDown);
        assert_eq!(tree, Tree::default());
    }
}
