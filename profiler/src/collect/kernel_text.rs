//! Which part of the kernel an address belongs to: its own text, or a module.

use std::fs;

use crate::profile::{Mapping, MappingKind};

/// A module's range of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    start: u64,
    end: u64,
    name: String,
}

/// The modules that are loaded.
#[derive(Debug, Default)]
pub struct KernelText {
    modules: Vec<Module>,
}

impl KernelText {
    /// Reads `/proc/modules`, which shows addresses to the privileged only; without them all is "the kernel".
    pub fn read() -> Self {
        Self {
            modules: parse(&fs::read_to_string("/proc/modules").unwrap_or_default()),
        }
    }

    /// What holds the address.
    pub fn mapping(&self, address: u64) -> Mapping {
        let after = self.modules.partition_point(|module| module.start <= address);
        let module = self.modules[..after].last().filter(|module| address < module.end);
        let (kind, path) = match module {
            Some(module) => (MappingKind::KernelModule, format!("[{}]", module.name)),
            None => (MappingKind::Kernel, "[kernel.kallsyms]".to_owned()),
        };
        Mapping {
            kind,
            path,
            build_id: Vec::new(),
        }
    }
}

/// `name size references users state 0xaddress`.
fn parse(text: &str) -> Vec<Module> {
    let mut modules: Vec<Module> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (name, size) = (fields.next()?, fields.next()?.parse::<u64>().ok()?);
            let start = u64::from_str_radix(fields.nth(3)?.strip_prefix("0x")?, 16).ok()?;
            (start != 0).then(|| Module {
                start,
                end: start.saturating_add(size),
                name: name.to_owned(),
            })
        })
        .collect();
    modules.sort_by_key(|module| module.start);
    modules
}

/// The running kernel's build id, hexadecimal; empty if it cannot be learned.
pub fn build_id() -> String {
    let notes = fs::read("/sys/kernel/notes").unwrap_or_default();
    parse_notes(&notes)
        .map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect())
        .unwrap_or_default()
}

/// ELF notes: name size, descriptor size, type, name, descriptor, each padded to 4 bytes. `NT_GNU_BUILD_ID` is 3.
fn parse_notes(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let word = |at: usize| Some(u32::from_ne_bytes(notes.get(at..at + 4)?.try_into().ok()?) as usize);
        let (name_size, size, kind) = (word(0)?, word(4)?, word(8)?);
        let name = notes.get(12..)?.get(..name_size)?;
        let begin = 12 + name_size.checked_next_multiple_of(4)?;
        let descriptor = notes.get(begin..)?.get(..size)?;
        if kind == 3 && name == b"GNU\0" {
            return Some(descriptor);
        }
        notes = notes.get(begin + size.checked_next_multiple_of(4)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_belong_to_the_module_that_spans_them() {
        let text = "b 4096 0 - Live 0xffffffffc0002000\na 4096 1 b, Live 0xffffffffc0000000 (E)\nhidden 1 0 - Live 0x0\n";
        let kernel = KernelText { modules: parse(text) };
        assert_eq!(kernel.mapping(0xffff_ffff_c000_0fff).path, "[a]");
        assert_eq!(kernel.mapping(0xffff_ffff_c000_1000).kind, MappingKind::Kernel);
        assert_eq!(kernel.mapping(0xffff_ffff_c000_2000).path, "[b]");
        assert_eq!(kernel.mapping(0xffff_ffff_8100_0000).path, "[kernel.kallsyms]");
    }

    #[test]
    fn torn_notes_have_no_build_id() {
        let mut notes = Vec::new();
        for word in [4u32, 2, 3] {
            notes.extend_from_slice(&word.to_ne_bytes());
        }
        notes.extend_from_slice(b"GNU\0\xab\xcd\0\0");
        assert_eq!(parse_notes(&notes), Some(&[0xab, 0xcd][..]));
        for length in 0..18 {
            assert_eq!(parse_notes(&notes[..length]), None);
        }
    }
}
