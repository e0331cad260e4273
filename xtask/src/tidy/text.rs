//! Rules on the text of a Rust file.

use super::Finding;

/// A longer file holds more than one idea.
const LONGEST: usize = 600;

/// How many lines above an `unsafe` its reason may start.
const REASON_DISTANCE: usize = 8;

/// Marks of unfinished work in a comment, and in code. Written so that this file does not hold them itself.
const COMMENT_MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const CODE_MARKS: [&str; 3] = [
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("#[", "ignore"),
];

/// Checks a file's `text`; `code` is the same without comments and the insides of literals.
pub(super) fn check(text: &str, code: &str) -> Vec<Finding> {
    let lines: Vec<_> = text.lines().zip(code.lines()).collect();
    let mut findings = Vec::new();
    let mut find = |index: usize, text: String| {
        findings.push(Finding {
            line: index + 1,
            text,
        })
    };

    if !text.starts_with("//! ") {
        find(0, "the file does not start with `//!` and what it is for".into());
    }
    if lines.len() > LONGEST {
        find(LONGEST, format!("{} lines; {LONGEST} is the most", lines.len()));
    }
    for (index, &(line, code)) in lines.iter().enumerate() {
        let comment = comment(line, code);
        let mark = COMMENT_MARKS
            .into_iter()
            .find(|mark| has_word(&comment, mark))
            .or_else(|| CODE_MARKS.into_iter().find(|mark| code.contains(mark)));
        if let Some(mark) = mark
            && !names_issue(line)
        {
            find(index, format!("`{mark}` without the number of its issue (#12)"));
        }
        let reasons = &lines[index.saturating_sub(REASON_DISTANCE)..=index];
        if is_unsafe(code) && !reasons.iter().any(|(line, _)| line.contains("SAFETY: ")) {
            find(index, "`unsafe` without its reason: `// SAFETY: …`".into());
        }
    }
    findings
}

/// What is in the line, but is not code.
fn comment(line: &str, code: &str) -> String {
    line.chars()
        .zip(code.chars())
        .map(|(line, code)| if line == code { ' ' } else { line })
        .collect()
}

/// A block or an implementation. An unsafe function's reason is for its caller, and rustdoc's.
fn is_unsafe(code: &str) -> bool {
    code.contains("unsafe {") || code.contains("unsafe impl ") || code.contains("unsafe impl<")
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
        !text[..at].ends_with(part_of_word) && !text[at + word.len()..].starts_with(part_of_word)
    })
}

fn names_issue(line: &str) -> bool {
    line.split('#')
        .skip(1)
        .any(|after| after.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{super::code::without_comments_and_strings, *};

    fn findings(text: &str) -> Vec<usize> {
        check(text, &without_comments_and_strings(text))
            .into_iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(findings("use std::fs;\n"), [1]);
        assert_eq!(findings("//! Files.\nuse std::fs;\n"), []);
    }

    #[test]
    fn a_file_has_600_lines_at_most() {
        assert_eq!(findings(&format!("//! x\n{}", "\n".repeat(599))), []);
        assert_eq!(findings(&format!("//! x\n{}", "\n".repeat(600))), [601]);
    }

    #[test]
    fn unfinished_work_has_an_issue() {
        for mark in COMMENT_MARKS {
            assert_eq!(findings(&format!("//! x\n// {mark}: more\n")), [2], "{mark}");
            assert_eq!(findings(&format!("//! x\n// {mark}(#12): more\n")), [], "{mark}");
        }
        for mark in CODE_MARKS {
            assert_eq!(findings(&format!("//! x\nf({mark}")), [2], "{mark}");
            assert_eq!(findings(&format!("//! x\n// as in {mark}\n")), [], "{mark}");
        }
        assert_eq!(findings("//! x\nlet name = \"profiler-XXXXXX\";\n"), []);
    }

    #[test]
    fn unsafe_code_has_a_reason_near_it() {
        assert_eq!(findings("//! x\nunsafe { f() }\n"), [2]);
        assert_eq!(
            findings("//! x\n// SAFETY: f has no conditions.\nunsafe { f() }\n"),
            []
        );
        assert_eq!(
            findings("//! x\n// SAFETY: far\n\n\n\n\n\n\n\n\nunsafe impl Send for X {}\n"),
            [11]
        );
        assert_eq!(findings("//! x\n#[unsafe(no_mangle)]\nfn f() {}\n"), []);
        assert_eq!(findings("//! x\n// unsafe { in words }\n"), []);
    }
}
