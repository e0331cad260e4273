//! The section `[keys]`: actions of the dashboard, and the keys for them.

use anyhow::Result;
use toml::de::{DeTable, DeValue};

use super::complaint::{self, Source};
use crate::tui::Keymap;

pub(super) fn parse(source: &Source<'_>, section: &DeTable<'_>) -> Result<Keymap> {
    let mut keymap = Keymap::default();
    for (key, value) in section {
        let name = key.get_ref().as_ref();
        let complain = |why: &str| source.complaint(key.span().start, Some(name), why);
        let known: Vec<_> = keymap.actions().map(|action| action.name).collect();
        if !known.contains(&name) {
            return Err(complain(&complaint::unknown("action", name, known.into_iter())));
        }
        let Some(keys) = texts(value.get_ref()) else {
            return Err(complain(
                "give a key in quotes, or several in brackets: [\"x\", \"F5\"]",
            ));
        };
        keymap.bind(name, &keys).map_err(|why| complain(&why))?;
    }
    keymap.check().map_err(|(name, why)| {
        let at = section.keys().find(|key| key.get_ref() == name);
        source.complaint(at.map_or(0, |key| key.span().start), Some(name), &why)
    })?;
    Ok(keymap)
}

/// A text, or several.
fn texts<'a>(value: &'a DeValue<'_>) -> Option<Vec<&'a str>> {
    match value {
        DeValue::String(text) => Some(vec![text]),
        DeValue::Array(values) => values.iter().map(|value| value.get_ref().as_str()).collect(),
        _ => None,
    }
}
