//! A stack beneath what it belongs to.

use std::io::{self, Write};

use super::{
    super::Report,
    header::plural,
    layout::{Ink, Layout, module},
};
use crate::{
    profile::{Id, Stack},
    query::{Frame, frames},
};

/// Frames of a stack that are shown, unless names are shown in full.
const FRAMES: usize = 8;
/// What is said of a call stands so far to the right.
pub(super) const INDENT: &str = "          ";

/// All frames of a stack that the selection shows, innermost first.
pub(super) fn frames_of<'a>(report: &Report<'a>, stack: Id<Stack>) -> Vec<Frame<'a>> {
    let profile = report.profile;
    let locations = profile.stacks.locations(stack);
    locations
        .filter(|&location| report.selection.shows(profile, location))
        .flat_map(|location| frames(profile, location))
        .collect()
}

/// Frames, innermost first; the module stands where it changes.
pub(super) fn write(all: &[Frame<'_>], layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    write_most(all, FRAMES, layout, out)
}

/// The same, `most` frames unless names are shown in full.
pub(super) fn write_most(
    all: &[Frame<'_>],
    most: usize,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let room = layout.width.map_or(usize::MAX, |_| most);
    let mut before = "";
    for frame in all.iter().take(room) {
        let place = match module(frame.module) {
            _ if frame.module == before => String::new(),
            known if known.starts_with('[') => format!("  {known}"),
            named => format!("  [{named}]"),
        };
        before = frame.module;
        let label = frame.label();
        let label = layout.fit(&label, INDENT.len() + 2 + place.chars().count());
        let label = if frame.kernel {
            layout.paint(Ink::Kernel, &label)
        } else {
            label.into_owned()
        };
        writeln!(out, "{INDENT}  {label}{}", layout.paint(Ink::Faint, &place))?;
    }
    let more = all.len().saturating_sub(room);
    if more > 0 {
        let more = format!(
            "{INDENT}  … {} (--full-names shows them)",
            plural(more as u64, "caller")
        );
        writeln!(out, "{}", layout.paint(Ink::Faint, &more))?;
    }
    Ok(())
}
