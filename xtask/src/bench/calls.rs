//! What the accounting of system calls costs a call.

use std::process::Command;

use anyhow::Result;

use super::{
    Bench,
    peers::{find, find_bcc},
    running::Running,
    table::Table,
    tracers::{self, Load, Tracer, Way, bpftrace_arguments, command},
};

const EMPTY: &str = "empty programs (bpftrace)";
const HISTOGRAM: &str = "bpftrace latency histogram";

/// Reads and writes of one byte that go nowhere.
const LOAD: Load = Load {
    event: "call",
    note: "read or write of one byte",
    unit: "ns",
    per_second: 1e9,
    events: 2,
    command: |iterations| {
        let count = format!("count={iterations}");
        ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", &count]
            .map(str::to_owned)
            .to_vec()
    },
    seconds: dd_seconds,
};

pub(super) fn measure(bench: &Bench) -> Result<Table> {
    let mut sleep = Command::new("sleep");
    let idle = Running::start(sleep.arg("infinity"), "", &bench.directory.join("idle.log"))?;
    let idle_pid = idle.pid().to_string();
    let trace = bench.directory.join("calls").display().to_string();
    let profiler = |target: &[&str]| {
        let record = ["record", "--probe", "cpu,syscalls", "-o", &trace];
        command(bench.peers.profiler(), &[&record, target].concat())
    };
    let bpftrace = |script: &str| command(find("bpftrace"), &["-e", script]);
    let tracer = |name, way, command| Tracer { name, way, command };
    let empty = "tracepoint:raw_syscalls:sys_enter { } tracepoint:raw_syscalls:sys_exit { }";
    let tracers = [
        tracer(EMPTY, Way::Bpf, bpftrace(empty)),
        tracer("profiler", Way::Bpf, profiler(&["-a"])),
        tracer(
            "profiler, of another process",
            Way::Bpf,
            profiler(&["-p", &idle_pid]),
        ),
        tracer(HISTOGRAM, Way::Bpf, bpftrace(&histogram())),
        tracer(
            "bcc syscount -L",
            Way::Bpf,
            command(find_bcc("syscount-bpfcc"), &["-L"]),
        ),
        tracer(
            "perf trace -s",
            Way::Other,
            command(find("perf"), &["trace", "-a", "-s"]),
        ),
        tracer(
            "strace -c",
            Way::Around,
            command(find("strace"), &["-c", "-o", "/dev/null"]),
        ),
    ];
    tracers::measure(
        bench,
        "What the accounting of system calls costs a call",
        &LOAD,
        &tracers,
        &[
            (EMPTY, "the empty programs"),
            (HISTOGRAM, "the bpftrace histogram"),
        ],
    )
}

/// How long each process spends in each call.
fn histogram() -> String {
    let arguments = bpftrace_arguments();
    format!(
        "tracepoint:raw_syscalls:sys_enter {{ @s[tid] = nsecs; }} tracepoint:raw_syscalls:sys_exit {{ if (@s[tid]) {{ \
         @h[pid, {arguments}id] = hist(nsecs - @s[tid]); delete(@s[tid]); }} }}"
    )
}

/// The seconds of an iteration, from what dd says at its end.
fn dd_seconds(said: &str, iterations: u64) -> Option<f64> {
    let (_, copied) = said.rsplit_once("copied, ")?;
    let seconds: f64 = copied.split(' ').next()?.parse().ok()?;
    Some(seconds / iterations as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dd_says_how_long_it_took() {
        let said = "2+0 records in\n2+0 records out\n2 bytes copied, 0.5 s, 4.0 B/s\n";
        assert_eq!(dd_seconds(said, 2), Some(0.25));
        let said = "300000 bytes (300 kB, 293 KiB) copied, 3e-05 s, 1.3 MB/s";
        assert_eq!(dd_seconds(said, 3), Some(1e-5));
        assert_eq!(dd_seconds("dd: cannot open", 2), None);
    }
}
