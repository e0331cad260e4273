//! Traces of other versions, and files that are no traces.

use super::*;
use crate::profile::file::container::{ChunkHeader, FileHeader, MAJOR};

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
        loaded.notes[0].contains("1.7") && loaded.notes[0].contains("1 chunk "),
        "{:?}",
        loaded.notes
    );
    assert_eq!(everything(&loaded.profile), everything(&together(&small(), true)));
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
    assert!(profile.thread_times.is_empty());
    assert_eq!(profile.samples[7].value, 10_101_010);
    let total = profile.quality_total();
    assert_eq!((total.lost_total(), total.end_ns), (9, 110_000_000));
    assert_eq!(
        (profile.metadata.clock.as_str(), profile.metadata.frequency_hz),
        ("cpu-clock", 99)
    );
    walk(profile);
}
