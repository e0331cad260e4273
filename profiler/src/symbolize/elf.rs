//! What symbolisation needs of an ELF file: its sections, its build id, where its debug information is.

use object::{
    Endianness,
    elf::{self, FileHeader32, FileHeader64},
    pod,
    read::elf::{FileHeader, ProgramHeader, SectionHeader},
};

use super::bytes::Bytes;

/// Files with more sections than this are not taken seriously. Linkers make a few dozen.
const MAX_SECTIONS: u64 = 1 << 16;
/// A build id is 20 bytes as a rule; its section never holds more than a few notes.
const MAX_NOTES: u64 = 1 << 16;

/// The tables of an ELF file, read once and checked. Offsets and sizes are still the file's own claims.
#[derive(Clone, Debug)]
pub(super) struct Elf {
    /// The bytes that the tables describe.
    pub(super) bytes: Bytes,
    /// 64-bit, or else 32-bit.
    pub(super) is_64: bool,
    /// Byte order.
    pub(super) endian: Endianness,
    /// The section table; empty if the file has none.
    pub(super) sections: Vec<Section>,
    /// What is loaded of it.
    pub(super) segments: Vec<Segment>,
    /// Where the program begins; 0: it is none.
    pub(super) entry: u64,
    /// The GNU build id; empty if there is none.
    pub(super) build_id: Vec<u8>,
}

/// A section, as its header tells.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) kind: elf::SectionType,
    pub(super) flags: elf::SectionFlags,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
}

/// A loaded segment: `size` bytes of the file from `offset` on lie at `address`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) size: u64,
}

impl Section {
    /// Whether code may lie in it.
    pub(super) fn is_code(&self) -> bool {
        self.flags.0 & elf::SHF_EXECINSTR.0 != 0
    }

    /// Where it ends in memory.
    pub(super) fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }
}

impl Elf {
    /// Reads the tables; `None` if this is no ELF file or its tables are not there.
    pub(super) fn read(bytes: Bytes) -> Option<Self> {
        let ident = bytes.read(0, 16)?;
        if !ident.starts_with(&elf::ELFMAG) {
            return None;
        }
        match elf::FileClass(ident[4]) {
            elf::ELFCLASS64 => Self::read_class::<FileHeader64<Endianness>>(bytes, true),
            elf::ELFCLASS32 => Self::read_class::<FileHeader32<Endianness>>(bytes, false),
            _ => None,
        }
    }

    fn read_class<H: FileHeader<Endian = Endianness>>(bytes: Bytes, is_64: bool) -> Option<Self> {
        let head = bytes.read(0, size_of::<H>() as u64)?;
        let header = H::parse(&*head).ok()?;
        let endian = header.endian().ok()?;
        let segments = read_segments(&bytes, header, endian);
        let mut elf = Self {
            is_64,
            endian,
            sections: read_sections(&bytes, header, endian).unwrap_or_default(),
            segments: segments
                .iter()
                .filter(|(kind, _)| *kind == elf::PT_LOAD)
                .map(|(_, it)| *it)
                .collect(),
            entry: header.e_entry(endian).into(),
            build_id: Vec::new(),
            bytes,
        };
        let notes = segments
            .iter()
            .filter(|(kind, _)| *kind == elf::PT_NOTE)
            .map(|(_, it)| (it.offset, it.size));
        // In a separate debug file the segments point to where the bytes would be, so sections come first.
        let sections = elf
            .sections
            .iter()
            .filter(|it| it.kind == elf::SHT_NOTE)
            .map(|it| (it.offset, it.size));
        elf.build_id = sections
            .chain(notes)
            .find_map(|(offset, size)| build_id_in(&elf.bytes.read(offset, size.min(MAX_NOTES))?, endian))
            .unwrap_or_default();
        Some(elf)
    }

    /// The first section of that name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The bytes of a section as they are in the file, if they are there and not more than `max`.
    pub(super) fn section_bytes(&self, section: &Section, max: u64) -> Option<Vec<u8>> {
        let there = section.kind != elf::SHT_NOBITS && section.size <= max;
        there
            .then(|| self.bytes.read(section.offset, section.size))
            .flatten()
    }

    /// Whether it has DWARF of its own.
    pub(super) fn has_dwarf(&self) -> bool {
        self.section(".debug_info")
            .is_some_and(|section| section.kind != elf::SHT_NOBITS && section.size > 0)
    }

    /// Whether it has a full symbol table, so that what is not in it has no name.
    pub(super) fn has_symtab(&self) -> bool {
        self.sections
            .iter()
            .any(|section| section.kind == elf::SHT_SYMTAB && section.size > 0)
    }

    /// The virtual address at which the byte at file offset `offset` is loaded.
    pub(super) fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = offset
                .checked_sub(segment.offset)
                .filter(|&inside| inside < segment.size)?;
            segment.address.checked_add(inside)
        })
    }

    /// The debug file that `.gnu_debuglink` names (a plain file name) and the CRC-32 of its content.
    pub(super) fn debug_link(&self) -> Option<(String, u32)> {
        let content = self.section_bytes(self.section(".gnu_debuglink")?, 4096)?;
        let end = content.iter().position(|&byte| byte == 0)?;
        let name = std::str::from_utf8(&content[..end]).ok()?;
        let crc = content.get((end + 4) & !3..)?.first_chunk::<4>()?;
        let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
        let crc = if self.endian == Endianness::Big {
            u32::from_be_bytes(*crc)
        } else {
            u32::from_le_bytes(*crc)
        };
        plain.then(|| (name.to_owned(), crc))
    }
}

fn read_segments<H: FileHeader<Endian = Endianness>>(
    bytes: &Bytes,
    header: &H,
    endian: Endianness,
) -> Vec<(elf::ProgramType, Segment)> {
    let count = u64::from(header.e_phnum(endian));
    let Some(table) = bytes.read(
        header.e_phoff(endian).into(),
        count * size_of::<H::ProgramHeader>() as u64,
    ) else {
        return Vec::new();
    };
    let Ok((rows, _)) =
        pod::slice_from_bytes::<H::ProgramHeader>(&table, usize::from(header.e_phnum(endian)))
    else {
        return Vec::new();
    };
    let segment = |row: &H::ProgramHeader| Segment {
        offset: row.p_offset(endian).into(),
        address: row.p_vaddr(endian).into(),
        size: row.p_filesz(endian).into(),
    };
    rows.iter()
        .map(|row| (row.p_type(endian), segment(row)))
        .collect()
}

fn read_sections<H: FileHeader<Endian = Endianness>>(
    bytes: &Bytes,
    header: &H,
    endian: Endianness,
) -> Option<Vec<Section>> {
    let offset: u64 = header.e_shoff(endian).into();
    let size = size_of::<H::SectionHeader>() as u64;
    if offset == 0 {
        return None;
    }
    let first = bytes.read(offset, size)?;
    let (first, _) = pod::from_bytes::<H::SectionHeader>(&first).ok()?;
    // Counts that do not fit the header are in the first section.
    let count = match u64::from(header.e_shnum(endian)) {
        0 => first.sh_size(endian).into(),
        count => count,
    };
    let names = match header.e_shstrndx(endian) {
        elf::SHN_XINDEX => first.sh_link(endian),
        index => u32::from(index.0),
    };
    if count > MAX_SECTIONS {
        return None;
    }
    let table = bytes.read(offset, count * size)?;
    let (rows, _) = pod::slice_from_bytes::<H::SectionHeader>(&table, usize::try_from(count).ok()?).ok()?;
    let names = rows.get(names as usize).map_or(0, |row| {
        if row.sh_type(endian) == elf::SHT_STRTAB {
            row.sh_offset(endian).into()
        } else {
            0
        }
    });
    let section = |row: &H::SectionHeader| {
        let name = bytes.read_c_string(names.saturating_add(row.sh_name(endian).into()), 64);
        Section {
            name: name.map_or_else(String::new, |(name, _)| {
                String::from_utf8_lossy(&name).into_owned()
            }),
            kind: row.sh_type(endian),
            flags: row.sh_flags(endian),
            address: row.sh_addr(endian).into(),
            offset: row.sh_offset(endian).into(),
            size: row.sh_size(endian).into(),
            link: row.sh_link(endian),
        }
    };
    Some(rows.iter().map(section).collect())
}

pub(super) fn build_id_in(mut notes: &[u8], endian: Endianness) -> Option<Vec<u8>> {
    let word = |bytes: [u8; 4]| match endian {
        Endianness::Little => u32::from_le_bytes(bytes),
        Endianness::Big => u32::from_be_bytes(bytes),
    };
    loop {
        let (name_size, rest) = notes.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let [name_size, size] = [word(*name_size) as usize, word(*size) as usize];
        let name = rest.get(..name_size)?;
        let content = rest.get(name_size.checked_next_multiple_of(4)?..)?;
        if name == b"GNU\0" && word(*kind) == elf::NT_GNU_BUILD_ID.0 {
            return content
                .get(..size)
                .filter(|id| !id.is_empty() && id.len() <= 64)
                .map(<[u8]>::to_vec);
        }
        notes = content.get(size.checked_next_multiple_of(4)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_is_found_behind_other_notes() {
        let mut notes = Vec::new();
        for (name, kind, content) in [
            (&b"GNU\0"[..], 5, &b"abcdef\0\0"[..]),
            (b"GNU\0", 3, b"\x01\x02\x03\x04"),
        ] {
            let size = if kind == 5 { 6 } else { 4 };
            notes.extend([4u32, size, kind].iter().flat_map(|word| word.to_le_bytes()));
            notes.extend_from_slice(name);
            notes.extend_from_slice(content);
        }
        assert_eq!(build_id_in(&notes, Endianness::Little), Some(vec![1, 2, 3, 4]));
        for cut in 0..notes.len() {
            assert_eq!(build_id_in(&notes[..cut], Endianness::Little), None);
        }
        assert_eq!(build_id_in(&[0xff; 64], Endianness::Little), None);
    }
}
