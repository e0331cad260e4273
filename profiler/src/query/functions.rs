//! Which functions the samples were in.

use super::{Name, Names, Selection, weight::Weight, weight::weigh};
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
    let mut names = Names::new(profile);
    // By number of the name: self, total, and the latest stack it was counted for.
    let mut rows: Vec<(Weight, Weight, usize)> = Vec::new();
    let mut sum = Weight::default();
    for (turn, ((_, stack), weight)) in weigh(profile, selection).into_iter().enumerate() {
        sum.add(weight);
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
    Functions {
        rows,
        total_value: sum.value,
        total_samples: sum.samples,
    }
}
