//! What samples are counted: time on a CPU, time off it, or both.

use rustc_hash::FxHashMap;

use super::kind::WAITING;
use crate::{
    profile::Profile,
    query::{Direction, Name, Sampled, Selection, Tree, Weights, tree::Growing},
};

/// The sample type of threads that wait, as recorders call it.
const OFF_CPU: &str = "off_cpu";

/// The sample types that `sampled` stands for; `None` if the profile does not know them. It may know of waits and have
/// none in the time that is shown.
pub(super) fn sample_types(profile: &Profile, sampled: Sampled) -> Option<Vec<u8>> {
    let cpu = Sampled::Cpu.sample_types(profile)?;
    let known = |name: Option<&str>| {
        let types = &profile.sample_types;
        let place = types.iter().position(|kind| Some(kind.name.as_str()) == name)?;
        u8::try_from(place).ok()
    };
    match sampled {
        Sampled::OffCpu | Sampled::Lock | Sampled::Slow => Some(vec![known(sampled.name())?]),
        Sampled::Wall => Some([cpu, vec![known(Sampled::OffCpu.name())?]].concat()),
        Sampled::Cpu | Sampled::Other => Some(cpu),
    }
}

/// Whether something of what `sampled` stands for was recorded and is among what is shown; of waits, whether their stacks
/// are taken. Waits for locks and slow calls are told one by one, and need not be samples for it.
pub(super) fn has(profile: &Profile, sampled: Sampled) -> bool {
    match sampled {
        Sampled::Lock => !profile.lock_waits.is_empty(),
        Sampled::Slow => !profile.slow.is_empty(),
        _ => sample_types(profile, sampled).is_some(),
    }
}

/// What comes after `sampled`.
pub(super) fn next(sampled: Sampled) -> Sampled {
    match sampled {
        Sampled::Cpu => Sampled::OffCpu,
        Sampled::OffCpu => Sampled::Wall,
        Sampled::Wall => Sampled::Lock,
        Sampled::Lock => Sampled::Slow,
        Sampled::Slow | Sampled::Other => Sampled::Cpu,
    }
}

/// The tree of what is selected, which `weights` added up. Where busy and waiting threads are in it, `[waiting]` is where
/// a thread waited, as if it were called there.
pub(super) fn tree(
    profile: &Profile,
    selection: &Selection,
    weights: &Weights,
    direction: Direction,
) -> Tree {
    with_waits(profile, selection, weights, direction, |selection, weights| {
        Tree::of_weights(profile, selection, weights, direction)
    })
}

/// Of the call tree of what is selected the `most` paths where most ends, and some more: see [`Tree::hottest`].
pub(super) fn hottest(profile: &Profile, selection: &Selection, weights: &Weights, most: usize) -> Tree {
    with_waits(
        profile,
        selection,
        weights,
        Direction::TopDown,
        |selection, weights| Tree::hottest(profile, selection, weights, most),
    )
}

fn with_waits(
    profile: &Profile,
    selection: &Selection,
    weights: &Weights,
    direction: Direction,
    build: impl Fn(&Selection, &Weights) -> Tree,
) -> Tree {
    if Sampled::of(profile, selection) != Sampled::Wall {
        return build(selection, weights);
    }
    let (busy, waiting): (Vec<u8>, Vec<u8>) = selection.sample_types.iter().partition(|&&kind| {
        profile
            .sample_types
            .get(usize::from(kind))
            .is_none_or(|kind| kind.name != OFF_CPU)
    });
    let [busy, waiting] = [busy, waiting].map(|sample_types| {
        let selection = Selection {
            sample_types,
            ..selection.clone()
        };
        build(&selection, &Weights::of(profile, &selection))
    });
    let mut both = Merged::default();
    both.add(&busy, None);
    both.add(&waiting, Some(direction));
    let mut tree = both.growing.finish(both.names);
    // It may be only a part that was added.
    tree.total_value = busy.total_value.saturating_add(waiting.total_value);
    tree.total_samples = busy.total_samples + waiting.total_samples;
    tree
}

/// Trees laid over each other.
#[derive(Default)]
struct Merged {
    growing: Growing,
    names: Vec<Name>,
    numbers: FxHashMap<Name, u32>,
}

impl Merged {
    fn number(&mut self, name: &Name) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.names.len()).expect("fewer names than two trees have");
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    /// Waits say so where their stack ends: below the innermost function, or in front of it if it comes first.
    fn add(&mut self, tree: &Tree, waits: Option<Direction>) {
        let waiting = self.number(&Name {
            label: WAITING.to_owned(),
            module: String::new(),
            kernel: false,
        });
        let numbers: Vec<u32> = tree.names.iter().map(|name| self.number(name)).collect();
        let root = match waits {
            Some(Direction::BottomUp) if !tree.nodes.is_empty() => Some(self.growing.child(None, waiting)),
            _ => None,
        };
        let mut places: Vec<u32> = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let above = node.parent.map(|parent| places[parent as usize]).or(root);
            let place = self.growing.child(above, numbers[node.name as usize]);
            if node.self_samples > 0 {
                let end = match waits {
                    Some(Direction::TopDown) => self.growing.child(Some(place), waiting),
                    _ => place,
                };
                self.growing.add(end, node.own());
            }
            places.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::{from_folded, with_waits};

    fn paths(direction: Direction) -> Vec<(String, u64)> {
        let profile = with_waits(from_folded("a;main;f 1"), "a;main;f 5\na;main;g 7");
        let selection = Selection {
            sample_types: sample_types(&profile, Sampled::Wall).unwrap(),
            ..Selection::default()
        };
        let tree = tree(
            &profile,
            &selection,
            &Weights::of(&profile, &selection),
            direction,
        );
        let path = |node| {
            let mut names: Vec<_> = tree
                .path(node)
                .map(|node| tree.name(node).label.as_str())
                .collect();
            names.reverse();
            names.join(";")
        };
        let nodes = tree
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.self_value > 0);
        let mut paths: Vec<_> = nodes
            .map(|(number, node)| (path(number as u32), node.self_value / 1_000_000))
            .collect();
        paths.sort();
        assert_eq!(tree.total_value / 1_000_000, 22);
        paths
    }

    fn path(text: &str, ms: u64) -> (String, u64) {
        (text.to_owned(), ms)
    }

    #[test]
    fn by_the_clock_on_the_wall_waits_say_so_where_they_end() {
        assert_eq!(
            paths(Direction::TopDown),
            [
                path("main;f", 10),
                path("main;f;[waiting]", 5),
                path("main;g;[waiting]", 7)
            ]
        );
        assert_eq!(
            paths(Direction::BottomUp),
            [
                path("[waiting];f;main", 5),
                path("[waiting];g;main", 7),
                path("f;main", 10)
            ]
        );
    }

    #[test]
    fn a_profile_that_knows_of_waits_may_have_none() {
        let profile = with_waits(from_folded("a;main 1"), "");
        assert_eq!(sample_types(&profile, Sampled::OffCpu), Some(vec![1]));
        assert_eq!(sample_types(&from_folded("a;main 1"), Sampled::Wall), None);
        assert_eq!(sample_types(&Profile::default(), Sampled::Cpu), Some(vec![0]));
        assert_eq!(
            (0..5).fold(Sampled::Cpu, |sampled, _| next(sampled)),
            Sampled::Cpu
        );
    }
}
