//! Runs untrustworthy work in a child process with bounds on its memory and time.

use std::{
    fs,
    io::{self, PipeReader, Read, Write},
    os::fd::AsRawFd,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// What the work may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Memory beyond what this process has, in bytes. Mapped files do not count.
    pub(super) memory: u64,
    /// Time on the clock.
    pub(super) time: Duration,
}

/// How the work ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It returned.
    Well,
    /// It was killed when its time was up.
    OutOfTime,
    /// It was aborted: an allocation failed, or (less likely) the stack was not enough.
    OutOfMemory,
    /// It crashed.
    Badly(String),
}

/// The child. Reading gives what the work writes; an end of file means that it ended or that its time is up.
#[derive(Debug)]
pub(super) struct Child {
    pid: libc::pid_t,
    pipe: PipeReader,
    deadline: Instant,
    late: bool,
    reaped: bool,
}

/// What the child's status says if the work panicked.
const PANICKED: i32 = 101;
/// And if it could not be kept away from devices.
const UNCONFINED: i32 = 102;

impl Child {
    /// Runs `work` in a child, which starts as a copy of this process at this moment. Only this thread goes on in it:
    /// `work` must wait for no other, and takes no lock that another may hold (the allocator's own is free: the C
    /// library sees to that).
    ///
    /// # Errors
    /// If there can be no pipe or no child.
    pub(super) fn spawn(limits: Limits, work: impl FnOnce(&mut dyn Write)) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let null = fs::OpenOptions::new().write(true).open("/dev/null")?;
        let data = data_size().unwrap_or(0);
        // SAFETY: no arguments. The child goes on with a copy of everything, on this thread's stack, and ends in `_exit`.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        if pid == 0 {
            drop(reader);
            if !confine(data.saturating_add(limits.memory), limits.time, null.as_raw_fd()) {
                // SAFETY: ends this process without running what the parent's copies would run at exit.
                unsafe { libc::_exit(UNCONFINED) };
            }
            let mut writer = io::BufWriter::new(writer);
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                work(&mut writer);
                let _ = writer.flush();
            }));
            // SAFETY: ends this process without running what the parent's copies would run at exit.
            unsafe { libc::_exit(if outcome.is_ok() { 0 } else { PANICKED }) };
        }
        Ok(Self {
            pid,
            pipe: reader,
            deadline: Instant::now() + limits.time,
            late: false,
            reaped: false,
        })
    }

    /// Waits for the end, which is near once reading has reached the end of file.
    pub(super) fn end(mut self) -> Ended {
        if self.late {
            self.kill();
        }
        let Some(status) = self.wait() else {
            return Ended::Badly("its status was lost".to_owned());
        };
        match (
            libc::WIFEXITED(status),
            libc::WEXITSTATUS(status),
            libc::WTERMSIG(status),
        ) {
            _ if self.late => Ended::OutOfTime,
            (true, 0, _) => Ended::Well,
            (true, PANICKED, _) => Ended::Badly("the parser panicked".to_owned()),
            (true, UNCONFINED, _) => Ended::Badly("the parser could not be confined".to_owned()),
            (true, code, _) => Ended::Badly(format!("the parser ended with status {code}")),
            // Rust aborts when an allocation fails.
            (false, _, libc::SIGABRT | libc::SIGKILL) => Ended::OutOfMemory,
            (false, _, libc::SIGBUS) => Ended::Badly("the file changed while it was read".to_owned()),
            (false, _, libc::SIGXCPU | libc::SIGALRM) => Ended::OutOfTime,
            (false, _, signal) => Ended::Badly(format!("the parser died of signal {signal}")),
        }
    }

    fn kill(&self) {
        // SAFETY: numbers only; the child was not waited for, so the number is still its own.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
    }

    fn wait(&mut self) -> Option<i32> {
        self.reaped = true;
        let mut status = 0;
        loop {
            // SAFETY: `status` outlives the call.
            if unsafe { libc::waitpid(self.pid, &raw mut status, 0) } == self.pid {
                return Some(status);
            }
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return None;
            }
        }
    }
}

impl Read for Child {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let mut poll = libc::pollfd {
                fd: self.pipe.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            let wait = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
            // SAFETY: `poll` is one `pollfd` and outlives the call.
            match unsafe { libc::poll(&raw mut poll, 1, wait) } {
                0 => {
                    self.late = true;
                    return Ok(0);
                }
                1.. => return self.pipe.read(buffer),
                _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                _ => return Err(io::Error::last_os_error()),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = self.wait();
        }
    }
}

/// In the child: no more memory than that, no core dump, no word on the terminal, no life after the parent's, no device.
fn confine(data: u64, time: Duration, null: i32) -> bool {
    // One byte for core dumps, not zero: with zero the kernel would still feed one to a handler. The processor time's
    // hard limit is behind the soft one, so that its own signal comes first.
    let time = time.as_secs() + 1;
    for (resource, soft, hard) in [
        (libc::RLIMIT_DATA, data, data),
        (libc::RLIMIT_CORE, 1, 1),
        (libc::RLIMIT_CPU, time, time + 1),
    ] {
        let limit = libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        };
        // SAFETY: the structure outlives the call.
        unsafe { libc::setrlimit(resource, &raw const limit) };
    }
    for stream in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: numbers only.
        unsafe { libc::dup2(null, stream) };
    }
    // SAFETY: numbers only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // The parent's panic hook may restore a terminal that is not this process's to touch.
    // SAFETY: no arguments.
    unsafe { libc::setsid() };
    without_devices()
}

/// Takes all devices out of this process's reach. A file can name others to be opened (supplementary debug
/// information, also through a symbolic link), and for root the mere opening of `/dev/watchdog` reboots the host.
/// A user that may not do this may not open such devices either.
fn without_devices() -> bool {
    // SAFETY: numbers only.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return io::Error::last_os_error().kind() == io::ErrorKind::PermissionDenied;
    }
    // SAFETY: all of `mount_attr` may be zero.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = libc::MOUNT_ATTR_NODEV;
    attributes.propagation = libc::MS_PRIVATE;
    // SAFETY: the path and the structure outlive the call, and the size is that of the structure.
    let status = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    status == 0
}

/// How much memory of the kind that `RLIMIT_DATA` counts this process has, in bytes.
fn data_size() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        memory: 64 << 20,
        time: Duration::from_secs(20),
    };

    fn run(limits: Limits, work: impl FnOnce(&mut dyn Write)) -> (String, Ended) {
        let mut child = Child::spawn(limits, work).unwrap();
        let mut said = String::new();
        let _ = child.read_to_string(&mut said);
        (said, child.end())
    }

    #[test]
    fn what_the_work_writes_arrives() {
        let (said, ended) = run(LIMITS, |pipe| pipe.write_all(&[b'x'; 1 << 20]).unwrap());
        assert_eq!((said.len(), ended), (1 << 20, Ended::Well));
    }

    #[test]
    fn work_that_loops_is_killed_in_time_and_what_it_wrote_counts() {
        let limits = Limits {
            time: Duration::from_millis(200),
            ..LIMITS
        };
        let start = Instant::now();
        let (said, ended) = run(limits, |pipe| {
            pipe.write_all(b"half").and_then(|()| pipe.flush()).unwrap();
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        assert_eq!((said.as_str(), ended), ("half", Ended::OutOfTime));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn work_that_needs_too_much_memory_ends() {
        let (_, ended) = run(LIMITS, |pipe| {
            let huge = vec![1_u8; 256 << 20];
            pipe.write_all(&huge[..1]).unwrap();
        });
        assert_eq!(ended, Ended::OutOfMemory);
    }

    #[test]
    fn a_crash_or_panic_stays_in_the_child() {
        let (_, ended) = run(LIMITS, |_| panic!("on purpose"));
        assert_eq!(ended, Ended::Badly("the parser panicked".to_owned()));
        let (_, ended) = run(LIMITS, |_| {
            // Rust's own handler takes the first one for a possible stack overflow, and steps aside.
            for _ in 0..2 {
                // SAFETY: numbers only.
                unsafe { libc::raise(libc::SIGBUS) };
            }
        });
        assert_eq!(
            ended,
            Ended::Badly("the file changed while it was read".to_owned())
        );
    }

    #[test]
    fn no_device_is_in_reach_of_work_that_root_does() {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let capabilities = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .unwrap();
        let may_mount = u64::from_str_radix(capabilities.trim(), 16).unwrap() >> 21 & 1 == 1;
        let (said, ended) = run(LIMITS, |pipe| {
            let [device, file] = ["/dev/zero", "/proc/self/exe"].map(|path| fs::File::open(path).is_ok());
            pipe.write_all(format!("{device} {file}").as_bytes()).unwrap();
        });
        assert_eq!((said, ended), (format!("{} true", !may_mount), Ended::Well));
    }

    #[test]
    fn a_child_that_nobody_reads_is_ended_with_its_handle() {
        let child = Child::spawn(LIMITS, |_| std::thread::sleep(Duration::from_secs(100))).unwrap();
        let pid = child.pid;
        drop(child);
        // SAFETY: numbers only; signal 0 asks whether the process is there.
        assert_eq!(unsafe { libc::kill(pid, 0) }, -1);
    }
}
