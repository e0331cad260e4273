//! A free list of consecutive entries: best fit, joined with its neighbours when freed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// `count` consecutive entries from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// The first entry.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// Free extents, and freed ones that somebody may still be reading.
#[derive(Clone, Debug, Default)]
pub(super) struct Extents {
    /// Count by first entry.
    free: BTreeMap<u32, u32>,
    /// (count, first).
    by_count: BTreeSet<(u32, u32)>,
    /// With the stamps they were freed at, which rise.
    quarantine: VecDeque<(u64, Extent)>,
    /// No extent spans a multiple of this.
    boundary: u32,
}

impl Extents {
    /// Nothing is free. No extent will span a multiple of `boundary`.
    pub(super) fn new(boundary: u32) -> Self {
        Self {
            boundary,
            ..Self::default()
        }
    }

    /// The smallest free extent that has at least `count` entries is cut to `count`.
    pub(super) fn allocate(&mut self, count: u32) -> Option<Extent> {
        let (found, first) = *self.by_count.range((count, 0)..).next()?;
        Some(self.cut(Extent { first, count: found }, count))
    }

    /// The first `count` entries of the largest free extent; all of it if it has not that many.
    pub(super) fn allocate_largest(&mut self, count: u32) -> Option<Extent> {
        let (found, first) = *self.by_count.last()?;
        Some(self.cut(Extent { first, count: found }, count.min(found)))
    }

    /// The size of the largest free extent.
    pub(super) fn largest(&self) -> u32 {
        self.by_count.last().map_or(0, |(count, _)| *count)
    }

    fn cut(&mut self, extent: Extent, count: u32) -> Extent {
        self.remove(extent);
        if count < extent.count {
            self.insert(Extent {
                first: extent.first + count,
                count: extent.count - count,
            });
        }
        Extent {
            first: extent.first,
            count,
        }
    }

    /// Makes an extent free at once.
    pub(super) fn free(&mut self, mut extent: Extent) {
        if extent.count == 0 {
            return;
        }
        if !extent.first.is_multiple_of(self.boundary)
            && let Some((&first, &count)) = self.free.range(..extent.first).next_back()
            && first + count == extent.first
        {
            self.remove(Extent { first, count });
            extent = Extent {
                first,
                count: count + extent.count,
            };
        }
        let end = extent.first + extent.count;
        if !end.is_multiple_of(self.boundary)
            && let Some(&count) = self.free.get(&end)
        {
            self.remove(Extent { first: end, count });
            extent.count += count;
        }
        self.insert(extent);
    }

    /// Makes an extent free once [`Self::reclaim`] is told that `stamp` has passed.
    pub(super) fn free_after(&mut self, stamp: u64, extent: Extent) {
        self.quarantine.push_back((stamp, extent));
    }

    /// Everything freed with a stamp of at most `passed` may be used again. Returns how many entries that were.
    pub(super) fn reclaim(&mut self, passed: u64) -> u32 {
        let mut entries = 0;
        while let Some((_, extent)) = self.quarantine.pop_front_if(|(stamp, _)| *stamp <= passed) {
            entries += extent.count;
            self.free(extent);
        }
        entries
    }

    fn insert(&mut self, extent: Extent) {
        self.free.insert(extent.first, extent.count);
        self.by_count.insert((extent.count, extent.first));
    }

    fn remove(&mut self, extent: Extent) {
        self.free.remove(&extent.first);
        self.by_count.remove(&(extent.count, extent.first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(first: u32, count: u32) -> Extent {
        Extent { first, count }
    }

    #[test]
    fn neighbours_are_joined_but_not_across_a_boundary() {
        let mut extents = Extents::new(100);
        for first in [0, 50, 100, 150] {
            extents.free(extent(first, 50));
        }
        assert_eq!(extents.allocate(101), None);
        assert_eq!(extents.largest(), 100);
        assert_eq!(extents.allocate(100), Some(extent(0, 100)));
        assert_eq!(extents.allocate(60), Some(extent(100, 60)));
        assert_eq!(extents.allocate_largest(60), Some(extent(160, 40)));
        assert_eq!(extents.allocate_largest(1), None);
    }

    #[test]
    fn the_smallest_fitting_extent_is_used() {
        let mut extents = Extents::new(1000);
        extents.free(extent(0, 20));
        extents.free(extent(40, 10));
        assert_eq!(extents.allocate(8), Some(extent(40, 8)));
        assert_eq!(extents.allocate(8), Some(extent(0, 8)));
    }

    #[test]
    fn what_may_still_be_read_is_not_used_again() {
        let mut extents = Extents::new(1000);
        extents.free_after(5, extent(0, 10));
        extents.free_after(7, extent(10, 10));
        assert_eq!(extents.reclaim(4), 0);
        assert_eq!(extents.allocate(1), None);
        assert_eq!(extents.reclaim(6), 10);
        assert_eq!(extents.allocate(11), None);
        assert_eq!(extents.reclaim(7), 10);
        assert_eq!(extents.allocate(20), Some(extent(0, 20)));
    }

    #[test]
    fn nothing_is_lost_or_given_twice_in_a_long_run() {
        let mut extents = Extents::new(64);
        extents.free(extent(0, 64));
        extents.free(extent(64, 64));
        let mut held: Vec<Extent> = Vec::new();
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for stamp in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if random & 1 == 0
                && let Some(got) = extents.allocate((random >> 8) as u32 % 20 + 1)
            {
                assert!(got.first / 64 == (got.first + got.count - 1) / 64);
                for other in &held {
                    assert!(got.first + got.count <= other.first || other.first + other.count <= got.first);
                }
                held.push(got);
            } else if !held.is_empty() {
                let gone = held.swap_remove((random >> 16) as usize % held.len());
                extents.free_after(stamp, gone);
            }
            extents.reclaim(stamp.saturating_sub(3));
        }
        for gone in held {
            extents.free(gone);
        }
        extents.reclaim(u64::MAX);
        assert_eq!(extents.free.iter().collect::<Vec<_>>(), [(&0, &64), (&64, &64)]);
    }
}
