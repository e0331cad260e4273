//! Processes that a test starts, which end with it, and what `/proc` says about a process.

use std::{
    fs::{self, File},
    os::unix::{
        fs::FileExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A process in a process group of its own. The group is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    stdout: File,
    stderr: File,
    started: Instant,
    stop: i32,
    reaped: bool,
}

/// What a process left behind.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// All of its standard error; what is not UTF-8 is replaced.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
}

impl Running {
    /// Starts `command` with its output kept.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        // Files, not pipes: nobody has to read while it runs, and children that outlive it block nobody.
        let stdout = tempfile::tempfile().expect("a temporary file");
        let stderr = tempfile::tempfile().expect("a temporary file");
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().expect("a second handle"))
            .stderr(stderr.try_clone().expect("a second handle"))
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name,
            child,
            stdout,
            stderr,
            started: Instant::now(),
            stop: libc::SIGKILL,
            reaped: false,
        }
    }

    /// Sends `signal` to the group at drop and waits up to 5 s, before it is killed: for servers whose children are in
    /// groups of their own.
    pub fn stopped_by(mut self, signal: i32) -> Self {
        self.stop = signal;
        self
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to the process.
    pub fn signal(&self, signal: i32) {
        send(self.pid().cast_signed(), signal);
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        !self.reaped && matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        contents(&self.stderr)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub fn wait(mut self, limit: Duration) -> Ended {
        let end = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(
                Instant::now() < end,
                "{} still runs after {limit:?}; it said:\n{}{}",
                self.name,
                contents(&self.stdout),
                contents(&self.stderr)
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        self.reaped = true;
        Ended {
            status,
            stdout: contents(&self.stdout),
            stderr: contents(&self.stderr),
            elapsed: self.started.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = -self.pid().cast_signed();
        if !self.reaped && self.stop != libc::SIGKILL {
            self.signal(self.stop);
            let end = Instant::now() + Duration::from_secs(5);
            while self.is_running() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // Also after the leader's end: a generator's or a shell's children may live on in the group.
        send(group, libc::SIGKILL);
        if !self.reaped {
            // A child that cannot be waited for was reaped by `is_running`.
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    /// Asserts that it exited with 0.
    ///
    /// # Panics
    /// If it did not, with what it said.
    pub fn success(self) -> Self {
        assert!(
            self.status.success(),
            "it ended with {}:\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// The exit status as a shell gives it: 128 + the signal if it was killed by one.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }
}

fn send(pid: i32, signal: i32) {
    // SAFETY: no memory is passed. A process that is gone is no error here.
    unsafe { libc::kill(pid, signal) };
}

/// Reads by position: the handle shares its offset with the writer.
fn contents(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut block = [0; 8192];
    loop {
        match file.read_at(&mut block, bytes.len() as u64) {
            Ok(0) => return String::from_utf8_lossy(&bytes).into_owned(),
            Ok(length) => bytes.extend_from_slice(&block[..length]),
            Err(error) => panic!("a temporary file cannot be read: {error}"),
        }
    }
}

/// User + system time of a process and of its children that were waited for; `None` if it is gone.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<u64> = stat
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    // utime, stime, cutime and cstime are fields 14 to 17 of the line, and the third is the first behind the name.
    let ticks: u64 = fields.get(11..15)?.iter().sum();
    // SAFETY: no memory is passed.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1).unsigned_abs();
    Some(Duration::from_millis(ticks * 1000 / per_second))
}

/// Resident memory of a process, in bytes; `None` if it is gone.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// What the descriptors of a process refer to, as `/proc/PID/fd` spells it.
pub fn descriptors(pid: u32) -> Vec<String> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect()
}

/// How many descriptors a process has open.
pub fn open_file_count(pid: u32) -> usize {
    descriptors(pid).len()
}

/// The BPF maps a process holds by descriptor: their ids and sizes in memory, in bytes.
pub fn maps(pid: u32) -> Vec<(u32, u64)> {
    let mut maps: Vec<(u32, u64)> = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|info| {
            let field = |name: &str| {
                let line = info.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim().parse::<u64>().ok()
            };
            Some((
                u32::try_from(field("map_id:")?).ok()?,
                field("memlock:").unwrap_or(0),
            ))
        })
        .collect();
    maps.sort_unstable();
    maps.dedup();
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_exit_status_are_kept() {
        let ended = Running::spawn(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 7"]))
            .wait(Duration::from_secs(5));
        assert_eq!(
            (ended.code(), &*ended.stdout, &*ended.stderr),
            (7, "out\n", "err\n")
        );
    }

    #[test]
    fn children_of_what_is_dropped_are_killed() {
        let shell = Running::spawn(Command::new("sh").args(["-c", "sleep 60 & echo $! >&2; wait"]));
        let child: u32 = loop {
            if let Ok(pid) = shell.stderr().trim().parse() {
                break pid;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        drop(shell);
        std::thread::sleep(Duration::from_millis(50));
        // Gone, or a zombie that waits for whoever adopted it.
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }

    #[test]
    fn own_numbers_are_read_from_proc() {
        let pid = std::process::id();
        assert!(cpu_time(pid).is_some() && resident_bytes(pid) > Some(1 << 16));
        assert!(open_file_count(pid) >= 3);
        assert_eq!(cpu_time(u32::MAX), None);
    }
}
