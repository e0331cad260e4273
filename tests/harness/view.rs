//! A recording as the tests look at it: counted here, sample by sample, so that a mistake in `profiler::query` cannot
//! hide one in the recording.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use profiler::profile::{Id, Location, MappingKind, Outcome, Process, Profile, Sample, Stack, Thread};

use crate::Symbols;

/// What a workload says of itself: the share of its CPU time that each function took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth(pub BTreeMap<String, f64>);

impl Truth {
    /// Reads the lines `truth FUNCTION SHARE`; all others are passed over.
    pub fn parse(output: &str) -> Self {
        let line = |line: &str| {
            let (function, share) = line.strip_prefix("truth ")?.rsplit_once(' ')?;
            Some((function.to_owned(), share.parse().ok()?))
        };
        Self(output.lines().filter_map(line).collect())
    }
}

/// The function whose code a location lies in: of inlined calls, the outermost. `None` if it has no name.
pub fn physical_name(profile: &Profile, location: Id<Location>) -> Option<&str> {
    let line = profile.lines.get(&location)?.last()?;
    Some(&profile.functions[line.function].name)
}

/// Some of a recording's samples.
#[derive(Clone, Debug)]
pub struct View<'a> {
    profile: &'a Profile,
    samples: Vec<&'a Sample>,
}

impl<'a> View<'a> {
    /// All samples of time on a CPU.
    pub fn of(profile: &'a Profile) -> Self {
        Self::of_type(profile, 0)
    }

    /// All samples of the sample type at position `sample_type`.
    pub fn of_type(profile: &'a Profile, sample_type: u8) -> Self {
        let of_type = |sample: &&Sample| sample.sample_type == sample_type;
        let samples = profile.samples.iter().filter(of_type);
        Self {
            profile,
            samples: samples.collect(),
        }
    }

    /// Those for which `wanted` holds.
    pub fn filter(&self, wanted: impl Fn(&Profile, &Sample) -> bool) -> Self {
        let mut samples = self.samples.clone();
        samples.retain(|sample| wanted(self.profile, sample));
        Self {
            profile: self.profile,
            samples,
        }
    }

    /// Those of the process `pid`.
    pub fn pid(&self, pid: u32) -> Self {
        self.filter(|profile, sample| process_of(profile, sample).pid == pid)
    }

    /// Those of processes with this command name.
    pub fn command(&self, name: &str) -> Self {
        self.filter(|profile, sample| process_of(profile, sample).name == name)
    }

    /// Those of threads with this name.
    pub fn thread(&self, name: &str) -> Self {
        self.filter(|profile, sample| thread_of(profile, sample).name == name)
    }

    /// Those that were taken in user mode, not in a system call or an interrupt.
    pub fn in_user_mode(&self) -> Self {
        self.filter(|profile, sample| {
            let innermost = sample
                .stack
                .and_then(|stack| profile.stacks.locations(stack).next());
            innermost.is_some_and(|location| !profile.mapping_of(location).is_kernel())
        })
    }

    /// Those that have a frame in the function `name`.
    pub fn through(&self, name: &str) -> Self {
        self.filter(|profile, sample| {
            user_locations(profile, sample.stack).any(|location| is(profile, location, name))
        })
    }

    /// The samples.
    pub fn samples(&self) -> &[&'a Sample] {
        &self.samples
    }

    /// What the samples are of.
    pub fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// Where a sample's innermost user frame is.
    pub fn innermost_user(&self, sample: &Sample) -> Option<Id<Location>> {
        user_locations(self.profile, sample.stack).next()
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample at all.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// CPU time, in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.iter().map(|sample| sample.value).sum::<u64>() as f64 / 1e9
    }

    /// The part of the samples whose innermost user frame is in the function `name`; 0 without samples.
    pub fn share_of(&self, name: &str) -> f64 {
        self.share(|sample| {
            user_locations(self.profile, sample.stack)
                .next()
                .is_some_and(|location| is(self.profile, location, name))
        })
    }

    /// The part of the samples with the function `name` anywhere on the user stack.
    pub fn total_share_of(&self, name: &str) -> f64 {
        self.share(|sample| {
            user_locations(self.profile, sample.stack).any(|location| is(self.profile, location, name))
        })
    }

    /// The part of the samples with a user stack that goes down to a known root.
    pub fn complete_share(&self) -> f64 {
        let with_user = self.filter(|_, sample| sample.outcome != Outcome::NoUserStack);
        with_user.share(|sample| sample.outcome == Outcome::Complete)
    }

    /// The part of the samples that are `counted`; 0 without samples.
    pub fn share(&self, counted: impl Fn(&Sample) -> bool) -> f64 {
        let count = self.samples.iter().filter(|sample| counted(sample)).count();
        count as f64 / self.samples.len().max(1) as f64
    }

    /// The user stack of a sample by function, outermost first; what has no name is `module+?`.
    pub fn stack(&self, sample: &Sample) -> Vec<String> {
        sample.stack.map_or(Vec::new(), |stack| self.names_of(stack))
    }

    /// The user part of a stack by function, as [`Self::stack`].
    pub fn names_of(&self, stack: Id<Stack>) -> Vec<String> {
        let label = |location| match physical_name(self.profile, location) {
            Some(name) => name.to_owned(),
            None => format!("{}+?", self.profile.mapping_of(location).name()),
        };
        let mut stack: Vec<String> = user_locations(self.profile, Some(stack)).map(label).collect();
        stack.reverse();
        stack
    }

    /// The names that were given to code in the module with this file name.
    pub fn names_in(&self, module: &str) -> BTreeSet<&'a str> {
        let locations = self
            .samples
            .iter()
            .flat_map(|sample| user_locations(self.profile, sample.stack));
        locations
            .filter(|&location| self.profile.mapping_of(location).name() == module)
            .filter_map(|location| physical_name(self.profile, location))
            .collect()
    }

    /// How often each user stack occurs; see [`Self::stack`].
    pub fn stacks(&self) -> BTreeMap<Vec<String>, usize> {
        let mut stacks = BTreeMap::new();
        for sample in &self.samples {
            *stacks.entry(self.stack(sample)).or_default() += 1;
        }
        stacks
    }

    /// The user frames that have no name although their binary's own symbols cover the address, and those that lie in
    /// no mapping, as a part of all user frames; and the most frequent of them, in words.
    pub fn unknown_share(&self, symbols: &mut Symbols) -> (f64, String) {
        let (mut frames, mut unknown) = (0usize, BTreeMap::<String, usize>::new());
        for location in self
            .samples
            .iter()
            .flat_map(|sample| user_locations(self.profile, sample.stack))
        {
            frames += 1;
            if physical_name(self.profile, location).is_some() {
                continue;
            }
            let mapping = self.profile.mapping_of(location);
            let address = self.profile.locations[location].address;
            let what = match mapping.kind {
                MappingKind::Unknown(_) => "no mapping".to_owned(),
                MappingKind::File => match symbols.at(&mapping.path, address) {
                    Some((_, symbol)) => format!("{} is {:?}", mapping.name(), symbol.names),
                    None => continue,
                },
                _ => continue,
            };
            *unknown.entry(what).or_default() += 1;
        }
        let count: usize = unknown.values().sum();
        let mut most: Vec<_> = unknown.into_iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let words = most
            .iter()
            .take(5)
            .fold(String::new(), |mut words, (what, count)| {
                let _ = write!(words, "{count} × {what}; ");
                words
            });
        (count as f64 / frames.max(1) as f64, words)
    }

    /// Asserts that every function's share of the samples in user mode, which is what a program can account for, is what
    /// the program says: within 2 points, or within what chance does to so few samples (4 standard deviations).
    ///
    /// # Panics
    /// If one is not, with all of them; if there is no truth or no sample.
    pub fn assert_truth(&self, truth: &Truth) {
        assert!(!truth.0.is_empty(), "the program gave no account of itself");
        let view = self.in_user_mode();
        let sum: f64 = truth.0.keys().map(|name| view.share_of(name)).sum();
        assert!(
            sum > 0.5,
            "only {:.1} % of {} samples are in the functions that the program names: {}",
            100.0 * sum,
            view.len(),
            view.describe()
        );
        for (name, &expected) in &truth.0 {
            let share = view.share_of(name);
            let chance = 4.0 * (expected * (1.0 - expected) / view.len() as f64).sqrt();
            assert!(
                (share - expected).abs() <= chance.max(0.02),
                "{name} took {:.1} % of the time, and the profile says {:.1} % of {} samples: {}",
                100.0 * expected,
                100.0 * share,
                view.len(),
                view.describe()
            );
        }
    }

    /// Asserts that at least `share` of the user stacks go down to a known root.
    ///
    /// # Panics
    /// If fewer do, or there are no samples; says how the others ended and where.
    pub fn assert_complete(&self, share: f64) {
        assert!(!self.is_empty(), "there is not one sample");
        let complete = self.complete_share();
        assert!(
            complete >= share,
            "{:.2} % of {} user stacks are complete, not {:.1} %: {}",
            100.0 * complete,
            self.len(),
            100.0 * share,
            self.describe()
        );
    }

    /// Asserts that at least `share` of the samples have exactly these functions at the inner end of their user stack,
    /// outermost first, and that the stack is complete.
    ///
    /// # Panics
    /// If fewer do.
    pub fn assert_chain(&self, chain: &[&str], share: f64) {
        let found = self.share(|sample| {
            sample.outcome == Outcome::Complete && {
                let stack = self.stack(sample);
                stack.len() >= chain.len()
                    && stack[stack.len() - chain.len()..]
                        .iter()
                        .zip(chain)
                        .all(|(name, wanted)| names(name, wanted))
            }
        });
        assert!(
            found >= share,
            "{:.2} % of {} samples end in {chain:?}, not {:.1} %: {}",
            100.0 * found,
            self.len(),
            100.0 * share,
            self.describe()
        );
    }

    /// What is in it, for messages: outcomes, hottest functions, a stack of the most frequent kind of incomplete ones.
    pub fn describe(&self) -> String {
        let (mut outcomes, mut hottest) = (
            BTreeMap::<Outcome, usize>::new(),
            BTreeMap::<String, usize>::new(),
        );
        for sample in &self.samples {
            *outcomes.entry(sample.outcome).or_default() += 1;
            let name = self.stack(sample).pop().unwrap_or_else(|| "no user frame".into());
            *hottest.entry(name).or_default() += 1;
        }
        let mut hottest: Vec<_> = hottest.into_iter().collect();
        hottest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        hottest.truncate(8);
        let incomplete = self.filter(|_, sample| !sample.outcome.is_whole()).stacks();
        let example = incomplete.into_iter().max_by_key(|(_, count)| *count);
        format!("outcomes {outcomes:?}; hottest {hottest:?}; most frequent incomplete stack {example:?}")
    }
}

/// Who a sample belongs to.
fn process_of<'a>(profile: &'a Profile, sample: &Sample) -> &'a Process {
    &profile.processes[thread_of(profile, sample).process]
}

fn thread_of<'a>(profile: &'a Profile, sample: &Sample) -> &'a Thread {
    &profile.threads[sample.thread]
}

/// The user frames of a sample, innermost first.
fn user_locations(profile: &Profile, stack: Option<Id<Stack>>) -> impl Iterator<Item = Id<Location>> + '_ {
    stack
        .into_iter()
        .flat_map(|stack| profile.stacks.locations(stack))
        .filter(|&location| !profile.mapping_of(location).is_kernel())
}

fn is(profile: &Profile, location: Id<Location>, name: &str) -> bool {
    physical_name(profile, location).is_some_and(|found| names(found, name))
}

/// Whether a symbol's name is the wanted one, parameters aside.
fn names(found: &str, wanted: &str) -> bool {
    found == wanted
        || crate::bare_name(found) == wanted
        || crate::bare_name(found) == crate::bare_name(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use profiler::profile::folded::from_folded;

    #[test]
    fn shares_are_of_the_innermost_user_frame() {
        let profile =
            from_folded("app/7;main;f 6\napp/7;main;g 3\napp/7;main;g;tick_[k] 1\nother/8;main;f 10");
        let view = View::of(&profile).pid(7);
        assert_eq!((view.len(), View::of(&profile).len()), (10, 20));
        assert!((view.share_of("g") - 0.4).abs() < 1e-9);
        assert!((view.total_share_of("main") - 1.0).abs() < 1e-9);
        assert_eq!(View::of(&profile).command("other").len(), 10);
        view.assert_truth(&Truth::parse("truth f 0.6\nsomething else\ntruth g 0.4\n"));
        view.assert_complete(1.0);
        view.assert_chain(&["main", "f"], 0.6);
    }

    #[test]
    #[should_panic(expected = "f took 30.0 % of the time, and the profile says 60.0 %")]
    fn a_wrong_share_is_refused() {
        let profile = from_folded("app;main;f 600\napp;main;g 400");
        View::of(&profile).assert_truth(&Truth::parse("truth f 0.3\ntruth g 0.7"));
    }

    #[test]
    #[should_panic(expected = "50.00 % of 2 user stacks are complete")]
    fn a_cut_stack_is_not_complete() {
        let mut profile = from_folded("app;main;f 2");
        profile.samples[0].outcome = Outcome::NoUnwindInfo;
        View::of(&profile).assert_complete(0.97);
    }

    #[test]
    #[should_panic(expected = "no account of itself")]
    fn without_truth_nothing_is_proved() {
        View::of(&from_folded("app;main 2")).assert_truth(&Truth::default());
    }

    #[test]
    fn names_of_functions_with_spaces_are_read() {
        let truth = Truth::parse("truth <a::B as c::D>::run 0.25");
        assert_eq!(truth.0.get("<a::B as c::D>::run"), Some(&0.25));
    }
}
