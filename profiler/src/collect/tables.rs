//! Brings processes' mappings and executables' rows to the kernel side.
//!
//! The order is blocks and rules, then mappings, then the process's space, so that a program never sees a half-written
//! table. What is taken back is used again only when all programs that may have seen it have ended: see
//! [`UnwindTables::reclaim`].

use profiler_common::unwind::{Mapping, Rule, Space, TABLE_FRAME_POINTER, TABLE_PENDING, TableRef};
use rustc_hash::FxHashMap;

use super::{
    address_space::{AddressSpace, LiveMapping},
    executables::{Executables, TableState},
    unwind::{
        pool::{Chunks, PlaceError, Pool},
        rules::Rules,
        space::Spaces,
        walk::{self, Snapshot, Walked},
    },
};

/// The maps that the kernel side reads. A trait, so that tests do without a kernel.
pub trait KernelSide {
    /// The mapping pool.
    fn mappings(&mut self) -> &mut [Mapping];
    /// The dictionary of rules.
    fn rules(&mut self) -> &mut [Rule];
    /// Which part of the mapping pool the kernel side uses for a process.
    fn space(&mut self, pid: u32) -> Option<Space>;
    /// Tells the kernel side which part to use. Returns whether there was room.
    fn publish(&mut self, pid: u32, space: Space) -> bool;
    /// The kernel side shall have no mappings for a process.
    fn withdraw(&mut self, pid: u32);
    /// A process is gone: the kernel side shall keep nothing of it.
    fn forget(&mut self, pid: u32);
}

/// What the kernel side was told about a process.
#[derive(Clone, Copy, Debug)]
struct Published {
    image: u64,
    generation: u64,
    first: u32,
    count: u32,
    /// Some of its tables are not built yet.
    pending: bool,
}

/// The tables, and what the kernel side knows of them.
#[derive(Debug)]
pub struct UnwindTables<C, K> {
    pool: Pool<C>,
    rules: Rules,
    rules_uploaded: u32,
    spaces: Spaces,
    published: FxHashMap<u32, Published>,
    kernel: K,
    /// Tables that found no room, and processes whose mappings did not.
    pub refused: u64,
}

impl<C: Chunks, K: KernelSide> UnwindTables<C, K> {
    /// No tables yet; rows take `max_bytes` at most.
    pub fn new(chunks: C, mut kernel: K, max_bytes: u64) -> Self {
        let capacity = kernel.mappings().len() as u32;
        let mut tables = Self {
            pool: Pool::new(chunks, max_bytes),
            rules: Rules::new(),
            rules_uploaded: 0,
            spaces: Spaces::new(capacity),
            published: FxHashMap::default(),
            kernel,
            refused: 0,
        };
        tables.upload_rules();
        tables
    }

    /// The maps.
    pub fn kernel(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// Bytes of rows in use.
    pub fn bytes(&self) -> u64 {
        self.pool.bytes()
    }

    /// Builds the tables of all executables that an address space maps. Returns whether any was new.
    pub fn build(&mut self, space: &AddressSpace, executables: &mut Executables, now: u64) -> bool {
        let mut built = false;
        for mapping in space.mappings() {
            let Some(resolved) = mapping.resolved.get() else {
                continue;
            };
            let executable = executables.get_mut(resolved.executable);
            if !matches!(executable.table, TableState::Unbuilt) {
                continue;
            }
            built = true;
            executable.table = match executable.build_table() {
                None => TableState::None,
                Some(table) => match self.pool.place(&table, &mut self.rules, now) {
                    Ok(placed) => TableState::Placed(placed),
                    Err(PlaceError::Full { .. } | PlaceError::Grow(_)) => {
                        self.refused += 1;
                        TableState::None
                    }
                },
            };
        }
        if built {
            self.upload_rules();
        }
        built
    }

    fn upload_rules(&mut self) {
        let first = self.rules_uploaded as usize;
        let new = self.rules.since(self.rules_uploaded);
        self.kernel.rules()[first..first + new.len()].copy_from_slice(new);
        self.rules_uploaded = self.rules.len();
    }

    /// Tells the kernel side about a process, unless it knows already.
    pub fn publish(
        &mut self,
        pid: u32,
        image: u64,
        space: &AddressSpace,
        executables: &Executables,
        now: u64,
    ) {
        if let Some(known) = self.published.get(&pid)
            && (known.image, known.generation, known.pending) == (image, space.generation(), false)
        {
            return;
        }
        let entries: Vec<Mapping> = space
            .mappings()
            .iter()
            .map(|live| entry(live, executables))
            .collect();
        let Some(extent) = self.spaces.allocate(entries.len() as u32) else {
            if !entries.is_empty() {
                self.refused += 1;
            }
            return;
        };
        let place = extent.first as usize..extent.first as usize + entries.len();
        self.kernel.mappings()[place].copy_from_slice(&entries);
        let published = Published {
            image,
            generation: space.generation(),
            first: extent.first,
            count: entries.len() as u32,
            pending: entries
                .iter()
                .any(|entry| TableRef::unpack(entry.table).kind == TABLE_PENDING),
        };
        if !self.kernel.publish(
            pid,
            Space {
                image,
                first: published.first,
                count: published.count,
            },
        ) {
            self.refused += 1;
            self.spaces.release(extent.first, now);
            return;
        }
        if let Some(old) = self.published.insert(pid, published) {
            self.spaces.release(old.first, now);
        }
    }

    /// A process was forked. The kernel side copied what it had for the parent; if that is no longer what we think,
    /// it is withdrawn, lest an extent is used again while the child still reads it.
    pub fn fork(&mut self, pid: u32, image: u64, parent: u32) {
        let Some(copied) = self.kernel.space(pid) else {
            return;
        };
        if copied.image != image {
            return;
        }
        match self.published.get(&parent) {
            Some(&known) if (known.first, known.count) == (copied.first, copied.count) => {
                self.spaces.share(known.first);
                if let Some(old) = self.published.insert(pid, Published { image, ..known }) {
                    self.spaces.release(old.first, image);
                }
            }
            _ => self.kernel.withdraw(pid),
        }
    }

    /// A process is gone.
    pub fn forget(&mut self, pid: u32, now: u64) {
        if let Some(old) = self.published.remove(&pid) {
            self.spaces.release(old.first, now);
        }
        self.kernel.forget(pid);
    }

    /// All events before `passed` were applied and all programs that began before it have ended.
    pub fn reclaim(&mut self, passed: u64) {
        self.spaces.reclaim(passed);
        self.pool.reclaim(passed);
    }

    /// Whether the kernel side knows the present mappings of a process, with all their tables.
    pub fn is_published(&self, pid: u32, image: u64, generation: u64) -> bool {
        self.published
            .get(&pid)
            .is_some_and(|known| (known.image, known.generation, known.pending) == (image, generation, false))
    }

    /// Finishes a sample's walk from a copy of its stack.
    pub fn walk(
        &self,
        space: &AddressSpace,
        executables: &Executables,
        snapshot: &Snapshot<'_>,
        max_frames: usize,
    ) -> Walked {
        let mappings: Vec<Mapping> = space
            .mappings()
            .iter()
            .map(|live| entry(live, executables))
            .collect();
        walk::walk(&self.pool, &self.rules, &mappings, snapshot, max_frames)
    }
}

/// A mapping as the kernel side reads it.
fn entry(live: &LiveMapping, executables: &Executables) -> Mapping {
    let (begin, end) = (live.raw.start, live.raw.end);
    let without_rows = |kind| Mapping {
        begin,
        end,
        bias: 0,
        table: TableRef {
            index: 0,
            pages: 0,
            kind,
        }
        .pack(),
    };
    let Some(resolved) = live.resolved.get() else {
        return without_rows(TABLE_PENDING);
    };
    match executables.get(resolved.executable).table {
        TableState::Placed(placed) => placed.mapping(begin, end, resolved.bias),
        TableState::Unbuilt => without_rows(TABLE_PENDING),
        TableState::None => without_rows(TABLE_FRAME_POINTER),
    }
}
