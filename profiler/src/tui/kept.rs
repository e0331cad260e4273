//! Rows about stretches of time, as many as there is room for.

use std::{collections::VecDeque, hash::Hash, ops::Range};

use rustc_hash::FxHashMap;

use super::compact::Compaction;
use crate::profile::Profile;

/// A row that sums up what belongs to its key in a stretch of time. Two with one key can be added up.
pub(super) trait Row: Clone {
    /// What the row is about.
    type Key: Copy + Eq + Hash;

    /// What the row is about.
    fn key(&self) -> Self::Key;
    /// The stretch of time, in nanoseconds since the recording began.
    fn range(&self) -> Range<u64>;
    /// Adds another row with the same key; the stretch grows to hold both.
    fn join(&mut self, other: &Self);
    /// Puts the row among those of many processes.
    fn fold(&mut self, profile: &mut Profile, crowd: Crowd);
    /// Takes along what the row refers to.
    fn keep(&mut self, compaction: &mut Compaction<'_>);
}

/// Many processes under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// Those that have this row's name.
    Namesakes,
    /// All.
    Everybody,
}

/// How long the stretches may get to which rows are joined.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stretch {
    /// As long as it takes.
    Any,
    /// So many times shorter than what lies behind them, so that any stretch up to now has a border nearly where it
    /// should be.
    PartOfAge(u64),
}

/// Rows in the order in which they came, at most so many. When there would be more, rows about the same are joined to
/// longer and longer stretches of time. Where that does not help, since a host that starts thousands of processes has
/// thousands of keys, the processes that have not been heard of for longest are put together, first by their names.
/// Sums stay exact whatever is joined; what becomes coarse is when something was, and which process did it.
#[derive(Debug)]
pub(super) struct Kept<T> {
    rows: VecDeque<T>,
    most: usize,
    /// One after the other, until there is room.
    stretches: &'static [Stretch],
}

impl<T: Row> Kept<T> {
    /// None yet.
    pub(super) fn new(most: usize, stretches: &'static [Stretch]) -> Self {
        Self {
            rows: VecDeque::new(),
            most,
            stretches,
        }
    }

    /// One row more. Those that are put together become rows of `profile`.
    pub(super) fn push(&mut self, row: T, profile: &mut Profile) {
        if self.rows.len() >= self.most {
            self.make_room(profile);
        }
        self.rows.push_back(row);
    }

    /// All rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.rows.iter()
    }

    /// Drops what ended by `start_ns`. Rows are nearly in the order of their ends: the few that are not go later.
    pub(super) fn forget_until(&mut self, start_ns: u64) {
        while self.rows.front().is_some_and(|row| row.range().end <= start_ns) {
            self.rows.pop_front();
        }
    }

    /// Takes along what the rows refer to.
    pub(super) fn keep(&mut self, compaction: &mut Compaction<'_>) {
        self.rows.iter_mut().for_each(|row| row.keep(compaction));
    }

    /// Half of the room is free afterwards, so that the work is worth it.
    fn make_room(&mut self, profile: &mut Profile) {
        let Some(&longest) = self.stretches.last() else {
            return;
        };
        if self.stretches.iter().any(|&stretch| self.join(stretch)) {
            return;
        }
        for (crowd, part) in [
            (Crowd::Namesakes, 3),
            (Crowd::Everybody, 3),
            (Crowd::Everybody, 4),
        ] {
            self.fold(profile, crowd, part);
            if self.join(longest) {
                return;
            }
        }
    }

    /// Joins rows about the same. Whether there is room then.
    fn join(&mut self, stretch: Stretch) -> bool {
        self.rows = joined(&self.rows, stretch);
        // A row that grew is as new as what it grew by.
        self.rows.make_contiguous().sort_by_key(|row| row.range().end);
        self.rows.len() <= self.most / 2
    }

    /// Puts those together of which there was no news for longest: so many quarters of the rows, or fewer.
    fn fold(&mut self, profile: &mut Profile, crowd: Crowd, quarters: usize) {
        let mut news: FxHashMap<T::Key, u64> = FxHashMap::default();
        for row in &self.rows {
            let latest = news.entry(row.key()).or_default();
            *latest = (*latest).max(row.range().end);
        }
        let mut ends: Vec<u64> = self.rows.iter().map(|row| news[&row.key()]).collect();
        let border = match ends.len() / 4 * quarters {
            place if quarters < 4 && place < ends.len() => *ends.select_nth_unstable(place).1,
            _ => u64::MAX,
        };
        for row in &mut self.rows {
            if news[&row.key()] < border {
                row.fold(profile, crowd);
            }
        }
    }
}

/// The rows with those about the same joined.
pub(super) fn joined<'a, T: Row + 'a>(
    rows: impl IntoIterator<Item = &'a T, IntoIter: Clone>,
    stretch: Stretch,
) -> VecDeque<T> {
    let rows = rows.into_iter();
    let latest = rows.clone().map(|row| row.range().end).max().unwrap_or(0);
    let may_be_one = |a: &T, b: &T| {
        let (a, b) = (a.range(), b.range());
        let both = a.start.min(b.start)..a.end.max(b.end);
        match stretch {
            Stretch::Any => true,
            Stretch::PartOfAge(part) => {
                both == a
                    || both == b
                    || both.end.saturating_sub(both.start) <= (latest - both.end) / part.max(1)
            }
        }
    };
    let mut joined: VecDeque<T> = VecDeque::new();
    let mut places: FxHashMap<T::Key, usize> = FxHashMap::default();
    for row in rows {
        let place = places.entry(row.key()).or_insert(joined.len());
        match joined.get_mut(*place) {
            Some(before) if may_be_one(before, row) => before.join(row),
            _ => {
                *place = joined.len();
                joined.push_back(row.clone());
            }
        }
    }
    joined
}
