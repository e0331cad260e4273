//! The second pass: inlined calls and source lines for the locations of samples and slow events.

use std::{cmp::Reverse, collections::BTreeMap, time::Instant};

use super::{Known, Symbolizer, child::Limits, dwarf, dwarf::SourceLine};
use crate::profile::{Delta, Id, Line, Location, Mapping};

impl Symbolizer {
    /// Asks each file's DWARF, the hottest file first, as long as there is time.
    pub(super) fn add_source_lines(&mut self, delta: &mut Delta) {
        // From here on tables are of use to nobody, and DWARF needs the memory.
        self.modules.evict_all();
        let deadline = Instant::now() + self.options.total_time;
        let mut out_of_time = 0;
        for (mapping, mut locations) in self.hot_mappings() {
            locations.sort_unstable_by_key(|location| self.locations[location.index()].address);
            let left = deadline.saturating_duration_since(Instant::now());
            let limits = Limits {
                memory: self.options.memory_budget,
                time: left.min(self.options.file_time),
            };
            let Some(file) = self.modules.dwarf(mapping, &mut self.notes) else {
                continue;
            };
            if left.is_zero() {
                out_of_time += 1;
                continue;
            }
            let address = |location: &Id<Location>| file.address(self.locations[location.index()].address);
            let wanted: Vec<_> = locations.iter().map(address).collect();
            let mut addresses: Vec<u64> = wanted.iter().copied().flatten().collect();
            addresses.sort_unstable();
            addresses.dedup();
            let mut found = dwarf::source_lines(file.elf, &addresses, self.options.inlines, limits);
            if let Some(failed) = found.failed {
                let path = self.modules.mapping(mapping).map_or("", |mapping| &mapping.path);
                let note = format!("{path}: inlined calls and lines are missing in part: {failed}");
                self.note(note);
            }
            for (location, address) in locations.into_iter().zip(wanted) {
                if let Some(lines) = address.and_then(|address| found.lines.get_mut(&address)) {
                    self.set_lines(location, lines, delta);
                }
            }
        }
        if out_of_time > 0 {
            let seconds = self.options.total_time.as_secs();
            self.note(format!(
                "{out_of_time} files have no inlined calls and lines: {seconds} s were not enough for all"
            ));
        }
    }

    /// Locations of samples and slow events that have no lines yet, by mapping, the one in most of them first.
    fn hot_mappings(&self) -> Vec<(Id<Mapping>, Vec<Id<Location>>)> {
        let mut mappings: BTreeMap<Id<Mapping>, (u64, Vec<Id<Location>>)> = BTreeMap::new();
        let locations = (0..).map(Id::new).zip(&self.locations).zip(self.frames());
        for ((id, location), frames) in locations.filter(|(_, frames)| *frames > 0) {
            if self.known[id.index()] != Known::Lines {
                let (total, ids) = mappings.entry(location.mapping).or_default();
                *total += frames;
                ids.push(id);
            }
        }
        let mut mappings: Vec<_> = mappings.into_iter().collect();
        mappings.sort_by_key(|(_, (total, _))| Reverse(*total));
        mappings
            .into_iter()
            .map(|(mapping, (_, ids))| (mapping, ids))
            .collect()
    }

    fn set_lines(&mut self, location: Id<Location>, found: &mut [SourceLine], delta: &mut Delta) {
        let Some(outer) = found.last_mut() else { return };
        // The symbol table's name stays: it is what every other address of the function has, and it tells `f.cold`
        // from `f`.
        if let Known::Function(function) = self.known[location.index()] {
            outer.name.clone_from(&self.functions[function].name);
        }
        if outer.name.is_empty() {
            return;
        }
        let lines = found
            .iter()
            .filter(|line| !line.name.is_empty())
            .map(|line| Line {
                function: self.function(line.name.clone(), line.file.clone(), delta),
                line: line.line,
            })
            .collect();
        self.known[location.index()] = Known::Lines;
        delta.lines.push((location, lines));
    }
}
