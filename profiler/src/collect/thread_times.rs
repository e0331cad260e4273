//! The iterator that reads the kernel side's accounts of threads.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf,
    maps::{Array, MapData},
    programs::Iter,
};

#[cfg(doc)]
use profiler_common::config::tell;

use super::{decode, event::RawThread};

/// Its program.
const READER: &str = "states_read";

/// Loads the iterator, before it is read.
///
/// # Errors
/// If the kernel refuses it.
pub fn load(ebpf: &mut Ebpf, btf: &Btf) -> Result<()> {
    program(ebpf)?
        .load("task", btf)
        .context("the kernel refuses the iterator over threads")
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Iter> {
    let program = ebpf
        .program_mut(READER)
        .with_context(|| format!("the kernel side has no {READER}"))?;
    Ok(program.try_into()?)
}

/// Prepares the accounts of all threads for probes that come back, as `how` says, one of [`tell`].
///
/// # Errors
/// If the iterator cannot run.
pub fn prepare(ebpf: &mut Ebpf, how: u32) -> Result<()> {
    pass(ebpf, how).map(drop)
}

/// A pass over the threads: what the iterator writes.
fn pass(ebpf: &mut Ebpf, which: u32) -> Result<Vec<u8>> {
    let map = ebpf.map_mut("TELL").context("the kernel side has no map TELL")?;
    let mut tells: Array<&mut MapData, u32> = Array::try_from(map)?;
    tells.set(0, which, 0)?;
    let reader = program(ebpf)?;
    // A pass over the threads needs a link of its own.
    let link = reader
        .attach()
        .context("cannot start the iterator over threads")?;
    let mut file = reader.take_link(link)?.into_file()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .context("cannot read the accounts of threads")?;
    Ok(bytes)
}

/// The accounts of the threads that `which` says, one of [`tell`]. Opens an account for every thread that has none.
///
/// # Errors
/// If the iterator cannot run.
pub fn read(ebpf: &mut Ebpf, which: u32) -> Result<Vec<(u64, RawThread)>> {
    let bytes = pass(ebpf, which)?;
    let mut records = bytes.chunks_exact(decode::THREAD_BYTES);
    let threads = records
        .by_ref()
        .map(decode::thread)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow::anyhow!("an account of a thread cannot be read: {error:?}"))?;
    if !records.remainder().is_empty() {
        bail!("the accounts of threads end in the middle of one");
    }
    Ok(threads)
}
