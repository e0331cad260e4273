//! Traces that were cut, altered or made up.

use super::*;
use crate::profile::file::{
    container::{CHUNK_HEADER_LEN, ChunkHeader, FLAG_ZSTD, Kind},
    reader::read_problem,
};

/// Where the chunks of a whole trace begin, with their headers.
fn chunks(bytes: &[u8]) -> Vec<(usize, ChunkHeader)> {
    let mut at = FILE_HEADER_LEN;
    std::iter::from_fn(|| {
        let header = ChunkHeader::decode(&bytes[at..])?;
        at += CHUNK_HEADER_LEN + header.padded_len();
        Some((at - CHUNK_HEADER_LEN - header.padded_len(), header))
    })
    .collect()
}

fn chunk_of(bytes: &[u8], kind: Kind, nth: usize) -> (usize, ChunkHeader) {
    let of_kind = |(_, header): &(usize, ChunkHeader)| header.kind == kind as u16;
    chunks(bytes).into_iter().filter(of_kind).nth(nth).unwrap()
}

/// Alters a byte in the middle of the payload of the nth chunk of a kind.
fn damage(bytes: &mut [u8], kind: Kind, nth: usize) {
    let (at, header) = chunk_of(bytes, kind, nth);
    bytes[at + CHUNK_HEADER_LEN + header.stored_len as usize / 2] ^= 0x10;
}

#[test]
fn a_trace_cut_anywhere_keeps_every_whole_chunk_and_says_so() {
    let bytes = trace(&small(), true);
    let chunks = chunks(&bytes);
    for cut in 0..bytes.len() {
        let loaded = match read_from(&bytes[..cut]) {
            Ok(loaded) => loaded,
            Err(error) => {
                let words = error.to_string();
                assert!(cut < FILE_HEADER_LEN, "cut at {cut}: {words}");
                assert!(words.contains("nothing was recorded") || cut == 0, "{words}");
                continue;
            }
        };
        assert!(!loaded.notes.is_empty(), "cut at {cut}");
        walk(&loaded.profile);
        let whole =
            |(at, header): &&(usize, ChunkHeader)| at + CHUNK_HEADER_LEN + header.stored_len as usize <= cut;
        let rows = |kind: Kind| {
            let of_kind = chunks
                .iter()
                .filter(whole)
                .filter(|(_, header)| header.kind == kind as u16);
            of_kind.map(|(_, header)| header.rows as usize).sum::<usize>()
        };
        let profile = &loaded.profile;
        assert_eq!(profile.samples.len(), rows(Kind::Samples), "cut at {cut}");
        assert_eq!(profile.stacks.len(), rows(Kind::Stacks), "cut at {cut}");
        assert_eq!(
            profile.thread_times.len(),
            rows(Kind::ThreadTimes),
            "cut at {cut}"
        );
        assert_eq!(profile.lines.len(), rows(Kind::Lines), "cut at {cut}");
        assert_eq!(profile.processes.len(), rows(Kind::Processes), "cut at {cut}");
    }
}

#[test]
fn a_killed_recorder_leaves_a_trace_that_says_how_far_it_got() {
    let bytes = trace(&small(), false);
    let loaded = read_from(&bytes[..bytes.len() - 20]).unwrap();
    assert_eq!(loaded.profile.samples.len(), 11);
    let [torn, not_ended] = &loaded.notes[..] else {
        panic!("{:?}", loaded.notes)
    };
    assert!(
        torn.starts_with("the last ") && torn.contains("the recorder was killed"),
        "{torn}"
    );
    assert!(not_ended.contains("up to 0.1 s"), "{not_ended}");
}

#[test]
fn no_flipped_bit_goes_unsaid() {
    let bytes = trace(&small()[..1], true);
    let whole = everything(&read_from(&bytes[..]).unwrap().profile);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let loaded = read_from(&flipped[..]).unwrap();
        walk(&loaded.profile);
        let said = !loaded.notes.is_empty();
        assert!(said || everything(&loaded.profile) == whole, "bit {bit}");
        assert!(
            !said || loaded.notes.iter().all(|note| note.len() < 300),
            "{:?}",
            loaded.notes
        );
    }
}

#[test]
fn damaged_samples_cost_themselves_only_and_are_counted() {
    let deltas = small();
    let mut bytes = trace(&deltas, true);
    damage(&mut bytes, Kind::Samples, 1);
    let (at, header) = chunk_of(&bytes, Kind::Samples, 1);
    let loaded = read_from(&bytes[..]).unwrap();
    let expected = format!(
        "chunk {} at byte {at} is damaged (its checksum is wrong): 3 samples are missing between 0.1 s and 0.1 s",
        header.sequence
    );
    assert_eq!(loaded.notes, [expected]);
    let mut whole = together(&deltas, true);
    whole.samples.drain(5..8);
    assert_eq!(everything(&loaded.profile), everything(&whole));
}

#[test]
fn a_damaged_table_leaves_later_rows_at_their_place_and_every_sample_counted() {
    let deltas = small();
    let whole = together(&deltas, true);
    for kind in [
        Kind::Processes,
        Kind::Mappings,
        Kind::Locations,
        Kind::Stacks,
        Kind::Threads,
        Kind::SampleTypes,
    ] {
        let mut bytes = trace(&deltas, true);
        damage(&mut bytes, kind, 0);
        let loaded = read_from(&bytes[..]).unwrap();
        walk(&loaded.profile);
        let profile = &loaded.profile;
        assert_eq!(profile.samples.len(), whole.samples.len(), "{kind:?}");
        assert!(loaded.notes[0].contains(kind.words()), "{:?}", loaded.notes);
        assert!(everything(profile).contains(DAMAGED), "{kind:?}");
        assert!(
            loaded.notes.iter().any(|note| note.contains(DAMAGED)),
            "{:?}",
            loaded.notes
        );
    }
    // What the later chunks brought is called by its own name still.
    let mut bytes = trace(&deltas, true);
    damage(&mut bytes, Kind::Locations, 0);
    let profile = read_from(&bytes[..]).unwrap().profile;
    let last = profile.samples.last().unwrap();
    let innermost = profile.stacks.get(last.stack.unwrap()).unwrap().location;
    assert_eq!(
        profile.functions[profile.lines[&innermost][0].function].name,
        "copy"
    );
    assert_eq!(profile.processes[profile.threads[last.thread].process].name, "sh");
}

#[test]
fn damaged_spans_of_threads_cost_themselves_only_and_say_when() {
    let deltas = small();
    let mut bytes = trace(&deltas, true);
    damage(&mut bytes, Kind::ThreadTimes, 1);
    let loaded = read_from(&bytes[..]).unwrap();
    let [note] = &loaded.notes[..] else {
        panic!("{:?}", loaded.notes)
    };
    assert!(
        note.ends_with("1 of its spans of threads is missing between 0.1 s and 0.1 s"),
        "{note}"
    );
    let mut whole = together(&deltas, true);
    whole.thread_times.remove(1);
    assert_eq!(everything(&loaded.profile), everything(&whole));
}

#[test]
fn a_damaged_header_of_a_chunk_is_found_by_the_rows_it_held() {
    let mut bytes = trace(&small(), true);
    let (at, header) = chunk_of(&bytes, Kind::Stacks, 0);
    bytes[at + 30] ^= 1;
    let loaded = read_from(&bytes[..]).unwrap();
    let sequence = header.sequence;
    assert_eq!(loaded.notes[1], format!("chunk {sequence} is missing"));
    assert!(
        loaded.notes[2].starts_with(&format!("{} of the stacks before chunk", header.rows)),
        "{:?}",
        loaded.notes
    );
    assert_eq!(loaded.profile.samples.len(), 11);
    walk(&loaded.profile);
}

#[test]
fn a_damaged_file_header_costs_nothing() {
    for damaged in [0, 9, 20] {
        let mut bytes = trace(&small(), true);
        bytes[damaged] ^= 0x40;
        let loaded = read_from(&bytes[..]).unwrap();
        assert_eq!(loaded.notes, ["the file's header is damaged"]);
        assert_eq!(loaded.profile.samples.len(), 11);
    }
}

#[test]
fn a_chunk_that_comes_twice_counts_once() {
    let bytes = trace(&small(), true);
    let (at, header) = chunk_of(&bytes, Kind::Samples, 0);
    let again = &bytes[at..at + CHUNK_HEADER_LEN + header.padded_len()];
    let loaded = read_from(&[&bytes[..], again].concat()[..]).unwrap();
    assert_eq!(loaded.profile.samples.len(), 11);
    assert!(loaded.notes[0].contains("repeats"), "{:?}", loaded.notes);
}

#[test]
fn a_trace_larger_than_memory_is_read_as_far_as_it_goes() {
    let bytes = trace(&small(), true);
    let loaded = read_problem(&bytes[..], 3000).unwrap();
    assert!(
        loaded.notes[0].contains("too large for the memory"),
        "{:?}",
        loaded.notes
    );
    walk(&loaded.profile);
}

/// A chunk with whole checksums, whatever it holds.
fn made_up(kind: u16, rows: u32, first_row: u64, payload: &[u8]) -> Vec<u8> {
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
                    2 => header.kind = random.below(15) as u16,
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
    let loaded = read_from(&trace(&deltas(profile), true)[..]).unwrap();
    walk(&loaded.profile);
    assert_eq!(
        (
            loaded.profile.samples.len(),
            loaded.profile.quality.len(),
            loaded.profile.thread_times.len()
        ),
        (0, 0, 0)
    );
    assert_eq!(loaded.notes.len(), 3);
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
