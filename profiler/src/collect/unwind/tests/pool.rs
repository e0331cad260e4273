//! Many tables in one pool, coming and going.

use std::path::Path;

use profiler_common::unwind::{BLOCKS_PER_CHUNK, Block};

use super::{Chunks, Random, build};
use crate::collect::unwind::{
    pool::{PlaceError, Placed, Pool},
    rows::Table,
    rules::Rules,
};

const CHUNK_BYTES: u64 = BLOCKS_PER_CHUNK as u64 * size_of::<Block>() as u64;

fn tables() -> Vec<Table> {
    let directory = Path::new("/usr/lib/x86_64-linux-gnu");
    let mut tables: Vec<_> = ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"]
        .iter()
        .map(|name| build(&directory.join(name)))
        .collect();
    tables.push(build(&std::env::current_exe().unwrap()));
    tables
}

/// Every page of the table is in the pool, inside one chunk, and says what the table says.
fn check(pool: &Pool<Chunks>, rules: &Rules, table: &Table, placed: &Placed) {
    let mut rows = table.rows().peekable();
    let mut in_force = 0;
    for page in 0..placed.table.pages {
        let index = pool.block(placed.table.index + page / 8).unwrap();
        let at = (page % 8 * 2) as usize;
        let (first, count) = (index[at], index[at + 1]);
        if count > 0 {
            assert_eq!(first / BLOCKS_PER_CHUNK, (first + count - 1) / BLOCKS_PER_CHUNK);
            assert_eq!(pool.block(first).unwrap()[0] >> 16, 0);
        }
        let mut packed = (first..first + count)
            .flat_map(|block| *pool.block(block).unwrap())
            .peekable();
        let mut last = None;
        while let Some(row) = rows.next_if(|row| row.pc >> 16 == page) {
            if row.pc as u16 != 0 && last.is_none() {
                let repeated = packed.next().unwrap() & 0xffff;
                assert_eq!(rules.get(repeated), table.rules().get(in_force));
            }
            let found = packed.next().unwrap();
            assert_eq!(found >> 16, row.pc & 0xffff);
            assert_eq!(rules.get(found & 0xffff), table.rules().get(row.rule.into()));
            (last, in_force) = (Some(found), u32::from(row.rule));
        }
        if let Some(last) = last {
            assert!(packed.all(|padding| padding == last));
        }
    }
    assert!(
        rows.all(|row| row.pc >> 16 == placed.table.pages),
        "rows behind the last page"
    );
}

#[test]
fn tables_keep_their_content_while_others_come_and_go() {
    let tables = tables();
    let (mut pool, mut rules): (Pool<Chunks>, _) = (Pool::new(Vec::new(), 6 * CHUNK_BYTES), Rules::new());
    let mut random = Random(0xb10c);
    let mut held: Vec<(usize, Placed)> = Vec::new();
    let mut refused = 0;
    for now in 0..300 {
        let which = random.below(tables.len() as u64) as usize;
        match pool.place(&tables[which], &mut rules, now) {
            Ok(placed) => held.push((which, placed)),
            Err(PlaceError::Full { bytes }) => {
                assert!(bytes > 0);
                refused += 1;
                for _ in 0..=random.below(3).min(held.len() as u64 - 1) {
                    let (coldest, _) = pool.coldest().unwrap();
                    let at = held.iter().position(|(_, placed)| placed.id == coldest).unwrap();
                    assert!(pool.free(held.remove(at).1.id, now) > 0);
                }
            }
            Err(error) => panic!("{error}"),
        }
        if !held.is_empty() {
            let (which, placed) = held[random.below(held.len() as u64) as usize];
            pool.touch(placed.id, now);
            check(&pool, &rules, &tables[which], &placed);
        }
        pool.reclaim(now.saturating_sub(2));
    }
    assert!(refused > 10, "the pool was never full");
    for (which, placed) in &held {
        check(&pool, &rules, &tables[*which], placed);
    }
    for (_, placed) in held {
        pool.free(placed.id, 1000);
        assert_eq!(pool.free(placed.id, 1000), 0, "freed already");
    }
    assert_eq!((pool.bytes(), pool.coldest()), (0, None));
    pool.reclaim(1000);
    assert_eq!(pool.chunks().len(), 6);
}

#[test]
fn blocks_are_used_again_only_after_their_stamp() {
    let table = build(Path::new("/usr/lib/x86_64-linux-gnu/libc.so.6"));
    let (mut pool, mut rules): (Pool<Chunks>, _) = (Pool::new(Vec::new(), CHUNK_BYTES), Rules::new());
    let mut placed = Vec::new();
    let full = loop {
        match pool.place(&table, &mut rules, 0) {
            Ok(new) => placed.push(new),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, PlaceError::Full { .. }));
    let in_use = pool.bytes();
    let bytes = pool.free(placed.pop().unwrap().id, 5);
    assert_eq!(pool.bytes(), in_use - bytes);
    assert_eq!(pool.reclaim(4), 0);
    assert!(pool.place(&table, &mut rules, 0).is_err());
    assert_eq!(pool.reclaim(5), bytes);
    assert!(pool.place(&table, &mut rules, 0).is_ok());
}

#[test]
fn a_table_takes_four_bytes_a_row_and_little_more() {
    let table = build(&std::env::current_exe().unwrap());
    let (mut pool, mut rules): (Pool<Chunks>, _) = (Pool::new(Vec::new(), 64 * CHUNK_BYTES), Rules::new());
    pool.place(&table, &mut rules, 0).unwrap();
    let rows = table.rows().count() as u64;
    assert!(
        pool.bytes() < rows * 4 + u64::from(table.pages()) * 80,
        "{} for {rows} rows",
        pool.bytes()
    );
}
