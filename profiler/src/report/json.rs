//! The report as one JSON document, described by `report.schema.json` beside this file.
//!
//! Within a version, fields are only added. Text is exact, not cleaned: whatever could act on a terminal is written as
//! `\u….`, so that the document can be shown on one.

mod async_blocking;
mod document;
mod escape;
mod latencies;
mod locks;
mod slow;
mod wakers;

use std::io::{self, Write};

use serde::Serialize as _;

use super::Report;

/// The JSON Schema of what [`write`] writes.
pub const SCHEMA: &str = include_str!("report.schema.json");

/// The `version` in the document. It changes when a field changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// Writes the whole report: one line.
///
/// # Errors
/// What `out` says.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let document = document::Document::of(report);
    document.serialize(&mut serde_json::Serializer::with_formatter(
        &mut *out,
        escape::Escape,
    ))?;
    writeln!(out)
}
