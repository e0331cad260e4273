//! Which lock of the kernel it is, by the functions that ask for it.
//!
//! Most locks of the kernel lie in objects that have no name. What asks for them tells what they are: the names here are
//! those of the kernel's source, 6.1 to 6.18 (`kernel/sched/`, `kernel/futex/`, `mm/`, `fs/`, `net/`, `kernel/locking/`).

mod named;

use self::named::NAMED;
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
