//! The maps of the loaded object, as the tables write them.

use aya::maps::{HashMap, MapData};
use profiler_common::unwind::{Mapping, Rule, Space};

use super::{arrays::MappedArray, proc_fs, tables::KernelSide};

/// The maps that unwinding reads.
#[derive(Debug)]
pub struct KernelMaps {
    /// The mapping pool.
    pub mappings: MappedArray<Mapping>,
    /// The dictionary of rules.
    pub rules: MappedArray<Rule>,
    /// Which part of the mapping pool a process uses.
    pub spaces: HashMap<MapData, u32, Space>,
    /// Which image a process runs.
    pub images: HashMap<MapData, u32, u64>,
    /// Wanted processes.
    pub targets: HashMap<MapData, u32, u32>,
}

impl KernelSide for KernelMaps {
    fn mappings(&mut self) -> &mut [Mapping] {
        self.mappings.as_mut_slice()
    }

    fn rules(&mut self) -> &mut [Rule] {
        self.rules.as_mut_slice()
    }

    fn space(&mut self, pid: u32) -> Option<Space> {
        self.spaces.get(&pid, 0).ok()
    }

    fn publish(&mut self, pid: u32, space: Space) -> bool {
        self.spaces.insert(pid, space, 0).is_ok()
    }

    fn withdraw(&mut self, pid: u32) {
        // Absent is as good as removed.
        let _ = self.spaces.remove(&pid);
    }

    fn forget(&mut self, pid: u32) {
        self.withdraw(pid);
        // Other threads may go on where the first one has ended.
        if !proc_fs::exists(pid) {
            let _ = self.images.remove(&pid);
            let _ = self.targets.remove(&pid);
        }
    }
}
