//! What only a running system has: deleted files, generated code, the kernel, the vDSO.

use super::*;

#[test]
fn a_deleted_binary_is_named_through_the_held_file() {
    let dir = tempfile::tempdir().unwrap();
    let source = "static inline __attribute__((always_inline)) int in(int a) { return a * 7; }\n\
        __attribute__((noinline)) int work(int a) { return in(a) + 1; }\nint main(int c, char **v) { return work(c); }";
    let path = compile(dir.path(), "cc", "gone", source, &["-O2", "-g", "-Wl,--build-id"]);
    let (start, size) = extent(&path, "work");
    let mut recording = Recording::of(&path, Options::default());
    fs::remove_file(&path).unwrap();
    let addresses: Vec<_> = (start..start + size).collect();
    recording.hit(0, &addresses);
    recording.finish();
    let all: Vec<_> = addresses
        .iter()
        .map(|&address| recording.lines(0, address))
        .collect();
    assert!(
        all.contains(&vec!["in gone.c:1".to_owned(), "work gone.c:2".to_owned()]),
        "{all:?}"
    );
}

#[test]
fn generated_code_has_the_names_of_the_perf_map_and_keeps_them() {
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.id()));
    fs::write(&map, "1000 100 jit::first\n").unwrap();
    let mut recording = Recording::new(Options::default());
    let process = recording.process(child.id());
    let anonymous = Mapping {
        kind: MappingKind::Anonymous(process),
        path: "[anon]".into(),
        build_id: vec![],
    };
    recording.collected.mappings.intern(anonymous);
    recording.hit(0, &[0x1010, 0x2010]);
    assert_eq!(recording.name(0, 0x1010).as_deref(), Some("jit::first"));
    assert_eq!(recording.reason(0, 0x2010), Some(Reason::NoPerfMap));

    fs::write(&map, "1000 100 jit::first\n2000 100 jit::later\n").unwrap();
    recording.finish();
    assert_eq!(recording.name(0, 0x2010).as_deref(), Some("jit::later"));

    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(map).unwrap();
    recording.hit(0, &[0x2020]);
    recording.finish();
    assert_eq!(
        recording.name(0, 0x2020).as_deref(),
        Some("jit::later"),
        "what was read is kept"
    );
    assert_eq!(recording.name(0, 0x1010).as_deref(), Some("jit::first"));
}

#[test]
fn kernel_functions_are_named_or_said_to_be_hidden() {
    let kallsyms = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let schedule = kallsyms.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        (words.nth(1) == Some("schedule")).then_some(address)
    });
    let mut recording = Recording::new(Options::default());
    let kernel = Mapping {
        kind: MappingKind::Kernel,
        path: "[kernel.kallsyms]".into(),
        build_id: vec![],
    };
    recording.collected.mappings.intern(kernel);
    let address = schedule.unwrap_or(0xffff_ffff_8100_0000);
    recording.hit(0, &[address, 0x10]);
    recording.finish();
    if schedule.is_some_and(|address| address != 0) {
        assert_eq!(recording.name(0, address).as_deref(), Some("schedule"));
        assert_eq!(recording.reason(0, 0x10), Some(Reason::OutsideSymbols));
    } else {
        assert_eq!(recording.reason(0, 0x10), Some(Reason::KernelHidden));
        assert_eq!(recording.symbolizer.notes().len(), 1);
    }
}

#[test]
fn vdso_functions_are_named_unless_it_is_another_vdso() {
    let own = super::super::vdso::own().unwrap();
    let text = own.section(".text").unwrap().clone();
    let mut recording = Recording::new(Options::default());
    let vdso = |build_id| Mapping {
        kind: MappingKind::Vdso,
        path: "[vdso]".into(),
        build_id,
    };
    recording.collected.mappings.intern(vdso(own.build_id));
    recording.collected.mappings.intern(vdso(vec![1; 20]));
    let addresses: Vec<_> = (text.address..text.end()).collect();
    recording.hit(0, &addresses);
    recording.hit(1, &addresses[..1]);
    recording.finish();
    let named = addresses.iter().filter(|&&address| {
        recording
            .name(0, address)
            .is_some_and(|name| name.contains("clock_gettime"))
    });
    assert_ne!(named.count(), 0);
    assert_eq!(recording.reason(1, addresses[0]), Some(Reason::OtherBuild));
}

#[test]
fn addresses_without_mapping_say_so() {
    let mut recording = Recording::new(Options::default());
    let process = recording.process(1);
    let unknown = Mapping {
        kind: MappingKind::Unknown(process),
        path: "[unknown]".into(),
        build_id: vec![],
    };
    recording.collected.mappings.intern(unknown);
    recording.hit(0, &[0x1000]);
    recording.finish();
    assert_eq!(recording.reason(0, 0x1000), Some(Reason::Unmapped));
}
