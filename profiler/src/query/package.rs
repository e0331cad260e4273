//! Which part of a program a function belongs to, by its name: a Rust crate, a C++ namespace, a package of Go or Java.

/// What compilers append to the names of C functions that they cut up or copied (GCC and LLVM), which is no package.
const SUFFIXES: [&str; 9] = [
    "cold",
    "constprop",
    "isra",
    "llvm",
    "lto_priv",
    "part",
    "localalias",
    "resume",
    "destroy",
];
/// What stands in front of the path of a type in Rust.
const TYPE_MARKS: [&str; 9] = ["&", "*const ", "*mut ", "mut ", "dyn ", "impl ", "[", "(", " "];

/// The outermost part of a function's path, as it is written in `label`: `core` of `<core::fmt::Arguments as …>::fmt`,
/// `net/http` of `net/http.(*conn).serve`. `None` where the name has no path, as in C.
pub fn package(label: &str) -> Option<&str> {
    let name = without_type(label);
    match name.strip_prefix('<') {
        Some(of_type) => {
            let (of_type, of_trait) = of_type.split_once(" as ").unwrap_or((of_type, ""));
            first_segment(unmarked(of_type)).or_else(|| first_segment(of_trait))
        }
        None => first_segment(name).or_else(|| dotted(name)),
    }
}

/// Without the type that C++ writes in front of some functions, and the modifiers that Java does.
fn without_type(label: &str) -> &str {
    let (mut start, mut depth) = (0, 0usize);
    for (place, c) in label.char_indices() {
        match c {
            // A function begins where its parameters do; what comes before is done with.
            '(' if depth == 0 && place > start => break,
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 && !label[..place].ends_with("operator") => start = place + 1,
            _ => {}
        }
    }
    &label[start..]
}

fn unmarked(mut of_type: &str) -> &str {
    while let Some(rest) = TYPE_MARKS.iter().find_map(|mark| of_type.strip_prefix(mark)) {
        of_type = rest;
    }
    of_type
}

/// The first part of a path with `::`.
fn first_segment(path: &str) -> Option<&str> {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0 && path[end..].starts_with("::")).then(|| &path[..end])
}

/// The package of a path with dots: all in front of the first type, or else of the function.
fn dotted(name: &str) -> Option<&str> {
    let name = name.split(['(', '<']).next().filter(|name| !name.is_empty())?;
    // A receiver of Go stands in parentheses: what comes before ends with a dot.
    let paths = name.rfind('/').map_or(0, |slash| slash + 1);
    let first = paths + name[paths..].find('.')?;
    let begins_type = |place: &usize| {
        let next = name[place + 1..].chars().next();
        next.is_none_or(char::is_uppercase)
    };
    let mut dots = name[paths..].match_indices('.').map(|(place, _)| paths + place);
    let end = dots.find(begins_type).unwrap_or(first);
    let next = name[end + 1..].split(['.', '$']).next().unwrap_or("");
    let is_suffix = SUFFIXES.contains(&next) || next.starts_with(|c: char| c.is_ascii_digit());
    (end > 0 && !is_suffix).then(|| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_many_languages_have_a_package() {
        for (label, of) in [
            ("core::iter::adapters::Map<I, F>::next", Some("core")),
            ("<alloc::vec::Vec<T> as core::fmt::Debug>::fmt", Some("alloc")),
            (
                "<&mut serde_json::ser::Serializer<W> as serde::Serializer>::collect_str",
                Some("serde_json"),
            ),
            ("<u8 as core::fmt::Display>::fmt", Some("core")),
            ("<[T]>::sort", None),
            (
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
                Some("std"),
            ),
            (
                "unsigned long mine::burn<std::map<int, int> >(std::function<void (int)>)",
                Some("mine"),
            ),
            ("unsigned long burn<std::map<int, int> >(int)", None),
            ("(anonymous namespace)::work(int)", None),
            ("net/http.(*conn).serve", Some("net/http")),
            ("github.com/a/b.v2.Func", Some("github.com/a/b.v2")),
            ("main.main", Some("main")),
            ("runtime.mallocgc", Some("runtime")),
            ("java.util.HashMap.get", Some("java.util")),
            ("void org.foo.Bar.baz(int)", Some("org.foo")),
            ("do_work.isra.0", None),
            ("foo.cold", None),
            ("foo.123", None),
            ("main", None),
            ("operator new(unsigned long)", None),
            ("", None),
        ] {
            assert_eq!(package(label), of, "{label}");
        }
    }

    #[test]
    fn hostile_names_are_harmless() {
        for label in [
            "::",
            ".",
            "<",
            "<<<",
            "a/",
            "<& as ",
            "()",
            ").(",
            "\u{9b}.\u{202e}::",
            " ",
        ] {
            let _ = package(label);
        }
    }
}
