//! Tables of real programs, hostile files and live stacks.

mod hostile;
mod live;
mod pool;
mod real_files;
mod traced;

use std::{fs::File, path::Path};

use object::ReadCache;
use profiler_common::unwind::{Block, Mapping, Rule, TableRef, Tables, find_rule};

use super::{elf::Elf, pool::Pool, rows::Table, rules::Rules};

type Chunks = Vec<Box<[Block]>>;

/// A pool and its dictionary.
struct Placement {
    pool: Pool<Chunks>,
    rules: Rules,
}

impl Placement {
    fn new() -> Self {
        Self {
            pool: Pool::new(Vec::new(), 1 << 30),
            rules: Rules::new(),
        }
    }
}

impl Tables for Placement {
    fn mapping(&self, _: u32) -> Option<&Mapping> {
        None
    }
    fn block(&self, index: u32) -> Option<&Block> {
        self.pool.block(index)
    }
    fn rule(&self, id: u32) -> Option<&Rule> {
        self.rules.get(id)
    }
    fn read(&self, _: u64) -> Option<u64> {
        None
    }
    fn read_pair(&self, _: u64) -> Option<[u64; 2]> {
        None
    }
}

impl Placement {
    /// The rule that the kernel would find for an address counted from the table's base.
    fn look_up(&self, table: TableRef, address: u64) -> Rule {
        *self.rule(find_rule(self, &mut [0; 2], table, address)).unwrap()
    }
}

/// A file read the way production reads it: only the ranges that are needed.
fn open(path: &Path) -> ReadCache<File> {
    ReadCache::new(File::open(path).unwrap())
}

fn build(path: &Path) -> Table {
    let file = open(path);
    Table::build(&Elf::parse(&file).unwrap(), &file).unwrap()
}

/// xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
