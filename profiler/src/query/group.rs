//! Who the samples belong to.

use rustc_hash::FxHashMap;

use super::{
    Selection, frame,
    owner::{Key, Owner},
    package::package,
    weight::Weight,
};
use crate::profile::{Id, Location, Profile, Sample};

/// By what samples are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// Process id and name.
    Process,
    /// Thread id and name.
    Thread,
    /// The module of the innermost shown frame.
    Module,
    /// The crate, package or namespace of the innermost shown function; its module where its name has none.
    Package,
    /// cgroup path.
    Cgroup,
    /// systemd unit.
    Unit,
    /// Container id.
    Container,
    /// The thread's name.
    Comm,
    /// How the walk of the user stack ended.
    Outcome,
}

impl GroupBy {
    /// Every way, in the order in which they are offered.
    pub const ALL: [Self; 9] = [
        Self::Process,
        Self::Thread,
        Self::Comm,
        Self::Module,
        Self::Package,
        Self::Cgroup,
        Self::Unit,
        Self::Container,
        Self::Outcome,
    ];

    /// As it is typed on the command line and written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Module => "module",
            Self::Package => "package",
            Self::Cgroup => "cgroup",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Comm => "comm",
            Self::Outcome => "outcome",
        }
    }
}

/// One group and what was sampled in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// The group's name; raw. In brackets for what has none.
    pub label: String,
    /// The process id, for processes and threads.
    pub pid: Option<u32>,
    /// The thread id, for threads.
    pub tid: Option<u32>,
    /// Value of its samples.
    pub value: u64,
    /// How many samples that is.
    pub samples: u64,
    /// How many of them have a user stack that was cut short.
    pub incomplete: u64,
}

/// Who the selected samples belong to: by value, largest first, then by name and id. Every sample is in one group.
pub fn groups(profile: &Profile, selection: &Selection, by: GroupBy) -> Vec<GroupRow> {
    let mut groups: FxHashMap<Key<'_>, (Weight, u64)> = FxHashMap::default();
    let mut packages = FxHashMap::default();
    for sample in selection.matcher(profile).samples() {
        let key = key(profile, selection, by, &sample, &mut packages);
        let (weight, incomplete) = groups.entry(key).or_default();
        weight.add(Weight {
            value: sample.value,
            samples: 1,
        });
        *incomplete += u64::from(!sample.outcome.is_whole());
    }
    let mut rows: Vec<GroupRow> = groups
        .into_iter()
        .map(|(Key { label, pid, tid }, (weight, incomplete))| GroupRow {
            label: label.to_owned(),
            pid,
            tid,
            value: weight.value,
            samples: weight.samples,
            incomplete,
        })
        .collect();
    rows.sort_by(|a, b| {
        b.value
            .cmp(&a.value)
            .then_with(|| (&a.label, a.pid, a.tid).cmp(&(&b.label, b.pid, b.tid)))
    });
    rows
}

fn key<'a>(
    profile: &'a Profile,
    selection: &Selection,
    by: GroupBy,
    sample: &Sample,
    packages: &mut FxHashMap<Id<Location>, &'a str>,
) -> Key<'a> {
    let innermost = || innermost(profile, selection, sample).ok_or(selection.nothing_left());
    match by {
        GroupBy::Module => Key::plain(
            innermost().map_or_else(|remark| remark, |location| module(profile, location)),
            "[unknown]",
        ),
        GroupBy::Package => Key::plain(
            innermost().map_or_else(
                |remark| remark,
                |location| {
                    *packages
                        .entry(location)
                        .or_insert_with(|| package_of(profile, location))
                },
            ),
            "[unknown]",
        ),
        GroupBy::Outcome => Key::plain(sample.outcome.describe(), ""),
        GroupBy::Process => Owner::Process.of(profile, sample.thread),
        GroupBy::Thread => Owner::Thread.of(profile, sample.thread),
        GroupBy::Cgroup => Owner::Cgroup.of(profile, sample.thread),
        GroupBy::Unit => Owner::Unit.of(profile, sample.thread),
        GroupBy::Container => Owner::Container.of(profile, sample.thread),
        GroupBy::Comm => Owner::Comm.of(profile, sample.thread),
    }
}

fn innermost(profile: &Profile, selection: &Selection, sample: &Sample) -> Option<Id<Location>> {
    sample
        .stack
        .into_iter()
        .flat_map(|stack| profile.stacks.locations(stack))
        .find(|&location| selection.shows(profile, location))
}

fn module(profile: &Profile, location: Id<Location>) -> &str {
    frame::module(profile.mapping_of(location))
}

fn package_of(profile: &Profile, location: Id<Location>) -> &str {
    let function = frame::frames(profile, location)
        .next()
        .and_then(|frame| frame.function);
    let package = function.and_then(package);
    package.unwrap_or_else(|| module(profile, location))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Outcome, folded::from_folded};

    fn rows(profile: &Profile, by: GroupBy) -> Vec<(String, Option<u32>, u64, u64)> {
        groups(profile, &Selection::default(), by)
            .into_iter()
            .map(|row| (row.label, row.pid, row.samples, row.incomplete))
            .collect()
    }

    #[test]
    fn processes_of_one_name_are_told_apart_by_pid_and_commands_are_not() {
        let mut profile = from_folded("a/7;main 2\na/9;main 1\nb/8;main 1");
        profile.samples[2].outcome = Outcome::NoUnwindInfo;
        assert_eq!(
            rows(&profile, GroupBy::Process),
            [
                ("a".into(), Some(7), 2, 0),
                ("a".into(), Some(9), 1, 1),
                ("b".into(), Some(8), 1, 0)
            ]
        );
        assert_eq!(
            rows(&profile, GroupBy::Comm),
            [("a".into(), None, 3, 1), ("b".into(), None, 1, 0)]
        );
    }

    #[test]
    fn functions_without_a_path_belong_to_their_module() {
        let profile =
            from_folded("a;main;serde_json::de::from_str 3\na;main;libc.so.6`memcpy 2\na;main;read_[k] 1");
        let rows: Vec<_> = rows(&profile, GroupBy::Package)
            .into_iter()
            .map(|row| (row.0, row.2))
            .collect();
        let kernel = profile
            .mappings
            .iter()
            .find(|(_, mapping)| mapping.is_kernel())
            .unwrap()
            .1
            .name();
        let row = |label: &str, samples| (label.to_owned(), samples);
        assert_eq!(rows, [row("serde_json", 3), row("libc.so.6", 2), row(kernel, 1)]);
    }

    #[test]
    fn what_belongs_nowhere_is_a_group_of_its_own() {
        let profile = from_folded("a;main;libc.so.6`read 2\na 1");
        assert_eq!(
            rows(&profile, GroupBy::Module),
            [
                ("libc.so.6".into(), None, 2, 0),
                ("[no stack]".into(), None, 1, 0)
            ]
        );
        assert_eq!(rows(&profile, GroupBy::Unit), [("[no unit]".into(), None, 3, 0)]);
        assert_eq!(
            rows(&profile, GroupBy::Outcome),
            [("complete".into(), None, 3, 0)]
        );
    }
}
