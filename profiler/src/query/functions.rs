//! Which functions the samples were in.

use super::{
    Name, Names, Selection,
    weight::{Weight, Weights},
};
use crate::profile::Profile;

/// One function and what was sampled in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// See [`super::Frame::label`]. Raw.
    pub label: String,
    /// See [`super::Frame::module`]. Raw.
    pub module: String,
    /// Whether it runs in the kernel.
    pub kernel: bool,
    /// Value of the samples in which it was the innermost shown function.
    pub self_value: u64,
    /// Value of the samples with it anywhere on the stack. Recursion counts once.
    pub total_value: u64,
    /// How many samples `self_value` is.
    pub self_samples: u64,
    /// How many samples `total_value` is.
    pub total_samples: u64,
}

/// Every function on a selected stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    /// By self value, then total value, largest first, then by name.
    pub rows: Vec<FunctionRow>,
    /// Value of all selected samples: what shares are of. The self values of all rows sum to it.
    pub total_value: u64,
    /// How many samples were selected.
    pub total_samples: u64,
}

/// Which functions the selected samples were in. A sample without a shown frame counts under a name in brackets.
pub fn functions(profile: &Profile, selection: &Selection) -> Functions {
    functions_of(profile, selection, &Weights::of(profile, selection))
}

/// As [`functions`], of what was added up for this selection.
pub fn functions_of(profile: &Profile, selection: &Selection, weights: &Weights) -> Functions {
    let mut names = Names::new(profile);
    // By number of the name: self, total, and the latest stack it was counted for.
    let mut rows: Vec<(Weight, Weight, usize)> = Vec::new();
    for (turn, &((_, stack), weight)) in weights.by_end().iter().enumerate() {
        let mut innermost = true;
        let mut count = |number: u32| {
            let number = number as usize;
            if rows.len() <= number {
                rows.resize(number + 1, (Weight::default(), Weight::default(), usize::MAX));
            }
            let (own, total, latest) = &mut rows[number];
            if std::mem::take(&mut innermost) {
                own.add(weight);
            }
            if *latest != turn {
                *latest = turn;
                total.add(weight);
            }
        };
        let locations = stack
            .into_iter()
            .flat_map(|stack| profile.stacks.locations(stack));
        let mut shown = false;
        for location in locations.filter(|&location| selection.shows(profile, location)) {
            shown = true;
            names.at(location).iter().copied().for_each(&mut count);
        }
        if !shown {
            count(names.number(Name::remark(selection.nothing_left())));
        }
    }
    let mut rows: Vec<FunctionRow> = names
        .into_names()
        .into_iter()
        .zip(rows)
        .map(|(name, (own, total, _))| FunctionRow {
            label: name.label,
            module: name.module,
            kernel: name.kernel,
            self_value: own.value,
            total_value: total.value,
            self_samples: own.samples,
            total_samples: total.samples,
        })
        .collect();
    rows.sort_by(|a, b| {
        (b.self_value, b.total_value)
            .cmp(&(a.self_value, a.total_value))
            .then_with(|| (&a.label, &a.module).cmp(&(&b.label, &b.module)))
    });
    let sum = weights.sum();
    Functions {
        rows,
        total_value: sum.value,
        total_samples: sum.samples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::{PERIOD_NS, from_folded};

    fn rows(text: &str, selection: &Selection) -> Vec<(String, u64, u64)> {
        functions(&from_folded(text), selection)
            .rows
            .into_iter()
            .map(|row| (row.label, row.self_samples, row.total_samples))
            .collect()
    }

    fn row(label: &str, own: u64, total: u64) -> (String, u64, u64) {
        (label.to_owned(), own, total)
    }

    #[test]
    fn the_innermost_function_owns_the_sample_and_callers_share_it() {
        let got = rows("a;main;f;g 3\na;main;f 1", &Selection::default());
        assert_eq!(got, [row("g", 3, 3), row("f", 1, 4), row("main", 0, 4)]);
    }

    #[test]
    fn a_recursive_function_counts_once_in_its_total() {
        let got = rows("a;main;f;f;f 2\na;main;f;g;f 1", &Selection::default());
        assert_eq!(got, [row("f", 3, 3), row("main", 0, 3), row("g", 0, 1)]);
    }

    #[test]
    fn self_values_sum_to_the_total_whatever_is_hidden() {
        let profile = from_folded("a;main;read_[k] 2\nkworker;work_[k] 3\na 1");
        for (kernel, user) in [(true, true), (false, true), (true, false), (false, false)] {
            let selection = Selection {
                kernel,
                user,
                ..Selection::default()
            };
            let all = functions(&profile, &selection);
            let sum: u64 = all.rows.iter().map(|row| row.self_value).sum();
            assert_eq!((sum, all.total_samples), (6 * PERIOD_NS, 6), "{selection:?}");
            assert_eq!(all.total_value, sum);
        }
    }

    #[test]
    fn without_kernel_frames_the_caller_of_the_kernel_owns_the_sample() {
        let selection = Selection {
            kernel: false,
            ..Selection::default()
        };
        let got = rows("a;main;read_[k] 2\nkworker;work_[k] 3", &selection);
        assert_eq!(got, [row("[kernel, not shown]", 3, 3), row("main", 2, 2)]);
    }

    #[test]
    fn equal_names_in_two_modules_are_two_functions() {
        let got = functions(&from_folded("a;x.so`f 2\na;y.so`f 1"), &Selection::default());
        let modules: Vec<_> = got.rows.iter().map(|row| row.module.as_str()).collect();
        assert_eq!(modules, ["x.so", "y.so"]);
    }

    #[test]
    fn values_that_a_file_made_up_saturate() {
        let mut profile = from_folded("a;main 2");
        profile
            .samples
            .iter_mut()
            .for_each(|sample| sample.value = u64::MAX);
        assert_eq!(functions(&profile, &Selection::default()).total_value, u64::MAX);
    }
}
