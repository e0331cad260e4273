//! What every thread does, and what it waits for: the scheduler's hooks.

use profiler_common::event::ProbeId;

use super::Probe;
use crate::profile::Unit;

/// The states of threads, and off-CPU time.
pub const STATES: Probe = Probe {
    id: ProbeId::OffCpu,
    name: "states",
    about: "what every thread does and what it waits for: exact times, from the scheduler's switches",
    measures: ("off_cpu", Unit::Nanoseconds),
    program: "states_switch",
};
