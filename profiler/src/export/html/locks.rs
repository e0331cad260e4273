//! The table of locks: who waited for each, where, and who held it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::{
    follow::Follows,
    frames::{Forest, Paths},
    numbers::Numbers,
    tables::{Cell, Table, column, thread_name},
};
use crate::{
    profile::{Id, LockWait, Process, Profile},
    query::{
        self, Selection,
        figures::plural,
        frames,
        locks::{Asked, Estimate, Holder, Joined, LockRow, Locks, Waiter, start_ns, weight_within_ns},
        state_slices::between,
    },
};

/// The waits of every row, by the intervals that they touch.
#[derive(Debug, Default, Serialize)]
pub(super) struct Waits {
    /// The purpose of each row: contention has 0 and stands first.
    ranks: Vec<usize>,
    /// What places, holders and processes are called.
    texts: Vec<String>,
    /// For each row who waited where: a text, and the place in the tree.
    waiters: Vec<Vec<(usize, Option<u32>)>>,
    /// For each row who held it, and where that one let go: two texts.
    holders: Vec<Vec<(usize, usize)>>,
    /// For each row the texts of the processes that waited, in the order in which the profile has them.
    processes: Vec<Vec<usize>>,
    /// For each row its waits, those of one waiter, holder and process that touch the same intervals together: how many
    /// intervals the first one is behind that of the record before, times four, plus two if not all of them lies in one
    /// interval, plus one if they are estimated; how many intervals more than one they touch; waiter; holder, plus one, 0:
    /// not known; process; how many waits, in thousandths if they are estimated; how long all took; half of that time's
    /// 95 % interval if it is estimated; how long the longest took; if not all lies in one interval, how much lies in the
    /// first, how much in the last, and in all. Times in nanoseconds.
    rows: Vec<Numbers>,
}

impl Waits {
    /// Turns the places of stacks into those in the tree, once every node has its place.
    pub(super) fn place(&mut self, place: impl Fn(u32) -> u32) {
        let nodes = self.waiters.iter_mut().flatten();
        for node in nodes.filter_map(|(_, node)| node.as_mut()) {
            *node = place(*node);
        }
    }
}

/// The table; `None` if no wait for a lock was recorded.
pub(super) fn locks(
    profile: &Profile,
    selection: &Selection,
    borders: &[u64],
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
        .enumerate()
        .flat_map(|(rank, (group, what))| group.rows.iter().map(move |row| (row, rank, what)))
        .collect();
    let mut writer = Writer {
        profile,
        borders,
        numbers: FxHashMap::default(),
        waits: Waits::default(),
    };
    let table =
        Table::new("locks", "Locks", columns)
            .about(about(&found))
            .fill(&rows, |&(row, rank, what)| {
                writer.row(row, rank, forest, paths);
                cells(profile, row, what, forest, paths)
            });
    Some(table.follows(Follows::Waits(writer.waits)))
}

/// Where waits that touch the same intervals lie, in nanoseconds.
#[derive(Default)]
struct Parts {
    first_ns: f64,
    /// Nothing if that is the first, too.
    last_ns: f64,
    all_ns: f64,
}

impl Parts {
    /// Between `borders`, the interval from number `first` to before number `behind` are those that it touches.
    fn add(&mut self, wait: &LockWait, borders: &[u64], (first, behind): (usize, usize)) {
        let within = |from: usize, to: usize| weight_within_ns(wait, &(borders[from]..borders[to]));
        self.first_ns += within(first, first + 1);
        if behind - first > 1 {
            self.last_ns += within(behind - 1, behind);
        }
        self.all_ns += within(first, behind);
    }
}

/// Writes waits down.
struct Writer<'a> {
    profile: &'a Profile,
    borders: &'a [u64],
    /// Where each text is.
    numbers: FxHashMap<String, usize>,
    waits: Waits,
}

impl Writer<'_> {
    fn text(&mut self, text: &str) -> usize {
        let text = query::clean(text);
        if let Some(&number) = self.numbers.get(text.as_ref()) {
            return number;
        }
        let number = self.waits.texts.len();
        self.waits.texts.push(text.clone().into_owned());
        self.numbers.insert(text.into_owned(), number);
        number
    }

    fn row(&mut self, row: &LockRow<'_>, rank: usize, forest: &mut Forest, paths: &mut Paths<'_>) {
        let profile = self.profile;
        self.waits.ranks.push(rank);
        let waiters = row.waiters.iter().map(|waiter| {
            let text = self.text(&place(profile, waiter.stack, waiter.within));
            (text, node(profile, waiter, forest, paths))
        });
        let waiters = waiters.collect();
        self.waits.waiters.push(waiters);
        let holders = row.holders.iter();
        let holders = holders.map(|holder| {
            (
                self.text(&who(profile, holder)),
                self.text(&let_go(profile, holder)),
            )
        });
        let holders = holders.collect();
        self.waits.holders.push(holders);
        let mut processes = row.processes.clone();
        processes.sort_unstable();
        let mut records: BTreeMap<_, (Estimate, Parts)> = BTreeMap::new();
        for member in &row.members {
            let at = between(self.borders, start_ns(member.wait), member.wait.end_ns);
            let process = profile.threads[member.wait.thread].process;
            let process = processes.binary_search(&process).unwrap_or_default();
            let holder = member.holder.map_or(0, |holder| holder + 1);
            let record = records.entry((at, member.waiter, holder, process)).or_default();
            record.0.add(member.wait, member.wait.duration_ns);
            record.1.add(member.wait, self.borders, at);
        }
        let mut numbers = Numbers::default();
        let mut before = 0;
        for (((first, behind), waiter, holder, process), (sum, parts)) in records {
            let estimated = !sum.is_exact();
            let divided = behind - first > 1 || parts.all_ns != sum.total_ns;
            numbers.push(((first - before) as u64) << 2 | u64::from(divided) << 1 | u64::from(estimated));
            before = first;
            for number in [behind - first - 1, waiter, holder, process] {
                numbers.push(number as u64);
            }
            numbers.push((sum.count * if estimated { 1e3 } else { 1.0 }).round() as u64);
            numbers.push(sum.total_ns.round() as u64);
            if estimated {
                numbers.push(sum.total_plus_minus().round() as u64);
            }
            numbers.push(sum.max_ns);
            if divided {
                for ns in [parts.first_ns, parts.last_ns, parts.all_ns] {
                    numbers.push(ns.round() as u64);
                }
            }
        }
        self.waits.rows.push(numbers);
        let processes = processes.into_iter();
        let processes = processes.map(|process| self.text(&process_name(profile, process)));
        let processes = processes.collect();
        self.waits.processes.push(processes);
    }
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
    let process = row.processes.first();
    let process = process.map(|&process| process_name(profile, process));
    let waits = &row.waits;
    let waiter = row.waiters.first();
    let holder = row.holders.first();
    let node = waiter.and_then(|waiter| node(profile, waiter, forest, paths));
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

fn process_name(profile: &Profile, process: Id<Process>) -> String {
    let process = &profile.processes[process];
    format!("{}/{}", process.name, process.pid)
}

/// Where the stack of those who waited is.
fn node(profile: &Profile, waiter: &Waiter, forest: &mut Forest, paths: &mut Paths<'_>) -> Option<u32> {
    let stack = waiter.stack.inner?;
    let process = profile.threads[waiter.thread].process;
    Some(paths.end(forest, (process, waiter.outcome, Some(stack), false)))
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
