//! Rows of Go's functions: `.gopclntab` says how far each has lowered the stack pointer, and the frame pointer is saved
//! right below the return address in all that lower it (`src/cmd/internal/obj/x86/obj6.go`, since Go 1.7).

use profiler_common::unwind::{Rule, bp, cfa};

use super::rest::Code;
use crate::gopclntab::{Function, Table};

/// They go on on the scheduler's stack and do not come back: what runs there has nothing to do with who called them, or has
/// moved the caller's stack elsewhere (`src/runtime/asm_amd64.s`).
const GO_FOR_GOOD: [&[u8]; 2] = [b"runtime.mcall", b"runtime.morestack"];

/// The rows of all functions of the table.
pub(super) fn code(table: Table<'_>) -> impl Iterator<Item = Code> {
    table.functions().map(move |function| Code {
        begin: function.begin,
        end: function.end,
        rows: rows(table, function),
    })
}

fn rows(table: Table<'_>, function: Function) -> Vec<(u64, Rule)> {
    if function.is_outermost || function.changes_stacks && GO_FOR_GOOD.contains(&table.name(function)) {
        return vec![(function.begin, Rule::END)];
    }
    if function.changes_stacks {
        return vec![(function.begin, lowered(cfa::OTHER_STACK, 16))];
    }
    let depths = table.depths(function);
    depths
        .map(|depth| {
            let rule = match depth.bytes {
                0 => Rule {
                    cfa_offset: 8,
                    ..Rule::of(cfa::SP)
                },
                1.. => lowered(cfa::SP, depth.bytes.saturating_add(8)),
                _ => Rule::of(cfa::UNSUPPORTED),
            };
            (depth.begin, rule)
        })
        .collect()
}

fn lowered(cfa: u8, cfa_offset: i32) -> Rule {
    Rule {
        bp: bp::AT_CFA,
        bp_offset: -16,
        cfa_offset,
        ..Rule::of(cfa)
    }
}
