//! Who the samples belong to.

use rustc_hash::FxHashMap;

use super::{
    Selection, frame,
    owner::{Key, Owner},
    weight::Weight,
};
use crate::profile::{Profile, Sample};

/// By what samples are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// Process id and name.
    Process,
    /// Thread id and name.
    Thread,
    /// The module of the innermost shown frame.
    Module,
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
    pub const ALL: [Self; 8] = [
        Self::Process,
        Self::Thread,
        Self::Comm,
        Self::Module,
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
    for sample in selection.matcher(profile).samples() {
        let (weight, incomplete) = groups.entry(key(profile, selection, by, &sample)).or_default();
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

fn key<'a>(profile: &'a Profile, selection: &Selection, by: GroupBy, sample: &Sample) -> Key<'a> {
    match by {
        GroupBy::Module => Key::plain(innermost_module(profile, selection, sample), "[unknown]"),
        GroupBy::Outcome => Key::plain(sample.outcome.describe(), ""),
        GroupBy::Process => Owner::Process.of(profile, sample.thread),
        GroupBy::Thread => Owner::Thread.of(profile, sample.thread),
        GroupBy::Cgroup => Owner::Cgroup.of(profile, sample.thread),
        GroupBy::Unit => Owner::Unit.of(profile, sample.thread),
        GroupBy::Container => Owner::Container.of(profile, sample.thread),
        GroupBy::Comm => Owner::Comm.of(profile, sample.thread),
    }
}

fn innermost_module<'a>(profile: &'a Profile, selection: &Selection, sample: &Sample) -> &'a str {
    sample
        .stack
        .into_iter()
        .flat_map(|stack| profile.stacks.locations(stack))
        .find(|&location| selection.shows(profile, location))
        .map_or(selection.nothing_left(), |location| {
            frame::module(profile.mapping_of(location))
        })
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
