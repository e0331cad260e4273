//! The tables below the graphs: who, in which state, in which calls.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    follow::{self, Follows, Timings},
    frames::{Forest, Paths},
    locks::locks,
};
use crate::{
    profile::{Extent, Id, Operation, Process, Profile, SlowEvent, State, Thread, Unit, Waker},
    query::{
        self, GroupBy, Owner, Selection, clean,
        figures::plural,
        operation::{errno, is_call, object, operation, transfers},
        slow::start_ns,
    },
};

/// No table has more rows; it says how many it leaves out.
const MAX_ROWS: usize = 1_000;

/// A table.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    /// What it is called in the page's own script.
    id: &'static str,
    title: &'static str,
    /// What its figures are, in a sentence; or why it is empty.
    about: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// How many rows are left out.
    more: usize,
    /// How its figures follow a range of time that is chosen; `None`: they do not.
    follows: Option<Follows>,
}

/// A column of a table.
#[derive(Debug, Serialize)]
pub(super) struct Column {
    name: String,
    /// How its figures are written: `text`, `id`, `count`, `ns`, `when`, `percent`, or `node` for a stack.
    kind: &'static str,
    /// What it means, where its name does not say it.
    about: &'static str,
}

/// A figure or a name.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Cell {
    Text(String),
    Number(u64),
    Percent(f64),
    Nothing(()),
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(clean(text).into_owned())
    }
}

impl From<Option<u64>> for Cell {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Nothing(()), Self::Number)
    }
}

pub(super) fn column(name: &str, kind: &'static str, about: &'static str) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        about,
    }
}

impl Table {
    pub(super) fn new(id: &'static str, title: &'static str, columns: Vec<Column>) -> Self {
        Self {
            id,
            title,
            about: String::new(),
            columns,
            rows: Vec::new(),
            more: 0,
            follows: None,
        }
    }

    pub(super) fn fill<T>(mut self, rows: &[T], row: impl FnMut(&T) -> Vec<Cell>) -> Self {
        let shown = &rows[..rows.len().min(MAX_ROWS)];
        self.rows = shown.iter().map(row).collect();
        self.more = rows.len() - shown.len();
        self
    }

    pub(super) fn about(mut self, text: impl Into<String>) -> Self {
        self.about = text.into();
        self
    }

    pub(super) fn follows(mut self, how: Follows) -> Self {
        self.follows = Some(how);
        self
    }
}

/// All tables but that of processes. Stacks of slow calls and of waits for locks are put into the tree; `borders` are those of
/// the intervals in which the page knows what was measured.
pub(super) fn tables(
    profile: &Profile,
    selection: &Selection,
    borders: &[u64],
    forest: &mut Forest,
    paths: &mut Paths<'_>,
) -> Vec<Table> {
    let mut tables = vec![
        states(profile, selection, borders),
        calls(profile, selection, borders),
        slow(profile, selection, forest, paths),
    ];
    tables.extend(locks(profile, selection, borders, forest, paths));
    tables
}

/// For each process its row in the table of processes, counted from 0, if it has one.
#[derive(Debug)]
pub(super) struct Rows(Vec<Option<u32>>);

impl Rows {
    /// The row of a process; a number beyond the table's for those that it leaves out.
    pub(super) fn of(&self, process: Id<Process>) -> u32 {
        self.0[process.index()].unwrap_or(u32::MAX)
    }
}

/// What was sampled of a process, of one type of sample: value, samples, and how many of these have a stack cut short.
type Sampled = (u64, u64, u64);

/// Who was sampled, one column for each type of sample; and which row each process is.
pub(super) fn processes(profile: &Profile, selection: &Selection) -> (Table, Rows) {
    let mut columns = vec![column("process", "text", ""), column("pid", "id", "")];
    let mut rows: BTreeMap<(String, Option<u32>), Vec<Sampled>> = BTreeMap::new();
    let types: Vec<(u8, &str)> = (0..=u8::MAX)
        .zip(&profile.sample_types)
        .map(|(index, kind)| (index, kind.name.as_str()))
        .collect();
    for (place, &(index, name)) in types.iter().enumerate() {
        let (value, share, samples) = match name {
            "cpu" => (
                "on CPU".to_owned(),
                "% of CPU".to_owned(),
                "CPU samples".to_owned(),
            ),
            "off_cpu" => (
                "waited".to_owned(),
                "% of waits".to_owned(),
                "wait samples".to_owned(),
            ),
            name => {
                let name = clean(name);
                (
                    name.to_string(),
                    format!("% of {name}"),
                    format!("{name} samples"),
                )
            }
        };
        let unit = match profile.sample_types[place].unit {
            Unit::Nanoseconds => "ns",
            _ => "count",
        };
        columns.push(column(&value, unit, "what the samples stand for"));
        columns.push(column(&share, "percent", "of all that were selected"));
        columns.push(column(&samples, "count", ""));
        let selection = Selection {
            sample_types: vec![index],
            ..selection.clone()
        };
        for row in query::groups(profile, &selection, GroupBy::Process) {
            let figures = rows
                .entry((row.label, row.pid))
                .or_insert_with(|| vec![(0, 0, 0); types.len()]);
            figures[place] = (row.value, row.samples, row.incomplete);
        }
    }
    columns.push(column("incomplete", "count", "samples whose stack was cut short"));
    let total = |place: usize| {
        let values = rows.values().map(|figures| figures[place].0);
        values.fold(0, u64::saturating_add)
    };
    let totals: Vec<u64> = (0..types.len()).map(total).collect();
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|a, b| {
        let values = |figures: &[Sampled]| figures.iter().map(|figure| figure.0).collect::<Vec<_>>();
        values(&b.1).cmp(&values(&a.1)).then_with(|| a.0.cmp(&b.0))
    });
    let numbers: BTreeMap<(&str, Option<u32>), u32> = rows
        .iter()
        .zip(0..)
        .map(|(((label, pid), _), number)| ((label.as_str(), *pid), number))
        .collect();
    let row = |process: &Process| {
        let label = if process.name.is_empty() {
            "[no name]"
        } else {
            &process.name
        };
        numbers.get(&(label, Some(process.pid))).copied()
    };
    let of = Rows(
        profile
            .processes
            .iter()
            .map(|(_, process)| row(process))
            .collect(),
    );
    let table = Table::new("processes", "Processes", columns)
        .about("Sampled: a share of few samples may be chance.")
        .follows(Follows::Samples {
            streams: types.iter().map(|(_, name)| (*name).to_owned()).collect(),
        })
        .fill(&rows, |((label, pid), figures)| {
            let mut cells = vec![Cell::text(label), Cell::from(pid.map(u64::from))];
            for (&(value, samples, _), total) in figures.iter().zip(&totals) {
                cells.push(Cell::Number(value));
                cells.push(Cell::Percent(query::percent(value, *total)));
                cells.push(Cell::Number(samples));
            }
            let incomplete = figures.iter().map(|figure| figure.2).sum();
            cells.push(Cell::Number(incomplete));
            cells
        });
    (table, of)
}

/// What a person calls a state.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::PageFault => "page fault",
        State::Ipc => "other processes",
        State::Events => "events (idle)",
        State::Sleep => "sleep (idle)",
        state => state.name(),
    }
}

fn states(profile: &Profile, selection: &Selection, borders: &[u64]) -> Table {
    let slices = query::state_slices(profile, selection, Owner::Process, borders);
    let queues = Timings::of(profile, selection, borders, |operation| {
        operation == Operation::RunQueue
    });
    let (mut rows, mut waits) = (Vec::new(), Vec::new());
    let all = query::states(profile, selection, Owner::Process);
    let mut columns = vec![
        column("process", "text", ""),
        column("pid", "id", ""),
        column("threads", "count", ""),
    ];
    columns.extend(State::ALL.map(|kind| column(state(kind), "ns", "time of all its threads")));
    columns.push(column(
        "of running: kernel",
        "ns",
        "in system calls, measured, and in faults and interrupts, by samples",
    ));
    columns.push(column(
        "waits",
        "count",
        "how often a thread left the CPU to wait",
    ));
    columns.push(column(
        "preempted",
        "count",
        "how often a thread was taken off the CPU",
    ));
    columns.push(column(
        "runq p99",
        "ns",
        "wait for a CPU that 99 % of the waits did not exceed",
    ));
    columns.push(column("runq max", "ns", "the longest wait for a CPU"));
    let about = if all.recorded_threads == 0 {
        "How threads spent their time was not recorded: record with --probe states, or without --probe."
            .to_owned()
    } else {
        "Measured at every switch, not sampled.".to_owned()
    };
    Table::new("states", "States", columns)
        .about(about)
        .fill(&all.rows, |row| {
            let slices = slices.get(&(row.label.clone(), row.pid));
            rows.push(slices.map(follow::states).unwrap_or_default());
            waits.push(queues.process(&row.label, row.pid));
            let mut cells = vec![
                Cell::text(&row.label),
                Cell::from(row.pid.map(u64::from)),
                Cell::Number(row.threads),
            ];
            cells.extend(row.times.ns.map(Cell::Number));
            cells.push(Cell::from(all.divides().then(|| row.modes.kernel_ns())));
            cells.push(Cell::Number(row.times.waits));
            cells.push(Cell::Number(row.times.preemptions));
            let queue = |percent| row.run_queue.as_ref().and_then(|waits| waits.percentile(percent));
            cells.push(Cell::from(queue(99.0)));
            cells.push(Cell::from(queue(100.0)));
            cells
        })
        .follows(Follows::States { rows, queues: waits })
}

fn calls(profile: &Profile, selection: &Selection, borders: &[u64]) -> Table {
    let timings = Timings::of(profile, selection, borders, is_call);
    let mut rows = Vec::new();
    let all = query::latencies(profile, selection, Owner::Process, is_call);
    let columns = vec![
        column("process", "text", ""),
        column("pid", "id", ""),
        column("call", "text", ""),
        column("on", "text", ""),
        column("calls", "count", ""),
        column("failed", "count", ""),
        column("total", "ns", ""),
        column("average", "ns", ""),
        column(
            "p50",
            "ns",
            "half of the calls took no longer; at most 6.25 % wrong, as all percentiles",
        ),
        column("p90", "ns", ""),
        column("p99", "ns", ""),
        column("longest", "ns", ""),
        column("errors", "text", ""),
    ];
    let about = if all.recorded == 0 {
        "System calls were not recorded, or there was none: record with --probe syscalls."
    } else {
        "Every call is counted and timed. Calls that wait for events or for a time stand last."
    };
    Table::new("calls", "System calls", columns)
        .about(about)
        .fill(&all.rows, |row| {
            rows.push(timings.row(row));
            let timing = &row.timing;
            let mut errors: Vec<_> = timing.errors.iter().collect();
            errors.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
            let errors: Vec<String> = errors
                .into_iter()
                .map(|(&number, count)| match number {
                    0 => format!("others {count}"),
                    number => format!("{} {count}", errno(number)),
                })
                .collect();
            vec![
                Cell::text(&row.label),
                Cell::from(row.pid.map(u64::from)),
                Cell::text(&operation(row.operation)),
                Cell::text(object(row.object)),
                Cell::Number(timing.count),
                Cell::Number(timing.failed()),
                Cell::Number(timing.total_ns),
                Cell::from((timing.timed > 0).then(|| timing.total_ns / timing.timed)),
                Cell::from(timing.percentile(50.0)),
                Cell::from(timing.percentile(90.0)),
                Cell::from(timing.percentile(99.0)),
                Cell::Number(timing.max_ns),
                Cell::Text(errors.join(", ")),
            ]
        })
        .follows(Follows::Calls {
            rows,
            busy: all.rows.iter().filter(|row| !row.idle).count(),
            errors: timings.errors(),
        })
}

fn slow(profile: &Profile, selection: &Selection, forest: &mut Forest, paths: &mut Paths<'_>) -> Table {
    let all = query::slow(profile, selection, false);
    let columns = vec![
        column("when", "when", "since the recording began"),
        column("took", "ns", ""),
        column("thread", "text", ""),
        column("tid", "id", ""),
        column("call", "text", ""),
        column("on", "text", ""),
        column("result", "text", ""),
        column("last wait", "ns", "a call may wait several times"),
        column("woken by", "text", ""),
        column("stack", "node", ""),
    ];
    let about = match (all.recorded, all.idle) {
        (0, _) => "No slow call was recorded one by one: record with --probe syscalls.".to_owned(),
        (_, 0) => "The longest first; Enter on a row shows its stack.".to_owned(),
        (_, idle) => format!(
            "The longest first; Enter on a row shows its stack. {} that waited for events or slept left out.",
            plural(idle, "call")
        ),
    };
    Table::new("slow", "Slow calls", columns)
        .about(about)
        .follows(Follows::Moments)
        .fill(&all.events, |event| slow_row(profile, event, forest, paths))
}

fn slow_row(profile: &Profile, event: &SlowEvent, forest: &mut Forest, paths: &mut Paths<'_>) -> Vec<Cell> {
    let thread = &profile.threads[event.thread];
    let on = event
        .target
        .map_or(object(event.object), |target| profile.targets[target].0.as_str());
    let waker = match event.waker {
        Waker::Thread(thread) => thread_name(profile, thread),
        Waker::Interrupt => "an interrupt".to_owned(),
        Waker::Nobody | Waker::Unknown => String::new(),
    };
    let node = event
        .stack
        .map(|stack| paths.end(forest, (thread.process, event.outcome, Some(stack), false)));
    vec![
        Cell::Number(start_ns(event)),
        Cell::Number(event.duration_ns),
        Cell::text(&thread.name),
        Cell::Number(thread.tid.into()),
        Cell::text(&operation(event.operation)),
        Cell::text(on),
        Cell::Text(result(event)),
        Cell::from((event.wait_ns > 0).then_some(event.wait_ns)),
        Cell::text(&waker),
        Cell::from(node.map(u64::from)),
    ]
}

pub(super) fn thread_name(profile: &Profile, thread: Id<Thread>) -> String {
    let thread = &profile.threads[thread];
    format!("{}/{}", thread.name, thread.tid)
}

/// What a call returned, and what the recording did not see of it.
fn result(event: &SlowEvent) -> String {
    let seen = match event.extent {
        Extent::Whole => "",
        Extent::BegunBefore => " (begun before)",
        Extent::NotEnded => return "still running".to_owned(),
        Extent::Throughout => return "running all through".to_owned(),
    };
    let result = match event.result {
        _ if !is_call(event.operation) => String::new(),
        error @ -4095..0 => errno(error.unsigned_abs() as u16).into_owned(),
        bytes @ 0.. if transfers(event.operation) => plural(bytes.unsigned_abs(), "byte"),
        // An address.
        large if !(0..1 << 32).contains(&large) => format!("{large:#x}"),
        number => number.to_string(),
    };
    format!("{result}{seen}")
}

/// Turns the stacks of tables into places in the tree, once every node has its place.
pub(super) fn place(tables: &mut [Table], place: impl Fn(u32) -> u32) {
    for table in tables {
        if let Some(Follows::Waits(waits)) = &mut table.follows {
            waits.place(&place);
        }
        let Some(at) = table.columns.iter().position(|column| column.kind == "node") else {
            continue;
        };
        for row in &mut table.rows {
            if let Some(Cell::Number(node)) = row.get_mut(at) {
                *node = place(*node as u32).into();
            }
        }
    }
}
