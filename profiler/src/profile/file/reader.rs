//! Reads a trace, whole or damaged.

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use crate::profile::Profile;

use super::{
    assemble::{Assembler, Refused},
    chunks::{Chunks, Found},
    container::{
        CHUNK_HEADER_LEN, ChunkHeader, FILE_HEADER_LEN, FLAG_ZSTD, FileHeader, Kind, MAGIC, MAJOR, MINOR,
        ratio_is_bounded,
    },
    looks_like,
    notes::{self, Notes},
};

/// A profile may take about this much memory; the rest of a larger trace is not read, and a note says so.
const MEMORY_MAX: u64 = 4 << 30;

/// What a trace holds.
#[derive(Debug)]
pub struct Loaded {
    /// All that could be read.
    pub profile: Profile,
    /// What was damaged, cut off or left out, in sentences for a person; empty for a whole trace.
    pub notes: Vec<String>,
}

/// Why a trace could not be read at all.
#[derive(Debug)]
pub struct ReadError {
    path: Option<PathBuf>,
    problem: Problem,
}

/// The kinds of [`ReadError`].
#[derive(Debug)]
pub enum Problem {
    /// The file cannot be opened or read.
    Io(io::Error),
    /// It is something else; in words, what it looks like.
    NotATrace(String),
    /// It was cut off before anything was recorded.
    Empty,
    /// A version of the format that this program does not read.
    OtherVersion {
        /// The major version.
        major: u16,
        /// The minor version.
        minor: u16,
    },
}

impl ReadError {
    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug form: a path may hold anything, and this goes to a terminal.
        match &self.path {
            Some(path) => write!(f, "cannot read {path:?}: ")?,
            None => f.write_str("cannot read the trace: ")?,
        }
        match &self.problem {
            Problem::Io(error) if error.kind() == ErrorKind::NotFound => {
                write!(
                    f,
                    "{error}; record one with `profiler record`, or name another file"
                )
            }
            Problem::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
                write!(
                    f,
                    "{error}; a trace is readable by its owner only: ask them, or use sudo"
                )
            }
            Problem::Io(error) => write!(f, "{error}"),
            Problem::NotATrace(what) => write!(f, "it is not a trace of profiler, but {what}"),
            Problem::Empty => {
                f.write_str("it was cut off in its first bytes: nothing was recorded; record again")
            }
            Problem::OtherVersion { major, minor } => {
                let which = if *major > MAJOR { "newer" } else { "older" };
                write!(
                    f,
                    "it has the {which} format {major}.{minor}, and this program reads {MAJOR}.x; \
                     use the version of profiler that recorded it"
                )
            }
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads a trace. Damage is no error: what can be read is, and the notes say what is missing.
///
/// # Errors
/// If the file cannot be read, is not a trace, or is of another major version.
pub fn read(path: &Path) -> Result<Loaded, ReadError> {
    let at = |problem| ReadError {
        path: Some(path.to_owned()),
        problem,
    };
    let file = File::open(path).map_err(|error| at(Problem::Io(error)))?;
    read_problem(file, MEMORY_MAX).map_err(at)
}

/// Reads a trace from a pipe, or anything else that gives bytes. See [`read`].
///
/// # Errors
/// As [`read`].
pub fn read_from(input: impl Read) -> Result<Loaded, ReadError> {
    read_problem(input, MEMORY_MAX).map_err(|problem| ReadError { path: None, problem })
}

pub(super) fn read_problem(input: impl Read, memory_max: u64) -> Result<Loaded, Problem> {
    let mut chunks = Chunks::new(input);
    let mut reading = Reading {
        assembler: Assembler::new(memory_max),
        decompressor: zstd::bulk::Decompressor::new().map_err(Problem::Io)?,
        notes: Notes::default(),
        next_sequence: 0,
        last_ns: 0,
        minor: MINOR,
        unknown_chunks: 0,
    };
    reading.file_header(&mut chunks)?;
    loop {
        match chunks.next() {
            Ok(Found::End) => break,
            Ok(found) => {
                if !reading.take(found) {
                    break;
                }
            }
            Err(error) => {
                let at = chunks.at();
                reading
                    .notes
                    .add(format!("cannot read on from byte {at}: {error}"));
                break;
            }
        }
    }
    Ok(reading.finish())
}

struct Reading {
    assembler: Assembler,
    decompressor: zstd::bulk::Decompressor<'static>,
    notes: Notes,
    next_sequence: u64,
    last_ns: u64,
    minor: u16,
    unknown_chunks: usize,
}

impl Reading {
    fn file_header(&mut self, chunks: &mut Chunks<impl Read>) -> Result<(), Problem> {
        let begin = chunks
            .peek(FILE_HEADER_LEN + CHUNK_HEADER_LEN)
            .map_err(Problem::Io)?;
        let Some(header) = begin.first_chunk::<FILE_HEADER_LEN>() else {
            let cut_off = !begin.is_empty() && MAGIC.starts_with(&begin[..begin.len().min(MAGIC.len())]);
            return Err(if cut_off {
                Problem::Empty
            } else {
                Problem::NotATrace(looks_like::describe(begin))
            });
        };
        let len = match FileHeader::decode(header) {
            Some(header) if header.major == MAJOR => {
                self.minor = header.minor;
                header.len as usize
            }
            Some(FileHeader { major, minor, .. }) => return Err(Problem::OtherVersion { major, minor }),
            None => {
                let chunk_follows = ChunkHeader::decode(&begin[FILE_HEADER_LEN..]).is_some();
                if !header.starts_with(&MAGIC) && !chunk_follows {
                    return Err(Problem::NotATrace(looks_like::describe(begin)));
                }
                self.notes.add("the file's header is damaged".into());
                FILE_HEADER_LEN
            }
        };
        let there = chunks.peek(len).map_err(Problem::Io)?.len();
        chunks.skip(there);
        Ok(())
    }

    /// Takes what was found in; `false` if nothing more can be.
    fn take(&mut self, found: Found) -> bool {
        match found {
            Found::Chunk { at, header, stored } => {
                let name = notes::chunk(&header, at);
                let Some(kind) = self.enter(&header) else {
                    return true;
                };
                let result = self
                    .unpack(&header, stored)
                    .and_then(|payload| self.assembler.add(kind, &header, &payload).map_err(Trouble::Refused));
                match result {
                    Ok(()) => self.last_ns = self.last_ns.max(header.last_ns),
                    Err(Trouble::Refused(Refused::Repeated)) => {
                        self.notes.add(format!("{name} repeats what was there before; it was left out"));
                    }
                    Err(Trouble::Refused(Refused::Full)) => {
                        let seconds = notes::seconds(self.last_ns);
                        self.notes.add(format!(
                            "the trace is too large for the memory that this program allows itself: it was read up \
                             to {seconds}"
                        ));
                        return false;
                    }
                    Err(Trouble::Refused(Refused::Malformed(why))) => self.lose(kind, &header, &name, why.0),
                    Err(Trouble::Unpack(why)) => self.lose(kind, &header, &name, &why),
                }
            }
            Found::Damaged { at, header } => {
                let name = notes::chunk(&header, at);
                match self.enter(&header) {
                    Some(kind) => self.lose(kind, &header, &name, "its checksum is wrong"),
                    None => self.notes.add(format!("{name} is damaged, and of a kind that is not known")),
                }
            }
            Found::Garbage { at, len } => self.notes.add(format!("{len} bytes from byte {at} on are damaged")),
            Found::Torn { at, len } => self.notes.add(if self.assembler.profile.ended {
                format!("the last {len} bytes, from byte {at} on, are damaged, or belong to something else")
            } else {
                format!("the last {len} bytes, from byte {at} on, are a torn chunk: the recorder was killed, or its disk full")
            }),
            Found::End => {}
        }
        true
    }

    /// What a whole header says about chunks and rows before it; the kind of its chunk, if it is known.
    fn enter(&mut self, header: &ChunkHeader) -> Option<Kind> {
        if header.sequence > self.next_sequence {
            let (first, last) = (self.next_sequence, header.sequence - 1);
            self.notes.add(notes::missing_chunks(first, last));
        }
        self.next_sequence = self.next_sequence.max(header.sequence.saturating_add(1));
        let known_flags = header.flags & !FLAG_ZSTD == 0;
        let Some(kind) = Kind::from_number(header.kind).filter(|_| known_flags) else {
            self.unknown_chunks += 1;
            return None;
        };
        let missing = self.assembler.missing_before(kind, header);
        if missing > 0 {
            self.notes
                .add(notes::missing_rows(missing, kind, header.sequence));
        }
        Some(kind)
    }

    fn lose(&mut self, kind: Kind, header: &ChunkHeader, name: &str, why: &str) {
        self.assembler.lose(kind, header);
        self.notes.add(notes::lost(kind, header, name, why));
    }

    fn unpack(&mut self, header: &ChunkHeader, stored: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        let raw = header.raw_len as usize;
        let payload = if header.flags & FLAG_ZSTD == 0 {
            stored
        } else if ratio_is_bounded(stored.len(), raw) {
            self.decompressor
                .decompress(&stored, raw)
                .map_err(|error| Trouble::Unpack(format!("it cannot be decompressed: {error}")))?
        } else {
            return Err(Trouble::Unpack("it would grow out of proportion".into()));
        };
        if payload.len() == raw {
            Ok(payload)
        } else {
            Err(Trouble::Unpack("it is not as long as it says".into()))
        }
    }

    fn finish(mut self) -> Loaded {
        let profile = self.assembler.profile;
        self.notes
            .oddities(&self.assembler.oddities, self.unknown_chunks, self.minor);
        if !profile.ended {
            let seconds = notes::seconds(self.last_ns);
            self.notes.add(format!(
                "the recording was not ended in good order (killed, or still going on): it is here up to {seconds}"
            ));
        }
        Loaded {
            profile,
            notes: self.notes.finish(),
        }
    }
}

enum Trouble {
    Refused(Refused),
    Unpack(String),
}
