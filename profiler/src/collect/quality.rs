//! Closes a window of time: what the kernel side counted in it, what the clocks should have delivered, what it cost.

use std::{collections::BTreeMap, fs};

use aya::maps::{MapData, PerCpuArray};
use profiler_common::stats::Counter;

use super::own_cost::{self, Measured};
use crate::profile::QualityWindow;

/// Running totals at the end of the last window.
#[derive(Debug)]
pub struct Totals {
    counters: [u64; Counter::COUNT],
    own_cpu_ns: u64,
    host: HostTime,
    end_ns: u64,
}

/// Time of all CPUs since boot, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HostTime {
    busy: u64,
    idle: u64,
}

impl Totals {
    /// The totals now, at the begin of the recording.
    pub fn start(counters: &PerCpuArray<MapData, u64>) -> Self {
        Self {
            counters: read(counters),
            own_cpu_ns: own_cost::cpu_time_ns(),
            host: host_time(),
            end_ns: 0,
        }
    }

    /// The window since the last one, ending at `end_ns` after the begin. `lost` are losses of the user side, `shed_ns` for how long
    /// probes were off.
    pub fn window(
        &mut self,
        counters: &PerCpuArray<MapData, u64>,
        end_ns: u64,
        expected: u64,
        measured: &Measured,
        lost: BTreeMap<&'static str, u64>,
        shed_ns: BTreeMap<String, u64>,
    ) -> QualityWindow {
        let now = Self {
            counters: read(counters),
            own_cpu_ns: own_cost::cpu_time_ns(),
            host: host_time(),
            end_ns,
        };
        let counted = |counter: Counter| now.counters[counter as usize] - self.counters[counter as usize];
        let mut losses: BTreeMap<String, u64> = lost
            .into_iter()
            .map(|(why, count)| (why.to_owned(), count))
            .collect();
        for (counter, why) in Counter::LOSSES {
            if counted(counter) > 0 {
                *losses.entry(why.to_owned()).or_default() += counted(counter);
            }
        }
        let window = QualityWindow {
            start_ns: self.end_ns,
            end_ns,
            samples: counted(Counter::Samples),
            idle: counted(Counter::Idle),
            filtered: counted(Counter::Filtered),
            expected,
            lost: losses,
            own_cpu_ns: now.own_cpu_ns.saturating_sub(self.own_cpu_ns),
            bpf_ns: measured.run_ns(),
            bpf_measured_ns: measured.over_ns,
            host_busy_ns: now.host.busy.saturating_sub(self.host.busy),
            host_idle_ns: now.host.idle.saturating_sub(self.host.idle),
            not_kept: counted(Counter::SlowBudget),
            shed_ns,
        };
        *self = now;
        window
    }
}

/// One counter, summed over CPUs.
pub fn count(counters: &PerCpuArray<MapData, u64>, counter: Counter) -> u64 {
    at(counters, counter as u32)
}

/// The counters, summed over CPUs. A counter that cannot be read counts nothing.
fn read(counters: &PerCpuArray<MapData, u64>) -> [u64; Counter::COUNT] {
    let mut totals = [0; Counter::COUNT];
    for (index, total) in (0u32..).zip(&mut totals) {
        *total = at(counters, index);
    }
    totals
}

fn at(counters: &PerCpuArray<MapData, u64>, index: u32) -> u64 {
    counters.get(&index, 0).map_or(0, |values| values.iter().sum())
}

fn host_time() -> HostTime {
    parse_host_time(&fs::read_to_string("/proc/stat").unwrap_or_default()).unwrap_or_default()
}

/// `cpu user nice system idle iowait irq softirq steal guest guest_nice`, in hundredths of a second (`USER_HZ`); guest
/// time is part of user time.
fn parse_host_time(stat: &str) -> Option<HostTime> {
    const TICK_NS: u64 = 10_000_000;
    let mut fields = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    let (user, nice, system, idle, iowait) = (next()?, next()?, next()?, next()?, next()?);
    let (irq, softirq, steal) = (next().unwrap_or(0), next().unwrap_or(0), next().unwrap_or(0));
    let busy = user + nice + system + irq + softirq + steal;
    Some(HostTime {
        busy: busy * TICK_NS,
        idle: (idle + iowait) * TICK_NS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_time_is_not_counted_twice() {
        let time = parse_host_time("cpu  1 2 3 4 5 6 7 8 1 2\ncpu0 …").unwrap();
        assert_eq!(
            time,
            HostTime {
                busy: 270_000_000,
                idle: 90_000_000
            }
        );
        assert_eq!(parse_host_time(""), None);
    }
}
