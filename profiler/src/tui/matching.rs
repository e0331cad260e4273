//! Text that is looked for.

/// Text that is looked for. Without capitals, case does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    text: String,
    capitals: bool,
}

impl Text {
    /// The text as it was typed.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            capitals: text.chars().any(char::is_uppercase),
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

    /// Whether it is in `label`. Nothing is in everything.
    pub(super) fn is_in(&self, label: &str) -> bool {
        label.contains(&self.text) || !self.capitals && label.to_lowercase().contains(&self.text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_matters_only_to_who_types_capitals() {
        assert!(Text::new("mutex").is_in("MutexLock"));
        assert!(!Text::new("Mutex").is_in("mutexlock"));
        assert!(Text::new("").is_in("anything"));
    }
}
