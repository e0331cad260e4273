//! JSON that is safe to show.

use std::io::{self, Write};

use serde_json::ser::Formatter;

use crate::query::acts;

/// Compact JSON in which characters that could act on a terminal are escaped. (JSON itself asks for that only below
/// U+0020.)
pub(super) struct Escape;

impl Formatter for Escape {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(acts) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let character = rest[at..].chars().next().expect("find() found one there");
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;

    use super::*;

    #[test]
    fn text_is_exact_and_cannot_act() {
        let text = "a\u{1b}[0m\u{9b}2J\u{202e}größe\u{7f}";
        let mut out = Vec::new();
        text.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Escape))
            .unwrap();
        let written = String::from_utf8(out).unwrap();
        assert_eq!(written, "\"a\\u001b[0m\\u009b2J\\u202egröße\\u007f\"");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
