//! What each system call waits for, where it blocks (x86-64 numbers: arch/x86/entry/syscalls/syscall_64.tbl).

use crate::state::State;

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// For this, whatever its arguments.
    For(State),
    /// For what its first argument, a descriptor, stands for.
    ForDescriptor,
    /// The call does not tell.
    Unknown,
}

/// Numbers of calls are below this.
pub(crate) const CALLS: usize = 512;

/// Bits of a word of a table of bits.
const WORD: u64 = 64;

/// The entry at `number` of a table of [`CALLS`] entries; the caller has seen to it that it is below that.
#[inline(always)]
pub(crate) fn entry<T: Copy>(table: &'static [T; CALLS], number: u64) -> T {
    // SAFETY: the place is inside the table. Volatile, because the compiler would unroll the table into branches, each of
    // which the verifier follows.
    unsafe { core::ptr::read_volatile(table.as_ptr().wrapping_add(place(number))) }
}

/// The bit at `number` of a table of bits, as [`entry`].
#[inline(always)]
fn bit(table: &'static [u64; CALLS / WORD as usize], number: u64) -> bool {
    // SAFETY: as above.
    let word =
        unsafe { core::ptr::read_volatile(table.as_ptr().wrapping_add(place(number) / WORD as usize)) };
    word >> (number % WORD) & 1 != 0
}

/// The place of a number that is below [`CALLS`]. The compiler, which knows it to be, would leave a mask away, and the
/// verifier, which does not, would refuse the look-up.
#[inline(always)]
fn place(number: u64) -> usize {
    #[cfg(target_arch = "bpf")]
    {
        let mut number = number;
        // SAFETY: changes the one register it is given.
        unsafe { core::arch::asm!("{number} &= 511", number = inout(reg) number) };
        number as usize
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        number as usize & (CALLS - 1)
    }
}

/// An entry of the table that is no [`State`].
const UNKNOWN: u8 = 254;
const DESCRIPTOR: u8 = 255;

/// What call number `call` waits for.
#[inline(always)]
pub fn waits(call: u64) -> Waits {
    if call >= CALLS as u64 {
        return Waits::Unknown;
    }
    let entry = entry(&TABLE, call);
    if entry == DESCRIPTOR {
        Waits::ForDescriptor
    } else if entry == State::Disk as u8 {
        Waits::For(State::Disk)
    } else if entry == State::Ipc as u8 {
        Waits::For(State::Ipc)
    } else if entry == State::Lock as u8 {
        Waits::For(State::Lock)
    } else if entry == State::PageFault as u8 {
        Waits::For(State::PageFault)
    } else if entry == State::Sleep as u8 {
        Waits::For(State::Sleep)
    } else if entry == State::Events as u8 {
        Waits::For(State::Events)
    } else {
        Waits::Unknown
    }
}

static TABLE: [u8; CALLS] = table();

const fn table() -> [u8; CALLS] {
    let mut table = [UNKNOWN; CALLS];
    // read, write, ioctl, pread64, pwrite64, readv, writev, sendfile, connect, sendto, recvfrom, sendmsg, recvmsg,
    // shutdown, splice, tee, vmsplice, preadv, pwritev, recvmmsg, sendmmsg, copy_file_range, preadv2,
    // pwritev2, close
    let descriptor = [
        0, 1, 16, 17, 18, 19, 20, 40, 42, 44, 45, 46, 47, 48, 275, 276, 278, 295, 296, 299, 307, 326, 327,
        328, 3,
    ];
    // open, stat, fstat, lstat, lseek, msync, access, fsync, fdatasync, truncate, ftruncate, getdents, chdir, fchdir,
    // rename, mkdir, rmdir, creat, link, unlink, symlink, readlink, chmod, fchmod, chown, fchown, lchown, execve, statfs,
    // fstatfs, sync, mount, umount2, getdents64, fadvise64, readahead, setxattr..fremovexattr, openat, mkdirat, mknodat,
    // fchownat, newfstatat, unlinkat, renameat, linkat, symlinkat, readlinkat, fchmodat, faccessat, sync_file_range,
    // fallocate, syncfs, renameat2, execveat, statx, openat2, faccessat2
    let disk = [
        2, 4, 5, 6, 8, 21, 26, 59, 74, 75, 76, 77, 78, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92,
        93, 94, 137, 138, 162, 165, 166, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198, 199,
        217, 221, 257, 258, 259, 260, 262, 263, 264, 265, 266, 267, 268, 269, 277, 285, 306, 316, 322, 332,
        437, 439,
    ];
    // clone, vfork, wait4, semop, msgsnd, msgrcv, semtimedop, mq_timedsend, mq_timedreceive, waitid, clone3
    let ipc = [56, 58, 61, 65, 69, 70, 220, 242, 243, 247, 435];
    // flock, futex, futex_waitv, futex_wait
    let lock = [73, 202, 449, 455];
    // mmap, mprotect, munmap, brk, mremap, madvise, mlock, mlockall, process_madvise
    let memory = [9, 10, 11, 12, 25, 28, 149, 151, 440];
    // nanosleep, restart_syscall, clock_nanosleep
    let sleep = [35, 219, 230];
    // poll, select, pause, accept, rt_sigtimedwait, rt_sigsuspend, io_getevents, epoll_wait_old, epoll_wait, pselect6,
    // ppoll, epoll_pwait, accept4, io_pgetevents, io_uring_enter, epoll_pwait2
    let events = [
        7, 23, 34, 43, 128, 130, 208, 215, 232, 270, 271, 281, 288, 333, 426, 441,
    ];
    table = set(table, &descriptor, DESCRIPTOR);
    table = set(table, &disk, State::Disk as u8);
    table = set(table, &ipc, State::Ipc as u8);
    table = set(table, &lock, State::Lock as u8);
    table = set(table, &memory, State::PageFault as u8);
    table = set(table, &sleep, State::Sleep as u8);
    set(table, &events, State::Events as u8)
}

const fn set(mut table: [u8; CALLS], calls: &[usize], entry: u8) -> [u8; CALLS] {
    let mut at = 0;
    while at < calls.len() {
        assert!(table[calls[at]] == UNKNOWN, "a call is listed twice");
        table[calls[at]] = entry;
        at += 1;
    }
    table
}

/// Whether the first argument of call number `call` is a descriptor.
#[inline(always)]
pub fn has_descriptor(call: u64) -> bool {
    call < CALLS as u64 && bit(&DESCRIPTORS, call)
}

/// A bit for each call whose first argument is a descriptor that it works on. Not those of `*at` calls, which is where a
/// path begins.
static DESCRIPTORS: [u64; CALLS / 64] = {
    // All that may wait for their descriptor, and fstat, lseek, dup, dup2, fcntl, flock, fsync, fdatasync, ftruncate,
    // getdents, fchdir, fchmod, fchown, fstatfs, bind, listen, getsockname, getpeername, setsockopt, getsockopt, accept,
    // readahead, fsetxattr, fgetxattr, flistxattr, fremovexattr, getdents64, fadvise64, epoll_wait, epoll_ctl,
    // inotify_add_watch, inotify_rm_watch, sync_file_range, epoll_pwait, fallocate, timerfd_settime, timerfd_gettime,
    // accept4, dup3, syncfs, io_uring_enter, epoll_pwait2
    let more = [
        5, 8, 32, 33, 72, 73, 74, 75, 77, 78, 81, 91, 93, 138, 49, 50, 51, 52, 54, 55, 43, 187, 190, 193,
        196, 199, 217, 221, 232, 233, 254, 255, 277, 281, 285, 286, 287, 288, 292, 306, 426, 441,
    ];
    let mut words = bits(&more);
    let mut call = 0;
    while call < CALLS {
        if TABLE[call] == DESCRIPTOR {
            words[call / 64] |= 1 << (call % 64);
        }
        call += 1;
    }
    words
};

/// Which argument (0 or 1) of call number `call` is the path that it works on; `None` if none is.
#[inline(always)]
pub fn path_argument(call: u64) -> Option<usize> {
    if call >= CALLS as u64 {
        return None;
    }
    if bit(&FIRST_PATHS, call) {
        Some(0)
    } else if bit(&SECOND_PATHS, call) {
        Some(1)
    } else {
        None
    }
}

// open, stat, lstat, access, execve, truncate, chdir, rename, mkdir, rmdir, creat, link, unlink, symlink, readlink, chmod,
// chown, lchown, utime, mknod, statfs, chroot, mount, umount2, swapon, setxattr, lsetxattr, getxattr, lgetxattr,
// listxattr, llistxattr, removexattr, lremovexattr, utimes
static FIRST_PATHS: [u64; CALLS / 64] = bits(&[
    2, 4, 6, 21, 59, 76, 80, 82, 83, 84, 85, 86, 87, 88, 89, 90, 92, 94, 132, 133, 137, 161, 165, 166, 167,
    188, 189, 191, 192, 194, 195, 197, 198, 235,
]);
// openat, mkdirat, mknodat, fchownat, futimesat, newfstatat, unlinkat, renameat, linkat, readlinkat, fchmodat,
// faccessat, utimensat, renameat2, execveat, statx, openat2, faccessat2
static SECOND_PATHS: [u64; CALLS / 64] = bits(&[
    257, 258, 259, 260, 261, 262, 263, 264, 265, 267, 268, 269, 280, 316, 322, 332, 437, 439,
]);

const fn bits(calls: &[usize]) -> [u64; CALLS / 64] {
    let mut words = [0; CALLS / 64];
    let mut at = 0;
    while at < calls.len() {
        words[calls[at] / 64] |= 1 << (calls[at] % 64);
        at += 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_calls() {
        assert_eq!(waits(0), Waits::ForDescriptor);
        assert_eq!(waits(202), Waits::For(State::Lock));
        assert_eq!(waits(230), Waits::For(State::Sleep));
        assert_eq!(waits(232), Waits::For(State::Events));
        assert_eq!(waits(75), Waits::For(State::Disk));
        assert_eq!(waits(61), Waits::For(State::Ipc));
        // getpid never waits.
        assert_eq!(waits(39), Waits::Unknown);
        assert_eq!(waits(u64::MAX), Waits::Unknown);
    }

    #[test]
    fn calls_on_descriptors() {
        // read, close, fsync, accept4, epoll_wait
        assert!([0, 3, 74, 288, 232].into_iter().all(has_descriptor));
        // open, mmap, futex, openat, none
        assert!(![2, 9, 202, 257, u64::MAX].into_iter().any(has_descriptor));
    }

    #[test]
    fn calls_on_paths() {
        // open, openat, read
        let paths = [2, 257, 0, u64::MAX].map(path_argument);
        assert_eq!(paths, [Some(0), Some(1), None, None]);
    }
}
