//! Text from the profiled world, made safe for a terminal.

use std::borrow::Cow;

/// `text` with every character replaced by `�` that could act on a terminal or deceive its reader: control
/// characters (so no escape sequence survives), line and paragraph separators, changes of writing direction and
/// characters without width. One character stays one character.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(acts) {
        Cow::Owned(text.replace(acts, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether [`clean`] replaces `character`.
pub fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_gets_through() {
        assert_eq!(clean("\x1b[31mred\x1b[0m"), "�[31mred�[0m");
        assert_eq!(clean("a\nb\rc\td\x07\x7f"), "a�b�c�d��");
        // C1 controls: 0x9b alone begins an escape sequence on some terminals.
        assert_eq!(clean("\u{9b}2J"), "�2J");
        assert_eq!(clean("user\u{202e}txt.exe"), "user�txt.exe");
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(clean("std::vec<größe>::push 数"), Cow::Borrowed(_)));
    }
}
