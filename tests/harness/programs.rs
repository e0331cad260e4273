//! BPF programs that are in the kernel.

use std::fs;

/// The BPF programs that a process holds by descriptor, by their ids.
pub fn programs(pid: u32) -> Vec<u32> {
    let mut programs: Vec<u32> = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|info| {
            let line = info.lines().find_map(|line| line.strip_prefix("prog_id:"))?;
            line.trim().parse().ok()
        })
        .collect();
    programs.sort_unstable();
    programs.dedup();
    programs
}

/// Whether the kernel still has the BPF program of this id, whoever holds it.
pub fn is_loaded(program: u32) -> bool {
    const BPF_PROG_GET_NEXT_ID: libc::c_int = 11;
    // The id to start after, and room for the next one; the rest is zero.
    let mut attributes = [0u32; 32];
    attributes[0] = program.saturating_sub(1);
    let size = size_of_val(&attributes);
    // SAFETY: the attributes are valid for reads and writes of their size.
    let found = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_GET_NEXT_ID, attributes.as_mut_ptr(), size) };
    found == 0 && attributes[1] == program
}
