//! By what the tables are sorted: each by what matters most there, or by another column that a key leads to.

use std::cmp::Reverse;

use super::{
    answers::Row,
    app::{App, Tab},
    locks::LockRow,
};
use crate::{
    profile::State,
    query::{GroupRow, LatencyRow, StateRow},
};

/// What a table may be sorted by. The first of each list is what it begins with: the order of the answer.
const PROCESSES: [&str; 3] = ["share", "name", "incomplete stacks"];
const TIME: [(&str, Option<State>); 8] = [
    ("what ran or was held up", None),
    ("running", Some(State::Running)),
    ("waiting for a CPU", Some(State::Runnable)),
    ("disk", Some(State::Disk)),
    ("network", Some(State::Network)),
    ("locks", Some(State::Lock)),
    ("page faults", Some(State::PageFault)),
    ("sleep", Some(State::Sleep)),
];
const CALLS: [&str; 5] = ["time", "calls", "99th percentile", "longest", "failed"];
const LOCKS: [&str; 3] = ["time waited", "waits", "longest wait"];

/// Which order each tab has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders([usize; super::app::TABS]);

impl Orders {
    fn of(&self, tab: Tab) -> usize {
        self.0[tab.index()]
    }
}

impl App {
    /// By what the table is sorted, if that is not what it begins with.
    pub(super) fn order(&self) -> Option<&'static str> {
        match self.orders.of(self.tab) {
            0 => None,
            place => orders(self.tab).get(place).copied(),
        }
    }

    /// To the next order.
    pub(super) fn next_order(&mut self) {
        if self.tab == Tab::Functions {
            self.sort = self.sort.other();
            self.rows_known = false;
            return;
        }
        let orders = orders(self.tab);
        if orders.is_empty() {
            return self.say("what is in this view has one order");
        }
        let place = (self.orders.of(self.tab) + 1) % orders.len();
        self.orders.0[self.tab.index()] = place;
        self.rows_known = false;
        self.list().move_to(0);
        self.say(&format!("sorted by {}", orders[place]));
    }

    pub(super) fn sort_processes(&mut self) {
        let rows = self.answers.processes.as_deref().unwrap_or_default();
        let of = |row: &Row| -> &GroupRow { &rows[row.index] };
        match self.orders.of(Tab::Processes) {
            1 => self.process_rows.sort_by(|a, b| {
                (&of(a).label, of(a).pid, of(a).tid).cmp(&(&of(b).label, of(b).pid, of(b).tid))
            }),
            2 => self.process_rows.sort_by_key(|row| Reverse(of(row).incomplete)),
            _ => {}
        }
    }

    pub(super) fn sort_times(&mut self) {
        let rows = self.answers.times.as_ref().map_or(&[][..], |it| &it.states.rows);
        let of = |row: &Row| -> &StateRow { &rows[row.index] };
        if let Some((_, Some(state))) = TIME.get(self.orders.of(Tab::Time)) {
            self.time_rows
                .sort_by_key(|row| Reverse(of(row).times.of(*state)));
        }
    }

    pub(super) fn sort_calls(&mut self) {
        let rows = self.answers.calls.as_ref().map_or(&[][..], |it| &it.rows);
        let of = |row: &Row| -> &LatencyRow { &rows[row.index] };
        match self.orders.of(Tab::Calls) {
            1 => self.call_rows.sort_by_key(|row| Reverse(of(row).timing.count)),
            2 => self
                .call_rows
                .sort_by_key(|row| Reverse(of(row).timing.percentile(99.0))),
            3 => self.call_rows.sort_by_key(|row| Reverse(of(row).timing.max_ns)),
            4 => self.call_rows.sort_by_key(|row| Reverse(of(row).timing.failed())),
            _ => {}
        }
    }

    /// What a lock is stays before how long it was waited for: a suspected deadlock is not to be missed.
    pub(super) fn sort_locks(&mut self) {
        let rows = self.answers.locks.as_ref().map_or(&[][..], |it| &it.rows);
        let of = |row: &Row| -> &LockRow { &rows[row.index] };
        match self.orders.of(Tab::Locks) {
            1 => self.lock_rows.sort_by(|a, b| {
                of(a)
                    .kind
                    .cmp(&of(b).kind)
                    .then(of(b).waits.count.total_cmp(&of(a).waits.count))
            }),
            2 => self
                .lock_rows
                .sort_by_key(|row| (of(row).kind, Reverse(of(row).waits.max_ns))),
            _ => {}
        }
    }
}

fn orders(tab: Tab) -> Vec<&'static str> {
    match tab {
        Tab::Functions | Tab::Overview | Tab::Stacks | Tab::Heat => Vec::new(),
        Tab::Processes => PROCESSES.to_vec(),
        Tab::Time => TIME.iter().map(|(name, _)| *name).collect(),
        Tab::Calls => CALLS.to_vec(),
        Tab::Locks => LOCKS.to_vec(),
    }
}
