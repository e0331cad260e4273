//! What is under the cursor is opened, and left again.

use super::{
    answers::Answers,
    app::{App, Tab},
    branches::Branch,
    chosen::Choice,
    glance::Item,
    keys::Action,
    matching::Text,
    prepare::time_key,
};
use crate::query::{LatencyRow, Name, StateRow};

/// Something that was opened, and where one was before.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    what: Subject,
    from: Tab,
    /// What was looked for there.
    filter: Text,
}

/// Something that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Part(Choice),
    Function(Name),
}

impl App {
    /// The process, or whatever else, that was opened: every view shows just that.
    pub(super) fn part(&self) -> Option<&Choice> {
        self.opened.iter().rev().find_map(|opened| match &opened.what {
            Subject::Part(part) => Some(part),
            Subject::Function(_) => None,
        })
    }

    /// The process that was opened.
    pub(super) fn process(&self) -> Option<(u32, &str)> {
        match self.part()? {
            Choice::Process(pid, name) => Some((*pid, name)),
            _ => None,
        }
    }

    /// The function that was opened: the stacks are those around it.
    pub(super) fn function(&self) -> Option<&Name> {
        self.opened.iter().rev().find_map(|opened| match &opened.what {
            Subject::Function(name) => Some(name),
            Subject::Part(_) => None,
        })
    }

    pub(super) fn back(&mut self) {
        self.typing = false;
        let begun = self.pointer.begun.take();
        if self.tab == Tab::Heat && begun.is_some() {
            // The range that was begun is not to be.
        } else if !self.filter.is_empty() {
            self.edit(|filter| *filter = Text::default());
        } else if self.tab == Tab::Locks && self.lock_open {
            self.lock_open = false;
        } else if self.is_flame() && self.flame.unzoom() {
            self.rows_known = false;
        } else if let (Tab::Stacks, Some(lent)) = (self.tab, self.lent) {
            self.go(lent.from);
        } else if let Some(opened) = self.opened.pop() {
            self.filter = opened.filter;
            self.flame.reset();
            self.answers.forest = None;
            self.go(opened.from);
            if let Subject::Part(part) = opened.what {
                self.answers = Answers::default();
                if let (Tab::Time | Tab::Overview, Choice::Process(pid, name)) = (opened.from, part) {
                    // Its threads stood in its place.
                    self.list().seek(time_key(Some(pid), None, &name));
                }
            }
        } else if self.range.is_some() {
            self.set_range(None);
        }
    }

    pub(super) fn open(&mut self) {
        if self.is_flame() {
            self.flame.zoom();
            self.rows_known = false;
            return;
        }
        let cursor = self.shown_list().cursor();
        match self.tab {
            Tab::Functions => {
                let row = self.function_rows.get(cursor);
                if let Some(name) = row.and_then(|row| self.function_of(row)) {
                    self.open_subject(Subject::Function(name));
                }
            }
            Tab::Overview => self.open_item(),
            Tab::Heat => self.mark_on_map(),
            Tab::Locks => self.lock_open = !self.lock_open,
            // In a process they show more of it, and then there is its code.
            Tab::Time | Tab::Calls if self.process().is_some() => self.go(Tab::Stacks),
            Tab::Processes | Tab::Time | Tab::Calls => match self.choice() {
                Some(part) if self.tab == Tab::Processes => self.open_subject(Subject::Part(part)),
                Some(part) => self.open_in(Subject::Part(part), self.tab),
                None if self.is_empty() => {}
                None => self.say("this belongs nowhere: it cannot be opened"),
            },
            Tab::Stacks => {
                if let Some(row) = self.branch_rows.get(cursor)
                    && let Some(forest) = &self.answers.forest
                {
                    match row.branch {
                        Branch::Leaf => {}
                        Branch::Closed if self.filter.is_empty() => {
                            self.branches.open_hottest(forest, row);
                        }
                        Branch::Closed | Branch::Open => self.branches.toggle(row),
                    }
                    self.rows_known = false;
                }
            }
        }
    }

    /// What the row under the cursor stands for, to be opened or chosen.
    pub(super) fn choice(&self) -> Option<Choice> {
        let cursor = self.shown_list().cursor();
        match self.tab {
            Tab::Overview => self.choice_of(self.item()?),
            Tab::Heat => None,
            Tab::Functions => {
                let row = self.function_rows.get(cursor)?;
                let name = self.function_of(row)?;
                // What is no code is on no stack.
                (!name.module.is_empty()).then_some(Choice::Function(name))
            }
            Tab::Processes => {
                let row = self.process_rows.get(cursor)?;
                let rows = self.answers.processes.as_ref()?;
                Choice::of_group(self.by, &rows[row.index])
            }
            Tab::Stacks => {
                let forest = self.answers.forest.as_ref()?;
                let (tree, node) = match self.is_flame() {
                    true => (self.flame.tree(), self.flame.piece()?.node),
                    false => {
                        let row = self.branch_rows.get(cursor)?;
                        (row.tree, row.node)
                    }
                };
                let name = forest.trees[tree].1.name(node);
                (!name.module.is_empty()).then(|| Choice::Function(name.clone()))
            }
            Tab::Time => self.choice_of(Item::Owner(self.time_rows.get(cursor)?.index)),
            Tab::Locks => self.choice_of(Item::Lock(self.lock_rows.get(cursor)?.index)),
            Tab::Calls => {
                let row = self.call_rows.get(cursor)?;
                let LatencyRow { pid, label, .. } = &self.answers.calls.as_ref()?.rows[row.index];
                Some(Choice::Process((*pid)?, label.clone()))
            }
        }
    }

    /// What something in the overview stands for.
    fn choice_of(&self, item: Item) -> Option<Choice> {
        match item {
            Item::Owner(index) => {
                let StateRow { pid, tid, label, .. } = &self.answers.times.as_ref()?.states.rows[index];
                Some(match tid {
                    Some(tid) => Choice::Thread(*tid, label.clone()),
                    None => Choice::Process((*pid)?, label.clone()),
                })
            }
            Item::Path(node) => {
                let name = self.answers.overview.as_ref()?.tree.name(node);
                // What is no code is on no stack.
                (!name.module.is_empty()).then(|| Choice::Function(name.clone()))
            }
            Item::Call(index) => {
                let (pid, name) = self.answers.slow.as_ref()?[index].process.clone();
                Some(Choice::Process(pid, name))
            }
            Item::Lock(index) => {
                let (pid, name) = self.answers.locks.as_ref()?.rows[index].process.clone()?;
                Some(Choice::Process(pid, name))
            }
        }
    }

    /// A process opens in the view that says more of what stood there, a path into the stacks around its function.
    fn open_item(&mut self) {
        let Some(item) = self.item() else { return };
        let choice = self.choice_of(item);
        match (item, choice) {
            (Item::Lock(index), _) => {
                let key = self.answers.locks.as_ref().map(|locks| locks.rows[index].key);
                self.go(Tab::Locks);
                key.into_iter().for_each(|key| self.list().seek(key));
            }
            (Item::Path(_), Some(Choice::Function(name))) => self.open_subject(Subject::Function(name)),
            // In a process they show more of it, and then there is its code.
            (Item::Owner(_), Some(_)) if self.process().is_some() => self.go(Tab::Stacks),
            (Item::Owner(_), Some(part)) => {
                let sampled = self.answers.times.as_ref().is_some_and(|times| times.sampled);
                self.open_in(Subject::Part(part), if sampled { Tab::Stacks } else { Tab::Time });
            }
            (Item::Call(_), Some(part)) => self.open_in(Subject::Part(part), Tab::Calls),
            _ => self.say("this belongs nowhere: it cannot be opened"),
        }
    }

    /// Every view shows just what is under the cursor from now on.
    pub(super) fn choose(&mut self) {
        match self.choice() {
            Some(choice) => {
                self.chosen.choose(choice);
                self.ask_anew();
            }
            None => self.say("what is under the cursor cannot be chosen"),
        }
    }

    /// Every view shows everything again.
    pub(super) fn choose_all(&mut self) {
        match self.chosen.clear() {
            true => self.ask_anew(),
            false => {
                let key = self.key(Action::Choose);
                self.say(&format!(
                    "nothing is chosen: {key} chooses what is under the cursor"
                ));
            }
        }
    }

    /// In this tab, from its first row on.
    fn open_in(&mut self, process: Subject, tab: Tab) {
        self.enter(process);
        self.go(tab);
        self.list().move_to(0);
    }

    /// With its stacks.
    fn open_subject(&mut self, what: Subject) {
        self.enter(what);
        self.go(Tab::Stacks);
    }

    fn enter(&mut self, what: Subject) {
        let kind = std::mem::discriminant(&what);
        let is_part = matches!(what, Subject::Part(_));
        // Another process means another question; another function is asked within the same process.
        self.opened
            .retain(|opened| !is_part && std::mem::discriminant(&opened.what) != kind);
        self.opened.push(Opened {
            what,
            from: self.tab,
            // It led here, and has nothing to do with what is in there.
            filter: std::mem::take(&mut self.filter),
        });
        if is_part {
            self.answers = Answers::default();
        }
        self.answers.forest = None;
        self.flame.reset();
        self.lists[Tab::Stacks.index()].move_to(0);
        self.rows_known = false;
    }

    pub(super) fn left(&mut self) {
        if self.tab == Tab::Locks {
            self.lock_open = false;
        }
        let row = self.branch_rows.get(self.shown_list().cursor()).copied();
        if let (Tab::Stacks, Some(row)) = (self.tab, row) {
            match (row.branch, row.parent) {
                (Branch::Open, _) => {
                    self.branches.toggle(&row);
                    self.rows_known = false;
                }
                (_, Some(parent)) => self.list().move_to(parent),
                (_, None) => {}
            }
        }
    }

    pub(super) fn right(&mut self) {
        if self.tab == Tab::Locks {
            self.lock_open = true;
            return;
        }
        if self.tab != Tab::Stacks {
            return self.open();
        }
        if let Some(row) = self.branch_rows.get(self.shown_list().cursor()).copied() {
            match row.branch {
                Branch::Closed => {
                    self.branches.toggle(&row);
                    self.rows_known = false;
                }
                Branch::Open => self.list().move_by(1),
                Branch::Leaf => {}
            }
        }
    }
}
