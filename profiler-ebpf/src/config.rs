//! What user space fixed before loading: read-only data, which the verifier treats as constants.

use core::ptr::{addr_of, read_volatile};

use profiler_common::{
    config::{Config, Offsets},
    glob::{self, COMM_LEN, Glob},
};

/// Overwritten by user space before the object is loaded.
#[unsafe(no_mangle)]
static CONFIG: Config = Config {
    flags: 0,
    max_user_frames: 0,
    period: 0,
    copies_per_second: 0,
    wake_at: 0,
    own_pid: 0,
    mapping_pool: 0,
    places: 0,
    kernel_stack: 0,
    slow_ns: 0,
    cgroup_id: 0,
    cgroup_level: 0,
    comm: Glob::NOTHING,
    offsets: Offsets {
        task_pid: 0,
        task_tgid: 0,
        task_flags: 0,
        task_state: 0,
        task_in_iowait: 0,
        task_files: 0,
        files_table: 0,
        table_files: 0,
        table_size: 0,
        file_inode: 0,
        file_private: 0,
        inode_mode: 0,
        inode_super: 0,
        super_magic: 0,
        socket_sock: 0,
        sock_family: 0,
        task_status: 0,
        task_stack: 0,
        file_dentry: 0,
        dentry_name: 0,
        dentry_parent: 0,
        inode_number: 0,
        inode_rdev: 0,
        super_dev: 0,
        sock_addresses: 0,
        sock_ports: 0,
        sock_v6_addresses: 0,
        unix_address: 0,
        unix_peer: 0,
        unix_name: 0,
        unix_length: 0,
        task_comm: 0,
        task_css_set: 0,
        css_set_cgroup: 0,
        cgroup_ancestors: 0,
        cgroup_node: 0,
        node_id: 0,
        request_flags: 0,
        request_queue: 0,
        request_start: 0,
        queue_disk: 0,
        disk_major: 0,
        disk_minor: 0,
        uring_opcode: 0,
        uring_result: 0,
        uring_entry_result: 0,
        mutex_owner: 0,
        semaphore_owner: 0,
        task_mm: 0,
        mm_mmap_lock: 0,
        task_sighand: 0,
        sighand_siglock: 0,
    },
};

macro_rules! read {
    ($($field:tt)+) => {{
        // SAFETY: a static is valid for reads; volatile, because its value here is not the one that is loaded.
        unsafe { read_volatile(addr_of!(CONFIG.$($field)+)) }
    }};
}

/// Whether `flag` (one of `FLAG_*`) is set.
#[inline(always)]
pub(crate) fn has(flag: u32) -> bool {
    read!(flags) & flag != 0
}

/// Nanoseconds (or cycles) that one sample stands for.
#[inline(always)]
pub(crate) fn period() -> u64 {
    read!(period)
}

/// The most user frames of a stack.
#[inline(always)]
pub(crate) fn max_user_frames() -> u32 {
    read!(max_user_frames)
}

/// Copies of stack memory a CPU and second at most.
#[inline(always)]
pub(crate) fn copies_per_second() -> u32 {
    read!(copies_per_second)
}

/// Bytes of used ring buffer from which the reader is woken.
#[inline(always)]
pub(crate) fn wake_at() -> u32 {
    read!(wake_at)
}

/// Bytes of a kernel stack.
#[inline(always)]
pub(crate) fn kernel_stack() -> u32 {
    read!(kernel_stack)
}

/// Calls from this duration on are slow, in nanoseconds.
#[inline(always)]
pub(crate) fn slow_ns() -> u64 {
    read!(slow_ns)
}

/// The wanted cgroup's number, and how deep it lies below the root.
#[inline(always)]
pub(crate) fn cgroup() -> (u64, u64) {
    (read!(cgroup_id), read!(cgroup_level))
}

/// Whether a thread's name matches `--comm`.
#[inline(always)]
pub(crate) fn comm_matches(name: &[u8; COMM_LEN]) -> bool {
    // SAFETY: a static is valid for reads.
    unsafe { glob::matches(addr_of!(CONFIG.comm), name) }
}

/// The byte offset of a field of a kernel structure, by its name in `Offsets`: a constant to the verifier. One field at a
/// time, because every volatile read is an instruction.
macro_rules! offset {
    ($field:ident) => {
        $crate::config::read_offset(core::mem::offset_of!(
            profiler_common::config::Config,
            offsets.$field
        ))
    };
}
pub(crate) use offset;

/// See [`offset`].
#[inline(always)]
pub(crate) fn read_offset(at: usize) -> u32 {
    let place = addr_of!(CONFIG).cast::<u8>().wrapping_add(at).cast::<u32>();
    // SAFETY: `offset` gives the place of a field of that type in a static; volatile as in `read`.
    unsafe { read_volatile(place) }
}
