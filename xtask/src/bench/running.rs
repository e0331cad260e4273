//! A profiler (or a load) at work, and what `/proc` says it uses. Killed when dropped.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::process::run as run_command;

/// How long a profiler may take to end after SIGINT.
const PATIENCE: Duration = Duration::from_secs(20);

/// The kernel's unit of CPU times in `/proc`, on every architecture we know: hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Running {
    name: String,
    child: Child,
    pub(super) started: Instant,
}

/// What a process used until it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// User + system time, with that of the children it waited for, in seconds.
    pub(super) cpu: f64,
    /// From SIGINT to the end, in seconds.
    pub(super) finish: f64,
}

impl Running {
    /// Starts `command` on the CPUs `cpus` (as `taskset -c` has them; empty: all), its output into `log`.
    pub(super) fn start(command: &Command, cpus: &str, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut pinned = if cpus.is_empty() {
            Command::new(command.get_program())
        } else {
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", cpus]).arg(command.get_program());
            taskset
        };
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = pinned
            .args(command.get_args())
            .stdin(Stdio::null())
            .stderr(log.try_clone().context("cannot share a log")?)
            .stdout(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            started: Instant::now(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails if the process has ended already.
    pub(super) fn check(&mut self, log: &Path) -> Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot ask for a child")? {
            let said = fs::read_to_string(log).unwrap_or_default();
            let tail: Vec<&str> = said.lines().rev().take(5).collect();
            bail!("{} ended too early ({status}): {}", self.name, tail.join(" / "));
        }
        Ok(())
    }

    /// User + system time so far, in seconds.
    pub(super) fn cpu(&self) -> f64 {
        cpu_seconds(self.pid()).unwrap_or(0.0)
    }

    /// Ends it by SIGINT and waits. What it used is read while it is a zombie: the last moment at which all is counted.
    pub(super) fn stop(mut self) -> Result<Used> {
        let asked = Instant::now();
        run_command(Command::new("kill").args(["-INT", &self.pid().to_string()]))?;
        while !is_zombie(self.pid()) {
            if asked.elapsed() > PATIENCE {
                bail!("{} does not end", self.name);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let used = Used {
            cpu: self.cpu(),
            finish: asked.elapsed().as_secs_f64(),
        };
        self.child.wait().context("cannot wait for a child")?;
        Ok(used)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and that is as wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fields of `/proc/PID/stat` behind the name.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn is_zombie(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields.first().is_some_and(|state| state == "Z"))
}

/// User + system time of a process and of its children that were waited for, in seconds.
fn cpu_seconds(pid: u32) -> Option<f64> {
    // utime, stime, cutime and cstime are fields 14 to 17 of the line; the state is the third.
    let fields = stat(pid)?;
    let ticks: u64 = fields
        .get(11..15)?
        .iter()
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Some(ticks as f64 / TICKS_PER_SECOND)
}

/// The most resident memory a process has had, in bytes.
pub(super) fn peak_resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// What the descriptors of a process say in `fdinfo`: for each, the value of `field` under the value of `key`.
pub(super) fn fdinfo(pid: u32, key: &str, field: &str) -> Vec<(u64, u64)> {
    let value = |info: &str, name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(':')?.trim().parse::<u64>().ok()
    };
    let mut found: Vec<(u64, u64)> = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter_map(|info| Some((value(&info, key)?, value(&info, field)?)))
        .collect();
    found.sort_unstable();
    found.dedup_by_key(|(key, _)| *key);
    found
}

/// The sizes of the files in `directory` whose names begin with `name`, added up.
pub(super) fn size_of(path: &Path) -> u64 {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
        return 0;
    };
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|found| found.starts_with(name))
        })
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}
