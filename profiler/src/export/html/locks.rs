//! The table of locks: who waited for each, where, and who held it.

use super::{
    frames::{Forest, Paths},
    tables::{Cell, Table, column, thread_name},
};
use crate::{
    profile::Profile,
    query::{
        self, Selection,
        figures::plural,
        frames,
        locks::{Asked, Holder, Joined, LockRow, Locks},
    },
};

/// The table; `None` if no wait for a lock was recorded.
pub(super) fn locks(
    profile: &Profile,
    selection: &Selection,
    forest: &mut Forest,
    paths: &mut Paths<'_>,
) -> Option<Table> {
    let found = query::locks(profile, selection, Asked::default());
    if found.recorded == 0 {
        return None;
    }
    let columns = vec![
        column("lock", "text", ""),
        column("process", "text", "the one that waited longest in all"),
        column(
            "what",
            "text",
            "waits of threads that had nothing to do are idle, and nobody has to mend them",
        ),
        column(
            "waits",
            "count",
            "estimated, where short waits were kept by chance",
        ),
        column("total", "ns", ""),
        column(
            "±",
            "ns",
            "half of the 95 % interval of the total; 0: it is exact",
        ),
        column("average", "ns", ""),
        column("longest", "ns", ""),
        column(
            "mostly waited at",
            "text",
            "the first function outside of the lock's own code",
        ),
        column(
            "mostly held by",
            "text",
            "by the lock's own word, or who ended the waits",
        ),
        column("who let go at", "text", ""),
        column("of the waits", "percent", "that it is to blame for"),
        column("stack", "node", ""),
    ];
    let groups = [
        (&found.contention, "contention"),
        (&found.unknown, "not known"),
        (&found.idle, "idle"),
    ];
    let rows: Vec<_> = groups
        .into_iter()
        .flat_map(|(group, what)| group.rows.iter().map(move |row| (row, what)))
        .collect();
    let table = Table::new("locks", "Locks", columns)
        .about(about(&found))
        .fill(&rows, |&(row, what)| cells(profile, row, what, forest, paths));
    Some(table)
}

fn about(found: &Locks<'_>) -> String {
    let deadlocks = match found.deadlocks.len() {
        0 => String::new(),
        count => format!(
            " {}: profiler report --view locks shows who waits for whom.",
            plural(count as u64, "suspected deadlock")
        ),
    };
    format!("Contention first, the longest in all first; Enter on a row shows where most waited.{deadlocks}")
}

fn cells(
    profile: &Profile,
    row: &LockRow<'_>,
    what: &str,
    forest: &mut Forest,
    paths: &mut Paths<'_>,
) -> Vec<Cell> {
    let process = row.processes.first().map(|&process| {
        let process = &profile.processes[process];
        format!("{}/{}", process.name, process.pid)
    });
    let waits = &row.waits;
    let waiter = row.waiters.first();
    let holder = row.holders.first();
    let node = waiter.and_then(|waiter| {
        let stack = waiter.stack.inner?;
        let process = profile.threads[waiter.thread].process;
        Some(paths.end(forest, (process, waiter.outcome, Some(stack), false)))
    });
    vec![
        Cell::text(&row.label),
        Cell::text(&process.unwrap_or_default()),
        Cell::text(what),
        Cell::Number(waits.count.round() as u64),
        Cell::Number(waits.total_ns as u64),
        Cell::Number(waits.total_plus_minus() as u64),
        Cell::Number(waits.average_ns() as u64),
        Cell::Number(waits.max_ns),
        Cell::text(&waiter.map_or(String::new(), |waiter| {
            place(profile, waiter.stack, waiter.within)
        })),
        Cell::text(&holder.map_or(String::new(), |holder| who(profile, holder))),
        Cell::text(&holder.map_or(String::new(), |holder| let_go(profile, holder))),
        holder.map_or(Cell::Nothing(()), |holder| {
            Cell::Percent(100.0 * holder.count / waits.count.max(1.0))
        }),
        Cell::from(node.map(u64::from)),
    ]
}

fn who(profile: &Profile, holder: &Holder) -> String {
    format!(
        "{} {}",
        holder.evidence.words(),
        thread_name(profile, holder.thread)
    )
}

fn let_go(profile: &Profile, holder: &Holder) -> String {
    let joined = Joined {
        inner: holder.stack,
        outer: None,
    };
    place(profile, joined, holder.within)
}

/// The first function of a stack that is not the lock's own code.
fn place(profile: &Profile, stack: Joined, within: usize) -> String {
    let mut all = stack
        .locations(profile)
        .flat_map(|location| frames(profile, location));
    let first = all.nth(within);
    first.map_or(String::new(), |frame| frame.label().into_owned())
}
