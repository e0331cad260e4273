//! Text that is looked for.

use regex_lite::{Regex, RegexBuilder};

/// The most bytes that what is compiled of a pattern may take; `a{999}{999}` would take more, and is text then.
const LARGEST: usize = 1 << 18;
/// What means something else than itself in a regular expression.
const SIGNS: &str = r"\.+*?()|[]{}^$";

/// Text that is looked for: as a regular expression, and as it stands. Without capitals, case does not matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    text: String,
    capitals: bool,
    reading: Reading,
}

/// What the text is.
#[derive(Clone, Debug, Default)]
enum Reading {
    /// Has no sign that means something else than itself.
    #[default]
    Plain,
    Pattern(Regex),
    /// Has such signs, but is no regular expression: `operator[`.
    NoPattern,
}

impl Text {
    /// The text as it was typed.
    pub(super) fn new(text: &str) -> Self {
        let reading = match text.contains(|c| SIGNS.contains(c)) {
            false => Reading::Plain,
            true => match RegexBuilder::new(text).size_limit(LARGEST).build() {
                Ok(pattern) => Reading::Pattern(pattern),
                Err(_) => Reading::NoPattern,
            },
        };
        Self {
            text: text.to_owned(),
            capitals: has_capitals(text),
            reading,
        }
    }

    /// Whether nothing is looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// As it was typed.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a regular expression that stands for more than itself.
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self.reading, Reading::Pattern(_))
    }

    /// Whether it has signs of a regular expression, but is none, and is looked for as it stands.
    pub(super) fn is_no_pattern(&self) -> bool {
        matches!(self.reading, Reading::NoPattern)
    }

    /// Whether it is in `label`. Nothing is in everything. Names have signs in them that mean something else in a
    /// regular expression (`libc.so.6+0x1f`), so the text as it stands counts, too.
    pub(super) fn is_in(&self, label: &str) -> bool {
        let is_in = |label: &str| {
            label.contains(&self.text)
                || matches!(&self.reading, Reading::Pattern(pattern) if pattern.is_match(label))
        };
        is_in(label) || !self.capitals && is_in(&label.to_lowercase())
    }

    /// The text with one character more.
    pub(super) fn push(&mut self, c: char) {
        self.text.push(c);
        *self = Self::new(&self.text);
    }

    /// The text with one character less.
    pub(super) fn pop(&mut self) {
        self.text.pop();
        *self = Self::new(&self.text);
    }
}

/// Whether there are capitals other than those of classes, such as `\S`.
fn has_capitals(text: &str) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let counts = !escaped && c.is_uppercase();
        escaped = c == '\\' && !escaped;
        counts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_matters_only_to_who_types_capitals() {
        assert!(Text::new("mutex").is_in("MutexLock"));
        assert!(!Text::new("Mutex").is_in("mutexlock"));
        assert!(Text::new("mut.x").is_in("MUTEX"));
        assert!(!Text::new("Mut.x").is_in("MUTEX"));
        assert!(Text::new(r"^\Sutex\S+$").is_in("MUTEXES"));
        assert!(Text::new("grö.e").is_in("GRÖSSE GRÖßE"));
        assert!(Text::new("").is_in("anything"));
    }

    #[test]
    fn a_regular_expression_is_one() {
        for (text, found, not) in [
            ("^mem(cpy|set)$", "memcpy", "wmemcpy"),
            ("alloc$", "je_malloc", "allocate"),
            (r"\bread\b", "vfs read", "readv"),
            ("f[0-9]{2}", "f17", "f1"),
        ] {
            let text = Text::new(text);
            assert!(
                text.is_pattern() && text.is_in(found) && !text.is_in(not),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_name_is_found_as_it_is_shown_whatever_its_signs_mean() {
        for name in [
            "sqlite3+0x200c3",
            "operator*",
            "std::vector<int>::operator[](int)",
            "{{closure}}",
            "[kernel]",
        ] {
            assert!(Text::new(name).is_in(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_regular_expression_is_text() {
        for text in ["operator[", "f(", "*", "a{999}{999}{999}"] {
            let looked_for = Text::new(text);
            assert!(looked_for.is_no_pattern() && !looked_for.is_pattern());
            assert!(looked_for.is_in(&format!("x{text}y")) && !looked_for.is_in("x"));
        }
        let plain = Text::new("memcpy");
        assert!(!plain.is_pattern() && !plain.is_no_pattern());
    }
}
