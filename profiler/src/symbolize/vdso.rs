//! The vDSO that the kernel maps into every process: it has no file, but this process has the same one.

use std::{fs, sync::Arc};

use super::{bytes::Bytes, elf::Elf};

/// The image is a few pages.
const MAX_IMAGE: u64 = 1 << 20;

/// This process's vDSO; `None` if the kernel maps none.
pub(super) fn own() -> Option<Elf> {
    // SAFETY: takes and gives a number.
    let start = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let end = maps.lines().find_map(|line| {
        let (range, _) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        (u64::from_str_radix(from, 16).ok()? == start).then(|| u64::from_str_radix(to, 16).ok())?
    })?;
    let len = usize::try_from(end.checked_sub(start)?.min(MAX_IMAGE)).ok()?;
    // SAFETY: the kernel's own table says that these bytes are mapped, and the vDSO stays and never changes.
    let image = unsafe { std::slice::from_raw_parts(start as *const u8, len) };
    Elf::read(Bytes::Memory(Arc::from(image)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbolize::symbols::SymbolTable;

    #[test]
    fn the_vdso_knows_clock_gettime() {
        let vdso = own().expect("the kernel maps a vDSO");
        assert!(!vdso.build_id.is_empty());
        let table = SymbolTable::read(&vdso, None);
        let text = vdso.section(".text").unwrap();
        let names: Vec<_> = (text.address..text.end())
            .filter_map(|address| table.name(address))
            .collect();
        assert!(
            names.iter().any(|name| name.contains("clock_gettime")),
            "{names:?}"
        );
    }
}
