//! What is shown, written to a file that is named while one looks.

use std::path::Path;

use anyhow::Result;

use super::{app::App, naming::Naming};
use crate::{
    profile::Profile,
    query::{Selection, clean},
};

/// Writes what is selected to a file, in the format that its name ends with, flame graphs inverted or not. What comes
/// back is said to the person.
pub type Export = fn(&Profile, &Selection, bool, &Path) -> Result<String>;

/// The name that is offered.
const OFFERED: &str = "top.svg";

impl App {
    /// Begins to type the name of a file.
    pub(super) fn name_export(&mut self) {
        match self.export {
            Some(_) => self.naming = Some((Naming::Export, OFFERED.to_owned())),
            None => self.say("nothing can be exported from here"),
        }
    }

    /// Writes what is shown to a file of this name.
    pub(super) fn write_export(&mut self, name: &str) {
        let Some(export) = self.export else { return };
        let mut selection = self.selection();
        // Its callers and callees are shown.
        if let Some(function) = self.function() {
            selection.function = Some(function.clone());
        }
        let written = export(self.counted(), &selection, self.inverted, Path::new(name));
        let message = written.unwrap_or_else(|error| format!("{error:#}"));
        // Errors may have more lines than there is room for.
        let line = message.lines().next().unwrap_or_default();
        self.say(&clean(line));
    }
}
