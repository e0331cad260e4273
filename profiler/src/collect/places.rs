//! The places in which the kernel side sums operations, as user space reads them.

use anyhow::Result;
use aya::maps::{HashMap, Map, MapData, Stack};
use profiler_common::operation::{OperationKey, Operations};
use rustc_hash::FxHashMap;

use super::arrays::{self, MappedArray};

/// Free places that the kernel side finds at a time: more than it takes between two looks of ours.
const AHEAD: usize = 512;

/// The places.
#[expect(missing_debug_implementations, reason = "aya's maps have none")]
pub struct Places {
    sums: MappedArray<Operations>,
    place_of: HashMap<MapData, OperationKey, u32>,
    free: Stack<MapData, u32>,
    /// How many of them are in `free`.
    handed: usize,
    /// The places that are not.
    spare: Vec<u32>,
    /// Those that are in use, by process.
    taken: FxHashMap<u32, Vec<Taken>>,
    /// Processes that have ended, but may not be gone.
    ended: Vec<u32>,
}

/// A place in use.
#[derive(Debug)]
struct Taken {
    place: u32,
    key: OperationKey,
    /// What was read before.
    before: Box<Operations>,
}

impl Places {
    /// The places of a loaded object, all of them free.
    ///
    /// # Errors
    /// If a map is of another kind, or cannot be mapped.
    pub fn new(sums: Map, place_of: Map, free: Map) -> Result<Self> {
        let sums = arrays::mapped::<Operations>(sums)?;
        let spare = (0..sums.len() as u32).rev().collect();
        let mut places = Self {
            sums,
            place_of: HashMap::try_from(place_of)?,
            free: Stack::try_from(free)?,
            handed: 0,
            spare,
            taken: FxHashMap::default(),
            ended: Vec::new(),
        };
        places.refill();
        Ok(places)
    }

    /// Sees to it that the kernel side finds free places.
    pub fn refill(&mut self) {
        while self.handed < AHEAD
            && let Some(place) = self.spare.pop()
        {
            if self.free.push(place, 0).is_err() {
                self.spare.push(place);
                return;
            }
            self.handed += 1;
        }
    }

    /// The kernel side took a place.
    pub fn taken(&mut self, key: OperationKey, place: u32) {
        self.handed = self.handed.saturating_sub(1);
        self.note(key, place);
    }

    fn note(&mut self, key: OperationKey, place: u32) {
        let before = Box::new(Operations::NOTHING);
        self.taken
            .entry(key.pid)
            .or_default()
            .push(Taken { place, key, before });
    }

    /// Takes a place for operations of a kind. Does nothing if there is none left: they go on being told one by one.
    pub fn take(&mut self, key: OperationKey) {
        let Some(place) = self.spare.pop() else { return };
        // The kernel's flag for "only if there is none": `BPF_NOEXIST`.
        match self.place_of.insert(key, place, 1) {
            Ok(()) => self.note(key, place),
            Err(_) => self.spare.push(place),
        }
    }

    /// Processes that have places.
    pub fn pids(&self) -> Vec<u32> {
        self.taken.keys().copied().collect()
    }

    /// What was summed for a process since it was read last.
    pub fn read(&mut self, pid: u32) -> Vec<(OperationKey, Summed)> {
        let Self { sums, taken, .. } = self;
        let taken = taken.get_mut(&pid).map_or(&mut [][..], Vec::as_mut_slice);
        let mut read = Vec::new();
        for Taken { place, key, before } in taken {
            let Some(now) = sums
                .place(*place as usize)
                .and_then(|place| copy(place, before.count))
            else {
                continue;
            };
            read.push((*key, Summed::between(before, &now)));
            **before = now;
        }
        read
    }

    /// Processes have ended, by their first thread. Their places are free again when they are gone: other threads may go
    /// on for long.
    pub fn release(&mut self, ended: Vec<u32>, is_gone: impl Fn(u32) -> bool) {
        self.ended.extend(ended);
        let (gone, left) = self.ended.iter().partition(|pid| is_gone(**pid));
        self.ended = left;
        Vec::into_iter(gone).for_each(|pid| self.free(pid));
    }

    fn free(&mut self, pid: u32) {
        for Taken { place, key, .. } in self.taken.remove(&pid).into_iter().flatten() {
            // A place that was not to be had after all is not in the table.
            let _ = self.place_of.remove(&key);
            if let Some(sum) = self.sums.place(place as usize) {
                // SAFETY: the place is valid for writes, and its process, who alone would write here, is gone.
                unsafe { sum.write_volatile(Operations::NOTHING) };
            }
            self.spare.push(place);
        }
    }
}

/// Operations that were summed: what lies between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// How many there were, those included that never return.
    pub count: u64,
    /// How long they took together, in nanoseconds.
    pub total_ns: u64,
    /// The shortest and the longest. Exact if it is the shortest or longest of all since the place was taken; else the
    /// bound of its bucket.
    pub min_ns: u64,
    /// See `min_ns`.
    pub max_ns: u64,
    /// How many failed, by `errno`; 0 stands for all that are not told apart.
    pub errors: Vec<(u16, u64)>,
    /// How many lie in each bucket that has some.
    pub buckets: Vec<(u8, u64)>,
}

impl Summed {
    /// What lies between two readings.
    pub fn between(before: &Operations, now: &Operations) -> Self {
        let buckets: Vec<_> = (0..=u8::MAX)
            .zip(now.buckets.iter().zip(&before.buckets))
            .map(|(bucket, (now, before))| (bucket, u64::from(now.wrapping_sub(*before))))
            .filter(|(_, count)| *count > 0)
            .collect();
        let errnos = now.errnos.iter().copied().chain([0]);
        let errors = errnos
            .zip(now.errors.iter().zip(&before.errors))
            .map(|(errno, (now, before))| (errno, u64::from(now.wrapping_sub(*before))))
            .filter(|(_, count)| *count > 0)
            .collect();
        let first = before.buckets.iter().all(|count| *count == 0);
        let lowest = buckets.first().map_or(0, |(bucket, _)| lower_bound(*bucket));
        let highest = buckets.last().map_or(0, |(bucket, _)| upper_bound(*bucket));
        Self {
            count: now.count.wrapping_sub(before.count),
            total_ns: now.total_ns.wrapping_sub(before.total_ns),
            min_ns: match first || now.min_ns < before.min_ns {
                true => now.min_ns,
                false => lowest.max(now.min_ns),
            },
            max_ns: match first || now.max_ns > before.max_ns {
                true => now.max_ns,
                false => highest.min(now.max_ns),
            },
            errors,
            buckets,
        }
    }

    /// Adds what was summed elsewhere.
    pub fn add(&mut self, other: &Self) {
        if !other.buckets.is_empty() {
            self.min_ns = match self.buckets.is_empty() {
                true => other.min_ns,
                false => self.min_ns.min(other.min_ns),
            };
            self.max_ns = self.max_ns.max(other.max_ns);
        }
        self.count += other.count;
        self.total_ns += other.total_ns;
        merge(&mut self.errors, &other.errors);
        merge(&mut self.buckets, &other.buckets);
    }
}

fn merge<K: Copy + Ord>(sums: &mut Vec<(K, u64)>, more: &[(K, u64)]) {
    for &(key, count) in more {
        match sums.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => sums[at].1 += count,
            Err(at) => sums.insert(at, (key, count)),
        }
    }
}

fn lower_bound(bucket: u8) -> u64 {
    profiler_common::histogram::lower_bound(u32::from(bucket))
}

fn upper_bound(bucket: u8) -> u64 {
    profiler_common::histogram::lower_bound(u32::from(bucket) + 1)
}

/// A copy of sums that the kernel side goes on adding to; `None` if there is nothing new since there were `before`.
///
/// While it is copied an operation may be added: then its count is in the copy and its duration is not, and the next
/// reading has the rest.
pub(super) fn copy(place: *const Operations, before: u64) -> Option<Operations> {
    // SAFETY: the place is one of a mapped array.
    let count = unsafe { &raw const (*place).count };
    // SAFETY: as above. Volatile: the kernel side writes meanwhile, number by number.
    let count = unsafe { count.read_volatile() };
    // SAFETY: as above.
    (count != before).then(|| unsafe { place.read_volatile() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(durations: &[u64]) -> Operations {
        let mut sum = Operations::NOTHING;
        durations.iter().for_each(|ns| sum.add(*ns, 0));
        sum
    }

    #[test]
    fn what_is_new_lies_between_two_readings() {
        let before = operations(&[100, 5_000]);
        let mut now = before;
        now.add(300, 11);
        now.add(320, 0);
        let new = Summed::between(&before, &now);
        assert_eq!(
            (new.count, new.total_ns, new.errors.as_slice()),
            (2, 620, &[(11, 1)][..])
        );
        assert_eq!(new.buckets.iter().map(|(_, count)| count).sum::<u64>(), 2);
        // Neither is a record, so the buckets bound them: 288 to 320 and 320 to 352.
        assert_eq!((new.min_ns, new.max_ns), (288, 352));
        now.add(9_000, 0);
        let new = Summed::between(&before, &now);
        assert_eq!((new.min_ns, new.max_ns), (288, 9_000));
        let first = Summed::between(&Operations::NOTHING, &before);
        assert_eq!((first.min_ns, first.max_ns), (100, 5_000));
    }

    #[test]
    fn sums_of_several_cpus_are_one() {
        let mut all = Summed::default();
        for durations in [&[100, 200][..], &[50], &[]] {
            all.add(&Summed::between(&Operations::NOTHING, &operations(durations)));
        }
        assert_eq!(
            (all.count, all.total_ns, all.min_ns, all.max_ns),
            (3, 350, 50, 200)
        );
        assert!(all.buckets.is_sorted());
    }

    #[test]
    fn counts_that_wrapped_are_right() {
        let mut before = operations(&[100]);
        before.buckets.iter_mut().for_each(|count| *count = u32::MAX);
        let mut now = before;
        now.add(100, 0);
        assert_eq!(Summed::between(&before, &now).buckets.len(), 1);
    }
}
