//! Every kind of rule on made-up stacks.

use std::{collections::HashMap, vec, vec::Vec};

use super::*;

/// Where the only executable mapping begins, and where its table's index counts from.
const CODE: u64 = 0x5555_0000_0000;
const CODE_END: u64 = CODE + 0x8_0000;
const STACK: u64 = 0x7fff_0000;

/// One mapping with one table: a page index in block 0, one block of rows for its first page.
struct Fake {
    mappings: Vec<Mapping>,
    blocks: Vec<Block>,
    rules: Vec<Rule>,
    memory: HashMap<u64, u64>,
    registers: HashMap<u32, u64>,
}

impl Tables for Fake {
    fn mapping(&self, index: u32) -> Option<&Mapping> {
        self.mappings.get(index as usize)
    }
    fn block(&self, index: u32) -> Option<&Block> {
        self.blocks.get(index as usize)
    }
    fn rule(&self, id: u32) -> Option<&Rule> {
        self.rules.get(id as usize)
    }
    fn read(&self, address: u64) -> Option<u64> {
        self.memory.get(&address).copied()
    }
    fn read_pair(&self, address: u64) -> Option<[u64; 2]> {
        Some([self.read(address)?, self.read(address + 8)?])
    }
    fn register(&self, number: u32) -> Option<u64> {
        self.registers.get(&number).copied()
    }
}

fn mapping(begin: u64, end: u64, table: TableRef) -> Mapping {
    Mapping {
        begin,
        end,
        bias: begin,
        table: table.pack(),
    }
}

const ROWS: TableRef = TableRef {
    index: 0,
    pages: 1,
    kind: TABLE_ROWS,
};

/// `rows`: (low 16 bits of the pc, rule) of the first page, at most 16; before them there is no rule.
fn tables(rows: &[(u16, Rule)], memory: &[(u64, u64)]) -> Fake {
    let mut rules = vec![Rule::NONE, Rule::END];
    let mut block = [RULE_NONE; 16];
    let mut last = RULE_NONE;
    for (n, slot) in block.iter_mut().enumerate().skip(1) {
        if let Some((pc, rule)) = rows.get(n - 1) {
            last = u32::from(*pc) << 16 | rules.len() as u32;
            rules.push(*rule);
        }
        *slot = last;
    }
    let mut index = [0; 16];
    (index[0], index[1]) = (1, 1);
    Fake {
        mappings: vec![mapping(CODE, CODE_END, ROWS)],
        blocks: vec![index, block],
        rules,
        memory: memory.iter().copied().collect(),
        registers: HashMap::new(),
    }
}

fn walk(ip: u64, sp: u64, bp: u64) -> Walk {
    Walk {
        registers: Registers { ip, sp, bp },
        mapping: Mapping::default(),
        space_first: 0,
        space_count: 1,
        frames: 0,
        frames_by_fp: 0,
        is_return: 0,
        signals: 0,
        outcome: Outcome::TooDeep as u32,
        reserved: 0,
        bx_at: 0,
        search: [0; 2],
    }
}

/// One step with one rule for all code; the registers of the caller, or the outcome.
fn step_by(rule: Rule, from: Registers, memory: &[(u64, u64)]) -> Result<Walk, Outcome> {
    let tables = tables(&[(0, rule)], memory);
    let mut walk = walk(from.ip, from.sp, from.bp);
    assert!(find_mapping(&tables, &mut walk));
    match step(&tables, &mut walk) {
        true => Ok(walk),
        false => Err(Outcome::from_u8(walk.outcome as u8).unwrap()),
    }
}

fn at(sp: u64, bp: u64) -> Registers {
    Registers { ip: CODE + 4, sp, bp }
}

fn registers(ip: u64, sp: u64, bp: u64) -> Registers {
    Registers { ip, sp, bp }
}

fn rule(cfa: u8, cfa_offset: i32) -> Rule {
    Rule {
        cfa_offset,
        ..Rule::of(cfa)
    }
}

#[test]
fn cfa_from_the_stack_pointer() {
    let stack = [(STACK + 24, CODE + 9)];
    let walk = step_by(rule(cfa::SP, 32), at(STACK, 7), &stack).unwrap();
    assert_eq!(walk.registers, registers(CODE + 9, STACK + 32, 7));
    assert_eq!((walk.is_return, walk.frames_by_fp), (1, 0));
}

#[test]
fn cfa_from_the_frame_pointer_whose_saved_value_lies_beside_the_return_address() {
    let rule = Rule {
        bp: bp::AT_CFA,
        bp_offset: -16,
        ..rule(cfa::BP, 16)
    };
    let stack = [(STACK + 64, 0x77), (STACK + 72, CODE + 9)];
    let walk = step_by(rule, at(STACK, STACK + 64), &stack).unwrap();
    assert_eq!(walk.registers, registers(CODE + 9, STACK + 80, 0x77));
}

#[test]
fn frame_pointer_saved_elsewhere() {
    let rule = Rule {
        bp: bp::AT_CFA,
        bp_offset: -48,
        ..rule(cfa::SP, 64)
    };
    let stack = [(STACK + 16, 0x77), (STACK + 56, CODE + 9)];
    let walk = step_by(rule, at(STACK, 1), &stack).unwrap();
    assert_eq!(walk.registers, registers(CODE + 9, STACK + 64, 0x77));
}

#[test]
fn frame_pointer_saved_where_it_points_as_after_realigning_the_stack() {
    let rule = Rule {
        bp: bp::AT_BP,
        ..rule(cfa::DEREF_BP, -8)
    };
    let stack = [
        (STACK + 56, STACK + 128),
        (STACK + 64, 0x77),
        (STACK + 120, CODE + 9),
    ];
    let walk = step_by(rule, at(STACK, STACK + 64), &stack).unwrap();
    assert_eq!(walk.registers, registers(CODE + 9, STACK + 128, 0x77));
}

#[test]
fn a_frame_pointer_that_was_popped_already_is_the_callers() {
    let rule = Rule {
        bp: bp::AT_BP,
        ..rule(cfa::SP, 8)
    };
    let stack = [(STACK, CODE + 9), (STACK + 64, 0x77)];
    for popped in [STACK + 64, STACK - 8, 0, u64::MAX] {
        let walk = step_by(rule, at(STACK, popped), &stack).unwrap();
        assert_eq!(walk.registers, registers(CODE + 9, STACK + 8, popped));
    }
    // Nothing below the stack pointer is read: a copy of the stack does not have it.
    for below in [16, 40] {
        let rule = Rule {
            bp: bp::AT_CFA,
            bp_offset: -below,
            ..rule
        };
        let walk = step_by(rule, at(STACK, 0x77), &stack).unwrap();
        assert_eq!(walk.registers, registers(CODE + 9, STACK + 8, 0x77));
    }
}

#[test]
fn a_caller_may_be_on_another_stack() {
    let rule = Rule {
        bp: bp::AT_CFA,
        bp_offset: -16,
        ..rule(cfa::OTHER_STACK, 16)
    };
    for other in [STACK - 4096, STACK + 4096] {
        let stack = [(other, 0x77), (other + 8, CODE + 9)];
        let walk = step_by(rule, at(STACK, other), &stack).unwrap();
        assert_eq!(walk.registers, registers(CODE + 9, other + 16, 0x77));
    }
}

#[test]
fn cfa_saved_on_the_stack_with_an_addition() {
    let rule = Rule {
        cfa_add: -8,
        ..rule(cfa::DEREF_SP, 16)
    };
    let stack = [(STACK + 16, STACK + 136), (STACK + 120, CODE + 9)];
    let walk = step_by(rule, at(STACK, 5), &stack).unwrap();
    assert_eq!(walk.registers, registers(CODE + 9, STACK + 128, 5));
    assert_eq!(
        step_by(rule, at(STACK, 5), &stack[1..]).unwrap_err(),
        Outcome::UnreadableStack
    );
}

#[test]
fn a_plt_entry_has_pushed_its_number_from_the_given_byte_on() {
    let stack = [(STACK, CODE + 9), (STACK + 8, CODE + 17)];
    for (variant, low, cfa) in [
        (11, 10, 8),
        (11, 11, 16),
        (10, 9, 8),
        (10, 10, 16),
        (11, 15, 16),
        (10, 0, 8),
    ] {
        let from = registers(CODE + 0x20 + low, STACK, 5);
        let walk = step_by(rule(cfa::PLT, variant), from, &stack).unwrap();
        assert_eq!(walk.registers.sp, STACK + cfa, "variant {variant}, byte {low}");
        assert_eq!(walk.registers.ip, if cfa == 8 { CODE + 9 } else { CODE + 17 });
    }
}

#[test]
fn any_register_may_hold_the_cfa_of_the_innermost_frame_only() {
    const R11: u32 = 11;
    let rule = Rule {
        cfa_add: R11 as i32,
        ..rule(cfa::REGISTER, 8)
    };
    let stack = [(STACK + 64, CODE + 9), (STACK + 128, CODE + 9)];
    let mut tables = tables(&[(0, rule)], &stack);
    let mut unknown = walk(CODE + 4, STACK, 5);
    assert!(find_mapping(&tables, &mut unknown) && !step(&tables, &mut unknown));
    assert_eq!(unknown.outcome, Outcome::UnsupportedRule as u32);

    tables.registers.insert(R11, STACK + 64);
    let mut known = walk(CODE + 4, STACK, 5);
    assert!(find_mapping(&tables, &mut known) && step(&tables, &mut known));
    assert_eq!(known.registers, registers(CODE + 9, STACK + 72, 5));
    tables.registers.insert(R11, STACK + 128);
    assert!(!step(&tables, &mut known));
    assert_eq!(known.outcome, Outcome::UnsupportedRule as u32);
}

#[test]
fn rbx_is_found_where_inner_frames_saved_it() {
    let saves = |bx| Rule {
        bx,
        ..rule(cfa::SP, 32)
    };
    let outer = rule(cfa::BX, 16);
    let stack = [
        (STACK + 8, STACK + 100 * 8), // the caller's rbx, saved at CFA - 24
        (STACK + 24, CODE + 0x20),
        (STACK + 101 * 8, CODE + 9),
    ];
    for (inner, register, expected) in [
        (saves(3), None, Some(STACK + 102 * 8)),
        (saves(0), Some(STACK + 100 * 8), Some(STACK + 102 * 8)),
        (saves(0), None, None),
        (saves(RULE_BX_LOST), Some(STACK + 100 * 8), None),
    ] {
        let mut tables = tables(&[(0, inner), (0x10, outer)], &stack);
        tables.registers.extend(register.map(|value| (3, value)));
        let mut walk = walk(CODE + 4, STACK, 5);
        assert!(find_mapping(&tables, &mut walk) && step(&tables, &mut walk));
        let found = step(&tables, &mut walk).then_some(walk.registers.sp);
        assert_eq!(found, expected);
    }
}

#[test]
fn a_signal_frame_holds_all_registers_and_its_pc_is_no_return_address() {
    // struct ucontext at sp: flags, link, stack (3 words), then r8 … r15, di, si, bp, bx, dx, ax, cx, sp, ip.
    let (other_stack, word) = (0x1000, |n: u64| STACK + 40 + 8 * n);
    let stack = [(word(10), 0x77), (word(15), other_stack), (word(16), CODE + 100)];
    let walk = step_by(Rule::of(cfa::SIGNAL), at(STACK, 5), &stack).unwrap();
    assert_eq!(walk.registers, registers(CODE + 100, other_stack, 0x77));
    assert_eq!((walk.is_return, walk.pc()), (0, CODE + 100));
    assert_eq!(
        step_by(Rule::of(cfa::SIGNAL), at(STACK, 5), &stack[..2]).unwrap_err(),
        Outcome::UnreadableStack
    );
}

#[test]
fn two_signal_frames_are_crossed_and_no_more() {
    let tables = tables(
        &[(0, Rule::of(cfa::SIGNAL))],
        &[
            (STACK + 40 + 80, 0),
            (STACK + 40 + 120, STACK),
            (STACK + 40 + 128, CODE + 4),
        ],
    );
    let mut walk = walk(CODE + 4, STACK, 0);
    assert!(find_mapping(&tables, &mut walk));
    assert!(step(&tables, &mut walk));
    assert!(step(&tables, &mut walk));
    assert!(!step(&tables, &mut walk));
    assert_eq!(walk.outcome, Outcome::NotOutward as u32);
}

#[test]
fn the_stack_is_complete_where_the_caller_is_undefined() {
    assert_eq!(
        step_by(Rule::END, at(STACK, 0), &[]).unwrap_err(),
        Outcome::Complete
    );
    let unsupported = Rule::of(cfa::UNSUPPORTED);
    assert_eq!(
        step_by(unsupported, at(STACK, 0), &[]).unwrap_err(),
        Outcome::UnsupportedRule
    );
}

#[test]
fn code_without_rows_is_left_by_frame_pointer() {
    let stack = [(STACK + 64, 0x77), (STACK + 72, CODE + 9)];
    let walk = step_by(Rule::NONE, at(STACK, STACK + 64), &stack).unwrap();
    assert_eq!(walk.registers, registers(CODE + 9, STACK + 80, 0x77));
    assert_eq!((walk.frames_by_fp, walk.is_return), (1, 1));
    for bad in [0, STACK - 8, STACK + 60, STACK + 4096] {
        assert_eq!(
            step_by(Rule::NONE, at(STACK, bad), &stack).unwrap_err(),
            Outcome::NoUnwindInfo
        );
    }
}

#[test]
fn the_cfa_must_lie_outward_and_aligned() {
    for (rule, from) in [
        (rule(cfa::SP, 0), at(STACK, 0)),
        (rule(cfa::SP, -8), at(STACK, 0)),
        (rule(cfa::SP, 12), at(STACK, 0)),
        (rule(cfa::BP, 16), at(STACK, STACK - 64)),
    ] {
        assert_eq!(step_by(rule, from, &[]).unwrap_err(), Outcome::NotOutward);
    }
}

#[test]
fn memory_that_cannot_be_read_ends_the_walk() {
    let saved = Rule {
        bp: bp::AT_CFA,
        bp_offset: -24,
        ..rule(cfa::SP, 32)
    };
    for rule in [
        rule(cfa::SP, 32),
        saved,
        Rule {
            bp_offset: -16,
            ..saved
        },
    ] {
        assert_eq!(
            step_by(rule, at(STACK, 0), &[(STACK, 1)]).unwrap_err(),
            Outcome::UnreadableStack
        );
    }
}

#[test]
fn a_return_address_is_looked_up_inside_the_call() {
    // The call is the last instruction of its function; another function with another rule follows.
    let tables = tables(
        &[(0, rule(cfa::SP, 8)), (0x10, rule(cfa::SP, 1024))],
        &[(STACK, CODE + 0x10), (STACK + 8, CODE + 1)],
    );
    let mut walk = walk(CODE + 4, STACK, 0);
    for sp in [STACK + 8, STACK + 16] {
        assert!(find_mapping(&tables, &mut walk));
        assert!(step(&tables, &mut walk));
        assert_eq!(walk.registers.sp, sp);
    }
}

#[test]
fn every_row_of_a_page_is_found() {
    // 100 blocks of 16 rows, 3 bytes apart, the last one padded; the rule's number is that of its row.
    let rows: Vec<u32> = (0..1_590).map(|n| (n * 3) << 16 | n).collect();
    let mut blocks: Vec<Block> = vec![[0; 16]];
    for chunk in rows.chunks(16) {
        let mut block = [*chunk.last().unwrap(); 16];
        block[..chunk.len()].copy_from_slice(chunk);
        blocks.push(block);
    }
    (blocks[0][4], blocks[0][5]) = (1, 100);
    let mut tables = tables(&[], &[]);
    tables.blocks = blocks;
    let table = TableRef { pages: 3, ..ROWS };
    for low in 0..0x1_0000u64 {
        let expected = (low / 3).min(1_589) as u32;
        assert_eq!(
            find_rule(&tables, &mut [0; 2], table, 2 << PAGE_BITS | low),
            expected
        );
    }
    // A page without rows, a page behind the last one, an address before the first one.
    for address in [5, 3 << PAGE_BITS, u64::MAX, 1 << 40] {
        assert_eq!(find_rule(&tables, &mut [0; 2], table, address), RULE_NONE);
    }
}

#[test]
fn a_page_may_have_a_row_for_every_byte() {
    let mut tables = tables(&[], &[]);
    tables.blocks = vec![[0; 16]];
    for block in 0..1u32 << SEARCH_STEPS {
        tables.blocks.push(core::array::from_fn(|n| {
            (block * 16 + n as u32) << 16 | (block & 0x7fff)
        }));
    }
    (tables.blocks[0][0], tables.blocks[0][1]) = (1, 1 << SEARCH_STEPS);
    for low in 0..0x1_0000 {
        assert_eq!(
            find_rule(&tables, &mut [0; 2], ROWS, low),
            (low / 16) as u32 & 0x7fff
        );
    }
}

#[test]
fn mappings_are_found_among_as_many_as_a_process_may_have() {
    let mut tables = tables(&[], &[]);
    let begin = |n: u64| CODE + n * 0x2000;
    tables.mappings = (0..MAX_SPACE as u64)
        .map(|n| mapping(begin(n), begin(n) + 0x1000, ROWS))
        .collect();
    for n in 0..MAX_SPACE as u64 {
        for (pc, found) in [
            (begin(n), true),
            (begin(n) + 0xfff, true),
            (begin(n) + 0x1000, false),
        ] {
            let mut walk = walk(pc, STACK, 0);
            walk.space_count = MAX_SPACE;
            assert_eq!(find_mapping(&tables, &mut walk), found, "{pc:#x}");
            if found {
                assert_eq!(walk.mapping.begin, begin(n));
            } else {
                assert_eq!(walk.outcome, Outcome::UnmappedCode as u32);
            }
        }
    }
    let mut walk = walk(CODE - 1, STACK, 0);
    walk.space_count = MAX_SPACE;
    assert!(!find_mapping(&tables, &mut walk));
    assert_eq!(walk.outcome, Outcome::UnmappedCode as u32);
}

#[test]
fn mappings_are_counted_from_where_the_process_begins_in_the_pool() {
    let mut tables = tables(&[], &[]);
    let other = mapping(CODE, CODE_END, TableRef { index: 9, ..ROWS });
    tables.mappings = vec![other, other, mapping(CODE, CODE_END, ROWS)];
    let mut walk = walk(CODE, STACK, 0);
    walk.space_first = 2;
    assert!(find_mapping(&tables, &mut walk));
    assert_eq!(walk.mapping, tables.mappings[2]);
    walk.mapping = Mapping::default();
    walk.space_first = 3;
    assert!(!find_mapping(&tables, &mut walk));
    assert_eq!(walk.outcome, Outcome::NoMappings as u32);
}

#[test]
fn mappings_without_rows() {
    let stack = [(STACK + 64, 0x77), (STACK + 72, CODE + 9)];
    let mut tables = tables(&[(0, Rule::END)], &stack);
    let kind = |kind| {
        mapping(
            CODE,
            CODE_END,
            TableRef {
                index: 0,
                pages: 0,
                kind,
            },
        )
    };
    tables.mappings = vec![kind(TABLE_FRAME_POINTER)];
    let mut by_fp = walk(CODE, STACK, STACK + 64);
    assert!(find_mapping(&tables, &mut by_fp) && step(&tables, &mut by_fp));
    assert_eq!(by_fp.frames_by_fp, 1);

    tables.mappings = vec![kind(TABLE_PENDING)];
    let mut pending = walk(CODE, STACK, STACK + 64);
    assert!(find_mapping(&tables, &mut pending) && !step(&tables, &mut pending));
    assert_eq!(pending.outcome, Outcome::NoMappings as u32);
}

#[test]
fn table_references_survive_packing() {
    for table in [
        ROWS,
        TableRef {
            index: u32::MAX,
            pages: 0xff_ffff,
            kind: TABLE_PENDING,
        },
    ] {
        assert_eq!(TableRef::unpack(table.pack()), table);
    }
    assert_eq!(size_of::<Mapping>(), 32);
    assert_eq!(size_of::<Rule>(), 16);
}
