//! Whose a thread is.

use crate::profile::{Id, Process, Profile, Thread};

/// Whose a thread is, in one of the ways to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Process id and name.
    Process,
    /// Thread id and name.
    Thread,
    /// The thread's name.
    Comm,
    /// cgroup path.
    Cgroup,
    /// systemd unit.
    Unit,
    /// Container id.
    Container,
}

impl Owner {
    /// Every way, in the order in which they are offered.
    pub const ALL: [Self; 6] = [
        Self::Process,
        Self::Thread,
        Self::Comm,
        Self::Cgroup,
        Self::Unit,
        Self::Container,
    ];

    /// As it is typed on the command line and written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Comm => "comm",
            Self::Cgroup => "cgroup",
            Self::Unit => "unit",
            Self::Container => "container",
        }
    }

    /// Whose `thread` is.
    pub(super) fn of(self, profile: &Profile, thread: Id<Thread>) -> Key<'_> {
        let Thread { process, tid, name } = &profile.threads[thread];
        match self {
            Self::Thread => Key {
                pid: Some(profile.processes[*process].pid),
                tid: Some(*tid),
                ..Key::plain(name, "[no name]")
            },
            Self::Comm => Key::plain(name, "[no name]"),
            _ => self.of_process(profile, *process),
        }
    }

    /// Whose `process` is, for what is not known by thread: the process stands for its threads, as does its name.
    pub(super) fn of_process(self, profile: &Profile, process: Id<Process>) -> Key<'_> {
        let process = &profile.processes[process];
        match self {
            Self::Process | Self::Thread => Key {
                pid: Some(process.pid),
                ..Key::plain(&process.name, "[no name]")
            },
            Self::Comm => Key::plain(&process.name, "[no name]"),
            Self::Cgroup => Key::plain(&process.cgroup, "[no cgroup]"),
            Self::Unit => Key::plain(&process.unit, "[no unit]"),
            Self::Container => Key::plain(&process.container, "[no container]"),
        }
    }
}

/// What tells two groups apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key<'a> {
    pub(super) label: &'a str,
    pub(super) pid: Option<u32>,
    pub(super) tid: Option<u32>,
}

impl<'a> Key<'a> {
    /// A group with a name and no number.
    pub(super) fn plain(label: &'a str, otherwise: &'static str) -> Self {
        Self {
            label: if label.is_empty() { otherwise } else { label },
            pid: None,
            tid: None,
        }
    }
}
