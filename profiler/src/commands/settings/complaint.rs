//! What is wrong with a settings file: where, why, and what to do.

use std::path::Path;

use anyhow::{Error, anyhow};

use crate::query::clean;

/// A settings file.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// `FILE:LINE: KEY: WHY (NEXT)`.
    pub(super) fn complaint(&self, at: usize, key: Option<&str>, why: &str) -> Error {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let key = key.map_or(String::new(), |key| format!("{}: ", clean(key)));
        anyhow!(
            "{}:{line}: {key}{} (`profiler top --print-config` shows what can be set, --no-config does without the file)",
            clean(&self.path.to_string_lossy()),
            clean(why)
        )
    }
}

/// That there is no such thing, with the one whose name is most like it.
pub(super) fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// Names that are less alike have nothing to do with each other.
    const ALIKE: f64 = 0.6;
    let nearest = known
        .map(|known| (strsim::normalized_damerau_levenshtein(name, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, nearest)) => format!("there is no such {kind}; did you mean {nearest}?"),
        None => format!("there is no such {kind}"),
    }
}
