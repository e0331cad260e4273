//! Names as people write them, of a bounded length whatever the symbol table says.

use std::fmt::{self, Write};

/// No name is longer than this, in bytes: a hostile mangled name of a few hundred bytes can stand for gigabytes.
pub(super) const MAX_NAME: usize = 4096;
/// Mangled names longer than this are not demangled. Those of C++ templates reach some thousand bytes.
pub(super) const MAX_MANGLED: usize = 16384;
/// How deep a mangled C++ name may nest. Each level costs stack.
const MAX_DEPTH: u32 = 96;

/// The name of a symbol: Rust (both manglings) and C++ demangled, anything else as it is. Control characters stay:
/// views escape.
pub(super) fn demangle(symbol: &[u8]) -> String {
    let symbol = String::from_utf8_lossy(symbol);
    if symbol.len() > MAX_MANGLED {
        return shorten(&symbol);
    }
    // Symbol versions (`memcpy@@GLIBC_2.14`) name the same function.
    let bare = match symbol.split_once('@') {
        Some((bare, version))
            if !bare.is_empty() && version.starts_with(|it: char| it == '@' || it.is_ascii_uppercase()) =>
        {
            bare
        }
        _ => &symbol,
    };
    rust(bare).or_else(|| cpp(bare)).unwrap_or_else(|| shorten(bare))
}

fn rust(symbol: &str) -> Option<String> {
    let demangled = rustc_demangle::try_demangle(symbol).ok()?;
    let mut name = Bounded::default();
    // The alternate form leaves out the hash, which only tells apart versions of a crate.
    let _ = write!(name, "{demangled:#}");
    name.finish()
}

fn cpp(symbol: &str) -> Option<String> {
    // `foo.cold`, `foo.part.0`: what the compiler split off or specialised keeps its suffix.
    let (mangled, suffix) = match symbol.find('.') {
        Some(dot) if dot > 0 => symbol.split_at(dot),
        _ => (symbol, ""),
    };
    if !["_Z", "__Z", "___Z", "_GLOBAL_"]
        .iter()
        .any(|prefix| mangled.starts_with(prefix))
    {
        return None;
    }
    let parse = cpp_demangle::ParseOptions::default().recursion_limit(MAX_DEPTH);
    let parsed = cpp_demangle::BorrowedSymbol::with_tail_and_options(mangled.as_bytes(), &parse).ok();
    let (parsed, _) = parsed.filter(|(_, tail)| tail.is_empty())?;
    let mut name = Bounded::default();
    let print = cpp_demangle::DemangleOptions::new().recursion_limit(MAX_DEPTH);
    let printed = parsed.structured_demangle(&mut name, &print);
    if printed.is_err() && !name.full {
        return None;
    }
    if !suffix.is_empty() {
        let _ = name.write_str(suffix);
    }
    name.finish()
}

/// At most [`MAX_NAME`] bytes of a text; what was cut shows as `…`.
pub(super) fn shorten(text: &str) -> String {
    let mut name = Bounded::default();
    let _ = name.write_str(text);
    name.finish().unwrap_or_default()
}

/// A text that stops growing, and makes its writer stop, at [`MAX_NAME`].
#[derive(Default)]
struct Bounded {
    text: String,
    full: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MAX_NAME - '…'.len_utf8() - self.text.len().min(MAX_NAME - '…'.len_utf8());
        if self.full || more.len() > room {
            if !self.full {
                self.text.push_str(&more[..more.floor_char_boundary(room)]);
                self.text.push('…');
                self.full = true;
            }
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}

impl Bounded {
    fn finish(self) -> Option<String> {
        (!self.text.is_empty()).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_and_cpp_names_read_as_written() {
        for (symbol, name) in [
            (
                "_ZN4core9panicking9panic_fmt17h5f1a6fd39197ad62E",
                "core::panicking::panic_fmt",
            ),
            (
                "_RNvCskwGfYPst2Cb_3foo16example_function",
                "foo::example_function",
            ),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ),
            ("_Z3foov.cold", "foo().cold"),
            ("memcpy@@GLIBC_2.14", "memcpy"),
            ("main", "main"),
            ("do_work.isra.0", "do_work.isra.0"),
            ("_Znonsense", "_Znonsense"),
        ] {
            assert_eq!(demangle(symbol.as_bytes()), name);
        }
    }

    #[test]
    fn hostile_names_keep_their_characters_and_lose_their_length() {
        assert_eq!(demangle(b"\x1b[31m<script>\xff"), "\x1b[31m<script>\u{fffd}");
        let long = demangle("é".repeat(1 << 20).as_bytes());
        assert!(long.len() <= MAX_NAME && long.ends_with('…'), "{}", long.len());
    }

    #[test]
    fn names_that_unfold_exponentially_are_cut() {
        // Each substitution doubles the one before: a hundred bytes of input, 2^20 of output.
        let mut symbol = "_Z1fSt4pairIiiE".to_owned();
        for digit in "012345678".chars() {
            symbol.push_str(&format!("St4pairIS{digit}_S{digit}_E"));
        }
        assert!(demangle(symbol.as_bytes()).len() <= MAX_NAME);
        for depth in [10, 1_000, 15_000] {
            assert!(demangle(format!("_Z{}v", "P".repeat(depth)).as_bytes()).len() <= MAX_NAME);
            assert!(demangle(format!("_RNv{}", "NC".repeat(depth / 2)).as_bytes()).len() <= MAX_NAME);
        }
    }
}
