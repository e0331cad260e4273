//! Names of functions, cut so that what tells them apart stays.

use std::borrow::Cow;

use super::text::{fit, width};

/// `label` in at most so many cells, made safe for the terminal: whole if it fits, else without generic arguments and
/// parameters, else without the path in front, else cut.
pub(super) fn short(label: &str, cells: usize) -> Cow<'_, str> {
    // Long names are not measured: nothing that long fits.
    if label.len() <= cells.saturating_mul(4) && width(label) <= cells {
        return fit(label, cells);
    }
    const LONGEST: usize = 4096;
    if label.len() > LONGEST {
        return fit(label, cells);
    }
    let bare = without_brackets(label);
    let mut rest = bare.trim_start_matches("::");
    while width(rest) > cells {
        match rest.find("::") {
            Some(at) if rest.len() > at + 2 => rest = &rest[at + 2..],
            _ => break,
        }
    }
    if rest.is_empty() {
        return fit(label, cells);
    }
    Cow::Owned(fit(rest, cells).into_owned())
}

/// Without `<…>` and `(…)`; as it is if they do not match, as in `operator<`.
fn without_brackets(label: &str) -> Cow<'_, str> {
    let mut text = String::new();
    let mut depth = 0usize;
    for (place, c) in label.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => match depth.checked_sub(1) {
                // An arrow, or something else that is no bracket.
                None => return Cow::Borrowed(label),
                Some(less) if label[..place].ends_with('-') => depth = less + 1,
                Some(less) => depth = less,
            },
            _ if depth == 0 => text.push(c),
            _ => {}
        }
    }
    if depth == 0 {
        Cow::Owned(text)
    } else {
        Cow::Borrowed(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_names_apart_stays_longest() {
        let name = "core::iter::adapters::Map<alloc::vec::IntoIter<T>, F>::next";
        assert_eq!(short(name, 60), name);
        assert_eq!(short(name, 40), "core::iter::adapters::Map::next");
        assert_eq!(short(name, 12), "Map::next");
        assert_eq!(short(name, 5), "next");
        assert_eq!(short(name, 3), "ne…");
        assert_eq!(short("<T as core::fmt::Debug>::fmt", 5), "fmt");
        assert_eq!(short("std::sort(int*, int*)", 10), "std::sort");
        assert_eq!(short("f(fn(u8) -> u8)", 5), "f");
        assert_eq!(short("operator<", 6), "opera…");
        assert_eq!(short("<(>", 2), "<…");
        assert_eq!(short("do_syscall_64", 8), "do_sysc…");
    }

    #[test]
    fn hostile_names_are_harmless() {
        assert_eq!(short("\x1b[2Jx", 10), "�[2Jx");
        assert_eq!(short(&"<".repeat(100_000), 4), "<<<…");
        assert_eq!(short("::::::", 2), ":…");
        assert_eq!(short("数据库::处理请求", 8), "处理请求");
    }
}
