//! The outer form: the file's header and the chunks' headers, byte by byte.

/// The first bytes of every trace. Not text, and broken by a transfer that changes line ends.
pub(super) const MAGIC: [u8; 8] = *b"\x89PRF\r\n\x1a\n";
/// A reader refuses a newer major version.
pub(super) const MAJOR: u16 = 1;
/// A reader reads a newer minor version, and leaves out what it does not know.
pub(super) const MINOR: u16 = 3;
/// Length of the file's header.
pub(super) const FILE_HEADER_LEN: usize = 40;
/// The longest header a newer minor version may have.
const FILE_HEADER_MAX: u32 = 4096;

/// The first bytes of every chunk.
pub(super) const CHUNK_MAGIC: [u8; 4] = *b"\xc4chk";
/// Length of a chunk's header.
pub(super) const CHUNK_HEADER_LEN: usize = 64;
/// The most bytes that a chunk's payload may have, stored or raw.
pub(super) const PAYLOAD_MAX: usize = 64 << 20;
/// A payload is stored uncompressed if it would shrink more than this, so that a small file cannot ask for much
/// memory.
const RATIO_MAX: usize = 256;
/// Payloads up to this size may shrink as much as they like.
const RATIO_FREE: usize = 4096;
/// Flag: the payload is a zstd frame.
pub(super) const FLAG_ZSTD: u16 = 1;

/// What comes first in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) major: u16,
    pub(super) minor: u16,
    /// Where the first chunk is.
    pub(super) len: u32,
    /// Random; names the recording.
    pub(super) uuid: [u8; 16],
}

impl FileHeader {
    pub(super) fn encode(&self) -> [u8; FILE_HEADER_LEN] {
        let mut bytes = [0; FILE_HEADER_LEN];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &self.major.to_le_bytes());
        put(&mut bytes, 10, &self.minor.to_le_bytes());
        put(&mut bytes, 12, &self.len.to_le_bytes());
        put(&mut bytes, 16, &self.uuid);
        let crc = crc32fast::hash(&bytes[..36]);
        put(&mut bytes, 36, &crc.to_le_bytes());
        bytes
    }

    /// `None` if the checksum or the magic is wrong.
    pub(super) fn decode(bytes: &[u8; FILE_HEADER_LEN]) -> Option<Self> {
        let header = Self {
            major: u16::from_le_bytes(get(bytes, 8)),
            minor: u16::from_le_bytes(get(bytes, 10)),
            len: u32::from_le_bytes(get(bytes, 12)),
            uuid: get(bytes, 16),
        };
        let whole =
            bytes[..8] == MAGIC && crc32fast::hash(&bytes[..36]) == u32::from_le_bytes(get(bytes, 36));
        let sane =
            (FILE_HEADER_LEN as u32..=FILE_HEADER_MAX).contains(&header.len) && header.len.is_multiple_of(8);
        (whole && sane).then_some(header)
    }
}

/// What comes before a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChunkHeader {
    /// A number of [`Kind`].
    pub(super) kind: u16,
    pub(super) flags: u16,
    /// Bytes that follow, without the padding to a multiple of 8.
    pub(super) stored_len: u32,
    /// Bytes of the payload once it is uncompressed.
    pub(super) raw_len: u32,
    /// The chunk's number in the file.
    pub(super) sequence: u64,
    /// How many rows of this kind came before.
    pub(super) first_row: u64,
    /// Rows in this chunk.
    pub(super) rows: u32,
    /// Of the stored payload.
    pub(super) payload_crc: u32,
    /// The earliest time in the chunk, in nanoseconds since the recording began.
    pub(super) first_ns: u64,
    /// The latest time in the chunk.
    pub(super) last_ns: u64,
}

impl ChunkHeader {
    pub(super) fn encode(&self) -> [u8; CHUNK_HEADER_LEN] {
        let mut bytes = [0; CHUNK_HEADER_LEN];
        put(&mut bytes, 0, &CHUNK_MAGIC);
        put(&mut bytes, 4, &self.kind.to_le_bytes());
        put(&mut bytes, 6, &self.flags.to_le_bytes());
        put(&mut bytes, 8, &self.stored_len.to_le_bytes());
        put(&mut bytes, 12, &self.raw_len.to_le_bytes());
        put(&mut bytes, 16, &self.sequence.to_le_bytes());
        put(&mut bytes, 24, &self.first_row.to_le_bytes());
        put(&mut bytes, 32, &self.rows.to_le_bytes());
        put(&mut bytes, 36, &self.payload_crc.to_le_bytes());
        put(&mut bytes, 40, &self.first_ns.to_le_bytes());
        put(&mut bytes, 48, &self.last_ns.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        put(&mut bytes, 60, &crc.to_le_bytes());
        bytes
    }

    /// `None` if this is not a whole chunk header, or one that promises too much.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; CHUNK_HEADER_LEN] = bytes.get(..CHUNK_HEADER_LEN)?.try_into().ok()?;
        if bytes[..4] != CHUNK_MAGIC || crc32fast::hash(&bytes[..60]) != u32::from_le_bytes(get(bytes, 60)) {
            return None;
        }
        let header = Self {
            kind: u16::from_le_bytes(get(bytes, 4)),
            flags: u16::from_le_bytes(get(bytes, 6)),
            stored_len: u32::from_le_bytes(get(bytes, 8)),
            raw_len: u32::from_le_bytes(get(bytes, 12)),
            sequence: u64::from_le_bytes(get(bytes, 16)),
            first_row: u64::from_le_bytes(get(bytes, 24)),
            rows: u32::from_le_bytes(get(bytes, 32)),
            payload_crc: u32::from_le_bytes(get(bytes, 36)),
            first_ns: u64::from_le_bytes(get(bytes, 40)),
            last_ns: u64::from_le_bytes(get(bytes, 48)),
        };
        let bounded = header.stored_len as usize <= PAYLOAD_MAX && header.raw_len as usize <= PAYLOAD_MAX;
        bounded.then_some(header)
    }

    /// Bytes from the end of this header to the next.
    pub(super) fn padded_len(&self) -> usize {
        (self.stored_len as usize).next_multiple_of(8)
    }
}

/// Whether a payload of `stored` bytes may become one of `raw` bytes.
pub(super) fn ratio_is_bounded(stored: usize, raw: usize) -> bool {
    raw <= RATIO_FREE + RATIO_MAX * stored
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N]
        .try_into()
        .expect("every field lies in its header")
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $words:literal;)*) => {
        /// What a chunk holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// Every kind, in the order of their numbers.
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];

            /// The kind of a number in a chunk's header.
            pub(super) fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What a person calls its rows.
            pub(super) fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

kinds! {
    Metadata = 1, "host and recording options";
    SampleTypes = 2, "sample types";
    Processes = 3, "processes";
    Mappings = 4, "mappings";
    Locations = 5, "locations";
    Stacks = 6, "stacks";
    Threads = 7, "threads";
    Samples = 8, "samples";
    Functions = 9, "functions";
    Lines = 10, "symbolised locations";
    Quality = 11, "quality windows";
    End = 12, "end";
    ThreadTimes = 13, "spans of threads";
    Targets = 14, "targets of slow events";
    Latencies = 15, "latencies";
    Slow = 16, "slow events";
    Locks = 17, "locks";
    LockWaits = 18, "waits for locks";
    CallStacks = 19, "stacks of calls";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_and_no_flipped_bit_goes_unseen() {
        let file = FileHeader {
            major: 1,
            minor: 2,
            len: 40,
            uuid: *b"0123456789abcdef",
        };
        let chunk = ChunkHeader {
            kind: 8,
            flags: 1,
            stored_len: 13,
            raw_len: 400,
            sequence: 1 << 40,
            first_row: 7,
            rows: 9,
            payload_crc: 0xdead_beef,
            first_ns: 5,
            last_ns: 6,
        };
        let (file_bytes, chunk_bytes) = (file.encode(), chunk.encode());
        assert_eq!(FileHeader::decode(&file_bytes), Some(file));
        assert_eq!(ChunkHeader::decode(&chunk_bytes), Some(chunk));
        assert_eq!(chunk.padded_len(), 16);
        for bit in 0..FILE_HEADER_LEN * 8 {
            let mut flipped = file_bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::decode(&flipped), None, "bit {bit}");
        }
        for bit in 0..CHUNK_HEADER_LEN * 8 {
            let mut flipped = chunk_bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ChunkHeader::decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_chunk_that_promises_more_than_the_cap_is_no_chunk() {
        let chunk = ChunkHeader {
            raw_len: PAYLOAD_MAX as u32 + 1,
            ..ChunkHeader::default()
        };
        assert_eq!(ChunkHeader::decode(&chunk.encode()), None);
    }

    #[test]
    fn kinds_are_numbered_from_one_without_holes() {
        for (kind, number) in Kind::ALL.iter().zip(1..) {
            assert_eq!((*kind as u16, Kind::from_number(number)), (number, Some(*kind)));
        }
        assert_eq!(Kind::from_number(0), None);
        assert_eq!(Kind::from_number(Kind::ALL.len() as u16 + 1), None);
    }
}
