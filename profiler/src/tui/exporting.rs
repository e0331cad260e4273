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

/// So many names are tried before one is offered that there is already.
const TRIES: usize = 1000;

impl App {
    /// Begins to type the name of a file.
    pub(super) fn name_export(&mut self) {
        match self.export {
            Some(_) => self.naming = Some((Naming::Export, offered(|name| Path::new(name).exists()))),
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

/// The name that is offered: one that there is not, so that Enter replaces nothing.
fn offered(is_there: impl Fn(&str) -> bool) -> String {
    let numbered = (2..TRIES).map(|number| format!("top-{number}.svg"));
    let first = "top.svg".to_owned();
    let free = std::iter::once(first.clone())
        .chain(numbered)
        .find(|name| !is_there(name));
    free.unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_offered() {
        assert_eq!(offered(|_| false), "top.svg");
        assert_eq!(
            offered(|name| ["top.svg", "top-2.svg"].contains(&name)),
            "top-3.svg"
        );
        assert_eq!(offered(|_| true), "top.svg");
    }
}
