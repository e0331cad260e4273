//! Which lock of the kernel it is, by the functions that ask for it.
//!
//! Most locks of the kernel lie in objects that have no name. What asks for them tells what they are: the names here are
//! those of the kernel's source, 6.1 to 6.18 (`kernel/sched/`, `kernel/futex/`, `mm/`, `fs/`, `net/`, `kernel/locking/`).

use crate::profile::Contention;

/// Functions of the kernel's own locking, which every wait goes through, by the begin of their names.
const LOCKING: &[&str] = &[
    "contention_",
    "traceiter_",
    "bpf_",
    "native_queued_",
    "queued_",
    "pv_queued_",
    "raw_spin_lock",
    "raw_read_lock",
    "raw_write_lock",
    "raw_spin_unlock",
    "do_raw_",
    "mutex_lock",
    "mutex_unlock",
    "mutex_optimistic_spin",
    "ww_mutex_",
    "down_read",
    "down_write",
    "down_interruptible",
    "down_killable",
    "down_common",
    "down_timeout",
    "down_trylock",
    "up_read",
    "up_write",
    "rwsem_",
    "rwbase_",
    "rt_mutex_",
    "rt_spin_lock",
    "rtlock_",
    "rt_read_lock",
    "rt_write_lock",
    "percpu_down_",
    "percpu_rwsem_",
    "percpu_up_",
    "osq_lock",
    "schedule_preempt_disabled",
    "schedule_timeout",
];
/// The same, by the whole of their names: others begin so, too.
const LOCKING_ALL: &[&str] = &[
    "down",
    "schedule",
    "up",
    "preempt_schedule",
    "preempt_schedule_common",
];

/// Waits of these kinds, asked for in these functions, are for this lock.
struct Named {
    kinds: &'static [Contention],
    functions: &'static [&'static str],
    name: &'static str,
}

const SPIN: &[Contention] = &[Contention::Spin, Contention::RtMutex];
const RW_SPIN: &[Contention] = &[Contention::ReadLock, Contention::WriteLock];
const MUTEX: &[Contention] = &[Contention::Mutex, Contention::RtMutex];
const RW: &[Contention] = &[Contention::SemaphoreRead, Contention::SemaphoreWrite];
const PER_CPU: &[Contention] = &[Contention::PerCpuRead, Contention::PerCpuWrite];

const NAMED: &[Named] = &[
    Named {
        kinds: SPIN,
        functions: &[
            "raw_spin_rq_lock_nested",
            "raw_spin_rq_lock",
            "raw_spin_rq_trylock",
            "double_rq_lock",
            "double_lock_balance",
            "task_rq_lock",
            "rq_lock",
            "ttwu_queue",
            "scheduler_tick",
            "sched_tick",
            "newidle_balance",
            "sched_balance_newidle",
            "load_balance",
            "sched_balance_rq",
            "update_blocked_averages",
            "sched_balance_update_blocked_averages",
            "sched_ttwu_pending",
        ],
        name: "run queue",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "try_to_wake_up",
            "task_rq_lock",
            "sched_setaffinity",
            "wake_up_new_task",
        ],
        name: "pi_lock of a task",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "futex_q_lock",
            "futex_hash_lock",
            "futex_wait_setup",
            "futex_wake",
            "futex_wake_op",
            "futex_requeue",
            "futex_unqueue",
            "futex_wait_multiple_setup",
            "futex_wait_queue",
        ],
        name: "futex hash bucket",
    },
    Named {
        kinds: MUTEX,
        functions: &["futex_lock_pi", "futex_wait_requeue_pi", "futex_unlock_pi"],
        name: "priority-inheritance futex",
    },
    Named {
        kinds: RW,
        functions: &[
            "do_user_addr_fault",
            "lock_mm_and_find_vma",
            "mmap_read_lock",
            "mmap_read_lock_killable",
            "mmap_write_lock",
            "mmap_write_lock_killable",
            "handle_mm_fault",
            "handle_userfault",
            "vm_mmap_pgoff",
            "vm_mmap",
            "vm_munmap",
            "vm_brk_flags",
            "x64_sys_brk",
            "x64_sys_munmap",
            "x64_sys_mremap",
            "do_sys_brk",
            "do_mprotect_pkey",
            "do_madvise",
            "madvise_lock",
            "madvise_vma_behavior",
            "mm_populate",
            "exit_mmap",
            "exit_mm",
            "dup_mm",
            "dup_mmap",
            "exec_mmap",
            "get_user_pages_unlocked",
            "get_user_pages_remote",
            "gup_fast_fallback",
            "internal_get_user_pages_fast",
            "pin_user_pages",
            "access_remote_vm",
            "process_vm_rw_single_vec",
            "do_mlock",
            "do_mincore",
            "m_start",
            "smaps_rollup",
            "show_smaps_rollup",
            "pagemap_read",
            "khugepaged_scan_mm_slot",
            "collapse_huge_page",
            "task_numa_work",
            "setup_arg_pages",
        ],
        name: "mmap_lock",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "folio_lruvec_lock",
            "folio_lruvec_lock_irq",
            "folio_lruvec_lock_irqsave",
            "folio_lruvec_relock_irqsave",
            "lru_add_drain_cpu",
            "folio_batch_move_lru",
            "pagevec_lru_move_fn",
            "lru_note_cost",
            "release_pages",
            "folios_put_refs",
            "page_cache_release",
            "shrink_inactive_list",
            "shrink_active_list",
            "isolate_lru_folios",
        ],
        name: "LRU lists of pages (lru_lock)",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "rmqueue",
            "rmqueue_bulk",
            "rmqueue_buddy",
            "rmqueue_pcplist",
            "free_one_page",
            "free_pcppages_bulk",
            "free_pages_ok",
            "get_page_from_freelist",
        ],
        name: "memory zone (zone->lock)",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "slab_alloc",
            "slab_free",
            "get_partial_node",
            "put_partials",
            "put_cpu_partial",
            "deactivate_slab",
            "unfreeze_partials",
            "free_to_partial_list",
            "barn_put_full_sheaf",
        ],
        name: "slab's list of a node",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "pte_offset_map_lock",
            "pte_offset_map_ro_nolock",
            "zap_pte_range",
            "copy_pte_range",
            "do_anonymous_page",
            "do_wp_page",
            "wp_page_copy",
            "finish_fault",
            "do_swap_page",
            "pmd_lock",
        ],
        name: "page table",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "filemap_add_folio",
            "filemap_remove_folio",
            "delete_from_page_cache_batch",
            "folio_mark_dirty",
            "folio_start_writeback",
            "folio_end_writeback",
            "remove_mapping",
            "xas_alloc",
        ],
        name: "page cache of a file (i_pages)",
    },
    Named {
        kinds: RW,
        functions: &[
            "inode_lock",
            "inode_lock_shared",
            "inode_lock_nested",
            "ext4_buffered_write_iter",
            "ext4_file_write_iter",
            "ext4_file_read_iter",
            "ext4_dio_write_iter",
            "ext4_dio_read_iter",
            "ext4_fallocate",
            "xfs_ilock",
            "xfs_ilock_iocb",
            "xfs_file_buffered_write",
            "xfs_file_buffered_read",
            "btrfs_inode_lock",
            "btrfs_buffered_write",
            "generic_file_write_iter",
            "shmem_file_write_iter",
            "open_last_lookups",
            "path_openat",
            "lookup_slow",
            "do_unlinkat",
            "do_rmdir",
            "filename_create",
            "lock_rename",
            "iterate_dir",
            "do_truncate",
            "chmod_common",
            "chown_common",
            "vfs_setxattr",
            "vfs_utimes",
        ],
        name: "inode (i_rwsem)",
    },
    Named {
        kinds: RW,
        functions: &[
            "anon_vma_clone",
            "anon_vma_fork",
            "anon_vma_prepare",
            "unlink_anon_vmas",
            "folio_lock_anon_vma_read",
            "rmap_walk_anon",
        ],
        name: "anon_vma",
    },
    Named {
        kinds: RW,
        functions: &[
            "unlink_file_vma",
            "unlink_file_vma_batch_process",
            "vma_prepare",
            "vma_link",
            "vma_link_file",
            "rmap_walk_file",
            "unmap_mapping_range",
            "unmap_mapping_pages",
        ],
        name: "mappings of a file (i_mmap_rwsem)",
    },
    Named {
        kinds: RW,
        functions: &[
            "kernfs_iop_permission",
            "kernfs_iop_lookup",
            "kernfs_iop_getattr",
            "kernfs_dop_revalidate",
            "kernfs_fop_readdir",
            "kernfs_add_one",
            "kernfs_remove",
        ],
        name: "kernfs",
    },
    Named {
        kinds: RW,
        functions: &["namespace_lock", "namespace_unlock", "lock_mount"],
        name: "mount namespace",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "d_alloc",
            "d_alloc_parallel",
            "d_lookup",
            "d_instantiate",
            "d_add",
            "d_walk",
            "d_move",
            "d_delete",
            "dput",
            "dget_parent",
            "lockref_get",
            "lockref_get_not_zero",
            "lockref_get_not_dead",
            "lockref_put_return",
            "lockref_put_or_lock",
            "shrink_dentry_list",
            "dentry_kill",
        ],
        name: "dentry (d_lock)",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "alloc_fd",
            "close_fd",
            "file_close_fd",
            "fd_install",
            "do_dup2",
            "expand_files",
            "dup_fd",
        ],
        name: "file table of a process (file_lock)",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "inode_sb_list_add",
            "evict",
            "iput",
            "inode_add_lru",
            "find_inode",
            "insert_inode_locked",
        ],
        name: "inode (i_lock) or inode lists",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "pipe_read",
            "pipe_write",
            "anon_pipe_read",
            "anon_pipe_write",
            "pipe_release",
            "pipe_lock",
            "pipe_double_lock",
            "fifo_open",
            "pipe_fcntl",
            "pipe_ioctl",
        ],
        name: "pipe",
    },
    Named {
        kinds: MUTEX,
        functions: &["fdget_pos", "f_lock_pos", "file_seek_cur_needs_f_lock"],
        name: "position of an open file (f_pos_lock)",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "ep_send_events",
            "ep_start_scan",
            "do_epoll_ctl",
            "ep_loop_check_proc",
            "eventpoll_release_file",
        ],
        name: "epoll",
    },
    Named {
        kinds: &[Contention::Spin, Contention::ReadLock, Contention::WriteLock],
        functions: &["ep_poll_callback", "ep_poll", "ep_done_scan", "ep_insert"],
        name: "epoll",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "unix_stream_read_generic",
            "unix_dgram_recvmsg",
            "unix_stream_splice_read",
        ],
        name: "Unix socket",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "lock_sock_nested",
            "lock_sock_fast",
            "release_sock",
            "lock_sock",
            "tcp_v4_rcv",
            "tcp_v6_rcv",
            "unix_stream_sendmsg",
            "skb_queue_tail",
            "skb_dequeue",
        ],
        name: "socket",
    },
    Named {
        kinds: SPIN,
        functions: &["dev_queue_xmit", "sch_direct_xmit", "qdisc_run", "net_tx_action"],
        name: "queue of a network device",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "rtnl_lock",
            "rtnl_lock_killable",
            "rtnetlink_rcv_msg",
            "rtnl_trylock",
        ],
        name: "network configuration (rtnl)",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "wake_up",
            "wake_up_common_lock",
            "wake_up_sync_key",
            "wake_up_locked",
            "prepare_to_wait",
            "prepare_to_wait_event",
            "prepare_to_wait_exclusive",
            "finish_wait",
            "add_wait_queue",
            "add_wait_queue_exclusive",
            "remove_wait_queue",
            "folio_wake_bit",
            "complete",
            "complete_all",
            "wait_for_completion",
        ],
        name: "wait queue",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "lock_task_sighand",
            "do_send_sig_info",
            "send_signal_locked",
            "do_sigaction",
            "get_signal",
            "set_current_blocked",
            "sigprocmask",
            "signal_setup_done",
        ],
        name: "signals of a process (siglock)",
    },
    Named {
        kinds: SPIN,
        functions: &[
            "hrtimer_start_range_ns",
            "hrtimer_try_to_cancel",
            "lock_hrtimer_base",
            "hrtimer_interrupt",
            "lock_timer_base",
            "mod_timer",
            "timer_delete",
            "run_timers",
        ],
        name: "timers of a CPU",
    },
    Named {
        kinds: RW_SPIN,
        functions: &[
            "do_wait",
            "release_task",
            "copy_process",
            "exit_notify",
            "do_exit",
            "ptrace_attach",
            "kill_something_info",
        ],
        name: "list of tasks (tasklist_lock)",
    },
    Named {
        kinds: PER_CPU,
        functions: &[
            "sb_start_write",
            "mnt_want_write",
            "file_start_write",
            "freeze_super",
            "thaw_super",
            "ext4_page_mkwrite",
        ],
        name: "freezing of a file system",
    },
    Named {
        kinds: PER_CPU,
        functions: &[
            "cgroup_threadgroup_change_begin",
            "copy_process",
            "exit_signals",
            "de_thread",
            "cgroup_procs_write_start",
            "cgroup_attach_lock",
        ],
        name: "cgroup_threadgroup_rwsem",
    },
    Named {
        kinds: PER_CPU,
        functions: &[
            "cpus_read_lock",
            "cpus_write_lock",
            "static_key_slow_inc",
            "cpu_hotplug_begin",
        ],
        name: "cpu_hotplug_lock",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "cgroup_lock",
            "cgroup_kn_lock_live",
            "cgroup_lock_and_drain_offline",
            "cgroup_procs_write",
        ],
        name: "cgroup_mutex",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "n_tty_read",
            "n_tty_write",
            "file_tty_write",
            "tty_write_lock",
            "iterate_tty_write",
        ],
        name: "terminal",
    },
    Named {
        kinds: MUTEX,
        functions: &["seq_read_iter", "seq_read", "seq_lseek"],
        name: "open file of /proc or /sys",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "do_sys_io_uring_enter",
            "io_uring_enter",
            "io_ring_submit_lock",
            "io_handle_tw_list",
            "ctx_flush_and_put",
        ],
        name: "io_uring (uring_lock)",
    },
    Named {
        kinds: MUTEX,
        functions: &[
            "perf_event_ctx_lock_nested",
            "perf_event_open",
            "do_sys_perf_event_open",
        ],
        name: "perf events",
    },
    Named {
        kinds: MUTEX,
        functions: &["jump_label_lock", "static_key_enable", "text_poke_bp"],
        name: "patching of kernel code",
    },
    Named {
        kinds: &[Contention::Semaphore],
        functions: &["console_lock", "console_trylock", "vprintk_emit"],
        name: "console",
    },
];

/// A function's name as tables have it: without underscores in front and what compilers add behind.
pub(super) fn plain(function: &str) -> &str {
    let function = function.trim_start_matches('_');
    function.split(['.', '@']).next().unwrap_or(function)
}

/// Whether a function of the kernel is a part of its locking.
pub(super) fn is_locking(function: &str) -> bool {
    let function = plain(function);
    // Run queues are asked for by their own functions.
    !function.starts_with("raw_spin_rq_")
        && (LOCKING_ALL.contains(&function) || LOCKING.iter().any(|begin| function.starts_with(begin)))
}

/// The lock that is asked for in this way by this function.
pub(super) fn name(contention: Contention, function: &str) -> Option<&'static str> {
    let function = plain(function);
    let mut named = NAMED.iter();
    named
        .find(|named| named.kinds.contains(&contention) && named.functions.contains(&function))
        .map(|named| named.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_says_which_lock_it_is_and_the_kind_must_fit() {
        for (contention, function, lock) in [
            (Contention::Spin, "raw_spin_rq_lock_nested", Some("run queue")),
            (Contention::Spin, "futex_q_lock", Some("futex hash bucket")),
            (Contention::SemaphoreRead, "do_user_addr_fault", Some("mmap_lock")),
            (Contention::SemaphoreWrite, "__vm_munmap", Some("mmap_lock")),
            (
                Contention::SemaphoreWrite,
                "ext4_buffered_write_iter.isra.0",
                Some("inode (i_rwsem)"),
            ),
            (Contention::Mutex, "pipe_write", Some("pipe")),
            (Contention::Spin, "pipe_write", None),
            (Contention::Mutex, "my_driver_ioctl", None),
        ] {
            assert_eq!(name(contention, function), lock, "{function}");
        }
    }

    #[test]
    fn the_kernels_locking_is_told_from_its_callers() {
        for locking in [
            "native_queued_spin_lock_slowpath",
            "_raw_spin_lock_irqsave",
            "__mutex_lock.constprop.0",
            "rwsem_down_read_slowpath",
            "down_read_killable",
            "__down",
            "schedule",
            "__traceiter_contention_begin",
        ] {
            assert!(is_locking(locking), "{locking}");
        }
        for caller in [
            "raw_spin_rq_lock_nested",
            "pipe_read",
            "downgrade_write_x",
            "schedule_hrtimeout_range",
            "upload",
        ] {
            assert!(!is_locking(caller), "{caller}");
        }
        // What is skipped cannot be found.
        for named in NAMED {
            for function in named.functions {
                assert!(
                    !is_locking(function) && plain(function) == *function,
                    "{function}"
                );
            }
        }
    }
}
