//! Rows of Go's functions: `.gopclntab` says how far each has lowered the stack pointer, and the frame pointer is saved
//! right below the return address in all that lower it (`src/cmd/internal/obj/x86/obj6.go`, since Go 1.7).

use profiler_common::unwind::{Rule, bp, cfa};

use super::rest::Code;
use crate::gopclntab::{Function, Table};

/// They go on on the scheduler's stack and do not come back: what runs there has nothing to do with who called them, or has
/// moved the caller's stack elsewhere (`src/runtime/asm_amd64.s`).
const GO_FOR_GOOD: [&[u8]; 2] = [b"runtime.mcall", b"runtime.morestack"];

/// Rows at most: functions of a table that somebody made up may all be as long as they like. esbuild has 73,000.
const MAX_ROWS: usize = 2 << 20;

/// The rows of all functions of the table, as far as they are not too many.
pub(super) fn code(table: Table<'_>) -> Vec<Code> {
    let mut left = MAX_ROWS;
    let mut code = Vec::new();
    for function in table.functions() {
        let rows: Vec<_> = rows(table, function, left);
        left = left.saturating_sub(rows.len().max(1));
        if left == 0 {
            break;
        }
        code.push(Code {
            begin: function.begin,
            end: function.end,
            rows,
        });
    }
    code
}

fn rows(table: Table<'_>, function: Function, most: usize) -> Vec<(u64, Rule)> {
    if function.is_outermost || function.changes_stacks && GO_FOR_GOOD.contains(&table.name(function)) {
        return vec![(function.begin, Rule::END)];
    }
    if function.changes_stacks {
        return vec![(function.begin, lowered(cfa::OTHER_STACK, 16))];
    }
    let depths = table.depths(function).take(most);
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
