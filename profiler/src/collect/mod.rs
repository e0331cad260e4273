//! Runs the probes and turns what the kernel sends into a profile.
pub mod kernel;
pub mod unwind;
