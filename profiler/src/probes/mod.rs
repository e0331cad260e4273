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

#[cfg(test)]
mod tests {
    use super::*;

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
