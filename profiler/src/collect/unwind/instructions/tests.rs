//! Instructions, and the rows that follow from them.

use std::{fs::File, path::Path};

use object::{ReadCache, ReadRef as _};
use profiler_common::unwind::{RULE_NONE, Rule, bp, cfa};

use super::function::{Text, read};
use crate::collect::unwind::{elf::Elf, rows::Table};

const BEGIN: u64 = 0x1000;

/// The rows of a function, counted from its begin: `-24(rsp)` means that the CFA is 24 above the stack pointer.
fn rows(bytes: &[u8]) -> Vec<(u64, String)> {
    let text = Text {
        address: BEGIN,
        bytes,
    };
    let read = read(text, BEGIN, BEGIN + bytes.len() as u64, true);
    assert!(read.code.end <= BEGIN + bytes.len() as u64);
    let rows = read.code.rows.into_iter();
    rows.map(|(address, rule)| (address - BEGIN, said(rule)))
        .collect()
}

fn said(rule: Rule) -> String {
    let cfa = match rule.cfa {
        cfa::SP => format!("rsp+{}", rule.cfa_offset),
        cfa::BP => format!("rbp+{}", rule.cfa_offset),
        cfa::END => "end".to_owned(),
        cfa::NONE => "none".to_owned(),
        other => panic!("{other}"),
    };
    match rule.bp {
        bp::AT_CFA => format!("{cfa}, rbp at cfa{}", rule.bp_offset),
        _ => cfa,
    }
}

fn assert_rows(bytes: &[u8], expected: &[(u64, &str)]) {
    let rows = rows(bytes);
    let rows: Vec<_> = rows.iter().map(|(at, said)| (*at, said.as_str())).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_frame_is_made_and_taken_away() {
    // push rbp; mov rbp, rsp; sub rsp, 0x20; leave; ret
    assert_rows(
        &[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x20, 0xc9, 0xc3],
        &[
            (0, "rsp+8"),
            (1, "rsp+16, rbp at cfa-16"),
            (4, "rbp+16, rbp at cfa-16"),
            (9, "rsp+8"),
        ],
    );
}

#[test]
fn behind_a_return_goes_on_what_a_jump_says() {
    // push rbx; test edi, edi; je +2; pop rbx; ret; call rax; pop rbx; ret
    assert_rows(
        &[0x53, 0x85, 0xff, 0x74, 0x02, 0x5b, 0xc3, 0xff, 0xd0, 0x5b, 0xc3],
        &[
            (0, "rsp+8"),
            (1, "rsp+16"),
            (6, "rsp+8"),
            (7, "rsp+16"),
            (10, "rsp+8"),
        ],
    );
}

#[test]
fn what_only_a_table_leads_to_begins_as_the_jump_by_it_did() {
    // sub rsp, 0x18; jmp [rax*8]; add rsp, 0x18; ret
    assert_rows(
        &[
            0x48, 0x83, 0xec, 0x18, 0xff, 0x24, 0xc5, 0, 0, 0, 0, 0x48, 0x83, 0xc4, 0x18, 0xc3,
        ],
        &[(0, "rsp+8"), (4, "rsp+32"), (15, "rsp+8")],
    );
}

#[test]
fn a_stack_pointer_that_moves_by_what_is_not_known_is_found_by_the_frame_pointer() {
    // push rbp; mov rbp, rsp; sub rsp, rax; lea rsp, [rbp-8]; leave; ret
    assert_rows(
        &[
            0x55, 0x48, 0x89, 0xe5, 0x48, 0x29, 0xc4, 0x48, 0x8d, 0x65, 0xf8, 0xc9, 0xc3,
        ],
        &[
            (0, "rsp+8"),
            (1, "rsp+16, rbp at cfa-16"),
            (4, "rbp+16, rbp at cfa-16"),
            (12, "rsp+8"),
        ],
    );
    // sub rsp, rax; ret: nobody can tell.
    assert_rows(&[0x48, 0x29, 0xc4, 0xc3], &[(0, "rsp+8"), (3, "none")]);
}

#[test]
fn who_has_no_use_for_a_callers_frame_pointer_has_no_caller() {
    // xor ebp, ebp; call rax
    assert_rows(&[0x31, 0xed, 0xff, 0xd0], &[(0, "rsp+8"), (2, "end")]);
    // push rbp; xor ebp, ebp; pop rbp; ret: it is a register like any other.
    assert_rows(
        &[0x55, 0x31, 0xed, 0x5d, 0xc3],
        &[(0, "rsp+8"), (1, "rsp+16, rbp at cfa-16"), (4, "rsp+8")],
    );
}

#[test]
fn go_saves_its_frame_pointer_by_a_move() {
    // sub rsp, 0x18; mov [rsp+0x10], rbp; lea rbp, [rsp+0x10]; mov rbp, [rsp+0x10]; add rsp, 0x18; ret
    assert_rows(
        &[
            0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x6c, 0x24, 0x10, 0x48, 0x8d, 0x6c, 0x24, 0x10, 0x48, 0x8b,
            0x6c, 0x24, 0x10, 0x48, 0x83, 0xc4, 0x18, 0xc3,
        ],
        &[
            (0, "rsp+8"),
            (4, "rsp+32"),
            (9, "rsp+32, rbp at cfa-16"),
            (14, "rbp+16, rbp at cfa-16"),
            (19, "rsp+32"),
            (23, "rsp+8"),
        ],
    );
}

#[test]
fn functions_that_are_called_or_given_away_are_found() {
    // call +0x10; lea rdi, [rip+0x20]; jmp +0x30
    let bytes = [
        0xe8, 0x10, 0, 0, 0, 0x48, 0x8d, 0x3d, 0x20, 0, 0, 0, 0xe9, 0x30, 0, 0, 0,
    ];
    let text = Text {
        address: BEGIN,
        bytes: &bytes,
    };
    let mut goes_to = read(text, BEGIN, BEGIN + bytes.len() as u64, true).goes_to;
    goes_to.sort_unstable();
    assert_eq!(goes_to, [BEGIN + 0x15, BEGIN + 0x2c, BEGIN + 0x41]);
}

#[test]
fn of_a_function_that_claims_to_be_huge_a_part_is_read() {
    let bytes = vec![0x90; 3 << 20];
    let text = Text {
        address: BEGIN,
        bytes: &bytes,
    };
    assert_eq!(read(text, BEGIN, u64::MAX, true).bytes, 1 << 20);
}

#[test]
fn garbage_ends() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..512)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random as u8
            })
            .collect();
        rows(&bytes);
    }
}

/// At how many bytes the instructions say the same as `.eh_frame`, and at how many both count the CFA from one register.
fn agreement(path: &Path) -> (u64, u64) {
    let file = ReadCache::new(File::open(path).unwrap());
    let elf = Elf::parse(&file).unwrap();
    let table = Table::build(&elf, &file).unwrap();
    let told: Vec<_> = table.rows().collect();
    let (mut same, mut all) = (0, 0);
    for segment in elf.segments() {
        let text = Text {
            address: segment.address,
            bytes: (&file).read_bytes_at(segment.offset, segment.size).unwrap(),
        };
        for (begin, end) in table.described() {
            if !(segment.address..segment.end()).contains(&begin) {
                continue;
            }
            let rows = read(text, begin, end, true).code.rows;
            for (n, (address, rule)) in rows.iter().enumerate() {
                let next = rows.get(n + 1).map_or(end, |(next, _)| *next);
                for pc in *address..next {
                    let at = told.partition_point(|row| u64::from(row.pc) + table.base() <= pc);
                    let Some(row) = at.checked_sub(1).map(|at| told[at]) else {
                        continue;
                    };
                    let expected = table.rules().get(row.rule.into()).unwrap();
                    let is_known = matches!(rule.cfa, cfa::SP | cfa::BP);
                    if u32::from(row.rule) != RULE_NONE && is_known && expected.cfa == rule.cfa {
                        all += 1;
                        same += u64::from(rule.cfa_offset == expected.cfa_offset);
                    }
                }
            }
        }
    }
    (same, all)
}

#[test]
fn instructions_say_what_compilers_say_of_them() {
    let paths = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"];
    let libc = paths.iter().map(Path::new).find(|path| path.exists());
    let (same, all) = agreement(libc.expect("a C library"));
    let part = same as f64 / all as f64;
    assert!(all > 500_000 && part > 0.99, "{part} of {all} bytes");
}
