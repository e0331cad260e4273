//! One recording on the page: how far it can be trusted, its samples, what its threads did when, its tables.

use serde::Serialize;

use super::{
    frames::{Forest, Order, Paths},
    intervals,
    streams::{self, FINEST_NS, Gathered, Span, Stream},
    tables::{self, Table},
};
use crate::{
    export::Recording,
    profile::State,
    query::{self, Summary, clean, figures, trust},
};

/// Time is cut into at most so many bins.
const MAX_BINS: u64 = 240;
/// The recorder's second: spans of threads are about as long, so shorter bins would show nothing more.
const BIN_NS: u64 = 1_000_000_000;

/// One recording as the page reads it.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    /// Where it was recorded: the host's name.
    pub(super) host: String,
    /// The trace's name, if it is known.
    trace: String,
    /// The line everything else is read by, as `report` begins.
    quality: String,
    /// The host and how it was recorded.
    about: String,
    /// The command line of the recorder.
    command: String,
    /// What was selected of it; empty: everything.
    selected: String,
    /// What is wrong with it, each with its number.
    warnings: Vec<String>,
    /// What of it the page leaves out.
    left_out: Vec<String>,
    /// When it began, in milliseconds since 1970; 0 if that is not known.
    began_ms: u64,
    cpus: u32,
    /// Samples a second and CPU.
    frequency_hz: u32,
    /// The selected part of its time, in nanoseconds since it began.
    start_ns: u64,
    end_ns: u64,
    /// How finely the time of samples is told.
    tick_ns: u64,
    /// Of how many samples the page has one.
    one_in: u64,
    /// Where the intervals begin and end in which the page knows what was measured, in nanoseconds since it began.
    borders: Vec<u64>,
    streams: Vec<Stream>,
    states: States,
    tables: Vec<Table>,
}

/// What threads did when.
#[derive(Debug, Serialize)]
struct States {
    /// Whether any were recorded, selected or not.
    recorded: bool,
    bin_ns: u64,
    names: [&'static str; State::COUNT],
    /// For each bin the nanoseconds in each state; none where no thread is selected.
    bins: Vec<[u64; State::COUNT]>,
}

/// A recording whose stacks are in the tree, but have no place there yet.
#[derive(Debug)]
pub(super) struct Draft {
    side: Side,
    streams: Vec<Gathered>,
}

/// Reads a recording and puts its stacks into the tree.
pub(super) fn draft(recording: &Recording<'_>, forest: &mut Forest) -> Draft {
    let Recording {
        trace,
        profile,
        notes,
        selection,
    } = *recording;
    let summary = Summary::of(profile, selection);
    let metadata = &profile.metadata;
    let recorded = profile.duration_ns();
    let (start_ns, end_ns) = match &selection.time {
        Some(time) => (time.start.min(recorded), time.end.min(recorded)),
        None => (0, recorded),
    };
    let span = Span {
        start_ns,
        end_ns: end_ns.max(start_ns),
    };
    let mut paths = Paths::new(profile, selection);
    let (processes, rows) = tables::processes(profile, selection);
    let mut streams = streams::gather(profile, selection, span, &rows, forest, &mut paths);
    let streams::Reduced { tick_ns, one_in } = streams::reduce(&mut streams);
    let borders = intervals::borders(profile, span);
    let mut tables = tables::tables(profile, selection, &borders, forest, &mut paths);
    tables.insert(0, processes);
    let mut left_out = Vec::new();
    if tick_ns > FINEST_NS {
        left_out.push(format!(
            "the time of samples is told to {}: there are many",
            figures::duration(tick_ns)
        ));
    }
    if one_in > 1 {
        left_out.push(format!(
            "one sample in {one_in} is here, chosen by chance and weighed {one_in} times: there are too many; the tables \
             below count all, but that of processes while a range is chosen"
        ));
    }
    let side = Side {
        host: clean(&metadata.hostname).into_owned(),
        trace: clean(trace).into_owned(),
        quality: trust::quality(&summary),
        about: trust::host(metadata, &summary),
        command: clean(&metadata.command_line.join(" ")).into_owned(),
        selected: trust::describe(selection),
        warnings: trust::warnings(notes, &summary),
        left_out,
        began_ms: metadata.start_unix_ns / 1_000_000,
        cpus: metadata.cpus,
        frequency_hz: metadata.frequency_hz,
        start_ns: span.start_ns,
        end_ns: span.end_ns,
        tick_ns,
        one_in,
        borders,
        streams: Vec::new(),
        states: states(recording, span),
        tables,
    };
    Draft { side, streams }
}

impl Draft {
    /// As it is written, once every node has its place.
    pub(super) fn finish(mut self, order: &Order, cut: Option<usize>) -> Side {
        self.side.streams = self
            .streams
            .into_iter()
            .map(|stream| stream.finish(order))
            .collect();
        tables::place(&mut self.side.tables, |node| order.place(node));
        if let Some(nodes) = cut {
            self.side.left_out.push(format!(
                "the page has room for {} frames of stacks: rare stacks end early",
                figures::count(nodes as u64)
            ));
        }
        self.side
    }
}

fn states(recording: &Recording<'_>, span: Span) -> States {
    let Recording {
        profile, selection, ..
    } = *recording;
    let length = span.end_ns - span.start_ns;
    let bin_ns = length
        .div_ceil(MAX_BINS)
        .div_ceil(BIN_NS)
        .max(1)
        .saturating_mul(BIN_NS);
    let bins = if profile.thread_times.is_empty() {
        Vec::new()
    } else {
        query::timeline(profile, selection, &(span.start_ns..span.end_ns), bin_ns)
    };
    let some = bins.iter().any(|times| times.total_ns() > 0);
    States {
        recorded: !profile.thread_times.is_empty(),
        bin_ns,
        names: State::ALL.map(tables::state),
        bins: bins.into_iter().filter(|_| some).map(|times| times.ns).collect(),
    }
}
