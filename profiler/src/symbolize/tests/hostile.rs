//! Files that lie: nothing panics, hangs or takes memory without bound.

use std::time::{Duration, Instant};

use super::*;

const SOURCE: &str = "
static volatile int sink;
static inline __attribute__((always_inline)) void inlined(int i) { sink += i; }
__attribute__((noinline)) void work(int i) { inlined(i); sink--; }
int main(int argc, char **argv) { work(argc); return sink; }
";

fn quick() -> Options {
    Options {
        memory_budget: 64 << 20,
        file_time: Duration::from_secs(2),
        total_time: Duration::from_secs(5),
        ..Options::default()
    }
}

fn named(bytes: &[u8], dir: &Path, addresses: &[u64], inlines: bool) -> usize {
    let path = dir.join("hostile");
    fs::write(&path, bytes).unwrap();
    let mut recording = Recording::new(Options { inlines, ..quick() });
    // No build id, so that the content is looked at.
    let id = recording.collected.mappings.intern(Mapping {
        kind: MappingKind::File,
        path: path.to_str().unwrap().to_owned(),
        build_id: vec![],
    });
    recording
        .symbolizer
        .offer_file(id, Arc::new(File::open(&path).unwrap()));
    recording.hit(0, addresses);
    recording.finish();
    addresses
        .iter()
        .filter(|&&address| recording.name(0, address).is_some())
        .count()
}

/// A small generator of numbers, the same in every run.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

#[test]
fn truncated_and_flipped_files_cost_names_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(dir.path(), "cc", "good", SOURCE, &["-O2", "-g"]);
    let good = fs::read(&path).unwrap();
    let (work, size) = extent(&path, "work");
    let addresses: Vec<_> = (work..work + size).collect();
    assert_eq!(named(&good, dir.path(), &addresses, true), addresses.len());
    let mut next = numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        let mut bad = good.clone();
        if round % 4 == 0 {
            bad.truncate(next() as usize % good.len());
        } else {
            // Half of the flips go where the tables are.
            for _ in 0..=next() % 16 {
                let at = next() as usize;
                let at = if round % 4 == 1 {
                    at % 64
                } else if round % 4 == 2 {
                    bad.len() - 1 - at % 2400
                } else {
                    at % bad.len()
                };
                bad[at] = next() as u8;
            }
        }
        // DWARF every few rounds: a child each.
        named(&bad, dir.path(), &addresses, round % 5 == 0);
    }
}

#[test]
fn flipped_dwarf_costs_lines_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(dir.path(), "cc", "good", SOURCE, &["-O2", "-g"]);
    let good = fs::read(&path).unwrap();
    let (work, size) = extent(&path, "work");
    let elf = Elf::read(Bytes::File(Arc::new(File::open(&path).unwrap()))).unwrap();
    let sections: Vec<_> = elf
        .sections
        .iter()
        .filter(|it| it.name.starts_with(".debug"))
        .collect();
    let mut next = numbers(42);
    for round in 0..120 {
        let mut bad = good.clone();
        let section = sections[round % sections.len()];
        for _ in 0..=next() % 8 {
            let at = section.offset + next() % section.size.max(1);
            bad[at as usize] = next() as u8;
        }
        assert_eq!(
            named(&bad, dir.path(), &[work, work + size - 1], true),
            2,
            "the symbol table is whole"
        );
    }
}

#[test]
fn a_compressed_section_that_claims_terabytes_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(dir.path(), "cc", "good", SOURCE, &["-O2", "-g"]);
    let packed = dir.path().join("packed");
    objcopy(["--compress-debug-sections=zlib-gabi"], &path, &packed);
    let (work, _) = extent(&path, "work");
    let mut bytes = fs::read(&packed).unwrap();
    assert_eq!(named(&bytes, dir.path(), &[work], true), 1);
    let elf = Elf::read(Bytes::File(Arc::new(File::open(&packed).unwrap()))).unwrap();
    let compressed = elf.sections.iter().filter(|it| it.flags.0 & 0x800 != 0);
    let mut count = 0;
    for section in compressed {
        // `ch_size` of an `Elf64_Chdr`.
        let at = section.offset as usize + 8;
        bytes[at..at + 8].copy_from_slice(&(1_u64 << 42).to_le_bytes());
        count += 1;
    }
    assert!(count > 0);
    assert_eq!(named(&bytes, dir.path(), &[work], true), 1);
}

#[test]
fn a_packed_symbol_table_that_unfolds_beyond_the_bound_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(dir.path(), "cc", "good", SOURCE, &["-O2", "-s"]);
    let mut bomb = Vec::new();
    let zeros = std::io::Read::take(std::io::repeat(0), 160 << 20);
    std::io::Read::read_to_end(&mut xz2::read::XzEncoder::new(zeros, 1), &mut bomb).unwrap();
    let (packed, out) = (dir.path().join("bomb"), dir.path().join("bombed"));
    fs::write(&packed, bomb).unwrap();
    objcopy(
        [&format!("--add-section=.gnu_debugdata={}", packed.display())],
        &path,
        &out,
    );
    assert_eq!(named(&fs::read(&out).unwrap(), dir.path(), &[0x1000], false), 0);
}

#[test]
fn a_debug_link_to_a_fifo_does_not_stop_the_world() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(dir.path(), "cc", "good", SOURCE, &["-O2", "-g"]);
    let (work, _) = extent(&path, "work");
    let fifo = dir.path().join("trap");
    fs::write(&fifo, "x").unwrap();
    let (whole, bare) = (dir.path().join("hostile"), dir.path().join("bare"));
    run(Command::new("objcopy")
        .arg(format!("--add-gnu-debuglink={}", fifo.display()))
        .args([&path, &whole]));
    objcopy(["--strip-all"], &whole, &bare);
    fs::remove_file(&fifo).unwrap();
    run(Command::new("mkfifo").arg(&fifo));
    let start = Instant::now();
    for (file, names) in [(&whole, 1), (&bare, 0)] {
        assert_eq!(named(&fs::read(file).unwrap(), dir.path(), &[work], true), names);
    }
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn anything_else_than_an_elf_file_has_no_names() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [
        &b""[..],
        b"\x7fELF",
        b"#!/bin/sh\n",
        &[0xff; 4096],
        b"\x7fELF\x02\x01\x01",
    ] {
        assert_eq!(named(bytes, dir.path(), &[0, 1, u64::MAX], true), 0);
    }
    let mut recording = Recording::new(quick());
    for kind in [MappingKind::File, MappingKind::FileOffset] {
        let id = recording.collected.mappings.intern(Mapping {
            kind,
            path: "/dev/zero".into(),
            build_id: vec![],
        });
        recording
            .symbolizer
            .offer_file(id, Arc::new(File::open("/dev/zero").unwrap()));
        recording.hit(id.raw(), &[0x1000]);
        assert_eq!(recording.reason(id.raw(), 0x1000), Some(Reason::NoFile));
    }
    recording.finish();
}

#[test]
fn a_stack_of_a_slow_event_counts_as_one_of_a_sample_does() {
    use crate::profile::{Extent, ObjectKind, Operation, Outcome, SlowEvent, Waker};
    let mut symbolizer = Symbolizer::new(quick());
    let mut delta = Delta {
        locations: vec![Location {
            mapping: Id::new(0),
            address: 1,
        }],
        stacks: vec![crate::profile::Stack {
            caller: None,
            location: Id::new(0),
        }],
        slow: vec![SlowEvent {
            thread: Id::new(0),
            end_ns: 0,
            duration_ns: 0,
            extent: Extent::Whole,
            operation: Operation::Call(0),
            object: ObjectKind::None,
            target: None,
            result: 0,
            arguments: [0; 6],
            stack: Some(Id::new(0)),
            outcome: Outcome::Complete,
            wait_ns: 0,
            waker: Waker::Unknown,
            woken_ns: 0,
        }],
        ..Delta::default()
    };
    symbolizer.follow(&mut delta);
    assert_eq!(symbolizer.unknown()[0].frames, 1);
}

#[test]
fn a_delta_with_rows_from_nowhere_is_survived() {
    let mut symbolizer = Symbolizer::new(quick());
    let mut delta = Delta {
        locations: vec![Location {
            mapping: Id::new(7),
            address: 1,
        }],
        stacks: vec![crate::profile::Stack {
            caller: Some(Id::new(9)),
            location: Id::new(9),
        }],
        ..Delta::default()
    };
    symbolizer.offer_file(Id::new(99), Arc::new(File::open("/dev/null").unwrap()));
    symbolizer.follow(&mut delta);
    assert!(delta.lines.is_empty());
    assert!(symbolizer.finish().lines.is_empty());
    assert_eq!(symbolizer.reason(Id::new(0)), Some(Reason::Unmapped));
    assert_eq!(symbolizer.reason(Id::new(5)), None);
}
