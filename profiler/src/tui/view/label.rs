//! Names of functions, cut so that what tells them apart stays.

use std::borrow::Cow;

use super::text::{fit, width};

/// Longer names are only cut: taking them apart is not worth the time.
const LONGEST: usize = 4096;
/// What C++ calls a namespace without a name.
const NO_NAME: &str = "(anonymous namespace)";
/// What a name that was cut long ago ends with.
const CUT: char = '…';

/// `label` in at most so many cells, made safe for the terminal: whole if it fits, else without generic arguments,
/// parameters and the type that is returned, else without the path in front, else cut.
pub(super) fn short(label: &str, cells: usize) -> Cow<'_, str> {
    // Long names are not measured: nothing that long fits.
    if label.len() <= cells.saturating_mul(4) && width(label) <= cells {
        return fit(label, cells);
    }
    let Some(bare) = (label.len() <= LONGEST).then(|| bare(label)).flatten() else {
        return fit(label, cells);
    };
    let mut rest = bare.trim_start_matches("::");
    while width(rest) > cells {
        // Paths of Go have slashes, too.
        match rest
            .find("::")
            .map(|at| at + 2)
            .or_else(|| rest.rfind('/').map(|at| at + 1))
        {
            Some(after) if after < rest.len() => rest = &rest[after..],
            _ => break,
        }
    }
    if rest.is_empty() {
        return fit(label, cells);
    }
    Cow::Owned(fit(rest, cells).into_owned())
}

/// Only the path and the name: without `<…>` and `(…)`, what C++ writes in front of a name and behind its parameters.
/// `None` if brackets do not match in a name that is whole.
fn bare(label: &str) -> Option<String> {
    let mut text = String::new();
    let mut depth = 0usize;
    let mut rest = label;
    while let Some(c) = rest.chars().next() {
        let here = rest;
        rest = &rest[c.len_utf8()..];
        if depth == 0 {
            if let Some(symbol) = operator(&text, here) {
                text.push_str(symbol);
                rest = &here[symbol.len()..];
                continue;
            }
            if let Some(after) = here.strip_prefix(NO_NAME) {
                rest = after.strip_prefix("::").unwrap_or(after);
                continue;
            }
            // The receiver of a method of Go.
            if c == '(' && text.ends_with('.') {
                let end = here.find(')')? + 1;
                text.push_str(&here[..end]);
                rest = &here[end..];
                continue;
            }
        }
        match c {
            '<' | '(' => depth += 1,
            // An arrow.
            '>' if label[..label.len() - here.len()].ends_with('-') => {}
            '>' | ')' => {
                depth = depth.checked_sub(1)?;
                // What follows the parameters is ` const` and the like, but for what is within the function.
                if c == ')' && depth == 0 {
                    let end = rest.find(' ').unwrap_or(rest.len());
                    if rest.is_empty() || rest.starts_with([' ', '.', '[']) {
                        text.push_str(&rest[..end]);
                        return Some(without_type(text));
                    }
                }
            }
            _ if depth == 0 => text.push(c),
            _ => {}
        }
    }
    let whole = depth == 0;
    match whole || label.ends_with(CUT) {
        true if label.contains('(') || !whole => Some(without_type(text)),
        true => Some(text),
        false => None,
    }
}

/// The symbol of an operator, as in `operator<<`, where a name goes on with one.
fn operator<'a>(text: &str, rest: &'a str) -> Option<&'a str> {
    let name = text.strip_suffix("operator")?;
    if name.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    if rest.starts_with("()") {
        return Some(&rest[..2]);
    }
    let end = rest.find(|c: char| !"<>=-!".contains(c)).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// Without the type that C++ writes in front of some functions. `operator new` has a space of its own.
fn without_type(mut text: String) -> String {
    text.truncate(text.trim_end().len());
    let name = text.find("operator").unwrap_or(text.len());
    if let Some(space) = text[..name].trim_end().rfind(' ') {
        text.drain(..=space);
    }
    text
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
        assert_eq!(short("a::operator->(int, int, int)", 14), "a::operator->");
        assert_eq!(
            short("bool std::operator< <char>(char, char)", 14),
            "std::operator<"
        );
        assert_eq!(short("bool std::operator< <char>(char, char)", 12), "operator<");
        assert_eq!(short("S::operator()(int) const", 15), "S::operator()");
        assert_eq!(short("operator new(unsigned long)", 16), "operator new");
        assert_eq!(short("net/http.(*conn).serve", 16), "http.(*conn).se…");
        assert_eq!(short("<(>", 2), "<…");
        assert_eq!(short("do_syscall_64", 8), "do_sysc…");
    }

    #[test]
    fn names_of_cpp_lose_what_stands_around_them() {
        let name = "unsigned long burn<L<std::map<int, std::vector<int> > > >(std::function<void (std::vector<int>)>)";
        assert_eq!(short(name, 40), "burn");
        let cut = "unsigned long burn<L<std::map<int, std::function<void (std::vector…";
        assert_eq!(short(cut, 40), "burn");
        assert_eq!(short("std::string::size() const", 20), "std::string::size");
        assert_eq!(
            short("(anonymous namespace)::work(int) [clone .cold]", 20),
            "work"
        );
        assert_eq!(short("a::(anonymous namespace)::work(int)", 20), "a::work");
        let lambda = "void a::run(int)::{lambda(int)#1}::operator()(int) const";
        assert_eq!(short(lambda, 40), "a::run::{lambda#1}::operator()");
        assert_eq!(short("foo(char const*, unsigned long).cold", 20), "foo.cold");
    }

    #[test]
    fn hostile_names_are_harmless() {
        assert_eq!(short("\x1b[2Jx", 10), "�[2Jx");
        assert_eq!(short(&"<".repeat(100_000), 4), "<<<…");
        assert_eq!(short("::::::", 2), ":…");
        assert_eq!(short("数据库::处理请求", 8), "处理请求");
    }
}
