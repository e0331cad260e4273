//! Names for a trace that was recorded earlier, perhaps elsewhere.

use std::fs;

use super::{Known, Options, Symbolizer, Unknown};
use crate::profile::{Delta, Profile};

/// What resymbolising changed.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Locations that had no name and have one now.
    pub named: u64,
    /// Locations that had a name and now have inlined calls or source lines too.
    pub improved: u64,
    /// What has no name still, and why.
    pub unknown: Vec<Unknown>,
    /// What went wrong, for people. Paths in it are untrusted text.
    pub notes: Vec<String>,
}

/// Gives names, inlined calls and lines to what lacks them in a loaded profile, from files on this machine. A file
/// counts only if its build id is the recorded one; the kernel only if it has run since the recording began. What
/// the profile has already is kept.
pub fn resymbolize(profile: &mut Profile, options: &Options) -> Summary {
    let mut symbolizer = Symbolizer::new(options.clone());
    symbolizer.live = false;
    symbolizer.kernel_is_ours = same_boot(profile);
    symbolizer.modules.learn(profile.mappings.since(0));
    symbolizer.functions = profile.functions.clone();
    symbolizer.learn_stacks(profile.locations.since(0), profile.stacks.since(0));
    symbolizer.count(&profile.samples, &profile.slow);
    symbolizer.count_locks(&profile.lock_waits, &profile.call_stacks);
    for (location, lines) in &profile.lines {
        let (Some(known), Some(outer)) = (symbolizer.known.get_mut(location.index()), lines.last()) else {
            continue;
        };
        let has_source = |function| {
            profile
                .functions
                .get(function)
                .is_some_and(|function| !function.file.is_empty())
        };
        let source = lines.len() > 1 || outer.line > 0 || has_source(outer.function);
        *known = if source {
            Known::Lines
        } else {
            Known::Function(outer.function)
        };
    }
    let before = symbolizer.known.clone();
    let Delta { functions, lines, .. } = symbolizer.finish();
    let mut summary = Summary {
        unknown: symbolizer.unknown(),
        notes: std::mem::take(&mut symbolizer.notes),
        ..Summary::default()
    };
    for (old, new) in before.iter().zip(&symbolizer.known) {
        match (old, new) {
            (Known::Nothing(_), Known::Function(_) | Known::Lines) => summary.named += 1,
            (Known::Function(_), Known::Lines) => summary.improved += 1,
            _ => {}
        }
    }
    let delta = Delta {
        functions,
        lines,
        ..Delta::default()
    };
    if let Err(error) = profile.extend(delta) {
        summary.notes.push(format!("names could not be added: {error}"));
    }
    summary
}

/// Whether the kernel that was recorded is still running, so that its functions are where they were.
fn same_boot(profile: &Profile) -> bool {
    let metadata = &profile.metadata;
    let recorded = &metadata.kernel_build_id;
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let boot = stat
        .lines()
        .find_map(|line| line.strip_prefix("btime ")?.trim().parse::<u64>().ok());
    let since_boot = boot.is_some_and(|boot| metadata.start_unix_ns / 1_000_000_000 > boot);
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    since_boot
        && hostname.trim() == metadata.hostname
        && release.trim() == metadata.kernel_release
        && (recorded.is_empty() || running_build_id().is_none_or(|running| running == *recorded))
}

/// The running kernel's build id, hexadecimal.
fn running_build_id() -> Option<String> {
    let notes = fs::read("/sys/kernel/notes").ok()?;
    let id = super::elf::build_id_in(&notes, object::Endianness::default())?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}
