//! The executable mappings of a process. Processes that forked without exec share theirs.

use std::{
    cell::Cell,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{event::RawMapping, executables::Resolved};

/// A mapping, and what it turned out to be once somebody asked.
#[derive(Clone, Debug)]
pub struct LiveMapping {
    /// As the kernel reported it.
    pub raw: Rc<RawMapping>,
    /// The executable behind it, once it was looked up.
    pub resolved: Cell<Option<Resolved>>,
}

/// The executable mappings of a process, sorted, without overlap.
#[derive(Clone, Debug)]
pub struct AddressSpace {
    mappings: Vec<LiveMapping>,
    generation: u64,
}

/// Every distinct content of an address space has a number of its own.
fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Default for AddressSpace {
    fn default() -> Self {
        Self {
            mappings: Vec::new(),
            generation: next_generation(),
        }
    }
}

impl AddressSpace {
    /// An address space with these mappings.
    pub fn new(mappings: impl IntoIterator<Item = RawMapping>) -> Self {
        let mut space = Self::default();
        mappings.into_iter().for_each(|mapping| space.map(mapping));
        space
    }

    /// Changes whenever the mappings change; equal numbers mean equal mappings.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The mappings, in the order of their addresses.
    pub fn mappings(&self) -> &[LiveMapping] {
        &self.mappings
    }

    /// Adds a mapping. What it covers of others is gone, as with `mmap(2)` and `MAP_FIXED`: the kernel reports no
    /// unmapping, so an overlap is how one learns of it.
    pub fn map(&mut self, mapping: RawMapping) {
        if mapping.start >= mapping.end {
            return;
        }
        let same = |live: &LiveMapping| {
            let RawMapping {
                start,
                end,
                file_offset,
                path,
                build_id: _,
                inode: _,
            } = &*live.raw;
            (*start, *end, *file_offset, path)
                == (mapping.start, mapping.end, mapping.file_offset, &mapping.path)
        };
        if self.mappings.iter().any(same) {
            return;
        }
        let (start, end) = (mapping.start, mapping.end);
        let mut kept = Vec::with_capacity(self.mappings.len() + 2);
        for old in self.mappings.drain(..) {
            if old.raw.end <= start || old.raw.start >= end {
                kept.push(old);
                continue;
            }
            // A part below and a part above may be left of it; the executable behind them stays the same.
            if old.raw.start < start {
                let below = RawMapping {
                    end: start,
                    ..(*old.raw).clone()
                };
                kept.push(LiveMapping {
                    raw: Rc::new(below),
                    resolved: old.resolved.clone(),
                });
            }
            if old.raw.end > end {
                let file_offset = old.raw.file_offset + (end - old.raw.start);
                let above = RawMapping {
                    start: end,
                    file_offset,
                    ..(*old.raw).clone()
                };
                kept.push(LiveMapping {
                    raw: Rc::new(above),
                    resolved: Cell::new(None),
                });
            }
        }
        kept.push(LiveMapping {
            raw: Rc::new(mapping),
            resolved: Cell::new(None),
        });
        kept.sort_by_key(|live| live.raw.start);
        self.mappings = kept;
        self.generation = next_generation();
    }

    /// The mapping that holds an address.
    pub fn find(&self, address: u64) -> Option<&LiveMapping> {
        let after = self.mappings.partition_point(|live| live.raw.start <= address);
        self.mappings[..after]
            .last()
            .filter(|live| address < live.raw.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: u64, end: u64, path: &str) -> RawMapping {
        RawMapping {
            start,
            end,
            path: path.into(),
            ..RawMapping::default()
        }
    }

    fn shape(space: &AddressSpace) -> Vec<(u64, u64, u64)> {
        space
            .mappings()
            .iter()
            .map(|live| (live.raw.start, live.raw.end, live.raw.file_offset))
            .collect()
    }

    #[test]
    fn a_new_mapping_replaces_what_it_covers() {
        let mut space = AddressSpace::new([mapping(0x1000, 0x9000, "a")]);
        space.map(mapping(0x3000, 0x4000, "b"));
        assert_eq!(
            shape(&space),
            [(0x1000, 0x3000, 0), (0x3000, 0x4000, 0), (0x4000, 0x9000, 0x3000)]
        );
        assert_eq!(space.find(0x3fff).unwrap().raw.path, b"b");
        assert_eq!(space.find(0x4000).unwrap().raw.path, b"a");
        assert!(space.find(0x9000).is_none());
        assert!(space.find(0xfff).is_none());
    }

    #[test]
    fn the_generation_changes_with_the_mappings_only() {
        let mut space = AddressSpace::new([mapping(0x1000, 0x2000, "a")]);
        let before = space.generation();
        space.map(mapping(0x1000, 0x2000, "a"));
        space.map(mapping(0x5000, 0x5000, "empty"));
        assert_eq!(space.generation(), before);
        space.map(mapping(0x2000, 0x3000, "b"));
        assert_ne!(space.generation(), before);
    }
}
