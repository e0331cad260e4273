//! Where a function is defined, read off its name: `tokio`, `runtime`, `task`, `harness`, `Harness`, `poll`.
//!
//! Names come in many spellings. Symbols say `tokio::runtime::task::raw::poll`, with generic arguments or without,
//! methods `<std::fs::File>::read` or `std::fs::File::read`, methods of traits `<T as core::future::Future>::poll`.
//! Calls that were inlined have no more than `poll<T, S>`, and a source file.

use crate::query::Frame;

/// Types within types are followed so deep: nobody's code goes further, but anybody may write a name.
const DEPTH: usize = 8;

/// The crate, the modules, the type and the name, without generic arguments, of a function in Rust; `None` for C and
/// the kernel, and where there is no name. Of an inlined call whose crate is not known, the name alone.
pub(in crate::query) fn path<'a>(frame: &Frame<'a>) -> Option<Vec<&'a str>> {
    if frame.kernel {
        return None;
    }
    let name = segments(frame.function?);
    if name.len() > 1 {
        return Some(name);
    }
    let mut path = module(frame.file)?;
    path.extend(name);
    Some(path)
}

/// The parts of a name.
fn segments(name: &str) -> Vec<&str> {
    nested(name, DEPTH)
}

fn nested(name: &str, depth: usize) -> Vec<&str> {
    let name = name.trim_start_matches('_');
    let Some((inside, after)) = bracketed(name).filter(|_| depth > 0) else {
        return plain(name);
    };
    let (own, implemented) = match split_as(inside) {
        Some((own, implemented)) => (own, Some(implemented)),
        None => (inside, None),
    };
    let mut path = nested(strip_pointers(own), depth - 1);
    // A type parameter, a tuple, a slice: the trait says more.
    if let Some(implemented) = implemented.filter(|_| path.len() < 2) {
        path = plain(implemented);
    }
    path.extend(plain(after));
    path
}

/// What is within the bracket that `name` begins with, and what is behind it.
fn bracketed(name: &str) -> Option<(&str, &str)> {
    let inside = name.strip_prefix('<')?;
    let end = at_depth_0(inside)
        .find(|&(at, byte)| byte == b'>' && !is_arrow(inside, at))?
        .0;
    Some((&inside[..end], &inside[end + 1..]))
}

fn split_as(inside: &str) -> Option<(&str, &str)> {
    let (at, _) = at_depth_0(inside).find(|&(at, _)| inside[at..].starts_with(" as "))?;
    Some((&inside[..at], &inside[at + 4..]))
}

fn strip_pointers(mut name: &str) -> &str {
    loop {
        let before = name.len();
        for prefix in ["&", "mut ", "dyn ", "*const ", "*mut ", " "] {
            name = name.strip_prefix(prefix).unwrap_or(name);
        }
        if name.len() == before {
            return name;
        }
    }
}

/// The parts of a path that does not begin with a bracket.
fn plain(name: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    // Where the part begins, and where its generic arguments do.
    let (mut start, mut end) = (0, None);
    for (at, byte) in at_depth_0(name) {
        match byte {
            b'<' | b'(' => end = end.or(Some(at)),
            b':' if name[at..].starts_with("::") => {
                parts.push(&name[start..end.take().unwrap_or(at)]);
                start = at + 2;
            }
            // ` + core::marker::Send` and the like.
            b' ' => {
                end = end.or(Some(at));
                break;
            }
            _ => {}
        }
    }
    parts.push(&name[start..end.unwrap_or(name.len())]);
    parts.retain(|part| !part.is_empty() && !part.starts_with("{impl"));
    parts
}

/// The bytes outside of all brackets, with their positions, and the brackets themselves. A name whose brackets do not
/// match is read as far as it goes.
fn at_depth_0(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let mut depth = 0usize;
    text.bytes().enumerate().filter(move |&(at, byte)| match byte {
        b'<' | b'(' | b'[' | b'{' => {
            depth += 1;
            depth == 1 && byte != b'{'
        }
        b'>' if is_arrow(text, at) => false,
        b'>' | b')' | b']' | b'}' => {
            let closes_more = depth == 0;
            depth = depth.saturating_sub(1);
            closes_more
        }
        _ => depth == 0 && text.is_char_boundary(at),
    })
}

fn is_arrow(text: &str, at: usize) -> bool {
    text[..at].ends_with('-') || text[..at].ends_with('=')
}

/// The crate and the modules that a source file is; none if the file does not tell. `None`: it is not Rust.
fn module(file: &str) -> Option<Vec<&str>> {
    let file = file.strip_suffix(".rs")?;
    let Some((directory, inside)) = file.rsplit_once("/src/") else {
        return Some(Vec::new());
    };
    let mut path = vec![crate_name(directory.rsplit('/').next().unwrap_or_default())];
    path.extend(inside.split('/'));
    if path
        .last()
        .is_some_and(|last| ["mod", "lib", "main"].contains(last))
    {
        path.pop();
    }
    Some(path)
}

/// `tokio` of `tokio-1.54.1`.
fn crate_name(directory: &str) -> &str {
    let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.');
    let mut dashes = directory.match_indices('-');
    match dashes.find(|(at, _)| is_version(&directory[at + 1..])) {
        Some((at, _)) => &directory[..at],
        None => directory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(name: &str) -> String {
        segments(name).join("::")
    }

    #[test]
    fn a_name_is_read_in_every_spelling() {
        for (name, path) in [
            (
                "tokio::runtime::task::raw::poll",
                "tokio::runtime::task::raw::poll",
            ),
            (
                "tokio::runtime::task::raw::poll::<app::f::{closure#0}, alloc::sync::Arc<tokio::runtime::Handle>>",
                "tokio::runtime::task::raw::poll",
            ),
            (
                "tokio::runtime::task::core::Core<T,S>::poll",
                "tokio::runtime::task::core::Core::poll",
            ),
            (
                "<tokio::runtime::task::core::Core<app::f::{closure#4}, alloc::sync::Arc<a::B>>>::poll",
                "tokio::runtime::task::core::Core::poll",
            ),
            ("<&std::fs::File as std::io::Read>::read", "std::fs::File::read"),
            (
                "<T as core::future::future::Future>::poll",
                "core::future::future::Future::poll",
            ),
            (
                "<(A, B) as core::future::future::Future>::poll",
                "core::future::future::Future::poll",
            ),
            ("app::serve::{{closure}}", "app::serve::{{closure}}"),
            (
                "<app::Conn<T> as core::future::future::Future>::poll",
                "app::Conn::poll",
            ),
            ("<<a::B as c::D>::E as f::G>::h", "a::B::E::h"),
            (
                "<&dyn core::ops::function::Fn<(), Output = i32> + core::marker::Sync as core::ops::FnOnce<()>>::call_once",
                "core::ops::function::Fn::call_once",
            ),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
            ),
            ("app::map::<fn(u8) -> u8>::go", "app::map::go"),
            (
                "core::ops::function::impls::<impl core::ops::Fn<A> for &F>::call",
                "core::ops::function::impls::call",
            ),
            ("poll<a::b::{closure_env#0}, c::d>", "poll"),
            (
                "tokio::runtime::blocking::pool::{impl#7}::run",
                "tokio::runtime::blocking::pool::run",
            ),
            ("getaddrinfo", "getaddrinfo"),
        ] {
            assert_eq!(joined(name), path, "{name}");
        }
    }

    #[test]
    fn no_name_is_too_strange() {
        for name in [
            "",
            "<",
            ">",
            "<<<<<<<<<<<<a",
            "::",
            "a::<",
            "a>::b",
            "<a as ",
            "é<ü>::ö",
            "->",
            "{",
            "<>",
            "é -> ü",
        ] {
            segments(name);
        }
        assert_eq!(joined("é<ü>::ö"), "é::ö");
    }

    #[test]
    fn a_file_tells_what_the_name_of_an_inlined_call_does_not() {
        for (file, path) in [
            (
                "/root/.cargo/registry/src/index-1/tokio-1.54.1/src/runtime/task/harness.rs",
                Some("tokio::runtime::task::harness"),
            ),
            ("/rustc/59807616e/library/std/src/io/mod.rs", Some("std::io")),
            (
                "/home/me/.cargo/git/checkouts/tokio-0a1/1234abc/tokio/src/park.rs",
                Some("tokio::park"),
            ),
            ("/home/me/my-app/src/main.rs", Some("my-app")),
            ("tests/planted.rs", Some("")),
            ("./nptl/futex.c", None),
            ("", None),
        ] {
            assert_eq!(
                module(file).map(|path| path.join("::")).as_deref(),
                path,
                "{file}"
            );
        }
    }
}
