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
/// How long a row may be, in milliseconds: what a person reads at a glance.
const ROWS: [u64; 24] = [
    20, 25, 40, 50, 100, 200, 250, 500, 1_000, 2_000, 3_000, 5_000, 6_000, 10_000, 12_000, 15_000, 20_000,
    30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 3_600_000,
];

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
    /// What the largest sample stands for, where all stand for the same.
    grain: u64,
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
        let columns = columns.max(1);
        let end = time.end.max(time.start + 1);
        let fits = |seconds: &&u64| (end - time.start) / (*seconds * SECOND) < columns as u64;
        let column_ns = SECONDS.iter().find(fits).unwrap_or(&SECONDS[SECONDS.len() - 1]) * SECOND;
        let rows = rows_of(column_ns, rows);
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
            grain: 0,
        };
        let (mut least, mut largest) = (u64::MAX, 0);
        let matcher = selection.matcher(profile);
        // How many waits go on at the begin of each cell more than at that of the cell before.
        let mut changes = vec![0i64; heat.values.len() + 1];
        for sample in samples.filter_map(|sample| matcher.part(sample)) {
            if !matcher.is_wait(&sample) {
                heat.add(sample.time_ns, sample.value);
                (least, largest) = (least.min(sample.value), largest.max(sample.value));
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
        // Periods of a clock; waits are as long as they are.
        heat.grain = if least.saturating_mul(2) >= largest {
            largest
        } else {
            0
        };
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

    /// How much there is in a cell.
    pub(super) fn value(&self, (column, row): Cell) -> u64 {
        let value = self.values.get(column * self.rows + row).copied();
        value.unwrap_or(0)
    }

    /// How full a cell is, in so many levels beyond nothing. A row is not a whole number of the clock's periods long, so
    /// under the same load one cell has a sample more than the next: one that lacks one of a full cell's is full.
    pub(super) fn level(&self, cell: Cell, levels: usize) -> usize {
        let value = self.value(cell);
        match value {
            0 => 0,
            _ if value.saturating_add(self.grain) >= self.most => levels,
            _ => (value as f64 / self.most as f64 * levels as f64)
                .ceil()
                .clamp(1.0, levels as f64) as usize,
        }
    }

    /// How many rows lie between two words of the scale.
    pub(super) fn label_rows(&self) -> usize {
        const MOST: usize = 12;
        let steps = [1, 2, 4, 5, 10];
        steps
            .into_iter()
            .find(|step| self.rows <= step * MOST && self.rows.is_multiple_of(*step))
            .unwrap_or(10)
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

    /// The latest cell that is over; the first if none is.
    fn finished(&self) -> Cell {
        let (column, row) = self.cell(self.latest_ns);
        let is_over = self.time((column, row)).end <= self.latest_ns + 1;
        match (is_over, column, row) {
            (true, ..) | (_, 0, 0) => (column, row),
            (_, _, 0) => (column - 1, self.rows.saturating_sub(1)),
            _ => (column, row - 1),
        }
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

/// Into how many rows of round length a column is divided, of so many that there is room for.
fn rows_of(column_ns: u64, room: usize) -> usize {
    let lengths = ROWS.iter().map(|ms| ms * 1_000_000);
    let mut whole = lengths.filter(|&row_ns| column_ns.is_multiple_of(row_ns));
    let rows = whole.find_map(|row_ns| {
        let rows = (column_ns / row_ns) as usize;
        (rows <= room).then_some(rows)
    });
    rows.unwrap_or(1)
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
    /// The moment under the cursor; `None`: in the latest cell that is over.
    pub(super) at_ns: Option<u64>,
    /// Where a range was begun.
    pub(super) begun: Option<Range<u64>>,
}

impl Pointer {
    /// The cell under the cursor.
    pub(super) fn cell(&self, heat: &Heat) -> Cell {
        match self.at_ns {
            Some(at_ns) => heat.cell(at_ns),
            None => heat.finished(),
        }
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
        let cell = (place / height, place % height);
        // There it goes on with the time.
        self.at_ns = (cell != heat.finished()).then(|| heat.time(cell).start);
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
        assert_eq!((heat.value((2, 0)), heat.value((2, 4))), (0, 0));
        assert_eq!((heat.level((2, 4), 4), heat.level((2, 5), 4)), (0, 4));
        assert_eq!(heat.time((2, 5)), 2_500_000_000..2_600_000_000);
        assert_eq!(heat.cell(2_599_999_999), (2, 5));
        assert_eq!(heat.cell(u64::MAX), (5, 9));
    }

    /// So many busy CPUs for 10 s at 99 Hz.
    fn constant(cpus: u64, size: Cell) -> Heat {
        let mut profile = from_folded("app;main 1");
        let sample = profile.samples.remove(0);
        let period = SECOND / 99;
        for number in 0..990 * cpus {
            profile.samples.push(Sample {
                time_ns: number / cpus * period + number % cpus * 1_000_000,
                value: period,
                ..sample
            });
        }
        let all = Selection::default();
        Heat::of(&profile, &all, profile.samples.iter(), 0..10 * SECOND, size)
    }

    #[test]
    fn constant_load_looks_constant_at_any_size() {
        for (cpus, rows) in [(1, 17), (2, 17), (2, 29), (4, 29), (2, 53), (8, 53)] {
            let heat = constant(cpus, (80, rows));
            let cells = (0..9).flat_map(|column| (0..heat.rows()).map(move |row| (column, row)));
            let pale: Vec<_> = cells.filter(|&cell| heat.level(cell, 4) < 4).collect();
            assert!(pale.is_empty(), "{cpus} CPUs, {rows} rows: {pale:?}");
        }
    }

    #[test]
    fn rows_are_of_round_length() {
        let lengths = [
            (SECOND, 17),
            (SECOND, 29),
            (SECOND, 53),
            (60 * SECOND, 17),
            (3600 * SECOND, 17),
            (SECOND, 1),
        ];
        let lengths = lengths.map(|(column, room)| column / rows_of(column, room) as u64 / 1_000_000);
        assert_eq!(lengths, [100, 40, 20, 5_000, 300_000, 1_000]);
    }

    #[test]
    fn the_cursor_begins_in_the_latest_cell_that_is_over() {
        let profile = from_folded("app;main 600");
        let all = Selection::default();
        let at = |end_ns| {
            let heat = Heat::of(&profile, &all, profile.samples.iter(), 0..end_ns, (80, 10));
            Pointer::default().cell(&heat)
        };
        assert_eq!([at(5_970_000_000), at(5_000_000_001)], [(5, 8), (4, 9)]);
        assert_eq!([at(6_000_000_000), at(1)], [(5, 9), (0, 0)]);
    }

    #[test]
    fn every_cell_is_where_its_first_moment_is() {
        let heat = heat((80, 17));
        for cell in (0..6).flat_map(|column| (0..heat.rows()).map(move |row| (column, row))) {
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
            .map(|place| heat.value((place / 2, place % 2)) / 1_000_000)
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
        assert_eq!((none.columns(), none.value((9, 9))), (1, 0));
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
