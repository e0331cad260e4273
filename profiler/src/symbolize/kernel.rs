//! The running kernel's functions, its modules' and its BPF programs', from `/proc/kallsyms`.
//!
//! `kallsyms` has no sizes, and a table of starts names every address above the first. So everything that is listed,
//! data too, ends the function before it, and the last function of a module is believed for 64 KiB.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

use super::demangle::demangle;

/// How far the last function before another module, or before nothing, is believed to reach.
const LAST_FUNCTION: u64 = 64 << 10;
/// `kallsyms` of a large distribution kernel is some 20 MiB.
const MAX_BYTES: u64 = 256 << 20;

/// A snapshot of the kernel's symbols.
#[derive(Debug, Default)]
pub(super) struct KernelSymbols {
    /// Sorted by address. A row without a name ends the one before.
    symbols: Vec<KernelSymbol>,
    /// The names, one behind the other.
    names: String,
    /// Whether the kernel showed every address as zero.
    pub(super) hidden: bool,
}

#[derive(Clone, Copy, Debug)]
struct KernelSymbol {
    address: u64,
    name: u32,
    name_len: u16,
    /// The module, counted from 1; 0 for the kernel itself.
    module: u16,
}

impl KernelSymbols {
    /// What the kernel shows now.
    ///
    /// # Errors
    /// If `/proc/kallsyms` cannot be read.
    pub(super) fn read() -> io::Result<Self> {
        Ok(Self::parse(BufReader::new(File::open("/proc/kallsyms")?)))
    }

    /// Parses lines of `address type name [module]`.
    pub(super) fn parse(reader: impl BufRead) -> Self {
        let mut all = Self::default();
        let mut modules: Vec<String> = Vec::new();
        let (mut lines, mut zeros) = (0_u64, 0_u64);
        let mut reader = reader.take(MAX_BYTES);
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                break;
            }
            let Ok(text) = std::str::from_utf8(&line) else {
                continue;
            };
            let mut words = text.split_ascii_whitespace();
            let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let Ok(address) = u64::from_str_radix(address, 16) else {
                continue;
            };
            lines += 1;
            if address == 0 {
                zeros += 1;
                continue;
            }
            // Modules come one after the other.
            let module = words.next().map_or(0, |module| {
                if modules.last().is_none_or(|last| last != module) {
                    modules.push(module.to_owned());
                }
                u16::try_from(modules.len()).unwrap_or(u16::MAX)
            });
            // Per-CPU offsets of old kernels, and marks that say where code ends.
            let is_code =
                matches!(kind, "t" | "T" | "w" | "W") && !matches!(name, "_etext" | "_einittext" | "_end");
            let len = if is_code {
                name.len().min(usize::from(u16::MAX))
            } else {
                0
            };
            let (Ok(start), true) = (u32::try_from(all.names.len()), name.is_char_boundary(len)) else {
                continue;
            };
            all.names.push_str(&name[..len]);
            all.symbols.push(KernelSymbol {
                address,
                name: start,
                name_len: len as u16,
                module,
            });
        }
        all.hidden = lines > 0 && zeros == lines;
        // Names before ends: a function may begin where another thing does.
        all.symbols
            .sort_by_key(|symbol| (symbol.address, symbol.name_len == 0));
        all.symbols.dedup_by(|next, previous| {
            next.name_len == 0 && (previous.name_len == 0 || previous.address == next.address)
        });
        all.symbols.shrink_to_fit();
        all
    }

    /// The function that `address` lies in.
    pub(super) fn name(&self, address: u64) -> Option<String> {
        let after = self.symbols.partition_point(|symbol| symbol.address <= address);
        let last = self.symbols[..after].last()?;
        if last.name_len == 0 {
            return None;
        }
        let next_is_ours = self
            .symbols
            .get(after)
            .is_some_and(|next| next.module == last.module);
        if !next_is_ours && address - last.address >= LAST_FUNCTION {
            return None;
        }
        // Of several names at one address the first that the kernel lists is as good as any; prefer one that is not
        // private (`__x64_sys_read` and `__ia32_sys_read` never share an address).
        let aliases = self.symbols[..after]
            .iter()
            .rev()
            .take_while(|symbol| symbol.address == last.address);
        let names = aliases.filter_map(|it| {
            self.names
                .get(it.name as usize..it.name as usize + usize::from(it.name_len))
        });
        let best = names.min_by_key(|name| name.bytes().take_while(|&byte| byte == b'_').count())?;
        Some(demangle(best.as_bytes()))
    }

    /// Whether there is nothing to look up.
    pub(super) fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000000 T _text\nffffffff81000000 T _stext\nffffffff81001000 t do_syscall_64\n\
        ffffffff81001100 T vfs_read\nffffffff81002000 T _etext\nffffffff82000000 D jiffies\n\
        ffffffffa0000000 t ext4_read\t[ext4]\nffffffffa0000100 t ext4_write\t[ext4]\n\
        ffffffffa0100000 t bpf_prog_6deef7357e7b4530_sched\t[bpf]\ngarbage\nffffffffa0zz t bad\n";

    #[test]
    fn kernel_addresses_have_names_inside_functions_only() {
        let symbols = KernelSymbols::parse(TEXT.as_bytes());
        let name = |address| symbols.name(address);
        assert_eq!(name(0xffff_ffff_8100_10ff).as_deref(), Some("do_syscall_64"));
        assert_eq!(name(0xffff_ffff_8100_1fff).as_deref(), Some("vfs_read"));
        for outside in [
            0,
            0x1000,
            0xffff_ffff_80ff_ffff,
            0xffff_ffff_8100_2000,
            0xffff_ffff_8200_0010,
            u64::MAX,
        ] {
            assert_eq!(name(outside), None, "{outside:#x}");
        }
        assert_eq!(name(0xffff_ffff_a000_01f0).as_deref(), Some("ext4_write"));
        assert_eq!(
            name(0xffff_ffff_a009_0000),
            None,
            "far behind a module's last function"
        );
        assert_eq!(
            name(0xffff_ffff_a010_0010).as_deref(),
            Some("bpf_prog_6deef7357e7b4530_sched")
        );
    }

    #[test]
    fn hidden_addresses_are_told_apart_from_no_symbols() {
        let symbols = KernelSymbols::parse("0000000000000000 T a\n0000000000000000 t b\n".as_bytes());
        assert!(symbols.hidden && symbols.is_empty());
        assert!(!KernelSymbols::parse("".as_bytes()).hidden);
    }

    #[test]
    fn garbage_is_passed_over() {
        let symbols = KernelSymbols::parse(&b"\xff\xfe\0\n1 t\n10 t \xff\n20 t ok\n"[..]);
        assert_eq!(symbols.name(0x20).as_deref(), Some("ok"));
    }
}
