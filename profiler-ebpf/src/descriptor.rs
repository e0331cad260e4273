//! What a descriptor stands for.

use aya_ebpf::bindings::task_struct;
use profiler_common::object::ObjectKind;

use crate::{config, kernel};

/// File types in `inode.i_mode` (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFIFO: u16 = 0o010_000;
const S_IFCHR: u16 = 0o020_000;
const S_IFBLK: u16 = 0o060_000;
const S_IFSOCK: u16 = 0o140_000;
/// `ANON_INODE_FS_MAGIC` (include/uapi/linux/magic.h): event, timer and signal descriptors, and epoll's.
const ANONYMOUS_INODES: u64 = 0x0904_1934;
/// `AF_INET`, `AF_INET6` (include/linux/socket.h).
pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;

/// Bits of the minor number in the kernel's `dev_t` (include/linux/kdev_t.h).
const MINOR_BITS: u32 = 20;

/// The kernel's `struct file *` of descriptor number `descriptor` of `task`; `None` if it is not open.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn file(task: *const task_struct, descriptor: u32) -> Option<u64> {
    // SAFETY: the caller's promise, and the offsets are those of the fields.
    let files: u64 = unsafe { kernel::field(task as u64, config::offset!(task_files)) };
    if files == 0 {
        return None;
    }
    // SAFETY: as above.
    let table: u64 = unsafe { kernel::field(files, config::offset!(files_table)) };
    if table == 0 {
        return None;
    }
    // SAFETY: as above.
    let size: u32 = unsafe { kernel::field(table, config::offset!(table_size)) };
    if descriptor >= size {
        return None;
    }
    // SAFETY: as above.
    let slots: u64 = unsafe { kernel::field(table, config::offset!(table_files)) };
    kernel::read(slots + u64::from(descriptor) * 8)
}

/// What descriptor number `descriptor` of `task` stands for.
///
/// # Safety
/// `task` is a task pointer that the verifier trusts.
#[inline(always)]
pub(crate) unsafe fn kind(task: *const task_struct, descriptor: u32) -> ObjectKind {
    // SAFETY: the caller's promise.
    let file = unsafe { file(task, descriptor) };
    file.and_then(kind_of_file).unwrap_or(ObjectKind::None)
}

#[inline(always)]
fn kind_of_file(file: u64) -> Option<ObjectKind> {
    let inode: u64 = kernel::read(file + u64::from(config::offset!(file_inode)))?;
    let mode: u16 = kernel::read(inode + u64::from(config::offset!(inode_mode)))?;
    Some(match mode & S_IFMT {
        S_IFIFO => ObjectKind::Pipe,
        S_IFBLK => ObjectKind::BlockDevice,
        S_IFCHR => {
            let device: u32 = kernel::read(inode + u64::from(config::offset!(inode_rdev)))?;
            match device >> MINOR_BITS {
                // Consoles and serial lines, and pseudo-terminals (Documentation/admin-guide/devices.txt).
                4 | 5 | 136..=143 => ObjectKind::Terminal,
                _ => ObjectKind::Device,
            }
        }
        S_IFSOCK => match family(sock(file)?)? {
            AF_INET | AF_INET6 => ObjectKind::Socket,
            _ => ObjectKind::LocalSocket,
        },
        _ => {
            let super_block: u64 = kernel::read(inode + u64::from(config::offset!(inode_super)))?;
            let magic: u64 = kernel::read(super_block + u64::from(config::offset!(super_magic)))?;
            if magic == ANONYMOUS_INODES {
                ObjectKind::Event
            } else {
                ObjectKind::File
            }
        }
    })
}

/// The `struct sock *` behind a socket's file.
#[inline(always)]
pub(crate) fn sock(file: u64) -> Option<u64> {
    let socket: u64 = kernel::read(file + u64::from(config::offset!(file_private)))?;
    kernel::read(socket + u64::from(config::offset!(socket_sock)))
}

/// The family of a `struct sock`.
#[inline(always)]
pub(crate) fn family(sock: u64) -> Option<u16> {
    kernel::read(sock + u64::from(config::offset!(sock_family)))
}
