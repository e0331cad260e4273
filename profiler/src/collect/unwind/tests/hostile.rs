//! Torn and altered files: they are refused or give some table, in bounded time and memory, and nothing panics.

use std::{io::Write as _, process::Command};

use profiler_common::unwind::{PAGE_BITS, find_rule};

use super::{Placement, Random};
use crate::collect::unwind::{
    elf::{Elf, Refused},
    rows::Table,
};

/// Small programs with everything in them: sections, notes, expressions, signal frames.
fn seeds() -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("stacks.c");
    std::fs::write(&source, include_str!("stacks.c")).unwrap();
    let link = |flags: &[&str]| {
        let program = directory.path().join("stacks");
        let status = Command::new("cc")
            .args(["-O2", "-s"])
            .args(flags)
            .arg(&source)
            .arg("-o")
            .arg(&program)
            .status();
        assert!(status.unwrap().success());
        std::fs::read(program).unwrap()
    };
    let mut stripped = link(&[]);
    stripped[0x28..0x30].fill(0);
    stripped[0x3c..0x40].fill(0);
    vec![link(&[]), stripped]
}

/// Everything that production does with a file. The result does not matter, but that there is one.
fn digest(bytes: &[u8], place: &mut Placement) -> Result<(), Refused> {
    let elf = Elf::parse(bytes)?;
    for offset in [0, 0x1000, 0x2fff, u64::MAX] {
        if let Some(address) = elf.virtual_address(offset) {
            assert_eq!(
                elf.bias(0x7f00_0000_0000, offset),
                Some(0x7f00_0000_0000u64.wrapping_sub(address))
            );
        }
    }
    assert!(elf.build_id().len() <= 64);
    let table = Table::build(&elf, bytes)?;
    // What a byte of input may become: a row of 8 bytes.
    assert!(table.rows().count() <= bytes.len() + 64);
    assert!(table.rows().is_sorted_by(|a, b| a.pc < b.pc && a.rule != b.rule));
    assert!(table.rows().all(|row| row.pc >> PAGE_BITS < table.pages()
        || u64::from(row.pc) == u64::from(table.pages()) << PAGE_BITS));
    // A table without end would be a page index without end.
    if let Ok(placed) = place.pool.place(&table, &mut place.rules, 0) {
        for row in table.rows().take(1000) {
            let found = find_rule(place, &mut [0; 2], placed.table, row.pc.into());
            assert!(
                row.pc >> PAGE_BITS == table.pages()
                    || place.rules.get(found) == table.rules().get(row.rule.into())
            );
        }
        place.pool.free(placed.id, 0);
        place.pool.reclaim(0);
    }
    Ok(())
}

#[test]
fn truncated_files() {
    for seed in seeds() {
        let mut place = Placement::new();
        assert_eq!(digest(&seed, &mut place), Ok(()));
        let mut random = Random(0x5eed);
        for length in (0..200).chain((0..400).map(|_| random.below(seed.len() as u64) as usize)) {
            let _ = digest(&seed[..length], &mut place);
        }
    }
}

#[test]
fn altered_files() {
    for seed in seeds() {
        let mut place = Placement::new();
        let mut random = Random(0xa17e_4ed5);
        let frames = Elf::parse(&*seed).unwrap().eh_frame().unwrap().bytes;
        let frames = frames.as_ptr() as u64 - seed.as_ptr() as u64..(frames.len() as u64).min(4096);
        let (mut built, mut refused) = (0, 0);
        for round in 0..3000 {
            let mut bytes = seed.clone();
            for _ in 0..=random.below(6) {
                // Headers, unwind information, anywhere.
                let at = match round % 4 {
                    0 => random.below(64 + 13 * 56),
                    1 | 2 => frames.start + random.below(frames.end),
                    _ => random.below(seed.len() as u64),
                };
                bytes[at as usize] = match random.below(4) {
                    0 => bytes[at as usize] ^ 1 << random.below(8),
                    1 => [0, 1, 0x7f, 0x80, 0xff][random.below(5) as usize],
                    _ => random.below(256) as u8,
                };
            }
            match digest(&bytes, &mut place) {
                Ok(()) => built += 1,
                Err(_) => refused += 1,
            }
        }
        // Otherwise the alterations are too weak, or too strong, to test anything.
        assert!(built > 1000 && refused > 50, "{built} built, {refused} refused");
    }
}

#[test]
fn refusals_say_why() {
    let seed = seeds().swap_remove(0);
    let altered = |at: usize, value: u8| {
        let mut bytes = seed.clone();
        bytes[at] = value;
        Elf::parse(&*bytes).unwrap_err()
    };
    assert_eq!(altered(0, b'#'), Refused::NotElf);
    assert_eq!(altered(4, 1), Refused::Class);
    assert_eq!(altered(18, 183), Refused::Machine(183));
    assert_eq!(altered(16, 1), Refused::Type(1));
    assert_eq!(altered(0x38, 0), Refused::NoCode);
    assert_eq!(Elf::parse(&b""[..]).unwrap_err(), Refused::NotElf);
    assert_eq!(
        Refused::Machine(183).to_string(),
        "for another machine (e_machine 183)"
    );
}

/// An ELF file of one executable segment of `code` bytes at address 0, whose `.eh_frame` is `frames`.
fn synthetic(code: u64, frames: &[u8]) -> Vec<u8> {
    const HEADER: usize = 64 + 3 * 56 + 12;
    let mut file = Vec::new();
    let mut put = |bytes: &[u8]| file.extend_from_slice(bytes);
    put(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    put(&3u16.to_le_bytes());
    put(&62u16.to_le_bytes());
    put(&1u32.to_le_bytes());
    for word in [0u64, 64, 0] {
        put(&word.to_le_bytes());
    }
    put(&0u32.to_le_bytes());
    for half in [64u16, 56, 3, 0, 0, 0] {
        put(&half.to_le_bytes());
    }
    let end = (HEADER + frames.len()) as u64;
    let frames_at = 1u64 << 40;
    // Type and flags; offset, address, physical address, bytes in file, bytes in memory, alignment.
    for (kind, flags, offset, address, size) in [
        (1u32, 5u32, 0, 0, code),
        (1, 4, HEADER as u64, frames_at, frames.len() as u64),
        (0x6474_e550, 4, HEADER as u64 - 12, frames_at - 12, 12),
    ] {
        put(&kind.to_le_bytes());
        put(&flags.to_le_bytes());
        for word in [offset, address, address, size, size, 4096] {
            put(&word.to_le_bytes());
        }
    }
    // .eh_frame_hdr: version 1; pointer relative to itself, no table.
    put(&[1, 0x1b, 0xff, 0xff]);
    put(&8i32.to_le_bytes());
    put(&[0; 4]);
    put(frames);
    assert_eq!(file.len() as u64, end);
    file
}

/// A common entry with absolute addresses whose instructions are `program`.
fn cie(program: &[u8]) -> Vec<u8> {
    let mut entry = vec![0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1];
    entry.extend_from_slice(program);
    prefixed(entry)
}

/// A function's entry: `back` bytes before its second word is its common entry.
fn fde(back: usize, begin: u64, len: u64, program: &[u8]) -> Vec<u8> {
    let mut entry = (back as u32).to_le_bytes().to_vec();
    entry.extend_from_slice(&begin.to_le_bytes());
    entry.extend_from_slice(&len.to_le_bytes());
    entry.extend_from_slice(program);
    prefixed(entry)
}

fn prefixed(entry: Vec<u8>) -> Vec<u8> {
    [&(entry.len() as u32).to_le_bytes()[..], &entry].concat()
}

#[test]
fn a_synthetic_file_is_read_as_written() {
    let mut frames = cie(&[]);
    // Two functions that overlap, one behind a gap, one outside the segment, one that cannot be read.
    for (begin, len, program) in [
        (0x100u64, 0x50u64, &[0x41, 0x0e, 16][..]),
        (0x120, 0x20, &[]),
        (0x200, 0x10, &[0x0e, 32]),
        (0x9_0000, 0x10, &[]),
        (0x300, 0x10, &[0x0c]),
    ] {
        frames.extend(fde(frames.len() + 4, begin, len, program));
    }
    let bytes = synthetic(0x1_0000, &frames);
    let table = Table::build(&Elf::parse(&*bytes).unwrap(), &*bytes).unwrap();
    let rows: Vec<_> = table
        .rows()
        .map(|row| (row.pc, table.rules().get(row.rule.into()).unwrap().cfa_offset))
        .collect();
    assert_eq!(
        rows,
        [
            (0x100, 8),
            (0x101, 16),
            (0x120, 8),
            (0x140, 0),
            (0x200, 32),
            (0x210, 0)
        ]
    );
    let counts = table.counts();
    assert_eq!((counts.functions, counts.outside, counts.malformed), (3, 1, 1));
}

#[test]
fn small_files_that_ask_for_much_work_or_memory_are_refused() {
    // A long common entry that each of many functions would interpret again.
    let mut frames = cie(&vec![0; 200_000]);
    for _ in 0..40 {
        frames.extend(fde(frames.len() + 4, 0x1000, 16, &[]));
    }
    let bytes = synthetic(0x1_0000, &frames);
    assert_eq!(
        Table::build(&Elf::parse(&*bytes).unwrap(), &*bytes).unwrap_err(),
        Refused::TooMuchWork
    );

    // Entries longer than any compiler writes.
    let mut frames = cie(&[]);
    frames.extend(fde(frames.len() + 4, 0x1000, 16, &vec![0; 300_000]));
    let bytes = synthetic(0x1_0000, &frames);
    let counts = Table::build(&Elf::parse(&*bytes).unwrap(), &*bytes)
        .unwrap()
        .counts();
    assert_eq!((counts.functions, counts.malformed), (0, 1));

    // A row for every three bytes of .eh_frame.
    let program: Vec<u8> = (0..3000).flat_map(|n| [0x41, 0x0e, n as u8 & 1]).collect();
    let mut frames = cie(&[]);
    for n in 0..4 {
        frames.extend(fde(frames.len() + 4, n << 20, 1 << 20, &program));
    }
    let bytes = synthetic(1 << 30, &frames);
    let elf = Elf::parse(&*bytes).unwrap();
    assert!(
        Table::build_at_most(&elf, &*bytes, 12_010)
            .unwrap()
            .rows()
            .count()
            > 12_000
    );
    assert_eq!(
        Table::build_at_most(&elf, &*bytes, 12_000).unwrap_err(),
        Refused::TooManyRows
    );

    // An executable segment without end, of a file that has none.
    let bytes = synthetic(1 << 39, &cie(&[]));
    let refused = Table::build(&Elf::parse(&*bytes).unwrap(), &*bytes).unwrap_err();
    assert_eq!(refused, Refused::CodeTooFarApart(1 << 39));
}

#[test]
fn a_sparse_file_of_a_terabyte_is_not_read() {
    let mut file = tempfile::tempfile().unwrap();
    let mut bytes = synthetic(0x1_0000, &cie(&[]));
    // The size of the segment that .eh_frame ends with.
    let size = (1u64 << 40).to_le_bytes();
    bytes[64 + 56 + 32..][..8].copy_from_slice(&size);
    file.write_all(&bytes).unwrap();
    file.set_len(1 << 41).unwrap();
    let cache = object::ReadCache::new(file);
    let refused = Table::build(&Elf::parse(&cache).unwrap(), &cache).unwrap_err();
    assert_eq!(refused, Refused::EhFrameTooLarge(1 << 40));
}
