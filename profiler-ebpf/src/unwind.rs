//! The walk up a user stack by rows, inside the kernel: [`profiler_common::unwind`] over BPF maps.
//!
//! `bpf_loop` runs one callback a frame. The verifier checks the callback once, so the number of frames costs nothing
//! to verify, and one walk serves programs of every type.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    btf_maps,
    helpers::generated::bpf_loop,
    macros::{btf_map, map},
    maps::{Array, HashMap},
};
use profiler_common::{
    config::MAX_USER_FRAMES,
    event::FRAME_IS_INSTRUCTION,
    stats::Outcome,
    unwind::{
        BLOCKS_PER_CHUNK, Block, MAX_CHUNKS, MAX_RULES, Mapping, Registers, Rule, Space, Tables, Walk,
        find_mapping, step,
    },
};

use crate::{
    config,
    stack::{self, DWARF_REGISTERS},
};

/// The executable mappings of all processes; each process has a sorted part of it. User space writes through mmap.
#[map]
static MAPPINGS: Array<Mapping> = Array::with_max_entries(1, BPF_F_MMAPABLE);
/// Page indexes and rows of all executables, in chunks of equal size. User space writes through mmap.
#[btf_map]
static BLOCKS: btf_maps::ArrayOfMaps<
    btf_maps::Array<Block, { BLOCKS_PER_CHUNK as usize }, { BPF_F_MMAPABLE as usize }>,
    { MAX_CHUNKS as usize },
> = btf_maps::ArrayOfMaps::new();
/// The system-wide dictionary of rules. User space writes through mmap.
#[map]
static RULES: Array<Rule> = Array::with_max_entries(MAX_RULES, BPF_F_MMAPABLE);
/// Which part of the mapping pool a process uses, and for which of its images. User space writes; fork copies.
#[map]
pub(crate) static SPACES: HashMap<u32, Space> = HashMap::with_max_entries(1, 0);
/// The image a process runs: when it was made by fork or exec. Only the kernel side writes; no entry means that the
/// process ran before.
#[map]
pub(crate) static IMAGES: HashMap<u32, u64> = HashMap::with_max_entries(1, 0);

/// The tables and the stack, as the kernel side reaches them.
struct Maps {
    /// The scratch space that this walk has claimed.
    slot: u32,
}

impl Tables for Maps {
    #[inline(always)]
    fn mapping(&self, index: u32) -> Option<&Mapping> {
        MAPPINGS.get(index)
    }

    #[inline(always)]
    fn block(&self, index: u32) -> Option<&Block> {
        BLOCKS
            .get(index / BLOCKS_PER_CHUNK)?
            .get(index % BLOCKS_PER_CHUNK)
    }

    #[inline(always)]
    fn register(&self, number: u32) -> Option<u64> {
        let scratch = stack::scratch(self.slot)?;
        Some(scratch.registers[number as usize & (DWARF_REGISTERS - 1)])
    }

    #[inline(always)]
    fn rule(&self, id: u32) -> Option<&Rule> {
        RULES.get(id)
    }

    #[inline(always)]
    fn read(&self, address: u64) -> Option<u64> {
        stack::scratch(self.slot)?.window.read(address)
    }

    #[inline(always)]
    fn read_pair(&self, address: u64) -> Option<[u64; 2]> {
        let window = &mut stack::scratch(self.slot)?.window;
        Some([window.read(address)?, window.read(address.wrapping_add(8))?])
    }
}

/// Walks the user stack of process `pid` into the scratch space number `slot`, which the caller has claimed.
#[inline(always)]
pub(crate) fn walk(slot: u32, pid: u32, registers: Registers, is_return: bool) {
    let Some(scratch) = stack::scratch(slot) else {
        return;
    };
    scratch.walk = Walk {
        registers,
        mapping: Mapping {
            begin: 0,
            end: 0,
            bias: 0,
            table: 0,
        },
        space_first: 0,
        space_count: 0,
        frames: 0,
        frames_by_fp: 0,
        is_return: u32::from(is_return),
        signals: 0,
        outcome: Outcome::TooDeep as u32,
        reserved: 0,
        bx_at: 0,
        search: [0; 2],
    };
    scratch.hash = 0;
    scratch.window.bytes = 0;
    let image = IMAGES.get_ptr(pid).map_or(0, |image| {
        // SAFETY: a map value is valid for reads.
        unsafe { *image }
    });
    if let Some(space) = SPACES.get_ptr(pid) {
        // SAFETY: a map value is valid for reads.
        let space = unsafe { *space };
        // Mappings of an earlier image (before exec, or of an earlier process with this id) are never used.
        if space.image == image {
            scratch.walk.space_first = space.first;
            scratch.walk.space_count = space.count;
        }
    }
    if scratch.walk.space_count == 0 {
        scratch.push();
        scratch.walk.outcome = Outcome::NoMappings as u32;
        return;
    }
    let frames = config::max_user_frames();
    let mut slot = slot;
    // SAFETY: `frame` has the callback's signature, and `slot` outlives the loop.
    unsafe { bpf_loop(frames, frame as *mut c_void, (&raw mut slot).cast(), 0) };
}

/// One frame: find its mapping, note it, go to its caller. Returns 1 to end the loop.
///
/// # Safety
/// `slot` is valid for reads of a `u32`.
unsafe extern "C" fn frame(_: u64, slot: *mut c_void) -> i64 {
    // SAFETY: the caller's promise: `walk` passes the address of its `slot`.
    let slot = unsafe { *slot.cast::<u32>() };
    let Some(scratch) = stack::scratch(slot) else {
        return 1;
    };
    let tables = Maps { slot };
    if !find_mapping(&tables, &mut scratch.walk) {
        if scratch.walk.frames == 0 {
            scratch.push();
        }
        return 1;
    }
    scratch.push();
    i64::from(!step(&tables, &mut scratch.walk))
}

impl stack::Scratch {
    /// Appends the current frame to the user stack.
    #[inline(always)]
    fn push(&mut self) {
        let at = self.walk.frames as usize & (MAX_USER_FRAMES - 1);
        let mark = if self.walk.is_return == 0 {
            FRAME_IS_INSTRUCTION
        } else {
            0
        };
        let address = self.walk.registers.ip | mark;
        self.user.frames[at] = address;
        self.walk.frames += 1;
        self.hash = stack::mix(self.hash, address);
    }
}
