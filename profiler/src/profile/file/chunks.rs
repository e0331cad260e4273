//! Finds the chunks in a stream of bytes, also where some of the bytes are damaged or missing.

use std::io::{self, Read};

use super::container::{CHUNK_HEADER_LEN, CHUNK_MAGIC, ChunkHeader};

/// What comes next in a trace.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A chunk whose payload is as it was written.
    Chunk {
        at: u64,
        header: ChunkHeader,
        stored: Vec<u8>,
    },
    /// A chunk whose header is whole and whose payload is not.
    Damaged { at: u64, header: ChunkHeader },
    /// Bytes that are no chunk, with a whole chunk after them.
    Garbage { at: u64, len: u64 },
    /// Bytes at the end that are the begin of a chunk, or nothing known.
    Torn { at: u64, len: u64 },
    /// The end of the file.
    End,
}

/// A stream of chunks. Holds one chunk at a time.
pub(super) struct Chunks<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the buffer the next byte is.
    begin: usize,
    /// Where in the file the next byte is.
    at: u64,
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            begin: 0,
            at: 0,
        }
    }

    /// Where in the file the next byte is.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next `wanted` bytes, fewer at the end of the file. Memory grows with what is there, not with what is wanted.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        let have = self.buffer.len() - self.begin;
        if have < wanted {
            self.buffer.drain(..self.begin);
            self.begin = 0;
            // Reading ahead a little saves a call for every header.
            let missing = (wanted - have).max(64 << 10) as u64;
            self.input.by_ref().take(missing).read_to_end(&mut self.buffer)?;
        }
        let end = self.buffer.len().min(self.begin + wanted);
        Ok(&self.buffer[self.begin..end])
    }

    /// Steps over bytes that were peeked at.
    pub(super) fn skip(&mut self, len: usize) {
        debug_assert!(self.begin + len <= self.buffer.len());
        self.begin += len;
        self.at += len as u64;
    }

    /// The next chunk, or what is there instead of one.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        let at = self.at;
        let bytes = self.peek(CHUNK_HEADER_LEN)?;
        if bytes.is_empty() {
            return Ok(Found::End);
        }
        let Some(header) = ChunkHeader::decode(bytes) else {
            return self.resume(at);
        };
        let (stored, whole) = (header.stored_len as usize, CHUNK_HEADER_LEN + header.padded_len());
        let bytes = self.peek(whole + CHUNK_HEADER_LEN)?;
        let Some(payload) = bytes.get(CHUNK_HEADER_LEN..CHUNK_HEADER_LEN + stored) else {
            self.skip(CHUNK_HEADER_LEN);
            return self.resume(at);
        };
        if crc32fast::hash(payload) == header.payload_crc {
            let stored = payload.to_vec();
            // The padding may be missing at the end of the file.
            let len = bytes.len().min(whole);
            self.skip(len);
            return Ok(Found::Chunk { at, header, stored });
        }
        // Where the next chunk follows as the header says, the payload was altered; else bytes are missing or too
        // many, and the next chunk must be looked for.
        let follows = bytes.len() <= whole || ChunkHeader::decode(&bytes[whole..]).is_some();
        let len = if follows {
            bytes.len().min(whole)
        } else {
            CHUNK_HEADER_LEN
        };
        self.skip(len);
        Ok(Found::Damaged { at, header })
    }

    /// Steps to the next whole chunk header, from the byte after a bad one.
    fn resume(&mut self, from: u64) -> io::Result<Found> {
        if self.at == from {
            self.skip(1);
        }
        loop {
            let window = self.peek(CHUNK_HEADER_LEN.max(16 << 10))?;
            let magic = window
                .windows(CHUNK_MAGIC.len())
                .position(|bytes| bytes == CHUNK_MAGIC);
            match magic {
                Some(0) if ChunkHeader::decode(window).is_some() => {
                    let len = self.at - from;
                    return Ok(Found::Garbage { at: from, len });
                }
                Some(0) => self.skip(1),
                Some(near) => self.skip(near),
                None if window.len() < CHUNK_HEADER_LEN => {
                    let rest = window.len();
                    self.skip(rest);
                    let len = self.at - from;
                    return Ok(Found::Torn { at: from, len });
                }
                // The magic may begin in the last three bytes.
                None => {
                    let len = window.len() - (CHUNK_MAGIC.len() - 1);
                    self.skip(len);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(sequence: u64, payload: &[u8]) -> Vec<u8> {
        let header = ChunkHeader {
            sequence,
            stored_len: payload.len() as u32,
            payload_crc: crc32fast::hash(payload),
            ..ChunkHeader::default()
        };
        let mut bytes = [&header.encode()[..], payload].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    /// One word for each thing that is found.
    fn found(bytes: &[u8]) -> Vec<String> {
        let mut chunks = Chunks::new(bytes);
        let mut words = Vec::new();
        loop {
            words.push(match chunks.next().unwrap() {
                Found::Chunk { header, .. } => format!("chunk {}", header.sequence),
                Found::Damaged { header, .. } => format!("damaged {}", header.sequence),
                Found::Garbage { at, len } => format!("garbage {at}+{len}"),
                Found::Torn { at, len } => format!("torn {at}+{len}"),
                Found::End => return words,
            });
        }
    }

    #[test]
    fn whole_chunks_are_found_one_after_the_other() {
        let bytes = [chunk(0, b"abc"), chunk(1, b""), chunk(2, &[7; 100_000])].concat();
        assert_eq!(found(&bytes), ["chunk 0", "chunk 1", "chunk 2"]);
    }

    #[test]
    fn a_damaged_payload_costs_one_chunk() {
        let mut bytes = [chunk(0, b"abc"), chunk(1, b"defghijkl"), chunk(2, b"x")].concat();
        bytes[72 + 64 + 3] ^= 1;
        assert_eq!(found(&bytes), ["chunk 0", "damaged 1", "chunk 2"]);
    }

    #[test]
    fn a_damaged_header_costs_one_chunk() {
        let mut bytes = [chunk(0, b"abc"), chunk(1, b"defghijkl"), chunk(2, b"x")].concat();
        bytes[72 + 9] ^= 1;
        assert_eq!(found(&bytes), ["chunk 0", "garbage 72+80", "chunk 2"]);
    }

    #[test]
    fn bytes_that_went_missing_cost_one_chunk() {
        let mut bytes = [chunk(0, b"abc"), chunk(1, &[9; 300]), chunk(2, b"x")].concat();
        bytes.drain(72 + 64 + 100..72 + 64 + 121);
        let words = found(&bytes);
        assert_eq!(words[..2], ["chunk 0", "damaged 1"]);
        assert_eq!(words.last().unwrap(), "chunk 2");
    }

    #[test]
    fn a_cut_leaves_whole_chunks_and_a_torn_rest() {
        let bytes = [chunk(0, b"abc"), chunk(1, b"defghijkl")].concat();
        for cut in 73..bytes.len() - 7 {
            let torn = format!("torn 72+{}", cut - 72);
            assert_eq!(found(&bytes[..cut]), ["chunk 0", &torn], "cut at {cut}");
        }
        // Only padding is missing.
        assert_eq!(found(&bytes[..bytes.len() - 7]), ["chunk 0", "chunk 1"]);
    }

    #[test]
    fn a_magic_in_a_damaged_region_is_not_taken_for_a_chunk() {
        let mut bytes = CHUNK_MAGIC.repeat(5000);
        bytes.extend(chunk(3, b"x"));
        bytes.extend(CHUNK_MAGIC);
        assert_eq!(found(&bytes), ["garbage 0+20000", "chunk 3", "torn 20072+4"]);
    }
}
