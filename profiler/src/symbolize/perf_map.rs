//! Names of code that was generated at run time, from the `/tmp/perf-PID.map` that its process wrote.
//!
//! The file belongs to the profiled world: it is looked up inside the process's own root, opened only if it is a
//! regular file of the process's user or of root, and read up to a limit.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

use super::{
    bytes::open_handle,
    demangle::{MAX_NAME, shorten},
};

/// How much of a map is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// How many ranges of a map are kept.
const MAX_RANGES: usize = 1 << 18;

/// Ranges of code by start address. Where they overlap, the one written last holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PerfMap {
    /// Start to (end, name).
    ranges: BTreeMap<u64, (u64, Box<str>)>,
}

/// What is remembered of a process, so that its map can be found while it lives and after.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// Its id as the host sees it.
    pub(super) pid: u32,
    /// Its id as it sees itself, which names the file; known once it was seen alive.
    inner_pid: u32,
    /// Its user; `None` if it was gone before it could be asked.
    uid: Option<u32>,
    /// Size and time of change of the map that was read last.
    seen: (u64, i64, i64),
}

impl Owner {
    /// Asks `/proc` about a process.
    pub(super) fn new(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        Self {
            pid,
            inner_pid: field("NSpid:")
                .and_then(|ids| ids.split_ascii_whitespace().last()?.parse().ok())
                .unwrap_or(pid),
            // The effective user owns what the process creates.
            uid: field("Uid:").and_then(|ids| ids.split_ascii_whitespace().nth(1)?.parse().ok()),
            seen: (0, 0, 0),
        }
    }

    /// Reads the process's map, if there is one and it changed since the last time.
    pub(super) fn read_map(&mut self) -> io::Result<Option<PerfMap>> {
        let root = Path::new("/proc").join(self.pid.to_string()).join("root");
        // A process that is gone left its map where everybody's /tmp is, unless it lived in a container.
        let file = self.open_map(&root).or_else(|_| self.open_map(Path::new("/")))?;
        let metadata = file.metadata()?;
        let now = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        if self.seen == now {
            return Ok(None);
        }
        self.seen = now;
        Ok(Some(PerfMap::parse(BufReader::new(file))))
    }

    fn open_map(&self, root: &Path) -> io::Result<File> {
        let root = fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(root)?;
        let name = std::ffi::CString::new(format!("tmp/perf-{}.map", self.inner_pid))?;
        // SAFETY: all of `open_how` may be zero.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        how.flags = (libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC) as u64;
        // A container's symbolic links must lead to the container's files.
        how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
        // SAFETY: `name` and `how` outlive the call, and the size is that of `how`.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                root.as_raw_fd(),
                name.as_ptr(),
                &raw const how,
                size_of_val(&how),
            )
        };
        let fd = i32::try_from(fd)
            .ok()
            .filter(|&fd| fd >= 0)
            .ok_or_else(io::Error::last_os_error)?;
        // SAFETY: `openat2` returned this descriptor, and nobody else owns it.
        let file = open_handle(&unsafe { OwnedFd::from_raw_fd(fd) })?;
        let owner = file.metadata()?.uid();
        if owner != 0 && Some(owner) != self.uid {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("it belongs to user {owner}, not to the process's"),
            ));
        }
        Ok(file)
    }
}

impl PerfMap {
    /// Parses lines of `start size name`, both numbers hexadecimal. Other lines are passed over.
    pub(super) fn parse(reader: impl BufRead) -> Self {
        let mut map = Self::default();
        let mut reader = reader.take(MAX_BYTES);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A line is bounded too: one without end would be the whole file.
            let limit = MAX_NAME as u64 + 64;
            match reader.by_ref().take(limit).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return map,
                Ok(_) => map.add(&line),
            }
            if line.last() != Some(&b'\n') && reader.skip_until(b'\n').is_err() {
                return map;
            }
        }
    }

    fn add(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let mut words = text.trim_end_matches(['\n', '\r']).splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
        let (Some(start), Some(size)) = (number(), number()) else {
            return;
        };
        let (Some(end), Some(name)) = (start.checked_add(size), words.next()) else {
            return;
        };
        if size == 0
            || name.is_empty()
            || (self.ranges.len() >= MAX_RANGES && !self.ranges.contains_key(&start))
        {
            return;
        }
        // What lies here was thrown away by the process: its remains before and behind the new code are nobody's.
        if let Some((_, before)) = self.ranges.range_mut(..start).next_back() {
            before.0 = before.0.min(start);
        }
        while let Some((&old, _)) = self.ranges.range(start..end).next() {
            self.ranges.remove(&old);
        }
        self.ranges.insert(start, (end, shorten(name).into()));
    }

    /// About how much memory it holds, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.ranges.values().map(|(_, name)| name.len() as u64 + 64).sum()
    }

    /// The name of the code at `address`.
    pub(super) fn name(&self, address: u64) -> Option<&str> {
        let (_, (end, name)) = self.ranges.range(..=address).next_back()?;
        (address < *end).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::ffi::OsStrExt};

    use super::*;

    #[test]
    fn the_last_entry_for_an_address_holds() {
        let map = PerfMap::parse(
            &b"1000 100 old\n2000 10 other\n1080 20 new name\n0x3000 0x10 LazyCompile:~f x.js:1\n"[..],
        );
        let names =
            [0x1000, 0x107f, 0x1080, 0x109f, 0x10a0, 0x2000, 0x2010, 0x3001].map(|address| map.name(address));
        assert_eq!(
            names,
            [
                Some("old"),
                Some("old"),
                Some("new name"),
                Some("new name"),
                None,
                Some("other"),
                None,
                Some("LazyCompile:~f x.js:1")
            ]
        );
    }

    #[test]
    fn garbage_lines_are_passed_over_and_long_ones_cut() {
        let mut text =
            b"\n \nxyz 10 a\n10\n10 10\nffffffffffffffff 10 overflow\n20 0 empty\n\xff\xfe\n40 10 ".to_vec();
        text.extend_from_slice(&[b'a'; 100_000]);
        text.extend_from_slice(b"\n50 10 \x1b[31mred\n");
        let map = PerfMap::parse(&text[..]);
        assert_eq!(map.ranges.len(), 2);
        assert!(map.name(0x40).unwrap().len() <= MAX_NAME);
        assert_eq!(map.name(0x50), Some("\x1b[31mred"));
    }

    /// A child that lives until it is dropped, with a map of our making under its pid.
    struct Process(std::process::Child);
    impl Process {
        fn new() -> Self {
            Self(std::process::Command::new("sleep").arg("60").spawn().unwrap())
        }
        fn map(&self) -> std::path::PathBuf {
            format!("/tmp/perf-{}.map", self.0.id()).into()
        }
    }
    impl Drop for Process {
        fn drop(&mut self) {
            let _ = fs::remove_file(self.map());
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_living_process_s_map_is_read_when_it_changed() {
        let process = Process::new();
        let mut owner = Owner::new(process.0.id());
        assert!(owner.read_map().is_err());
        fs::write(process.map(), "1000 10 jitted\n").unwrap();
        assert_eq!(owner.read_map().unwrap().unwrap().name(0x1005), Some("jitted"));
        assert_eq!(owner.read_map().unwrap(), None);
        let mut file = fs::OpenOptions::new().append(true).open(process.map()).unwrap();
        file.write_all(b"1000 8 again\n").unwrap();
        assert_eq!(owner.read_map().unwrap().unwrap().name(0x1005), Some("again"));
    }

    #[test]
    fn a_fifo_a_link_or_a_stranger_s_file_is_no_map() {
        let process = Process::new();
        let path = std::ffi::CString::new(process.map().as_os_str().as_bytes()).unwrap();
        // SAFETY: `path` is a C string that outlives the call.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        assert!(Owner::new(process.0.id()).read_map().is_err());
        fs::remove_file(process.map()).unwrap();

        std::os::unix::fs::symlink("/proc/self/maps", process.map()).unwrap();
        assert!(Owner::new(process.0.id()).read_map().is_err());
        fs::remove_file(process.map()).unwrap();

        fs::write(process.map(), "1000 10 jitted\n").unwrap();
        let mut owner = Owner::new(process.0.id());
        assert!(owner.read_map().is_ok());
        // Whoever runs the tests owns the file: as another's process's, it is a stranger's, unless root wrote it.
        owner.uid = Some(4_000_000_000);
        owner.seen = (0, 0, 0);
        // SAFETY: no arguments, no memory.
        let uid = unsafe { libc::geteuid() };
        if uid == 0 {
            std::os::unix::fs::chown(process.map(), Some(65_534), None).unwrap();
        }
        assert_eq!(
            owner.read_map().unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
    }

    #[test]
    fn a_huge_map_is_bounded() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                let line = format!("{:x} 1 {:200}\n", self.0 * 16, "f");
                buffer[..line.len()].copy_from_slice(line.as_bytes());
                Ok(line.len())
            }
        }
        let map = PerfMap::parse(BufReader::new(Endless(0)));
        assert_eq!(map.ranges.len(), MAX_RANGES);
    }
}
