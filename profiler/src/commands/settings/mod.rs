//! The settings file of `profiler top`: its flags as a person wants them, and other keys.
//!
//! A new flag or action needs nothing here: what can be set, what it means and what is allowed are read off the command
//! line's own description and the table of keys.

mod complaint;
mod flags;
mod keys;
mod place;
mod print;

use std::{ffi::OsString, path::Path};

use anyhow::Result;
use toml::de::{DeTable, DeValue};

pub(super) use print::printed;

use self::complaint::Source;
use crate::{cli::TopOptions, tui::Keymap};

/// What a settings file says.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Flags, as they would be typed.
    flags: Vec<String>,
    /// Which keys mean what.
    pub(super) keys: Keymap,
}

impl Settings {
    /// Reads the settings that `options` ask for: those of a file, of the file that belongs to the user, or none.
    ///
    /// # Errors
    /// If there is a file that cannot be read, or something in it means nothing: with file, line and key.
    pub(super) fn of(options: &TopOptions) -> Result<Self> {
        if options.no_config {
            return Ok(Self::default());
        }
        match place::read(options.config.as_deref())? {
            Some((path, text)) => Self::parse(&path, &text),
            None => Ok(Self::default()),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let source = Source { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            source.complaint(at, None, &format!("this is no TOML: {}", error.message()))
        })?;
        let mut settings = Self::default();
        for (name, value) in table.get_ref() {
            let section = match value.get_ref() {
                DeValue::Table(section) => Some(section),
                _ => None,
            };
            match (name.get_ref().as_ref(), section) {
                ("top", Some(section)) => settings.flags = flags::parse(&source, section)?,
                ("keys", Some(section)) => settings.keys = keys::parse(&source, section)?,
                (name @ ("top" | "keys"), None) => {
                    let why = format!("this is a section: [{name}]");
                    return Err(source.complaint(value.span().start, Some(name), &why));
                }
                (unknown, _) => {
                    let why = match flags::is_known(unknown) {
                        true => "this belongs into the section [top]".to_owned(),
                        false => complaint::unknown("section", unknown, ["top", "keys"].into_iter()),
                    };
                    return Err(source.complaint(name.span().start, Some(unknown), &why));
                }
            }
        }
        Ok(settings)
    }

    /// What was asked for, with the flags of the file where the command line says nothing else.
    pub(super) fn apply(&self, options: TopOptions, line: &[OsString]) -> TopOptions {
        flags::merged(&self.flags, options, line)
    }
}

#[cfg(test)]
mod tests;
