//! What was marked, compared with what is shown now.

use rustc_hash::FxHashMap;

use super::answers::Sort;
use crate::query::{FunctionRow, Functions, Name, Selection, Share};

/// What was shown when it was marked.
#[derive(Debug)]
pub(super) struct Mark {
    /// What was selected. Its time is when that was.
    pub(super) selection: Selection,
    /// From when to when, in nanoseconds since the recording began.
    pub(super) shown_ns: std::ops::Range<u64>,
    functions: Functions,
    /// Where each function is among them.
    places: FxHashMap<Name, usize>,
}

/// A function then and now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChangeRow {
    pub(super) name: Name,
    /// Self and total, in percent of what was shown.
    pub(super) was: [f64; 2],
    pub(super) now: [f64; 2],
    /// How far the truth may be from the differences, in percentage points, 95 % of the time.
    pub(super) plus_minus: [f64; 2],
}

impl ChangeRow {
    /// How much more it has now, in percentage points.
    pub(super) fn change(&self, sort: Sort) -> f64 {
        let place = sort as usize;
        self.now[place] - self.was[place]
    }

    /// Whether chance alone would hardly make such a difference.
    pub(super) fn is_clear(&self, sort: Sort) -> bool {
        self.change(sort).abs() > self.plus_minus[sort as usize]
    }
}

impl Mark {
    /// Of what is shown now.
    pub(super) fn new(functions: Functions, selection: Selection, shown_ns: std::ops::Range<u64>) -> Self {
        let places = functions.rows.iter().enumerate();
        Self {
            places: places
                .map(|(place, row)| (super::answers::name_of(row), place))
                .collect(),
            functions,
            selection,
            shown_ns,
        }
    }

    /// Whether `selection` selects the same, whatever the time.
    pub(super) fn is_of(&self, selection: &Selection) -> bool {
        let when = Selection {
            time: self.selection.time.clone(),
            ..selection.clone()
        };
        when == self.selection
    }

    /// How much of `now` is marked itself, in percent, rounded up: so much of both is the same.
    pub(super) fn common_percent(&self, now: &std::ops::Range<u64>) -> u64 {
        let end = self.shown_ns.end.min(now.end);
        let both = end.saturating_sub(self.shown_ns.start.max(now.start));
        let length = now.end.saturating_sub(now.start).max(1);
        (u128::from(both) * 100).div_ceil(u128::from(length)) as u64
    }

    /// Every function of then and now.
    pub(super) fn compare(&self, now: &Functions) -> Vec<ChangeRow> {
        let mut gone = vec![true; self.functions.rows.len()];
        let mut rows = Vec::with_capacity(now.rows.len());
        for row in &now.rows {
            let name = super::answers::name_of(row);
            let place = self.places.get(&name).copied();
            if let Some(place) = place {
                gone[place] = false;
            }
            let before = place.map(|place| &self.functions.rows[place]);
            rows.push(self.row(name, before, Some(row), now));
        }
        for (row, _) in self.functions.rows.iter().zip(gone).filter(|(_, gone)| *gone) {
            rows.push(self.row(super::answers::name_of(row), Some(row), None, now));
        }
        rows
    }

    fn row(
        &self,
        name: Name,
        was: Option<&FunctionRow>,
        now: Option<&FunctionRow>,
        all: &Functions,
    ) -> ChangeRow {
        let mut change = ChangeRow {
            name,
            was: [0.0; 2],
            now: [0.0; 2],
            plus_minus: [100.0; 2],
        };
        let values: [fn(&FunctionRow) -> u64; 2] = [|row| row.self_value, |row| row.total_value];
        for (place, value) in values.into_iter().enumerate() {
            let share = |row: Option<&FunctionRow>, of: &Functions| {
                Share::of(row.map_or(0, value), of.total_value, of.total_samples)
            };
            let (was, now) = (share(was, &self.functions), share(now, all));
            change.was[place] = was.map_or(0.0, Share::percent);
            change.now[place] = now.map_or(0.0, Share::percent);
            if let (Some(was), Some(now)) = (was, now) {
                change.plus_minus[place] = plus_minus(was, now);
            }
        }
        change
    }
}

/// Newcombe's interval of a difference, the farther end of it (method 10 of Statistics in Medicine 17, 873 (1998)).
fn plus_minus(was: Share, now: Share) -> f64 {
    let end = |one: f64, other: f64| one.hypot(other);
    let below = end(now.share - now.low, was.high - was.share);
    let above = end(now.high - now.share, was.share - was.low);
    below.max(above) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{profile::folded::from_folded, query::functions};

    fn answer(text: &str) -> Functions {
        functions(&from_folded(text), &Selection::default())
    }

    fn mark(text: &str) -> Mark {
        Mark::new(answer(text), Selection::default(), 0..1)
    }

    #[test]
    fn functions_that_came_and_went_are_compared_with_nothing() {
        let rows = mark("a;main;old 50\na;main;both 50").compare(&answer("a;main;new 80\na;main;both 20"));
        let change = |name: &str| {
            let row = rows.iter().find(|row| row.name.label == name).unwrap();
            (row.change(Sort::Own).round(), row.is_clear(Sort::Own))
        };
        assert_eq!(change("old"), (-50.0, true));
        assert_eq!(change("both"), (-30.0, true));
        assert_eq!(change("new"), (80.0, true));
        assert_eq!(change("main"), (0.0, false));
        let main = rows.iter().find(|row| row.name.label == "main").unwrap();
        assert_eq!((main.was[1], main.now[1]), (100.0, 100.0));
    }

    #[test]
    fn what_is_marked_and_shown_now_is_known() {
        let mark = Mark::new(answer("a;f 1"), Selection::default(), 10..20);
        for (now, percent) in [
            (10..20, 100),
            (13..23, 70),
            (19..1019, 1),
            (20..30, 0),
            (0..10, 0),
        ] {
            assert_eq!(mark.common_percent(&now), percent, "{now:?}");
        }
    }

    #[test]
    fn few_samples_make_no_clear_change() {
        let rows = mark("a;f 2\na;g 2").compare(&answer("a;f 3\na;g 1"));
        assert!(rows.iter().all(|row| !row.is_clear(Sort::Own)), "{rows:?}");
        let rows = mark("").compare(&answer("a;f 3"));
        assert!(!rows[0].is_clear(Sort::Own));
    }

    #[test]
    fn the_interval_is_newcombes() {
        // The paper's example (a): 56/70 and 48/80, difference 0.2, method 10: 0.0524 to 0.3339.
        let (now, was) = (Share::of(56, 70, 70).unwrap(), Share::of(48, 80, 80).unwrap());
        assert!(
            (plus_minus(was, now) - 14.76).abs() < 0.05,
            "{}",
            plus_minus(was, now)
        );
    }

    #[test]
    fn a_mark_is_of_what_was_selected_whatever_the_time() {
        let mark = mark("a;f 1");
        let selection = Selection {
            time: Some(0..5),
            ..Selection::default()
        };
        assert!(mark.is_of(&selection));
        assert!(!mark.is_of(&Selection {
            kernel: false,
            ..selection
        }));
    }
}
