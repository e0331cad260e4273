//! From what is remembered to what is on the screen: asked when data, selection or filter have changed.

use std::hash::{Hash, Hasher as _};

use rustc_hash::FxHasher;

use super::{
    answers::{Preview, Row, name_of},
    app::{App, Shape, Tab},
    branches::{Branch, BranchRow, Branches},
    changes::ChangeRow,
    charts::Evidence,
    chosen::Choice,
    forest::{Forest, Reading},
    heat::Heat,
    locks::{Kind, LockRow, locks},
    matching::Text,
    off::{Gaps, Probe, shed_at_end},
    overview::{self, Overview},
    recursion,
    slow::{SlowRow, slowest},
    times::Times,
    waits::fewer,
    weights,
};
use crate::query::{
    Direction, FunctionRow, GroupRow, LatencyRow, Name, Owner, Sampled, Selection, StateRow, Summary, Tree,
    Weights, functions_of, groups, latencies,
    locks::contended,
    operation::{is_call, object, operation, waits_for_others},
};

/// The most waits for locks that the overview asks about beside all else, and that are judged for charts.
const FEW_WAITS: usize = 20_000;
/// Parts of the course of a function: as many as fit into the heading of a wide screen.
const COURSE: usize = 60;

impl App {
    /// Asks what is not known yet for the screen that is shown. To be called before a draw.
    pub(super) fn prepare(&mut self) {
        self.ask();
        if !self.rows_known {
            self.arrange();
            self.rows_known = true;
        }
        self.settle();
        if self.layout().lower.height > 0 {
            self.preview();
        }
    }

    fn ask(&mut self) {
        self.tell();
        let selection = self.selection();
        let process = self.process().is_some();
        // What was opened stands among the others.
        let mut everybody = self.unrestricted();
        self.chosen.apply(&mut everybody);
        let by = self.by;
        let shown_ns = selection.time.clone().unwrap_or_else(|| self.source.shown_ns());
        // What comes after what is shown is not now.
        let shown = self.shown_ns();
        let kept = self.source.kept().1;
        let charted = match &self.range {
            Some(range) => range.clone(),
            None => kept.start..kept.end.min(shown.end).max(kept.start),
        };
        let room = super::view::room_of_map(self.layout().body);
        let unbounded = Selection {
            time: None,
            ..self.selection()
        };
        let profile = self.source.shown();
        let counted = match &self.told {
            Some(told) => &told.profile,
            None => profile,
        };
        let answers = &mut self.answers;
        let owner = match process {
            true => Owner::Thread,
            false => Owner::Process,
        };
        // Of spans that the begin of what is shown cuts, a part counts.
        let within = Selection {
            time: Some(shown_ns.clone()),
            ..selection.clone()
        };
        let times = || {
            let gaps = Gaps::of(profile.quality.iter(), &[Probe::States]);
            Times::of(profile, &within, owner, &gaps, &shown_ns)
        };
        if answers.weights.is_none() {
            let windows = self.source.quality();
            answers.shed = shed_at_end(windows.filter(|window| window.start_ns < shown.end));
        }
        let weights = answers
            .weights
            .get_or_insert_with(|| Weights::of(counted, &selection));
        answers
            .summary
            .get_or_insert_with(|| Summary::with(counted, &selection, weights));
        match self.tab {
            Tab::Functions if answers.functions.is_none() => {
                let functions = functions_of(counted, &selection, weights);
                let mark = self.mark.as_ref().filter(|mark| mark.is_of(&selection));
                answers.changes = mark.map(|mark| mark.compare(&functions));
                answers.functions = Some(functions);
            }
            Tab::Processes if answers.processes.is_none() => {
                answers.processes = Some(groups(counted, &everybody, by));
            }
            Tab::Stacks if answers.forest.is_none() => {
                self.answers.forest = Some(self.forest());
                let open = self.function().cloned();
                self.answers.course = open.and_then(|name| self.course(&name, COURSE));
            }
            Tab::Time if answers.times.is_none() => answers.times = Some(times()),
            Tab::Calls if answers.calls.is_none() || answers.slow.is_none() => {
                answers
                    .calls
                    .get_or_insert_with(|| latencies(profile, &selection, Owner::Process, is_call));
                let idle = self.idle;
                answers
                    .slow
                    .get_or_insert_with(|| slowest(profile, &selection, idle));
            }
            Tab::Overview if answers.overview.is_none() => {
                let is_off = self.no_states.is_some() || answers.shed.contains(&Probe::States);
                let measured = answers.times.take().filter(|times| !times.sampled);
                let measured = measured.unwrap_or_else(times);
                answers.times = Some(match is_off && measured.says_nothing(&shown_ns) {
                    true => {
                        let types = weights::sample_types(profile, Sampled::Cpu);
                        let within = Selection {
                            sample_types: types.unwrap_or_default(),
                            ..within.clone()
                        };
                        Times::sampled(profile, &within, owner, &shown_ns)
                    }
                    false => measured,
                });
                let idle = self.idle;
                answers
                    .slow
                    .get_or_insert_with(|| slowest(profile, &selection, idle));
                if profile.lock_waits.len() <= FEW_WAITS {
                    answers.locks.get_or_insert_with(|| locks(profile, &within));
                }
                let tree = weights::hottest(counted, &selection, weights, overview::PATHS);
                let has_locks = self.no_locks.is_none();
                let has_states = self.no_states.is_none();
                let waits = self.source.lock_waits();
                let waits = fewer(&waits, FEW_WAITS);
                let evidence = Evidence {
                    quality: self.source.quality().collect(),
                    times: has_states.then(|| self.source.thread_times().collect()),
                    contended: has_locks.then(|| contended(profile, &waits).collect()),
                };
                // What is shown may go back further than what is kept one by one.
                let averages = match shown.start >= kept.start {
                    true => evidence.averages(&shown),
                    false => {
                        let waits = fewer(&profile.lock_waits, FEW_WAITS);
                        let evidence = Evidence {
                            quality: profile.quality.iter().collect(),
                            times: has_states.then(|| profile.thread_times.iter().collect()),
                            contended: has_locks.then(|| contended(profile, &waits).collect()),
                        };
                        evidence.averages(&shown)
                    }
                };
                answers.overview = Some(Overview::of(&evidence, &charted, averages, tree));
            }
            Tab::Locks if answers.locks.is_none() => {
                // Of waits that the begin of what is shown cuts, a part counts.
                let within = Selection {
                    time: Some(shown_ns),
                    ..selection
                };
                answers.locks = Some(locks(profile, &within));
            }
            Tab::Heat if answers.heat.is_none() => {
                answers.heat = Some(match &self.told {
                    // What is told one by one is known of what is shown.
                    Some(told) => {
                        let samples = told.profile.samples.iter();
                        Heat::of(counted, &unbounded, samples, self.source.shown_ns(), room)
                    }
                    None => {
                        let (samples, kept_ns) = self.source.kept();
                        Heat::of(profile, &unbounded, samples, kept_ns, room)
                    }
                });
            }
            _ => return,
        }
        self.rows_known = false;
    }

    /// The trees of the stacks tab.
    fn forest(&self) -> Forest {
        if let Some(function) = self.function() {
            return self.around(function);
        }
        let (reading, direction) = match self.inverted {
            false => (Reading::Paths, Direction::TopDown),
            true => (Reading::Inverted, Direction::BottomUp),
        };
        let (profile, selection) = (self.counted(), self.selection());
        let tree = match &self.answers.weights {
            Some(weights) => weights::tree(profile, &selection, weights, direction),
            None => Tree::default(),
        };
        let tree = match self.one_call {
            true => recursion::folded(&tree),
            false => tree,
        };
        Forest::whole(tree, reading)
    }

    /// The callers and callees of a function; shares are of all that is selected.
    fn around(&self, function: &Name) -> Forest {
        let (profile, mut selection) = (self.counted(), self.selection());
        if !selection.asks_for_frames() {
            // Of many stacks, only those that matter are looked at.
            selection.function = Some(function.clone());
        }
        let weights = Weights::of(profile, &selection);
        let tree = weights::tree(profile, &selection, &weights, Direction::TopDown);
        let tree = match self.one_call && self.tab == Tab::Stacks {
            true => recursion::folded(&tree),
            false => tree,
        };
        let whole = self.answers.summary.as_ref().map(|summary| summary.value);
        Forest {
            total_value: whole.unwrap_or(tree.total_value),
            ..Forest::around(&tree, function)
        }
    }

    fn arrange(&mut self) {
        let filter = &self.filter;
        match self.tab {
            Tab::Functions if self.answers.changes.is_some() => self.arrange_changes(),
            Tab::Functions => {
                let rows = self.answers.functions.as_ref().map_or(&[][..], |it| &it.rows);
                let found = |row: &FunctionRow| filter.is_in(&row.label) || filter.is_in(&row.module);
                self.function_rows = select(rows, found, |row| hash(&(&row.label, &row.module, row.kernel)));
                // Stable: equal rows stay in the order of the answer, which is by name.
                self.function_rows
                    .sort_by_key(|row| std::cmp::Reverse(self.sort.rank(&rows[row.index])));
            }
            Tab::Processes => {
                let rows = self.answers.processes.as_deref().unwrap_or_default();
                let found = |row: &GroupRow| {
                    filter.is_in(&row.label) || row.pid.is_some_and(|pid| filter.is_in(&pid.to_string()))
                };
                self.process_rows = select(rows, found, |row| hash(&(row.pid, row.tid, &row.label)));
                self.sort_processes();
            }
            Tab::Stacks if self.shape == Shape::Flame => {
                if let Some(forest) = &self.answers.forest {
                    self.flame.arrange(forest, self.inverted, filter, self.size.width);
                }
            }
            Tab::Stacks => {
                self.branch_rows = match &self.answers.forest {
                    Some(forest) => self.branches.rows(forest, filter),
                    None => Vec::new(),
                };
            }
            Tab::Time => {
                let times = self.answers.times.as_ref().filter(|times| !times.sampled);
                let rows = times.map_or(&[][..], |times| &times.states.rows);
                let found = |row: &StateRow| {
                    let mut ids = row.pid.into_iter().chain(row.tid);
                    filter.is_in(&row.label) || ids.any(|id| filter.is_in(&id.to_string()))
                };
                self.time_rows = select(rows, found, |row| time_key(row.pid, row.tid, &row.label));
                self.sort_times();
            }
            Tab::Calls => self.arrange_calls(),
            Tab::Overview => {
                self.arrange_calls();
                self.overview_rows = self.items();
            }
            Tab::Locks => self.arrange_locks(),
            Tab::Heat => {}
        }
    }

    /// By how much their shares have changed, those first of which that is clear.
    fn arrange_changes(&mut self) {
        let filter = &self.filter;
        let rows = self.answers.changes.as_deref().unwrap_or_default();
        let found = |row: &ChangeRow| filter.is_in(&row.name.label) || filter.is_in(&row.name.module);
        self.function_rows = select(rows, found, |row| {
            hash(&(&row.name.label, &row.name.module, row.name.kernel))
        });
        let sort = self.sort;
        self.function_rows.sort_by(|a, b| {
            let rank = |row: &Row| {
                let row = &rows[row.index];
                (row.is_clear(sort), row.change(sort).abs())
            };
            let (a, b) = (rank(a), rank(b));
            b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
    }

    /// The function of a row.
    pub(super) fn function_of(&self, row: &Row) -> Option<Name> {
        match &self.answers.changes {
            Some(changes) => Some(changes[row.index].name.clone()),
            None => Some(name_of(&self.answers.functions.as_ref()?.rows[row.index])),
        }
    }

    fn arrange_calls(&mut self) {
        let nothing = Text::default();
        let filter = match self.heeds_filter() {
            true => &self.filter,
            false => &nothing,
        };
        let rows = self.answers.calls.as_ref().map_or(&[][..], |it| &it.rows);
        let shown = |row: &LatencyRow| self.idle || !(row.idle || waits_for_others(row.operation));
        self.calls_ns = rows
            .iter()
            .filter(|row| shown(row) && !row.idle)
            .map(|row| row.timing.total_ns)
            .fold(0, u64::saturating_add);
        let found = |row: &LatencyRow| {
            shown(row)
                && (filter.is_in(&row.label)
                    || filter.is_in(&operation(row.operation))
                    || filter.is_in(object(row.object))
                    || row.pid.is_some_and(|pid| filter.is_in(&pid.to_string())))
        };
        self.call_rows = select(rows, found, |row| {
            hash(&(row.pid, &row.label, row.operation, row.object, row.device))
        });
        let slow = self.answers.slow.as_deref().unwrap_or_default();
        let found = |row: &SlowRow| {
            let texts = [&row.thread, &row.call, &row.target, &row.result, &row.woken_by];
            texts.into_iter().any(|text| filter.is_in(text))
        };
        self.slow_rows = (0..slow.len()).filter(|&index| found(&slow[index])).collect();
        self.sort_calls();
    }

    /// Idle waits come last, and only if they are asked for.
    fn arrange_locks(&mut self) {
        let filter = &self.filter;
        let rows = self.answers.locks.as_ref().map_or(&[][..], |it| &it.rows);
        let found = |row: &LockRow| {
            let process = row.process.iter();
            let mut process = process.flat_map(|(pid, name)| [pid.to_string(), name.clone()]);
            (self.idle || row.kind != Kind::Idle)
                && (filter.is_in(&row.label) || process.any(|text| filter.is_in(&text)))
        };
        self.lock_rows = select(rows, found, |row| row.key);
        self.sort_locks();
    }

    fn settle(&mut self) {
        let height = self.layout().rows();
        if self.is_flame() {
            return self.flame.settle(height);
        }
        let list = &mut self.lists[self.tab.index()];
        match self.tab {
            Tab::Functions => list.settle(self.function_rows.iter().map(|row| row.key), height),
            Tab::Processes => list.settle(self.process_rows.iter().map(|row| row.key), height),
            Tab::Stacks => list.settle(self.branch_rows.iter().map(|row| row.path), height),
            Tab::Time => list.settle(self.time_rows.iter().map(|row| row.key), height),
            Tab::Calls => list.settle(self.call_rows.iter().map(|row| row.key), height),
            Tab::Locks => list.settle(self.lock_rows.iter().map(|row| row.key), height),
            Tab::Overview => {
                let keys = self.overview_rows.iter().map(|placed| placed.key);
                list.settle(keys, self.overview_rows.len());
            }
            Tab::Heat => {}
        }
    }

    fn preview(&mut self) {
        let cursor = self.shown_list().cursor();
        let rows = match self.tab {
            Tab::Functions => &self.function_rows,
            Tab::Processes => &self.process_rows,
            Tab::Overview | Tab::Stacks | Tab::Time | Tab::Calls | Tab::Heat | Tab::Locks => return,
        };
        let Some(&row) = rows.get(cursor) else {
            self.answers.preview = None;
            return;
        };
        let Row { index, key } = row;
        let known = |preview: &Preview| preview.key == key && preview.tab == self.tab;
        if self.answers.preview.as_ref().is_some_and(known) {
            return;
        }
        // It takes much longer than the rest of a picture.
        if self.moved.is_some() {
            return self.answers.preview = None;
        }
        let (title, forest) = match (self.tab, &self.answers.functions, &self.answers.processes) {
            (Tab::Functions, Some(_), _) => {
                let Some(name) = self.function_of(&row) else {
                    return;
                };
                let forest = self.around(&name);
                (name.label, forest)
            }
            (Tab::Processes, _, Some(processes)) => {
                let process = &processes[index];
                let mut selection = self.selection();
                let title = match Choice::of_group(self.by, process) {
                    Some(part) => {
                        part.apply(&mut selection);
                        part.words()
                    }
                    None => return self.answers.preview = None,
                };
                let profile = self.counted();
                let weights = Weights::of(profile, &selection);
                let tree = weights::tree(profile, &selection, &weights, Direction::TopDown);
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

    /// What is shown of what is remembered.
    pub(super) fn selection(&self) -> Selection {
        let mut selection = self.unrestricted();
        self.chosen.apply(&mut selection);
        if let Some(part) = self.part() {
            part.apply(&mut selection);
        }
        selection
    }

    /// What would be shown if nothing was chosen or opened.
    fn unrestricted(&self) -> Selection {
        Selection {
            kernel: self.kernel,
            time: self.range.clone().or_else(|| self.source.time()),
            sample_types: weights::sample_types(self.counted(), self.sampled).unwrap_or_default(),
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
        // Beside a path that is open to its end there may be others, of little weight.
        let hottest = |row: &&BranchRow| {
            let tree = &forest.trees[row.tree].1;
            let parent = tree.nodes[row.node as usize].parent;
            let beside = parent.map_or(&tree.roots[..], |parent| tree.children(parent));
            beside.first() == Some(&row.node)
        };
        if let Some(&row) = closed.filter(hottest) {
            branches.open_hottest(forest, &row);
        }
    }
    branches.rows(forest, &nothing)
}

/// The rows that are wanted, each with its key.
fn select<T>(rows: &[T], wanted: impl Fn(&T) -> bool, key: impl Fn(&T) -> u64) -> Vec<Row> {
    let rows = rows.iter().enumerate().filter(|(_, row)| wanted(row));
    rows.map(|(index, row)| Row { index, key: key(row) }).collect()
}

/// What names a row of the times of processes or threads.
pub(super) fn time_key(pid: Option<u32>, tid: Option<u32>, label: &str) -> u64 {
    hash(&(pid, tid, label))
}

pub(super) fn hash(key: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}
