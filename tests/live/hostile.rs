//! What attacks the profiler: names that are terminal commands or markup, broken binaries, broken traces.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use object::{Object as _, ObjectSection as _};

use tests::{Lab, Recording, Running, profiler_binary, require};

pub(crate) fn record_hostile(lab: &Lab) -> Result<Recording, tests::Missing> {
    let program = lab.workload("hostile")?;
    let copy = lab.path("evil \u{1b}[31m\n<b>;name 3");
    fs::copy(program, &copy).expect("the test's directory takes a copy");
    Ok(lab
        .record()
        .frequency(999)
        .command([copy.as_os_str(), "2".as_ref()])
        .run())
}

/// Control characters other than line breaks and tabs.
fn control_characters(text: &str) -> Vec<char> {
    text.chars()
        .filter(|character| character.is_control() && !matches!(character, '\n' | '\t'))
        .collect()
}

#[test]
fn names_that_are_terminal_commands_do_not_reach_the_terminal() {
    let lab = Lab::new();
    let recording = require!(record_hostile(&lab));
    assert!(recording.view().len() > 500, "{}", recording.view().describe());
    assert_eq!(
        control_characters(&recording.stderr),
        [],
        "from record: {:?}",
        recording.stderr
    );
    // The program runs itself again by `/proc/self/exe`, so that is its process's name until its thread takes another,
    // which may be before its first sample.
    for (arguments, names) in [
        (&[][..], &["hostile"][..]),
        (&["--tree"], &["hostile"]),
        (&["--by", "process"], &["exe", "red"]),
        (&["--by", "thread"], &["red"]),
    ] {
        let report = recording.report(arguments).success();
        let is_named = names.iter().any(|name| report.stdout.contains(name));
        assert!(is_named, "{arguments:?}: {}", report.stdout);
        assert_eq!(
            control_characters(&report.stdout),
            [],
            "{arguments:?}: {:?}",
            report.stdout
        );
        assert_eq!(
            control_characters(&report.stderr),
            [],
            "{arguments:?}: {:?}",
            report.stderr
        );
    }
    let json = recording.report(["--json"]).success();
    assert_eq!(
        control_characters(&json.stdout),
        [],
        "JSON escapes control characters"
    );
    serde_json::from_str::<serde_json::Value>(&json.stdout).expect("--json is JSON");
}

#[test]
fn names_that_are_markup_are_escaped_in_a_flame_graph() {
    let lab = Lab::new();
    let recording = require!(record_hostile(&lab));
    let svg = export(&lab, &recording.path, "out.svg");
    assert!(
        svg.contains("<svg") && svg.contains("hostile"),
        "a flame graph with the function in it"
    );
    assert!(!svg.contains("<script>alert"), "a symbol's name became markup");
    let controls = control_characters(&svg);
    assert!(controls.is_empty(), "{controls:?} is not allowed in XML");
}

#[test]
fn names_with_separators_keep_folded_stacks_apart() {
    let lab = Lab::new();
    let recording = require!(record_hostile(&lab));
    let folded = export(&lab, &recording.path, "out.folded");
    let mut samples = 0;
    for line in folded.lines() {
        let (_, count) = line
            .rsplit_once(' ')
            .unwrap_or_else(|| panic!("no count in {line:?}"));
        samples += count
            .parse::<usize>()
            .unwrap_or_else(|_| panic!("no count in {line:?}"));
    }
    assert_eq!(
        samples,
        recording.view().len(),
        "every sample is in the folded stacks, once"
    );
}

fn export(lab: &Lab, trace: &Path, name: &str) -> String {
    let output = lab.path(name);
    Running::spawn(
        Command::new(profiler_binary())
            .arg("export")
            .arg(trace)
            .arg("-o")
            .arg(&output),
    )
    .wait(Duration::from_secs(60))
    .success();
    fs::read_to_string(output).expect("the export is there")
}

/// Runs `report` on a damaged trace with an address space of 1 GiB: it may refuse, but in words.
fn report_damaged(path: &Path, what: &str) {
    let report = format!(
        "ulimit -v 1048576; exec '{}' report '{}'",
        profiler_binary().display(),
        path.display()
    );
    let ended = Running::spawn(Command::new("sh").args(["-c", &report])).wait(Duration::from_secs(60));
    assert!(
        ended.status.code().is_some(),
        "report was killed by a signal ({}) on {what}",
        ended.status
    );
    assert!(
        !ended.stderr.contains("panicked") && !ended.stderr.contains("memory allocation"),
        "{what}: {}",
        ended.stderr
    );
    if !ended.status.success() {
        assert!(
            !ended.stderr.trim().is_empty(),
            "{what} was refused without a word"
        );
    }
}

#[test]
fn truncated_traces_are_read_up_to_there_or_refused_in_words() {
    let lab = Lab::new();
    let recording = require!(crate::record_workload(&lab, "deep", 3));
    let whole = fs::read(&recording.path).expect("the trace is there");
    let torn = lab.path("torn.trace");
    for step in 0..40 {
        let length = whole.len() * step / 40;
        fs::write(&torn, &whole[..length]).expect("the directory is ours");
        report_damaged(&torn, &format!("the first {length} of {} bytes", whole.len()));
    }
    fs::write(&torn, &whole[..whole.len() * 9 / 10]).expect("the directory is ours");
    let report = Running::spawn(Command::new(profiler_binary()).arg("report").arg(&torn))
        .wait(Duration::from_secs(60));
    assert!(
        report.status.success(),
        "a trace torn near its end still reports: {}",
        report.stderr
    );
}

#[test]
fn flipped_bits_in_a_trace_are_noticed() {
    let lab = Lab::new();
    let recording = require!(crate::record_workload(&lab, "deep", 2));
    let whole = fs::read(&recording.path).expect("the trace is there");
    let damaged = lab.path("damaged.trace");
    let mut state = 0x853c_49e6_748f_ea9b_u64;
    for _ in 0..80 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut bytes = whole.clone();
        let at = (state >> 20) as usize % bytes.len();
        bytes[at] ^= 1 << (state >> 60 & 7);
        fs::write(&damaged, &bytes).expect("the directory is ours");
        report_damaged(&damaged, &format!("a flipped bit in byte {at}"));
    }
}

/// A copy of `deep` with a section overwritten by `fill` (0: by noise).
fn deep_with_broken(lab: &Lab, section: &str, fill: u8) -> Result<PathBuf, tests::Missing> {
    let mut bytes = fs::read(lab.workload("deep")?).expect("it was just built");
    let (offset, size) = {
        let file = object::File::parse(&*bytes).expect("a linker made it");
        let section = file
            .section_by_name(section)
            .unwrap_or_else(|| panic!("deep has no {section}"));
        section.file_range().expect("it has contents")
    };
    let (offset, size) = (
        usize::try_from(offset).expect("small"),
        usize::try_from(size).expect("small"),
    );
    // The first bytes stay: a section that begins well goes further before it goes wrong.
    for (index, byte) in bytes[offset..offset + size].iter_mut().enumerate().skip(16) {
        *byte = if fill == 0 {
            (index * 151 % 251) as u8
        } else {
            fill
        };
    }
    let copy = lab.path(format!("deep{section}{fill}"));
    fs::write(&copy, bytes).expect("the directory is ours");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    Ok(copy)
}

#[test]
fn broken_binaries_cost_stacks_or_names_and_nothing_else() {
    let lab = Lab::new();
    for section in [
        ".eh_frame",
        ".eh_frame_hdr",
        ".debug_info",
        ".debug_line",
        ".debug_abbrev",
        ".symtab",
        ".note.gnu.build-id",
    ] {
        for fill in [0, 0xff] {
            let copy = require!(deep_with_broken(&lab, section, fill));
            let recorder = lab
                .record()
                .frequency(499)
                .command([copy.as_os_str(), "1".as_ref()])
                .start();
            let (ended, path) = recorder.wait();
            let what = format!("{section} filled with {fill}");
            assert!(
                ended.status.success(),
                "{what}: {} {}",
                ended.status,
                ended.stderr
            );
            assert!(!ended.stderr.contains("panicked"), "{what}: {}", ended.stderr);
            let (profile, _) = tests::read_trace(&path);
            let view = tests::View::of(&profile);
            let said = ended.stdout.lines().find_map(|line| line.strip_prefix("cpu "));
            let cpu: f64 = said
                .and_then(|cpu| cpu.parse().ok())
                .expect("it says its CPU time");
            let least = 0.6 * 499.0 * cpu;
            assert!(
                view.len() as f64 > least,
                "{what}: {} samples in {cpu} s",
                view.len()
            );
            if section.starts_with(".debug") {
                assert!(view.share_of("leaf_60") > 0.4, "{what}: {}", view.describe());
            }
            if section != ".eh_frame" {
                view.assert_complete(0.95);
            }
        }
    }
}

#[test]
fn a_file_that_is_no_trace_is_refused_by_name() {
    let lab = Lab::new();
    for (name, content) in [("empty", &b""[..]), ("text", b"hello\n"), ("zeros", &[0; 4096])] {
        let path = lab.path(name);
        fs::write(&path, content).expect("the directory is ours");
        let report = Running::spawn(Command::new(profiler_binary()).arg("report").arg(&path))
            .wait(Duration::from_secs(10));
        assert_eq!(report.code(), 1, "{name}: {}", report.stderr);
        assert!(
            report.stderr.contains(name) && !report.stderr.contains("panicked"),
            "{}",
            report.stderr
        );
    }
}
