//! From one place where the filter matches to the next.

use super::{
    app::{App, Tab},
    keys::Action,
};

impl App {
    /// So many matches on or back. In tables all rows match: there it is the next row.
    pub(super) fn find(&mut self, steps: isize) {
        if self.filter.is_empty() {
            let key = self.key(Action::Filter);
            return self.say(&format!("nothing is looked for: {key} does"));
        }
        if self.is_flame() {
            if let Some(forest) = &self.answers.forest {
                self.flame.find(forest, steps);
            }
        } else if self.tab == Tab::Stacks {
            let found = self.found_rows();
            if let Some(row) = next(&found, &self.shown_list().cursor(), steps) {
                self.list().move_to(row);
            }
        } else {
            self.list().move_by(steps);
        }
    }

    /// Rows of the tree that match themselves, not by what is above or below them.
    fn found_rows(&self) -> Vec<usize> {
        let Some(forest) = &self.answers.forest else {
            return Vec::new();
        };
        let filter = &self.filter;
        let rows = self.branch_rows.iter().enumerate();
        let found = rows.filter(|(_, row)| {
            let name = forest.trees[row.tree].1.name(row.node);
            filter.is_in(&name.label) || filter.is_in(&name.module)
        });
        found.map(|(index, _)| index).collect()
    }
}

/// The place after `here`, or so many on or back; after the last comes the first. `places` are in order.
pub(super) fn next<T: Ord + Copy>(places: &[T], here: &T, steps: isize) -> Option<T> {
    let count = isize::try_from(places.len()).ok().filter(|&count| count > 0)?;
    let from = match steps > 0 {
        true => places.partition_point(|place| place <= here) as isize - 1,
        false => places.partition_point(|place| place < here) as isize,
    };
    places
        .get(from.saturating_add(steps).rem_euclid(count) as usize)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn matches_follow_one_another_in_a_circle() {
        let places = [3, 5, 9];
        for (here, steps, there) in [
            (0, 1, 3),
            (3, 1, 5),
            (4, 1, 5),
            (9, 1, 3),
            (9, -1, 5),
            (4, -1, 3),
            (3, -1, 9),
        ] {
            assert_eq!(next(&places, &here, steps), Some(there), "{here} {steps}");
        }
        assert_eq!(next(&[], &1, 1), None);
        assert_eq!(next(&[7], &7, -1), Some(7));
    }
}
