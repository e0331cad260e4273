//! The frames of all recordings on the page, and the tree of paths that they form.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::{
    super::paths::{Kind, MAX_DEPTH, WAITING},
    numbers::Numbers,
};
use crate::{
    profile::{Id, Location, Outcome, Process, Profile, Stack},
    query::{Selection, clean, frames, trust},
};

/// No page has more nodes. Stacks that would need more end early, those with the least samples first; the page says so.
const MAX_NODES: usize = 1_000_000;

/// A frame as the page shows it; text is clean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    pub(super) label: String,
    pub(super) module: String,
    pub(super) kind: Kind,
    pub(super) inlined: bool,
}

impl Frame {
    fn plain(label: String, kind: Kind) -> Self {
        Self {
            label,
            module: String::new(),
            kind,
            inlined: false,
        }
    }
}

/// Where samples end: whose they are, how the walk of the stack ended and where, and whether they waited.
pub(super) type End = (Id<Process>, Outcome, Option<Id<Stack>>, bool);

/// A tree of frames that grows recording by recording: processes, their outermost functions, and so on inward.
#[derive(Debug, Default)]
pub(super) struct Forest {
    frames: Vec<Frame>,
    numbers: FxHashMap<Frame, u32>,
    /// Parent, frame and depth; a parent has a smaller number.
    nodes: Vec<(Option<u32>, u32, u32)>,
    children: FxHashMap<(Option<u32>, u32), u32>,
    /// Whether stacks ended early because there was no room.
    cut: bool,
}

impl Forest {
    fn frame(&mut self, frame: Frame) -> u32 {
        if let Some(&number) = self.numbers.get(&frame) {
            return number;
        }
        let number = u32::try_from(self.frames.len()).expect("fewer frames than locations and functions");
        self.frames.push(frame.clone());
        self.numbers.insert(frame, number);
        number
    }

    /// The node of `frame` below `parent`; the parent itself where there is no room for more.
    fn child(&mut self, parent: Option<u32>, frame: u32) -> u32 {
        if let Some(&node) = self.children.get(&(parent, frame)) {
            return node;
        }
        let depth = parent.map_or(0, |parent| self.nodes[parent as usize].2 + 1);
        if let Some(parent) = parent
            && (depth > MAX_DEPTH || self.nodes.len() >= MAX_NODES)
        {
            self.cut = true;
            return parent;
        }
        let node = self.nodes.len() as u32;
        self.nodes.push((parent, frame, depth));
        self.children.insert((parent, frame), node);
        node
    }

    /// How many nodes there are, if stacks ended early because there was no room for more.
    pub(super) fn cut(&self) -> Option<usize> {
        self.cut.then_some(self.nodes.len())
    }

    /// Puts the nodes into their order: every node before what hangs from it, siblings by their text.
    pub(super) fn finish(self) -> Order {
        let mut below: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        let mut next = Vec::new();
        for (node, (parent, ..)) in (0..).zip(&self.nodes) {
            match parent {
                Some(parent) => below[*parent as usize].push(node),
                None => next.push(node),
            }
        }
        let key = |node: &u32| &self.frames[self.nodes[*node as usize].1 as usize];
        let last_first = |nodes: &mut Vec<u32>| {
            nodes.sort_by(|a, b| {
                let (a, b) = (key(a), key(b));
                (&b.label, &b.module, b.kind, b.inlined).cmp(&(&a.label, &a.module, a.kind, a.inlined))
            });
        };
        last_first(&mut next);
        let mut order = Order {
            places: vec![0; self.nodes.len()],
            roots: Vec::new(),
            tree: Tree::default(),
        };
        let mut depth_before = 0;
        while let Some(node) = next.pop() {
            let (_, frame, depth) = self.nodes[node as usize];
            order.places[node as usize] = order.tree.count;
            if depth == 0 {
                order.roots.push(order.tree.count);
            }
            // How many levels up from the node before this one's parent is.
            let up = if order.tree.count == 0 {
                0
            } else {
                depth_before + 1 - depth
            };
            order.tree.count += 1;
            order.tree.nodes.push(up.into());
            order.tree.nodes.push(frame.into());
            depth_before = depth;
            let children = &mut below[node as usize];
            last_first(children);
            next.append(children);
        }
        order.tree.write_frames(self.frames);
        order
    }
}

/// Where every node went, and the tree as it is written.
#[derive(Debug)]
pub(super) struct Order {
    places: Vec<u32>,
    /// The places of nodes without a parent, ascending.
    roots: Vec<u32>,
    pub(super) tree: Tree,
}

impl Order {
    /// Where a node went.
    pub(super) fn place(&self, node: u32) -> u32 {
        self.places[node as usize]
    }

    /// The place of the root above a place.
    pub(super) fn root(&self, place: u32) -> u32 {
        let behind = self.roots.partition_point(|&root| root <= place);
        self.roots[behind.saturating_sub(1)]
    }
}

/// The tree as the page reads it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tree {
    /// How many nodes there are.
    count: u32,
    /// For each node how many levels up from the one before its parent is, and the number of its frame.
    nodes: Numbers,
    /// By the number of the frame.
    labels: Vec<String>,
    /// For each frame the number of its module and, times two, its kind; plus one if it is inlined.
    about: Numbers,
    modules: Vec<String>,
}

impl Tree {
    fn write_frames(&mut self, frames: Vec<Frame>) {
        let mut modules = BTreeMap::new();
        for frame in frames {
            let next = modules.len() as u64;
            let module = *modules.entry(frame.module).or_insert(next);
            self.about.push(module);
            self.about.push(frame.kind as u64 * 2 + u64::from(frame.inlined));
            self.labels.push(frame.label);
        }
        self.modules = vec![String::new(); modules.len()];
        for (module, number) in modules {
            self.modules[number as usize] = module;
        }
    }
}

/// One recording's way into the tree.
#[derive(Debug)]
pub(super) struct Paths<'a> {
    profile: &'a Profile,
    selection: &'a Selection,
    /// For each location its frames, outermost first; `None`: not looked at yet.
    at: Vec<Option<Box<[u32]>>>,
    /// Where a stack leads to below a root.
    ends: FxHashMap<(u32, Id<Stack>), u32>,
}

impl<'a> Paths<'a> {
    pub(super) fn new(profile: &'a Profile, selection: &'a Selection) -> Self {
        Self {
            profile,
            selection,
            at: vec![None; profile.locations.len()],
            ends: FxHashMap::default(),
        }
    }

    /// The node at which samples end.
    pub(super) fn end(&mut self, forest: &mut Forest, (process, outcome, stack, waiting): End) -> u32 {
        let root = self.root(forest, process, outcome);
        let end = self.stack(forest, root, stack);
        if !waiting {
            return end;
        }
        let frame = forest.frame(Frame::plain(WAITING.to_owned(), Kind::Waiting));
        forest.child(Some(end), frame)
    }

    /// The node below which the stacks of a process stand that ended alike.
    fn root(&self, forest: &mut Forest, process: Id<Process>, outcome: Outcome) -> u32 {
        let name = match clean(&self.profile.processes[process].name).trim() {
            "" => "[no name]".to_owned(),
            name => name.to_owned(),
        };
        let name = forest.frame(Frame::plain(name, Kind::Process));
        let root = forest.child(None, name);
        if outcome.is_whole() {
            return root;
        }
        let remark = format!("[incomplete: {}]", outcome.describe());
        let remark = forest.frame(Frame::plain(remark, Kind::Remark));
        forest.child(Some(root), remark)
    }

    fn stack(&mut self, forest: &mut Forest, root: u32, stack: Option<Id<Stack>>) -> u32 {
        // Up to the first caller whose place is known, then down again.
        let mut wanted: Vec<Id<Stack>> = Vec::new();
        let mut node = root;
        let mut next = stack;
        while let Some(id) = next {
            if let Some(&known) = self.ends.get(&(root, id)) {
                node = known;
                break;
            }
            wanted.push(id);
            next = self.profile.stacks.get(id).and_then(|stack| stack.caller);
        }
        for id in wanted.into_iter().rev() {
            node = self.step(forest, node, id);
            self.ends.insert((root, id), node);
        }
        if node == root {
            let nothing = Frame::plain(self.selection.nothing_left().to_owned(), Kind::Remark);
            let nothing = forest.frame(nothing);
            return forest.child(Some(root), nothing);
        }
        node
    }

    fn step(&mut self, forest: &mut Forest, caller: u32, stack: Id<Stack>) -> u32 {
        let Some(Stack { location, .. }) = self.profile.stacks.get(stack) else {
            return caller;
        };
        if !self.selection.shows(self.profile, location) {
            return caller;
        }
        let parts = match self.at[location.index()].take() {
            Some(parts) => parts,
            None => self.parts(forest, location),
        };
        let node = parts
            .iter()
            .fold(caller, |node, &part| forest.child(Some(node), part));
        self.at[location.index()] = Some(parts);
        node
    }

    fn parts(&self, forest: &mut Forest, location: Id<Location>) -> Box<[u32]> {
        let mapping = self.profile.mapping_of(location);
        frames(self.profile, location)
            .rev()
            .map(|frame| {
                forest.frame(Frame {
                    label: clean(&frame.label()).into_owned(),
                    module: trust::module(frame.module).into_owned(),
                    kind: Kind::of(mapping, &frame),
                    inlined: frame.inlined,
                })
            })
            .collect()
    }
}
