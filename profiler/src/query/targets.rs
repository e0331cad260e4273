//! What slow operations were on.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::{Slow, operation};
use crate::profile::{Id, ObjectKind, Profile, SlowEvent, Target};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Files, directories, devices, terminals and pipes: by path.
    Files,
    /// Sockets: by peer.
    Sockets,
}

impl Targets {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Sockets => "sockets",
        }
    }

    /// Whether the operation was on such a thing. A call that takes a path and no descriptor is on a file.
    fn hold(self, event: &SlowEvent) -> bool {
        match event.object {
            ObjectKind::Socket | ObjectKind::LocalSocket => self == Self::Sockets,
            ObjectKind::File
            | ObjectKind::BlockDevice
            | ObjectKind::Device
            | ObjectKind::Terminal
            | ObjectKind::Pipe => self == Self::Files,
            ObjectKind::None => self == Self::Files && event.target.is_some(),
            ObjectKind::Event => false,
        }
    }
}

/// One thing that slow operations were on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// The path or the peer; raw. `None`: it was not known.
    pub target: Option<String>,
    /// What kind of thing it is.
    pub object: ObjectKind,
    /// How long each operation took, in nanoseconds, shortest first.
    pub durations: Vec<u64>,
    /// How long they took in all.
    pub total_ns: u64,
    /// Which operations they were, by the time in all, longest first.
    pub operations: Vec<Part>,
    /// Whose they were, likewise: the process's name (raw) and id.
    pub processes: Vec<Part>,
}

/// A part of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub name: String,
    /// The process id, for processes.
    pub pid: Option<u32>,
    /// How many operations it is.
    pub count: u64,
    /// How long they took in all, in nanoseconds.
    pub total_ns: u64,
}

impl TargetRow {
    /// How long it took at most in `percent` of the operations, in nanoseconds; exact.
    pub fn percentile(&self, percent: f64) -> u64 {
        let rank = (self.durations.len() as f64 * percent / 100.0).ceil() as usize;
        let place = rank.clamp(1, self.durations.len().max(1)) - 1;
        self.durations.get(place).copied().unwrap_or(0)
    }
}

/// What the slow operations were on, by the time in all, longest first, then by name.
pub fn targets(profile: &Profile, slow: &Slow<'_>, asked: Targets) -> Vec<TargetRow> {
    let mut groups: FxHashMap<(Option<Id<Target>>, ObjectKind), Group> = FxHashMap::default();
    for event in slow.events.iter().filter(|event| asked.hold(event)) {
        let key = match event.target {
            Some(target) => (Some(target), ObjectKind::None),
            None => (None, event.object),
        };
        groups.entry(key).or_default().add(profile, event);
    }
    let mut rows: Vec<TargetRow> = groups
        .into_iter()
        .map(|((target, _), group)| group.row(target.map(|target| profile.targets[target].0.clone())))
        .collect();
    rows.sort_by(|a, b| {
        (b.total_ns.cmp(&a.total_ns)).then_with(|| (&a.target, a.object).cmp(&(&b.target, b.object)))
    });
    rows
}

#[derive(Default)]
struct Group {
    object: ObjectKind,
    durations: Vec<u64>,
    total_ns: u64,
    /// By operation, and by process.
    parts: [Parts; 2],
}

/// How many operations, and how long they took, by name and process id.
type Parts = FxHashMap<(String, Option<u32>), (u64, u64)>;

impl Group {
    fn add(&mut self, profile: &Profile, event: &SlowEvent) {
        let process = &profile.processes[profile.threads[event.thread].process];
        // `openat` knows the path and no descriptor, `read` knows both: it is one thing.
        self.object = self.object.max(event.object);
        self.durations.push(event.duration_ns);
        self.total_ns = self.total_ns.saturating_add(event.duration_ns);
        let names = [
            (operation::operation(event.operation).into_owned(), None),
            (process.name.clone(), Some(process.pid)),
        ];
        for (parts, name) in self.parts.iter_mut().zip(names) {
            let (count, total) = parts.entry(name).or_default();
            *count += 1;
            *total = total.saturating_add(event.duration_ns);
        }
    }

    fn row(mut self, target: Option<String>) -> TargetRow {
        self.durations.sort_unstable();
        let [operations, processes] = self.parts.map(|parts| {
            let mut parts: Vec<Part> = parts
                .into_iter()
                .map(|((name, pid), (count, total_ns))| Part {
                    name,
                    pid,
                    count,
                    total_ns,
                })
                .collect();
            parts.sort_by(|a, b| {
                (Reverse(a.total_ns), &a.name, a.pid).cmp(&(Reverse(b.total_ns), &b.name, b.pid))
            });
            parts
        });
        TargetRow {
            target,
            object: self.object,
            durations: self.durations,
            total_ns: self.total_ns,
            operations,
            processes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Operation, Waker, folded::from_folded},
        query::{Selection, slow, slow::tests::event},
    };

    fn rows(asked: Targets) -> Vec<TargetRow> {
        let mut profile = from_folded("app/7;main 1\nother/9;main 1");
        let path = Some(profile.targets.intern(Target("/var/db".into())));
        let peer = Some(profile.targets.intern(Target("10.0.0.1:80".into())));
        let add = |thread, duration, operation, object, target| SlowEvent {
            operation,
            object,
            target,
            ..event(thread, 0, duration, Waker::Unknown)
        };
        profile.slow = vec![
            add(0, 10, Operation::Call(257), ObjectKind::None, path),
            add(0, 30, Operation::Call(0), ObjectKind::File, path),
            add(1, 20, Operation::Call(0), ObjectKind::File, path),
            add(1, 5, Operation::Call(0), ObjectKind::Pipe, None),
            add(1, 7, Operation::Call(45), ObjectKind::Socket, peer),
            add(1, 9, Operation::Call(202), ObjectKind::None, None),
        ];
        targets(&profile, &slow(&profile, &Selection::default(), false), asked)
    }

    #[test]
    fn a_file_is_one_thing_with_and_without_a_descriptor() {
        let rows = rows(Targets::Files);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].target.as_deref(), rows[0].object),
            (Some("/var/db"), ObjectKind::File)
        );
        assert_eq!((&rows[0].durations, rows[0].total_ns), (&vec![10, 20, 30], 60));
        assert_eq!([50.0, 99.0].map(|percent| rows[0].percentile(percent)), [20, 30]);
        let parts = |parts: &[Part]| -> Vec<(String, u64)> {
            parts
                .iter()
                .map(|part| (part.name.clone(), part.total_ns))
                .collect()
        };
        assert_eq!(
            parts(&rows[0].operations),
            [("read".into(), 50), ("openat".into(), 10)]
        );
        assert_eq!(
            parts(&rows[0].processes),
            [("app".into(), 40), ("other".into(), 20)]
        );
        assert_eq!((&rows[1].target, rows[1].object), (&None, ObjectKind::Pipe));
    }

    #[test]
    fn sockets_are_apart_and_what_is_on_nothing_is_nowhere() {
        let rows = rows(Targets::Sockets);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].target.as_deref(), Some("10.0.0.1:80"));
    }
}
