//! On-CPU time: a perf event with a fixed period on every CPU.

use profiler_common::event::ProbeId;

use super::Probe;
use crate::profile::Unit;

/// On-CPU time.
pub const CPU: Probe = Probe {
    id: ProbeId::Cpu,
    name: "cpu",
    about: "where threads spend their time on a CPU: user and kernel stacks, at a fixed period",
    measures: ("cpu", Unit::Nanoseconds),
    program: "cpu",
};
