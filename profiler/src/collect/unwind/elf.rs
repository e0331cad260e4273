//! What unwinding needs of an ELF file: executable segments, build id, `.eh_frame`. Nothing in the file is trusted.

use std::fmt;

use gimli::{BaseAddresses, EhFrameHdr, LittleEndian as Little, Pointer};
use object::{
    LittleEndian, ReadRef, elf,
    read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _},
};
use profiler_common::unwind::{Rule, cfa};

use crate::gopclntab;

type Header = elf::FileHeader64<LittleEndian>;
type ProgramHeader = elf::ProgramHeader64<LittleEndian>;
type SectionHeader = elf::SectionHeader64<LittleEndian>;

/// Larger `.eh_frame` sections are refused. The largest programs known have some 30 MiB.
const MAX_EH_FRAME: u64 = 128 << 20;
/// Larger string tables of section names are not read.
const MAX_SECTION_NAMES: u64 = 1 << 20;
/// Larger notes are not read.
const MAX_NOTES: u64 = 64 << 10;
/// Build ids are 20 bytes, or 8, or 16; longer than this is nonsense.
const MAX_BUILD_ID: usize = 64;
const PAGE: u64 = 4096;

/// Why a file has no usable unwind information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not begin with an ELF header.
    NotElf,
    /// It is 32-bit or big-endian.
    Class,
    /// It is for another machine: `e_machine`.
    Machine(u16),
    /// It is neither a program nor a shared object: `e_type`.
    Type(u16),
    /// The program headers cannot be read, or none of them is executable.
    NoCode,
    /// There is no `.eh_frame`.
    NoEhFrame,
    /// `.eh_frame` is larger than this reads, in bytes.
    EhFrameTooLarge(u64),
    /// The executable segments are further apart than a table reaches, in bytes.
    CodeTooFarApart(u64),
    /// There are more rows than a table may have.
    TooManyRows,
    /// Interpreting `.eh_frame` takes far more work than its size justifies.
    TooMuchWork,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => write!(f, "not an ELF file"),
            Self::Class => write!(f, "not a 64-bit little-endian ELF file"),
            Self::Machine(machine) => write!(f, "for another machine (e_machine {machine})"),
            Self::Type(kind) => write!(f, "neither program nor shared object (e_type {kind})"),
            Self::NoCode => write!(f, "no executable segment"),
            Self::NoEhFrame => write!(f, "no .eh_frame"),
            Self::EhFrameTooLarge(bytes) => write!(f, ".eh_frame of {bytes} bytes is too large"),
            Self::CodeTooFarApart(bytes) => {
                write!(f, "executable segments {bytes} bytes apart are too far apart")
            }
            Self::TooManyRows => write!(f, ".eh_frame has too many rows"),
            Self::TooMuchWork => write!(f, ".eh_frame takes too much work to interpret"),
        }
    }
}

impl std::error::Error for Refused {}

/// A loadable segment, as the program headers describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first virtual address.
    pub address: u64,
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// How many bytes of the file it has.
    pub size: u64,
}

impl Segment {
    /// One past its last virtual address; saturates.
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }

    /// The kernel maps whole pages: does the page-aligned range of the file hold `offset`?
    fn maps(&self, offset: u64) -> bool {
        (self.offset & !(PAGE - 1)..self.offset.saturating_add(self.size)).contains(&offset)
    }
}

/// `.eh_frame` and the addresses that pointers in it are relative to.
#[derive(Clone, Debug)]
pub(super) struct EhFrame<'data> {
    pub(super) bytes: &'data [u8],
    pub(super) bases: BaseAddresses,
    /// Whether the size is known; if not, the section ends at its terminator.
    pub(super) bounded: bool,
}

/// A procedure linkage table: stubs that jump to functions of other files. GNU's linkers describe it in `.eh_frame`,
/// LLVM's do not, and neither does anyone in static programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plt {
    pub(super) address: u64,
    pub(super) size: u64,
    /// Whether it begins with the stub that all others jump to on a function's first call.
    has_head: bool,
}

impl Plt {
    const NAMES: [&[u8]; 4] = [b".plt", b".plt.got", b".plt.sec", b".iplt"];
    /// `push GOT[1](%rip)`, six bytes; then comes `jmp *GOT[2](%rip)`.
    const HEAD: [u8; 2] = [0xff, 0x35];

    /// The rules at offsets into it.
    pub(super) fn rows(&self) -> Vec<(u32, Rule)> {
        let rule = |cfa, cfa_offset| Rule {
            cfa_offset,
            ..Rule::of(cfa)
        };
        // A stub is `jmp *GOT[n](%rip); push n; jmp head`: 6, 5 and 5 bytes.
        let stubs = rule(cfa::PLT, 11);
        match self.has_head {
            true => vec![(0, rule(cfa::SP, 16)), (6, rule(cfa::SP, 24)), (16, stubs)],
            false => vec![(0, stubs)],
        }
    }
}

/// Part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where in the file it begins.
    pub(super) offset: u64,
    /// How many bytes it has.
    pub(super) size: u64,
}

impl Part {
    /// The bytes of a section; none if the file has the section without them.
    fn of(section: &SectionHeader) -> Self {
        let is_there = section.sh_type(LittleEndian) != elf::SHT_NOBITS;
        Self {
            offset: section.sh_offset(LittleEndian),
            size: if is_there {
                section.sh_size(LittleEndian)
            } else {
                0
            },
        }
    }
}

/// What unwinding needs of an ELF file.
#[derive(Clone, Debug)]
pub struct Elf<'data> {
    segments: Vec<Segment>,
    build_id: Vec<u8>,
    entry: u64,
    text: Option<u64>,
    plts: Vec<Plt>,
    go_functions: Option<Part>,
    symbols: Option<Part>,
    eh_frame: Result<EhFrame<'data>, Refused>,
}

impl<'data> Elf<'data> {
    /// Reads headers, notes and `.eh_frame` of a program, a shared object or the vDSO.
    ///
    /// # Errors
    /// [`Refused`] says why the file is of no use. A file without `.eh_frame` is no error here: it has segments and a
    /// build id.
    pub fn parse<R: ReadRef<'data>>(data: R) -> Result<Self, Refused> {
        let header = header(data)?;
        // The escape value for more headers than 16 bits count is for core files.
        let programs = match header.e_phnum(LittleEndian) {
            elf::PN_XNUM => return Err(Refused::NoCode),
            _ => header
                .program_headers(LittleEndian, data)
                .map_err(|_| Refused::NoCode)?,
        };
        let segments: Vec<_> = programs
            .iter()
            .filter(|p| {
                p.p_type(LittleEndian) == elf::PT_LOAD && p.p_flags(LittleEndian).0 & elf::PF_X.0 != 0
            })
            .map(segment)
            .filter(|segment| segment.size != 0)
            .collect();
        if segments.is_empty() {
            return Err(Refused::NoCode);
        }
        let sections = Sections::read(header, data);
        Ok(Self {
            segments,
            build_id: build_id(programs, &sections, data).unwrap_or_default(),
            entry: header.e_entry(LittleEndian),
            text: sections.address(b".text"),
            go_functions: go_functions(&sections),
            symbols: symbols(&sections),
            plts: plts(&sections, data),
            eh_frame: eh_frame(programs, &sections, data),
        })
    }

    /// The executable segments that have bytes in the file, in the order of the program headers.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The GNU build id; empty if there is none.
    pub fn build_id(&self) -> &[u8] {
        &self.build_id
    }

    /// Where the program begins; 0: it does not.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Where `.text` begins.
    pub(super) fn text(&self) -> Option<u64> {
        self.text
    }

    /// Where Go's table of its functions is.
    pub(super) fn go_functions(&self) -> Option<Part> {
        self.go_functions
    }

    /// Where its symbols are: all of them, or those that others may use.
    pub(super) fn symbols(&self) -> Option<Part> {
        self.symbols
    }

    /// The same file, of whose code `.eh_frame` is all that is known.
    #[cfg(test)]
    pub(super) fn without_symbols(self) -> Self {
        Self {
            symbols: None,
            ..self
        }
    }

    pub(super) fn plts(&self) -> &[Plt] {
        &self.plts
    }

    pub(super) fn eh_frame(&self) -> Result<&EhFrame<'data>, Refused> {
        self.eh_frame.as_ref().map_err(|refused| *refused)
    }

    /// The virtual address of a byte of the file, if an executable segment maps it.
    pub fn virtual_address(&self, file_offset: u64) -> Option<u64> {
        virtual_address(&self.segments, file_offset)
    }

    /// What to subtract from an address in the executable mapping that begins at `mapping_start` and shows the file
    /// from `file_offset` on, to get a virtual address of the file. `None` if no executable segment lies there.
    ///
    /// Addresses and file offsets of a segment differ by any multiple of the page size (lld makes use of it), so this
    /// cannot be told from the mapping alone.
    pub fn bias(&self, mapping_start: u64, file_offset: u64) -> Option<u64> {
        bias(&self.segments, mapping_start, file_offset)
    }
}

fn virtual_address(segments: &[Segment], file_offset: u64) -> Option<u64> {
    let segment = segments.iter().find(|segment| segment.maps(file_offset))?;
    // A mapping begins on a page, and so before the segment's first byte.
    Some(
        segment
            .address
            .wrapping_add(file_offset.wrapping_sub(segment.offset)),
    )
}

/// [`Elf::bias`], for who kept nothing of a file but its segments.
pub fn bias(segments: &[Segment], mapping_start: u64, file_offset: u64) -> Option<u64> {
    Some(mapping_start.wrapping_sub(virtual_address(segments, file_offset)?))
}

fn header<'data, R: ReadRef<'data>>(data: R) -> Result<&'data Header, Refused> {
    let ident = data.read_bytes_at(0, 16).map_err(|()| Refused::NotElf)?;
    if !ident.starts_with(b"\x7fELF") {
        return Err(Refused::NotElf);
    }
    if ident[4] != elf::ELFCLASS64.0 || ident[5] != elf::ELFDATA2LSB.0 {
        return Err(Refused::Class);
    }
    let header = Header::parse(data).map_err(|_| Refused::NotElf)?;
    let machine = header.e_machine(LittleEndian);
    if machine != elf::EM_X86_64 {
        return Err(Refused::Machine(machine.0));
    }
    let kind = header.e_type(LittleEndian);
    if kind != elf::ET_EXEC && kind != elf::ET_DYN {
        return Err(Refused::Type(kind.0));
    }
    Ok(header)
}

fn segment(program: &ProgramHeader) -> Segment {
    Segment {
        address: program.p_vaddr(LittleEndian),
        offset: program.p_offset(LittleEndian),
        size: program.p_filesz(LittleEndian),
    }
}

/// The section headers, where they were not stripped and can be read.
struct Sections<'data> {
    headers: &'data [SectionHeader],
    names: &'data [u8],
}

impl<'data> Sections<'data> {
    fn read<R: ReadRef<'data>>(header: &'data Header, data: R) -> Self {
        Self::try_read(header, data).unwrap_or(Self {
            headers: &[],
            names: &[],
        })
    }

    fn try_read<R: ReadRef<'data>>(header: &'data Header, data: R) -> Option<Self> {
        // 0 is the escape value for more than 65,279 sections, which only object files have.
        if header.e_shnum(LittleEndian) == 0 {
            return None;
        }
        let headers = header.section_headers(LittleEndian, data).ok()?;
        let names = headers.get(usize::from(header.e_shstrndx(LittleEndian).0))?;
        let size = names.sh_size(LittleEndian).min(MAX_SECTION_NAMES);
        let names = data.read_bytes_at(names.sh_offset(LittleEndian), size).ok()?;
        Some(Self { headers, names })
    }

    fn find(&self, name: &[u8]) -> Option<&'data SectionHeader> {
        self.headers.iter().find(|section| {
            let begin = section.sh_name(LittleEndian) as usize;
            self.names
                .get(begin..)
                .is_some_and(|rest| rest.starts_with(name) && rest.get(name.len()) == Some(&0))
        })
    }

    fn address(&self, name: &[u8]) -> Option<u64> {
        Some(self.find(name)?.sh_addr(LittleEndian))
    }
}

fn plts<'data, R: ReadRef<'data>>(sections: &Sections<'data>, data: R) -> Vec<Plt> {
    let sections = Plt::NAMES.iter().filter_map(|name| sections.find(name));
    sections
        .map(|section| Plt {
            address: section.sh_addr(LittleEndian),
            size: section.sh_size(LittleEndian),
            has_head: data
                .read_bytes_at(section.sh_offset(LittleEndian), 2)
                .is_ok_and(|bytes| bytes == Plt::HEAD),
        })
        .collect()
}

fn go_functions(sections: &Sections<'_>) -> Option<Part> {
    let mut names = gopclntab::SECTIONS.iter();
    let section = names.find_map(|name| sections.find(name.as_bytes()))?;
    Some(Part::of(section)).filter(|part| part.size <= gopclntab::MAX_BYTES)
}

fn symbols(sections: &Sections<'_>) -> Option<Part> {
    let of_kind = |kind| {
        let mut sections = sections.headers.iter();
        sections.find(|section| section.sh_type(LittleEndian) == kind)
    };
    of_kind(elf::SHT_SYMTAB)
        .or_else(|| of_kind(elf::SHT_DYNSYM))
        .map(Part::of)
}

fn build_id<'data, R: ReadRef<'data>>(
    programs: &[ProgramHeader],
    sections: &Sections<'data>,
    data: R,
) -> Option<Vec<u8>> {
    let segments = programs
        .iter()
        .filter(|program| program.p_type(LittleEndian) == elf::PT_NOTE)
        .filter(|program| program.p_filesz(LittleEndian) <= MAX_NOTES)
        .filter_map(|program| program.notes(LittleEndian, data).ok().flatten());
    let section = sections
        .find(b".note.gnu.build-id")
        .filter(|section| section.sh_size(LittleEndian) <= MAX_NOTES)
        .and_then(|section| section.notes(LittleEndian, data).ok().flatten());
    for mut notes in segments.chain(section) {
        while let Ok(Some(note)) = notes.next() {
            let is_build_id = note.n_type(LittleEndian) == elf::NT_GNU_BUILD_ID && note.name() == b"GNU";
            if is_build_id && (1..=MAX_BUILD_ID).contains(&note.desc().len()) {
                return Some(note.desc().to_vec());
            }
        }
    }
    None
}

fn eh_frame<'data, R: ReadRef<'data>>(
    programs: &[ProgramHeader],
    sections: &Sections<'data>,
    data: R,
) -> Result<EhFrame<'data>, Refused> {
    let mut bases = BaseAddresses::default();
    if let Some(address) = sections.address(b".text") {
        bases = bases.set_text(address);
    }
    if let Some(address) = sections.address(b".got") {
        bases = bases.set_got(address);
    }
    let header = programs
        .iter()
        .find(|program| program.p_type(LittleEndian) == elf::PT_GNU_EH_FRAME);
    if let Some(header) = header {
        bases = bases.set_eh_frame_hdr(header.p_vaddr(LittleEndian));
    }
    let section = sections.find(b".eh_frame").filter(|section| {
        // A file of debug information alone has the section without its bytes.
        section.sh_type(LittleEndian) != elf::SHT_NOBITS && section.sh_size(LittleEndian) > 0
    });
    let (address, offset, size, bounded) = match section {
        Some(section) => (
            section.sh_addr(LittleEndian),
            section.sh_offset(LittleEndian),
            section.sh_size(LittleEndian),
            true,
        ),
        None => {
            let header = header.ok_or(Refused::NoEhFrame)?;
            let (address, offset, size) =
                behind_header(header, &bases, programs, data).ok_or(Refused::NoEhFrame)?;
            (address, offset, size, false)
        }
    };
    if size > MAX_EH_FRAME {
        return Err(Refused::EhFrameTooLarge(size));
    }
    let bytes = data
        .read_bytes_at(offset, size)
        .map_err(|()| Refused::NoEhFrame)?;
    Ok(EhFrame {
        bytes,
        bases: bases.set_eh_frame(address),
        bounded,
    })
}

/// Finds `.eh_frame` without section headers: `.eh_frame_hdr` points at its begin, and it ends with its segment at the
/// latest. Returns address, file offset and size.
fn behind_header<'data, R: ReadRef<'data>>(
    header: &ProgramHeader,
    bases: &BaseAddresses,
    programs: &[ProgramHeader],
    data: R,
) -> Option<(u64, u64, u64)> {
    // Four bytes say how what follows is encoded; the pointer takes at most eight, and so does the count.
    let size = header.p_filesz(LittleEndian).min(4 + 8 + 8);
    let bytes = data.read_bytes_at(header.p_offset(LittleEndian), size).ok()?;
    let parsed = EhFrameHdr::new(bytes, Little).parse(bases, 8).ok()?;
    let Pointer::Direct(address) = parsed.eh_frame_ptr() else {
        return None;
    };
    let segment = programs
        .iter()
        .filter(|program| program.p_type(LittleEndian) == elf::PT_LOAD)
        .map(segment)
        .find(|segment| (segment.address..segment.end()).contains(&address))?;
    let inside = address - segment.address;
    Some((
        address,
        segment.offset.checked_add(inside)?,
        segment.size - inside,
    ))
}
