//! The trace file: small, private, readable elsewhere and by anybody it is given to, whatever happened to the disk.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    process::Command,
    time::{Duration, Instant},
};

use tests::{Lab, Running, find_program, profiler_binary, require};

use crate::record_workload;

#[test]
fn a_trace_is_a_hundredth_of_perfs_dwarf_recording() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let deep = Running::spawn(Command::new(program).arg("60"));
    let recorder = lab.record().frequency(999).pid(deep.pid()).seconds(10.0).start();
    let perf = require!(find_program("perf"));
    Running::spawn(
        Command::new(perf)
            .args([
                "record",
                "-q",
                "-e",
                "cpu-clock",
                "-F",
                "999",
                "--call-graph",
                "dwarf",
            ])
            .args(["-p", &deep.pid().to_string(), "-o"])
            .arg(lab.path("perf.data"))
            .args(["--", "sleep", "10"]),
    )
    .wait(Duration::from_secs(60))
    .success();
    let recording = recorder.finish();
    let size = |path| fs::metadata(path).map_or(0, |file| file.size());
    let (ours, theirs) = (size(recording.path.clone()), size(lab.path("perf.data")));
    assert!(
        recording.view().len() > 8000 && theirs > 10 << 20,
        "{theirs} bytes of perf's"
    );
    assert!(
        ours * 100 <= theirs,
        "{ours} bytes are not a hundredth of perf's {theirs}"
    );
}

#[test]
fn an_ordinary_user_reads_it_without_the_recorded_binaries() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let copy = lab.path("gone");
    fs::copy(program, &copy).expect("the test's directory takes a copy");
    let recording = lab
        .record()
        .frequency(999)
        .command([copy.as_os_str(), "2".as_ref()])
        .run();
    fs::remove_file(&copy).expect("it has ended");
    chown(&recording.path, Some(65534), Some(65534)).expect("root may give a file away");
    // The binary under test may lie in a directory that only its owner enters.
    let binary = lab.path("profiler");
    fs::copy(profiler_binary(), &binary).expect("the test's directory takes a copy");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    let mut command = Command::new(binary);
    std::os::unix::process::CommandExt::uid(&mut command, 65534);
    std::os::unix::process::CommandExt::gid(&mut command, 65534);
    let report = Running::spawn(
        command
            .arg("report")
            .arg(&recording.path)
            .args(["--percent-limit", "0"]),
    )
    .wait(Duration::from_secs(30))
    .success();
    assert!(report.stdout.contains("leaf_60"), "{}", report.stdout);
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "deep", 1));
    let pipe = format!(
        "set -o pipefail; '{}' report --tree '{}' | head -n 1",
        profiler_binary().display(),
        recording.path.display()
    );
    require!(find_program("bash"));
    let ended = Running::spawn(Command::new("bash").args(["-c", &pipe])).wait(Duration::from_secs(30));
    assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
    assert!(ended.stderr.is_empty(), "{}", ended.stderr);
}

#[test]
fn the_file_is_private_and_an_older_one_is_kept_aside() {
    let lab = Lab::new();
    let record = || lab.record().command(["true"]).start().wait();
    let (first, path) = record();
    assert_eq!(first.code(), 0, "{}", first.stderr);
    let file = fs::metadata(&path).expect("the trace is there");
    assert_eq!(
        file.mode() & 0o777,
        0o600,
        "what was profiled is nobody else's business"
    );
    let inode = file.ino();
    assert_eq!(record().0.code(), 0);
    let old = path.with_extension("trace.old");
    assert_eq!(
        fs::metadata(&old).map(|file| file.ino()).ok(),
        Some(inode),
        "the older trace is kept as .old"
    );
    assert_ne!(fs::metadata(&path).expect("the new trace is there").ino(), inode);
}

#[test]
fn an_output_that_is_a_symbolic_link_is_not_followed() {
    let lab = Lab::new();
    let (precious, link) = (lab.path("precious"), lab.path("link.trace"));
    fs::write(&precious, "not to be overwritten").expect("the directory is ours");
    symlink(&precious, &link).expect("the directory is ours");
    // Whether it refuses or puts the link aside: what it points to stays as it is.
    lab.record().output(&link).command(["true"]).start().wait();
    assert_eq!(
        fs::read_to_string(&precious).expect("it is there"),
        "not to be overwritten"
    );
    let file = fs::symlink_metadata(&link).map(|file| file.file_type().is_symlink());
    let aside = fs::symlink_metadata(link.with_extension("trace.old")).is_ok();
    assert!(
        matches!(file, Ok(true)) || aside,
        "the link is neither left alone nor put aside"
    );
}

#[test]
fn a_full_disk_is_said_clearly_and_what_was_written_reads() {
    let lab = Lab::new();
    let program = require!(lab.workload("forkstorm"));
    require!(find_program("mount"));
    let small = lab.path("small");
    fs::create_dir(&small).expect("the directory is ours");
    let mount = Running::spawn(
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "none"])
            .arg(&small),
    )
    .wait(Duration::from_secs(5));
    if !mount.status.success() {
        tests::not_run!("cannot mount a small file system: {}", mount.stderr.trim());
    }
    let _storm = Running::spawn(Command::new(program).args(["20", "200"]));
    let (ended, path) = lab
        .record()
        .all()
        .frequency(4999)
        .seconds(8.0)
        .output(small.join("full.trace"))
        .start()
        .wait();
    let kept = lab.path("kept.trace");
    let copied = fs::copy(&path, &kept);
    Running::spawn(Command::new("umount").arg(&small))
        .wait(Duration::from_secs(5))
        .success();
    assert_ne!(ended.code(), 0, "a recording that lost its end is no success");
    assert!(
        ended.stderr.to_lowercase().contains("no space left"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("full.trace"), "{}", ended.stderr);
    copied.expect("the trace is there");
    let (profile, _) = tests::read_trace(&kept);
    assert!(
        !profile.samples.is_empty(),
        "what was written before the disk was full is readable"
    );
}

#[test]
fn the_report_of_a_busy_host_takes_less_than_a_second() {
    let lab = Lab::new();
    let (storm, threads) = (
        require!(lab.workload("forkstorm")),
        require!(lab.workload("threads")),
    );
    let _storm = Running::spawn(Command::new(storm).args(["40", "100"]));
    let _threads = Running::spawn(Command::new(threads).args(["40", "16"]));
    // As many samples as two busy CPUs give in a minute at 99 Hz, in less time.
    let recording = lab.record().all().frequency(594).seconds(10.0).run();
    assert!(
        recording.view().len() > 5000,
        "{} samples",
        recording.view().len()
    );
    let start = Instant::now();
    recording.report::<&str>([]).success();
    let took = start.elapsed();
    let limit = if cfg!(debug_assertions) {
        Duration::from_secs(10)
    } else {
        Duration::from_secs(1)
    };
    assert!(took < limit, "the report took {took:?}");
}

#[test]
fn report_and_trace_agree_in_json() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "deep", 2));
    let json = recording.report(["--json"]).success();
    let value: serde_json::Value = serde_json::from_str(&json.stdout).expect("--json is JSON");
    assert!(value.to_string().contains("leaf_60"), "{value}");
    let version = value.as_object().is_some_and(|object| {
        object
            .keys()
            .any(|key| key.contains("version") || key.contains("schema"))
    });
    assert!(version, "the JSON carries the version of its schema");
}
