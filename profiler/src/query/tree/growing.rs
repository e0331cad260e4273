//! A tree that still grows: a node is found by its parent and its name, and weighs what was added to it.

use std::{cmp::Reverse, collections::hash_map::Entry};

use rustc_hash::FxHashMap;

use super::{Node, Tree};
use crate::query::{Name, weight::Weight};

/// A tree that still grows. Names are numbers, of a list that is given at the end.
#[derive(Default)]
pub(crate) struct Growing {
    /// Name, parent, and the weight of what ends there.
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
    /// Room for so many nodes more.
    pub(super) fn reserve(&mut self, nodes: usize) {
        self.nodes.reserve(nodes);
        self.family.reserve(nodes);
    }

    /// The child with this name, which is added if it is new; of no parent, a root.
    pub(crate) fn child(&mut self, parent: Option<u32>, name: u32) -> u32 {
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

    /// So much ends at `node`.
    pub(crate) fn add(&mut self, node: u32, weight: Weight) {
        self.nodes[node as usize].2.add(weight);
    }

    /// The same paths, each from its end.
    pub(super) fn invert(self) -> Self {
        let mut inverted = Self::default();
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
            inverted.add(to.expect("a path has at least the node it starts from"), weight);
        }
        inverted
    }

    /// The tree, with those of the `names` that its nodes have: there may be many more.
    pub(crate) fn finish_few(mut self, names: &[Name]) -> Tree {
        let mut own = Vec::new();
        let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
        for (name, ..) in &mut self.nodes {
            *name = *numbers.entry(*name).or_insert_with(|| {
                own.push(names[*name as usize].clone());
                u32::try_from(own.len() - 1).expect("fewer names than before")
            });
        }
        self.finish(own)
    }

    /// The tree.
    pub(crate) fn finish(self, names: Vec<Name>) -> Tree {
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
        let nodes = self.nodes.iter().zip(&totals);
        let mut tree = Tree {
            nodes: nodes
                .map(|(&(name, parent, own), total)| Node {
                    name,
                    parent,
                    children: (0, 0),
                    self_value: own.value,
                    total_value: total.value,
                    self_samples: own.samples,
                    samples: total.samples,
                })
                .collect(),
            roots: Vec::new(),
            children: Vec::new(),
            names,
            total_value: sum.value,
            total_samples: sum.samples,
        };
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

impl Tree {
    /// Gives every node its children, and children their order.
    fn hang(&mut self) {
        for node in 0..self.nodes.len() {
            match self.nodes[node].parent {
                Some(parent) => self.nodes[parent as usize].children.1 += 1,
                None => self.roots.push(node as u32),
            }
        }
        let mut start = 0;
        for node in &mut self.nodes {
            let count = std::mem::take(&mut node.children.1);
            node.children.0 = start;
            start += count;
        }
        self.children = vec![0; start as usize];
        for node in 0..self.nodes.len() {
            if let Some(parent) = self.nodes[node].parent {
                let (start, count) = &mut self.nodes[parent as usize].children;
                self.children[(*start + *count) as usize] = node as u32;
                *count += 1;
            }
        }
        let ranks = ranks(&self.names);
        let nodes = &self.nodes;
        let key = |&node: &u32| {
            let node = &nodes[node as usize];
            (Reverse(node.total_value), ranks[node.name as usize])
        };
        self.roots.sort_unstable_by_key(key);
        for &Node {
            children: (start, count),
            ..
        } in nodes
        {
            if count > 1 {
                self.children[start as usize..][..count as usize].sort_unstable_by_key(key);
            }
        }
    }
}
