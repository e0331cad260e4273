//! What may be asked about a process besides what the kernel's events tell. A trait, so that tests can answer.

use std::fs::File;

use super::{
    event::RawMapping,
    proc_fs::{self, Owner, Stat},
};

/// Answers about processes; every answer may be missing, for the process may be gone.
pub trait Host {
    /// Name, parent and kind.
    fn stat(&self, pid: u32) -> Option<Stat>;
    /// The name of a thread.
    fn thread_name(&self, pid: u32, tid: u32) -> Option<Vec<u8>>;
    /// The path of the executable.
    fn exe(&self, pid: u32) -> Option<String>;
    /// Executable mappings.
    fn maps(&self, pid: u32) -> Option<Vec<RawMapping>>;
    /// The cgroup and what follows from it.
    fn owner(&self, pid: u32) -> Option<Owner>;
    /// Files that may be the one behind a mapping, the likeliest first.
    fn open(&self, pid: u32, mapping: &RawMapping) -> Vec<File>;
}

/// The real host.
#[derive(Clone, Copy, Debug)]
pub struct ProcFs;

impl Host for ProcFs {
    fn stat(&self, pid: u32) -> Option<Stat> {
        proc_fs::stat(pid)
    }

    fn thread_name(&self, pid: u32, tid: u32) -> Option<Vec<u8>> {
        proc_fs::thread_name(pid, tid)
    }

    fn exe(&self, pid: u32) -> Option<String> {
        Some(proc_fs::exe(pid)?.to_string_lossy().into_owned())
    }

    fn maps(&self, pid: u32) -> Option<Vec<RawMapping>> {
        proc_fs::maps(pid)
    }

    fn owner(&self, pid: u32) -> Option<Owner> {
        proc_fs::owner(pid)
    }

    fn open(&self, pid: u32, mapping: &RawMapping) -> Vec<File> {
        let ours = || proc_fs::open_path(&mapping.path);
        // Without a build id nothing would tell our file of that name from the process's.
        let fallback = if mapping.build_id.is_empty() { None } else { ours() };
        proc_fs::open_mapping(pid, mapping)
            .into_iter()
            .chain(fallback)
            .collect()
    }
}
