//! The walk that the kernel does, on the host: finishes samples that came before their tables, from a copy of the
//! stack.

use profiler_common::{
    event::FRAME_IS_INSTRUCTION,
    stats::Outcome,
    unwind::{Block, Mapping, Registers, Rule, Tables, Walk, find_mapping, step},
};

use super::{
    pool::{Chunks, Pool},
    rules::Rules,
};

/// What is known of a thread at the time of a sample.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The user registers.
    pub registers: Registers,
    /// Whether `registers.ip` is a return address, as after a system call, and not an instruction that was executing.
    pub is_return: bool,
    /// Stack memory from `registers.sp` up.
    pub stack: &'a [u8],
}

/// The frames of a stack and how the walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Addresses, innermost first, marked with [`FRAME_IS_INSTRUCTION`] as in [`profiler_common::event`].
    pub frames: Vec<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// How many frames were left by frame pointer.
    pub frames_by_fp: u32,
}

/// Walks up the stack of a process whose executable mappings are `mappings`, sorted by address.
pub fn walk<C: Chunks>(
    pool: &Pool<C>,
    rules: &Rules,
    mappings: &[Mapping],
    snapshot: &Snapshot<'_>,
    max_frames: usize,
) -> Walked {
    let tables = HostTables {
        pool,
        rules,
        mappings,
        sp: snapshot.registers.sp,
        stack: snapshot.stack,
    };
    walk_tables(
        &tables,
        mappings.len() as u32,
        snapshot.registers,
        snapshot.is_return,
        max_frames,
    )
}

/// The loop of the kernel program, over any tables.
pub(super) fn walk_tables<T: Tables>(
    tables: &T,
    mappings: u32,
    registers: Registers,
    is_return: bool,
    max_frames: usize,
) -> Walked {
    let mut walk = Walk {
        registers,
        mapping: Mapping::default(),
        space_first: 0,
        space_count: mappings,
        frames: 0,
        frames_by_fp: 0,
        is_return: is_return.into(),
        signals: 0,
        outcome: Outcome::TooDeep as u32,
        reserved: 0,
        bx_at: 0,
        search: [0; 2],
    };
    let mut frames = Vec::new();
    while frames.len() < max_frames {
        let found = find_mapping(tables, &mut walk);
        // Where the innermost frame is in no mapping, its address is still what is known of the stack.
        if found || frames.is_empty() {
            let mark = if walk.is_return == 0 {
                FRAME_IS_INSTRUCTION
            } else {
                0
            };
            frames.push(walk.registers.ip | mark);
        }
        if !found || !step(tables, &mut walk) {
            break;
        }
    }
    Walked {
        frames,
        outcome: Outcome::from_u8(walk.outcome as u8).expect("the walk writes nothing else"),
        frames_by_fp: walk.frames_by_fp,
    }
}

struct HostTables<'a, C> {
    pool: &'a Pool<C>,
    rules: &'a Rules,
    mappings: &'a [Mapping],
    sp: u64,
    stack: &'a [u8],
}

impl<C> HostTables<'_, C> {
    fn bytes<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let at = usize::try_from(address.checked_sub(self.sp)?).ok()?;
        self.stack.get(at..)?.first_chunk().copied()
    }
}

impl<C: Chunks> Tables for HostTables<'_, C> {
    fn mapping(&self, index: u32) -> Option<&Mapping> {
        self.mappings.get(index as usize)
    }

    fn block(&self, index: u32) -> Option<&Block> {
        self.pool.block(index)
    }

    fn rule(&self, id: u32) -> Option<&Rule> {
        self.rules.get(id)
    }

    fn read(&self, address: u64) -> Option<u64> {
        self.bytes(address).map(u64::from_ne_bytes)
    }

    fn read_pair(&self, address: u64) -> Option<[u64; 2]> {
        Some([self.read(address)?, self.read(address.checked_add(8)?)?])
    }
}
