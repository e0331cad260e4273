//! One key: what it is called on a screen and in a settings file.

use std::{fmt, str::FromStr};

use crossterm::event::{KeyCode, KeyModifiers};

/// One key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Key(pub(super) KeyCode, pub(super) KeyModifiers);

/// Keys that are no characters: as a settings file spells them, and as there is room for on a screen.
const NAMED: [(&str, &str, KeyCode); 17] = [
    ("Space", "Space", KeyCode::Char(' ')),
    ("Enter", "Enter", KeyCode::Enter),
    ("Esc", "Esc", KeyCode::Esc),
    ("Tab", "Tab", KeyCode::Tab),
    ("Shift-Tab", "Shift-Tab", KeyCode::BackTab),
    ("Backspace", "Backspace", KeyCode::Backspace),
    ("Delete", "Delete", KeyCode::Delete),
    ("Insert", "Insert", KeyCode::Insert),
    ("Up", "↑", KeyCode::Up),
    ("Down", "↓", KeyCode::Down),
    ("Left", "←", KeyCode::Left),
    ("Right", "→", KeyCode::Right),
    ("PageUp", "PgUp", KeyCode::PageUp),
    ("PageDown", "PgDn", KeyCode::PageDown),
    ("Home", "Home", KeyCode::Home),
    ("End", "End", KeyCode::End),
    ("Menu", "Menu", KeyCode::Menu),
];

const MODIFIERS: [(&str, KeyModifiers); 2] = [("Ctrl-", KeyModifiers::CONTROL), ("Alt-", KeyModifiers::ALT)];

impl Key {
    /// As a settings file spells it.
    pub(super) fn spelled(self) -> String {
        self.words(|(spelled, _, _)| spelled)
    }

    /// Whether it adds to what is typed.
    pub(super) fn is_text(self) -> bool {
        matches!(self.0, KeyCode::Char(_)) && self.1.is_empty()
    }

    fn words(self, of: fn(&(&'static str, &'static str, KeyCode)) -> &'static str) -> String {
        let held = MODIFIERS
            .iter()
            .filter(|(_, modifier)| self.1.contains(*modifier));
        let mut words: String = held.map(|(name, _)| *name).collect();
        match (NAMED.iter().find(|(_, _, code)| *code == self.0), self.0) {
            (Some(named), _) => words.push_str(of(named)),
            (None, KeyCode::Char(c)) => words.push(c),
            (None, KeyCode::F(number)) => words.push_str(&format!("F{number}")),
            (None, other) => words.push_str(&format!("{other:?}")),
        }
        words
    }
}

/// As it is shown on a screen.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(|(_, shown, _)| shown))
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        while let Some((name, modifier)) = MODIFIERS.iter().find(|(name, _)| begins_with(rest, name)) {
            modifiers |= *modifier;
            rest = &rest[name.len()..];
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(c), None) if !c.is_control() => Some(match modifiers.contains(KeyModifiers::CONTROL) {
                // Terminals do not tell Ctrl-C from Ctrl-c.
                true => KeyCode::Char(c.to_ascii_lowercase()),
                false => KeyCode::Char(c),
            }),
            _ => named(rest),
        };
        code.map(|code| Self(code, modifiers)).ok_or_else(|| {
            let names: Vec<_> = NAMED.iter().map(|(spelled, _, _)| *spelled).collect();
            format!(
                "{text:?} is no key: give a character, F1 to F12, or one of {}; Ctrl- or Alt- may come before it",
                names.join(" ")
            )
        })
    }
}

fn named(text: &str) -> Option<KeyCode> {
    let names = |(spelled, shown, _): &&(&str, &str, KeyCode)| {
        text.eq_ignore_ascii_case(spelled) || text.eq_ignore_ascii_case(shown)
    };
    if let Some((_, _, code)) = NAMED.iter().find(names) {
        return Some(*code);
    }
    let number = text.strip_prefix(['F', 'f'])?.parse().ok()?;
    (1..=12).contains(&number).then_some(KeyCode::F(number))
}

fn begins_with(text: &str, begin: &str) -> bool {
    // Ctrl-- is a key as well.
    text.len() > begin.len()
        && text.is_char_boundary(begin.len())
        && text[..begin.len()].eq_ignore_ascii_case(begin)
}

pub(super) const fn char(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::NONE)
}

pub(super) const fn control(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::CONTROL)
}

pub(super) const fn key(code: KeyCode) -> Key {
    Key(code, KeyModifiers::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_spelled_and_as_it_is_shown() {
        let control_page = Key(KeyCode::PageUp, KeyModifiers::CONTROL);
        for k in [
            char('x'),
            char(' '),
            char('-'),
            control('b'),
            control('-'),
            control_page,
            key(KeyCode::F(12)),
            key(KeyCode::BackTab),
        ] {
            assert_eq!(k.spelled().parse(), Ok(k));
            assert_eq!(k.to_string().parse(), Ok(k));
        }
        assert_eq!("ctrl-C".parse(), Ok(control('c')));
        assert_eq!("C".parse(), Ok(char('C')));
    }

    #[test]
    fn what_is_no_key_is_said_with_what_is_one() {
        for text in ["", "F13", "xx", "Hyper-x", "\u{1b}", "Ctrl-"] {
            let error = text.parse::<Key>().unwrap_err();
            assert!(error.contains("PageUp") && !error.contains('\u{1b}'), "{error}");
        }
    }
}
