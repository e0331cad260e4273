//! Recordings made by the real `profiler` binary.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use profiler::profile::Profile;

use crate::{Ended, Running, Truth, View};

/// How much longer than its own duration a recording may take to start, to resolve names and to end.
const PATIENCE: Duration = Duration::from_secs(90);

/// The binary under test: `PROFILER_BIN`, else the one cargo built beside this test.
///
/// # Panics
/// If there is none.
pub fn profiler_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("PROFILER_BIN") {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "PROFILER_BIN is {}: there is no such file",
            path.display()
        );
        return path;
    }
    // target/PROFILE/deps/live-0123456789abcdef
    let test = std::env::current_exe().expect("the test's own path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("cargo puts tests into target/PROFILE/deps");
    let target = profile.parent().expect("a profile is in target");
    [profile.to_owned(), target.join("release"), target.join("debug")]
        .iter()
        .map(|directory| directory.join("profiler"))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "no profiler beside {}: run `cargo build` first, or set PROFILER_BIN",
                test.display()
            )
        })
}

/// Reads a trace, also one that is torn.
///
/// # Panics
/// If it is not a trace at all.
pub fn read_trace(path: &Path) -> (Profile, Vec<String>) {
    let loaded = profiler::profile::file::read(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error:#}", path.display()));
    let notes = loaded.notes.iter().map(ToString::to_string).collect();
    (loaded.profile, notes)
}

/// A recording to be made.
#[derive(Debug)]
pub struct Record {
    output: PathBuf,
    arguments: Vec<OsString>,
    command: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    seconds: Option<f64>,
}

impl Record {
    pub(crate) fn new(output: PathBuf) -> Self {
        Self {
            output,
            arguments: Vec::new(),
            command: Vec::new(),
            environment: Vec::new(),
            seconds: None,
        }
    }

    /// `-F HZ`.
    pub fn frequency(self, hz: u32) -> Self {
        self.arguments(["-F".to_owned(), hz.to_string()])
    }

    /// `-p PID`.
    pub fn pid(self, pid: u32) -> Self {
        self.arguments(["-p".to_owned(), pid.to_string()])
    }

    /// `-a`.
    pub fn all(self) -> Self {
        self.arguments(["-a"])
    }

    /// `-d SECONDS`.
    pub fn seconds(mut self, seconds: f64) -> Self {
        self.seconds = Some(seconds);
        self.arguments(["-d".to_owned(), format!("{seconds}s")])
    }

    /// Any other flags.
    pub fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// `-- COMMAND`.
    pub fn command<T: AsRef<OsStr>>(mut self, command: impl IntoIterator<Item = T>) -> Self {
        self.command = command.into_iter().map(|part| part.as_ref().to_owned()).collect();
        self
    }

    /// An environment variable of the profiler.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// `-o PATH`, in place of the test's directory.
    pub fn output(mut self, path: impl Into<PathBuf>) -> Self {
        self.output = path.into();
        self
    }

    /// Starts the recorder. For `-p` and `-a`, what is to be recorded should run already.
    pub fn start(self) -> Recorder {
        let mut command = Command::new(profiler_binary());
        command
            .arg("record")
            .args(&self.arguments)
            .arg("-o")
            .arg(&self.output);
        if !self.command.is_empty() {
            command.arg("--").args(&self.command);
        }
        for name in ["SUDO_UID", "SUDO_GID", "SUDO_USER", "PROFILER_BIN"] {
            command.env_remove(name);
        }
        command.envs(self.environment);
        Recorder {
            running: Running::spawn(&mut command),
            output: self.output,
            patience: PATIENCE + Duration::from_secs_f64(self.seconds.unwrap_or(60.0)),
        }
    }

    /// Makes the recording, waits for its end, and reads it.
    ///
    /// # Panics
    /// If the recorder fails or the trace cannot be read.
    pub fn run(self) -> Recording {
        self.start().finish()
    }
}

/// A recorder at work.
#[derive(Debug)]
pub struct Recorder {
    running: Running,
    output: PathBuf,
    patience: Duration,
}

impl Recorder {
    /// The recorder's process id.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Where it writes.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Sends it `signal`.
    pub fn signal(&self, signal: i32) {
        self.running.signal(signal);
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.running.is_running()
    }

    /// Waits until the trace file is there with something in it: sampling has begun by then.
    ///
    /// # Panics
    /// If it ends before, or 20 s pass.
    pub fn wait_for_trace(&mut self) {
        let end = Instant::now() + Duration::from_secs(20);
        while std::fs::metadata(&self.output).map_or(0, |file| file.len()) == 0 {
            assert!(
                self.is_running() && Instant::now() < end,
                "the recorder made no trace; it said:\n{}",
                self.running.stderr()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end, however it ends.
    pub fn wait(self) -> (Ended, PathBuf) {
        (self.running.wait(self.patience), self.output)
    }

    /// Waits for its end and reads the trace.
    ///
    /// # Panics
    /// If there is no trace that can be read.
    pub fn finish(self) -> Recording {
        let (ended, path) = self.wait();
        assert!(
            path.is_file(),
            "the recorder ended with {} and left no trace; it said:\n{}{}",
            ended.status,
            ended.stdout,
            ended.stderr
        );
        let (profile, notes) = read_trace(&path);
        Recording {
            profile,
            notes,
            path,
            status: ended.status,
            stdout: ended.stdout,
            stderr: ended.stderr,
            elapsed: ended.elapsed,
        }
    }
}

/// A trace, and what its recorder said.
#[derive(Debug)]
pub struct Recording {
    /// What was recorded.
    pub profile: Profile,
    /// What the reader remarked on the file.
    pub notes: Vec<String>,
    /// The file.
    pub path: PathBuf,
    /// How the recorder ended.
    pub status: ExitStatus,
    /// Standard output of the recorder and of the command it ran.
    pub stdout: String,
    /// Standard error of the recorder and of the command it ran.
    pub stderr: String,
    /// From the recorder's start to its end.
    pub elapsed: Duration,
}

impl Recording {
    /// All its samples.
    pub fn view(&self) -> View<'_> {
        View::of(&self.profile)
    }

    /// What the recorded command said of itself.
    pub fn truth(&self) -> Truth {
        Truth::parse(&self.stdout)
    }

    /// The CPU time that the recorded command says it got, in seconds.
    ///
    /// # Panics
    /// If it does not say.
    pub fn cpu_seconds(&self) -> f64 {
        let line = self.stdout.lines().find_map(|line| line.strip_prefix("cpu "));
        let line =
            line.unwrap_or_else(|| panic!("the program did not say what CPU time it got: {}", self.stdout));
        line.parse().expect("a number of seconds")
    }

    /// The recorder's last line on standard error.
    pub fn closing_line(&self) -> &str {
        self.stderr
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default()
    }

    /// Runs `profiler report` on it with `arguments`, as the user `uid`.
    pub fn report_as<T: AsRef<OsStr>>(&self, uid: u32, arguments: impl IntoIterator<Item = T>) -> Ended {
        let mut command = Command::new(profiler_binary());
        command.arg("report").arg(&self.path).args(arguments);
        if uid != 0 {
            command.uid(uid).gid(uid);
        }
        Running::spawn(&mut command).wait(PATIENCE)
    }

    /// Runs `profiler report` on it with `arguments`.
    pub fn report<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Ended {
        self.report_as(0, arguments)
    }
}
