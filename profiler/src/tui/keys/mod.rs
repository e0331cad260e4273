//! From keys to what they mean: the table, and what a person made of it.

mod action;
mod key;
mod table;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

pub(super) use action::Action;
pub(super) use key::Key;
pub(super) use table::Binding;
use table::{BROWSING, REPLAYING, TYPING};

/// By how many rows the wheel moves.
const WHEEL: isize = 3;

/// What keys mean depends on what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Looking at what happens now.
    Browsing,
    /// Looking at a recording.
    Replaying,
    /// Typing a filter.
    Typing,
}

/// The tables; a mode has one or more of them.
const TABLES: [&[Binding]; 3] = [BROWSING, REPLAYING, TYPING];

impl Mode {
    /// Which tables say what keys mean; the first that has a key counts.
    fn tables(self) -> &'static [usize] {
        match self {
            Self::Browsing => &[0],
            Self::Replaying => &[1, 0],
            Self::Typing => &[2],
        }
    }
}

/// An action and the keys that mean it.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) keys: Vec<Key>,
    pub(super) binding: &'static Binding,
}

/// Which keys mean what: those of the table, unless a person wants others.
#[derive(Clone, Debug)]
pub struct Keymap([Vec<Bound>; 3]);

/// An action of the dashboard.
#[derive(Clone, Debug)]
pub struct Named {
    /// What a settings file calls it.
    pub name: &'static str,
    /// What it does, for a person.
    pub meaning: &'static str,
    /// The keys that mean it, as a settings file spells them.
    pub keys: Vec<String>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self(TABLES.map(|table| {
            let bound = |binding: &'static Binding| Bound {
                keys: binding.keys.to_vec(),
                binding,
            };
            table.iter().map(bound).collect()
        }))
    }
}

impl Keymap {
    /// Every action, in the order of the help.
    pub fn actions(&self) -> impl Iterator<Item = Named> {
        self.0.iter().flatten().map(|bound| Named {
            name: bound.binding.name,
            meaning: bound.binding.long,
            keys: bound.keys.iter().map(|key| key.spelled()).collect(),
        })
    }

    /// Gives an action other keys in the place of those it has; with none it cannot be asked for any more.
    ///
    /// # Errors
    /// If there is no such action, or what is given is no key; in words for a person.
    pub fn bind(&mut self, name: &str, keys: &[impl AsRef<str>]) -> Result<(), String> {
        let mut bound = self.0.iter_mut().flatten();
        let Some(bound) = bound.find(|bound| bound.binding.name == name) else {
            return Err("there is no such action".to_owned());
        };
        let keys: Result<Vec<Key>, String> = keys.iter().map(|key| key.as_ref().parse()).collect();
        bound.keys = keys?;
        Ok(())
    }

    /// Whether everything can be told apart, and left. To be asked when all actions have the keys they should have.
    ///
    /// # Errors
    /// The name of an action that has to have other keys, and why, in words for a person.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for table in &self.0 {
            for (place, bound) in table.iter().enumerate() {
                let name = bound.binding.name;
                let both = table[..place]
                    .iter()
                    .find_map(|other| Some((other, bound.keys.iter().find(|key| other.keys.contains(key))?)));
                if let Some((other, key)) = both {
                    // Who was given other keys than the table has is to blame.
                    let (name, other) = match bound.keys == bound.binding.keys {
                        true => (other.binding.name, name),
                        false => (name, other.binding.name),
                    };
                    let key = key.spelled();
                    return Err((
                        name,
                        format!(
                            "{key:?} is a key of {other:?}, too: give one of them another key, or none ([])"
                        ),
                    ));
                }
                if bound.binding.action == Action::Quit && bound.keys.is_empty() {
                    return Err((
                        name,
                        "without a key for it the dashboard could not be left".to_owned(),
                    ));
                }
            }
        }
        let mut typed = self.0[2].iter();
        match typed.find_map(|bound| Some((bound, bound.keys.iter().find(|key| key.is_text())?))) {
            Some((bound, key)) => Err((
                bound.binding.name,
                format!("{:?} is text where one types: put Ctrl- before it", key.spelled()),
            )),
            None => Ok(()),
        }
    }

    /// Every key that means something, and what.
    pub(super) fn bindings(&self, mode: Mode) -> impl Iterator<Item = &Bound> {
        let bound = mode.tables().iter().flat_map(|&table| &self.0[table]);
        bound.filter(move |bound| {
            // A recording is recorded already.
            if mode == Mode::Replaying && bound.binding.action == Action::Record {
                return false;
            }
            let key = bound.keys.first();
            key.is_some_and(|&key| self.bound(key, mode).is_some_and(|it| std::ptr::eq(it, *bound)))
        })
    }

    /// The key for an action, as it is shown; for sentences such as `Esc goes back`.
    pub(super) fn shown(&self, action: Action, mode: Mode) -> String {
        let mut bound = mode.tables().iter().flat_map(|&table| &self.0[table]);
        let bound = bound.find(|bound| bound.binding.action == action);
        match bound.and_then(|bound| bound.keys.first()) {
            Some(key) => key.to_string(),
            None => "(no key)".to_owned(),
        }
    }

    /// What an event means, if it means anything.
    pub(super) fn action(&self, event: &Event, mode: Mode) -> Option<Action> {
        if let Event::Mouse(mouse) = event {
            return clicked(mouse);
        }
        let Event::Key(KeyEvent {
            code,
            modifiers,
            kind: KeyEventKind::Press | KeyEventKind::Repeat,
            ..
        }) = *event
        else {
            return None;
        };
        // Shift is in the character itself, and some terminals report it beside.
        let pressed = Key(code, modifiers.difference(KeyModifiers::SHIFT));
        match (self.bound(pressed, mode), pressed) {
            (Some(bound), _) => Some(bound.binding.action),
            (None, Key(KeyCode::Char(c), KeyModifiers::NONE)) if mode == Mode::Typing => {
                Some(Action::Type(c))
            }
            _ => None,
        }
    }

    fn bound(&self, key: Key, mode: Mode) -> Option<&Bound> {
        let mut bound = mode.tables().iter().flat_map(|&table| &self.0[table]);
        bound.find(|bound| bound.keys.contains(&key))
    }
}

/// What the mouse means.
fn clicked(mouse: &MouseEvent) -> Option<Action> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Action::Click(mouse.column, mouse.row)),
        MouseEventKind::ScrollUp => Some(Action::Move(-WHEEL)),
        MouseEventKind::ScrollDown => Some(Action::Move(WHEEL)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn no_key_means_two_things() {
        assert_eq!(Keymap::default().check(), Ok(()));
        let mut names: Vec<_> = Keymap::default().actions().map(|action| action.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "two actions have one name");
    }

    #[test]
    fn capitals_arrive_with_or_without_shift() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let event = press(KeyCode::Char('K'), modifiers);
            assert_eq!(
                Keymap::default().action(&event, Mode::Browsing),
                Some(Action::Kernel)
            );
        }
        assert_eq!(
            Keymap::default().action(&press(KeyCode::BackTab, KeyModifiers::SHIFT), Mode::Browsing),
            Some(Action::PreviousTab)
        );
    }

    #[test]
    fn letters_are_text_while_typing_and_control_c_still_quits() {
        let q = press(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(
            Keymap::default().action(&q, Mode::Typing),
            Some(Action::Type('q'))
        );
        assert_eq!(Keymap::default().action(&q, Mode::Browsing), Some(Action::Close));
        let c = press(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(Keymap::default().action(&c, Mode::Typing), Some(Action::Quit));
        assert_eq!(
            Keymap::default().action(&press(KeyCode::Char('x'), KeyModifiers::ALT), Mode::Typing),
            None
        );
    }

    #[test]
    fn a_key_that_is_let_go_means_nothing() {
        let mut event = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert_eq!(Keymap::default().action(&Event::Key(event), Mode::Browsing), None);
    }

    #[test]
    fn an_action_gets_the_keys_that_a_person_wants() {
        let mut keymap = Keymap::default();
        keymap.bind("sort", &["p"]).unwrap();
        let (name, why) = keymap.check().unwrap_err();
        assert!(
            name == "sort" && why.contains("\"p\" is a key of \"pause\""),
            "{name}: {why}"
        );
        keymap.bind("pause", &["Ctrl-S", "F5"]).unwrap();
        assert_eq!(keymap.check(), Ok(()));
        let p = press(KeyCode::Char('p'), KeyModifiers::NONE);
        assert_eq!(keymap.action(&p, Mode::Browsing), Some(Action::Sort));
        let f5 = press(KeyCode::F(5), KeyModifiers::NONE);
        assert_eq!(keymap.action(&f5, Mode::Browsing), Some(Action::Pause));
        assert_eq!(keymap.shown(Action::Pause, Mode::Browsing), "Ctrl-s");
        let s = press(KeyCode::Char('s'), KeyModifiers::NONE);
        assert_eq!(keymap.action(&s, Mode::Browsing), None);
    }

    #[test]
    fn the_dashboard_can_be_left_and_text_be_typed_whatever_keys_a_person_wants() {
        let refused = |name: &str, keys: &[&str]| {
            let mut keymap = Keymap::default();
            keymap.bind(name, keys).unwrap();
            keymap.check().unwrap_err().0
        };
        assert_eq!(refused("quit-at-once", &[]), "quit-at-once");
        assert_eq!(refused("typing-quit", &[]), "typing-quit");
        assert_eq!(refused("typing-erase", &["x"]), "typing-erase");
        let mut keymap = Keymap::default();
        assert!(
            keymap
                .bind("dance", &["x"])
                .unwrap_err()
                .contains("no such action")
        );
        keymap.bind("mark", &[] as &[&str]).unwrap();
        assert_eq!(keymap.check(), Ok(()));
        assert!(
            keymap
                .bindings(Mode::Browsing)
                .all(|bound| bound.binding.name != "mark")
        );
    }
}
