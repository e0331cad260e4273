//! Off-CPU time: where threads wait, by sampled stacks that weigh what the waits last.

use profiler_common::event::ProbeId;

use super::Probe;
use crate::profile::Unit;

/// Off-CPU time.
pub const OFF_CPU: Probe = Probe {
    id: ProbeId::OffCpu,
    name: "off-cpu",
    about: "where threads wait: stacks, weighted by duration; costs every system call of the host some 0.1 µs",
    measures: ("off_cpu", Unit::Nanoseconds),
    program: "calls_exit",
};
