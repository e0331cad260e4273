//! What can be told of the programs without a kernel.

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind, SymbolKind};

use super::OBJECT;

/// A BPF instruction: opcode, destination and source registers, offset, immediate
/// (Documentation/bpf/standardization/instruction-set.rst).
struct Instruction {
    opcode: u8,
    destination: u8,
    source: u8,
    offset: i64,
    immediate: i64,
}

/// The register with the frame's end.
const FRAME: u8 = 10;
/// `dst = src`, and `dst += imm`, of 64 bits.
const MOVE: u8 = 0xbf;
const ADD: u8 = 0x07;
/// Classes of opcodes, in their low three bits: loads by a register, and stores.
const LOAD: u8 = 1;
const STORES: [u8; 2] = [2, 3];

fn instructions(code: &[u8]) -> impl Iterator<Item = Instruction> {
    code.chunks_exact(8).map(|bytes| Instruction {
        opcode: bytes[0],
        destination: bytes[1] & 15,
        source: bytes[1] >> 4,
        offset: i16::from_le_bytes([bytes[2], bytes[3]]).into(),
        immediate: i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]).into(),
    })
}

/// How many bytes of stack a function uses.
fn stack(code: &[u8]) -> i64 {
    let mut lowest = 0;
    let mut holds_frame = [false; 16];
    for instruction in instructions(code) {
        let class = instruction.opcode & 7;
        let into = usize::from(instruction.destination);
        if STORES.contains(&class) && instruction.destination == FRAME
            || class == LOAD && instruction.source == FRAME
        {
            lowest = lowest.min(instruction.offset);
        }
        match instruction.opcode {
            MOVE => holds_frame[into] = instruction.source == FRAME,
            ADD if holds_frame[into] => {
                lowest = lowest.min(instruction.immediate);
                holds_frame[into] = false;
            }
            _ => {}
        }
    }
    -lowest
}

/// The kernel gives a program and the functions that it calls 512 bytes together, each rounded up to 32
/// (`check_max_stack_depth`, kernel/bpf/verifier.c). Newer kernels are more generous, so only the old ones would complain.
#[test]
fn programs_fit_into_the_stack_with_the_functions_that_they_call() {
    let file = object::File::parse(OBJECT).unwrap();
    let mut programs = Vec::new();
    let mut deepest_callee = 0;
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let Some(section) = symbol
            .section_index()
            .and_then(|index| file.section_by_index(index).ok())
        else {
            continue;
        };
        if section.kind() != SectionKind::Text || symbol.size() == 0 {
            continue;
        }
        let code = section
            .data_range(symbol.address(), symbol.size())
            .unwrap()
            .unwrap();
        let used = (stack(code) + 31) / 32 * 32;
        match section.name().unwrap() {
            ".text" => deepest_callee = used.max(deepest_callee),
            program => programs.push((program.to_owned(), symbol.name().unwrap().to_owned(), used)),
        }
    }
    assert!(programs.len() > 10, "{programs:?}");
    // A callback of a loop, and a function that it calls.
    assert!((32..=96).contains(&deepest_callee), "{deepest_callee}");
    for (section, name, used) in programs {
        // The iterator walks no user stack, so it calls the shallow ones only.
        let callees = if section.starts_with("iter") {
            32
        } else {
            deepest_callee + 32
        };
        assert!(
            used + callees <= 512,
            "{name} uses {used} bytes of stack of its own"
        );
    }
}

/// A program with less than 64 bytes runs on the stack that it interrupted; by that interrupts are told from threads.
#[test]
fn the_program_that_tells_interrupts_from_threads_has_a_small_frame() {
    let file = object::File::parse(OBJECT).unwrap();
    let symbol = file.symbol_by_name("states_waking").unwrap();
    let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
    let code = section
        .data_range(symbol.address(), symbol.size())
        .unwrap()
        .unwrap();
    assert!(stack(code) < 64, "{}", stack(code));
}
