//! What is under the cursor is opened, and left again.

use super::{
    answers::{Answers, name_of},
    app::{App, Tab},
    branches::Branch,
    matching::Text,
    prepare::time_key,
};
use crate::query::{GroupRow, LatencyRow, Name, StateRow};

/// Something that was opened, and where one was before.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    what: Subject,
    from: Tab,
}

/// Something that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Process(u32, String),
    Function(Name),
}

impl App {
    /// The process that was opened: every view shows just that.
    pub(super) fn process(&self) -> Option<(u32, &str)> {
        self.opened.iter().rev().find_map(|opened| match &opened.what {
            Subject::Process(pid, name) => Some((*pid, name.as_str())),
            Subject::Function(_) => None,
        })
    }

    /// The function that was opened: the stacks are those around it.
    pub(super) fn function(&self) -> Option<&Name> {
        self.opened.iter().rev().find_map(|opened| match &opened.what {
            Subject::Function(name) => Some(name),
            Subject::Process(..) => None,
        })
    }

    pub(super) fn back(&mut self) {
        self.typing = false;
        if !self.filter().is_empty() {
            self.edit(|filter| *filter = Text::default());
        } else if self.is_flame() && self.flame.unzoom() {
            self.rows_known = false;
        } else if let Some(opened) = self.opened.pop() {
            self.flame.reset();
            self.answers.forest = None;
            self.go(opened.from);
            if let Subject::Process(pid, name) = opened.what {
                self.answers = Answers::default();
                if opened.from == Tab::Time {
                    // Its threads stood in its place.
                    self.list().seek(time_key(Some(pid), None, &name));
                }
            }
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
                if let Some(row) = self.function_rows.get(cursor)
                    && let Some(functions) = &self.answers.functions
                {
                    self.open_subject(Subject::Function(name_of(&functions.rows[row.index])));
                }
            }
            Tab::Processes => {
                if let Some(row) = self.process_rows.get(cursor)
                    && let Some(processes) = &self.answers.processes
                {
                    let GroupRow { pid, label, .. } = &processes[row.index];
                    self.open_subject(Subject::Process(pid.unwrap_or(0), label.clone()));
                }
            }
            // In a process they show more of it, and then there is its code.
            Tab::Time | Tab::Calls if self.process().is_some() => self.go(Tab::Stacks),
            Tab::Time => {
                if let Some(row) = self.time_rows.get(cursor)
                    && let Some(states) = &self.answers.states
                {
                    let StateRow { pid, label, .. } = &states.rows[row.index];
                    let process = Subject::Process(pid.unwrap_or(0), label.clone());
                    self.list().move_to(0);
                    self.open_in_place(process);
                }
            }
            Tab::Calls => {
                if let Some(row) = self.call_rows.get(cursor)
                    && let Some(calls) = &self.answers.calls
                {
                    let LatencyRow { pid, label, .. } = &calls.rows[row.index];
                    self.open_in_place(Subject::Process(pid.unwrap_or(0), label.clone()));
                }
            }
            Tab::Stacks => {
                if let Some(row) = self.branch_rows.get(cursor)
                    && let Some(forest) = &self.answers.forest
                {
                    match row.branch {
                        Branch::Leaf => {}
                        Branch::Closed if self.filters[Tab::Stacks.index()].is_empty() => {
                            self.branches.open_hottest(forest, row);
                        }
                        Branch::Closed | Branch::Open => self.branches.toggle(row.path),
                    }
                    self.rows_known = false;
                }
            }
        }
    }

    /// The process, in the same tab.
    fn open_in_place(&mut self, process: Subject) {
        let tab = self.tab;
        self.open_subject(process);
        self.go(tab);
    }

    fn open_subject(&mut self, what: Subject) {
        let kind = std::mem::discriminant(&what);
        let is_process = matches!(what, Subject::Process(..));
        // Another process means another question; another function is asked within the same process.
        self.opened
            .retain(|opened| !is_process && std::mem::discriminant(&opened.what) != kind);
        self.opened.push(Opened { what, from: self.tab });
        if is_process {
            self.answers = Answers::default();
        }
        self.answers.forest = None;
        self.flame.reset();
        self.filters[Tab::Stacks.index()] = Text::default();
        self.lists[Tab::Stacks.index()].move_to(0);
        self.go(Tab::Stacks);
    }

    pub(super) fn left(&mut self) {
        let row = self.branch_rows.get(self.shown_list().cursor()).copied();
        if let (Tab::Stacks, Some(row)) = (self.tab, row) {
            match (row.branch, row.parent) {
                (Branch::Open, _) => {
                    self.branches.toggle(row.path);
                    self.rows_known = false;
                }
                (_, Some(parent)) => self.list().move_to(parent),
                (_, None) => {}
            }
        }
    }

    pub(super) fn right(&mut self) {
        if self.tab != Tab::Stacks {
            return self.open();
        }
        if let Some(row) = self.branch_rows.get(self.shown_list().cursor()).copied() {
            match row.branch {
                Branch::Closed => {
                    self.branches.toggle(row.path);
                    self.rows_known = false;
                }
                Branch::Open => self.list().move_by(1),
                Branch::Leaf => {}
            }
        }
    }
}
