//! How the share of a function went over time: whether it is hot all the time, now and then, or only since a while.

use std::ops::Range;

use crate::{
    profile::{Profile, Sample},
    query::{Name, Selection},
};

/// So many samples belong to a stretch on average, or it would show chance.
const ENOUGH: usize = 20;

/// Of a stretch of time, divided into equal parts: how much of what was sampled had a function on its stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    /// From when to when, in nanoseconds.
    pub(super) time: Range<u64>,
    /// For each part thousandths of all that was sampled in it; 0 where nothing was.
    pub(super) shares: Vec<u64>,
}

impl Course {
    /// Of those `samples` that are selected, those with `function`; in so many parts at most.
    pub(super) fn of<'a>(
        profile: &Profile,
        selection: &Selection,
        function: &Name,
        samples: impl Iterator<Item = &'a Sample>,
        time: Range<u64>,
        parts: usize,
    ) -> Self {
        let with = Selection {
            function: Some(function.clone()),
            ..selection.clone()
        };
        let (all, with) = (selection.matcher(profile), with.matcher(profile));
        let selected: Vec<&Sample> = samples
            .filter(|sample| time.contains(&sample.time_ns) && all.matches(sample))
            .collect();
        let parts = (selected.len() / ENOUGH).clamp(1, parts.max(1));
        let length = (time.end.saturating_sub(time.start) / parts as u64 + 1).max(1);
        let mut sums = vec![(0u64, 0u64); parts];
        for sample in selected {
            let part = ((sample.time_ns - time.start) / length) as usize;
            let (had, whole) = &mut sums[part.min(parts - 1)];
            *whole = whole.saturating_add(sample.value);
            if with.matches(sample) {
                *had = had.saturating_add(sample.value);
            }
        }
        let share = |(had, whole): (u64, u64)| (u128::from(had) * 1000 / u128::from(whole.max(1))) as u64;
        Self {
            time,
            shares: sums.into_iter().map(share).collect(),
        }
    }

    /// The largest share, in percent.
    pub(super) fn most_percent(&self) -> f64 {
        self.shares.iter().copied().max().unwrap_or(0) as f64 / 10.0
    }

    /// The latest share, in percent.
    pub(super) fn latest_percent(&self) -> f64 {
        self.shares.last().copied().unwrap_or(0) as f64 / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    #[test]
    fn a_function_that_came_late_has_a_course_that_rises() {
        let mut profile = from_folded("app;main;f 100\napp;main;g 60\napp;main;f 40");
        for (sample, number) in profile.samples.iter_mut().zip(0..) {
            sample.time_ns = number * 100;
        }
        let name = |label: &str| Name {
            label: label.into(),
            module: "app".into(),
            kernel: false,
        };
        let of = |label, parts| {
            let all = Selection::default();
            Course::of(
                &profile,
                &all,
                &name(label),
                profile.samples.iter(),
                0..19_999,
                parts,
            )
        };
        assert_eq!(of("g", 2).shares, [0, 600]);
        assert_eq!(of("main", 4).shares, [1000; 4]);
        let course = of("g", 100);
        assert_eq!(
            (
                course.shares.len(),
                course.most_percent(),
                course.latest_percent()
            ),
            (10, 100.0, 0.0)
        );
        assert_eq!(of("nothing", 1).shares, [0]);
    }

    #[test]
    fn of_nothing_there_is_a_course_all_the_same() {
        let name = Name {
            label: "f".into(),
            module: String::new(),
            kernel: false,
        };
        let course = Course::of(
            &Profile::default(),
            &Selection::default(),
            &name,
            [].iter(),
            5..5,
            9,
        );
        assert_eq!((course.shares, course.time), (vec![0], 5..5));
    }
}
