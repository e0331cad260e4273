//! From deltas to chunks.

use std::io;

use crate::profile::{CallStack, Delta, Latency, LockWait, QualityWindow, Sample, SlowEvent, ThreadTime};

use super::{
    columns::ColumnsWriter,
    container::{ChunkHeader, FLAG_ZSTD, Kind, PAYLOAD_MAX, ratio_is_bounded},
    rows::Row,
};

/// Rows of one chunk: few enough that a damaged one costs little, enough that columns compress well.
const ROWS_MAX: usize = 1 << 16;
/// A payload larger than this is halved while it has more than one row.
const PAYLOAD_GOOD: usize = 8 << 20;
/// Higher levels gain a few percent on columns of varints and cost several times as much.
const LEVEL: i32 = 3;

/// Makes the chunks of one trace, in order.
pub(super) struct Encoder {
    sequence: u64,
    /// How many rows of each kind were written, by the kind's place in [`Kind::ALL`].
    rows: [u64; Kind::ALL.len()],
    /// The latest time that was written.
    last_ns: u64,
    compressor: zstd::bulk::Compressor<'static>,
}

/// Bytes to be written at one go, and where in them chunks end.
#[derive(Default)]
pub(super) struct Chunks {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<usize>,
}

impl Encoder {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            sequence: 0,
            rows: [0; Kind::ALL.len()],
            last_ns: 0,
            compressor: zstd::bulk::Compressor::new(LEVEL)?,
        })
    }

    /// The latest time that was encoded, in nanoseconds since the recording began.
    pub(super) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// The chunks of a delta, what is referred to first; no bytes for an empty one. That the recording ended is not among them.
    pub(super) fn delta(&mut self, delta: &Delta) -> io::Result<Chunks> {
        let Delta {
            metadata,
            sample_types,
            mappings,
            locations,
            stacks,
            processes,
            threads,
            samples,
            thread_times,
            latencies,
            targets,
            slow,
            locks,
            lock_waits,
            call_stacks,
            functions,
            lines,
            quality,
            ended: _,
        } = delta;
        let mut chunks = Chunks::default();
        let out = &mut chunks;
        self.rows(out, Kind::Metadata, metadata.as_slice(), no_time)?;
        self.rows(out, Kind::SampleTypes, sample_types, no_time)?;
        self.rows(out, Kind::Processes, processes, no_time)?;
        self.rows(out, Kind::Mappings, mappings, no_time)?;
        self.rows(out, Kind::Locations, locations, no_time)?;
        self.rows(out, Kind::Stacks, stacks, no_time)?;
        self.rows(out, Kind::Threads, threads, no_time)?;
        self.rows(out, Kind::Samples, samples, times_of_samples)?;
        self.rows(out, Kind::ThreadTimes, thread_times, times_of_spans)?;
        self.rows(out, Kind::Latencies, latencies, times_of_latencies)?;
        self.rows(out, Kind::Targets, targets, no_time)?;
        self.rows(out, Kind::Slow, slow, times_of_slow)?;
        self.rows(out, Kind::Locks, locks, no_time)?;
        self.rows(out, Kind::LockWaits, lock_waits, times_of_waits)?;
        self.rows(out, Kind::CallStacks, call_stacks, times_of_calls)?;
        self.rows(out, Kind::Functions, functions, no_time)?;
        self.rows(out, Kind::Lines, lines, no_time)?;
        self.rows(out, Kind::Quality, quality, times_of_quality)?;
        Ok(chunks)
    }

    /// The chunk that says that the recording ended in good order.
    pub(super) fn end(&mut self) -> Chunks {
        let mut chunks = Chunks::default();
        let header = ChunkHeader {
            kind: Kind::End as u16,
            first_ns: self.last_ns,
            last_ns: self.last_ns,
            ..ChunkHeader::default()
        };
        self.chunk(&mut chunks, Kind::End, header, &[]);
        chunks
    }

    fn rows<R: Row>(
        &mut self,
        out: &mut Chunks,
        kind: Kind,
        rows: &[R],
        times: fn(&[R]) -> Option<(u64, u64)>,
    ) -> io::Result<()> {
        for rows in rows.chunks(ROWS_MAX) {
            self.row_chunk(out, kind, rows, times)?;
        }
        Ok(())
    }

    fn row_chunk<R: Row>(
        &mut self,
        out: &mut Chunks,
        kind: Kind,
        rows: &[R],
        times: fn(&[R]) -> Option<(u64, u64)>,
    ) -> io::Result<()> {
        let mut columns = ColumnsWriter::default();
        R::encode(rows, self.rows[index(kind)], &mut columns);
        let raw = columns.finish();
        if raw.len() > PAYLOAD_GOOD && rows.len() > 1 {
            let (first, second) = rows.split_at(rows.len() / 2);
            self.row_chunk(out, kind, first, times)?;
            return self.row_chunk(out, kind, second, times);
        }
        if raw.len() > PAYLOAD_MAX {
            return Err(io::Error::other(format!(
                "a row of {} is too large",
                kind.words()
            )));
        }
        let packed = self.compressor.compress(&raw)?;
        let (flags, stored) = if packed.len() < raw.len() && ratio_is_bounded(packed.len(), raw.len()) {
            (FLAG_ZSTD, &packed)
        } else {
            (0, &raw)
        };
        let (first_ns, last_ns) = times(rows).unwrap_or((self.last_ns, self.last_ns));
        let header = ChunkHeader {
            kind: kind as u16,
            flags,
            raw_len: u32::try_from(raw.len()).expect("no more than PAYLOAD_MAX"),
            rows: u32::try_from(rows.len()).expect("no more than ROWS_MAX"),
            first_ns,
            last_ns,
            ..ChunkHeader::default()
        };
        self.chunk(out, kind, header, stored);
        Ok(())
    }

    /// Adds a chunk; fills in what the header says about its place and its stored bytes.
    fn chunk(&mut self, out: &mut Chunks, kind: Kind, header: ChunkHeader, stored: &[u8]) {
        let header = ChunkHeader {
            stored_len: u32::try_from(stored.len()).expect("no more than PAYLOAD_MAX"),
            sequence: self.sequence,
            first_row: self.rows[index(kind)],
            payload_crc: crc32fast::hash(stored),
            ..header
        };
        self.sequence += 1;
        self.rows[index(kind)] += u64::from(header.rows);
        self.last_ns = self.last_ns.max(header.last_ns);
        out.bytes.extend(header.encode());
        out.bytes.extend(stored);
        out.bytes.resize(out.bytes.len().next_multiple_of(8), 0);
        out.ends.push(out.bytes.len());
    }
}

/// The kind's place in [`Kind::ALL`].
fn index(kind: Kind) -> usize {
    usize::from(kind as u16) - 1
}

fn no_time<R>(_: &[R]) -> Option<(u64, u64)> {
    None
}

fn times_of_samples(rows: &[Sample]) -> Option<(u64, u64)> {
    let times = || rows.iter().map(|row| row.time_ns);
    times().min().zip(times().max())
}

fn times_of_spans(rows: &[ThreadTime]) -> Option<(u64, u64)> {
    let first = rows.iter().map(|row| row.start_ns).min();
    first.zip(rows.iter().map(|row| row.end_ns).max())
}

fn times_of_latencies(rows: &[Latency]) -> Option<(u64, u64)> {
    let first = rows.iter().map(|row| row.start_ns).min();
    first.zip(rows.iter().map(|row| row.end_ns).max())
}

fn times_of_slow(rows: &[SlowEvent]) -> Option<(u64, u64)> {
    let times = || rows.iter().map(|row| row.end_ns);
    times().min().zip(times().max())
}

fn times_of_waits(rows: &[LockWait]) -> Option<(u64, u64)> {
    let times = || rows.iter().map(|row| row.end_ns);
    times().min().zip(times().max())
}

fn times_of_calls(rows: &[CallStack]) -> Option<(u64, u64)> {
    let first = rows.iter().map(|row| row.start_ns).min();
    first.zip(rows.iter().map(|row| row.end_ns).max())
}

fn times_of_quality(rows: &[QualityWindow]) -> Option<(u64, u64)> {
    let first = rows.iter().map(|row| row.start_ns).min();
    first.zip(rows.iter().map(|row| row.end_ns).max())
}
