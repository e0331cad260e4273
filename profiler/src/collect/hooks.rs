//! The hooks that keep the kernel side's accounts: sets of programs that are attached together, and shed together.
//!
//! A new set is a variant of [`Set`] with its lines there, and a line where it is attached.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use aya::{
    Btf, Ebpf,
    maps::{Array, MapData, PerCpuArray, PerCpuValues},
    programs::tp_btf::BtfTracePointLink,
};
use profiler_common::{
    config::{REQUEST_BYTES, REQUESTS, tell},
    lock::{KernelWaiting, NESTED},
};

use super::{governor::Sheddable, object, options::Options, thread_times};

/// A program, and the tracepoint that it is attached to.
type Hook = (&'static str, &'static str);

/// A tracepoint, and its name before Linux 6.4.
const RENAMED: (&str, &str) = ("io_uring_submit_req", "io_uring_submit_sqe");

/// What the kernel side keeps on each CPU of waits for locks that are spun for, in bytes.
const SPINNING: usize = NESTED * size_of::<KernelWaiting>();

/// Hooks that come and go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Set {
    /// What threads do, and what they wait for.
    States,
    /// Where system calls end; the user stacks of waits in them are taken there, too.
    CallEnds,
    /// Where system calls begin.
    CallBegins,
    /// Requests to io_uring.
    IoUring,
    /// Requests to block devices.
    Block,
    /// Wake-ups: of waits that are told, and whose wakers' stacks are wanted.
    Wakers,
    /// Calls that may wait for a lock, where calls are not counted: those tell it as well.
    FutexBegins,
    /// Contention of the kernel's own locks.
    KernelLocks,
    /// Packets that threads send to this host itself.
    Loops,
}

impl Set {
    fn hooks(self) -> &'static [Hook] {
        match self {
            Self::States => &[
                ("states_new", "sched_wakeup_new"),
                ("states_exec", "sched_process_exec"),
                ("states_waking", "sched_waking"),
                ("states_switch", "sched_switch"),
            ],
            Self::CallEnds => &[("calls_exit", "sys_exit")],
            Self::CallBegins => &[("calls_enter", "sys_enter")],
            Self::IoUring => &[
                ("calls_uring_submit", "io_uring_submit_req"),
                ("calls_uring_complete", "io_uring_complete"),
            ],
            Self::Block => &[
                ("block_insert", "block_rq_insert"),
                ("block_issue", "block_rq_issue"),
                ("block_complete", "block_rq_complete"),
            ],
            Self::Wakers => &[("locks_waking", "sched_waking")],
            Self::FutexBegins => &[("locks_enter", "sys_enter")],
            Self::KernelLocks => &[
                ("locks_begin", "contention_begin"),
                ("locks_end", "contention_end"),
            ],
            Self::Loops => &[("states_loops", "netif_rx")],
        }
    }

    /// The probes that need it, with the last of which it is shed; a set that none of them needs is never shed.
    fn serves(self) -> &'static [Sheddable] {
        match self {
            Self::States | Self::Loops => &[Sheddable::States],
            Self::CallEnds => &[Sheddable::Syscalls, Sheddable::OffCpu, Sheddable::Locks],
            Self::Wakers => &[Sheddable::Syscalls, Sheddable::Locks],
            Self::FutexBegins | Self::KernelLocks => &[Sheddable::Locks],
            Self::CallBegins | Self::IoUring => &[Sheddable::Syscalls],
            Self::Block => &[],
        }
    }

    /// What users are told if the kernel refuses it.
    fn refusal(self) -> &'static str {
        match self {
            Self::States => "the states of threads are not recorded",
            Self::CallEnds => "neither system calls nor the stacks of waits in them are recorded",
            Self::CallBegins => "system calls are not recorded",
            Self::IoUring => "requests to io_uring are not recorded",
            Self::Block => "block I/O is not recorded",
            Self::Wakers => "neither waits for locks of programs nor stacks of wakers are recorded",
            Self::FutexBegins => "holders of locks are known by their wake-ups only",
            Self::KernelLocks => "waits for locks of the kernel are not recorded",
            Self::Loops => "whom a packet from this host itself wakes is woken by an interrupt",
        }
    }

    /// Loads its programs.
    fn load(self, ebpf: &mut Ebpf, btf: &Btf) -> Result<()> {
        self.hooks().iter().try_for_each(|&hook| load(hook, ebpf, btf))
    }

    /// Says that the kernel refuses it.
    fn refused(self, error: &anyhow::Error) {
        let level = match self {
            // Many kernels are built without it, for safety.
            Self::IoUring | Self::Loops => log::Level::Info,
            _ => log::Level::Warn,
        };
        log::log!(level, "{}: {error:#}", self.refusal());
    }
}

/// Hooks that are attached; they go with this value.
#[derive(Debug, Default)]
pub struct Hooks {
    attached: BTreeMap<Set, Vec<BtfTracePointLink>>,
    /// Those whose programs are in the kernel, attached or not.
    loaded: BTreeSet<Set>,
    /// What is recorded and may be shed.
    on: BTreeSet<Sheddable>,
}

impl Hooks {
    /// Attaches the hooks that `options` ask for, and opens an account for every thread there is. Users are told what the
    /// kernel refuses; the others stay.
    pub fn attach(ebpf: &mut Ebpf, btf: &Btf, options: &Options) -> Self {
        let mut hooks = Self::default();
        if options.states
            && let Err(error) = hooks.open_accounts(ebpf, btf, options)
        {
            Set::States.refused(&error);
            hooks = Self::default();
        }
        if options.block {
            hooks.try_add(Set::Block, ebpf, btf);
        }
        hooks
    }

    /// Attaches what is kept in the accounts of threads, and then opens them: what threads do meanwhile is not missed.
    fn open_accounts(&mut self, ebpf: &mut Ebpf, btf: &Btf, options: &Options) -> Result<()> {
        thread_times::load(ebpf, btf)?;
        self.add(Set::States, ebpf, btf)?;
        self.on.insert(Sheddable::States);
        if options.off_cpu {
            self.on.insert(Sheddable::OffCpu);
        }
        let ends =
            (options.calls || options.off_cpu || options.locks) && self.try_add(Set::CallEnds, ebpf, btf);
        if options.calls && ends && self.try_add(Set::CallBegins, ebpf, btf) {
            self.on.insert(Sheddable::Syscalls);
            self.try_add(Set::IoUring, ebpf, btf);
        }
        if options.locks && ends {
            self.on.insert(Sheddable::Locks);
            self.try_add(Set::KernelLocks, ebpf, btf);
            if !self.count_calls() {
                self.try_add(Set::FutexBegins, ebpf, btf);
            } else if let Err(error) = self.load(Set::FutexBegins, ebpf, btf) {
                // It stands in when calls are shed.
                Set::FutexBegins.refused(&error);
            }
        }
        if self.try_add(Set::Loops, ebpf, btf) {
            log::info!("who sends packets to this host itself is known as a waker");
        }
        if self.count_calls() || options.locks && ends {
            self.try_add(Set::Wakers, ebpf, btf);
        }
        self.detach_unneeded();
        // What it tells now is nothing yet.
        thread_times::read(ebpf, tell::SWITCHED).map(drop)
    }

    /// Attaches a set, or tells users that the kernel refuses it. Whether it is attached.
    fn try_add(&mut self, set: Set, ebpf: &mut Ebpf, btf: &Btf) -> bool {
        self.add(set, ebpf, btf)
            .inspect_err(|error| set.refused(error))
            .is_ok()
    }

    /// Attaches all of a set or nothing.
    fn add(&mut self, set: Set, ebpf: &mut Ebpf, btf: &Btf) -> Result<()> {
        self.load(set, ebpf, btf)?;
        self.attach_loaded(set, ebpf)
    }

    fn load(&mut self, set: Set, ebpf: &mut Ebpf, btf: &Btf) -> Result<()> {
        set.load(ebpf, btf)?;
        self.loaded.insert(set);
        Ok(())
    }

    fn attach_loaded(&mut self, set: Set, ebpf: &mut Ebpf) -> Result<()> {
        let programs = set.hooks().iter();
        let links = programs
            .map(|(program, _)| object::attach(ebpf, program))
            .collect::<Result<_>>()?;
        self.attached.insert(set, links);
        Ok(())
    }

    /// Whether the accounts of threads are kept.
    pub fn keep_states(&self) -> bool {
        self.attached.contains_key(&Set::States)
    }

    /// Whether system calls are counted.
    pub fn count_calls(&self) -> bool {
        self.attached.contains_key(&Set::CallBegins)
    }

    /// Whether waits for locks are told.
    pub fn tell_locks(&self) -> bool {
        self.on.contains(&Sheddable::Locks)
    }

    /// What may be shed.
    pub fn sheddable(&self) -> Vec<Sheddable> {
        self.on.iter().copied().collect()
    }

    /// Takes a probe off.
    pub fn shed(&mut self, probe: Sheddable) {
        match probe {
            // The others need its accounts.
            Sheddable::States => self.on.clear(),
            Sheddable::Syscalls | Sheddable::OffCpu | Sheddable::Locks => {
                self.on.remove(&probe);
            }
        }
        self.detach_unneeded();
    }

    /// Puts a probe back that was shed. What was known of threads from before is forgotten: nobody saw what they did since.
    ///
    /// # Errors
    /// If it cannot be put back.
    pub fn resume(&mut self, probe: Sheddable, ebpf: &mut Ebpf) -> Result<()> {
        if probe == Sheddable::States {
            thread_times::prepare(ebpf, tell::FORGET)?;
        } else if !self.attached.contains_key(&Set::CallEnds) {
            thread_times::prepare(ebpf, tell::FORGET_CALLS)?;
        } else if probe == Sheddable::Locks {
            thread_times::prepare(ebpf, tell::FORGET_KERNEL_LOCKS)?;
        }
        match probe {
            Sheddable::Syscalls if self.loaded.contains(&Set::IoUring) => forget_requests(ebpf)?,
            Sheddable::Locks => forget_spinning(ebpf)?,
            Sheddable::Syscalls | Sheddable::OffCpu | Sheddable::States => {}
        }
        self.on.insert(probe);
        self.attach_needed(ebpf);
        self.detach_unneeded();
        match probe {
            // Opens the accounts; what it tells now is nothing yet.
            Sheddable::States => thread_times::read(ebpf, tell::SWITCHED).map(drop),
            Sheddable::Syscalls => thread_times::prepare(ebpf, tell::FIND_CALLS),
            Sheddable::OffCpu | Sheddable::Locks => Ok(()),
        }
    }

    /// Attaches what is needed now and is not attached: some of it stands in for what was shed.
    pub fn attach_needed(&mut self, ebpf: &mut Ebpf) {
        let missing: Vec<Set> = self
            .loaded
            .iter()
            .copied()
            .filter(|set| self.needs(*set) && !self.attached.contains_key(set))
            .collect();
        for set in missing {
            if let Err(error) = self.attach_loaded(set, ebpf) {
                set.refused(&error);
            }
        }
    }

    /// Whether a probe that is on needs it.
    fn needs(&self, set: Set) -> bool {
        let probes = set.serves();
        let is_served = probes.is_empty() || probes.iter().any(|probe| self.on.contains(probe));
        // What counts calls tells of these, too.
        is_served && !(set == Set::FutexBegins && self.on.contains(&Sheddable::Syscalls))
    }

    fn detach_unneeded(&mut self) {
        let mut attached = std::mem::take(&mut self.attached);
        attached.retain(|set, _| self.needs(*set));
        self.attached = attached;
    }
}

/// Requests to io_uring that were on their way when nobody looked may have ended since.
fn forget_requests(ebpf: &mut Ebpf) -> Result<()> {
    let map = ebpf
        .map_mut("URING_IN_FLIGHT")
        .context("the kernel side has no map URING_IN_FLIGHT")?;
    let mut requests: Array<&mut MapData, [u8; REQUEST_BYTES]> = Array::try_from(map)?;
    (0..REQUESTS).try_for_each(|at| requests.set(at, [0; REQUEST_BYTES], 0))?;
    Ok(())
}

/// And so may waits for locks of the kernel.
fn forget_spinning(ebpf: &mut Ebpf) -> Result<()> {
    let map = ebpf
        .map_mut("SPINNING")
        .context("the kernel side has no map SPINNING")?;
    let mut spinning: PerCpuArray<&mut MapData, [u8; SPINNING]> = PerCpuArray::try_from(map)?;
    let cpus = aya::util::nr_cpus().map_err(|(what, error)| anyhow::anyhow!("{what}: {error}"))?;
    spinning.set(0, PerCpuValues::try_from(vec![[0; SPINNING]; cpus])?, 0)?;
    Ok(())
}

fn load((program, tracepoint): Hook, ebpf: &mut Ebpf, btf: &Btf) -> Result<()> {
    object::load(ebpf, btf, program, tracepoint).or_else(|error| match RENAMED {
        (now, before) if now == tracepoint => object::load(ebpf, btf, program, before),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Set; 6] = [
        Set::States,
        Set::CallEnds,
        Set::CallBegins,
        Set::IoUring,
        Set::Block,
        Set::KernelLocks,
    ];

    /// All of them, without links.
    fn all() -> Hooks {
        Hooks {
            attached: ALL.into_iter().map(|set| (set, Vec::new())).collect(),
            loaded: ALL.into(),
            on: [
                Sheddable::Syscalls,
                Sheddable::OffCpu,
                Sheddable::Locks,
                Sheddable::States,
            ]
            .into(),
        }
    }

    fn left(hooks: &Hooks) -> Vec<Set> {
        hooks.attached.keys().copied().collect()
    }

    #[test]
    fn ends_of_calls_go_with_the_last_that_needs_them() {
        let mut hooks = all();
        hooks.shed(Sheddable::Syscalls);
        assert_eq!(
            left(&hooks),
            [Set::States, Set::CallEnds, Set::Block, Set::KernelLocks]
        );
        hooks.shed(Sheddable::OffCpu);
        assert_eq!(
            left(&hooks),
            [Set::States, Set::CallEnds, Set::Block, Set::KernelLocks]
        );
        hooks.shed(Sheddable::Locks);
        assert_eq!(left(&hooks), [Set::States, Set::Block]);
        assert_eq!(hooks.sheddable(), [Sheddable::States]);
        let mut hooks = all();
        hooks.shed(Sheddable::OffCpu);
        assert_eq!(left(&hooks), ALL);
    }

    #[test]
    fn what_tells_of_futexes_stands_in_while_calls_are_off() {
        let mut hooks = all();
        assert!(!hooks.needs(Set::FutexBegins));
        hooks.shed(Sheddable::Syscalls);
        assert!(hooks.needs(Set::FutexBegins));
        hooks.on.insert(Sheddable::Syscalls);
        assert!(!hooks.needs(Set::FutexBegins) && hooks.needs(Set::CallBegins));
        hooks.shed(Sheddable::Syscalls);
        hooks.shed(Sheddable::Locks);
        assert!(!hooks.needs(Set::FutexBegins));
    }

    #[test]
    fn without_states_nothing_is_left_that_is_kept_with_them() {
        let mut hooks = all();
        assert!(hooks.keep_states() && hooks.count_calls());
        hooks.shed(Sheddable::States);
        assert_eq!(left(&hooks), [Set::Block]);
        assert!(!hooks.keep_states() && !hooks.count_calls());
        assert_eq!(hooks.sheddable(), []);
    }
}
