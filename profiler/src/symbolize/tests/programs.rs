//! C, C++ and Rust: names, inlined calls, lines, extents.

use super::*;
use crate::symbolize::{SourceLine, look_up};

/// The line of the source that holds a mark.
fn line_of(source: &str, mark: &str) -> usize {
    source.lines().position(|line| line.contains(mark)).unwrap() + 1
}

/// Samples at every address of a function.
fn hit_all(recording: &mut Recording, (start, size): (u64, u64)) -> Vec<u64> {
    let addresses: Vec<u64> = (start..start + size).collect();
    recording.hit(0, &addresses);
    addresses
}

const C: &str = "
static volatile int sink;
static inline __attribute__((always_inline)) void inner(int i) {
    sink += i * i; // inner
}
static inline __attribute__((always_inline)) void middle(int i) {
    inner(i + 1); // middle
}
__attribute__((noinline)) void outer(int i) {
    middle(i); // outer
    sink--;
}
int main(int argc, char **argv) { outer(argc); return sink; }
";

#[test]
fn inlined_calls_come_innermost_first_with_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(dir.path(), "cc", "inlines", C, &["-O2", "-g"]);
    let mut recording = Recording::of(&path, Options::default());
    let addresses = hit_all(&mut recording, extent(&path, "outer"));
    for &address in &addresses {
        assert_eq!(
            recording.lines(0, address),
            ["outer"],
            "the first pass has symbols only"
        );
    }
    recording.finish();
    let expected = ["inner", "middle", "outer"]
        .map(|name| format!("{name} inlines.c:{}", line_of(C, &format!("// {name}"))));
    let found = addresses
        .iter()
        .any(|&address| recording.lines(0, address) == expected);
    let all: Vec<_> = addresses
        .iter()
        .map(|&address| recording.lines(0, address))
        .collect();
    assert!(found, "{expected:?} is not in {all:#?}");
    assert!(
        all.iter()
            .all(|lines| lines.last().unwrap().starts_with("outer inlines.c:")),
        "{all:#?}"
    );
    assert!(
        recording.symbolizer.notes().is_empty(),
        "{:?}",
        recording.symbolizer.notes()
    );
}

#[test]
fn a_few_addresses_are_looked_up_in_the_file_that_ran_and_in_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(
        dir.path(),
        "cc",
        "inlines",
        C,
        &["-O2", "-g", "-Wl,--build-id=sha1"],
    );
    let (start, size) = extent(&path, "outer");
    let addresses: Vec<u64> = (start..start + size).collect();
    let mapping = |path: &Path, build_id| Mapping {
        kind: MappingKind::File,
        path: path.to_str().unwrap().to_owned(),
        build_id,
    };
    let build_id = build_id(&path);
    let found = look_up(mapping(&path, build_id.clone()), &addresses);
    assert_eq!(found.failed, None);
    let expected =
        ["inner", "middle", "outer"].map(|name| (name.to_owned(), line_of(C, &format!("// {name}"))));
    let names = |lines: &Vec<SourceLine>| -> Vec<_> {
        let name = |line: &SourceLine| (line.name.clone(), line.line as usize);
        lines.iter().map(name).collect()
    };
    assert!(
        found.lines.values().any(|lines| names(lines) == expected),
        "{found:?}"
    );
    assert!(found.lines.keys().all(|address| addresses.contains(address)));
    // Another build, none, and nothing to read.
    let other = look_up(mapping(&path, vec![7; 20]), &addresses);
    assert!(other.failed.unwrap().contains("another build") && other.lines.is_empty());
    for (path, build_id) in [(path.as_path(), vec![]), (Path::new("/nowhere"), build_id)] {
        let none = look_up(mapping(path, build_id), &addresses);
        assert!(none.failed.unwrap().contains("no debug information is here"));
    }
}

#[test]
fn without_inlines_symbols_are_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(dir.path(), "cc", "plain", C, &["-O2", "-g"]);
    let mut recording = Recording::of(
        &path,
        Options {
            inlines: false,
            ..Options::default()
        },
    );
    let (outer, _) = extent(&path, "outer");
    recording.hit(0, &[outer]);
    recording.finish();
    assert_eq!(recording.lines(0, outer), ["outer"]);
}

#[test]
fn cpp_names_are_demangled() {
    let dir = tempfile::tempdir().unwrap();
    let source = "
        namespace shop { template <class T> struct Cart { __attribute__((noinline)) T total(T a) const { return a * 3; } }; }
        int main(int argc, char **) { return shop::Cart<int>().total(argc); }
    ";
    let path = compile(dir.path(), "g++", "cart", source, &["-O1", "-g"]);
    let mut recording = Recording::of(&path, Options::default());
    let (total, _) = extent(&path, "_ZNK4shop4CartIiE5totalEi");
    recording.hit(0, &[total]);
    recording.finish();
    assert_eq!(
        recording.lines(0, total),
        ["shop::Cart<int>::total(int) const cart.cc:2"]
    );
}

#[test]
fn rust_names_are_demangled_in_both_manglings() {
    let dir = tempfile::tempdir().unwrap();
    let source = "
        mod shop { #[inline(never)] pub fn total<T: std::ops::Mul<Output = T>>(a: T, b: T) -> T { a * b } }
        fn main() { println!(\"{}\", shop::total(std::env::args().count(), 3)); }
    ";
    for (name, mangling) in [("legacy", "legacy"), ("v0", "v0")] {
        let mangling = format!("-Csymbol-mangling-version={mangling}");
        // The mangling that is not the default is an unstable option in some releases.
        let flags = ["-O", "-g", "--edition=2021", "-Zunstable-options", &mangling];
        let input = dir.path().join(format!("{name}.rs"));
        fs::write(&input, source).unwrap();
        let path = dir.path().join(name);
        run(Command::new("rustc")
            .env("RUSTC_BOOTSTRAP", "1")
            .args(flags)
            .arg(&input)
            .arg("-o")
            .arg(&path));
        let symbols = run(Command::new("nm").arg(&path));
        let mut symbol = symbols.lines().filter_map(|line| line.split_whitespace().last());
        let symbol = symbol
            .find(|name| name.contains("shop") && name.contains("total"))
            .unwrap();
        let (total, _) = extent(&path, symbol);
        let mut recording = Recording::of(&path, Options::default());
        recording.hit(0, &[total]);
        recording.finish();
        let found = recording.lines(0, total).pop().unwrap();
        assert!(
            found.contains("::shop::total") && found.contains(&format!("{name}.rs:2")),
            "{found}"
        );
        assert!(!found.contains("17h") && !found.contains("_R"), "{found}");
    }
}

#[test]
fn assembly_without_sizes_is_named_to_the_next_symbol_and_not_beyond_its_section() {
    let dir = tempfile::tempdir().unwrap();
    let source = "
        __asm__(\".text\\n.globl bare\\nbare: nop\\nnop\\nnop\\nret\\n\"
                \".globl after\\n.type after, @function\\nafter: ret\\n.size after, . - after\\n nop\\n nop\\n\"
                \".section .other,\\\"ax\\\",@progbits\\n.p2align 4\\n.globl last\\nlast: ret\\nnop\\n.text\\n\");
        int main(void) { return 0; }
    ";
    let path = compile(dir.path(), "cc", "bare", source, &["-O1"]);
    let mut recording = Recording::of(&path, Options::default());
    let ((bare, _), (after, size), (last, _)) = (
        extent(&path, "bare"),
        extent(&path, "after"),
        extent(&path, "last"),
    );
    assert_eq!(size, 1);
    let elf = Elf::read(Bytes::File(Arc::new(File::open(&path).unwrap()))).unwrap();
    let end = elf.section(".other").unwrap().end();
    recording.hit(0, &[bare, bare + 3, after, after + 1, last, last + 1, end]);
    recording.finish();
    let name = |address| recording.name(0, address);
    assert_eq!(name(bare).as_deref(), Some("bare"));
    assert_eq!(name(bare + 3).as_deref(), Some("bare"));
    assert_eq!(name(after).as_deref(), Some("after"));
    assert_eq!(name(after + 1), None, "behind a function that has a size");
    assert_eq!(recording.reason(0, after + 1), Some(Reason::OutsideSymbols));
    assert_eq!(name(last + 1).as_deref(), Some("last"));
    assert_eq!(name(end), None, "behind the section");
}

#[test]
fn file_offsets_are_translated() {
    let dir = tempfile::tempdir().unwrap();
    // A distance between address and offset, as lld makes it.
    let path = compile(
        dir.path(),
        "cc",
        "moved",
        C,
        &["-O2", "-g", "-Wl,-Ttext-segment=0x500000", "-no-pie"],
    );
    let (outer, _) = extent(&path, "outer");
    let elf = Elf::read(Bytes::File(Arc::new(File::open(&path).unwrap()))).unwrap();
    let segment = elf
        .segments
        .iter()
        .find(|it| (it.address..it.address + it.size).contains(&outer))
        .unwrap();
    let offset = outer - segment.address + segment.offset;
    assert_ne!(offset, outer);
    let mut recording = Recording::new(Options::default());
    let id = recording.collected.mappings.intern(Mapping {
        kind: MappingKind::FileOffset,
        ..mapping(&path)
    });
    recording
        .symbolizer
        .offer_file(id, Arc::new(File::open(&path).unwrap()));
    recording.hit(0, &[offset, 1 << 40]);
    recording.finish();
    assert!(recording.name(0, offset).unwrap().starts_with("outer moved.c:"));
    assert_eq!(recording.name(0, 1 << 40), None);
}
