//! The paths by which the samples came to be where they were.

use std::{cmp::Reverse, collections::hash_map::Entry};

use rustc_hash::FxHashMap;

use super::{
    Name, Names, Selection,
    weight::{Ended, Weight, weigh},
};
use crate::profile::{Id, Outcome, Profile, Stack};

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
    /// The nodes that hang from it, by total value, largest first, then by name.
    pub children: Vec<u32>,
    /// Value of the samples whose path ends here: `total_value` less that of the children.
    pub self_value: u64,
    /// Value of the samples whose path comes through here.
    pub total_value: u64,
    /// How many samples `self_value` is.
    pub self_samples: u64,
    /// How many samples `total_value` is.
    pub samples: u64,
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
        let tree = top_down(profile, selection);
        match direction {
            Direction::TopDown => tree.finish(),
            Direction::BottomUp => tree.invert().finish(),
        }
    }

    /// The name of a node.
    pub fn name(&self, node: u32) -> &Name {
        &self.names[self.nodes[node as usize].name as usize]
    }

    /// The node and its ancestors, the root last.
    pub fn path(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(node), |&node| self.nodes[node as usize].parent)
    }
}

impl Tree {
    /// Gives every node its children, and children their order.
    fn hang(&mut self) {
        let mut counts = vec![0; self.nodes.len()];
        for parent in self.nodes.iter().filter_map(|node| node.parent) {
            counts[parent as usize] += 1;
        }
        for (node, count) in self.nodes.iter_mut().zip(counts) {
            node.children.reserve_exact(count);
        }
        for node in 0..self.nodes.len() as u32 {
            match self.nodes[node as usize].parent {
                Some(parent) => self.nodes[parent as usize].children.push(node),
                None => self.roots.push(node),
            }
        }
        let ranks = ranks(&self.names);
        let key = |nodes: &[Node], node: u32| {
            let Node {
                name, total_value, ..
            } = nodes[node as usize];
            (Reverse(total_value), ranks[name as usize])
        };
        self.roots.sort_unstable_by_key(|&root| key(&self.nodes, root));
        for index in 0..self.nodes.len() {
            if self.nodes[index].children.len() > 1 {
                let mut children = std::mem::take(&mut self.nodes[index].children);
                children.sort_unstable_by_key(|&child| key(&self.nodes, child));
                self.nodes[index].children = children;
            }
        }
    }
}

/// A tree that still grows.
struct Growing {
    names: Vec<Name>,
    nodes: Vec<(u32, Option<u32>, Weight)>,
    /// For each node its latest child, its sibling before it, and how many children it has. Most have one or two, which
    /// are found faster so than by a search.
    family: Vec<(u32, u32, u32)>,
    /// Children beyond the first [`FEW`] of their parents, and roots; by [`edge`].
    children: FxHashMap<u64, u32>,
}

/// So many children are looked through one by one.
const FEW: u32 = 6;
/// No child, no sibling.
const NONE: u32 = u32::MAX;

/// A parent and the name of a child as one number, which hashes faster than a pair. No parent is none of the nodes.
fn edge(parent: Option<u32>, name: u32) -> u64 {
    u64::from(parent.unwrap_or(u32::MAX)) << 32 | u64::from(name)
}

impl Growing {
    fn new(names: Vec<Name>) -> Self {
        Self {
            names,
            nodes: Vec::new(),
            family: Vec::new(),
            children: FxHashMap::default(),
        }
    }

    fn child(&mut self, parent: Option<u32>, name: u32) -> u32 {
        let (latest, _, count) = parent.map_or((NONE, NONE, FEW), |parent| self.family[parent as usize]);
        let mut next = latest;
        while next != NONE {
            if self.nodes[next as usize].0 == name {
                return next;
            }
            next = self.family[next as usize].1;
        }
        let node = self.nodes.len() as u32;
        match parent {
            Some(parent) if count < FEW => {
                let family = &mut self.family[parent as usize];
                (family.0, family.2) = (node, count + 1);
            }
            _ => match self.children.entry(edge(parent, name)) {
                Entry::Occupied(known) => return *known.get(),
                Entry::Vacant(new) => {
                    new.insert(node);
                }
            },
        }
        assert!(node < u32::MAX, "more nodes than fit into memory");
        self.nodes.push((name, parent, Weight::default()));
        // Those that are found by a search are nobody's sibling.
        let before = if count < FEW { latest } else { NONE };
        self.family.push((NONE, before, 0));
        node
    }

    fn invert(self) -> Self {
        let mut inverted = Self::new(self.names);
        for start in 0..self.nodes.len() {
            let weight = self.nodes[start].2;
            if weight.samples == 0 {
                continue;
            }
            let (mut from, mut to) = (Some(start as u32), None);
            while let Some(node) = from {
                let (name, parent, _) = self.nodes[node as usize];
                to = Some(inverted.child(to, name));
                from = parent;
            }
            let end = to.expect("a path has at least the node it starts from");
            inverted.nodes[end as usize].2.add(weight);
        }
        inverted
    }

    fn finish(self) -> Tree {
        let mut totals: Vec<Weight> = self.nodes.iter().map(|&(_, _, own)| own).collect();
        let mut sum = Weight::default();
        // Children come after their parents: backwards, every total is whole before it is passed on.
        for index in (0..totals.len()).rev() {
            let total = totals[index];
            match self.nodes[index].1 {
                Some(parent) => totals[parent as usize].add(total),
                None => sum.add(total),
            }
        }
        let mut tree = Tree {
            nodes: Vec::with_capacity(totals.len()),
            roots: Vec::new(),
            names: self.names,
            total_value: sum.value,
            total_samples: sum.samples,
        };
        for (&(name, parent, own), total) in self.nodes.iter().zip(&totals) {
            tree.nodes.push(Node {
                name,
                parent,
                children: Vec::new(),
                self_value: own.value,
                total_value: total.value,
                self_samples: own.samples,
                samples: total.samples,
            });
        }
        tree.hang();
        tree
    }
}

/// The place of each name in alphabetical order.
fn ranks(names: &[Name]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..names.len() as u32).collect();
    order.sort_by_key(|&name| {
        let name = &names[name as usize];
        (&name.label, &name.module)
    });
    let mut ranks = vec![0; order.len()];
    for (rank, name) in (0..).zip(order) {
        ranks[name as usize] = rank;
    }
    ranks
}

fn top_down(profile: &Profile, selection: &Selection) -> Growing {
    let mut names = Names::new(profile);
    let mut tree = Growing::new(Vec::new());
    let weights = weigh(profile, selection);
    for stacks in weights.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
        let outcome = stacks[0].0.0;
        grow(profile, selection, outcome, stacks, &mut names, &mut tree);
    }
    tree.names = names.into_names();
    tree
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
    tree.nodes.reserve(wanted.len());
    tree.family.reserve(wanted.len());
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
        tree.nodes[place as usize].2.add(weight);
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
            stack.extend(node.children.iter().rev().map(|&child| (depth + 1, child)));
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
            for node in &tree.nodes {
                let children: u64 = node
                    .children
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
