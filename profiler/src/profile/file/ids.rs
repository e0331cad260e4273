//! From the file's row numbers to the profile's ids, which differ once rows are missing or repeated.

use crate::profile::Id;

/// Where the file's rows of one table are in the profile: runs of rows that are there, with gaps between them.
pub(super) struct Ids<T> {
    runs: Vec<(u64, Vec<Id<T>>)>,
}

impl<T> Default for Ids<T> {
    fn default() -> Self {
        Self { runs: Vec::new() }
    }
}

impl<T> Ids<T> {
    /// Says which rows the next [`push`](Self::push)es are; not before those that are there.
    pub(super) fn continue_at(&mut self, row: u64) {
        if self.end() != Some(row) {
            self.runs.push((row, Vec::new()));
        }
    }

    /// The file's next row is this one of the profile.
    pub(super) fn push(&mut self, id: Id<T>) {
        let (_, ids) = self.runs.last_mut().expect("continue_at comes first");
        ids.push(id);
    }

    /// The id of the file's row, if it was there.
    pub(super) fn get(&self, row: Id<T>) -> Option<Id<T>> {
        let row = u64::from(row.raw());
        let after = self.runs.partition_point(|(first, _)| *first <= row);
        let (first, ids) = self.runs.get(after.checked_sub(1)?)?;
        ids.get(usize::try_from(row - first).ok()?).copied()
    }

    fn end(&self) -> Option<u64> {
        self.runs.last().map(|(first, ids)| first + ids.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_a_gap_are_not_there_and_those_after_it_are() {
        let mut ids = Ids::<()>::default();
        assert_eq!(ids.get(Id::new(0)), None);
        ids.continue_at(0);
        ids.push(Id::new(0));
        ids.continue_at(1);
        ids.push(Id::new(1));
        ids.continue_at(5);
        ids.push(Id::new(7));
        let found: Vec<_> = (0..7).map(|row| ids.get(Id::new(row)).map(Id::raw)).collect();
        assert_eq!(found, [Some(0), Some(1), None, None, None, Some(7), None]);
        assert_eq!(ids.runs.len(), 2);
    }
}
