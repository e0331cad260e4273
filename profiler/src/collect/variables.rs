//! The variables of an ELF file: what lies at an address of its data. Nothing in the file is trusted.

use std::{cell::OnceCell, fs::File};

use object::{
    LittleEndian, ReadCache, ReadRef, elf,
    read::elf::{FileHeader as _, ProgramHeader as _, Sym as _},
};

type Header = elf::FileHeader64<LittleEndian>;

/// Symbol tables with more entries are not read: meanwhile the recorder does nothing else.
const MAX_SYMBOLS: usize = 200_000;

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    address: u64,
    size: u64,
    name: String,
}

/// Where the data of a file lies, and the variables in it.
#[derive(Debug, Default)]
pub struct Variables {
    /// Writable segments: begin and one past the end.
    segments: Vec<(u64, u64)>,
    /// In the order of their addresses; read when one is asked for first, for some programs have millions.
    variables: OnceCell<Vec<Variable>>,
}

impl Variables {
    /// Those of an opened file; none if it cannot be read.
    pub fn read(file: &File) -> Self {
        Self {
            segments: segments(&ReadCache::new(file)).unwrap_or_default(),
            variables: OnceCell::new(),
        }
    }

    /// Whether an address, as the file has it, lies in its data.
    pub fn hold(&self, address: u64) -> bool {
        self.segments
            .iter()
            .any(|&(begin, end)| (begin..end).contains(&address))
    }

    /// The variable of `file` at an address, with the offset into it: `locks+0x40`.
    pub fn name(&self, file: &File, address: u64) -> Option<String> {
        let variables = self
            .variables
            .get_or_init(|| symbols(&ReadCache::new(file)).unwrap_or_default());
        let after = variables.partition_point(|variable| variable.address <= address);
        let variable = variables[..after].last()?;
        let offset = address - variable.address;
        // Without the hash that Rust's names end in.
        let name = rustc_demangle::demangle(&variable.name);
        match offset {
            0 => Some(format!("{name:#}")),
            _ if offset < variable.size => Some(format!("{name:#}+{offset:#x}")),
            _ => None,
        }
    }
}

fn segments<'data>(data: impl ReadRef<'data>) -> Option<Vec<(u64, u64)>> {
    let header = Header::parse(data).ok()?;
    let endian = LittleEndian;
    let segments = header.program_headers(endian, data).ok()?;
    let writable = segments
        .iter()
        .filter(|segment| {
            segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian).contains(elf::PF_W)
        })
        .map(|segment| {
            let begin = segment.p_vaddr(endian);
            (begin, begin.saturating_add(segment.p_memsz(endian)))
        })
        .collect();
    Some(writable)
}

/// Of both symbol tables: that for debugging, which may be stripped, and that for the dynamic linker.
fn symbols<'data, R: ReadRef<'data>>(data: R) -> Option<Vec<Variable>> {
    let header = Header::parse(data).ok()?;
    let sections = header.sections(LittleEndian, data).ok()?;
    let mut variables = Vec::new();
    for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
        let Ok(table) = sections.symbols(LittleEndian, data, kind) else {
            continue;
        };
        if table.len() > MAX_SYMBOLS {
            continue;
        }
        for symbol in table.iter() {
            if symbol.st_type() != elf::STT_OBJECT || symbol.st_value(LittleEndian) == 0 {
                continue;
            }
            let Ok(name) = table.symbol_name(LittleEndian, symbol) else {
                continue;
            };
            let name = String::from_utf8_lossy(name);
            variables.push(Variable {
                address: symbol.st_value(LittleEndian),
                size: symbol.st_size(LittleEndian),
                name: name.into_owned(),
            });
        }
    }
    variables.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
    variables.dedup_by_key(|variable| variable.address);
    Some(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A variable of this test, whose symbol is in this test's own file.
    #[unsafe(no_mangle)]
    static PROFILER_TEST_VARIABLE: [std::sync::atomic::AtomicU32; 16] =
        [const { std::sync::atomic::AtomicU32::new(0) }; 16];

    #[test]
    fn a_variable_of_this_program_is_found() {
        let file = File::open("/proc/self/exe").unwrap();
        let variables = Variables::read(&file);
        let symbols = symbols(&ReadCache::new(&file)).unwrap();
        let found = symbols
            .iter()
            .find(|variable| variable.name == "PROFILER_TEST_VARIABLE")
            .unwrap();
        assert_eq!(found.size, 64);
        let address = found.address;
        // Used, so that it is there.
        PROFILER_TEST_VARIABLE[3].store(1, std::sync::atomic::Ordering::Relaxed);
        assert!(variables.hold(address));
        assert_eq!(variables.name(&file, address).unwrap(), "PROFILER_TEST_VARIABLE");
        assert_eq!(
            variables.name(&file, address + 8).unwrap(),
            "PROFILER_TEST_VARIABLE+0x8"
        );
    }

    #[test]
    fn what_is_no_file_of_variables_has_none() {
        assert_eq!(segments(&b"\x7fELF"[..]), None);
        assert_eq!(symbols(&b"\x7fELF"[..]), None);
        let file = File::open("/proc/self/maps").unwrap();
        let none = Variables::read(&file);
        assert!(!none.hold(0));
        assert_eq!(none.name(&file, 7), None);
    }
}
