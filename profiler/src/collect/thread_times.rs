//! The kernel side's accounts of threads: the hooks that keep them, and the iterator that reads them.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf,
    maps::{Array, MapData},
    programs::{Iter, tp_btf::BtfTracePointLink},
};

use super::{decode, event::RawThread, governor::Sheddable, object, options::Options};

/// The iterator over all threads.
const READER: &str = "states_read";
/// The hooks, and where they are attached.
const HOOKS: [(&str, &str); 4] = [
    ("states_new", "sched_wakeup_new"),
    ("states_exec", "sched_process_exec"),
    ("states_waking", "sched_waking"),
    ("states_switch", "sched_switch"),
];
/// The hooks of system calls.
const CALL_BEGINS: (&str, &str) = ("calls_enter", "sys_enter");
/// The hooks of block devices.
const BLOCK: [(&str, &str); 2] = [
    ("block_issue", "block_rq_issue"),
    ("block_complete", "block_rq_complete"),
];
/// The hooks of io_uring; what requests are submitted by had another name before Linux 6.4.
const URING_SUBMIT: (&str, [&str; 2]) = (
    "calls_uring_submit",
    ["io_uring_submit_req", "io_uring_submit_sqe"],
);
const URING_COMPLETE: (&str, &str) = ("calls_uring_complete", "io_uring_complete");
/// This one also takes the user stacks of waits.
const CALL_ENDS: (&str, &str) = ("calls_exit", "sys_exit");

/// Hooks that are attached; they go with this value.
#[derive(Debug, Default)]
pub struct Hooks {
    states: Vec<BtfTracePointLink>,
    call_begins: Option<BtfTracePointLink>,
    call_ends: Option<BtfTracePointLink>,
    io_uring: Vec<BtfTracePointLink>,
    block: Vec<BtfTracePointLink>,
    off_cpu: bool,
}

impl Hooks {
    /// Attaches the hooks that `options` ask for, and opens an account for every thread there is. If those of system calls
    /// are refused, the others stay.
    ///
    /// # Errors
    /// If the kernel refuses a program; nothing is accounted then.
    pub fn attach(ebpf: &mut Ebpf, btf: &Btf, options: &Options) -> Result<Self> {
        let reader: &mut Iter = ebpf
            .program_mut(READER)
            .with_context(|| format!("the kernel side has no {READER}"))?
            .try_into()?;
        reader
            .load("task", btf)
            .context("the kernel refuses the iterator over threads")?;
        let mut hooks = Self {
            off_cpu: options.off_cpu,
            ..Self::default()
        };
        for (name, tracepoint) in HOOKS {
            hooks.states.push(object::attach(ebpf, btf, name, tracepoint)?);
        }
        if let Err(error) = hooks.attach_calls(ebpf, btf, options) {
            log::warn!("system calls are not recorded: {error:#}");
            (hooks.call_begins, hooks.call_ends) = (None, None);
        }
        if options.calls
            && let Err(error) = hooks.attach_io_uring(ebpf, btf)
        {
            log::info!("requests to io_uring are not recorded: {error:#}");
            hooks.io_uring.clear();
        }
        // What it tells now is nothing yet.
        read(ebpf, false)?;
        Ok(hooks)
    }

    fn attach_io_uring(&mut self, ebpf: &mut Ebpf, btf: &Btf) -> Result<()> {
        let (name, [tracepoint, before]) = URING_SUBMIT;
        let submit = object::attach(ebpf, btf, name, tracepoint)
            .or_else(|_| object::attach(ebpf, btf, name, before))?;
        self.io_uring.push(submit);
        let (name, tracepoint) = URING_COMPLETE;
        self.io_uring.push(object::attach(ebpf, btf, name, tracepoint)?);
        Ok(())
    }

    /// Attaches the hooks of block devices. Not every kernel has them.
    pub fn attach_block(&mut self, ebpf: &mut Ebpf, btf: &Btf) {
        let hooks = BLOCK.map(|(name, tracepoint)| object::attach(ebpf, btf, name, tracepoint));
        match hooks.into_iter().collect::<Result<Vec<_>>>() {
            Ok(links) => self.block = links,
            Err(error) => log::warn!("block I/O is not recorded: {error:#}"),
        }
    }

    fn attach_calls(&mut self, ebpf: &mut Ebpf, btf: &Btf, options: &Options) -> Result<()> {
        if options.calls || options.off_cpu {
            let (name, tracepoint) = CALL_ENDS;
            self.call_ends = Some(object::attach(ebpf, btf, name, tracepoint)?);
        }
        if options.calls {
            let (name, tracepoint) = CALL_BEGINS;
            self.call_begins = Some(object::attach(ebpf, btf, name, tracepoint)?);
        }
        Ok(())
    }

    /// Whether the accounts of threads are kept.
    pub fn keep_states(&self) -> bool {
        !self.states.is_empty()
    }

    /// Whether system calls are counted.
    pub fn count_calls(&self) -> bool {
        self.call_begins.is_some()
    }

    /// What may be shed.
    pub fn sheddable(&self) -> Vec<Sheddable> {
        let all = [
            (self.count_calls(), Sheddable::Syscalls),
            (self.off_cpu, Sheddable::OffCpu),
            (self.keep_states(), Sheddable::States),
        ];
        all.into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, probe)| probe)
            .collect()
    }

    /// Takes a probe off.
    pub fn shed(&mut self, probe: Sheddable) {
        match probe {
            Sheddable::Syscalls => {
                self.call_begins = None;
                self.io_uring.clear();
            }
            Sheddable::OffCpu => self.off_cpu = false,
            Sheddable::States => {
                let block = std::mem::take(&mut self.block);
                *self = Self {
                    block,
                    ..Self::default()
                };
            }
        }
        if self.call_begins.is_none() && !self.off_cpu {
            self.call_ends = None;
        }
    }
}

/// The accounts of threads that switched since they were read last; of all threads, if `all`.
///
/// # Errors
/// If the iterator cannot run.
pub fn read(ebpf: &mut Ebpf, all: bool) -> Result<Vec<(u64, RawThread)>> {
    let map = ebpf
        .map_mut("TELL_ALL")
        .context("the kernel side has no map TELL_ALL")?;
    let mut tell_all: Array<&mut MapData, u32> = Array::try_from(map)?;
    tell_all.set(0, u32::from(all), 0)?;
    let reader: &mut Iter = ebpf
        .program_mut(READER)
        .with_context(|| format!("the kernel side has no {READER}"))?
        .try_into()?;
    // A pass over the threads needs a link of its own.
    let link = reader
        .attach()
        .context("cannot start the iterator over threads")?;
    let mut file = reader.take_link(link)?.into_file()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .context("cannot read the accounts of threads")?;
    let mut records = bytes.chunks_exact(decode::THREAD_BYTES);
    let threads = records
        .by_ref()
        .map(decode::thread)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow::anyhow!("an account of a thread cannot be read: {error:?}"))?;
    if !records.remainder().is_empty() {
        bail!("the accounts of threads end in the middle of one");
    }
    Ok(threads)
}
