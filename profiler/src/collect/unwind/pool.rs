//! The block pool: places tables into equally sized chunks that all executables share.
//!
//! In production a chunk is a BPF array mapped into this process, in tests a vector: see [`Chunks`]. A table takes some
//! extents of blocks; an extent lies in one chunk, and pages of rows and the page index are whole inside an extent.

use std::{fmt, io};

use profiler_common::unwind::{
    BLOCKS_PER_CHUNK, Block, MAX_CHUNKS, Mapping, PAGE_BITS, RULE_NONE, TABLE_ROWS, TableRef,
};
use rustc_hash::FxHashMap;

use super::{
    extents::{Extent, Extents},
    rows::{Row, Table},
    rules::Rules,
};

const ROWS_PER_BLOCK: usize = 16;
const PAGES_PER_BLOCK: u32 = 8;
const BLOCK_BYTES: u64 = size_of::<Block>() as u64;

/// Memory for blocks: chunks of [`BLOCKS_PER_CHUNK`] each.
pub trait Chunks {
    /// How many chunks there are.
    fn len(&self) -> u32;

    /// Whether there is none yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a chunk; it need not be zeroed. The kernel must see it before this returns.
    ///
    /// # Errors
    /// There is no memory for it; the chunks are as before.
    fn grow(&mut self) -> io::Result<()>;

    /// The blocks of chunk `n`, which is less than [`Self::len`].
    fn chunk(&self, n: u32) -> &[Block];

    /// The blocks of chunk `n`, which is less than [`Self::len`].
    fn chunk_mut(&mut self, n: u32) -> &mut [Block];
}

/// Chunks in ordinary memory.
impl Chunks for Vec<Box<[Block]>> {
    fn len(&self) -> u32 {
        Self::len(self) as u32
    }

    fn grow(&mut self) -> io::Result<()> {
        self.push(vec![[0; 16]; BLOCKS_PER_CHUNK as usize].into());
        Ok(())
    }

    fn chunk(&self, n: u32) -> &[Block] {
        &self[n as usize]
    }

    fn chunk_mut(&mut self, n: u32) -> &mut [Block] {
        &mut self[n as usize]
    }
}

/// Names a table in the pool; not used again after the table is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(u64);

/// A table that is in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its name here.
    pub id: TableId,
    /// What a mapping that uses it holds.
    pub table: TableRef,
    /// The virtual address that its page index begins at.
    pub base: u64,
}

impl Placed {
    /// The entry of the executable mapping from `begin` to `end` that has the given bias (see
    /// [`super::elf::Elf::bias`]).
    pub fn mapping(&self, begin: u64, end: u64, bias: u64) -> Mapping {
        Mapping {
            begin,
            end,
            bias: bias.wrapping_add(self.base),
            table: self.table.pack(),
        }
    }
}

/// Why a table was not placed. The pool is as before.
#[derive(Debug)]
pub enum PlaceError {
    /// It needs more blocks than the cap leaves: free others, and try again when their stamps have passed.
    Full {
        /// How many bytes it needs.
        bytes: u64,
    },
    /// A chunk could not be added.
    Grow(io::Error),
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { bytes } => write!(f, "the pool of unwind tables has no room for {bytes} bytes"),
            Self::Grow(error) => write!(f, "cannot add memory for unwind tables: {error}"),
        }
    }
}

impl std::error::Error for PlaceError {}

/// The chunks and who uses which blocks of them.
#[derive(Debug)]
pub struct Pool<C> {
    chunks: C,
    max_chunks: u32,
    extents: Extents,
    tables: FxHashMap<TableId, Owned>,
    next: u64,
    blocks: u64,
}

#[derive(Debug)]
struct Owned {
    extents: Vec<Extent>,
    used: u64,
}

/// The rows of one page that are to be placed together.
struct Page {
    number: u32,
    blocks: u32,
}

impl<C: Chunks> Pool<C> {
    /// A pool over `chunks`, whose present content is nobody's, that grows up to `max_bytes`.
    pub fn new(chunks: C, max_bytes: u64) -> Self {
        let chunk_bytes = u64::from(BLOCKS_PER_CHUNK) * BLOCK_BYTES;
        let mut pool = Self {
            max_chunks: (max_bytes / chunk_bytes).min(MAX_CHUNKS.into()) as u32,
            extents: Extents::new(BLOCKS_PER_CHUNK),
            tables: FxHashMap::default(),
            next: 0,
            blocks: 0,
            chunks,
        };
        for n in 0..pool.chunks.len() {
            pool.add_chunk(n);
        }
        pool
    }

    /// The memory.
    pub fn chunks(&self) -> &C {
        &self.chunks
    }

    /// Bytes in use by tables, those in quarantine not counted.
    pub fn bytes(&self) -> u64 {
        self.blocks * BLOCK_BYTES
    }

    /// The block with the given number, as mappings count them.
    pub fn block(&self, number: u32) -> Option<&Block> {
        let chunk = number / BLOCKS_PER_CHUNK;
        (chunk < self.chunks.len())
            .then(|| self.chunks.chunk(chunk))?
            .get((number % BLOCKS_PER_CHUNK) as usize)
    }

    /// Writes `table` into free blocks, and its rules into `rules`. `now` is a stamp for [`Self::coldest`].
    ///
    /// Nothing refers to the blocks before the caller publishes a [`Mapping`].
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn place(&mut self, table: &Table, rules: &mut Rules, now: u64) -> Result<Placed, PlaceError> {
        let pages = measure(table);
        let index_blocks = table.pages().div_ceil(PAGES_PER_BLOCK);
        let mut owned = Vec::new();
        let index = match self.allocate(&pages, index_blocks, &mut owned) {
            Ok(index) => index,
            Err(error) => {
                owned.into_iter().for_each(|extent| self.extents.free(extent));
                return Err(error);
            }
        };
        let ids: Vec<u16> = table
            .rules()
            .since(0)
            .iter()
            .map(|rule| rules.intern(*rule))
            .collect();
        self.write(table, &ids, &pages, index_blocks, &owned);
        self.blocks += owned.iter().map(|extent| u64::from(extent.count)).sum::<u64>();
        let id = TableId(self.next);
        self.next += 1;
        self.tables.insert(
            id,
            Owned {
                extents: owned,
                used: now,
            },
        );
        Ok(Placed {
            id,
            table: TableRef {
                index,
                pages: table.pages(),
                kind: TABLE_ROWS,
            },
            base: table.base(),
        })
    }

    /// The table was used at `now`.
    pub fn touch(&mut self, id: TableId, now: u64) {
        if let Some(owned) = self.tables.get_mut(&id) {
            owned.used = owned.used.max(now);
        }
    }

    /// The table whose last use is longest ago, and when that was: the first one to go.
    pub fn coldest(&self) -> Option<(TableId, u64)> {
        let coldest = self.tables.iter().min_by_key(|(id, owned)| (owned.used, **id));
        coldest.map(|(id, owned)| (*id, owned.used))
    }

    /// Gives a table's blocks back. The caller has already taken it out of all mappings; kernel programs that began
    /// before `stamp` may still read it. Returns its size in bytes; 0 if there is none of that name.
    pub fn free(&mut self, id: TableId, stamp: u64) -> u64 {
        let Some(owned) = self.tables.remove(&id) else {
            return 0;
        };
        let mut blocks = 0;
        for extent in owned.extents {
            blocks += u64::from(extent.count);
            self.extents.free_after(stamp, extent);
        }
        self.blocks -= blocks;
        blocks * BLOCK_BYTES
    }

    /// All kernel programs that began before `passed` have ended: what was freed with a stamp of at most `passed` may
    /// be used again. Returns how many bytes that are.
    pub fn reclaim(&mut self, passed: u64) -> u64 {
        u64::from(self.extents.reclaim(passed)) * BLOCK_BYTES
    }

    fn add_chunk(&mut self, n: u32) {
        self.extents.free(Extent {
            first: n * BLOCKS_PER_CHUNK,
            count: BLOCKS_PER_CHUNK,
        });
    }

    /// Finds extents for the page index, whose first block is returned, and for the pages, in order: each extent but
    /// the first takes as many consecutive pages as fit.
    fn allocate(
        &mut self,
        pages: &[Page],
        index_blocks: u32,
        owned: &mut Vec<Extent>,
    ) -> Result<u32, PlaceError> {
        let needed: u32 = index_blocks + pages.iter().map(|page| page.blocks).sum::<u32>();
        let index = self.take(index_blocks, index_blocks, needed)?;
        owned.push(index);
        let mut rest = pages;
        let mut left = needed - index_blocks;
        while let Some(next) = rest.first() {
            let mut extent = self.take(next.blocks, left.min(BLOCKS_PER_CHUNK), needed)?;
            let mut taken = 0;
            while let Some(page) = rest.first()
                && taken + page.blocks <= extent.count
            {
                taken += page.blocks;
                rest = &rest[1..];
            }
            left -= taken;
            let unused = Extent {
                first: extent.first + taken,
                count: extent.count - taken,
            };
            extent.count = taken;
            self.extents.free(unused);
            owned.push(extent);
        }
        Ok(index.first)
    }

    /// An extent of `most` blocks, or at least of `least`; grows the pool for it. `needed` is for the error.
    fn take(&mut self, least: u32, most: u32, needed: u32) -> Result<Extent, PlaceError> {
        loop {
            let found = match self.extents.allocate(most) {
                None if self.extents.largest() >= least => self.extents.allocate_largest(most),
                found => found,
            };
            if let Some(found) = found {
                return Ok(found);
            }
            let n = self.chunks.len();
            if n >= self.max_chunks {
                return Err(PlaceError::Full {
                    bytes: u64::from(needed) * BLOCK_BYTES,
                });
            }
            self.chunks.grow().map_err(PlaceError::Grow)?;
            self.add_chunk(n);
        }
    }

    /// Writes the pages and then the index into what [`Self::allocate`] found.
    fn write(&mut self, table: &Table, ids: &[u16], pages: &[Page], index_blocks: u32, owned: &[Extent]) {
        let (index, mut extents) = (owned[0], owned[1..].iter().copied());
        let mut extent = Extent { first: 0, count: 0 };
        let mut entries: Vec<Block> = vec![[0; 16]; index_blocks as usize];
        let mut rows = by_page(table);
        let mut packed = Vec::new();
        for page in pages {
            if extent.count < page.blocks {
                extent = extents
                    .next()
                    .expect("the extents were allocated for these pages, in this order");
            }
            packed.clear();
            rows.page(page.number, |low, rule| {
                packed.push(u32::from(low) << 16 | u32::from(ids[usize::from(rule)]));
            });
            let last = *packed.last().expect("a page without rows is not placed");
            packed.resize(page.blocks as usize * ROWS_PER_BLOCK, last);
            let (blocks, _) = packed.as_chunks::<ROWS_PER_BLOCK>();
            self.blocks_mut(extent.first, page.blocks).copy_from_slice(blocks);
            let at = (page.number % PAGES_PER_BLOCK * 2) as usize;
            let entry = &mut entries[(page.number / PAGES_PER_BLOCK) as usize];
            (entry[at], entry[at + 1]) = (extent.first, page.blocks);
            extent.first += page.blocks;
            extent.count -= page.blocks;
        }
        self.blocks_mut(index.first, index.count)
            .copy_from_slice(&entries);
    }

    fn blocks_mut(&mut self, first: u32, count: u32) -> &mut [Block] {
        let at = (first % BLOCKS_PER_CHUNK) as usize;
        &mut self.chunks.chunk_mut(first / BLOCKS_PER_CHUNK)[at..at + count as usize]
    }
}

/// The pages that have rows, and how many blocks each takes.
fn measure(table: &Table) -> Vec<Page> {
    let mut rows = by_page(table);
    (0..table.pages())
        .filter_map(|number| {
            let mut count = 0usize;
            rows.page(number, |_, _| count += 1);
            let blocks = count.div_ceil(ROWS_PER_BLOCK) as u32;
            (blocks > 0).then_some(Page { number, blocks })
        })
        .collect()
}

/// Splits a table's rows into pages, each of which begins with the rule in force at its begin.
struct ByPage<I: Iterator> {
    rows: std::iter::Peekable<I>,
    rule: u16,
}

fn by_page(table: &Table) -> ByPage<impl Iterator<Item = Row>> {
    ByPage {
        rows: table.rows().peekable(),
        rule: RULE_NONE as u16,
    }
}

impl<I: Iterator<Item = Row>> ByPage<I> {
    /// Calls `each` with the low 16 bits and the rule of the rows of page `number`; pages are asked for in order.
    /// A page that nothing is known of has no rows.
    fn page(&mut self, number: u32, mut each: impl FnMut(u16, u16)) {
        let row = |rows: &mut std::iter::Peekable<I>| rows.next_if(|row| row.pc >> PAGE_BITS == number);
        let mut next = row(&mut self.rows);
        if next.is_none_or(|row| row.pc as u16 != 0) && (next.is_some() || self.rule != RULE_NONE as u16) {
            each(0, self.rule);
        }
        while let Some(found) = next {
            each(found.pc as u16, found.rule);
            self.rule = found.rule;
            next = row(&mut self.rows);
        }
    }
}
