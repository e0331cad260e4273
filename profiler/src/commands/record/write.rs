//! The writer's thread: gives names to what the collector hands over and appends it to the trace.

use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use tokio::sync::mpsc::UnboundedSender;

use super::closing::Closing;
use crate::{
    collect::Batch,
    profile::file::Writer,
    symbolize::{self, Symbolizer},
};

/// How far a recording has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Samples so far.
    pub(super) samples: u64,
    /// Records lost so far.
    pub(super) lost: u64,
    /// Bytes of the trace so far.
    pub(super) bytes: u64,
}

/// Writes batches until the last one. Names go with each, so that a killed recorder leaves a trace that has them.
pub(super) fn follow(
    batches: &Receiver<Batch>,
    mut writer: Writer,
    symbols: symbolize::Options,
    progress: &UnboundedSender<Progress>,
) -> Result<Closing> {
    let mut symbolizer = Symbolizer::new(symbols);
    let mut closing = Closing::default();
    loop {
        let Batch { mut delta, files, .. } = batches.recv().context("the collector's thread ended early")?;
        for (mapping, file) in files {
            symbolizer.offer_file(mapping, file);
        }
        // The first one.
        if delta
            .metadata
            .as_ref()
            .is_some_and(|metadata| metadata.kernel_stacks)
        {
            symbolizer.read_kernel();
        }
        symbolizer.follow(&mut delta);
        let last = std::mem::take(&mut delta.ended);
        closing.count(&delta);
        writer.append(&delta)?;
        let bytes = writer.bytes_written();
        // The outer loop may have stopped listening.
        let _ = progress.send(Progress {
            samples: closing.samples,
            lost: closing.lost(),
            bytes,
        });
        if last {
            break;
        }
    }
    let names = symbolizer.finish();
    writer.append(&names)?;
    closing.notes = symbolizer.notes().to_vec();
    closing.bytes = writer.finish()?;
    Ok(closing)
}
