//! The paths where most ends, without the tree of all of them: of a large recording, that takes most of the time until
//! there is something to see.

use std::{
    cmp::Reverse,
    hash::{DefaultHasher, Hasher as _},
};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Tree, top_down};
use crate::{
    profile::{Id, Profile},
    query::{
        Names, Selection,
        weight::{Ended, Weight, Weights},
    },
};

impl Tree {
    /// The call tree of the `most` paths at whose ends most value is, and of no others. What is at their ends is what
    /// [`Tree::build`] finds there, and so are the totals of the whole tree; those of other nodes are sums over these
    /// paths.
    ///
    /// Paths are told apart by hashes of 64 bits. Two that had the same by chance would be taken together for one when
    /// it is decided which are the hottest, and be two in the tree.
    pub fn hottest(profile: &Profile, selection: &Selection, weights: &Weights, most: usize) -> Self {
        let sum = weights.sum();
        let paths = paths(profile, selection, weights);
        let (tree, names) = top_down(profile, selection, &hottest(weights, &paths, most));
        Self {
            total_value: sum.value,
            total_samples: sum.samples,
            ..tree.finish_few(&names)
        }
    }
}

/// For each stack of the profile the hash of the names on it, if it is among `weights` or calls one that is.
fn paths(profile: &Profile, selection: &Selection, weights: &Weights) -> Vec<u64> {
    let stacks = profile.stacks.since(0);
    let mut wanted = vec![false; stacks.len()];
    for &((_, stack), _) in weights.by_end() {
        stack.into_iter().for_each(|stack| wanted[stack.index()] = true);
    }
    for index in (0..stacks.len()).rev() {
        if wanted[index]
            && let Some(caller) = stacks[index].caller
        {
            wanted[caller.index()] = true;
        }
    }
    let mut names = Names::new(profile);
    let mut paths = vec![0; stacks.len()];
    for (index, stack) in stacks.iter().enumerate().filter(|&(index, _)| wanted[index]) {
        let mut path = stack.caller.map_or(0, |caller| paths[caller.index()]);
        if selection.shows(profile, stack.location) {
            for &name in names.at(stack.location).iter().rev() {
                path = longer(path, name);
            }
        }
        paths[index] = path;
    }
    paths
}

/// Of a path that goes on to a function, or of one that ended so.
fn longer(path: u64, by: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(path);
    hasher.write_u32(by);
    hasher.finish()
}

fn hottest(weights: &Weights, paths: &[u64], most: usize) -> Weights {
    let path = |(outcome, stack): Ended| {
        let path = stack.map_or(0, |stack: Id<_>| paths[stack.index()]);
        longer(path, outcome as u32)
    };
    let mut ends: FxHashMap<u64, Weight> = FxHashMap::default();
    for &(ended, weight) in weights.by_end() {
        ends.entry(path(ended)).or_default().add(weight);
    }
    let most = most.min(ends.len());
    let mut hottest: Vec<_> = ends
        .into_iter()
        .map(|(path, weight)| (Reverse(weight.value), path))
        .collect();
    if most > 0 {
        hottest.select_nth_unstable(most - 1);
    }
    let hottest: FxHashSet<u64> = hottest[..most].iter().map(|&(_, path)| path).collect();
    weights.only(|ended| hottest.contains(&path(ended)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Outcome, folded::from_folded},
        query::Direction,
    };

    /// Path, value at its end and samples at its end, largest first.
    fn ends(tree: &Tree) -> Vec<(Vec<String>, u64, u64)> {
        let mut ends: Vec<_> = (0..)
            .zip(&tree.nodes)
            .filter(|(_, node)| node.self_value > 0)
            .map(|(index, node)| {
                let path = tree.path(index).map(|node| tree.name(node).label.clone());
                (path.collect::<Vec<_>>(), node.self_value, node.self_samples)
            })
            .collect();
        ends.sort_by_key(|(path, value, _)| (Reverse(*value), path.clone()));
        ends
    }

    #[test]
    fn they_are_those_of_the_whole_tree() {
        let mut profile = from_folded(
            "a;main;f 9\na;main;f;g 5\na;main;h 4\nb;main;f;k_[k] 7\nb;main;f 3\nkworker;work_[k] 6\na;main 1\na 2",
        );
        for sample in profile.samples.iter_mut().skip(9).take(3) {
            sample.outcome = Outcome::TooDeep;
        }
        for (kernel, user) in [(true, true), (false, true), (true, false), (false, false)] {
            let selection = Selection {
                kernel,
                user,
                ..Selection::default()
            };
            let whole = Tree::build(&profile, &selection, Direction::TopDown);
            let all = ends(&whole);
            for most in 0..=all.len() + 1 {
                let few = Tree::hottest(&profile, &selection, &Weights::of(&profile, &selection), most);
                let kept = all.len().min(most);
                let values: Vec<_> = ends(&few).iter().map(|(_, value, _)| *value).collect();
                let wanted: Vec<_> = all[..kept].iter().map(|(_, value, _)| *value).collect();
                assert_eq!(values, wanted, "{most} of {all:?}");
                assert!(ends(&few).iter().all(|end| all.contains(end)));
                assert_eq!(
                    (few.total_value, few.total_samples),
                    (whole.total_value, whole.total_samples)
                );
            }
        }
    }

    #[test]
    fn places_in_one_function_are_one_path() {
        let mut profile = from_folded("a;main;f 1\na;main;g 2");
        let elsewhere = crate::profile::Location {
            address: 0xffff,
            ..profile.locations[Id::new(1)]
        };
        let lines = profile.lines[&Id::new(1)].clone();
        let place = profile.locations.intern(elsewhere);
        profile.lines.insert(place, lines);
        let stack = profile.stacks.intern([Id::new(0), place]);
        let sample = profile.samples[0];
        profile
            .samples
            .extend([crate::profile::Sample { stack, ..sample }; 2]);
        let all = Selection::default();
        let few = Tree::hottest(&profile, &all, &Weights::of(&profile, &all), 1);
        let ends = ends(&few);
        assert_eq!((ends.len(), &ends[0].0[0][..], ends[0].2), (1, "f", 3));
    }

    #[test]
    fn of_nothing_there_are_none() {
        let (nothing, all) = (Profile::default(), Selection::default());
        assert_eq!(
            Tree::hottest(&nothing, &all, &Weights::default(), 9),
            Tree::default()
        );
    }
}
