//! Where the symbols of a file say that functions begin, and how long they are.

use object::{
    LittleEndian, ReadRef,
    elf::{self, Sym64},
    pod,
    read::elf::Sym as _,
};

use super::elf::Part;

/// Larger symbol tables are not read, in bytes. node has one of 2.6 MB.
const MAX_SYMBOLS: u64 = 16 << 20;

/// Address and size of each function in a table of symbols; a size of 0: it is not told.
pub(super) fn functions<'data, R: ReadRef<'data>>(table: Part, data: R) -> impl Iterator<Item = (u64, u64)> {
    let row = size_of::<Sym64<LittleEndian>>() as u64;
    let count = if table.size <= MAX_SYMBOLS {
        table.size / row
    } else {
        0
    };
    let bytes = data.read_bytes_at(table.offset, count * row).unwrap_or_default();
    let rows: &[Sym64<LittleEndian>] =
        pod::slice_from_bytes(bytes, bytes.len() / row as usize).map_or(&[], |(rows, _)| rows);
    let is_function = |symbol: &&Sym64<LittleEndian>| {
        let is_here = symbol.st_shndx(LittleEndian) != elf::SHN_UNDEF;
        is_here && matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC)
    };
    rows.iter()
        .filter(is_function)
        .map(|symbol| (symbol.st_value(LittleEndian), symbol.st_size(LittleEndian)))
}
