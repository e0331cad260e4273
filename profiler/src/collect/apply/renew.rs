//! A view that runs for weeks: the profile's tables begin anew before they have grown large.

use super::{
    super::{host::Host, tables::KernelSide, unwind::pool::Chunks},
    Recorder,
};
use crate::profile::Profile;

/// Rows of a table at most, about: a few tens of megabytes, in this thread, in the one that names them and where they are
/// shown.
const STACKS: usize = 1 << 18;
const LOCATIONS: usize = 1 << 17;
const PROCESSES: usize = 1 << 14;
const THREADS: usize = 1 << 15;
const TEXTS: usize = 1 << 15;

impl<H: Host, C: Chunks, K: KernelSide> Recorder<H, C, K> {
    /// Whether the tables have grown so large that who follows them for long had better have new ones.
    pub fn has_large_tables(&self) -> bool {
        let Profile {
            stacks,
            locations,
            processes,
            threads,
            targets,
            locks,
            ..
        } = &self.profile;
        stacks.len() > STACKS
            || locations.len() > LOCATIONS
            || processes.len() > PROCESSES
            || threads.len() > THREADS
            || targets.len().max(locks.len()) > TEXTS
    }

    /// Begins all tables anew. Nothing that was observed may be left in the profile: it refers to the old ones.
    pub fn renew(&mut self) {
        self.profile = Profile {
            metadata: self.profile.metadata.clone(),
            sample_types: self.profile.sample_types.clone(),
            ended: self.profile.ended,
            ..Profile::default()
        };
        self.known.clear();
        self.known_locks.clear();
        self.processes.forget_rows();
        self.executables.forget_rows();
    }
}
