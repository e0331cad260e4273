//! Traces of other versions, and files that are no traces.

use super::{hostile::made_up, *};
use crate::profile::file::{
    columns::ColumnsWriter,
    container::{ChunkHeader, FileHeader, Kind, MAJOR},
};

fn file_header(major: u16, minor: u16, len: u32) -> Vec<u8> {
    let header = FileHeader {
        major,
        minor,
        len,
        uuid: [7; 16],
    };
    let mut bytes = header.encode().to_vec();
    bytes.resize(len as usize, 0xaa);
    bytes
}

#[test]
fn another_major_version_is_refused_in_words() {
    for (major, word) in [(MAJOR + 1, "newer"), (0, "older")] {
        let error = read_from(&file_header(major, 3, 40)[..]).unwrap_err();
        let words = error.to_string();
        assert!(
            words.contains(word) && words.contains(&format!("{major}.3")),
            "{words}"
        );
    }
}

#[test]
fn a_newer_minor_version_is_read_without_what_it_added() {
    let old = trace(&small(), true);
    // A longer header, and a chunk of a kind that is not known, in front.
    let payload = b"something new";
    let chunk = ChunkHeader {
        kind: 999,
        rows: 5,
        stored_len: payload.len() as u32,
        raw_len: payload.len() as u32,
        payload_crc: crc32fast::hash(payload),
        ..ChunkHeader::default()
    };
    let mut bytes = file_header(MAJOR, 7, 64);
    bytes.extend(chunk.encode());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(&old[FILE_HEADER_LEN..]);
    let loaded = read_from(&bytes[..]).unwrap();
    assert_eq!(loaded.notes.len(), 1);
    assert!(
        loaded.notes[0].contains("1.7") && loaded.notes[0].contains("1 chunk,"),
        "{:?}",
        loaded.notes
    );
    assert_eq!(everything(&loaded.profile), everything(&together(&small(), true)));
}

#[test]
fn rows_about_operations_of_a_newer_version_are_left_out_and_counted() {
    // Three operations, of which the second is one that is not known yet.
    let mut columns = ColumnsWriter::default();
    columns.deltas(1, [0, 0, 0]);
    columns.varints(2, [0, 29, 3]);
    columns.varints(3, [60, 1 << 50, 0]);
    columns.varints(4, [0, 2, 99]);
    columns.varints(9, [11, 12, 13]);
    let latencies = columns.finish();
    let mut columns = ColumnsWriter::default();
    columns.deltas(1, [5, 6, 7]);
    columns.varints(4, [3, 0, 8]);
    columns.varints(5, [2, u64::MAX, 4]);
    columns.varints(6, [7, 0, 0]);
    columns.varints(14, [1, 1, u64::MAX]);
    let events = columns.finish();
    let known = trace(&small()[..1], false);
    let latencies = |first| made_up(Kind::Latencies as u16, 3, first, &latencies);
    let bytes = [
        &known[..],
        &latencies(1),
        &made_up(Kind::Slow as u16, 3, 1, &events),
    ]
    .concat();
    let loaded = read_from(&bytes[..]).unwrap();
    walk(&loaded.profile);
    // An object, an extent and a waker are taken for what is near.
    let words = "0 chunks, 0 columns and 2 rows, and took 3 values";
    assert!(loaded.notes[0].contains(words), "{:?}", loaded.notes);
    let rows = &loaded.profile.latencies[1..];
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.key.operation, row.key.object, row.min_ns))
        .collect();
    assert_eq!(
        rows,
        [
            (Operation::Call(60), ObjectKind::None, 11),
            (Operation::RunQueue, ObjectKind::None, 13),
        ]
    );
    let events = &loaded.profile.slow[1..];
    let events: Vec<_> = events
        .iter()
        .map(|event| (event.end_ns, event.operation, event.extent, event.waker))
        .collect();
    assert_eq!(
        events,
        [
            (5, Operation::IoUring(7), Extent::Throughout, Waker::Nobody),
            (
                7,
                Operation::Block(BlockOperation::Read),
                Extent::Throughout,
                Waker::Unknown
            ),
        ]
    );
    // Which of the rows that are left were there before cannot be told.
    let bytes = [&known[..], &latencies(0)].concat();
    let loaded = read_from(&bytes[..]).unwrap();
    assert_eq!(loaded.profile.latencies.len(), 1);
    assert!(loaded.notes[0].contains("there before"), "{:?}", loaded.notes);
}

#[test]
fn what_is_no_trace_is_called_what_it_looks_like() {
    let long_text = "a;b 1\n".repeat(100);
    for (bytes, word) in [
        (&b""[..], "an empty file"),
        (
            b"PERFILE2 and then a long header of perf's own, which goes on and on",
            "perf",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (&[0; 4096], "zero bytes"),
        (long_text.as_bytes(), "text"),
    ] {
        let error = read_from(bytes).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_next_step() {
    let error = read(std::path::Path::new("/nonexistent/\u{1b}[31m.trace"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/nonexistent/") && error.contains("profiler record"),
        "{error}"
    );
    assert!(!error.contains('\u{1b}'));
}

#[test]
fn a_directory_is_no_trace() {
    assert!(read(std::path::Path::new("/")).is_err());
}

/// Written by the first version of the format. It must stay readable for as long as the major version is 1.
const FIRST: &[u8] = include_bytes!("v1_0.trace");

#[test]
fn the_first_version_of_the_format_stays_readable() {
    let loaded = read_from(FIRST).unwrap();
    assert_eq!(loaded.notes, [""; 0]);
    let profile = &loaded.profile;
    let stacks: Vec<_> = profile
        .samples
        .iter()
        .map(|sample| {
            let process = &profile.processes[profile.threads[sample.thread].process];
            let mut words = vec![format!(
                "{}/{} {}",
                process.name,
                process.pid,
                sample.time_ns / 1_000_000
            )];
            for location in profile.stacks.locations(sample.stack.unwrap()) {
                let function = &profile.functions[profile.lines[&location][0].function];
                words.push(format!(
                    "{}`{}",
                    profile.mapping_of(location).name(),
                    function.name
                ));
            }
            words.join(" ")
        })
        .collect();
    assert_eq!(
        stacks[2..6],
        [
            "app/7 20 app`g app`f app`main",
            "app/7 30 [kernel.kallsyms]`vfs_read libc.so.6`read app`main",
            "app/7 40 [kernel.kallsyms]`vfs_read libc.so.6`read app`main",
            "sh/9 50 sh`h sh`main",
        ]
    );
    assert_eq!((profile.samples.len(), profile.ended), (11, true));
    assert!(profile.thread_times.is_empty() && profile.latencies.is_empty());
    assert!(profile.slow.is_empty() && profile.targets.is_empty());
    assert!(profile.locks.is_empty() && profile.lock_waits.is_empty() && profile.call_stacks.is_empty());
    let mut wakers = profile.samples.iter().map(|sample| sample.waker);
    assert!(wakers.all(|waker| waker == Waker::Unknown));
    assert_eq!(profile.samples[7].value, 10_101_010);
    let total = profile.quality_total();
    assert_eq!((total.lost_total(), total.end_ns), (9, 110_000_000));
    assert_eq!(
        (profile.metadata.clock.as_str(), profile.metadata.frequency_hz),
        ("cpu-clock", 99)
    );
    walk(profile);
}
