//! The name of a file, typed while one looks.

use super::{app::App, keys::Action};

/// What a file is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// What is shown.
    Export,
    /// What comes in from now on.
    Trace,
}

impl Naming {
    /// What stands before the name.
    pub(super) fn lead(self) -> &'static str {
        match self {
            Self::Export => "export to: ",
            Self::Trace => "record to: ",
        }
    }

    /// What it does to accept the name.
    pub(super) fn does(self) -> &'static str {
        match self {
            Self::Export => "writes it",
            Self::Trace => "begins",
        }
    }
}

impl App {
    /// Does what a key means while a name is typed. Whether one is.
    pub(super) fn type_name(&mut self, action: Action) -> bool {
        let Some((naming, name)) = &mut self.naming else {
            return false;
        };
        match action {
            Action::Quit => self.quit = true,
            Action::Back | Action::Close => self.naming = None,
            Action::Type(c) => name.push(c),
            Action::Erase => drop(name.pop()),
            Action::EraseAll => name.clear(),
            Action::Accept => {
                let (naming, name) = (*naming, std::mem::take(name));
                self.naming = None;
                match naming {
                    Naming::Export => self.write_export(&name),
                    Naming::Trace => self.start_recording(&name),
                }
            }
            _ => {}
        }
        true
    }
}
