//! Rows of functions that nothing describes, from what their instructions do: musl, which is built without unwind
//! information, assembly without any, and programs that were compiled so.
//!
//! Compilers move the stack pointer by constants, save the frame pointer before they use it, and come to each instruction
//! with the stack pointer at one place. Where code does otherwise nothing is known, and frame pointers are left to go by.

mod effect;
mod function;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use object::ReadRef;

use self::function::{Text, read};
use super::{
    elf::Elf,
    rest::{Code, Described},
    symbols,
};

/// How much code of a file is read at most, in bytes.
const MAX_CODE: usize = 16 << 20;
/// Larger segments of code are not read.
const MAX_SEGMENT: u64 = 256 << 20;
/// Rows at most.
const MAX_ROWS: usize = 1 << 20;
/// One byte in so many is padding, in code that is described.
const PADDING: u64 = 16;
/// The longest function without a symbol, in bytes.
const LONGEST: u64 = 64 << 10;

/// Where functions begin, and where they end if a symbol says so.
type Functions = BTreeMap<u64, Option<u64>>;

/// The rows of functions that are not `described`: of those with symbols, and of those that they call or know the address of.
pub(super) fn code<'data, R: ReadRef<'data>>(
    elf: &Elf<'data>,
    data: R,
    described: Described<'_>,
) -> Vec<Code> {
    let all = elf.segments().iter().map(|segment| segment.size).sum::<u64>();
    let Some(table) = elf.symbols() else {
        return Vec::new();
    };
    let stubs = elf.plts().iter().map(|plt| plt.size).sum::<u64>();
    if all.saturating_sub(described.bytes).saturating_sub(stubs) < all / PADDING {
        return Vec::new();
    }
    let mut functions = Functions::new();
    for (begin, size) in symbols::functions(table, data) {
        if !(described.holds)(begin) {
            let end = (size > 0).then(|| begin.saturating_add(size));
            functions.entry(begin).or_insert(end);
        }
    }
    let mut code = Vec::new();
    let (mut left, mut rows) = (MAX_CODE, 0);
    for segment in elf
        .segments()
        .iter()
        .filter(|segment| segment.size <= MAX_SEGMENT)
    {
        let wanted = functions.range(segment.address..segment.end());
        let mut waiting: Vec<u64> = wanted.map(|(begin, _)| *begin).collect();
        if waiting.is_empty() {
            continue;
        }
        let Ok(bytes) = data.read_bytes_at(segment.offset, segment.size) else {
            continue;
        };
        let text = Text {
            address: segment.address,
            bytes,
        };
        while let Some(begin) = waiting.pop() {
            let (end, is_whole) = extent(&functions, begin, segment.end());
            let read = read(text, begin, end, is_whole);
            left = left.saturating_sub(read.bytes.max(1));
            rows += read.code.rows.len();
            if left == 0 || rows > MAX_ROWS {
                return code;
            }
            for address in read.goes_to {
                let is_here = (segment.address..segment.end()).contains(&address);
                if is_here && !(described.holds)(address) && !is_inside(&functions, address) {
                    functions.insert(address, None);
                    waiting.push(address);
                }
            }
            code.push(read.code);
        }
    }
    code
}

/// Where the function at `begin` ends, and whether that is known for sure.
fn extent(functions: &Functions, begin: u64, last: u64) -> (u64, bool) {
    let mut from_here = functions.range(begin..);
    let told = from_here.next().and_then(|(_, end)| *end);
    let next = from_here.next().map_or(last, |(next, _)| *next);
    match told {
        Some(end) => (end.min(last), true),
        None => (next.min(last).min(begin.saturating_add(LONGEST)), false),
    }
}

/// Whether a function begins at `address`, or one that is known to its end is there.
fn is_inside(functions: &Functions, address: u64) -> bool {
    let before = functions.range(..=address).next_back();
    before.is_some_and(|(begin, end)| *begin == address || end.is_some_and(|end| address < end))
}
