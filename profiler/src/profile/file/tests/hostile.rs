//! Traces that were made up: all checksums are right, and nothing else has to be.

use super::{damage::chunks, *};
use crate::profile::file::{
    columns::ColumnsWriter,
    container::{CHUNK_HEADER_LEN, ChunkHeader, FLAG_ZSTD, Kind},
    reader::read_problem,
};

/// A chunk with whole checksums, whatever it holds.
pub(super) fn made_up(kind: u16, rows: u32, first_row: u64, payload: &[u8]) -> Vec<u8> {
    let header = ChunkHeader {
        kind,
        rows,
        first_row,
        stored_len: payload.len() as u32,
        raw_len: payload.len() as u32,
        payload_crc: crc32fast::hash(payload),
        ..ChunkHeader::default()
    };
    let mut bytes = [&header.encode()[..], payload].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// The same trace with uncompressed payloads, changed by `change`; all checksums are right.
fn forged(bytes: &[u8], mut change: impl FnMut(&mut ChunkHeader, &mut Vec<u8>)) -> Vec<u8> {
    let mut forged = bytes[..FILE_HEADER_LEN].to_vec();
    for (at, header) in chunks(bytes) {
        let begin = at + CHUNK_HEADER_LEN;
        let stored = &bytes[begin..begin + header.stored_len as usize];
        let mut payload = match header.flags & FLAG_ZSTD {
            0 => stored.to_vec(),
            _ => zstd::bulk::decompress(stored, header.raw_len as usize).unwrap(),
        };
        let mut header = ChunkHeader { flags: 0, ..header };
        change(&mut header, &mut payload);
        header.stored_len = payload.len() as u32;
        header.raw_len = payload.len() as u32;
        header.payload_crc = crc32fast::hash(&payload);
        forged.extend(header.encode());
        forged.extend(payload);
        forged.resize(forged.len().next_multiple_of(8), 0);
    }
    forged
}

#[test]
fn a_trace_whose_checksums_are_right_and_whose_contents_are_nonsense_never_panics() {
    let mut random = Random::new(2);
    let sources: Vec<_> = (0..8)
        .map(|seed| trace(&Random::new(seed).deltas(), true))
        .chain([trace(&small(), true)])
        .collect();
    let mut refused = 0;
    for round in 0..1500 {
        let source = &sources[round % sources.len()];
        let forged = forged(source, |header, payload| {
            if random.below(4) != 0 {
                return;
            }
            for _ in 0..=random.below(3) {
                match random.below(8) {
                    0 => header.first_row = random.next() >> random.below(64),
                    1 => header.rows = (random.next() >> random.below(64)) as u32,
                    2 => header.kind = random.below(21) as u16,
                    3 => header.sequence = random.next(),
                    _ if payload.is_empty() => {}
                    4 => payload.truncate(random.below(payload.len() as u64) as usize),
                    _ => {
                        let at = random.below(payload.len() as u64) as usize;
                        payload[at] = random.next() as u8;
                    }
                }
            }
        });
        let loaded = read_from(&forged[..]).unwrap();
        walk(&loaded.profile);
        refused += usize::from(!loaded.notes.is_empty());
    }
    assert!(refused > 700, "the forgeries were too tame: {refused}");
}

#[test]
fn random_bytes_after_a_header_never_panic() {
    let header = trace(&[], false);
    let mut random = Random::new(5);
    for _ in 0..500 {
        let noise: Vec<_> = (0..random.below(3000)).map(|_| random.next() as u8).collect();
        let loaded = read_from(&[&header[..], &noise].concat()[..]).unwrap();
        assert!(!loaded.notes.is_empty());
    }
}

#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    let header = trace(&[], false);
    let zeros = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    assert!(zeros.len() < 64 << 10);
    let bomb = ChunkHeader {
        kind: Kind::Samples as u16,
        flags: FLAG_ZSTD,
        rows: 1 << 20,
        stored_len: zeros.len() as u32,
        raw_len: 64 << 20,
        payload_crc: crc32fast::hash(&zeros),
        ..ChunkHeader::default()
    };
    let bytes = [&header[..], &bomb.encode(), &zeros].concat();
    let loaded = read_from(&bytes[..]).unwrap();
    assert!(
        loaded.notes[0].contains("out of proportion"),
        "{:?}",
        loaded.notes
    );

    // A row count that nothing backs.
    let bytes = [&header[..], &made_up(Kind::Quality as u16, u32::MAX, 0, &[0])].concat();
    let loaded = read_from(&bytes[..]).unwrap();
    assert!(loaded.notes[0].contains("too many rows"), "{:?}", loaded.notes);
}

#[test]
fn sums_over_a_forged_trace_do_not_overflow() {
    let mut profile = from_folded("app;main 4");
    profile
        .samples
        .iter_mut()
        .for_each(|sample| sample.value = u64::MAX / 2);
    profile.quality[0].own_cpu_ns = u64::MAX;
    profile.thread_times = vec![span(30_000_000); 5];
    for span in &mut profile.thread_times {
        span.ns[0] = 1 << 61;
        span.end_ns = span.start_ns + span.ns.iter().sum::<u64>();
    }
    profile.targets.intern(Target("a".into()));
    profile.slow = vec![slow(30_000_000); 3];
    profile.slow[1].duration_ns = (1 << 62) - 1;
    profile.slow[2].wait_ns = (1 << 62) - 1;
    profile.latencies = vec![latency(30_000_000); 3];
    profile.latencies[2].errors[1].1 = u64::MAX / 2;
    let loaded = read_from(&trace(&deltas(profile), true)[..]).unwrap();
    walk(&loaded.profile);
    assert_eq!(
        (
            loaded.profile.samples.len(),
            loaded.profile.quality.len(),
            loaded.profile.thread_times.len(),
            loaded.profile.latencies.len(),
            loaded.profile.slow.len()
        ),
        (0, 0, 0, 0, 0)
    );
    assert_eq!(loaded.notes.len(), 5);
}

#[test]
fn no_counter_of_a_latency_goes_without_a_bound_over_all_chunks() {
    let whole = small();
    for spoil in [
        (|row| row.count = u64::MAX / 2) as fn(&mut Latency),
        |row| row.total_ns = u64::MAX / 2,
        |row| row.errors[0].1 = u64::MAX / 2,
        |row| row.buckets[0].1 = u64::MAX / 2,
        |row| row.buckets.iter_mut().for_each(|bucket| bucket.1 = u64::MAX / 2),
    ] {
        let mut deltas = whole.clone();
        spoil(&mut deltas[0].latencies[0]);
        let loaded = read_from(&trace(&deltas, true)[..]).unwrap();
        walk(&loaded.profile);
        assert_eq!(loaded.profile.latencies.len(), 2);
        // Just below the bound on its own, and above it with the next.
        let mut deltas = whole.clone();
        spoil(&mut deltas[1].latencies[0]);
        let loaded = read_from(&trace(&deltas, true)[..]).unwrap();
        walk(&loaded.profile);
        assert_eq!((loaded.profile.latencies.len(), loaded.notes.len()), (2, 1));
    }
}

#[test]
fn lists_take_no_more_memory_than_is_accounted_for() {
    // As many items as there can be, in one row.
    let items = 1 << 20;
    let mut columns = ColumnsWriter::default();
    columns.deltas(1, [0]);
    columns.varints(12, [items]);
    columns.varints(13, (0..items).map(|_| 5));
    columns.varints(14, (0..items).map(|_| 1));
    let payload = columns.finish();
    let bytes = [
        &trace(&[], false)[..],
        &made_up(Kind::Latencies as u16, 1, 0, &payload),
    ]
    .concat();
    let loaded = read_problem(&bytes[..], 16 * items).unwrap();
    assert!(
        loaded.notes[0].contains("too large for the memory"),
        "{:?}",
        loaded.notes
    );
    let loaded = read_problem(&bytes[..], 17 * items).unwrap();
    assert_eq!(loaded.profile.latencies[0].errors.len() as u64, items);
}

#[test]
fn a_stack_deeper_than_any_view_can_walk_is_cut() {
    use crate::profile::{Id, Stack};
    let mut delta = deltas(from_folded("app;main 1")).remove(0);
    delta.stacks = (0..10_000u32)
        .map(|row| Stack {
            caller: row.checked_sub(1).map(Id::new),
            location: Id::new(0),
        })
        .collect();
    delta.samples[0].stack = Some(Id::new(9_999));
    let loaded = read_from(&trace(&[delta], true)[..]).unwrap();
    let depth = loaded
        .profile
        .stacks
        .locations(loaded.profile.samples[0].stack.unwrap())
        .count();
    assert_eq!(depth, 4096);
    assert!(loaded.notes[0].contains("5904 frames"), "{:?}", loaded.notes);
}
