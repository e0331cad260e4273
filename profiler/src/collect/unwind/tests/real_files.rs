//! For the programs of this machine: the rule found in the pool is what gimli says of the address.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindSection, UnwindTableRow,
};
use object::{Object, ObjectSection};
use profiler_common::unwind::{Rule, bp, cfa};

use super::{Placement, Random, open};
use crate::collect::unwind::{elf::Elf, rows::Table};

fn libraries() -> Vec<PathBuf> {
    let directory = Path::new("/usr/lib/x86_64-linux-gnu");
    [
        "libc.so.6",
        "ld-linux-x86-64.so.2",
        "libcrypto.so.3",
        "libstdc++.so.6",
        "libm.so.6",
    ]
    .iter()
    .map(|name| directory.join(name))
    .chain([std::env::current_exe().unwrap()])
    .filter(|path| path.exists())
    .collect()
}

fn rustc_driver() -> Option<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let lib = Path::new(String::from_utf8(output.stdout).ok()?.trim()).join("lib");
    let mut files = std::fs::read_dir(lib).ok()?.filter_map(Result::ok);
    let driver = files.find(|file| file.file_name().to_string_lossy().starts_with("librustc_driver"))?;
    Some(driver.path())
}

/// What gimli says, in the words of a rule; `None` where it says something that rules have no words for.
fn expected(row: &UnwindTableRow<usize>) -> Option<Rule> {
    if let Some(RegisterRule::Undefined) = row.register(Register(16)) {
        return Some(Rule::END);
    }
    let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else {
        return None;
    };
    let mut rule = Rule::of(match register.0 {
        7 => cfa::SP,
        6 => cfa::BP,
        // Rules have words for some of these.
        _ => return None,
    });
    rule.cfa_offset = *offset as i32;
    match row.register(Register(6)) {
        None => {}
        Some(RegisterRule::Offset(offset)) => (rule.bp, rule.bp_offset) = (bp::AT_CFA, offset as i32),
        _ => return None,
    }
    let plain = row.register(Register(16)) == Some(RegisterRule::Offset(-8));
    plain.then_some(rule)
}

/// Compares at `count` addresses; returns at how many the referee had a rule.
fn compare(path: &Path, count: u64) -> u64 {
    let mut place = Placement::new();
    let file = open(path);
    let elf = Elf::parse(&file).unwrap().without_symbols();
    let table = Table::build(&elf, &file).unwrap();
    let placed = place.pool.place(&table, &mut place.rules, 0).unwrap();
    let (begin, end) = (table.base(), table.base() + (u64::from(table.pages()) << 16));

    let bytes = std::fs::read(path).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    let section = |name| object.section_by_name(name).unwrap();
    let (eh_frame, header) = (section(".eh_frame"), section(".eh_frame_hdr"));
    let bases = BaseAddresses::default()
        .set_eh_frame(eh_frame.address())
        .set_eh_frame_hdr(header.address())
        .set_text(section(".text").address());
    let eh_frame = EhFrame::new(eh_frame.data().unwrap(), LittleEndian);
    let header = EhFrameHdr::new(header.data().unwrap(), LittleEndian)
        .parse(&bases, 8)
        .unwrap();
    let index = header.table().unwrap();
    let is_plt = |address| {
        let mut plts = object
            .sections()
            .filter(|section| section.name().is_ok_and(|name| name.contains("plt")));
        plts.any(|plt| (plt.address()..plt.address() + plt.size()).contains(&address))
    };
    let mut context: UnwindContext<usize> = UnwindContext::new();

    let (mut random, mut known) = (Random(0x1234_5678_9abc_def1), 0);
    // Half of the addresses are those where rows begin, or one before.
    let rows: Vec<_> = table.rows().collect();
    for n in 0..count {
        let address = match n & 1 {
            0 => begin + random.below(end - begin),
            _ => begin + u64::from(rows[random.below(rows.len() as u64) as usize].pc) - random.below(2),
        };
        let found = place.look_up(placed.table, address.wrapping_sub(placed.base));
        let row = index.unwind_info_for_address(
            &eh_frame,
            &bases,
            &mut context,
            address,
            EhFrame::<EndianSlice<'_, _>>::cie_from_offset,
        );
        match row {
            Err(_) => {
                let invented = matches!(found.cfa, cfa::SIGNAL | cfa::END) || is_plt(address);
                assert!(
                    found == Rule::NONE || invented,
                    "{}: {address:#x} {found:?}",
                    path.display()
                );
            }
            Ok(row) => {
                known += 1;
                match expected(row) {
                    Some(expected) => assert_eq!(
                        Rule { bx: 0, ..found },
                        expected,
                        "{}: {address:#x}",
                        path.display()
                    ),
                    None => {
                        let plain = matches!(found.cfa, cfa::NONE | cfa::END | cfa::SP | cfa::BP)
                            && found.bp != bp::AT_BP;
                        assert!(!plain, "{}: {address:#x} {found:?} for {row:?}", path.display());
                    }
                }
            }
        }
    }
    known
}

#[test]
fn rules_found_in_the_pool_are_those_of_the_file() {
    for path in libraries() {
        let known = compare(&path, 20_000);
        assert!(
            known > 10_000,
            "{}: only {known} addresses had rules",
            path.display()
        );
    }
}

#[test]
fn rules_of_a_binary_above_100_mib_are_those_of_the_file() {
    let Some(path) = rustc_driver() else {
        // Toolchains that are not installed by rustup may lack it.
        return;
    };
    assert!(compare(&path, 20_000) > 10_000);
}
