//! From what is remembered to what is on the screen: asked when data, selection or filter have changed.

use std::hash::{Hash, Hasher as _};

use rustc_hash::FxHasher;

use super::{
    answers::{Preview, Row, name_of},
    app::{App, Tab},
    branches::{Branch, BranchRow, Branches},
    forest::{Forest, Reading},
    matching::Text,
};
use crate::query::{Direction, GroupBy, Selection, Summary, Tree, functions, groups};

impl App {
    /// Asks what is not known yet for the screen that is shown. To be called before a draw.
    pub(super) fn prepare(&mut self) {
        self.ask();
        if !self.rows_known {
            self.arrange();
            self.rows_known = true;
        }
        self.settle();
        if self.layout().preview.height > 0 {
            self.preview();
        }
    }

    fn ask(&mut self) {
        let selection = self.selection();
        let profile = self.history.shown();
        let answers = &mut self.answers;
        answers
            .summary
            .get_or_insert_with(|| Summary::of(profile, &selection));
        match self.tab {
            Tab::Functions if answers.functions.is_none() => {
                answers.functions = Some(functions(profile, &selection));
            }
            Tab::Processes if answers.processes.is_none() => {
                let everybody = Selection {
                    pids: Vec::new(),
                    ..selection
                };
                answers.processes = Some(groups(profile, &everybody, GroupBy::Process));
            }
            Tab::Stacks if answers.forest.is_none() => {
                self.answers.forest = Some(self.forest());
            }
            _ => return,
        }
        self.rows_known = false;
    }

    /// The trees of the stacks tab.
    fn forest(&mut self) -> Forest {
        let selection = self.selection();
        let profile = self.history.shown();
        if let Some(function) = self.function().cloned() {
            return Forest::around(self.tree(), &function);
        }
        let (reading, direction) = match self.inverted {
            false => (Reading::Paths, Direction::TopDown),
            true => (Reading::Inverted, Direction::BottomUp),
        };
        Forest::whole(Tree::build(profile, &selection, direction), reading)
    }

    /// The call tree of what is selected.
    fn tree(&mut self) -> &Tree {
        let selection = self.selection();
        let profile = self.history.shown();
        self.answers
            .tree
            .get_or_insert_with(|| Tree::build(profile, &selection, Direction::TopDown))
    }

    fn arrange(&mut self) {
        let filter = &self.filters[self.tab.index()];
        match self.tab {
            Tab::Functions => {
                let rows = self.answers.functions.as_ref().map_or(&[][..], |it| &it.rows);
                self.function_rows = rows
                    .iter()
                    .enumerate()
                    .filter(|(_, row)| filter.is_in(&row.label) || filter.is_in(&row.module))
                    .map(|(index, row)| Row {
                        index,
                        key: hash(&(&row.label, &row.module, row.kernel)),
                    })
                    .collect();
                // Stable: equal rows stay in the order of the answer, which is by name.
                self.function_rows
                    .sort_by_key(|row| std::cmp::Reverse(self.sort.rank(&rows[row.index])));
            }
            Tab::Processes => {
                let rows = self.answers.processes.as_deref().unwrap_or_default();
                self.process_rows = rows
                    .iter()
                    .enumerate()
                    .filter(|(_, row)| {
                        filter.is_in(&row.label) || row.pid.is_some_and(|pid| filter.is_in(&pid.to_string()))
                    })
                    .map(|(index, row)| Row {
                        index,
                        key: hash(&(row.pid, &row.label)),
                    })
                    .collect();
            }
            Tab::Stacks => {
                self.branch_rows = match &self.answers.forest {
                    Some(forest) => self.branches.rows(forest, filter),
                    None => Vec::new(),
                };
            }
        }
    }

    fn settle(&mut self) {
        let height = self.layout().rows();
        let list = &mut self.lists[self.tab.index()];
        match self.tab {
            Tab::Functions => list.settle(self.function_rows.iter().map(|row| row.key), height),
            Tab::Processes => list.settle(self.process_rows.iter().map(|row| row.key), height),
            Tab::Stacks => list.settle(self.branch_rows.iter().map(|row| row.path), height),
        }
    }

    fn preview(&mut self) {
        let cursor = self.shown_list().cursor();
        let rows = match self.tab {
            Tab::Functions => &self.function_rows,
            Tab::Processes => &self.process_rows,
            Tab::Stacks => return,
        };
        let Some(&Row { index, key }) = rows.get(cursor) else {
            self.answers.preview = None;
            return;
        };
        let known = |preview: &Preview| preview.key == key && preview.tab == self.tab;
        if self.answers.preview.as_ref().is_some_and(known) {
            return;
        }
        let (title, forest) = match (self.tab, &self.answers.functions, &self.answers.processes) {
            (Tab::Functions, Some(functions), _) => {
                let name = name_of(&functions.rows[index]);
                let forest = Forest::around(self.tree(), &name);
                (name.label, forest)
            }
            (Tab::Processes, _, Some(processes)) => {
                let process = &processes[index];
                let selection = Selection {
                    pids: process.pid.into_iter().collect(),
                    ..self.selection()
                };
                let title = format!("{} {}", process.label, process.pid.unwrap_or(0));
                let tree = Tree::build(self.history.shown(), &selection, Direction::TopDown);
                (title, Forest::whole(tree, Reading::Paths))
            }
            _ => return,
        };
        let tab = self.tab;
        let rows = hottest_open(&forest);
        self.answers.preview = Some(Preview {
            tab,
            key,
            title,
            forest,
            rows,
        });
    }

    /// What is shown of what is remembered. The time is settled already, by what the history shows.
    fn selection(&self) -> Selection {
        Selection {
            pids: self.process().map(|(pid, _)| pid).into_iter().collect(),
            kernel: self.kernel,
            ..Selection::default()
        }
    }
}

/// The rows with the hottest path of each tree open.
fn hottest_open(forest: &Forest) -> Vec<BranchRow> {
    let mut branches = Branches::default();
    let nothing = Text::default();
    for (reading, _) in &forest.trees {
        let rows = branches.rows(forest, &nothing);
        let closed = rows.iter().find(|row| {
            let tree = &forest.trees[row.tree];
            tree.0 == *reading && row.branch == Branch::Closed
        });
        if let Some(&row) = closed {
            branches.open_hottest(forest, &row);
        }
    }
    branches.rows(forest, &nothing)
}

fn hash(key: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}
