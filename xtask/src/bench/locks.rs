//! Whether programs are slower while their waits for locks are followed: one that never waits, one that hands a futex to
//! and fro, and two whose threads want the same locks of the kernel.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    Bench,
    cost::bound,
    memory::Statistics,
    peers::{cpus, find},
    running::fdinfo,
    table::{Table, median},
    tracers::{self, Tracer, Way, bpftrace_arguments, command},
};

/// How long one run of the program lasts: of several, the median counts.
const RUN: Duration = Duration::from_millis(200);

/// After each run, tracers and the rest of the machine get the CPUs.
const PAUSE: Duration = Duration::from_millis(20);

/// Whose time it is where that of BPF programs is told as the kernel counts it, whatever the machine's moods.
const PROGRAMS: &str = "its BPF programs, of all CPUs' time";

/// Who traces where its speed is told as such.
const NOTHING: &str = "nothing";

/// What `tests/workloads/locks.c` does.
struct Load {
    mode: &'static str,
    /// What it counts, as it says at its end.
    counts: &'static str,
    /// Whether it runs once on each CPU, with all its threads: where they take turns, on several CPUs most of a turn would
    /// be how long one takes to wake up. Otherwise it runs once on all CPUs.
    on_each: bool,
    /// What a tracer's figure is called, with what is asked of ours.
    measure: &'static str,
}

const IDLE: Load = Load {
    mode: "idle",
    counts: "pairs",
    on_each: true,
    measure: "1: locks that nobody waits for: slow-down (asked: at most 1 %)",
};

const PINGPONG: Load = Load {
    mode: "pingpong",
    counts: "rounds",
    on_each: true,
    measure: "2: futex ping-pong: part of its speed (asked: at least 0.90)",
};

const STORM: Load = Load {
    mode: "storm",
    counts: "files",
    on_each: false,
    measure: "3: files made in one directory: part of their speed (asked: at least 0.90)",
};

/// Where its threads run at the same time, these wait far more often than in the storm.
const PIPE: Load = Load {
    mode: "pipe",
    counts: "bytes",
    on_each: false,
    measure: "4: bytes through one pipe: part of their speed",
};

/// How the program got on beside a tracer, and without: in counts a second.
struct Pair {
    without: f64,
    with: f64,
    /// The part of all CPUs' time that the tracer's BPF programs take.
    programs: f64,
}

/// The program that waits for locks.
struct Program<'a> {
    bench: &'a Bench,
    path: PathBuf,
}

pub(super) fn measure(bench: &Bench) -> Result<Table> {
    let program = Program {
        bench,
        path: bench.workload("locks")?,
    };
    let mut table = Table::new("Programs whose waits for locks are followed");
    program.slowdown(&mut table);
    program.speed(&mut table, &PINGPONG, &futex_tracers(bench));
    program.speed(&mut table, &STORM, &kernel_tracers(bench));
    program.speed(&mut table, &PIPE, &kernel_tracers(bench));
    Ok(table)
}

fn ours(bench: &Bench, name: &'static str, probes: &str) -> Tracer {
    let trace = bench.directory.join("locks").display().to_string();
    Tracer {
        name,
        way: Way::Bpf,
        command: command(
            bench.peers.profiler(),
            &["record", "-a", "--probe", probes, "-o", &trace],
        ),
    }
}

fn both_of_ours(bench: &Bench) -> [Tracer; 2] {
    let all = "cpu,states,syscalls,block,lock";
    [
        ours(bench, "profiler, locks", "lock"),
        ours(bench, "profiler, the default and locks", all),
    ]
}

fn bpftrace(name: &'static str, script: &str) -> Tracer {
    Tracer {
        name,
        way: Way::Bpf,
        command: command(find("bpftrace"), &["-e", script]),
    }
}

fn futex_tracers(bench: &Bench) -> Vec<Tracer> {
    let mut tracers = Vec::from(both_of_ours(bench));
    tracers.push(bpftrace(
        "bpftrace histogram, user stacks",
        &futex_waits(", ustack"),
    ));
    tracers.push(bpftrace("bpftrace histogram", &futex_waits("")));
    // What no tracer can be cheaper than that looks at these calls.
    tracers.push(bpftrace(
        "empty programs (bpftrace)",
        "tracepoint:syscalls:sys_enter_futex { } tracepoint:syscalls:sys_exit_futex { }",
    ));
    tracers.push(Tracer {
        name: "futexctn",
        way: Way::Bpf,
        command: command(find("futexctn"), &[]),
    });
    tracers
}

fn kernel_tracers(bench: &Bench) -> Vec<Tracer> {
    let recording = bench.directory.join("perf-lock").display().to_string();
    let mut tracers = Vec::from(both_of_ours(bench));
    tracers.push(bpftrace("bpftrace sums, kernel stacks", kernel_waits()));
    tracers.push(Tracer {
        name: "perf lock record",
        way: Way::Other,
        command: command(find("perf"), &["lock", "record", "-q", "-a", "-o", &recording]),
    });
    tracers
}

/// How long each thread waits for each futex, as futexctn has it.
fn futex_waits(stack: &str) -> String {
    let arguments = bpftrace_arguments();
    format!(
        "tracepoint:syscalls:sys_enter_futex /({arguments}op & 127) == 0/ {{ @s[tid] = nsecs; @u[tid] = {arguments}uaddr; \
         }} tracepoint:syscalls:sys_exit_futex /@s[tid]/ {{ @h[tid, @u[tid]{stack}] = hist(nsecs - @s[tid]); \
         delete(@s[tid]); delete(@u[tid]); }}"
    )
}

/// How long threads wait for locks of the kernel, by the stack they wait in, as perf lock contention has it.
fn kernel_waits() -> &'static str {
    "tracepoint:lock:contention_begin { @s[tid] = nsecs; @k[tid] = kstack; } tracepoint:lock:contention_end /@s[tid]/ { \
     @w[@k[tid]] = stats(nsecs - @s[tid]); delete(@s[tid]); delete(@k[tid]); }"
}

impl Program<'_> {
    /// Where nobody waits, there is nothing to follow: the mean over pairs of windows, with its 95 % interval. The program
    /// makes no calls and keeps its CPU, so what BPF programs take of that is all that can slow it down.
    fn slowdown(&self, table: &mut Table) {
        let measure = IDLE.measure;
        let tracer = ours(self.bench, "profiler, locks", "lock");
        for _ in 0..self.bench.effort.pairs {
            match self.pair(&IDLE, &tracer) {
                Ok(pair) => {
                    let slowdown = 1.0 - pair.with / pair.without;
                    table.add(measure, tracer.name, "%", 100.0 * slowdown);
                    table.add(measure, PROGRAMS, "%", 100.0 * pair.programs);
                }
                Err(error) => return table.note(measure, tracer.name, &format!("failed: {error:#}")),
            }
        }
        for row in &mut table.rows {
            row.note = bound(&row.values).unwrap_or_default();
        }
    }

    /// The speed of `load` without a tracer, and as a part of that with each.
    fn speed(&self, table: &mut Table, load: &Load, tracers: &[Tracer]) {
        let measure = load.measure;
        table.note(measure, NOTHING, "");
        for tracer in tracers {
            if let Err(reason) = &tracer.command {
                table.note(measure, tracer.name, &format!("unavailable: {reason}"));
            }
        }
        for _ in 0..self.bench.effort.rounds {
            for tracer in tracers.iter().filter(|tracer| tracer.command.is_ok()) {
                match self.pair(load, tracer) {
                    Ok(pair) => {
                        table.add(measure, NOTHING, load.unit(), pair.without / 1e3);
                        table.add(measure, tracer.name, "×", pair.with / pair.without);
                    }
                    Err(error) => table.note(measure, tracer.name, &format!("failed: {error:#}")),
                }
            }
        }
    }

    /// A window beside a tracer, and one half as long before and after it.
    fn pair(&self, load: &Load, tracer: &Tracer) -> Result<Pair> {
        let command = match &tracer.command {
            Ok(command) => command,
            Err(reason) => bail!("{reason}"),
        };
        let window = self.bench.effort.window;
        let before = self.pace(load, window / 2)?;
        let trial = || self.trial(load);
        let value = |pid| Ok((self.pace(load, window)?, self.programs(load, pid)?));
        let (with, programs) = tracers::beside(self.bench, tracer.way, command, "", trial, value)?;
        let after = self.pace(load, window / 2)?;
        Ok(Pair {
            without: (before + after) / 2.0,
            with,
            programs,
        })
    }

    /// The part of all CPUs' time that the BPF programs of process `pid` take while the program runs. Counting it costs
    /// something, so no speed is measured meanwhile.
    fn programs(&self, load: &Load, pid: u32) -> Result<f64> {
        let _statistics = Statistics::on()?;
        let taken = || -> u64 {
            fdinfo(pid, "prog_id", "run_time_ns")
                .iter()
                .map(|(_, ns)| ns)
                .sum()
        };
        let (begun, before) = (Instant::now(), taken());
        load.run(&self.path, RUN)?;
        let ns = taken().saturating_sub(before) as f64;
        Ok(ns / begun.elapsed().as_nanos() as f64 / cpus() as f64)
    }

    /// Counts a second in the median run of a window.
    fn pace(&self, load: &Load, window: Duration) -> Result<f64> {
        let runs = (window.as_secs_f64() / RUN.as_secs_f64()).ceil() as usize;
        let paces: Vec<f64> = (0..runs)
            .map(|_| Ok(load.run(&self.path, RUN)? as f64 / RUN.as_secs_f64()))
            .collect::<Result<_>>()?;
        median(&paces).context("a window is too short")
    }

    /// Makes a tracer's programs run, and says how often at least: whoever sees no locks that nobody waits for, sees futexes.
    fn trial(&self, load: &Load) -> Result<u64> {
        let load = if load.on_each { &PINGPONG } else { load };
        let counted = load.run(&self.path, RUN / 4)?;
        // Not every file is waited for.
        Ok(if load.on_each { counted } else { 1 })
    }
}

impl Load {
    fn unit(&self) -> &'static str {
        match self.counts {
            "rounds" => "1000 rounds/s",
            "files" => "1000 files/s",
            "bytes" => "1000 bytes/s",
            _ => "1000 pairs/s",
        }
    }

    /// What the program counts in so much time, in a scheduling class that keeps whatever else runs on this machine off
    /// its CPUs, like the counter.
    fn run(&self, program: &Path, time: Duration) -> Result<u64> {
        let places: Vec<String> = if self.on_each {
            (0..cpus()).map(|cpu| cpu.to_string()).collect()
        } else {
            vec![format!("0-{}", cpus() - 1)]
        };
        let running = places
            .iter()
            .map(|place| {
                Command::new("chrt")
                    .args(["-f", "1", "taskset", "-c", place])
                    .arg(program)
                    .args([self.mode, &time.as_secs_f64().to_string()])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .context("cannot start chrt, of Debian's package util-linux")
            })
            .collect::<Result<Vec<_>>>()?;
        let mut sum = 0;
        for child in running {
            let done = child.wait_with_output().context("cannot wait for a child")?;
            let said = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
            sum += counted(&said.concat(), self.counts)
                .with_context(|| format!("locks {}: {}, {}", self.mode, done.status, said.concat().trim()))?;
        }
        std::thread::sleep(PAUSE);
        Ok(sum)
    }
}

/// The number behind `name` in what the program says.
fn counted(said: &str, name: &str) -> Option<u64> {
    said.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_says_how_much_it_did() {
        assert_eq!(counted("holder 1\nrounds 2500\n", "rounds"), Some(2500));
        assert_eq!(counted("pairs 7000\n", "rounds"), None);
        assert_eq!(counted("locks: unknown mode\n", "files"), None);
    }
}
