//! What a file that is not a trace looks like.

/// In words, from the file's first bytes. Says nothing that the file could have put into a terminal.
pub(super) fn describe(begin: &[u8]) -> String {
    const KNOWN: [(&[u8], &str); 12] = [
        (b"PERFILE2", "a recording of perf (perf.data)"),
        (b"\x1f\x8b", "a gzip file, such as a pprof profile"),
        (b"\x28\xb5\x2f\xfd", "a zstd file; decompress it first"),
        (b"\xfd7zXZ", "an xz file; decompress it first"),
        (b"BZh", "a bzip2 file; decompress it first"),
        (b"PK\x03\x04", "a zip file"),
        (b"\x7fELF", "a program or library (ELF)"),
        (b"<svg", "an SVG image, such as a flame graph"),
        (b"<?xml", "an XML file, such as a flame graph"),
        (b"<!DOCTYPE", "an HTML page"),
        (b"{", "JSON, such as another profiler's recording"),
        (b"\x89PNG", "a PNG image"),
    ];
    if begin.is_empty() {
        return "an empty file".to_owned();
    }
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| begin.starts_with(magic)) {
        return (*what).to_owned();
    }
    if begin.iter().all(|byte| *byte == 0) {
        return "nothing but zero bytes, as a crash of the host can leave them".to_owned();
    }
    if begin
        .iter()
        .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
    {
        return "a text file".to_owned();
    }
    let bytes: Vec<_> = begin.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("something that begins with the bytes {}", bytes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_what_it_looks_like() {
        for (begin, word) in [
            (&b""[..], "empty"),
            (b"PERFILE2\0\0", "perf"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\0\0\0\0", "zero bytes"),
            (b"main;f 3\n", "text"),
            (b"\x1b[31m\xff", "1b 5b 33 31 6d ff"),
        ] {
            let words = describe(begin);
            assert!(words.contains(word), "{words}");
            assert!(!words.contains('\x1b'));
        }
    }
}
