//! Stacks, stored as a tree: each is its innermost location and its caller's stack.

use super::{
    location::Location,
    table::{Id, Table},
};

/// One node of the tree of stacks. The caller always has a smaller id than the callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// The stack of the caller; `None` at the outermost frame.
    pub caller: Option<Id<Self>>,
    /// The innermost location.
    pub location: Id<Location>,
}

/// Every distinct stack, prefixes shared.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    nodes: Table<Stack>,
}

impl Stacks {
    /// Interns a stack given outermost location first; `None` if there is no location at all.
    pub fn intern(&mut self, outermost_first: impl IntoIterator<Item = Id<Location>>) -> Option<Id<Stack>> {
        let mut caller = None;
        for location in outermost_first {
            caller = Some(self.nodes.intern(Stack { caller, location }));
        }
        caller
    }

    /// Interns one node, whose caller is here already.
    pub fn intern_node(&mut self, node: Stack) -> Id<Stack> {
        debug_assert!(node.caller.is_none_or(|caller| caller.index() < self.len()));
        self.nodes.intern(node)
    }

    /// Adds one node that another tree had once, whose caller is here already. See [`Table::push`].
    pub fn push(&mut self, node: Stack) -> Id<Stack> {
        debug_assert!(node.caller.is_none_or(|caller| caller.index() < self.len()));
        self.nodes.push(node)
    }

    /// Appends nodes as another tree had them; callers before callees.
    ///
    /// # Errors
    /// As [`Table::append`].
    pub fn append(&mut self, nodes: Vec<Stack>) -> Result<(), Id<Stack>> {
        self.nodes.append(nodes)
    }

    /// Whether these nodes can be appended.
    ///
    /// # Errors
    /// As [`Table::check_new`].
    pub fn check_new(&self, nodes: &[Stack]) -> Result<(), Id<Stack>> {
        self.nodes.check_new(nodes)
    }

    /// The locations of a stack, innermost first.
    pub fn locations(&self, stack: Id<Stack>) -> impl Iterator<Item = Id<Location>> + '_ {
        std::iter::successors(Some(stack), |&id| self.nodes.get(id).and_then(|node| node.caller))
            .filter_map(|id| self.nodes.get(id).map(|node| node.location))
    }

    /// The node named by `id`.
    pub fn get(&self, id: Id<Stack>) -> Option<Stack> {
        self.nodes.get(id).copied()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no stack at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes from number `first` on.
    pub fn since(&self, first: usize) -> &[Stack] {
        self.nodes.since(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_with_a_common_caller_share_it() {
        let [main, f, g] = [Id::new(0), Id::new(1), Id::new(2)];
        let mut stacks = Stacks::default();
        let in_f = stacks.intern([main, f]).unwrap();
        let in_g = stacks.intern([main, g]).unwrap();
        assert_eq!(stacks.len(), 3);
        assert_eq!(stacks.locations(in_f).collect::<Vec<_>>(), [f, main]);
        assert_eq!(stacks.locations(in_g).collect::<Vec<_>>(), [g, main]);
        assert_eq!(stacks.intern([]), None);
    }
}
