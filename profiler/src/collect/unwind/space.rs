//! The mapping pool: which consecutive entries belong to which process's mappings.
//!
//! A fork has the mappings of its parent until one of them changes, so both use the same extent.

use rustc_hash::FxHashMap;

use super::extents::Extents;

pub use super::extents::Extent;

/// Free and used extents of the mapping pool.
#[derive(Clone, Debug)]
pub struct Spaces {
    extents: Extents,
    /// By first entry: how many entries, and how many processes use them.
    used: FxHashMap<u32, (u32, u32)>,
    entries: u32,
}

impl Spaces {
    /// A pool of `capacity` entries, all free.
    pub fn new(capacity: u32) -> Self {
        let mut extents = Extents::new(u32::MAX);
        extents.free(Extent {
            first: 0,
            count: capacity,
        });
        Self {
            extents,
            used: FxHashMap::default(),
            entries: 0,
        }
    }

    /// Finds room for `count` consecutive entries, for one process. `None` if there is no room or `count` is 0.
    pub fn allocate(&mut self, count: u32) -> Option<Extent> {
        let extent = (count > 0).then(|| self.extents.allocate(count))??;
        self.used.insert(extent.first, (count, 1));
        self.entries += count;
        Some(extent)
    }

    /// One more process uses the extent that begins at `first`. Returns whether there is one.
    pub fn share(&mut self, first: u32) -> bool {
        let Some((_, processes)) = self.used.get_mut(&first) else {
            return false;
        };
        *processes += 1;
        true
    }

    /// How many processes use the extent that begins at `first`: who is alone may change entries in place.
    pub fn processes(&self, first: u32) -> u32 {
        self.used.get(&first).map_or(0, |(_, processes)| *processes)
    }

    /// One process less uses the extent that begins at `first`. After the last one it is free once
    /// [`Self::reclaim`] is told that `stamp` has passed: kernel programs that began earlier may still read it.
    pub fn release(&mut self, first: u32, stamp: u64) {
        let Some((count, processes)) = self.used.get_mut(&first) else {
            return;
        };
        *processes -= 1;
        if *processes == 0 {
            let count = *count;
            self.used.remove(&first);
            self.entries -= count;
            self.extents.free_after(stamp, Extent { first, count });
        }
    }

    /// All kernel programs that began before `passed` have ended. Returns how many entries became free.
    pub fn reclaim(&mut self, passed: u64) -> u32 {
        self.extents.reclaim(passed)
    }

    /// Entries in use, those in quarantine not counted.
    pub fn entries(&self) -> u32 {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_extent_is_free_after_its_last_process_and_its_stamp() {
        let mut spaces = Spaces::new(10);
        let extent = spaces.allocate(10).unwrap();
        assert!(spaces.share(extent.first));
        spaces.release(extent.first, 1);
        assert_eq!((spaces.processes(extent.first), spaces.reclaim(100)), (1, 0));
        spaces.release(extent.first, 2);
        assert_eq!((spaces.entries(), spaces.allocate(1)), (0, None));
        assert_eq!(spaces.reclaim(1), 0);
        assert_eq!(spaces.reclaim(2), 10);
        assert_eq!(spaces.allocate(10), Some(extent));
    }

    #[test]
    fn nonsense_is_refused() {
        let mut spaces = Spaces::new(10);
        assert_eq!(spaces.allocate(0), None);
        assert_eq!(spaces.allocate(11), None);
        assert!(!spaces.share(3));
        spaces.release(3, 0);
        assert_eq!(spaces.entries(), 0);
    }
}
