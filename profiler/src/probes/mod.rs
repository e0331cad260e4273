//! The user half of each probe: what it measures, and which kernel programs it is made of.
//!
//! A new probe is two files of the same name, here and in `profiler-ebpf/src/probes`, and a line each: in [`PROBES`]
//! and in the kernel side's `mod.rs`. Names, sample types and help texts derive from the table.

mod cpu;
mod off_cpu;

use profiler_common::event::ProbeId;

use crate::profile::{SampleType, Unit};

pub use cpu::CPU;
pub use off_cpu::OFF_CPU;

/// A source of samples.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// How the kernel side marks its samples; also the index of its sample type.
    pub id: ProbeId,
    /// As users type it.
    pub name: &'static str,
    /// What it measures, in a line.
    pub about: &'static str,
    /// What a sample's value measures, as pprof and OTLP spell it, and its unit.
    pub measures: (&'static str, Unit),
    /// The kernel program that takes its samples.
    pub program: &'static str,
}

impl Probe {
    /// What the values of its samples measure.
    pub fn sample_type(&self) -> SampleType {
        SampleType {
            name: self.measures.0.to_owned(),
            unit: self.measures.1,
        }
    }
}

/// All probes, in the order of their ids.
pub const PROBES: &[&Probe] = &[&CPU, &OFF_CPU];

/// With what the names of kernel programs begin, up to `_`, and the probe that they run for, as users type it. The stacks of
/// waits are taken where threads switch and calls end, so they cost with these; what no row has runs for all probes.
pub const PROGRAMS: [(&str, &str); 5] = [
    ("cpu", "cpu"),
    ("states", "states"),
    ("calls", "syscalls"),
    ("block", "block"),
    ("locks", "lock"),
];

/// The probe, as users type it, that the kernel program `name` runs for.
pub fn of_program(name: &str) -> Option<&'static str> {
    let family = name.split('_').next()?;
    let row = PROGRAMS.iter().find(|(begin, _)| *begin == family)?;
    Some(row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_run_for_probes() {
        assert_eq!(of_program("cpu"), Some("cpu"));
        assert_eq!(of_program("calls_uring_submit"), Some("syscalls"));
        assert_eq!(of_program("process_fork"), None);
    }

    #[test]
    fn ids_are_positions_and_names_are_unique() {
        for (at, probe) in PROBES.iter().enumerate() {
            assert_eq!(probe.id as usize, at);
            assert!(
                PROBES[..at]
                    .iter()
                    .all(|other| other.name != probe.name && other.program != probe.program)
            );
        }
    }
}
