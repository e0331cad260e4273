//! Text from the profiled world, made safe for files that other programs read.

use crate::query::clean;

/// What a process is called that has no name.
const NO_NAME: &str = "[no name]";

/// A frame as one field of a folded line: no `;`, no line break, nothing that a terminal or XML would stumble over,
/// and no last word that is a number, which readers would take for a count.
pub(super) fn frame(text: &str) -> String {
    let text = safe(text);
    let text = text.trim().replace(';', ":");
    match text.rsplit_once(' ') {
        Some((before, number)) if number.chars().all(|c| c.is_ascii_digit() || c == '.') => {
            format!("{before}_{number}")
        }
        _ if text.is_empty() => NO_NAME.to_owned(),
        _ => text,
    }
}

/// A process as the first field of a folded line. A line that begins with `#` is a comment to readers.
pub(super) fn process(name: &str) -> String {
    let name = frame(name);
    if name.starts_with('#') {
        format!("_{name}")
    } else {
        name
    }
}

/// Without control characters, and without those that XML cannot hold.
pub(super) fn safe(text: &str) -> String {
    clean(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_stays_one_field_of_one_line() {
        assert_eq!(frame("fill<[u8; 8]>"), "fill<[u8: 8]>");
        assert_eq!(frame("a\nb;c\x1b[31m"), "a�b:c�[31m");
        assert_eq!(frame(" \u{ffff} "), "�");
        assert_eq!(frame(""), "[no name]");
        assert_eq!(frame("\u{3000}"), "[no name]");
    }

    #[test]
    fn a_number_in_a_name_is_not_a_count() {
        assert_eq!(frame("worker 5"), "worker_5");
        assert_eq!(frame("worker 5 "), "worker_5");
        assert_eq!(frame("a 1.5"), "a_1.5");
        assert_eq!(frame("operator new"), "operator new");
    }

    #[test]
    fn a_process_is_not_a_comment() {
        assert_eq!(process("# x"), "_# x");
    }
}
