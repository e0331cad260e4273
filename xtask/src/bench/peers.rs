//! Who is measured: `profiler` and the profilers that Debian has, told to do the same.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::table::Table;
use crate::process::output;

/// What is profiled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// The process with this id.
    Pid(u32),
    /// Everything.
    System,
}

/// A profiler, and how it takes and unwinds its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ours.
    Profiler,
    /// Ours without stacks: what clock and transport cost.
    ProfilerNoStacks,
    /// A BPF program that does nothing: what the clock costs.
    Empty,
    PerfFramePointers,
    PerfDwarf,
    Bpftrace,
    Bcc,
    Samply,
}

/// A profiler that may or may not be on this machine.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    program: Result<PathBuf, String>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Peers(Vec<Peer>);

impl Peers {
    pub(super) fn find(profiler: &Path) -> Self {
        let ours = || {
            if profiler.is_file() {
                Ok(profiler.to_owned())
            } else {
                Err(format!("{} is not built", profiler.display()))
            }
        };
        let peer = |name, kind, program| Peer { name, kind, program };
        Self(vec![
            peer("empty program (bpftrace)", Kind::Empty, find("bpftrace")),
            peer("profiler", Kind::Profiler, ours()),
            peer("profiler without stacks", Kind::ProfilerNoStacks, ours()),
            peer("perf, frame pointers", Kind::PerfFramePointers, find("perf")),
            peer("perf, DWARF", Kind::PerfDwarf, find("perf")),
            peer("bpftrace profile", Kind::Bpftrace, find("bpftrace")),
            peer("bcc profile", Kind::Bcc, find_bcc("profile-bpfcc")),
            peer("samply", Kind::Samply, find("samply")),
        ])
    }

    /// The path of our own, or why there is none.
    pub(super) fn profiler(&self) -> Result<PathBuf, String> {
        let ours = self.0.iter().find(|peer| peer.kind == Kind::Profiler);
        ours.map_or_else(
            || Err("it does not take part".to_owned()),
            |peer| peer.program.clone(),
        )
    }

    /// Those that can run here and are of one of `kinds`.
    pub(super) fn of<'a>(&'a self, kinds: &'a [Kind]) -> impl Iterator<Item = &'a Peer> {
        let wanted = |peer: &&Peer| kinds.contains(&peer.kind) && peer.program.is_ok();
        self.0.iter().filter(wanted)
    }

    /// Notes on those of `kinds` that cannot run here.
    pub(super) fn note_missing(&self, table: &mut Table, measure: &str, kinds: &[Kind]) {
        for peer in self.0.iter().filter(|peer| kinds.contains(&peer.kind)) {
            if let Err(reason) = &peer.program {
                table.note(measure, peer.name, &format!("unavailable: {reason}"));
            }
        }
    }

    /// Who takes part, with versions.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new("Who is measured");
        for peer in &self.0 {
            let note = match &peer.program {
                Ok(program) => version(program),
                Err(reason) => format!("unavailable: {reason}"),
            };
            table.note("version", peer.name, &note);
        }
        let kernel = output(Command::new("uname").arg("-srm")).unwrap_or_default();
        table.note("machine", "kernel", &kernel);
        table.note("machine", "CPUs", &cpus().to_string());
        table
    }
}

impl Peer {
    /// The command that profiles `target` at `hz` until it gets SIGINT, into `file` (or standard output).
    ///
    /// `None` if it cannot do that.
    pub(super) fn command(&self, target: Target, hz: u32, file: &Path) -> Option<Command> {
        let program = self.program.as_ref().ok()?;
        let (hz, mut command) = (hz.to_string(), Command::new(program));
        match self.kind {
            Kind::Profiler | Kind::ProfilerNoStacks => {
                command.args(["record", "-F", &hz]).arg("-o").arg(file);
                match target {
                    Target::Pid(pid) => command.args(["-p", &pid.to_string()]),
                    Target::System => command.arg("-a"),
                };
                if self.kind == Kind::ProfilerNoStacks {
                    command.args(["--no-user", "--no-kernel"]);
                }
            }
            Kind::PerfFramePointers | Kind::PerfDwarf => {
                let stacks = if self.kind == Kind::PerfDwarf {
                    "dwarf"
                } else {
                    "fp"
                };
                command.args(["record", "-q", "-e", "cpu-clock", "-k", "mono", "-F", &hz]);
                command.args(["--call-graph", stacks, "-o"]).arg(file);
                match target {
                    Target::Pid(pid) => command.args(["-p", &pid.to_string()]),
                    Target::System => command.arg("-a"),
                };
            }
            Kind::Empty => {
                command.args(["-e", &format!("profile:hz:{hz} {{ }}")]);
            }
            Kind::Bpftrace => {
                let filter = match target {
                    Target::Pid(pid) => format!("/pid == {pid}/"),
                    Target::System => "/pid != 0/".to_owned(),
                };
                let script = format!("profile:hz:{hz} {filter} {{ @[ustack(127), kstack(127)] = count(); }}");
                command.args(["-e", &script]);
            }
            Kind::Bcc => {
                command.args(["-F", &hz, "-f"]);
                if let Target::Pid(pid) = target {
                    command.args(["-p", &pid.to_string()]);
                }
            }
            Kind::Samply => {
                let Target::Pid(pid) = target else {
                    return None;
                };
                command.args(["record", "--save-only", "-r", &hz, "-p", &pid.to_string(), "-o"]);
                command.arg(file);
            }
        }
        Some(command)
    }
}

/// How many CPUs there are.
pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The path of a program, or why there is none.
pub(super) fn find(name: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not installed"))
}

/// A tool of bcc: it compiles its program against the running kernel's headers.
pub(super) fn find_bcc(name: &str) -> Result<PathBuf, String> {
    let program = find(name)?;
    let release = output(Command::new("uname").arg("-r")).unwrap_or_default();
    let headers = Path::new("/lib/modules").join(&release).join("build");
    if !headers.exists() && !Path::new("/sys/kernel/kheaders.tar.xz").exists() {
        return Err(format!("it needs the headers of kernel {release}"));
    }
    Ok(program)
}

fn version(program: &Path) -> String {
    output(Command::new(program).arg("--version"))
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "version unknown".to_owned())
}
