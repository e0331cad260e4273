//! Stripped binaries and what was stripped off them; wrong builds.

use super::*;

const SOURCE: &str = "
static volatile int sink;
static inline __attribute__((always_inline)) void inlined(int i) { sink += i; }
static __attribute__((noinline)) void hidden(int i) { inlined(i); sink--; }
__attribute__((noinline)) void shown(int i) { hidden(i); sink++; }
int main(int argc, char **argv) { shown(argc); return sink; }
";

/// A stripped program, its debug file, and the address of its private function.
struct Stripped {
    dir: tempfile::TempDir,
    path: PathBuf,
    debug: PathBuf,
    hidden: u64,
}

fn stripped() -> Stripped {
    let dir = tempfile::tempdir().unwrap();
    let full = compile(
        dir.path(),
        "cc",
        "full",
        SOURCE,
        &["-O2", "-g", "-Wl,--build-id", "-rdynamic"],
    );
    let (path, debug) = (dir.path().join("program"), dir.path().join("elsewhere"));
    objcopy(["--only-keep-debug"], &full, &debug);
    objcopy(["--strip-all"], &full, &path);
    let (hidden, _) = extent(&full, "hidden");
    fs::remove_file(full).unwrap();
    Stripped {
        dir,
        path,
        debug,
        hidden,
    }
}

fn by_build_id(dir: &Path, id: &[u8]) -> PathBuf {
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let dir = dir.join(".build-id").join(&id[..2]);
    fs::create_dir_all(&dir).unwrap();
    dir.join(format!("{}.debug", &id[2..]))
}

fn with_debug_dir(dir: &Path) -> Options {
    Options {
        debug_dirs: vec![dir.to_owned()],
        ..Options::default()
    }
}

fn assert_full(recording: &mut Recording, hidden: u64) {
    recording.hit(0, &[hidden]);
    assert_eq!(recording.lines(0, hidden), ["hidden"]);
    recording.finish();
    let lines = recording.lines(0, hidden);
    assert!(
        lines.len() == 2
            && lines[0].starts_with("inlined full.c:3")
            && lines[1].starts_with("hidden full.c:4"),
        "{lines:?}"
    );
}

#[test]
fn a_stripped_binary_has_exported_names_only_and_says_so() {
    let it = stripped();
    let mut recording = Recording::of(&it.path, Options::default());
    let (shown, _) = {
        let symbols = run(Command::new("nm").arg("-D").arg(&it.path));
        let row = symbols
            .lines()
            .find(|line| line.ends_with(" shown"))
            .unwrap()
            .to_owned();
        (
            u64::from_str_radix(row.split_whitespace().next().unwrap(), 16).unwrap(),
            0,
        )
    };
    recording.hit(0, &[it.hidden, shown]);
    recording.finish();
    assert_eq!(recording.name(0, shown).as_deref(), Some("shown"));
    assert_eq!(recording.name(0, it.hidden), None);
    assert_eq!(recording.reason(0, it.hidden), Some(Reason::Stripped));
    let unknown = recording.symbolizer.unknown();
    assert_eq!(
        (
            unknown.len(),
            unknown[0].reason,
            unknown[0].locations,
            unknown[0].frames
        ),
        (1, Reason::Stripped, 1, 1)
    );
}

#[test]
fn a_debug_file_is_found_by_build_id() {
    let it = stripped();
    let dir = it.dir.path().join("debug");
    fs::rename(&it.debug, by_build_id(&dir, &build_id(&it.path))).unwrap();
    assert_full(&mut Recording::of(&it.path, with_debug_dir(&dir)), it.hidden);
}

#[test]
fn a_debug_file_is_found_by_link_beside_the_binary_and_below_the_debug_directory() {
    let it = stripped();
    let linked = it.dir.path().join("linked");
    run(Command::new("objcopy")
        .arg(format!("--add-gnu-debuglink={}", it.debug.display()))
        .args([&it.path, &linked]));
    assert_full(&mut Recording::of(&linked, Options::default()), it.hidden);

    let debug_dir = it.dir.path().join("debug");
    let below = debug_dir.join(it.dir.path().strip_prefix("/").unwrap());
    fs::create_dir_all(&below).unwrap();
    fs::rename(&it.debug, below.join("elsewhere")).unwrap();
    let mut recording = Recording::of(&linked, Options::default());
    recording.hit(0, &[it.hidden]);
    assert_eq!(recording.name(0, it.hidden), None, "it moved away");
    assert_full(&mut Recording::of(&linked, with_debug_dir(&debug_dir)), it.hidden);
}

#[test]
fn a_linked_file_without_build_id_is_checked_by_its_crc() {
    let dir = tempfile::tempdir().unwrap();
    let full = compile(
        dir.path(),
        "cc",
        "full",
        SOURCE,
        &["-O2", "-g", "-Wl,--build-id=none"],
    );
    let (path, debug) = (dir.path().join("program"), dir.path().join("program.debug"));
    let (hidden, _) = extent(&full, "hidden");
    objcopy(["--only-keep-debug"], &full, &debug);
    objcopy(
        ["--strip-all", &format!("--add-gnu-debuglink={}", debug.display())],
        &full,
        &path,
    );
    assert!(build_id(&path).is_empty());
    assert_full(&mut Recording::of(&path, Options::default()), hidden);
    let mut bytes = fs::read(&debug).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&debug, bytes).unwrap();
    let mut recording = Recording::of(&path, Options::default());
    recording.hit(0, &[hidden]);
    assert_eq!(recording.name(0, hidden), None);
}

#[test]
fn mini_debug_info_has_the_private_names() {
    let it = stripped();
    let symbols = it.dir.path().join("symbols");
    objcopy(["--strip-debug"], &it.debug, &symbols);
    let packed = it.dir.path().join("symbols.xz");
    let mut bytes = Vec::new();
    let mut encoder = xz2::read::XzEncoder::new(File::open(&symbols).unwrap(), 6);
    std::io::Read::read_to_end(&mut encoder, &mut bytes).unwrap();
    fs::write(&packed, bytes).unwrap();
    let mini = it.dir.path().join("mini");
    objcopy(
        [&format!("--add-section=.gnu_debugdata={}", packed.display())],
        &it.path,
        &mini,
    );
    let mut recording = Recording::of(&mini, Options::default());
    recording.hit(0, &[it.hidden]);
    recording.finish();
    assert_eq!(recording.lines(0, it.hidden), ["hidden"]);
}

#[test]
fn another_build_s_file_is_refused() {
    let it = stripped();
    let other = compile(
        it.dir.path(),
        "cc",
        "other",
        &SOURCE.replace("sink--", "sink -= 7"),
        &["-O2", "-g", "-Wl,--build-id"],
    );
    let mut recording = Recording::new(Options::default());
    let old = Mapping {
        path: other.to_str().unwrap().to_owned(),
        ..mapping(&it.path)
    };
    let id = recording.collected.mappings.intern(old);
    recording
        .symbolizer
        .offer_file(id, Arc::new(File::open(&other).unwrap()));
    let (hidden, _) = extent(&other, "hidden");
    recording.hit(0, &[hidden]);
    recording.finish();
    assert_eq!(recording.name(0, hidden), None);
    assert_eq!(recording.reason(0, hidden), Some(Reason::OtherBuild));
    assert_eq!(
        recording.symbolizer.notes().len(),
        1,
        "{:?}",
        recording.symbolizer.notes()
    );
}

#[test]
fn another_build_s_debug_file_is_refused() {
    let it = stripped();
    let other = compile(
        it.dir.path(),
        "cc",
        "other",
        &SOURCE.replace("sink--", "sink -= 7"),
        &["-O2", "-g", "-Wl,--build-id"],
    );
    let dir = it.dir.path().join("debug");
    fs::rename(other, by_build_id(&dir, &build_id(&it.path))).unwrap();
    let mut recording = Recording::of(&it.path, with_debug_dir(&dir));
    recording.hit(0, &[it.hidden]);
    recording.finish();
    assert_eq!(recording.name(0, it.hidden), None);
}

#[test]
fn a_trace_gets_names_later_from_a_debug_directory_without_the_binary() {
    let it = stripped();
    let mut recording = Recording::of(&it.path, Options::default());
    recording.hit(0, &[it.hidden]);
    recording.finish();
    assert_eq!(recording.name(0, it.hidden), None);
    let dir = it.dir.path().join("debug");
    fs::rename(&it.debug, by_build_id(&dir, &build_id(&it.path))).unwrap();
    fs::remove_file(&it.path).unwrap();

    let summary = super::super::resymbolize(&mut recording.profile, &with_debug_dir(&dir));
    assert_eq!((summary.named, summary.improved), (1, 0), "{summary:?}");
    let lines = recording.lines(0, it.hidden);
    assert_eq!(lines, ["inlined full.c:3", "hidden full.c:4"]);
    let again = super::super::resymbolize(&mut recording.profile, &with_debug_dir(&dir));
    assert_eq!((again.named, again.improved), (0, 0));
}

#[test]
fn a_file_that_only_has_the_right_path_names_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = compile(
        dir.path(),
        "cc",
        "program",
        SOURCE,
        &["-O2", "-g", "-Wl,--build-id=none"],
    );
    let (hidden, _) = extent(&path, "hidden");
    let mut recording = Recording::new(Options::default());
    recording.collected.mappings.intern(mapping(&path));
    recording.hit(0, &[hidden]);
    assert_eq!(recording.reason(0, hidden), Some(Reason::NoFile));
    // The held file is what ran: it may come late.
    recording
        .symbolizer
        .offer_file(Id::new(0), Arc::new(File::open(&path).unwrap()));
    recording.hit(0, &[]);
    assert_eq!(recording.name(0, hidden).as_deref(), Some("hidden"));
}
