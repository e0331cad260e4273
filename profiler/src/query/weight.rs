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
    let mut weights: FxHashMap<u64, Weight> = FxHashMap::default();
    for sample in selection.matcher(profile).samples() {
        weights
            .entry(packed((sample.outcome, sample.stack)))
            .or_default()
            .add(Weight {
                value: sample.value,
                samples: 1,
            });
    }
    let mut weights: Vec<_> = weights.into_iter().collect();
    weights.sort_unstable_by_key(|&(key, _)| key);
    let unpacked = |(key, weight)| (unpacked(key), weight);
    weights.into_iter().map(unpacked).collect()
}

/// Both as one number, which hashes faster and has the same order.
fn packed((outcome, stack): Ended) -> u64 {
    (outcome as u64) << 33 | stack.map_or(0, |stack| u64::from(stack.raw()) + 1)
}

fn unpacked(key: u64) -> Ended {
    let stack = (key & ((1 << 33) - 1)).checked_sub(1);
    let outcome = Outcome::ALL[(key >> 33) as usize];
    (outcome, stack.map(|raw| Id::new(raw as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_stack_comes_back_and_keeps_its_place() {
        let stacks = [None, Some(0), Some(1), Some(u32::MAX)].map(|raw| raw.map(Id::new));
        let all: Vec<Ended> = Outcome::ALL
            .into_iter()
            .flat_map(|outcome| stacks.map(|stack| (outcome, stack)))
            .collect();
        assert!(all.iter().all(|&ended| unpacked(packed(ended)) == ended));
        assert!(all.is_sorted() && all.is_sorted_by_key(|&ended| packed(ended)));
    }
}
