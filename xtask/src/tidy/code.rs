//! Rust without what is not code.

/// The text with comments and the insides of literals replaced by blanks; every line keeps its number and its columns.
pub(super) fn without_comments_and_strings(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest, code.chars().next_back());
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (blanked, after) = rest.split_at(length);
            code.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    code
}

/// How many bytes of a comment or literal the text starts with.
fn blank_length(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    if text.starts_with('\'') {
        return character(text);
    }
    if text.starts_with("r\"") || text.starts_with("r#") {
        return raw_string(text, before);
    }
    0
}

fn is_identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal's length, and 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut inside = text.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

fn raw_string(text: &str, before: Option<char>) -> usize {
    // `br"…"` and `cr"…"` have a letter before the `r`; `for"…"` is no Rust.
    if before.is_some_and(|c| is_identifier(c) && c != 'b' && c != 'c') {
        return 0;
    }
    let after = &text[1..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return 0;
    }
    let start = 1 + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    text[start..]
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let code = without_comments_and_strings(text);
        assert_eq!(code.lines().count(), text.lines().count());
        code.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn comments_of_both_kinds_are_no_code() {
        assert_eq!(words("a // b\nc /* d /* e */ f\n */ g"), ["a", "c", "g"]);
    }

    #[test]
    fn what_stands_in_a_literal_is_no_code() {
        assert_eq!(
            words(r#"a("b \" c", 'd', '\'', b"e") f"#),
            ["a(", ",", ",", ",", "b", ")", "f"]
        );
        assert_eq!(words("a r#\"b \" c\"# d br\"e\" f"), ["a", "d", "b", "f"]);
    }

    #[test]
    fn a_lifetime_does_not_start_a_literal() {
        assert_eq!(
            words("fn f<'a>(x: &'a str) {} // 'b"),
            ["fn", "f<'a>(x:", "&'a", "str)", "{}"]
        );
    }

    #[test]
    fn an_open_literal_at_the_end_is_no_crash() {
        for text in ["\"a", "'", "'\\", "/*", "r#\"", "r#", "r"] {
            without_comments_and_strings(text);
        }
    }
}
