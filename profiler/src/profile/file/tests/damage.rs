//! Traces that were cut or altered.

use super::*;
use crate::profile::file::{
    container::{CHUNK_HEADER_LEN, ChunkHeader, Kind},
    reader::read_problem,
};

/// Where the chunks of a whole trace begin, with their headers.
pub(super) fn chunks(bytes: &[u8]) -> Vec<(usize, ChunkHeader)> {
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
        assert_eq!(profile.latencies.len(), rows(Kind::Latencies), "cut at {cut}");
        assert_eq!(profile.targets.len(), rows(Kind::Targets), "cut at {cut}");
        assert_eq!(profile.slow.len(), rows(Kind::Slow), "cut at {cut}");
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
fn damaged_latencies_and_slow_events_cost_themselves_only_and_say_when() {
    let deltas = small();
    let (mut no_latency, mut no_event) = (together(&deltas, true), together(&deltas, true));
    no_latency.latencies.remove(1);
    no_event.slow.remove(1);
    for (kind, left, words) in [
        (
            Kind::Latencies,
            no_latency,
            "1 of its latencies is missing between 0.1 s and 0.1 s",
        ),
        (
            Kind::Slow,
            no_event,
            "1 of its slow events is missing between 0.1 s and 0.1 s",
        ),
    ] {
        let mut bytes = trace(&deltas, true);
        damage(&mut bytes, kind, 1);
        let loaded = read_from(&bytes[..]).unwrap();
        let [note] = &loaded.notes[..] else {
            panic!("{:?}", loaded.notes)
        };
        assert!(note.ends_with(words), "{note}");
        assert_eq!(everything(&loaded.profile), everything(&left));
    }
}

#[test]
fn what_latencies_and_slow_events_refer_to_is_not_known_once_it_is_lost() {
    let deltas = small();
    let lose = |kind| {
        let mut bytes = trace(&deltas, true);
        damage(&mut bytes, kind, 1);
        let loaded = read_from(&bytes[..]).unwrap();
        walk(&loaded.profile);
        let noted = loaded
            .notes
            .iter()
            .any(|note| note.contains("or nothing stands for it"));
        assert!(noted, "{:?}", loaded.notes);
        loaded.profile
    };
    let process = |profile: &Profile, row: usize| {
        let id = profile.latencies[row].key.process;
        profile.processes[id].name.clone()
    };
    let profile = lose(Kind::Processes);
    assert_eq!(
        (process(&profile, 1), process(&profile, 2)),
        ("app".into(), DAMAGED.into())
    );

    let profile = lose(Kind::Threads);
    let wakers: Vec<_> = profile.slow.iter().map(|event| event.waker).collect();
    assert_eq!(wakers, [Waker::Interrupt, Waker::Interrupt, Waker::Unknown]);
    assert_eq!(profile.samples[8].waker, Waker::Unknown);

    let profile = lose(Kind::Locks);
    let waits = profile.lock_waits.iter();
    let lost: Vec<_> = waits.map(|wait| profile.locks[wait.lock].clone()).collect();
    assert_eq!(
        (lost[1].name.as_str(), lost[1].process),
        (DAMAGED, Some(Id::new(0)))
    );
    assert_eq!((&lost[0], &lost[2]), (&lock(1), &lock(3)));

    // The one in the third flush is found though a row before it is lost.
    let mut deltas = small();
    let event = SlowEvent {
        target: Some(Id::new(1)),
        ..deltas[2].slow[0].clone()
    };
    deltas[2].slow.push(event);
    let mut bytes = trace(&deltas, true);
    damage(&mut bytes, Kind::Targets, 1);
    let loaded = read_from(&bytes[..]).unwrap();
    let targets = loaded.profile.slow.iter().map(|event| event.target);
    let targets: Vec<_> = targets
        .map(|target| target.map(|target| loaded.profile.targets[target].0.as_str()))
        .collect();
    assert_eq!(
        targets,
        [Some("/dev/sd1"), Some("/dev/sd1"), Some("/dev/sd3"), None]
    );
    assert!(
        loaded.notes[1].starts_with("1 reference to what is missing"),
        "{:?}",
        loaded.notes
    );
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
