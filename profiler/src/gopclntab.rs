//! Go's table of its own functions, `.gopclntab`: their names and extents, and how far each has lowered the stack pointer.
//! The runtime needs it for its own traces, so it is there in stripped programs, too, and there is no `.eh_frame` beside it.
//!
//! Sources: Go `src/cmd/link/internal/ld/pcln.go`, `src/internal/abi/symtab.go`, `src/runtime/symtab.go` (1.16 to 1.26).
//! Nothing in the table is trusted: what cannot be read is not there.

/// The sections that may hold the table: in programs that may be loaded anywhere, data that hold addresses have another name.
pub const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];
/// Larger tables are not read, in bytes. esbuild has one of 3.7 MB.
pub const MAX_BYTES: u64 = 128 << 20;

/// What the table begins with since Go 1.20, 1.18 and 1.16.
const MAGIC: [(u32, Layout); 3] = [
    (
        0xffff_fff1,
        Layout {
            wide: false,
            flags_at: 41,
        },
    ),
    (
        0xffff_fff0,
        Layout {
            wide: false,
            flags_at: 37,
        },
    ),
    (
        0xffff_fffa,
        Layout {
            wide: true,
            flags_at: 41,
        },
    ),
];

/// More functions are not read. esbuild has 9,000.
const MAX_FUNCTIONS: usize = 4 << 20;

/// The function is the outermost of its stack (`abi.FuncFlagTopFrame`).
const TOP_FRAME: u8 = 1;
/// It sets the stack pointer to what it likes (`abi.FuncFlagSPWrite`).
const SP_WRITE: u8 = 2;

/// How tables of different ages differ.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Whether functions are told by 64-bit addresses instead of 32-bit distances from the first one.
    wide: bool,
    /// Where in a function's entry its flags are, in bytes.
    flags_at: usize,
}

/// The table.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
    layout: Layout,
    /// Where the code begins that distances are counted from.
    text: u64,
    count: usize,
    /// Where in the table the parts begin: names, changes with the program counter, functions.
    names: usize,
    changes: usize,
    functions: usize,
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its first virtual address in the file.
    pub begin: u64,
    /// One past its last.
    pub end: u64,
    /// Where in the table its name is, in bytes; a zero byte ends it.
    pub name: usize,
    /// Nobody called it: stacks begin with it.
    pub is_outermost: bool,
    /// It goes on on another stack: how far the stack pointer was lowered does not lead to its caller.
    pub changes_stacks: bool,
    /// Where in the table it is told how far the stack pointer is lowered.
    depths: usize,
}

/// How far the stack pointer is lowered in a part of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// From this virtual address on, up to the next part.
    pub begin: u64,
    /// Bytes since the function was entered.
    pub bytes: i32,
}

impl<'a> Table<'a> {
    /// Reads the header. Tables of programs that may be loaded anywhere do not say where their code begins: then it is at
    /// `text` if the program begins, at `entry`, with one of its functions.
    ///
    /// `None` if it is no such table, of a version of Go before 1.16, or its code cannot be found.
    pub fn parse(bytes: &'a [u8], text: u64, entry: u64) -> Option<Self> {
        let word = |at: usize| usize::try_from(number::<8>(bytes, at)?).ok();
        let magic = number::<4>(bytes, 0)? as u32;
        let (_, layout) = MAGIC.into_iter().find(|(known, _)| *known == magic)?;
        // Two zero bytes, the length of the shortest instruction, the size of a pointer: of x86-64.
        if bytes.get(4..8)? != [0, 0, 1, 8] {
            return None;
        }
        let count = word(8).filter(|count| *count <= MAX_FUNCTIONS)?;
        // Then come the number of files and, except in the oldest tables, where the code begins.
        let parts = if layout.wide { 24 } else { 32 };
        let told = if layout.wide { 0 } else { number::<8>(bytes, 24)? };
        let mut table = Self {
            bytes,
            layout,
            text: told,
            count,
            names: word(parts)?,
            changes: word(parts + 24)?,
            functions: word(parts + 32)?,
        };
        if !layout.wide && told == 0 {
            table.text = text;
            table.functions().find(|function| function.begin == entry)?;
        }
        Some(table)
    }

    /// The functions by rising address; those that cannot be read are left out.
    pub fn functions(self) -> impl Iterator<Item = Function> + use<'a> {
        (0..self.count).filter_map(move |index| self.function(index))
    }

    fn function(&self, index: usize) -> Option<Function> {
        let size = if self.layout.wide { 8 } else { 4 };
        let at = |place: usize| self.functions.checked_add(place.checked_mul(size)?);
        let address = |index: usize| self.address(at(2 * index)?);
        let (begin, end) = (address(index)?, address(index + 1)?);
        let entry = match self.layout.wide {
            true => number::<8>(self.bytes, at(2 * index + 1)?)?,
            false => number::<4>(self.bytes, at(2 * index + 1)?)?,
        };
        let entry = self.functions.checked_add(usize::try_from(entry).ok()?)?;
        // What follows the address: name, size of arguments, return of deferred calls, depths.
        let field = |n: usize| number::<4>(self.bytes, entry.checked_add(size + 4 * n)?);
        let flags = *self.bytes.get(entry.checked_add(self.layout.flags_at)?)?;
        Some(Function {
            begin,
            end,
            name: self.names.checked_add(field(0)? as usize)?,
            is_outermost: flags & TOP_FRAME != 0,
            changes_stacks: flags & SP_WRITE != 0,
            depths: self.changes.checked_add(field(3)? as usize)?,
        })
        .filter(|function| function.begin < function.end)
    }

    fn address(&self, at: usize) -> Option<u64> {
        match self.layout.wide {
            true => number::<8>(self.bytes, at),
            false => self.text.checked_add(number::<4>(self.bytes, at)?),
        }
    }

    /// A function's name.
    pub fn name(self, function: Function) -> &'a [u8] {
        let rest = self.bytes.get(function.name..).unwrap_or_default();
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// How far the stack pointer is lowered, part by part, as far as it can be read.
    pub fn depths(self, function: Function) -> impl Iterator<Item = Depth> + use<'a> {
        let mut at = function.depths;
        let (mut begin, mut bytes) = (function.begin, -1i32);
        std::iter::from_fn(move || {
            let change = varint(self.bytes, &mut at)?;
            // A zero ends it, except that the first part may begin with one.
            if change == 0 && begin != function.begin || begin >= function.end {
                return None;
            }
            let distance = varint(self.bytes, &mut at).filter(|distance| *distance > 0)?;
            bytes = bytes.wrapping_add(zigzag(change));
            let depth = Depth { begin, bytes };
            begin = begin.checked_add(distance.into())?;
            Some(depth)
        })
    }
}

/// `N` bytes at `at`, of which the first counts least.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: &[u8; N] = bytes.get(at..)?.first_chunk()?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

/// Seven bits a byte, of which the first count least; the eighth says that there are more.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0;
    for shift in (0..32).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The lowest bit is the sign.
fn zigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u64 = 0x40_1000;

    fn words<const N: usize>(words: [u64; N]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn halves<const N: usize>(words: [u32; N]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Two functions, as Go 1.20 tells them: `main.main` from 0 on, which lowers the stack pointer by 24 bytes between its
    /// 4th and 20th byte, and `runtime.goexit` from 32 to 40.
    fn table(text: u64) -> Vec<u8> {
        let (names, changes, functions) = (72, 72 + 32, 72 + 32 + 16);
        let mut bytes = halves([0xffff_fff1]);
        bytes.extend([0, 0, 1, 8]);
        bytes.extend(words([2, 0, text, names, 0, 0, changes, functions]));
        bytes.extend(b"\0main.main\0runtime.goexit\0");
        bytes.resize(changes as usize, 0);
        bytes.extend([0, 2, 4, 48, 16, 47, 12, 0]);
        bytes.resize(functions as usize, 0);
        // Address and entry of each, and the end.
        bytes.extend(halves([0, 20, 32, 64, 40]));
        let entry = |address, name, depths, flags| {
            let mut entry = halves([address, name, 0, 0, depths, 0, 0, 0, 0, 0]);
            entry.extend([0, flags, 0, 0]);
            entry
        };
        bytes.extend(entry(0, 1, 1, 0));
        bytes.extend(entry(32, 11, 7, TOP_FRAME));
        bytes
    }

    #[test]
    fn functions_have_names_extents_and_depths() {
        let bytes = table(TEXT);
        let table = Table::parse(&bytes, 0, 0).unwrap();
        let functions: Vec<_> = table.functions().collect();
        let told: Vec<_> = functions
            .iter()
            .map(|it| (it.begin - TEXT, it.end - TEXT, it.is_outermost, it.changes_stacks))
            .collect();
        assert_eq!(told, [(0, 32, false, false), (32, 40, true, false)]);
        assert_eq!(table.name(functions[1]), b"runtime.goexit");
        let depths: Vec<_> = table.depths(functions[0]).collect();
        let depth = |begin, bytes| Depth {
            begin: TEXT + begin,
            bytes,
        };
        assert_eq!(depths, [depth(0, 0), depth(4, 24), depth(20, 0)]);
    }

    #[test]
    fn code_that_may_be_anywhere_begins_where_the_program_does() {
        let bytes = table(0);
        let begin = |entry| Some(Table::parse(&bytes, TEXT, entry)?.functions().next()?.begin);
        assert_eq!(begin(TEXT + 32), Some(TEXT));
        // Linked by another linker, with code of C in front.
        assert_eq!(begin(TEXT - 64), None);
    }

    #[test]
    fn a_table_that_is_cut_or_garbage_tells_less_and_breaks_nothing() {
        let whole = table(TEXT);
        let read = |bytes: &[u8]| {
            let table = Table::parse(bytes, TEXT, TEXT)?;
            Some(
                table
                    .functions()
                    .map(|it| table.depths(it).count())
                    .sum::<usize>(),
            )
        };
        for length in 0..whole.len() {
            read(&whole[..length]);
        }
        assert_eq!(read(&whole[..72]), Some(0));
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                read(&bytes);
            }
        }
    }
}
