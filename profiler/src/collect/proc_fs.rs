//! What `/proc` says about processes that were there before us. Text is parsed by pure functions.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use profiler_common::lock;

use super::{event::RawMapping, targets::OpenFile};

/// A process as `/proc/PID/stat` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The command name.
    pub name: Vec<u8>,
    /// The parent's process id.
    pub ppid: u32,
    /// A kernel thread, which has no user space.
    pub kernel_thread: bool,
}

/// `PF_KTHREAD` (include/linux/sched.h).
const PF_KTHREAD: u64 = 0x0020_0000;

/// The process ids that are there now.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn pids() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect())
}

/// What `/proc/PID/stat` says; `None` if the process is gone.
pub fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// `17 (a) b) S 1 …`: the name is in parentheses, which it may contain itself.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let ppid = fields.nth(1)?.parse().ok()?;
    let flags: u64 = fields.nth(4)?.parse().ok()?;
    Some(Stat {
        name: stat.get(open + 1..close)?.to_vec(),
        ppid,
        kernel_thread: flags & PF_KTHREAD != 0,
    })
}

/// The name of a thread; `None` if it is gone.
pub fn thread_name(pid: u32, tid: u32) -> Option<Vec<u8>> {
    let mut name = fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    Some(name)
}

/// The path of a process's executable; `None` if the process is gone or has none.
pub fn exe(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Whether any thread of a process is left, be it a zombie.
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The file behind a descriptor. Asks `/proc` alone, never the file system that the file is on, which may hang.
pub fn descriptor(pid: u32, descriptor: u32) -> Option<OpenFile> {
    // Since Linux 5.14 (fs/proc/fd.c).
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).ok()?;
    let inode = info.lines().find_map(|line| line.strip_prefix("ino:"))?;
    Some(OpenFile {
        path: fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?,
        inode: inode.trim().parse().ok()?,
    })
}

/// Bytes of a waiting thread's stack that are read at most.
const STACK_MAX: usize = profiler_common::config::STACK_COPY_MAX;

/// The stack of a thread that waits in a system call, from its stack pointer up. That it still waits where it did is
/// looked at after it was read.
pub fn waiting_stack(pid: u32, tid: u32, sp: u64, ip: u64) -> Option<Vec<u8>> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut stack = vec![0; STACK_MAX];
    // The stack's mapping may end before: then less is read.
    let read = memory.read_at(&mut stack, sp).ok()?;
    stack.truncate(read);
    let now = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    is_waiting_at(&now, sp, ip).then_some(stack)
}

/// `number argument … sp pc`, all but the first in hexadecimal (proc_pid_syscall(5)).
fn is_waiting_at(syscall: &str, sp: u64, ip: u64) -> bool {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let mut from_the_end = syscall.split_whitespace().rev().map(number);
    from_the_end.next() == Some(Some(ip)) && from_the_end.next() == Some(Some(sp))
}

/// The executable mappings of a process. A leader that has exited has none, so another thread's are read.
pub fn maps(pid: u32) -> Option<Vec<RawMapping>> {
    let text = fs::read(format!("/proc/{pid}/maps")).ok()?;
    let mappings = parse_maps(&text);
    if !mappings.is_empty() {
        return Some(mappings);
    }
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let mappings = parse_maps(&fs::read(task.path().join("maps")).unwrap_or_default());
        if !mappings.is_empty() {
            return Some(mappings);
        }
    }
    Some(Vec::new())
}

/// The executable lines of `/proc/PID/maps`. Bytes, not text: a path may be anything.
fn parse_maps(text: &[u8]) -> Vec<RawMapping> {
    text.split(|&byte| byte == b'\n')
        .filter_map(parse_mapping)
        .collect()
}

/// `7f00-7f10 r-xp 00001000 08:01 1234    /path with spaces`.
fn parse_mapping(line: &[u8]) -> Option<RawMapping> {
    let mut rest = line;
    let mut field = || {
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        let (field, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        std::str::from_utf8(field).ok()
    };
    let (range, access, offset, device, inode) = (field()?, field()?, field()?, field()?, field()?);
    if access.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = range.split_once('-')?;
    let (major, minor) = device.split_once(':')?;
    let inode: u64 = inode.parse().ok()?;
    let path = rest
        .iter()
        .position(|&byte| byte != b' ')
        .map_or(&[][..], |begin| &rest[begin..]);
    Some(RawMapping {
        start: hex(start)?,
        end: hex(end)?,
        file_offset: hex(offset)?,
        path: path.to_vec(),
        build_id: Vec::new(),
        inode: (inode != 0).then_some((hex(major)? << 32 | hex(minor)?, inode)),
    })
}

/// Opens the file behind a mapping: through `map_files`, which is the very file (also if it was deleted or replaced),
/// else by its path in the process's mount namespace, as any of its threads sees it (a first thread that has ended sees
/// nothing any more). Never blocks on a FIFO; regular files only.
pub fn open_mapping(pid: u32, mapping: &RawMapping) -> Option<File> {
    let RawMapping { start, end, path, .. } = mapping;
    let process = PathBuf::from(format!("/proc/{pid}"));
    let exact = process.join(format!("map_files/{start:x}-{end:x}"));
    open_regular(&exact)
        .or_else(|| open_regular(&below_root(&process, path)?))
        .or_else(|| {
            let threads = fs::read_dir(process.join("task")).ok()?.flatten();
            threads
                .take(16)
                .find_map(|thread| open_regular(&below_root(&thread.path(), path)?))
        })
}

/// Opens a path as this program sees it.
pub fn open_path(path: &[u8]) -> Option<File> {
    open_regular(Path::new(std::ffi::OsStr::from_bytes(path)))
}

/// `path` below the root directory of a process or thread, given by its directory in `/proc`.
fn below_root(task: &Path, path: &[u8]) -> Option<PathBuf> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    Some(task.join("root").join(path.strip_prefix("/").ok()?))
}

fn open_regular(path: &Path) -> Option<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// What a thread in a `futex` call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Futex {
    /// The call's number.
    pub call: u32,
    /// The address of the word.
    pub address: u64,
    /// The operation with its flags.
    pub operation: u32,
    /// The value that the word was expected to have.
    pub value: u32,
    /// What the word is.
    pub word: u32,
    /// The word 8 bytes behind it, where glibc's mutexes have their owner.
    pub behind: u32,
}

/// The futex that a thread waits for right now; `None` if it waits for none, or may not be asked.
pub fn futex(pid: u32, tid: u32) -> Option<Futex> {
    let call = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    let futex = parse_futex(&call)?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let word = |address: u64| {
        let mut bytes = [0; 4];
        memory.read_exact_at(&mut bytes, address).ok()?;
        Some(u32::from_ne_bytes(bytes))
    };
    Some(Futex {
        word: word(futex.address)?,
        behind: word(futex.address.checked_add(8)?).unwrap_or(0),
        ..futex
    })
}

/// See [`is_waiting_at`].
fn parse_futex(syscall: &str) -> Option<Futex> {
    let mut fields = syscall.split_whitespace();
    let call = fields.next()?.parse::<u32>().ok()?;
    let is_futex = [lock::call::FUTEX, lock::call::FUTEX_WAIT].contains(&u64::from(call));
    let mut argument = || u64::from_str_radix(fields.next()?.trim_start_matches("0x"), 16).ok();
    let (address, operation, value) = (argument()?, argument()?, argument()?);
    is_futex.then_some(Futex {
        call,
        address,
        operation: operation as u32,
        value: value as u32,
        word: 0,
        behind: 0,
    })
}

/// The thread that process `pid` knows as `tid`, by the pid and tid that it has here. `shared`: it may be one of another
/// process, if both have the numbers that they have here.
pub fn thread_inside(pid: u32, tid: u32, shared: bool) -> Option<(u32, u32)> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    if namespace(&pid.to_string())? != namespace("self")? {
        let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
        return tasks.find_map(|task| {
            let status = fs::read_to_string(task.path().join("status")).ok()?;
            let inside = status_field(&status, "NSpid:")?
                .split_ascii_whitespace()
                .next_back()?;
            let outside = task.file_name().to_str()?.parse().ok()?;
            (inside.parse() == Ok(tid)).then_some((pid, outside))
        });
    }
    if fs::exists(format!("/proc/{pid}/task/{tid}")).ok()? {
        return Some((pid, tid));
    }
    if !shared {
        return None;
    }
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let pid = status_field(&status, "Tgid:")?.trim().parse().ok()?;
    Some((pid, tid))
}

fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

/// Who owns a process, as its cgroup tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The cgroup v2 path, else that of the `name=systemd` hierarchy.
    pub cgroup: String,
    /// The systemd unit.
    pub unit: String,
    /// The container id.
    pub container: String,
}

/// The owner of a process; `None` if it is gone.
pub fn owner(pid: u32) -> Option<Owner> {
    Some(parse_owner(&String::from_utf8_lossy(
        &fs::read(format!("/proc/{pid}/cgroup")).ok()?,
    )))
}

/// Lines of `/proc/PID/cgroup` are `hierarchy:controllers:path`; hierarchy 0 is cgroup v2.
fn parse_owner(text: &str) -> Owner {
    let mut cgroup = "";
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(hierarchy), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        // On hybrid hosts the v2 hierarchy may be unused (everything in `/`), and systemd's own tells more.
        let v2 = hierarchy == "0" && (path != "/" || cgroup.is_empty());
        let systemd = controllers == "name=systemd" && (cgroup.is_empty() || cgroup == "/");
        if v2 || systemd {
            cgroup = path;
        }
    }
    let unit = cgroup.rsplit('/').find(|part| is_unit(part)).unwrap_or_default();
    let container = cgroup.rsplit('/').find_map(container_id).unwrap_or_default();
    Owner {
        cgroup: cgroup.to_owned(),
        unit: unit.to_owned(),
        container: container.to_owned(),
    }
}

fn is_unit(part: &str) -> bool {
    [".service", ".scope", ".socket", ".mount"]
        .iter()
        .any(|suffix| part.ends_with(suffix))
}

/// `docker-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>`, `libpod-<id>.scope`, `/docker/<id>`: 64 hex digits.
fn container_id(part: &str) -> Option<&str> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let id = part.rsplit('-').next()?;
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// Where the root of the file system on `device` (`major << 20 | minor`) is, by `/proc/PID/mountinfo`.
pub fn mount_point(mountinfo: &str, device: u32) -> Option<PathBuf> {
    let device = format!("{}:{}", device >> 20, device & 0xf_ffff);
    mountinfo.lines().find_map(|line| {
        // ID, parent, device, what of it, where.
        let mut fields = line.split(' ').skip(2);
        let (on, root, place) = (fields.next()?, fields.next()?, fields.next()?);
        (on == device && root == "/").then(|| unescape(place).into())
    })
}

/// Spaces, tabs, line breaks and backslashes are octal there (`mangle_path`, fs/seq_file.c).
fn unescape(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (escaped, plain)| {
        text.replace(escaped, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_mounted_where_its_root_is() {
        let mountinfo = "\
            22 1 254:0 /srv /bind rw,relatime shared:1 - ext4 /dev/vda rw\n\
            23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
            24 23 8:17 / /mnt/a\\040disk rw - xfs /dev/sdb1 rw\n";
        let of = |major: u32, minor| mount_point(mountinfo, major << 20 | minor);
        assert_eq!(of(254, 0), Some("/".into()));
        assert_eq!(of(8, 17), Some("/mnt/a disk".into()));
        assert_eq!(of(8, 1), None);
    }

    #[test]
    fn a_name_may_contain_parentheses() {
        let stat = parse_stat(b"17 (a) b (c) S 1 17 17 0 -1 2129984 0").unwrap();
        assert_eq!(
            stat,
            Stat {
                name: b"a) b (c".to_vec(),
                ppid: 1,
                kernel_thread: true
            }
        );
        assert_eq!(parse_stat(b"17 (a"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn only_executable_mappings_count_and_paths_may_have_spaces() {
        let maps = parse_maps(
            b"55d0-55d1 r--p 00000000 08:01 7 /bin/a b\n55d1-55d2 r-xp 00001000 08:01 7      /bin/a b (deleted)\n\
              7f00-7f01 rwxp 00000000 00:00 0 \nffff-fffff --xp 00000000 00:00 0   [vsyscall]\ngarbage",
        );
        assert_eq!(maps.len(), 3);
        assert_eq!((maps[0].start, maps[0].file_offset), (0x55d1, 0x1000));
        assert_eq!(maps[0].path, b"/bin/a b (deleted)");
        assert_eq!(maps[0].inode, Some((8 << 32 | 1, 7)));
        assert_eq!((maps[1].path.as_slice(), maps[1].inode), (&b""[..], None));
    }

    #[test]
    fn an_open_file_is_found_by_its_descriptor() {
        use std::os::{fd::AsRawFd as _, unix::fs::MetadataExt as _};
        let file = File::open("/proc/self/exe").unwrap();
        let found = descriptor(std::process::id(), file.as_raw_fd() as u32).unwrap();
        assert_eq!(found.path, std::env::current_exe().unwrap());
        assert_eq!(found.inode, file.metadata().unwrap().ino());
        assert_eq!(descriptor(std::process::id(), 1 << 20), None);
    }

    #[test]
    fn where_a_thread_waits_is_compared() {
        let line = "202 0x7f 0x80 0x0 0x0 0x0 0x0 0x7ffd10 0x7f5566\n";
        assert!(is_waiting_at(line, 0x7f_fd10, 0x7f_5566));
        assert!(!is_waiting_at(line, 0x7f_fd18, 0x7f_5566));
        assert!(!is_waiting_at("running\n", 1, 2));
        assert!(!is_waiting_at("", 0, 0));
    }

    #[test]
    fn a_wait_for_a_futex_is_read() {
        let futex = parse_futex("202 0x7f0010 0x80 0x2 0x0 0x0 0x0 0x7ffd10 0x7f5566\n").unwrap();
        assert_eq!(
            (futex.call, futex.address, futex.operation, futex.value),
            (202, 0x7f_0010, 0x80, 2)
        );
        assert_eq!(
            parse_futex("0 0x7f0010 0x80 0x2 0x0 0x0 0x0 0x7ffd10 0x7f5566\n"),
            None
        );
        assert_eq!(parse_futex("running\n"), None);
        assert_eq!(futex_of_nobody(), None);
    }

    fn futex_of_nobody() -> Option<Futex> {
        futex(0x3fff_ffff, 0x3fff_ffff)
    }

    #[test]
    fn threads_are_those_of_the_process_unless_words_are_shared() {
        let own = std::process::id();
        assert_eq!(thread_inside(own, own, false), Some((own, own)));
        assert_eq!(thread_inside(own, 1, false), None);
        assert_eq!(thread_inside(own, 1, true), Some((1, 1)));
        assert_eq!(thread_inside(own, 0x3fff_ffff, true), None);
    }

    #[test]
    fn own_maps_hold_this_function() {
        let here = own_maps_hold_this_function as fn() as usize as u64;
        let maps = maps(std::process::id()).unwrap();
        let mapping = maps
            .iter()
            .find(|mapping| mapping.start <= here && here < mapping.end)
            .unwrap();
        assert!(open_mapping(std::process::id(), mapping).is_some());
    }

    #[test]
    fn owners() {
        let id = "0123456789abcdef".repeat(4);
        let owner = parse_owner("0::/system.slice/nginx.service\n");
        assert_eq!(
            (owner.unit.as_str(), owner.container.as_str()),
            ("nginx.service", "")
        );
        assert_eq!(
            parse_owner(&format!("0::/system.slice/docker-{id}.scope")).container,
            id
        );
        assert_eq!(
            parse_owner(&format!("5:cpu:/x\n1:name=systemd:/docker/{id}\n0::/\n")).container,
            id
        );
        assert_eq!(parse_owner("0::/\n").cgroup, "/");
        assert_eq!(parse_owner("nonsense"), Owner::default());
    }
}
