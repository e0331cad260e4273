//! Source lines of a few addresses of one file, for somebody who waits for them.

use std::{collections::HashMap, time::Duration};

use super::{
    Options,
    child::Limits,
    dwarf::{self, SourceLine},
    modules::Modules,
};
use crate::profile::{Id, Mapping};

/// How long a person waits.
const PATIENCE: Duration = Duration::from_secs(8);

/// What debug information has on some addresses.
#[derive(Debug, Default)]
pub struct Found {
    /// By address, the innermost inlined call first, the function itself last.
    pub lines: HashMap<u64, Vec<SourceLine>>,
    /// Why it is not all there, if it is not. Paths in it are untrusted text.
    pub failed: Option<String>,
}

/// Asks the debug information that belongs to `mapping`, an ELF file, about `addresses`. The file is the one at the
/// mapping's path, and counts only if its build id is the mapping's. It may take seconds.
pub fn look_up(mapping: Mapping, addresses: &[u64]) -> Found {
    let options = Options::default();
    let mut modules = Modules::new(&options);
    let path = mapping.path.clone();
    modules.learn(&[mapping]);
    let mut notes = Vec::new();
    let Some(file) = modules.dwarf(Id::new(0), &mut notes) else {
        return Found {
            failed: notes
                .pop()
                .or_else(|| Some(format!("{path}: no debug information is here"))),
            ..Found::default()
        };
    };
    let mut wanted: Vec<u64> = addresses.iter().filter_map(|&it| file.address(it)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let limits = Limits {
        memory: options.memory_budget,
        time: PATIENCE,
    };
    let found = dwarf::source_lines(file.elf, &wanted, options.inlines, limits);
    let by_address = |&address: &u64| Some((address, found.lines.get(&file.address(address)?)?.clone()));
    Found {
        lines: addresses.iter().filter_map(by_address).collect(),
        failed: found
            .failed
            .map(|why| format!("{path}: lines are missing in part: {why}")),
    }
}
