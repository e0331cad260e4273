//! The samples of one recording as the page reads them: when, where in the tree, how many and how much.

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::{
    frames::{End, Forest, Order, Paths},
    numbers::Numbers,
    tables::Rows,
};
use crate::{
    profile::{Profile, Unit},
    query::{Sampled, Selection},
};

/// No page has more records. Where there would be more, the time of samples is told more coarsely, and where that is not
/// enough, the page has some of the samples only; it says so.
const MAX_RECORDS: usize = if cfg!(test) { 1_000 } else { 2_500_000 };
/// How finely the time of samples is told, in nanoseconds, if there are few enough.
pub(super) const FINEST_NS: u64 = 1_000_000;
/// How coarsely, at most, so that a heat map shows when.
const COARSEST_NS: u64 = 16_000_000;

/// Samples of one type.
#[derive(Debug, Serialize)]
pub(super) struct Stream {
    /// The sample type's name.
    pub(super) name: String,
    unit: &'static str,
    /// How many samples there are.
    pub(super) samples: u64,
    /// What a record's value is a multiple of.
    scale: u64,
    /// How many records there are.
    count: usize,
    /// For each record, in the order of time, then of the tree: ticks since the one before, times four, plus 1 if it is
    /// several samples, plus 2 if its value is another number than that of its samples; the distance in the tree from
    /// the one before; how many samples, if 1 says so; the value, if 2 says so.
    records: Numbers,
    /// Which row of the table of processes each record belongs to: to that of the record before with the same root of the
    /// tree, but for some records. For each of these how many records it is behind the one before, and its row.
    rows: Numbers,
}

/// Samples of one process at one place of the tree in one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    tick: u64,
    node: u32,
    /// Of the table of processes.
    row: u32,
    samples: u64,
    value: u64,
}

/// The samples of one type that grow into a [`Stream`].
#[derive(Debug)]
pub(super) struct Gathered {
    name: String,
    unit: Unit,
    records: Vec<Record>,
}

/// Which part of the time of a recording is on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Nanoseconds since the recording began.
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
}

/// Something that was sampled: when, where, and how much.
type Sampling = (u64, End, u64);

/// Gathers the selected samples of every type, whichever the selection itself names; `span` is where they lie. What is
/// sampled in another way becomes one more stream by [`Gathered::of`], and a graph by a line in `GRAPHS`.
pub(super) fn gather(
    profile: &Profile,
    selection: &Selection,
    span: Span,
    rows: &Rows,
    forest: &mut Forest,
    paths: &mut Paths<'_>,
) -> Vec<Gathered> {
    let waits = Sampled::OffCpu.sample_types(profile).unwrap_or_default();
    let mut streams = Vec::new();
    for (index, kind) in (0..=u8::MAX).zip(&profile.sample_types) {
        let selection = Selection {
            sample_types: vec![index],
            ..selection.clone()
        };
        let matcher = selection.matcher(profile);
        let waiting = waits.contains(&index);
        let samples = || {
            matcher.samples().map(|sample| -> Sampling {
                let process = profile.threads[sample.thread].process;
                let end = (process, sample.outcome, sample.stack, waiting);
                (sample.time_ns, end, sample.value)
            })
        };
        streams.extend(Gathered::of(
            (&kind.name, kind.unit),
            samples,
            span,
            rows,
            forest,
            paths,
        ));
    }
    streams
}

/// What was done so that there are few enough records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reduced {
    /// How many nanoseconds a tick is.
    pub(super) tick_ns: u64,
    /// Of how many samples the page has one.
    pub(super) one_in: u64,
}

/// Makes time coarser, and then leaves samples out, until there are few enough records.
pub(super) fn reduce(streams: &mut [Gathered]) -> Reduced {
    let mut tick_ns = FINEST_NS;
    loop {
        let records: usize = streams.iter().map(|stream| stream.records.len()).sum();
        let latest = streams.iter().filter_map(|stream| stream.records.last());
        let latest = latest.map(|record| record.tick).max().unwrap_or(0);
        if latest < u64::from(u32::MAX) && (records <= MAX_RECORDS || tick_ns >= COARSEST_NS) {
            let one_in = records.div_ceil(MAX_RECORDS).max(1) as u64;
            if one_in > 1 {
                streams.iter_mut().for_each(|stream| stream.thin(one_in));
            }
            return Reduced { tick_ns, one_in };
        }
        tick_ns = tick_ns.saturating_mul(2);
        for stream in &mut *streams {
            stream.records.iter_mut().for_each(|record| record.tick /= 2);
            merge(&mut stream.records);
        }
    }
}

/// Sorts, and makes one of those of the same tick and place.
fn merge(records: &mut Vec<Record>) {
    records.sort_unstable();
    records.dedup_by(|next, kept| {
        let same = (next.tick, next.node, next.row) == (kept.tick, kept.node, kept.row);
        if same {
            kept.samples += next.samples;
            kept.value = kept.value.saturating_add(next.value);
        }
        same
    });
}

impl Gathered {
    /// The stream of samples that `samples` yields whenever it is called; `None` if it yields nothing.
    fn of<I: Iterator<Item = Sampling>>(
        (name, unit): (&str, Unit),
        samples: impl Fn() -> I,
        span: Span,
        rows: &Rows,
        forest: &mut Forest,
        paths: &mut Paths<'_>,
    ) -> Option<Self> {
        let mut counts: FxHashMap<End, u64> = FxHashMap::default();
        samples().for_each(|(_, end, _)| *counts.entry(end).or_default() += 1);
        let mut ends: Vec<_> = counts.into_iter().collect();
        // Where there is no room for all stacks, those with the most samples have it.
        ends.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let places: FxHashMap<End, u32> = ends
            .into_iter()
            .map(|(end, _)| (end, paths.end(forest, end)))
            .collect();
        let records = samples().map(|(time_ns, end, value)| Record {
            tick: (time_ns.clamp(span.start_ns, span.end_ns) - span.start_ns) / FINEST_NS,
            node: places[&end],
            row: rows.of(end.0),
            samples: 1,
            value,
        });
        let mut records: Vec<Record> = records.collect();
        merge(&mut records);
        (!records.is_empty()).then(|| Self {
            name: name.to_owned(),
            unit,
            records,
        })
    }

    /// Keeps one in so many records, chosen by chance and so without favour. Each stands for those left out, too: values
    /// stay right on average. It is as many samples as it was, so that intervals are those of what is left.
    fn thin(&mut self, one_in: u64) {
        let mut number = 0u64;
        self.records.retain_mut(|record| {
            number += 1;
            record.value = record.value.saturating_mul(one_in);
            scatter(number).is_multiple_of(one_in)
        });
    }

    /// As it is written, once every node has its place.
    pub(super) fn finish(self, order: &Order) -> Stream {
        let mut records = self.records;
        records
            .iter_mut()
            .for_each(|record| record.node = order.place(record.node));
        records.sort_unstable();
        let values = records.iter().map(|record| record.value);
        let scale = values.fold(0, divisor).max(1);
        let mut stream = Stream {
            name: self.name,
            unit: self.unit.name(),
            samples: records.iter().map(|record| record.samples).sum(),
            scale,
            count: records.len(),
            records: Numbers::default(),
            rows: Numbers::default(),
        };
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        let (mut tick, mut node, mut known) = (0, 0, 0);
        for record in records {
            if last.insert(order.root(record.node), record.row) == Some(record.row) {
                known += 1;
            } else {
                stream.rows.push(known);
                stream.rows.push(record.row.into());
                known = 0;
            }
            let value = record.value / scale;
            let (several, differs) = (record.samples > 1, value != record.samples);
            let numbers = &mut stream.records;
            numbers.push((record.tick - tick) << 2 | u64::from(differs) << 1 | u64::from(several));
            numbers.push_signed(i64::from(record.node) - i64::from(node));
            if several {
                numbers.push(record.samples);
            }
            if differs {
                numbers.push(value);
            }
            (tick, node) = (record.tick, record.node);
        }
        stream
    }
}

/// A number that looks like chance, the same for the same number (the end of splitmix64).
fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// The largest number that both are multiples of.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
