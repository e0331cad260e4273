//! The functions of an ELF file by address, with the extent of each: an address outside every extent has no name.

use std::sync::Arc;

use object::{
    Endianness,
    elf::{self, Sym32, Sym64},
    pod,
    read::elf::Sym,
};

use super::{
    bytes::Bytes,
    demangle::{MAX_MANGLED, demangle},
    elf::{Elf, Section},
};
use crate::gopclntab;

/// The most symbols that are read of one table. The largest browsers have some two million.
const MAX_SYMBOLS: usize = 8 << 20;
/// How much of `.gnu_debugdata` is believed: 16 MiB of it, and 128 MiB decompressed.
const MAX_DEBUGDATA: u64 = 16 << 20;
const MAX_DECOMPRESSED: u64 = 128 << 20;
/// How many nested or aliased symbols are looked through for the best one.
const MAX_OVERLAP: usize = 64;

/// A function: its name is read from the string table when it is wanted.
#[derive(Clone, Copy, Debug)]
struct Symbol {
    start: u64,
    end: u64,
    /// The largest `end` of this symbol and all before it.
    max_end: u64,
    name: u32,
    strings: u16,
    /// The smaller, the better the name among several at one address.
    rank: u16,
}

/// The functions of a file, sorted by address.
#[derive(Debug, Default)]
pub(super) struct SymbolTable {
    symbols: Vec<Symbol>,
    strings: Vec<Strings>,
}

/// A string table.
#[derive(Debug)]
struct Strings {
    bytes: Bytes,
    offset: u64,
    size: u64,
}

impl SymbolTable {
    /// The functions of `elf`, and of the separate debug file that belongs to it.
    pub(super) fn read(elf: &Elf, debug: Option<&Elf>) -> Self {
        let mut table = Self::default();
        let full = [Some(elf), debug]
            .into_iter()
            .flatten()
            .find(|elf| elf.has_symtab());
        match full {
            Some(full) => table.add_tables(full, elf::SHT_SYMTAB),
            None => {
                // Fedora's mini debug information holds what `.dynsym` does not.
                table.add_tables(elf, elf::SHT_DYNSYM);
                if let Some(mini) = mini_debug_info(elf) {
                    table.add_tables(&mini, elf::SHT_SYMTAB);
                }
                table.add_go(elf);
            }
        }
        table.settle();
        table
    }

    /// How much memory it holds, in bytes.
    pub(super) fn memory(&self) -> u64 {
        let decompressed = self
            .strings
            .iter()
            .filter(|it| matches!(it.bytes, Bytes::Memory(_)));
        (self.symbols.capacity() * size_of::<Symbol>()) as u64
            + decompressed.map(|it| it.bytes.len()).sum::<u64>()
    }

    /// Whether there is not one function in it.
    pub(super) fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// The demangled name of the function that `address` lies in.
    pub(super) fn name(&self, address: u64) -> Option<String> {
        let before = self.symbols.partition_point(|symbol| symbol.start <= address);
        let mut best: Option<(&Symbol, Vec<u8>)> = None;
        for symbol in self.symbols[..before].iter().rev().take(MAX_OVERLAP) {
            if symbol.max_end <= address || best.as_ref().is_some_and(|(best, _)| best.start != symbol.start)
            {
                break;
            }
            if address >= symbol.end {
                continue;
            }
            let Some(name) = self.raw_name(symbol) else {
                continue;
            };
            let key = |symbol: &Symbol, name: &[u8]| {
                (symbol.rank, name.iter().take_while(|&&byte| byte == b'_').count())
            };
            if best
                .as_ref()
                .is_none_or(|(other, than)| key(symbol, &name) < key(other, than))
            {
                best = Some((symbol, name));
            }
        }
        best.map(|(_, name)| demangle(&name))
    }

    fn raw_name(&self, symbol: &Symbol) -> Option<Vec<u8>> {
        let strings = self.strings.get(usize::from(symbol.strings))?;
        let room = strings.size.checked_sub(symbol.name.into())?;
        let offset = strings.offset.checked_add(symbol.name.into())?;
        let (name, _) = strings
            .bytes
            .read_c_string(offset, (MAX_MANGLED as u64 + 1).min(room) as usize)?;
        (!name.is_empty()).then_some(name)
    }

    fn add_tables(&mut self, elf: &Elf, kind: elf::SectionType) {
        for section in elf.sections.iter().filter(|section| section.kind == kind) {
            let Some(strings) = elf.sections.get(section.link as usize) else {
                continue;
            };
            let Ok(index) = u16::try_from(self.strings.len()) else {
                return;
            };
            self.strings.push(Strings {
                bytes: elf.bytes.clone(),
                offset: strings.offset,
                size: strings.size,
            });
            if elf.is_64 {
                self.add_table::<Sym64<Endianness>>(elf, section, index);
            } else {
                self.add_table::<Sym32<Endianness>>(elf, section, index);
            }
        }
    }

    fn add_table<S: Sym<Endian = Endianness>>(&mut self, elf: &Elf, table: &Section, strings: u16) {
        let row = size_of::<S>() as u64;
        let mut offset = table.offset;
        // The section's size is a claim: what is not there ends it.
        let mut rest = table.size.min(elf.bytes.len()) / row;
        while rest > 0 && self.symbols.len() < MAX_SYMBOLS {
            let count = rest.min(4096);
            let Some(piece) = elf.bytes.read(offset, count * row) else {
                return;
            };
            let Ok((rows, _)) = pod::slice_from_bytes::<S>(&piece, count as usize) else {
                return;
            };
            let sparse = table.kind == elf::SHT_DYNSYM;
            self.symbols
                .extend(rows.iter().filter_map(|row| function(row, elf, strings, sparse)));
            offset += count * row;
            rest -= count;
        }
    }

    /// Adds what Go says of its functions, which is there in stripped programs, too.
    fn add_go(&mut self, elf: &Elf) -> Option<()> {
        let mut names = gopclntab::SECTIONS.iter();
        let section = names.find_map(|name| elf.section(name))?;
        let bytes = elf.section_bytes(section, gopclntab::MAX_BYTES)?;
        let text = elf.section(".text").map_or(0, |text| text.address);
        let table = gopclntab::Table::parse(&bytes, text, elf.entry)?;
        let strings = u16::try_from(self.strings.len()).ok()?;
        self.strings.push(Strings {
            bytes: elf.bytes.clone(),
            offset: section.offset,
            size: section.size,
        });
        let room = MAX_SYMBOLS.saturating_sub(self.symbols.len());
        let functions = table.functions().take(room);
        self.symbols.extend(functions.filter_map(|function| {
            Some(Symbol {
                start: function.begin,
                end: function.end,
                max_end: 0,
                name: u32::try_from(function.name).ok()?,
                strings,
                rank: 0,
            })
        }));
        Some(())
    }

    /// Sorts, and gives symbols without a size their extent: up to the next symbol or the section's end, which is how
    /// far hand-written assembly reaches. Those inside a function that has a size are its labels and go.
    fn settle(&mut self) {
        self.symbols
            .sort_unstable_by_key(|symbol| (symbol.start, std::cmp::Reverse(symbol.end), symbol.rank));
        let mut reach = 0;
        self.symbols.retain(|symbol| {
            let sized = symbol.rank & UNSIZED == 0;
            if sized {
                reach = reach.max(symbol.end);
            }
            sized || symbol.start >= reach
        });
        let mut next = u64::MAX;
        let mut start = u64::MAX;
        for symbol in self.symbols.iter_mut().rev() {
            if symbol.start != start {
                (next, start) = (start, symbol.start);
            }
            if symbol.rank & UNSIZED != 0 {
                symbol.end = symbol.end.min(next);
            }
        }
        let mut max_end = 0;
        for symbol in &mut self.symbols {
            max_end = max_end.max(symbol.end);
            symbol.max_end = max_end;
        }
        self.symbols.shrink_to_fit();
    }
}

/// The bit of a rank that says that the table gave no size.
const UNSIZED: u16 = 1 << 8;

fn function<S: Sym<Endian = Endianness>>(row: &S, elf: &Elf, strings: u16, sparse: bool) -> Option<Symbol> {
    let endian = elf.endian;
    let kind = match row.st_type() {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => 0,
        // Labels of hand-written assembly.
        elf::STT_NOTYPE => 1,
        _ => return None,
    };
    let index = row.st_shndx(endian);
    if index == elf::SHN_UNDEF || row.st_name(endian) == 0 {
        return None;
    }
    let [start, size]: [u64; 2] = [row.st_value(endian).into(), row.st_size(endian).into()];
    let section = match elf.sections.get(usize::from(index.0)) {
        Some(section) if !index.is_reserved() => section,
        // More than 65,280 sections: the real index is elsewhere, and code is where the address says.
        _ if index == elf::SHN_XINDEX => elf
            .sections
            .iter()
            .find(|it| it.is_code() && (it.address..it.end()).contains(&start))?,
        _ => return None,
    };
    if !section.is_code() || !(section.address..section.end()).contains(&start) {
        return None;
    }
    let end = match size {
        // `.dynsym` has gaps where private functions lie: nothing may be concluded up to its next entry.
        0 if sparse => start.saturating_add(1),
        0 => section.end(),
        _ => start.saturating_add(size).min(section.end()),
    };
    let binding = match row.st_bind() {
        elf::STB_GLOBAL => 0,
        elf::STB_WEAK => 1,
        _ => 2,
    };
    Some(Symbol {
        start,
        end,
        max_end: 0,
        name: row.st_name(endian),
        strings,
        rank: (if size == 0 { UNSIZED } else { 0 }) | kind << 4 | binding,
    })
}

fn mini_debug_info(elf: &Elf) -> Option<Elf> {
    let packed = elf.section_bytes(elf.section(".gnu_debugdata")?, MAX_DEBUGDATA)?;
    let content = unpack_xz(&packed)?;
    Elf::read(Bytes::Memory(Arc::from(content)))
}

fn unpack_xz(packed: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read;
    // The dictionary's size is the file's choice, up to 4 GiB.
    let stream = xz2::stream::Stream::new_stream_decoder(MAX_DECOMPRESSED, 0).ok()?;
    let mut content = Vec::new();
    let reader = xz2::bufread::XzDecoder::new_stream(packed, stream);
    reader.take(MAX_DECOMPRESSED).read_to_end(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(symbols: &[(u64, u64, u16, &str)]) -> SymbolTable {
        let mut strings = vec![0];
        let mut table = SymbolTable::default();
        for &(start, end, rank, name) in symbols {
            let at = strings.len() as u32;
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
            table.symbols.push(Symbol {
                start,
                end,
                max_end: 0,
                name: at,
                strings: 0,
                rank,
            });
        }
        let size = strings.len() as u64;
        table.strings.push(Strings {
            bytes: Bytes::Memory(strings.into()),
            offset: 0,
            size,
        });
        table.settle();
        table
    }

    #[test]
    fn a_name_ends_where_its_function_ends() {
        let table = table(&[(100, 120, 0, "f"), (140, 150, 0, "g")]);
        let names = [99, 100, 119, 120, 139, 140, 150].map(|address| table.name(address));
        let names = names.each_ref().map(Option::as_deref);
        assert_eq!(names, [None, Some("f"), Some("f"), None, None, Some("g"), None]);
    }

    #[test]
    fn a_symbol_without_size_reaches_to_the_next_symbol_or_the_end_of_its_section() {
        let table = table(&[
            (100, 200, UNSIZED, "a"),
            (120, 130, 0, "b"),
            (150, 200, UNSIZED, "c"),
        ]);
        let names = [110, 119, 125, 135, 150, 199, 200].map(|address| table.name(address));
        let names = names.each_ref().map(Option::as_deref);
        assert_eq!(
            names,
            [Some("a"), Some("a"), Some("b"), None, Some("c"), Some("c"), None]
        );
    }

    #[test]
    fn labels_inside_a_function_do_not_hide_it() {
        let table = table(&[
            (100, 200, 0, "f"),
            (150, 300, UNSIZED, ".Lloop"),
            (200, 300, UNSIZED, "after"),
        ]);
        assert_eq!(table.name(160).as_deref(), Some("f"));
        assert_eq!(table.name(210).as_deref(), Some("after"));
    }

    #[test]
    fn of_several_names_the_public_one_is_shown() {
        let table = table(&[
            (100, 200, 2, "local"),
            (100, 200, 0, "__malloc"),
            (100, 200, 0, "malloc"),
            (100, 200, 1, "weak"),
        ]);
        assert_eq!(table.name(100).as_deref(), Some("malloc"));
    }

    #[test]
    fn an_enclosing_function_is_found_behind_a_nested_one() {
        let table = table(&[(100, 200, 0, "outer"), (120, 130, 0, "nested")]);
        assert_eq!(table.name(125).as_deref(), Some("nested"));
        assert_eq!(table.name(140).as_deref(), Some("outer"));
    }

    #[test]
    fn names_outside_the_string_table_are_no_names() {
        let mut table = table(&[(100, 200, 0, "f")]);
        table.symbols[0].name = u32::MAX;
        assert_eq!(table.name(100), None);
        table.symbols[0].strings = 7;
        assert_eq!(table.name(100), None);
    }
}
