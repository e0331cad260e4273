//! What a person calls an operation, and whether it is idle by nature.

use std::borrow::Cow;

use profiler_common::{
    calls::{Waits, waits},
    state::State,
};
use syscalls::{Errno, x86, x86_64};

use crate::profile::{BlockOperation, Contention, ObjectKind, Operation};

/// The opcodes of io_uring: `enum io_uring_op` in the kernel's `include/uapi/linux/io_uring.h`, in its order.
const IO_URING: [&str; 65] = [
    "nop",
    "readv",
    "writev",
    "fsync",
    "read_fixed",
    "write_fixed",
    "poll_add",
    "poll_remove",
    "sync_file_range",
    "sendmsg",
    "recvmsg",
    "timeout",
    "timeout_remove",
    "accept",
    "async_cancel",
    "link_timeout",
    "connect",
    "fallocate",
    "openat",
    "close",
    "files_update",
    "statx",
    "read",
    "write",
    "fadvise",
    "madvise",
    "send",
    "recv",
    "openat2",
    "epoll_ctl",
    "splice",
    "provide_buffers",
    "remove_buffers",
    "tee",
    "shutdown",
    "renameat",
    "unlinkat",
    "mkdirat",
    "symlinkat",
    "linkat",
    "msg_ring",
    "fsetxattr",
    "setxattr",
    "fgetxattr",
    "getxattr",
    "socket",
    "uring_cmd",
    "send_zc",
    "sendmsg_zc",
    "read_multishot",
    "waitid",
    "futex_wait",
    "futex_wake",
    "futex_waitv",
    "fixed_fd_install",
    "ftruncate",
    "bind",
    "listen",
    "recv_zc",
    "epoll_wait",
    "readv_fixed",
    "writev_fixed",
    "pipe",
    "nop128",
    "uring_cmd128",
];

/// Calls and requests that hand over bytes: what they return is how many.
const TRANSFERS: [&str; 29] = [
    "copy_file_range",
    "getdents",
    "getdents64",
    "getrandom",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "read_fixed",
    "readv",
    "readv_fixed",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendfile",
    "sendfile64",
    "sendmsg",
    "sendto",
    "splice",
    "tee",
    "vmsplice",
    "write",
    "write_fixed",
    "writev",
    "writev_fixed",
];

/// What a person calls an operation: `read`, `read (32-bit)`, `io_uring read`; a call without a name is `syscall 999`.
pub fn operation(operation: Operation) -> Cow<'static, str> {
    match operation {
        Operation::Call(number) => match bare_name(operation) {
            Some(name) => name.into(),
            None => format!("syscall {number}").into(),
        },
        Operation::CompatCall(number) => match bare_name(operation) {
            Some(name) => format!("{name} (32-bit)").into(),
            None => format!("syscall {number} (32-bit)").into(),
        },
        Operation::IoUring(opcode) => match bare_name(operation) {
            Some(name) => format!("io_uring {name}").into(),
            None => format!("io_uring {opcode}").into(),
        },
        Operation::RunQueue => "wait for a CPU".into(),
        Operation::PageFault => "page fault".into(),
        Operation::Block(block) => format!("block {}", block_operation(block)).into(),
        Operation::BlockQueue(block) => format!("block queue {}", block_operation(block)).into(),
        Operation::KernelLock(contention) => format!("kernel {}", self::contention(contention)).into(),
    }
}

/// What a person calls what a block device was asked for.
pub fn block_operation(operation: BlockOperation) -> &'static str {
    match operation {
        BlockOperation::Read => "read",
        BlockOperation::Write => "write",
        BlockOperation::Flush => "flush",
        BlockOperation::Discard => "discard",
        BlockOperation::Other => "other",
    }
}

/// What a person calls a way of waiting for a lock.
pub fn contention(contention: Contention) -> &'static str {
    match contention {
        Contention::FutexWait => "futex",
        Contention::FutexWaitBitset => "futex (bits)",
        Contention::FutexLockPi => "futex (priority inheritance)",
        Contention::FutexWaitRequeuePi => "futex (requeue)",
        Contention::FutexWaitMultiple => "futexes",
        Contention::Spin => "spin lock",
        Contention::ReadLock => "read lock",
        Contention::WriteLock => "write lock",
        Contention::Mutex => "mutex",
        Contention::SemaphoreRead => "rw semaphore, read",
        Contention::SemaphoreWrite => "rw semaphore, write",
        Contention::PerCpuRead => "per-CPU rw semaphore, read",
        Contention::PerCpuWrite => "per-CPU rw semaphore, write",
        Contention::RtMutex => "rt mutex",
        Contention::Semaphore => "semaphore",
    }
}

/// What a person calls the kind of thing a call was on; empty for [`ObjectKind::None`].
pub fn object(object: ObjectKind) -> &'static str {
    match object {
        ObjectKind::None => "",
        ObjectKind::File => "file",
        ObjectKind::BlockDevice => "block device",
        ObjectKind::Device => "device",
        ObjectKind::Terminal => "terminal",
        ObjectKind::Socket => "socket",
        ObjectKind::LocalSocket => "local socket",
        ObjectKind::Pipe => "pipe",
        ObjectKind::Event => "event",
    }
}

/// The name of an error, such as `ENOENT`.
pub fn errno(number: u16) -> Cow<'static, str> {
    match Errno::new(number.into()).name() {
        Some(name) => name.into(),
        None => match kernel_errno(number) {
            Some(name) => name.into(),
            None => format!("error {number}").into(),
        },
    }
}

/// Errors by which the kernel starts a call again after a signal. A program never sees them.
fn kernel_errno(number: u16) -> Option<&'static str> {
    match number {
        512 => Some("ERESTARTSYS"),
        513 => Some("ERESTARTNOINTR"),
        514 => Some("ERESTARTNOHAND"),
        516 => Some("ERESTART_RESTARTBLOCK"),
        _ => None,
    }
}

/// Whether it is a system call or a request to an io_uring.
pub fn is_call(operation: Operation) -> bool {
    match operation {
        Operation::Call(_) | Operation::CompatCall(_) | Operation::IoUring(_) => true,
        Operation::RunQueue
        | Operation::PageFault
        | Operation::Block(_)
        | Operation::BlockQueue(_)
        | Operation::KernelLock(_) => false,
    }
}

/// Whether what it returns is a number of bytes.
pub fn transfers(operation: Operation) -> bool {
    bare_name(operation).is_some_and(|name| TRANSFERS.contains(&name))
}

/// Whether nobody has to mend that it takes long: it waits for events or for a time to pass, by its nature, or for a
/// person who types.
pub fn is_idle(operation: Operation, object: ObjectKind) -> bool {
    if object == ObjectKind::Terminal && is_read(operation) {
        return true;
    }
    match operation {
        Operation::Call(number) => waits_idly(number),
        Operation::CompatCall(_) => {
            let name = bare_name(operation).unwrap_or_default();
            let name = match name.strip_suffix("_time64").unwrap_or(name) {
                "_newselect" => "select",
                "sigsuspend" => "rt_sigsuspend",
                name => name,
            };
            name.parse::<x86_64::Sysno>()
                .is_ok_and(|call| waits_idly(call as u16))
        }
        Operation::IoUring(_) => matches!(
            bare_name(operation),
            Some("poll_add" | "timeout" | "accept" | "link_timeout" | "epoll_wait")
        ),
        Operation::RunQueue
        | Operation::PageFault
        | Operation::Block(_)
        | Operation::BlockQueue(_)
        | Operation::KernelLock(_) => false,
    }
}

/// Whether it waits for another thread or process, and for no device or peer: parked threads and idle pools are among
/// those, and nothing here tells them from contention.
pub fn waits_for_others(operation: Operation) -> bool {
    const OTHERS: [&str; 6] = ["futex", "futex_wait", "futex_waitv", "wait4", "waitid", "waitpid"];
    bare_name(operation).is_some_and(|name| OTHERS.contains(&name.trim_end_matches("_time64")))
}

/// The kernel side's table is asked by numbers that are in the table of calls: beyond its end it would begin anew.
fn waits_idly(call: u16) -> bool {
    x86_64::Sysno::new(call.into()).is_some()
        && matches!(waits(call.into()), Waits::For(State::Events | State::Sleep))
}

fn is_read(operation: Operation) -> bool {
    matches!(
        bare_name(operation),
        Some(
            "read"
                | "readv"
                | "pread64"
                | "preadv"
                | "preadv2"
                | "read_fixed"
                | "readv_fixed"
                | "read_multishot"
        )
    )
}

/// The name in the operation's own table.
fn bare_name(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Call(number) => x86_64::Sysno::new(number.into()).map(|call| call.name()),
        Operation::CompatCall(number) => x86::Sysno::new(number.into()).map(|call| call.name()),
        Operation::IoUring(opcode) => IO_URING.get(usize::from(opcode)).copied(),
        Operation::RunQueue
        | Operation::PageFault
        | Operation::Block(_)
        | Operation::BlockQueue(_)
        | Operation::KernelLock(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_own_numbers() {
        let names = [
            Operation::Call(0),
            Operation::CompatCall(3),
            Operation::IoUring(22),
            Operation::Call(999),
            Operation::CompatCall(999),
            Operation::IoUring(255),
            Operation::Block(BlockOperation::Flush),
        ]
        .map(operation);
        assert_eq!(
            names,
            [
                "read",
                "read (32-bit)",
                "io_uring read",
                "syscall 999",
                "syscall 999 (32-bit)",
                "io_uring 255",
                "block flush"
            ]
        );
        // The last ones tell whether one was forgotten.
        assert_eq!(operation(Operation::IoUring(47)), "io_uring send_zc");
        assert_eq!(operation(Operation::IoUring(62)), "io_uring pipe");
    }

    #[test]
    fn errors_have_the_names_that_programmers_know() {
        assert_eq!(
            [2, 11, 512, 4_000].map(errno),
            ["ENOENT", "EAGAIN", "ERESTARTSYS", "error 4000"]
        );
    }

    #[test]
    fn to_wait_for_events_or_a_time_is_idle_and_to_wait_for_data_is_not() {
        let idle = |name: &str| {
            let number = name.parse::<x86_64::Sysno>().unwrap() as u16;
            is_idle(Operation::Call(number), ObjectKind::None)
        };
        for name in [
            "epoll_wait",
            "poll",
            "select",
            "ppoll",
            "pselect6",
            "epoll_pwait",
            "epoll_pwait2",
            "accept",
            "accept4",
            "nanosleep",
            "clock_nanosleep",
            "pause",
            "rt_sigtimedwait",
            "rt_sigsuspend",
            "io_getevents",
            "io_pgetevents",
        ] {
            assert!(idle(name), "{name}");
        }
        for name in ["read", "futex", "wait4", "fsync", "recvfrom", "mmap", "getpid"] {
            assert!(!idle(name), "{name}");
        }
    }

    #[test]
    fn idle_calls_are_idle_in_every_table() {
        let compat = |name: &str| {
            let number = name.parse::<x86::Sysno>().unwrap() as u16;
            is_idle(Operation::CompatCall(number), ObjectKind::None)
        };
        for name in [
            "_newselect",
            "select",
            "poll",
            "ppoll_time64",
            "sigsuspend",
            "pause",
            "epoll_wait",
        ] {
            assert!(compat(name), "{name}");
        }
        for name in ["read", "futex_time64", "waitpid", "socketcall"] {
            assert!(!compat(name), "{name}");
        }
        assert!(is_idle(Operation::IoUring(13), ObjectKind::Socket));
        assert!(!is_idle(Operation::IoUring(22), ObjectKind::File));
        // A number beyond the table must not wrap around into it.
        assert!(!is_idle(Operation::Call(512 + 232), ObjectKind::None));
    }

    #[test]
    fn a_person_who_thinks_before_typing_is_not_slow() {
        assert!(is_idle(Operation::Call(0), ObjectKind::Terminal));
        assert!(is_idle(Operation::CompatCall(3), ObjectKind::Terminal));
        assert!(!is_idle(Operation::Call(1), ObjectKind::Terminal));
        assert!(!is_idle(Operation::Call(0), ObjectKind::Pipe));
    }

    #[test]
    fn what_is_returned_is_bytes_where_bytes_are_moved() {
        assert!(transfers(Operation::Call(0)) && transfers(Operation::IoUring(23)));
        assert!(!transfers(Operation::Call(9)) && !transfers(Operation::RunQueue));
    }
}
