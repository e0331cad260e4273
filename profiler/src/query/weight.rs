//! Samples added up by stack: what functions and trees are counted from.

use rustc_hash::FxHashMap;

use super::Selection;
use crate::profile::{Id, Outcome, Profile, Stack};

/// What a stack weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) value: u64,
    pub(super) samples: u64,
}

impl Weight {
    pub(super) fn add(&mut self, other: Self) {
        // Values come from a file that anybody may have written: they saturate.
        self.value = self.value.saturating_add(other.value);
        self.samples += other.samples;
    }
}

/// A distinct stack and how the walk of it ended.
pub(super) type Ended = (Outcome, Option<Id<Stack>>);

/// The selected samples by stack and outcome, sorted by both.
pub(super) fn weigh(profile: &Profile, selection: &Selection) -> Vec<(Ended, Weight)> {
    let mut weights: FxHashMap<Ended, Weight> = FxHashMap::default();
    for sample in selection.matcher(profile).samples() {
        weights
            .entry((sample.outcome, sample.stack))
            .or_default()
            .add(Weight {
                value: sample.value,
                samples: 1,
            });
    }
    let mut weights: Vec<_> = weights.into_iter().collect();
    weights.sort_unstable_by_key(|&(ended, _)| ended);
    weights
}
