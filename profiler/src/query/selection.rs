//! Which samples and which frames a question is about.

use std::ops::Range;

use super::{Glob, Name, frame::frames, sampled};
use crate::profile::{Id, Location, Process, Profile, Sample, Stack, Thread};

/// Which samples and which frames a question is about. [`Default`] is everything, of the first sample type.
///
/// Conditions are all to hold; an empty list is no condition (but without a sample type, nothing is counted). In a
/// list, one match is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Begin and end, in nanoseconds since the recording began.
    pub time: Option<Range<u64>>,
    /// Process ids.
    pub pids: Vec<u32>,
    /// Thread ids.
    pub tids: Vec<u32>,
    /// The thread's name, as with `record --comm`.
    pub comm: Option<Glob>,
    /// A cgroup path, with everything below it. The leading slash may be left out.
    pub cgroup: Option<String>,
    /// A systemd unit; `nginx` stands for `nginx.service`.
    pub unit: Option<String>,
    /// A container id or the begin of one.
    pub container: Option<String>,
    /// Modules (file name or whole path), of which one must be on the stack.
    pub modules: Vec<String>,
    /// Text that must be in the label of a frame on the stack. Without capitals, case does not matter.
    pub pattern: Option<String>,
    /// A function that must be on the stack. It answers for the modules and the text as well.
    pub function: Option<Name>,
    /// What is counted: indices into `Profile::sample_types`, all of one unit. See [`super::Sampled`].
    pub sample_types: Vec<u8>,
    /// Show kernel frames. Without them their samples still count: for the user frame that called the kernel.
    pub kernel: bool,
    /// Show user frames.
    pub user: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            time: None,
            pids: Vec::new(),
            tids: Vec::new(),
            comm: None,
            cgroup: None,
            unit: None,
            container: None,
            modules: Vec::new(),
            pattern: None,
            function: None,
            sample_types: vec![0],
            kernel: true,
            user: true,
        }
    }
}

impl Selection {
    /// Whether `sample` is meant, or a part of it. For many samples, [`Self::matcher`] remembers what it found out.
    pub fn matches(&self, profile: &Profile, sample: &Sample) -> bool {
        self.part(sample, sampled::is_wait(profile, sample.sample_type))
            .is_some()
            && self.matches_thread(profile, &profile.threads[sample.thread])
            && (!self.asks_for_frames()
                || sample.stack.is_some_and(|stack| {
                    profile
                        .stacks
                        .locations(stack)
                        .any(|location| self.matches_location(profile, location))
                }))
    }

    /// As [`Self::matches`], for many samples of one profile.
    pub fn matcher<'a>(&'a self, profile: &'a Profile) -> Matcher<'a> {
        Matcher {
            selection: self,
            waits: sampled::waits(profile),
            threads: self.threads(profile),
            stacks: self.asks_for_frames().then(|| self.matching_stacks(profile)),
            profile,
        }
    }

    /// For each thread whether it is meant, whatever it did and when.
    pub(super) fn threads(&self, profile: &Profile) -> Vec<bool> {
        let threads = profile.threads.iter();
        threads
            .map(|(_, thread)| self.matches_thread(profile, thread))
            .collect()
    }

    /// For each process whether it is meant, for what is not known by thread: the process's name stands for those of its
    /// threads, and thread ids do not apply.
    pub fn processes(&self, profile: &Profile) -> Vec<bool> {
        let matches = |process: &Process| {
            (self.pids.is_empty() || self.pids.contains(&process.pid))
                && self.comm.as_ref().is_none_or(|comm| comm.matches(&process.name))
                && self.matches_owner(process)
        };
        let processes = profile.processes.iter();
        processes.map(|(_, process)| matches(process)).collect()
    }

    /// Whether what is known only for a stretch of time as a whole is meant: if its middle is.
    pub(super) fn holds_middle(&self, start_ns: u64, end_ns: u64) -> bool {
        let middle = start_ns + end_ns.saturating_sub(start_ns) / 2;
        self.time.as_ref().is_none_or(|time| time.contains(&middle))
    }

    /// Whether some of a stretch of time is meant.
    pub fn touches(&self, start_ns: u64, end_ns: u64) -> bool {
        self.time
            .as_ref()
            .is_none_or(|time| start_ns < time.end && (end_ns > time.start || start_ns == time.start))
    }

    /// Whether frames at `location` are shown.
    pub fn shows(&self, profile: &Profile, location: Id<Location>) -> bool {
        if self.kernel && self.user {
            return true;
        }
        if profile.mapping_of(location).is_kernel() {
            self.kernel
        } else {
            self.user
        }
    }

    /// What a person calls the frame that stands where no frame is left to show.
    pub fn nothing_left(&self) -> &'static str {
        match (self.kernel, self.user) {
            (false, true) => "[kernel, not shown]",
            (true, false) => "[user, not shown]",
            _ => "[no stack]",
        }
    }

    /// The part of `sample` that lies in the selected time, whoever's it is. A sample of a clock is a moment; a wait lasts,
    /// up to the moment that the sample has, as long as its value says, and is cut at both ends of the selected time.
    /// What would lie before the recording belongs to its first moments, so that adjacent stretches of time that begin
    /// with 0 have all of it.
    fn part(&self, sample: &Sample, wait: bool) -> Option<Sample> {
        if !self.sample_types.contains(&sample.sample_type) {
            return None;
        }
        let Some(time) = &self.time else {
            return Some(*sample);
        };
        if !wait || sample.value == 0 {
            return time.contains(&sample.time_ns).then_some(*sample);
        }
        let before = |moment: u64| match moment {
            0 => 0,
            _ => sample.value.saturating_sub(sample.time_ns.saturating_sub(moment)),
        };
        let value = before(time.end).saturating_sub(before(time.start));
        (value > 0).then(|| Sample {
            time_ns: sample.time_ns.min(time.end.saturating_sub(1)),
            value,
            ..*sample
        })
    }

    fn matches_thread(&self, profile: &Profile, thread: &Thread) -> bool {
        let process = &profile.processes[thread.process];
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && (self.tids.is_empty() || self.tids.contains(&thread.tid))
            && self.comm.as_ref().is_none_or(|comm| comm.matches(&thread.name))
            && self.matches_owner(process)
    }

    fn matches_owner(&self, process: &Process) -> bool {
        self.cgroup
            .as_ref()
            .is_none_or(|cgroup| is_under(&process.cgroup, cgroup))
            && self.unit.as_ref().is_none_or(|unit| {
                process.unit == *unit || process.unit.strip_suffix(".service") == Some(unit.as_str())
            })
            && self
                .container
                .as_ref()
                .is_none_or(|id| !process.container.is_empty() && process.container.starts_with(id.as_str()))
    }

    /// Whether something must be on the stack.
    pub(crate) fn asks_for_frames(&self) -> bool {
        !self.modules.is_empty() || self.pattern.is_some() || self.function.is_some()
    }

    /// One location has to answer both questions: the function that is looked for is looked for in these modules.
    fn matches_location(&self, profile: &Profile, location: Id<Location>) -> bool {
        if !self.shows(profile, location) {
            return false;
        }
        let mapping = profile.mapping_of(location);
        let in_module = self.modules.is_empty()
            || self
                .modules
                .iter()
                .any(|module| *module == mapping.path || module == mapping.name());
        in_module
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| frames(profile, location).any(|frame| has(&frame.label(), pattern)))
            && self.function.as_ref().is_none_or(|name| {
                frames(profile, location).any(|frame| {
                    frame.kernel == name.kernel && frame.module == name.module && frame.label() == name.label
                })
            })
    }

    /// For each stack, whether one of its locations matches. Callers come before callees: one pass.
    fn matching_stacks(&self, profile: &Profile) -> Vec<bool> {
        let locations: Vec<bool> = profile
            .locations
            .iter()
            .map(|(id, _)| self.matches_location(profile, id))
            .collect();
        let mut stacks: Vec<bool> = Vec::with_capacity(profile.stacks.len());
        for stack in profile.stacks.since(0) {
            let inherited = stack.caller.is_some_and(|caller| stacks[caller.index()]);
            stacks.push(inherited || locations[stack.location.index()]);
        }
        stacks
    }
}

/// A [`Selection`] at work on one profile.
#[derive(Debug)]
pub struct Matcher<'a> {
    selection: &'a Selection,
    profile: &'a Profile,
    /// For each sample type whether its samples are waits.
    waits: Vec<bool>,
    threads: Vec<bool>,
    stacks: Option<Vec<bool>>,
}

impl<'a> Matcher<'a> {
    /// Whether `sample` is meant, or a part of it.
    pub fn matches(&self, sample: &Sample) -> bool {
        self.part(sample).is_some()
    }

    /// Whether a sample stands for a wait that lasted, and not for a moment.
    pub fn is_wait(&self, sample: &Sample) -> bool {
        self.waits.get(usize::from(sample.sample_type)) == Some(&true)
    }

    /// What of `sample` is meant: all of it, or of a wait the part that lies in the selected time, as a sample of its own.
    pub fn part(&self, sample: &Sample) -> Option<Sample> {
        self.selection
            .part(sample, self.is_wait(sample))
            .filter(|sample| self.matches_at(sample.thread, sample.stack))
    }

    /// Whether what `thread` did at `stack` is meant, whatever it was and when.
    pub fn matches_at(&self, thread: Id<Thread>, stack: Option<Id<Stack>>) -> bool {
        self.threads[thread.index()]
            && self
                .stacks
                .as_ref()
                .is_none_or(|stacks| stack.is_some_and(|stack| stacks[stack.index()]))
    }

    /// Whether `thread` is meant, whatever it did and when.
    pub fn matches_thread(&self, thread: Id<Thread>) -> bool {
        self.threads[thread.index()]
    }

    /// The samples that are meant, in the profile's order; of waits the parts that are: see [`Self::part`].
    pub fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        self.profile.samples.iter().filter_map(|sample| self.part(sample))
    }
}

/// Whether the cgroup `path` is `ancestor` or below it.
fn is_under(path: &str, ancestor: &str) -> bool {
    let ancestor = ancestor.trim_matches('/');
    match path.trim_start_matches('/').strip_prefix(ancestor) {
        Some(rest) => ancestor.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

fn has(label: &str, pattern: &str) -> bool {
    if pattern.chars().any(char::is_uppercase) {
        label.contains(pattern)
    } else {
        label.contains(pattern) || label.to_lowercase().contains(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::{from_folded, with_waits};

    /// A thread sleeps 25 s at a time: it waits all the time, whichever 10 s one looks at, and adjacent ones have all of
    /// it. What is on a CPU is a moment.
    #[test]
    fn a_wait_counts_where_it_was_and_not_where_it_ended() {
        const SECOND: u64 = 1_000_000_000;
        let mut profile = with_waits(from_folded("a;main 1"), "a;main;sleep 25000\na;main;sleep 25000");
        for (sample, end) in profile.samples.iter_mut().zip([3, 25, 50]) {
            sample.time_ns = end * SECOND;
        }
        let seconds = |time: Range<u64>, kind| {
            let selection = Selection {
                time: Some(time.start * SECOND..time.end * SECOND),
                sample_types: vec![kind],
                ..Selection::default()
            };
            let matcher = selection.matcher(&profile);
            matcher
                .samples()
                .inspect(|part| assert!(selection.matches(&profile, part)))
                .map(|part| part.value)
                .sum::<u64>()
                / SECOND
        };
        for start in [0, 3, 10, 20, 30, 40] {
            assert_eq!(seconds(start..start + 10, 1), 10, "{start}");
        }
        assert_eq!((seconds(45..60, 1), seconds(50..60, 1)), (5, 0));
        assert_eq!((0..10).map(|n| seconds(n * 7..n * 7 + 7, 1)).sum::<u64>(), 50);
        // It began before the recording did.
        profile.samples[1].value = 40 * SECOND;
        let sum = |borders: &[u64]| {
            let windows = borders.windows(2);
            windows.map(|window| seconds_of(&profile, window)).sum::<u64>()
        };
        assert_eq!(sum(&[0, 10, 20, 60]), 65);
        let busy = Selection {
            time: Some(0..3 * SECOND),
            ..Selection::default()
        };
        assert_eq!(busy.matcher(&profile).samples().count(), 0);
    }

    fn seconds_of(profile: &Profile, window: &[u64]) -> u64 {
        let selection = Selection {
            time: Some(window[0] * 1_000_000_000..window[1] * 1_000_000_000),
            sample_types: vec![1],
            ..Selection::default()
        };
        let matcher = selection.matcher(profile);
        matcher.samples().map(|part| part.value).sum::<u64>() / 1_000_000_000
    }

    #[test]
    fn a_cgroup_holds_what_is_below_it_and_nothing_beside_it() {
        assert!(is_under("/system.slice/nginx.service", "/system.slice"));
        assert!(is_under(
            "/system.slice/nginx.service",
            "system.slice/nginx.service/"
        ));
        assert!(is_under("/system.slice", "/"));
        assert!(!is_under("/system.slice-2/a", "/system.slice"));
        assert!(!is_under("", "/system.slice"));
    }

    #[test]
    fn case_matters_only_to_who_types_capitals() {
        assert!(has("MutexLock", "mutex"));
        assert!(has("MutexLock", "Mutex"));
        assert!(!has("mutexlock", "Mutex"));
    }

    #[test]
    fn one_sample_and_many_are_judged_alike() {
        let profile =
            from_folded("redis/7;main;f 2\nredis/7;libc.so.6`read;vfs_read_[k] 2\nnginx/9;main 2\nnginx/9 1");
        let everything = Selection::default();
        let selections = [
            (everything.clone(), 7),
            (
                Selection {
                    pids: vec![7],
                    ..everything.clone()
                },
                4,
            ),
            (
                Selection {
                    tids: vec![9, 8],
                    ..everything.clone()
                },
                3,
            ),
            (
                Selection {
                    comm: Some(Glob::new("re*")),
                    ..everything.clone()
                },
                4,
            ),
            (
                Selection {
                    time: Some(10_000_000..30_000_000),
                    ..everything.clone()
                },
                2,
            ),
            (
                Selection {
                    modules: vec!["libc.so.6".into()],
                    ..everything.clone()
                },
                2,
            ),
            (
                Selection {
                    pattern: Some("VFS".into()),
                    ..everything.clone()
                },
                0,
            ),
            (
                Selection {
                    pattern: Some("vfs".into()),
                    ..everything.clone()
                },
                2,
            ),
            (
                Selection {
                    pattern: Some("vfs".into()),
                    kernel: false,
                    ..everything.clone()
                },
                0,
            ),
            (
                Selection {
                    function: Some(Name {
                        label: "main".into(),
                        module: "redis".into(),
                        kernel: false,
                    }),
                    ..everything.clone()
                },
                2,
            ),
            (
                Selection {
                    unit: Some("nginx".into()),
                    ..everything.clone()
                },
                0,
            ),
            (
                Selection {
                    container: Some(String::new()),
                    ..everything.clone()
                },
                0,
            ),
            (
                Selection {
                    sample_types: vec![1],
                    ..everything
                },
                0,
            ),
        ];
        for (selection, expected) in selections {
            let many = selection.matcher(&profile).samples().count();
            let one_by_one = profile
                .samples
                .iter()
                .filter(|sample| selection.matches(&profile, sample))
                .count();
            assert_eq!((many, one_by_one), (expected, expected), "{selection:?}");
        }
    }
}
