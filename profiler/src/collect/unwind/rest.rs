//! Code that `.eh_frame` does not describe, and who else says what it does with the stack.

use object::ReadRef;
use profiler_common::unwind::Rule;

use super::{elf::Elf, go, instructions};
use crate::gopclntab;

/// Code at a program's entry point that nothing describes belongs to the start-up code: it is the root of the stack.
/// In ld.so the calls of constructors lie 40 bytes behind it, in musl the call into C lies 20 bytes behind it.
const ENTRY_CODE: u64 = 64;

/// A piece of code and its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// Its first virtual address.
    pub(super) begin: u64,
    /// One past its last.
    pub(super) end: u64,
    /// From which address on which rule is in force, rising.
    pub(super) rows: Vec<(u64, Rule)>,
}

/// What `.eh_frame` describes.
#[derive(Clone, Copy)]
pub(super) struct Described<'a> {
    /// How many bytes of code.
    pub(super) bytes: u64,
    /// Whether an address is part of it.
    pub(super) holds: &'a dyn Fn(u64) -> bool,
}

/// What is known of code besides `.eh_frame`.
#[derive(Debug)]
pub(super) struct Rest {
    /// Where pieces begin at the same address, the first one counts.
    pub(super) code: Vec<Code>,
    /// Whether there are functions in it, and not only stubs and the entry point.
    pub(super) has_functions: bool,
}

/// All that is known of code that is not `described`.
pub(super) fn code<'data, R: ReadRef<'data>>(elf: &Elf<'data>, data: R, described: Described<'_>) -> Rest {
    let mut code: Vec<Code> = elf.plts().iter().map(stubs).collect();
    // 0: the file is a library and has no entry point.
    if elf.entry() != 0 {
        code.push(Code {
            begin: elf.entry(),
            end: elf.entry().saturating_add(ENTRY_CODE),
            rows: vec![(elf.entry(), Rule::END)],
        });
    }
    let others = code.len();
    match go_functions(elf, data) {
        Some(table) => code.extend(go::code(table)),
        None => code.extend(instructions::code(elf, data, described)),
    }
    Rest {
        has_functions: code.len() > others,
        code,
    }
}

fn stubs(plt: &super::elf::Plt) -> Code {
    let at = |(offset, rule): (u32, Rule)| (plt.address.saturating_add(offset.into()), rule);
    Code {
        begin: plt.address,
        end: plt.address.saturating_add(plt.size),
        rows: plt.rows().into_iter().map(at).collect(),
    }
}

fn go_functions<'data, R: ReadRef<'data>>(elf: &Elf<'data>, data: R) -> Option<gopclntab::Table<'data>> {
    let section = elf.go_functions()?;
    let bytes = data.read_bytes_at(section.offset, section.size).ok()?;
    gopclntab::Table::parse(bytes, elf.text().unwrap_or(0), elf.entry())
}
