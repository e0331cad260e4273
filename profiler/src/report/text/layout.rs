//! How wide, and whether in colour.

use std::borrow::Cow;

use crate::query::clean;
pub(super) use crate::query::trust::module;

/// How wide, and whether in colour.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Names are cut so that lines fit into this many columns; `None`: never.
    pub width: Option<usize>,
    /// Whether escape sequences for colour may be written.
    pub color: bool,
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Strong,
    Faint,
    Warning,
    Kernel,
}

impl Layout {
    pub(super) fn paint(&self, ink: Ink, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Strong => 1,
            Ink::Faint => 2,
            Ink::Warning => 33,
            Ink::Kernel => 36,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Cleans `text` and cuts it in the middle so that it fits behind `used` columns: begin and end of a name tell
    /// more than its middle. At least 16 columns are left to it.
    pub(super) fn fit<'a>(&self, text: &'a str, used: usize) -> Cow<'a, str> {
        let text = clean(text);
        match self.width {
            Some(width) => cut(text, width.saturating_sub(used).max(16)),
            None => text,
        }
    }
}

/// Cuts out the middle of what is longer than `width` characters.
pub(super) fn cut(text: Cow<'_, str>, width: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= width || width == 0 {
        return text;
    }
    let kept = width - 1;
    let head: String = text.chars().take(kept - kept / 2).collect();
    let tail: String = text.chars().skip(length - kept / 2).collect();
    Cow::Owned(format!("{head}…{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_long_name_gives_way() {
        assert_eq!(cut("abcdefghij".into(), 5), "ab…ij");
        assert_eq!(cut("abcdefghij".into(), 10), "abcdefghij");
        assert_eq!(cut("größenwahn".into(), 4), "gr…n");
        assert_eq!(cut("ab".into(), 1), "…");
    }
}
