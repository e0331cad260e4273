//! Every selected path, process first, merged by the text that is written: what folded lines and flame graphs are.

use std::io;

use rustc_hash::FxHashMap;

use super::text;
use crate::{
    profile::{Id, Mapping, MappingKind, Outcome, Process, Profile, Stack},
    query::{Frame, Sampled, Selection, frames},
};

/// Deeper paths end here. Recorded stacks have a few hundred frames; a file may claim any number.
pub(super) const MAX_DEPTH: u32 = 4096;

/// What a frame is, for whoever gives it a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// A process, the root of its paths.
    Process,
    /// Remarks such as `[no stack]`.
    Remark,
    /// The end of a waiting thread's stack, among stacks of busy ones.
    Waiting,
    /// The kernel's own text.
    Kernel,
    /// A kernel module or BPF program.
    KernelModule,
    /// The process's executable, or another program.
    User,
    /// A shared library or the vDSO.
    Library,
    /// Generated code.
    Jit,
    /// Code without a name.
    Unnamed,
}

impl Kind {
    /// What a frame of code in `mapping` is.
    pub(super) fn of(mapping: &Mapping, frame: &Frame<'_>) -> Self {
        match mapping.kind {
            MappingKind::Kernel => Self::Kernel,
            MappingKind::KernelModule => Self::KernelModule,
            _ if frame.function.is_none() => Self::Unnamed,
            MappingKind::Anonymous(_) | MappingKind::Unknown(_) => Self::Jit,
            MappingKind::Vdso => Self::Library,
            MappingKind::File | MappingKind::FileOffset if mapping.name().contains(".so") => Self::Library,
            MappingKind::File | MappingKind::FileOffset => Self::User,
        }
    }
}

/// The text of a frame, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// What stands at the end of a waiting thread's stack, among stacks of busy ones.
pub(super) const WAITING: &str = "[waiting]";

/// What the numbers of paths are. On a CPU every sample stands for the same time; a wait stands for the time it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Samples,
    Microseconds,
}

impl Unit {
    /// As it is written behind a number.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Microseconds => "µs",
        }
    }
}

struct Node {
    part: u32,
    depth: u32,
    parent: Option<u32>,
    /// How much ends here, in the paths' unit.
    own: u64,
    /// How much comes through here.
    total: u64,
}

/// Samples that lie on one path: whose they are, how and where the walk of the stack ended, and whether they are waits
/// among others.
type Key = (Id<Process>, Outcome, Option<Id<Stack>>, bool);

/// A tree of frames under their processes.
pub(super) struct Paths {
    parts: Vec<Part>,
    /// Parents come before their children.
    nodes: Vec<Node>,
    unit: Unit,
}

impl Paths {
    /// The paths of the selected samples.
    pub(super) fn of(profile: &Profile, selection: &Selection) -> Self {
        let sampled = Sampled::of(profile, selection);
        let unit = match sampled {
            Sampled::OffCpu | Sampled::Wall | Sampled::Lock | Sampled::Slow => Unit::Microseconds,
            Sampled::Cpu | Sampled::Other => Unit::Samples,
        };
        let waits = match sampled {
            Sampled::Wall => Sampled::OffCpu.sample_types(profile).unwrap_or_default(),
            _ => Vec::new(),
        };
        let mut counts: FxHashMap<Key, u64> = FxHashMap::default();
        for sample in selection.matcher(profile).samples() {
            let process = profile.threads[sample.thread].process;
            let waiting = waits.contains(&sample.sample_type);
            let count = counts
                .entry((process, sample.outcome, sample.stack, waiting))
                .or_default();
            *count = count.saturating_add(match unit {
                Unit::Samples => 1,
                Unit::Microseconds => sample.value,
            });
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        // The order decides which numbers nodes get, not what is written; memory is used best when kin are near.
        counts.sort_unstable();
        let mut builder = Builder::new(profile, selection);
        for ((process, outcome, stack, waiting), count) in counts {
            let root = builder.root(process, outcome);
            let mut end = builder.end(root, stack);
            if waiting {
                let part = builder.part(WAITING.to_owned(), Kind::Waiting);
                end = builder.child(Some(end), part);
            }
            let count = match unit {
                Unit::Samples => count,
                // What is not nothing is written.
                Unit::Microseconds => (count / 1_000).max(count.min(1)),
            };
            let own = &mut builder.nodes[end as usize].own;
            *own = own.saturating_add(count);
        }
        builder.finish(unit)
    }

    /// How much there is, in the paths' unit.
    pub(super) fn total(&self) -> u64 {
        let roots = self.nodes.iter().filter(|node| node.parent.is_none());
        roots.fold(0, |sum, root| sum.saturating_add(root.total))
    }

    /// What the numbers are.
    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    /// The frames that occur.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Calls `each` with every path that samples end on and how much does; siblings in the order of their text. What is
    /// less than `least` is counted for its parent.
    ///
    /// # Errors
    /// The first that `each` returns.
    pub(super) fn lines(
        &self,
        least: u64,
        mut each: impl FnMut(&str, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let least = least.max(1);
        let mut own: Vec<u64> = self.nodes.iter().map(|node| node.own).collect();
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        let mut next: Vec<u32> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            match node.parent {
                None => next.push(index as u32),
                Some(parent) if node.total >= least => children[parent as usize].push(index as u32),
                // A parent in the shade hands on nothing: its total already counts all below it.
                Some(parent) if self.nodes[parent as usize].total >= least => {
                    own[parent as usize] = own[parent as usize].saturating_add(node.total);
                }
                Some(_) => {}
            }
        }
        let text = |index: u32| self.parts[self.nodes[index as usize].part as usize].text.as_str();
        let last_first = |indices: &mut Vec<u32>| indices.sort_unstable_by(|&a, &b| text(b).cmp(text(a)));
        last_first(&mut next);
        let mut line = String::new();
        // Where each frame of the line ends.
        let mut ends: Vec<usize> = Vec::new();
        while let Some(index) = next.pop() {
            let node = &self.nodes[index as usize];
            ends.truncate(node.depth as usize);
            line.truncate(ends.last().copied().unwrap_or(0));
            if !ends.is_empty() {
                line.push(';');
            }
            line.push_str(text(index));
            ends.push(line.len());
            // A process in the shade has no parent to be counted for.
            let count = if node.total < least {
                node.total
            } else {
                own[index as usize]
            };
            if count > 0 {
                each(&line, count)?;
            }
            if node.total >= least {
                let children = &mut children[index as usize];
                last_first(children);
                next.append(children);
            }
        }
        Ok(())
    }
}

struct Builder<'a> {
    profile: &'a Profile,
    selection: &'a Selection,
    parts: Vec<Part>,
    numbers: FxHashMap<Part, u32>,
    nodes: Vec<Node>,
    children: FxHashMap<(Option<u32>, u32), u32>,
    /// For each location its parts, outermost first; `None`: not looked at yet.
    at: Vec<Option<Box<[u32]>>>,
    /// Where a stack leads to below a root.
    ends: FxHashMap<(u32, Id<Stack>), u32>,
}

impl<'a> Builder<'a> {
    fn new(profile: &'a Profile, selection: &'a Selection) -> Self {
        Self {
            profile,
            selection,
            parts: Vec::new(),
            numbers: FxHashMap::default(),
            nodes: Vec::new(),
            children: FxHashMap::default(),
            at: vec![None; profile.locations.len()],
            ends: FxHashMap::default(),
        }
    }

    /// The node below which the stacks of a process stand that ended alike.
    fn root(&mut self, process: Id<Process>, outcome: Outcome) -> u32 {
        let name = text::process(&self.profile.processes[process].name);
        let name = self.part(name, Kind::Process);
        let root = self.child(None, name);
        if outcome.is_whole() {
            return root;
        }
        let remark = self.part(format!("[incomplete: {}]", outcome.describe()), Kind::Remark);
        self.child(Some(root), remark)
    }

    /// The node at which a stack ends.
    fn end(&mut self, root: u32, stack: Option<Id<Stack>>) -> u32 {
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
            node = self.step(node, id);
            self.ends.insert((root, id), node);
        }
        if node == root {
            let nothing = self.part(self.selection.nothing_left().to_owned(), Kind::Remark);
            return self.child(Some(root), nothing);
        }
        node
    }

    fn step(&mut self, caller: u32, stack: Id<Stack>) -> u32 {
        let Some(Stack { location, .. }) = self.profile.stacks.get(stack) else {
            return caller;
        };
        if !self.selection.shows(self.profile, location) {
            return caller;
        }
        if self.at[location.index()].is_none() {
            let mapping = self.profile.mapping_of(location);
            let parts = frames(self.profile, location).rev().map(|frame| {
                let mut text = text::frame(&frame.label());
                if frame.kernel {
                    text.push_str("_[k]");
                }
                let kind = Kind::of(mapping, &frame);
                Part { text, kind }
            });
            let parts: Vec<_> = parts.collect();
            let parts = parts
                .into_iter()
                .map(|part| self.part(part.text, part.kind))
                .collect();
            self.at[location.index()] = Some(parts);
        }
        let parts = self.at[location.index()].take().unwrap_or_default();
        let node = parts
            .iter()
            .fold(caller, |node, &part| self.child(Some(node), part));
        self.at[location.index()] = Some(parts);
        node
    }

    fn part(&mut self, text: String, kind: Kind) -> u32 {
        let part = Part { text, kind };
        if let Some(&number) = self.numbers.get(&part) {
            return number;
        }
        let number = u32::try_from(self.parts.len()).expect("fewer texts than locations and functions");
        self.parts.push(part.clone());
        self.numbers.insert(part, number);
        number
    }

    fn child(&mut self, parent: Option<u32>, part: u32) -> u32 {
        let depth = parent.map_or(0, |parent| self.nodes[parent as usize].depth + 1);
        if let Some(parent) = parent
            && depth > MAX_DEPTH
        {
            return parent;
        }
        *self.children.entry((parent, part)).or_insert_with(|| {
            let node = u32::try_from(self.nodes.len()).expect("fewer nodes than would fit into memory");
            self.nodes.push(Node {
                part,
                depth,
                parent,
                own: 0,
                total: 0,
            });
            node
        })
    }

    fn finish(self, unit: Unit) -> Paths {
        let (parts, mut nodes) = (self.parts, self.nodes);
        for index in (0..nodes.len()).rev() {
            nodes[index].total = nodes[index].total.saturating_add(nodes[index].own);
            let (total, parent) = (nodes[index].total, nodes[index].parent);
            if let Some(parent) = parent {
                let sum = &mut nodes[parent as usize].total;
                *sum = sum.saturating_add(total);
            }
        }
        Paths { parts, nodes, unit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    fn lines(text: &str, least: u64) -> Vec<String> {
        let paths = Paths::of(&from_folded(text), &Selection::default());
        let mut out = Vec::new();
        paths
            .lines(least, |path, count| {
                out.push(format!("{path} {count}"));
                Ok(())
            })
            .unwrap();
        out
    }

    #[test]
    fn what_is_too_narrow_is_counted_for_its_caller() {
        let text = "a;main;f;g 1\na;main;f;h 1\na;main;i 50\na;main 5\nb;main 1";
        assert_eq!(lines(text, 3), ["a;main 7", "a;main;i 50", "b 1"]);
        assert_eq!(lines(text, 2), ["a;main 5", "a;main;f 2", "a;main;i 50", "b 1"]);
        assert_eq!(lines(text, 1).len(), 5);
    }

    #[test]
    fn equal_text_is_one_frame_wherever_it_comes_from() {
        assert_eq!(
            lines("a;x.so`f;g 1\na;y.so`f;g 1\na;x.so`f 1", 1),
            ["a;f 1", "a;f;g 2"]
        );
    }

    #[test]
    fn a_stack_without_end_is_cut() {
        let deep = format!("a{} 2", ";f".repeat(6_000));
        let lines = lines(&deep, 1);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < 3 * MAX_DEPTH as usize);
    }
}
