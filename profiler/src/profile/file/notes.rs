//! What is said about a damaged trace.

use super::{
    assemble::{DAMAGED, Oddities},
    container::{ChunkHeader, Kind, MAJOR, MINOR},
};

/// More notes than this are only counted.
const NOTES_MAX: usize = 30;

/// Sentences for a person, so many and no more.
#[derive(Default)]
pub(super) struct Notes {
    notes: Vec<String>,
    more: usize,
}

impl Notes {
    pub(super) fn add(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        } else {
            self.more += 1;
        }
    }

    /// What was met all over the trace.
    pub(super) fn oddities(&mut self, oddities: &Oddities, unknown_chunks: usize, minor: u16) {
        let Oddities {
            unknown_columns,
            unknown_rows,
            strange_values,
            dangling,
            dangling_samples,
            too_deep,
        } = *oddities;
        if unknown_chunks + unknown_columns + unknown_rows + strange_values > 0 {
            self.add(format!(
                "the trace has format {MAJOR}.{minor} and this program knows {MAJOR}.{MINOR}: it left out {}, {} \
                 and {}, and took {} for the nearest that it knows",
                count(unknown_chunks as u64, "chunks"),
                count(unknown_columns as u64, "columns"),
                count(unknown_rows as u64, "rows"),
                count(strange_values as u64, "values"),
            ));
        }
        if dangling > 0 {
            self.add(format!(
                "{} to what is missing; {DAMAGED} or nothing stands for it, in {}",
                count(dangling as u64, "references"),
                count(dangling_samples as u64, "samples"),
            ));
        }
        if too_deep > 0 {
            let frames = count(too_deep as u64, "frames");
            self.add(format!("{frames} of stacks beyond all depth were left out"));
        }
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.notes.push(format!("and {} more of this kind", self.more));
        }
        self.notes
    }
}

/// A chunk by its number and place.
pub(super) fn chunk(header: &ChunkHeader, at: u64) -> String {
    format!("chunk {} at byte {at}", header.sequence)
}

/// A chunk whose rows are lost, and why.
pub(super) fn lost(kind: Kind, header: &ChunkHeader, name: &str, why: &str) -> String {
    let what = match (kind, header.rows) {
        (Kind::Metadata, _) => "the host and the recording options are unknown".to_owned(),
        (Kind::End, _) => "the end of the recording was there".to_owned(),
        (_, 1) => format!("1 of its {} is missing", kind.words()),
        (_, rows) => format!("{rows} {} are missing", kind.words()),
    };
    let when = match kind {
        Kind::Samples | Kind::ThreadTimes | Kind::Latencies | Kind::Slow | Kind::Quality => {
            let (first, last) = (seconds(header.first_ns), seconds(header.last_ns));
            format!(" between {first} and {last}")
        }
        _ => String::new(),
    };
    format!("{name} is damaged ({why}): {what}{when}")
}

/// Chunks that are not there at all.
pub(super) fn missing_chunks(first: u64, last: u64) -> String {
    match last - first {
        0 => format!("chunk {first} is missing"),
        _ => format!("chunks {first} to {last} are missing"),
    }
}

/// Rows that are not there at all.
pub(super) fn missing_rows(rows: u64, kind: Kind, sequence: u64) -> String {
    format!(
        "{rows} of the {} before chunk {sequence} are missing",
        kind.words()
    )
}

/// A time since the recording began.
pub(super) fn seconds(nanoseconds: u64) -> String {
    format!("{:.1} s", nanoseconds as f64 / 1e9)
}

fn count(count: u64, things: &str) -> String {
    match count {
        1 => format!("1 {}", things.trim_end_matches('s')),
        _ => format!("{count} {things}"),
    }
}
