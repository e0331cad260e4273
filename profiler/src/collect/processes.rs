//! The processes that live, as events and `/proc` tell of them.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use rustc_hash::FxHashMap;

use super::{
    address_space::AddressSpace,
    event::RawMapping,
    host::Host,
    proc_fs::{Owner, Stat},
};
use crate::profile::{Id, Process, Thread};

/// A thread.
#[derive(Clone, Debug)]
pub struct LiveThread {
    /// Its name.
    pub name: String,
    /// Its row in the profile, once it was sampled under this name.
    pub row: Option<Id<Thread>>,
    /// When it ended; it is kept for a while, because what it did in its last moments is told after its end.
    pub ended: Option<u64>,
}

impl LiveThread {
    /// A thread of this name that lives.
    pub fn new(name: String) -> Self {
        Self {
            name,
            row: None,
            ended: None,
        }
    }
}

/// A process.
#[derive(Clone, Debug)]
pub struct Live {
    /// User space's process id.
    pub pid: u32,
    /// The parent's.
    pub ppid: u32,
    /// Which image it runs, by the kernel side's count; 0: the one it had before recording began.
    pub image: u64,
    /// When this image began (`CLOCK_MONOTONIC`, nanoseconds); 0: before.
    pub since: u64,
    /// The name of its first thread.
    pub name: String,
    /// No user space.
    pub kernel_thread: bool,
    /// The executable's path, as far as events tell.
    pub exe: Option<String>,
    /// The owner it inherited.
    pub owner: Option<Rc<Owner>>,
    /// Its mappings; `None`: nobody asked yet, and no event told.
    pub space: Option<Rc<AddressSpace>>,
    /// Between the event that says it runs a new program and the one that says that it began: the registers still
    /// belong to the old one.
    pub in_exec: bool,
    /// When its mappings are read again at the earliest, if a sample's code lies outside of them (`CLOCK_MONOTONIC`).
    pub reread_at: u64,
    /// Its threads, as far as they were met.
    pub threads: FxHashMap<u32, LiveThread>,
    /// Its row in the profile, once it was sampled.
    pub row: Option<Id<Process>>,
    /// When it ended; it is kept for a while, because samples of its last moments may follow.
    pub ended: Option<u64>,
}

impl Live {
    fn new(pid: u32) -> Self {
        Self {
            pid,
            ppid: 0,
            image: 0,
            since: 0,
            name: String::new(),
            kernel_thread: false,
            exe: None,
            owner: None,
            space: None,
            in_exec: false,
            reread_at: 0,
            threads: FxHashMap::default(),
            row: None,
            ended: None,
        }
    }

    fn from_stat(pid: u32, stat: &Stat) -> Self {
        let name = text(&stat.name);
        Self {
            ppid: stat.ppid,
            name,
            kernel_thread: stat.kernel_thread,
            ..Self::new(pid)
        }
    }
}

/// Text from the profiled world; what is not UTF-8 is replaced.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The processes that live.
#[derive(Debug, Default)]
pub struct Processes {
    live: HashMap<u32, Live, rustc_hash::FxBuildHasher>,
    /// Ended processes, in the order of their end.
    ended: VecDeque<(u64, u32)>,
    /// Ended threads of processes that go on, likewise: process and thread.
    ended_threads: VecDeque<(u64, u32, u32)>,
}

/// How long the mappings of a process are taken for right after they were read again.
const REREAD_NS: u64 = 500_000_000;
/// How long ended processes and threads are remembered.
const LINGER_NS: u64 = 2_000_000_000;

impl Processes {
    /// The profile's tables begin anew: nothing has a row.
    pub fn forget_rows(&mut self) {
        for live in self.live.values_mut() {
            live.row = None;
            live.threads.values_mut().for_each(|thread| thread.row = None);
        }
    }

    /// Notes the processes that run already: a name and a parent each, nothing dear.
    pub fn scan(&mut self, pids: impl IntoIterator<Item = u32>, host: &impl Host) {
        for pid in pids {
            if let Some(stat) = host.stat(pid) {
                self.live.insert(pid, Live::from_stat(pid, &stat));
            }
        }
    }

    /// The process, if it is known.
    pub fn get(&self, pid: u32) -> Option<&Live> {
        self.live.get(&pid)
    }

    /// The process, if it is known, to be changed.
    pub fn get_mut(&mut self, pid: u32) -> Option<&mut Live> {
        self.live.get_mut(&pid)
    }

    /// The process; one that no event told of is looked up.
    pub fn get_or_look_up(&mut self, pid: u32, host: &impl Host) -> &mut Live {
        self.live.entry(pid).or_insert_with(|| match host.stat(pid) {
            Some(stat) => Live::from_stat(pid, &stat),
            // What interrupts do while nobody runs.
            None if pid == 0 => Live {
                name: "swapper".to_owned(),
                kernel_thread: true,
                ..Live::new(pid)
            },
            None => Live {
                name: format!("pid {pid}"),
                ..Live::new(pid)
            },
        })
    }

    /// A thread was created. A new process starts as a copy of its parent.
    pub fn fork(&mut self, pid: u32, tid: u32, parent_pid: u32, parent_tid: u32, host: &impl Host) {
        let parent = self.get_or_look_up(parent_pid, host);
        let inherited = parent
            .threads
            .get(&parent_tid)
            .map_or_else(|| parent.name.clone(), |t| t.name.clone());
        if pid == parent_pid {
            parent.threads.insert(tid, LiveThread::new(inherited));
            return;
        }
        let child = Live {
            pid,
            ppid: parent_pid,
            name: inherited,
            threads: FxHashMap::default(),
            row: None,
            ended: None,
            in_exec: false,
            reread_at: 0,
            ..parent.clone()
        };
        self.live.insert(pid, child);
    }

    /// The kernel side counts a new image, which begins at `image` (`CLOCK_MONOTONIC`). The side band has told before
    /// who it is; where it did not (a ring that was full, a CPU that just came online), `/proc` is asked.
    pub fn image(&mut self, pid: u32, image: u64, forked_from: Option<u32>, host: &impl Host) {
        match forked_from {
            Some(parent) if self.live.get(&pid).is_none_or(|live| live.ended.is_some()) => {
                self.fork(pid, pid, parent, parent, host);
            }
            None if self.live.get(&pid).is_some_and(|live| !live.in_exec) => {
                self.live.remove(&pid);
                self.get_or_look_up(pid, host).since = image;
            }
            _ => {}
        }
        let live = self.get_or_look_up(pid, host);
        live.image = image;
        if forked_from.is_none() {
            live.in_exec = false;
        }
    }

    /// A thread got a name, or the process runs a new program.
    pub fn comm(&mut self, time: u64, pid: u32, tid: u32, name: &[u8], exec: bool, host: &impl Host) {
        let live = self.get_or_look_up(pid, host);
        let name = text(name);
        if exec {
            *live = Live {
                ppid: live.ppid,
                image: live.image,
                since: time,
                owner: live.owner.take(),
                name,
                space: Some(Rc::default()),
                in_exec: true,
                ..Live::new(pid)
            };
            return;
        }
        if tid == pid {
            live.name.clone_from(&name);
            // The process keeps its row: it is the same program. The thread starts a new one.
        }
        live.threads.insert(tid, LiveThread::new(name));
    }

    /// A process mapped executable memory.
    pub fn map(&mut self, pid: u32, mapping: RawMapping, host: &impl Host) {
        let live = self.get_or_look_up(pid, host);
        if live.exe.is_none() && live.since != 0 && mapping.path.starts_with(b"/") {
            // The kernel maps the program first, then its interpreter (fs/binfmt_elf.c).
            live.exe = Some(text(&mapping.path));
        }
        // Where nobody has read the mappings yet, a single one would look like all there are; `/proc` will tell.
        if let Some(space) = &mut live.space {
            Rc::make_mut(space).map(mapping);
        }
    }

    /// A sample at `now` met code outside of the mappings of a process: they are read again, at most once in
    /// [`REREAD_NS`], for an event may have been lost. Returns whether they are different.
    pub fn reread(&mut self, pid: u32, now: u64, host: &impl Host) -> bool {
        let Some(live) = self.live.get_mut(&pid) else {
            return false;
        };
        if live.ended.is_some() || live.in_exec || now < live.reread_at {
            return false;
        }
        live.reread_at = now + REREAD_NS;
        let Some(maps) = host.maps(pid).filter(|maps| !maps.is_empty()) else {
            return false;
        };
        let space = live.space.get_or_insert_default();
        let before = space.generation();
        let space = Rc::make_mut(space);
        maps.into_iter().for_each(|mapping| space.map(mapping));
        space.generation() != before
    }

    /// A thread ended.
    pub fn exit(&mut self, time: u64, pid: u32, tid: u32) {
        let Some(live) = self.live.get_mut(&pid) else {
            return;
        };
        if tid == pid && live.ended.is_none() {
            // The last thread of a process may outlive its first by far; that case only costs a look-up later.
            live.ended = Some(time);
            self.ended.push_back((time, pid));
        } else if let Some(thread) = live.threads.get_mut(&tid) {
            thread.ended = Some(time);
            self.ended_threads.push_back((time, pid, tid));
        }
    }

    /// Forgets processes that ended long before `now`; says which.
    pub fn reap(&mut self, now: u64) -> Vec<Live> {
        while let Some(&(time, pid, tid)) = self.ended_threads.front()
            && time + LINGER_NS < now
        {
            self.ended_threads.pop_front();
            if let Some(live) = self.live.get_mut(&pid)
                && live
                    .threads
                    .get(&tid)
                    .is_some_and(|thread| thread.ended == Some(time))
            {
                live.threads.remove(&tid);
            }
        }
        let mut reaped = Vec::new();
        while let Some(&(time, pid)) = self.ended.front()
            && time + LINGER_NS < now
        {
            self.ended.pop_front();
            // The number may belong to another process by now.
            if self.live.get(&pid).is_some_and(|live| live.ended == Some(time)) {
                reaped.extend(self.live.remove(&pid));
            }
        }
        reaped
    }

    /// All processes.
    pub fn iter(&self) -> impl Iterator<Item = &Live> {
        self.live.values()
    }
}
