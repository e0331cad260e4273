//! What user space fixes before the programs are loaded, and the sizes both sides know.

use crate::glob::Glob;

/// The most user frames a stack may have. A power of two, so that the verifier sees the bound in a mask.
pub const MAX_USER_FRAMES: usize = 512;

/// The most kernel frames: the kernel's own default of `kernel.perf_event_max_stack`.
pub const MAX_KERNEL_FRAMES: usize = 127;

/// Scratch spaces a CPU: programs nest in each other (tracepoint in tracepoint, sampler in either).
pub const SCRATCH_PER_CPU: u32 = 4;

/// Slots a CPU that remember which stacks were sent already, direct-mapped by hash.
pub const SEEN_SLOTS: u32 = 16_384;

/// Bytes of stack memory copied at most for a sample that user space has to finish.
pub const STACK_COPY_MAX: usize = 32 * 1024;

/// Of which threads the iterator over threads tells.
pub mod tell {
    /// Those that switched since it told last.
    pub const SWITCHED: u32 = 0;
    /// All; it is the last time.
    pub const ALL: u32 = 1;
    /// Those that have waited for a lock for long, each now and then.
    pub const STUCK: u32 = 2;
    /// None; all accounts are closed. For when nobody keeps them.
    pub const FORGET: u32 = 3;
    /// None; the accounts know nothing of the calls that threads are in, nor of their waits for locks. For when nobody follows
    /// the ends of calls.
    pub const FORGET_CALLS: u32 = 4;
    /// None; the accounts know nothing of waits for locks of the kernel. For when nobody follows these.
    pub const FORGET_KERNEL_LOCKS: u32 = 5;
    /// None; the calls are found that threads wait in.
    pub const FIND_CALLS: u32 = 6;
}

/// [`Offsets::uring_result`]: the fourth argument of the tracepoint is the result.
pub const URING_RESULT_VALUE: u32 = 3;
/// [`Offsets::uring_result`]: the third argument is the completion's entry (`struct io_uring_cqe`), since Linux 6.16.
pub const URING_RESULT_ENTRY: u32 = 2;

/// Requests to block devices, or to io_uring, on their way at a time, about. A power of two, so that the kernel side need not divide.
pub const REQUESTS: u32 = 8_192;
/// What the kernel side keeps of each, in bytes.
pub const REQUEST_BYTES: usize = 40;

/// The page size, which is the step of a stack copy: one absent page fails a whole read.
pub const PAGE: usize = 4096;

/// What the programs do; user space sets it in read-only data, so that the verifier prunes what is off.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What to record and what to leave out: the `FLAG_*` constants.
    pub flags: u32,
    /// The most user frames a stack may have.
    pub max_user_frames: u32,
    /// Nanoseconds (or cycles) that one sample stands for.
    pub period: u64,
    /// Copies of stack memory a CPU and second at most.
    pub copies_per_second: u32,
    /// Bytes of used ring buffer from which the reader is woken.
    pub wake_at: u32,
    /// This program's own process id in the host's namespace; it is sampled like any other.
    pub own_pid: u32,
    /// How many entries of the mapping pool there are.
    pub mapping_pool: u32,
    /// How many places there are to sum operations in.
    pub places: u32,
    /// Bytes of a kernel stack (`THREAD_SIZE`).
    pub kernel_stack: u32,
    /// Calls from this duration on are slow, in nanoseconds.
    pub slow_ns: u64,
    /// The wanted cgroup's number, which is that of its directory's inode.
    pub cgroup_id: u64,
    /// How deep it lies below the root.
    pub cgroup_level: u64,
    /// `--comm`.
    pub comm: Glob,
    /// Byte offsets in kernel structures, from BTF.
    pub offsets: Offsets,
}

/// Byte offsets in kernel structures, from the running kernel's BTF: Rust has no CO-RE relocations.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.pid`: what user space calls tid.
    pub task_pid: u32,
    /// `task_struct.tgid`: what user space calls pid.
    pub task_tgid: u32,
    /// `task_struct.flags`.
    pub task_flags: u32,
    /// `task_struct.__state`.
    pub task_state: u32,
    /// `task_struct.in_iowait`, in bits.
    pub task_in_iowait: u32,
    /// `task_struct.files`.
    pub task_files: u32,
    /// `files_struct.fdt`.
    pub files_table: u32,
    /// `fdtable.fd`.
    pub table_files: u32,
    /// `fdtable.max_fds`.
    pub table_size: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `file.private_data`.
    pub file_private: u32,
    /// `inode.i_mode`.
    pub inode_mode: u32,
    /// `inode.i_sb`.
    pub inode_super: u32,
    /// `super_block.s_magic`.
    pub super_magic: u32,
    /// `socket.sk`.
    pub socket_sock: u32,
    /// `sock_common.skc_family`; `sock` begins with it.
    pub sock_family: u32,
    /// `thread_info.status`, in `task_struct`.
    pub task_status: u32,
    /// `task_struct.stack`.
    pub task_stack: u32,
    /// `file.f_path.dentry`.
    pub file_dentry: u32,
    /// `dentry.d_name.name`.
    pub dentry_name: u32,
    /// `dentry.d_parent`.
    pub dentry_parent: u32,
    /// `inode.i_ino`.
    pub inode_number: u32,
    /// `inode.i_rdev`.
    pub inode_rdev: u32,
    /// `super_block.s_dev`.
    pub super_dev: u32,
    /// `sock_common.skc_daddr`, behind which is `skc_rcv_saddr`.
    pub sock_addresses: u32,
    /// `sock_common.skc_dport`, in network order, behind which is `skc_num`, in host order.
    pub sock_ports: u32,
    /// `sock_common.skc_v6_daddr`, behind which is `skc_v6_rcv_saddr`; `u32::MAX`: the kernel has no IPv6.
    pub sock_v6_addresses: u32,
    /// `unix_sock.addr`; `u32::MAX`: unknown.
    pub unix_address: u32,
    /// `unix_sock.peer`.
    pub unix_peer: u32,
    /// `unix_address.name`, behind whose 2 bytes of family is the path.
    pub unix_name: u32,
    /// `unix_address.len`, the bytes of family and path.
    pub unix_length: u32,
    /// `task_struct.comm`.
    pub task_comm: u32,
    /// `task_struct.cgroups`.
    pub task_css_set: u32,
    /// `css_set.dfl_cgrp`: the cgroup v2.
    pub css_set_cgroup: u32,
    /// `cgroup.ancestors`, itself the last.
    pub cgroup_ancestors: u32,
    /// `cgroup.kn`.
    pub cgroup_node: u32,
    /// `kernfs_node.id`.
    pub node_id: u32,
    /// `request.cmd_flags`.
    pub request_flags: u32,
    /// `request.q`.
    pub request_queue: u32,
    /// `request.start_time_ns`.
    pub request_start: u32,
    /// `request_queue.disk`.
    pub queue_disk: u32,
    /// `gendisk.major`.
    pub disk_major: u32,
    /// `gendisk.first_minor`.
    pub disk_minor: u32,
    /// `io_kiocb.opcode`.
    pub uring_opcode: u32,
    /// Which argument of `io_uring_complete` leads to a request's result: [`URING_RESULT_VALUE`] or
    /// [`URING_RESULT_ENTRY`].
    pub uring_result: u32,
    /// `io_uring_cqe.res`.
    pub uring_entry_result: u32,
    /// `mutex.owner`.
    pub mutex_owner: u32,
    /// `rw_semaphore.owner`.
    pub semaphore_owner: u32,
    /// `task_struct.mm`.
    pub task_mm: u32,
    /// `mm_struct.mmap_lock`.
    pub mm_mmap_lock: u32,
    /// `task_struct.sighand`.
    pub task_sighand: u32,
    /// `sighand_struct.siglock`.
    pub sighand_siglock: u32,
}

/// Record user stacks.
pub const FLAG_USER: u32 = 1;
/// Record kernel stacks.
pub const FLAG_KERNEL: u32 = 2;
/// Only processes in the table of targets (`-p`, `-- COMMAND`); forks of a target are targets.
pub const FLAG_BY_PID: u32 = 4;
/// Only threads in the table of target threads (`-t`).
pub const FLAG_BY_TID: u32 = 8;
/// Only tasks in the cgroup [`Config::cgroup_id`] or below it (`-G`).
pub const FLAG_BY_CGROUP: u32 = 16;
/// Only threads whose name matches [`Config::comm`].
pub const FLAG_BY_COMM: u32 = 32;

/// Log what the process hooks see (`-vv`).
pub const FLAG_LOG: u32 = 64;
/// Sample the stacks of waits.
pub const FLAG_OFF_CPU: u32 = 128;
/// Count and time system calls, and tell of slow ones.
pub const FLAG_CALLS: u32 = 256;
/// Tell of waits for locks.
pub const FLAG_LOCKS: u32 = 512;

#[cfg(feature = "user")]
// SAFETY: `Config` is `repr(C)` of integers; its sizes leave no padding (checked by the test below).
unsafe impl aya::Pod for Config {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_has_no_padding() {
        let fields = 4 + 4 + 8 + 4 + 4 + 4 + 4 + 4 + 4 + 8 + 16 + size_of::<Glob>() + size_of::<Offsets>();
        assert_eq!(size_of::<Config>(), fields);
    }
}
