//! How much of the truth a profile holds: what was lost, cut short or never ran, second by second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counters of one stretch of time, normally a second. Everything is a difference, not a running total.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityWindow {
    /// Begin, in nanoseconds since the recording began.
    pub start_ns: u64,
    /// End, in nanoseconds since the recording began.
    pub end_ns: u64,
    /// Runs of the CPU sampler that found a wanted thread on the CPU.
    pub samples: u64,
    /// Runs of the CPU sampler that found the CPU idle.
    pub idle: u64,
    /// Runs of the CPU sampler on threads outside the filters.
    pub filtered: u64,
    /// How many samples the clocks should have delivered (time × CPUs / period), counted by perf itself.
    pub expected: u64,
    /// Samples and records lost, by reason (`ring full`, `no scratch`, `side band lost`, …).
    pub lost: BTreeMap<String, u64>,
    /// CPU time of this program, user + system, in nanoseconds.
    pub own_cpu_ns: u64,
    /// Run time of this program's BPF programs, charged to their victims, in nanoseconds; 0 where it was not measured.
    pub bpf_ns: u64,
    /// Over how much time `bpf_ns` was measured, in nanoseconds (run-time statistics are on only now and then).
    pub bpf_measured_ns: u64,
    /// Busy time of all CPUs (`/proc/stat`: user, nice, system, irq, softirq, steal), in nanoseconds.
    pub host_busy_ns: u64,
    /// Idle time of all CPUs (`/proc/stat`: idle and iowait), in nanoseconds.
    pub host_idle_ns: u64,
    /// Slow calls that were counted, but not kept with all that is known of them: their rate is bounded.
    pub not_kept: u64,
    /// For how much of the time probes were off because they would have cost too much, by the probe's name, in
    /// nanoseconds.
    pub shed_ns: BTreeMap<String, u64>,
}

impl QualityWindow {
    /// Adds the counters of `other`; the stretch grows to hold both.
    pub fn add(&mut self, other: &Self) {
        let Self {
            start_ns,
            end_ns,
            samples,
            idle,
            filtered,
            expected,
            lost,
            own_cpu_ns,
            bpf_ns,
            bpf_measured_ns,
            host_busy_ns,
            host_idle_ns,
            not_kept,
            shed_ns,
        } = other;
        self.start_ns = if self.end_ns == 0 {
            *start_ns
        } else {
            self.start_ns.min(*start_ns)
        };
        self.end_ns = self.end_ns.max(*end_ns);
        // The counters may come from a hostile file.
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        add(&mut self.samples, *samples);
        add(&mut self.idle, *idle);
        add(&mut self.filtered, *filtered);
        add(&mut self.expected, *expected);
        for (reason, count) in lost {
            add(self.lost.entry(reason.clone()).or_default(), *count);
        }
        add(&mut self.own_cpu_ns, *own_cpu_ns);
        add(&mut self.bpf_ns, *bpf_ns);
        add(&mut self.bpf_measured_ns, *bpf_measured_ns);
        add(&mut self.host_busy_ns, *host_busy_ns);
        add(&mut self.host_idle_ns, *host_idle_ns);
        add(&mut self.not_kept, *not_kept);
        for (probe, ns) in shed_ns {
            add(self.shed_ns.entry(probe.clone()).or_default(), *ns);
        }
    }

    /// Records lost, whatever the reason.
    pub fn lost_total(&self) -> u64 {
        self.lost
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_add_up_and_the_stretch_holds_both() {
        let mut sum = QualityWindow::default();
        let window = QualityWindow {
            start_ns: 5,
            end_ns: 9,
            lost: [("ring full".to_owned(), 2)].into(),
            not_kept: 3,
            shed_ns: [("syscalls".to_owned(), 7)].into(),
            ..Default::default()
        };
        sum.add(&window);
        sum.add(&QualityWindow {
            start_ns: 9,
            end_ns: 12,
            ..window
        });
        assert_eq!((sum.start_ns, sum.end_ns, sum.lost_total()), (5, 12, 4));
        assert_eq!((sum.not_kept, sum.shed_ns["syscalls"]), (6, 14));
    }
}
