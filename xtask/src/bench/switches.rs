//! What knowing the states of threads costs a context switch.

use anyhow::Result;

use super::{
    Bench,
    peers::{find, find_bcc},
    table::Table,
    tracers::{self, Load, Tracer, Way, bpftrace_arguments, command},
};

const EMPTY: &str = "empty program (bpftrace)";
const OFF_CPU: &str = "bpftrace off-CPU, kernel stacks";

/// Two threads that pass a byte to and fro through pipes; on one CPU, each pass is a switch.
const LOAD: Load = Load {
    event: "switch",
    note: "with the read and the write of one byte, and the wake-up, that belong to it",
    unit: "µs",
    per_second: 1e6,
    events: 2,
    command: |iterations| {
        let count = iterations.to_string();
        ["perf", "bench", "sched", "pipe", "-T", "-l", &count]
            .map(str::to_owned)
            .to_vec()
    },
    seconds: |said, _| perf_seconds(said),
};

pub(super) fn measure(bench: &Bench) -> Result<Table> {
    let trace = bench.directory.join("switches").display().to_string();
    let tracer = |name, command| Tracer {
        name,
        way: Way::Bpf,
        command,
    };
    let profiler = |probes| {
        let record = ["record", "-a", "--probe", probes, "-o", &trace];
        command(bench.peers.profiler(), &record)
    };
    let bpftrace = |script: &str| command(find("bpftrace"), &["-e", script]);
    let tracers = [
        tracer(EMPTY, bpftrace("tracepoint:sched:sched_switch { }")),
        tracer("profiler, states", profiler("states")),
        tracer("profiler, states and stacks of waits", profiler("states,off-cpu")),
        tracer("profiler, states and system calls", profiler("states,syscalls")),
        tracer(OFF_CPU, bpftrace(&off_cpu())),
        tracer("bcc offcputime", command(find_bcc("offcputime-bpfcc"), &[])),
    ];
    tracers::measure(
        bench,
        "What the states of threads cost a context switch",
        &LOAD,
        &tracers,
        &[(EMPTY, "the empty program"), (OFF_CPU, "bpftrace off-CPU")],
    )
}

/// How long threads wait, by the kernel stack they wait in.
fn off_cpu() -> String {
    let arguments = bpftrace_arguments();
    let (previous, next) = (format!("{arguments}prev_pid"), format!("{arguments}next_pid"));
    format!(
        "tracepoint:sched:sched_switch {{ @since[{previous}] = nsecs; @stack[{previous}] = kstack; if (@since[{next}]) \
         {{ @off[@stack[{next}]] = sum(nsecs - @since[{next}]); delete(@since[{next}]); }} }}"
    )
}

/// The seconds of an iteration, from what perf says at the end of its benchmark.
fn perf_seconds(said: &str) -> Option<f64> {
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_suffix("usecs/op"))?;
    let microseconds: f64 = line.trim().parse().ok()?;
    Some(microseconds / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perf_says_how_long_an_iteration_took() {
        let said = "     Total time: 0.549 [sec]\n\n      10.500000 usecs/op\n          91018 ops/sec\n";
        assert!((perf_seconds(said).unwrap() - 10.5e-6).abs() < 1e-12);
        assert_eq!(perf_seconds("perf: 'bench' is not a perf-command"), None);
    }
}
