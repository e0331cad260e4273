//! Time as a map: a column for each second, from top to bottom through the second. What comes and goes within a second,
//! or happens once in a minute, is seen as a pattern.

use std::ops::Range;

use crate::{
    profile::{Profile, Sample},
    query::Selection,
};

const SECOND: u64 = 1_000_000_000;
/// How many seconds a column may stand for. Longer recordings do not fit whole.
const SECONDS: [u64; 9] = [1, 2, 5, 10, 30, 60, 300, 600, 3600];

/// A cell: column and row.
pub(super) type Cell = (usize, usize);

/// How much was sampled when.
#[derive(Debug, Default)]
pub(super) struct Heat {
    start_ns: u64,
    /// The latest moment on the map.
    latest_ns: u64,
    column_ns: u64,
    rows: usize,
    /// Column by column, from top to bottom.
    values: Vec<u64>,
    most: u64,
}

impl Heat {
    /// Of those `samples` between begin and end that are selected, in so many columns and rows at most; the latest if
    /// there are too many.
    pub(super) fn of<'a>(
        profile: &Profile,
        selection: &Selection,
        samples: impl Iterator<Item = &'a Sample>,
        time: Range<u64>,
        (columns, rows): (usize, usize),
    ) -> Self {
        let (columns, rows) = (columns.max(1), rows.max(1));
        let end = time.end.max(time.start + 1);
        let fits = |seconds: &&u64| (end - time.start) / (*seconds * SECOND) < columns as u64;
        let column_ns = SECONDS.iter().find(fits).unwrap_or(&SECONDS[SECONDS.len() - 1]) * SECOND;
        let last = (end - 1) / column_ns;
        let first = (time.start / column_ns).max((last + 1).saturating_sub(columns as u64));
        let start_ns = first * column_ns;
        let mut heat = Self {
            start_ns,
            latest_ns: end - 1,
            column_ns,
            rows,
            values: vec![0; (last - first + 1) as usize * rows],
            most: 0,
        };
        let matcher = selection.matcher(profile);
        // How many waits go on at the begin of each cell more than at that of the cell before.
        let mut changes = vec![0i64; heat.values.len() + 1];
        for sample in samples.filter_map(|sample| matcher.part(sample)) {
            if !matcher.is_wait(&sample) {
                heat.add(sample.time_ns, sample.value);
                continue;
            }
            heat.add_wait(
                sample.time_ns.saturating_sub(sample.value)..sample.time_ns,
                &mut changes,
            );
        }
        let mut going_on = 0;
        for (place, change) in changes.iter().take(heat.values.len()).enumerate() {
            going_on += change;
            if going_on == 0 {
                continue;
            }
            let time = heat.time((place / rows, place % rows));
            let waited = (time.end - time.start).saturating_mul(going_on.unsigned_abs());
            heat.values[place] = heat.values[place].saturating_add(waited);
        }
        heat.most = usual_most(&heat.values);
        heat
    }

    /// Where a moment is among the values, if it is on the map.
    fn place(&self, ns: u64) -> Option<usize> {
        let since = ns.checked_sub(self.start_ns)?;
        let row = u128::from(since % self.column_ns) * self.rows as u128 / u128::from(self.column_ns);
        let place = usize::try_from(since / self.column_ns).ok()?;
        let place = place.checked_mul(self.rows)?.checked_add(row as usize)?;
        (place < self.values.len()).then_some(place)
    }

    /// What was at a moment.
    fn add(&mut self, ns: u64, value: u64) {
        if let Some(value_there) = self.place(ns).and_then(|place| self.values.get_mut(place)) {
            *value_there = value_there.saturating_add(value);
        }
    }

    /// A wait lies in all cells from its begin to its end: in the first and in the last a part of it, and from the second to
    /// the last but one it goes on, as `changes` say.
    fn add_wait(&mut self, wait: Range<u64>, changes: &mut [i64]) {
        let end = wait.end.saturating_sub(1).min(self.latest_ns);
        let start = wait.start.max(self.start_ns);
        let (Some(first), Some(last)) = (self.place(start), self.place(end)) else {
            return;
        };
        if start > end {
            return;
        }
        let end = end + 1;
        if first == last {
            return self.add(start, end - start);
        }
        let begin_of = |place: usize| self.time((place / self.rows, place % self.rows)).start;
        let (after_first, before_last) = (begin_of(first + 1), begin_of(last));
        self.values[first] = self.values[first].saturating_add(after_first - start);
        self.values[last] = self.values[last].saturating_add(end - before_last);
        changes[first + 1] += 1;
        changes[last] -= 1;
    }

    pub(super) fn columns(&self) -> usize {
        self.values.len() / self.rows.max(1)
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How long a column is, in nanoseconds.
    pub(super) fn column_ns(&self) -> u64 {
        self.column_ns
    }

    /// How much there is in a cell, and in a full one.
    pub(super) fn value(&self, (column, row): Cell) -> (u64, u64) {
        let value = self.values.get(column * self.rows + row).copied();
        (value.unwrap_or(0), self.most)
    }

    /// When a cell is.
    pub(super) fn time(&self, (column, row): Cell) -> Range<u64> {
        let begin = self.start_ns + column as u64 * self.column_ns;
        // Rounded up, so that the first moment of a cell lies in it.
        let at = |row: usize| {
            let within = (u128::from(self.column_ns) * row as u128).div_ceil(self.rows.max(1) as u128);
            begin.saturating_add(within as u64)
        };
        at(row)..at(row + 1)
    }

    /// The cell at a moment, or the nearest.
    pub(super) fn cell(&self, ns: u64) -> Cell {
        let column = (ns.saturating_sub(self.start_ns) / self.column_ns.max(1)) as usize;
        match column < self.columns() {
            true => {
                let within = ns.saturating_sub(self.start_ns) % self.column_ns.max(1);
                let row = u128::from(within) * self.rows as u128 / u128::from(self.column_ns.max(1));
                (column, row as usize)
            }
            false => (self.columns().saturating_sub(1), self.rows.saturating_sub(1)),
        }
    }
}

/// What 95 % of the cells that are not empty stay below: a single wait of a minute would leave all others pale.
fn usual_most(values: &[u64]) -> u64 {
    let mut values: Vec<u64> = values.iter().copied().filter(|value| *value > 0).collect();
    let place = values.len() * 95 / 100;
    match place < values.len() {
        true => *values.select_nth_unstable(place).1,
        false => 0,
    }
}

/// Where on the map one is, as moments: the map moves on under them.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    /// The moment under the cursor; `None`: the latest.
    pub(super) at_ns: Option<u64>,
    /// Where a range was begun.
    pub(super) begun: Option<Range<u64>>,
}

impl Pointer {
    /// The cell under the cursor.
    pub(super) fn cell(&self, heat: &Heat) -> Cell {
        heat.cell(self.at_ns.unwrap_or(heat.latest_ns))
    }

    /// Moves the cursor by so many columns and rows. Beyond the end of a column the next begins.
    pub(super) fn go(&mut self, heat: &Heat, columns: isize, rows: isize) {
        let (column, row) = self.cell(heat);
        let height = heat.rows().max(1);
        let cells = heat.columns() * height;
        let steps = columns.saturating_mul(height as isize).saturating_add(rows);
        let place = (column * height + row)
            .saturating_add_signed(steps)
            .min(cells.saturating_sub(1));
        self.at_ns = (place + 1 < cells).then(|| heat.time((place / height, place % height)).start);
    }

    /// Begins a range at the cursor, or ends it there; then it is whole.
    pub(super) fn mark(&mut self, heat: &Heat) -> Option<Range<u64>> {
        let here = heat.time(self.cell(heat));
        match self.begun.take() {
            Some(begun) => Some(begun.start.min(here.start)..begun.end.max(here.end)),
            None => {
                self.begun = Some(here);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::{from_folded, with_waits};

    /// A sample every 10 ms, 6 s long; nothing from 2.0 to 2.5 s.
    fn heat(size: Cell) -> Heat {
        let mut profile = from_folded("app;main 600");
        profile
            .samples
            .retain(|sample| !(2_000_000_000..2_500_000_000).contains(&sample.time_ns));
        let selection = Selection::default();
        Heat::of(&profile, &selection, profile.samples.iter(), 0..6 * SECOND, size)
    }

    #[test]
    fn every_second_is_a_column() {
        let heat = heat((80, 10));
        assert_eq!((heat.columns(), heat.rows(), heat.column_ns()), (6, 10, SECOND));
        assert_eq!((heat.value((2, 0)).0, heat.value((2, 4)).0), (0, 0));
        let (value, most) = heat.value((2, 5));
        assert!(value > 0 && value == most);
        assert_eq!(heat.time((2, 5)), 2_500_000_000..2_600_000_000);
        assert_eq!(heat.cell(2_599_999_999), (2, 5));
        assert_eq!(heat.cell(u64::MAX), (5, 9));
    }

    #[test]
    fn every_cell_is_where_its_first_moment_is() {
        let heat = heat((80, 17));
        for cell in (0..6).flat_map(|column| (0..17).map(move |row| (column, row))) {
            assert_eq!(heat.cell(heat.time(cell).start), cell);
        }
    }

    #[test]
    fn a_wait_lies_where_it_was() {
        let mut profile = with_waits(from_folded(""), "app;main;sleep 3250");
        profile.samples[0].time_ns = 4_500_000_000;
        let selection = Selection {
            sample_types: vec![1],
            ..Selection::default()
        };
        let heat = Heat::of(
            &profile,
            &selection,
            profile.samples.iter(),
            0..6 * SECOND,
            (80, 2),
        );
        let values: Vec<u64> = (0..12)
            .map(|place| heat.value((place / 2, place % 2)).0 / 1_000_000)
            .collect();
        assert_eq!(values, [0, 0, 250, 500, 500, 500, 500, 500, 500, 0, 0, 0]);
    }

    #[test]
    fn what_does_not_fit_is_put_together_or_left_out() {
        assert_eq!(
            (heat((4, 3)).columns(), heat((4, 3)).column_ns()),
            (3, 2 * SECOND)
        );
        let profile = from_folded("app;main 2");
        let all = Selection::default();
        let long = Heat::of(&profile, &all, profile.samples.iter(), 0..u64::MAX, (5, 3));
        assert_eq!(long.columns(), 5);
        let none = Heat::of(&profile, &all, profile.samples.iter(), 0..0, (5, 3));
        assert_eq!((none.columns(), none.value((9, 9)).0), (1, 0));
    }

    #[test]
    fn two_marks_are_a_range_whichever_comes_first() {
        let heat = heat((80, 10));
        let mut pointer = Pointer::default();
        assert_eq!(pointer.cell(&heat), (5, 9));
        pointer.go(&heat, -2, 0);
        assert_eq!(pointer.mark(&heat), None);
        pointer.go(&heat, -1, -9);
        assert_eq!(pointer.mark(&heat), Some(2_000_000_000..4_000_000_000));
        pointer.go(&heat, isize::MIN, 0);
        assert_eq!(pointer.cell(&heat), (0, 0));
        pointer.go(&heat, 0, 10);
        assert_eq!(pointer.cell(&heat), (1, 0));
    }
}
