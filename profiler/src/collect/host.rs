//! What may be asked about a process besides what the kernel's events tell. A trait, so that tests can answer.

use std::{fs::File, path::PathBuf};

use super::{
    event::RawMapping,
    proc_fs::{self, Futex, Owner, Stat},
    targets::OpenFile,
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
    /// The file behind a descriptor.
    fn descriptor(&self, pid: u32, descriptor: u32) -> Option<OpenFile>;
    /// The stack of a thread that waits in a system call with this stack pointer and program counter, from there up;
    /// `None` if it does so no longer.
    fn waiting_stack(&self, pid: u32, tid: u32, sp: u64, ip: u64) -> Option<Vec<u8>>;
    /// The futex that a thread waits for right now.
    fn futex(&self, pid: u32, tid: u32) -> Option<Futex>;
    /// The thread that process `pid` knows as `tid`: process and thread as they are called here. `shared`: it may be one of
    /// another process.
    fn thread_inside(&self, pid: u32, tid: u32, shared: bool) -> Option<(u32, u32)>;
    /// Where relative paths begin.
    fn working_directory(&self, pid: u32) -> Option<PathBuf>;
    /// Where the root of the file system on a device is (`major << 20 | minor`).
    fn mount_point(&self, device: u32) -> Option<PathBuf>;
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

    fn descriptor(&self, pid: u32, descriptor: u32) -> Option<OpenFile> {
        proc_fs::descriptor(pid, descriptor)
    }

    fn waiting_stack(&self, pid: u32, tid: u32, sp: u64, ip: u64) -> Option<Vec<u8>> {
        proc_fs::waiting_stack(pid, tid, sp, ip)
    }

    fn futex(&self, pid: u32, tid: u32) -> Option<Futex> {
        proc_fs::futex(pid, tid)
    }

    fn thread_inside(&self, pid: u32, tid: u32, shared: bool) -> Option<(u32, u32)> {
        proc_fs::thread_inside(pid, tid, shared)
    }

    fn working_directory(&self, pid: u32) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
    }

    fn mount_point(&self, device: u32) -> Option<PathBuf> {
        proc_fs::mount_point(&std::fs::read_to_string("/proc/self/mountinfo").ok()?, device)
    }
}
