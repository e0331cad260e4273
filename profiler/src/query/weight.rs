//! Samples added up by stack: what functions and trees are counted from.

use rustc_hash::FxHashMap;

use super::Selection;
use crate::profile::{Id, Outcome, Profile, Stack};

/// What a stack weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) value: u64,
    pub(crate) samples: u64,
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

/// The selected samples, added up by stack and outcome. Of many samples it takes time: whoever asks several questions of
/// one selection adds them up once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights(Vec<(Ended, Weight)>);

impl Weights {
    /// Adds the selected samples up.
    pub fn of(profile: &Profile, selection: &Selection) -> Self {
        Self(weigh(profile, selection))
    }

    /// By outcome and stack, sorted by both.
    pub(super) fn by_end(&self) -> &[(Ended, Weight)] {
        &self.0
    }

    /// All of it.
    pub(super) fn sum(&self) -> Weight {
        let mut sum = Weight::default();
        self.0.iter().for_each(|&(_, weight)| sum.add(weight));
        sum
    }

    /// Those that end so.
    pub(super) fn only(&self, ends: impl Fn(Ended) -> bool) -> Self {
        Self(
            self.0
                .iter()
                .filter(|&&(ended, _)| ends(ended))
                .copied()
                .collect(),
        )
    }
}

fn weigh(profile: &Profile, selection: &Selection) -> Vec<(Ended, Weight)> {
    // Where samples are many, most are of complete stacks, and find theirs without a search.
    let many = profile.samples.len() > profile.stacks.len();
    let mut complete = vec![Weight::default(); if many { profile.stacks.len() } else { 0 }];
    let mut others: FxHashMap<u64, Weight> = FxHashMap::default();
    for sample in selection.matcher(profile).samples() {
        let known = match (sample.outcome, sample.stack) {
            (Outcome::Complete, Some(stack)) => complete.get_mut(stack.index()),
            _ => None,
        };
        let weight = match known {
            Some(weight) => weight,
            None => others.entry(packed((sample.outcome, sample.stack))).or_default(),
        };
        weight.add(Weight {
            value: sample.value,
            samples: 1,
        });
    }
    let stacks = (0..).map(|raw| (Outcome::Complete, Some(Id::new(raw))));
    let complete = stacks.zip(complete).filter(|(_, weight)| weight.samples > 0);
    let others = others.into_iter().map(|(key, weight)| (unpacked(key), weight));
    let mut weights: Vec<_> = complete.chain(others).collect();
    // Not the unstable one: much of it is in order.
    weights.sort_by_key(|&(ended, _)| packed(ended));
    weights
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
    use crate::profile::{Location, folded::from_folded};

    #[test]
    fn stacks_weigh_the_same_whether_samples_are_many_or_few() {
        let mut profile = from_folded("a;main;f;g 9\na;main;f 4\nb;main 2");
        for (index, sample) in profile.samples.iter_mut().enumerate() {
            sample.value = index as u64;
            match index % 5 {
                0 => sample.outcome = Outcome::TooDeep,
                1 => sample.stack = None,
                _ => {}
            }
        }
        let many = weigh(&profile, &Selection::default());
        assert!(profile.samples.len() > profile.stacks.len());
        for raw in 0..100 {
            let location = profile.locations.intern(Location {
                mapping: Id::new(0),
                address: 0xf000 + raw,
            });
            profile.stacks.intern([location]);
        }
        assert_eq!(weigh(&profile, &Selection::default()), many);
        assert!(many.is_sorted_by_key(|&(ended, _)| ended));
        let sum: u64 = many.iter().map(|(_, weight)| weight.value).sum();
        assert_eq!(sum, (0..15).sum::<u64>());
    }

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
