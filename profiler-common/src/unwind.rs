//! Unwinding user stacks by rows: the layout of the tables in BPF maps, and one step as a pure function.
//!
//! ```text
//! space (a process's part of the mapping pool)      block pool (64-byte blocks, shared by all executables)
//!   Mapping { begin, end, bias, table } ──────────▶ page index: 8 entries a block, (first block, blocks) a page
//!   … sorted by begin                                 └▶ rows of that 64-KiB page: 16 a block, sorted by pc
//!                                                          row = low 16 bits of pc << 16 | rule id
//!                                                              └▶ Rule: how to find the caller's registers
//! ```
//!
//! Two facts shape it. BPF rounds array elements up to 8 bytes, so 4-byte rows are packed 16 to an element. And the
//! rules of whole systems repeat: 1,381 distinct ones describe 3.3 million rows, so a row names its rule by a number.
//!
//! * The first row of a page repeats the rule in force at its begin: a search never leaves the page.
//! * The last block of a page is padded with copies of its last row.
//! * A page of rows lies in one chunk of the pool (`BLOCKS_PER_CHUNK`), and so does a page index.
//!
//! The kernel and the host run the same [`step`]; [`Tables`] says where the tables are.

use crate::stats::Outcome;

/// Blocks a chunk of the block pool: 1 MiB. All chunks are of equal size so that the kernel's JIT inlines the look-up.
pub const BLOCKS_PER_CHUNK: u32 = 1 << 14;
/// Chunks at most: 256 MiB of rows.
pub const MAX_CHUNKS: u32 = 256;
/// Rules at most, system-wide. A row has 16 bits for the rule.
pub const MAX_RULES: u32 = 1 << 15;
/// Executable mappings of one process at most.
pub const MAX_SPACE: u32 = 1 << 14;
/// Rows of one page at most: `2^SEARCH_STEPS` blocks of 16 (the largest page measured has 5,914 rows).
pub const SEARCH_STEPS: u32 = 12;
/// Bits of an address inside a page of the index.
pub const PAGE_BITS: u32 = 16;

/// The element of the block pool: 16 rows, or 8 entries of a page index.
pub type Block = [u32; 16];

/// A rule id: no unwind information here.
pub const RULE_NONE: u32 = 0;
/// A rule id: the caller is undefined, the stack ends here.
pub const RULE_END: u32 = 1;

/// The user registers that unwinding needs (x86-64).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// `rip`.
    pub ip: u64,
    /// `rsp`.
    pub sp: u64,
    /// `rbp`.
    pub bp: u64,
}

/// An executable mapping of a process, as the pool holds it: 4 × 8 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub begin: u64,
    /// One past the last address.
    pub end: u64,
    /// Subtract it from an address to get the address that the table's page index starts from.
    pub bias: u64,
    /// See [`TableRef`].
    pub table: u64,
}

/// Which table a mapping uses: bits 0–31 the first block of its page index, 32–55 the number of pages, 56–63 one of
/// `TABLE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRef {
    /// The first block of the page index.
    pub index: u32,
    /// How many pages the index has, at most 2^24.
    pub pages: u32,
    /// One of `TABLE_*`.
    pub kind: u8,
}

/// The mapping has rows.
pub const TABLE_ROWS: u8 = 1;
/// The mapping has none and never will (JIT, no `.eh_frame`): step by frame pointer.
pub const TABLE_FRAME_POINTER: u8 = 2;
/// Its rows are not built yet: stop, user space will finish the walk.
pub const TABLE_PENDING: u8 = 3;

impl TableRef {
    /// As the mapping pool holds it.
    pub const fn pack(self) -> u64 {
        self.index as u64 | ((self.pages as u64 & 0xff_ffff) << 32) | ((self.kind as u64) << 56)
    }

    /// The reverse of [`Self::pack`].
    #[inline(always)]
    pub const fn unpack(packed: u64) -> Self {
        Self {
            index: packed as u32,
            pages: (packed >> 32) as u32 & 0xff_ffff,
            kind: (packed >> 56) as u8,
        }
    }
}

/// How to find the canonical frame address (CFA): the stack pointer before the call instruction pushed its address.
pub mod cfa {
    /// No unwind information.
    pub const NONE: u8 = 0;
    /// `sp + cfa_offset`.
    pub const SP: u8 = 1;
    /// `bp + cfa_offset`.
    pub const BP: u8 = 2;
    /// A PLT entry: `sp + 8`, and 8 more where the low 4 bits of `ip` are at least `cfa_offset`.
    pub const PLT: u8 = 3;
    /// `*(bp + cfa_offset) + cfa_add`.
    pub const DEREF_BP: u8 = 4;
    /// `*(sp + cfa_offset) + cfa_add`.
    pub const DEREF_SP: u8 = 5;
    /// The kernel's signal frame lies at `sp`: all registers are in it.
    pub const SIGNAL: u8 = 6;
    /// The outermost frame.
    pub const END: u8 = 7;
    /// A rule of a kind that is not supported.
    pub const UNSUPPORTED: u8 = 8;
    /// The register with the DWARF number `cfa_add`, plus `cfa_offset`: hand-written functions that call none.
    pub const REGISTER: u8 = 9;
    /// `rbx + cfa_offset`: the dynamic linker, while it binds a function on its first call.
    pub const BX: u8 = 10;
    /// `bp + cfa_offset`, which may be on another stack: functions of Go that go on on one.
    pub const OTHER_STACK: u8 = 11;
}

/// How to find the caller's frame pointer.
pub mod bp {
    /// It was not changed.
    pub const SAME: u8 = 0;
    /// Saved at `CFA + bp_offset`.
    pub const AT_CFA: u8 = 1;
    /// Saved at `bp + bp_offset`.
    pub const AT_BP: u8 = 2;
}

/// How to find the return address.
pub mod ra {
    /// At `CFA - 8`: every x86-64 function.
    pub const AT_CFA_MINUS_8: u8 = 0;
    /// Still in the link register: a leaf of arm64. Not met on x86-64.
    pub const LINK_REGISTER: u8 = 1;
}

/// One unwind rule: how to get the caller's registers. 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// One of [`cfa`].
    pub cfa: u8,
    /// One of [`bp`].
    pub bp: u8,
    /// One of [`ra`].
    pub ra: u8,
    /// Where the caller's `rbx` is: saved at `CFA - 8 * bx`; 0: it was not changed; 255: it cannot be told. Told only
    /// for executables that have rules of kind [`cfa::BX`].
    pub bx: u8,
    /// See [`cfa`].
    pub cfa_offset: i32,
    /// See [`cfa`].
    pub cfa_add: i32,
    /// See [`bp`].
    pub bp_offset: i32,
}

impl Rule {
    /// What [`RULE_NONE`] names.
    pub const NONE: Self = Self::of(cfa::NONE);
    /// What [`RULE_END`] names.
    pub const END: Self = Self::of(cfa::END);

    /// A rule of the given [`cfa`] kind and nothing else.
    pub const fn of(cfa: u8) -> Self {
        Self {
            cfa,
            bp: bp::SAME,
            ra: ra::AT_CFA_MINUS_8,
            bx: 0,
            cfa_offset: 0,
            cfa_add: 0,
            bp_offset: 0,
        }
    }
}

/// Where the tables and the stack are: BPF maps and `bpf_probe_read_user` in the kernel, vectors on the host.
pub trait Tables {
    /// Entry `index` of the mapping pool.
    fn mapping(&self, index: u32) -> Option<&Mapping>;
    /// Block `index` of the block pool.
    fn block(&self, index: u32) -> Option<&Block>;
    /// Rule `id`.
    fn rule(&self, id: u32) -> Option<&Rule>;
    /// Eight bytes of the stack.
    fn read(&self, address: u64) -> Option<u64>;
    /// Sixteen bytes of the stack, in one access.
    fn read_pair(&self, address: u64) -> Option<[u64; 2]>;
    /// The register with the given DWARF number, as it was when the walk began; `None` where it is not known.
    #[inline(always)]
    fn register(&self, _number: u32) -> Option<u64> {
        None
    }
}

/// A walk up one user stack.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// The registers of the frame that is looked at.
    pub registers: Registers,
    /// The mapping that held the last frame; the next one is often the same.
    pub mapping: Mapping,
    /// Where the process's mappings begin in the pool.
    pub space_first: u32,
    /// How many there are.
    pub space_count: u32,
    /// Frames found so far.
    pub frames: u32,
    /// Of these, how many were left by frame pointer.
    pub frames_by_fp: u32,
    /// 1: `registers.ip` is a return address. 0: the instruction was executing.
    pub is_return: u32,
    /// Signal frames crossed.
    pub signals: u32,
    /// A [`Outcome`] once the walk has ended.
    pub outcome: u32,
    /// Not used; 0.
    pub reserved: u32,
    /// Where on the stack the current frame's `rbx` was saved; 0: it is still in the register; 1: it is lost.
    pub bx_at: u64,
    /// Where a binary search stands. See [`forget`].
    pub search: Search,
}

/// Where a binary search stands: its two ends.
pub type Search = [u32; 2];

/// Passes the ends of a binary search through memory that the verifier does not follow.
///
/// The kernel's verifier follows the values of registers and of the program's stack, but not of maps, where a [`Walk`]
/// lies. With the ends in registers it explores what every comparison says of them: 127,000 instructions for the
/// sampler instead of 34,000, and five times as long to load it.
#[inline(always)]
fn forget(search: &mut Search, low: u32, high: u32) -> (u32, u32) {
    let place = &raw mut *search;
    // SAFETY: a reference is valid for writes.
    unsafe { core::ptr::write_volatile(place, [low, high]) };
    // SAFETY: a reference is valid for reads.
    let [low, high] = unsafe { core::ptr::read_volatile(place) };
    (low, high)
}

/// [`Walk::bx_at`]: nobody knows where it was saved.
const BX_LOST: u64 = 1;
/// [`Rule::bx`]: it was saved, but not where this can say.
pub const RULE_BX_LOST: u8 = 255;

/// Signal frames that a walk may cross. Only there the stack pointer may move inward (alternate signal stacks).
const MAX_SIGNALS: u32 = 2;

/// Offsets in the kernel's `struct rt_sigframe` from the stack pointer that a signal's return trampoline sees:
/// `ucontext.uc_mcontext` is at 40, and in it `rbp` is word 10, `rbx` word 11, `rsp` word 15,
/// `rip` word 16
/// (arch/x86/include/uapi/asm/sigcontext.h, arch/x86/include/asm/sigframe.h).
const SIGFRAME_BP: u64 = 40 + 10 * 8;
const SIGFRAME_BX: u64 = 40 + 11 * 8;
const SIGFRAME_SP: u64 = 40 + 15 * 8;

impl Walk {
    /// The address to look up: inside the instruction that is executing or calling.
    #[inline(always)]
    pub fn pc(&self) -> u64 {
        self.registers.ip.wrapping_sub(u64::from(self.is_return))
    }

    #[inline(always)]
    fn cut(&mut self, outcome: Outcome) -> bool {
        self.outcome = outcome as u32;
        false
    }
}

/// Finds the mapping of the current frame. If there is none, the walk ends and `false` is returned.
#[inline(always)]
pub fn find_mapping<T: Tables>(tables: &T, walk: &mut Walk) -> bool {
    let pc = walk.pc();
    if pc >= walk.mapping.begin && pc < walk.mapping.end {
        return true;
    }
    let (mut low, mut high) = (0u32, walk.space_count);
    let mut steps = 0;
    while steps < 15 && low < high {
        let middle = (low + high) >> 1;
        let Some(mapping) = tables.mapping(walk.space_first.wrapping_add(middle)) else {
            return walk.cut(Outcome::NoMappings);
        };
        if mapping.begin <= pc {
            low = middle + 1;
        } else {
            high = middle;
        }
        (low, high) = forget(&mut walk.search, low, high);
        steps += 1;
    }
    if low == 0 {
        return walk.cut(Outcome::UnmappedCode);
    }
    let Some(mapping) = tables.mapping(walk.space_first.wrapping_add(low - 1)) else {
        return walk.cut(Outcome::NoMappings);
    };
    if pc >= mapping.end {
        return walk.cut(Outcome::UnmappedCode);
    }
    walk.mapping = *mapping;
    true
}

/// Goes from the current frame, whose mapping was found, to its caller. Returns whether there is one; if not, the
/// outcome says why.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, walk: &mut Walk) -> bool {
    let table = TableRef::unpack(walk.mapping.table);
    if table.kind == TABLE_PENDING {
        return walk.cut(Outcome::NoMappings);
    }
    if table.kind != TABLE_ROWS {
        return step_by_frame_pointer(tables, walk);
    }
    let address = walk.pc().wrapping_sub(walk.mapping.bias);
    let id = find_rule(tables, &mut walk.search, table, address);
    let Some(rule) = tables.rule(id) else {
        return walk.cut(Outcome::UnsupportedRule);
    };
    let Registers { ip, sp, bp } = walk.registers;
    let offset = rule.cfa_offset as i64 as u64;
    let cfa = match rule.cfa {
        cfa::SP => sp.wrapping_add(offset),
        cfa::BP | cfa::OTHER_STACK => bp.wrapping_add(offset),
        cfa::PLT => sp.wrapping_add(if ip & 15 >= offset { 16 } else { 8 }),
        cfa::DEREF_BP | cfa::DEREF_SP => {
            let base = if rule.cfa == cfa::DEREF_BP { bp } else { sp };
            let Some(value) = tables.read(base.wrapping_add(offset)) else {
                return walk.cut(Outcome::UnreadableStack);
            };
            value.wrapping_add(rule.cfa_add as i64 as u64)
        }
        cfa::REGISTER | cfa::BX => match special_register(tables, walk, rule) {
            Some(value) => value.wrapping_add(offset),
            None => return walk.cut(Outcome::UnsupportedRule),
        },
        cfa::SIGNAL => return step_over_signal(tables, walk),
        cfa::END => return walk.cut(Outcome::Complete),
        cfa::NONE => return step_by_frame_pointer(tables, walk),
        _ => return walk.cut(Outcome::UnsupportedRule),
    };
    let is_inward = cfa <= sp && rule.cfa != cfa::OTHER_STACK;
    if is_inward || cfa & 7 != 0 {
        return walk.cut(Outcome::NotOutward);
    }
    let (caller_bp, caller_ip);
    let base = if rule.bp == bp::AT_CFA { cfa } else { bp };
    let slot = base.wrapping_add(rule.bp_offset as i64 as u64);
    // Behind `pop %rbp`, gcc still says that it is saved where it was, or where it pointed. That is out of the frame by then,
    // and it is the caller's already.
    let is_popped = match rule.bp {
        bp::AT_CFA => slot < sp && rule.cfa != cfa::OTHER_STACK,
        _ => slot < sp || slot >= cfa,
    };
    if rule.bp == bp::AT_CFA && rule.bp_offset == -16 && !is_popped {
        // Frame pointer and return address lie side by side: one access instead of two.
        let Some([saved, address]) = tables.read_pair(slot) else {
            return walk.cut(Outcome::UnreadableStack);
        };
        (caller_bp, caller_ip) = (saved, address);
    } else {
        caller_bp = if rule.bp == bp::SAME || is_popped {
            bp
        } else {
            let Some(saved) = tables.read(slot) else {
                return walk.cut(Outcome::UnreadableStack);
            };
            saved
        };
        let Some(address) = tables.read(cfa.wrapping_sub(8)) else {
            return walk.cut(Outcome::UnreadableStack);
        };
        caller_ip = address;
    }
    if rule.bx != 0 {
        walk.bx_at = match rule.bx {
            RULE_BX_LOST => BX_LOST,
            words => cfa.wrapping_sub(u64::from(words) * 8),
        };
    }
    walk.registers = Registers {
        ip: caller_ip,
        sp: cfa,
        bp: caller_bp,
    };
    walk.is_return = 1;
    true
}

/// The register that the CFA is counted from, where it is neither `sp` nor `bp`.
#[inline(always)]
fn special_register<T: Tables>(tables: &T, walk: &Walk, rule: &Rule) -> Option<u64> {
    if rule.cfa == cfa::REGISTER {
        // The registers of the innermost frame are known, but not which of them its callees changed.
        let innermost = walk.is_return == 0 && walk.signals == 0;
        return if innermost {
            tables.register(rule.cfa_add as u32)
        } else {
            None
        };
    }
    const RBX: u32 = 3;
    match walk.bx_at {
        0 => tables.register(RBX),
        BX_LOST => None,
        saved => tables.read(saved),
    }
}

/// The id of the rule for an address counted from the begin of the page index.
#[inline(always)]
pub fn find_rule<T: Tables>(tables: &T, search: &mut Search, table: TableRef, address: u64) -> u32 {
    let page = address >> PAGE_BITS;
    if page >= u64::from(table.pages) {
        return RULE_NONE;
    }
    let page = page as u32;
    let Some(index) = tables.block(table.index.wrapping_add(page >> 3)) else {
        return RULE_NONE;
    };
    let at = ((page & 7) * 2) as usize;
    let (first, mut high) = (index[at & 15], index[(at + 1) & 15]);
    if high == 0 {
        return RULE_NONE;
    }
    let low_bits = address as u32 & 0xffff;
    // The last block that begins at or before the address; the first one begins at 0.
    let mut low = 0u32;
    let mut steps = 0;
    while steps < SEARCH_STEPS && low + 1 < high {
        let middle = (low + high) >> 1;
        let Some(block) = tables.block(first.wrapping_add(middle)) else {
            return RULE_NONE;
        };
        if block[0] >> 16 <= low_bits {
            low = middle;
        } else {
            high = middle;
        }
        (low, high) = forget(search, low, high);
        steps += 1;
    }
    let Some(block) = tables.block(first.wrapping_add(low)) else {
        return RULE_NONE;
    };
    let mut row = 0usize;
    let mut stride = 8usize;
    while stride > 0 {
        if block[(row + stride) & 15] >> 16 <= low_bits {
            row += stride;
        }
        stride >>= 1;
    }
    block[row & 15] & 0xffff
}

/// Where there are no rows: `bp` points at the saved `bp`, and the return address lies above it.
#[inline(always)]
fn step_by_frame_pointer<T: Tables>(tables: &T, walk: &mut Walk) -> bool {
    let Registers { sp, bp, .. } = walk.registers;
    if bp < sp || bp & 7 != 0 {
        return walk.cut(Outcome::NoUnwindInfo);
    }
    let Some([saved, address]) = tables.read_pair(bp) else {
        return walk.cut(Outcome::NoUnwindInfo);
    };
    walk.registers = Registers {
        ip: address,
        sp: bp.wrapping_add(16),
        bp: saved,
    };
    walk.is_return = 1;
    walk.frames_by_fp += 1;
    walk.bx_at = BX_LOST;
    true
}

#[inline(always)]
fn step_over_signal<T: Tables>(tables: &T, walk: &mut Walk) -> bool {
    walk.signals += 1;
    if walk.signals > MAX_SIGNALS {
        return walk.cut(Outcome::NotOutward);
    }
    let frame = walk.registers.sp;
    let Some(bp) = tables.read(frame.wrapping_add(SIGFRAME_BP)) else {
        return walk.cut(Outcome::UnreadableStack);
    };
    let Some([sp, ip]) = tables.read_pair(frame.wrapping_add(SIGFRAME_SP)) else {
        return walk.cut(Outcome::UnreadableStack);
    };
    walk.registers = Registers { ip, sp, bp };
    walk.bx_at = frame.wrapping_add(SIGFRAME_BX);
    // The signal interrupted an instruction: nothing was called.
    walk.is_return = 0;
    true
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, four `u64`: no padding, every bit pattern is a value.
unsafe impl aya::Pod for Mapping {}
#[cfg(feature = "user")]
// SAFETY: `repr(C)`, four `u8` and three `i32`: no padding, every bit pattern is a value.
unsafe impl aya::Pod for Rule {}

/// Which part of the mapping pool a process uses, and for which of its images.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// The image these mappings belong to (see [`crate::event::Image`]); 0: the process ran before we began.
    pub image: u64,
    /// The first entry in the mapping pool.
    pub first: u32,
    /// How many entries.
    pub count: u32,
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, one `u64` and two `u32`: no padding, every bit pattern is a value.
unsafe impl aya::Pod for Space {}

#[cfg(test)]
mod tests;
