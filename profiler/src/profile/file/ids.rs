//! From the file's row numbers to the profile's ids, which differ once rows are missing or repeated.

use crate::profile::Id;

/// Where the file's rows of one table are in the profile: runs of rows that are there one after the other, as all of an
/// undamaged file are.
pub(super) struct Ids<T> {
    runs: Vec<Run<T>>,
    /// The file's row that is pushed next.
    next: u64,
}

struct Run<T> {
    first: u64,
    len: u32,
    id: Id<T>,
}

impl<T> Default for Ids<T> {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            next: 0,
        }
    }
}

impl<T> Ids<T> {
    /// Says which rows the next [`push`](Self::push)es are; not before those that are there.
    pub(super) fn continue_at(&mut self, row: u64) {
        self.next = row;
    }

    /// The file's next row is this one of the profile.
    pub(super) fn push(&mut self, id: Id<T>) {
        let row = self.next;
        self.next += 1;
        match self.runs.last_mut() {
            Some(run)
                if run.first + u64::from(run.len) == row
                    && run.id.raw().checked_add(run.len) == Some(id.raw()) =>
            {
                run.len += 1;
            }
            _ => self.runs.push(Run {
                first: row,
                len: 1,
                id,
            }),
        }
    }

    /// The id of the file's row, if it was there.
    pub(super) fn get(&self, row: Id<T>) -> Option<Id<T>> {
        let row = u64::from(row.raw());
        let run = match &self.runs[..] {
            [all] => all,
            runs => {
                let after = runs.partition_point(|run| run.first <= row);
                runs.get(after.checked_sub(1)?)?
            }
        };
        let place = u32::try_from(row.checked_sub(run.first)?).ok()?;
        (place < run.len).then(|| Id::new(run.id.raw() + place))
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

    #[test]
    fn rows_that_were_known_before_keep_their_ids() {
        let mut ids = Ids::<()>::default();
        ids.continue_at(3);
        let known = [4, 5, 2, 2, 6];
        known.into_iter().for_each(|id| ids.push(Id::new(id)));
        let found: Vec<_> = (2..9).map(|row| ids.get(Id::new(row)).map(Id::raw)).collect();
        assert_eq!(found, [None, Some(4), Some(5), Some(2), Some(2), Some(6), None]);
    }
}
