//! What is asked for is recorded, and nothing else.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

use profiler::profile::ThreadTime;
use tests::{Lab, Running, not_run, require};

#[test]
fn a_pid_is_recorded_alone() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let wanted = Running::spawn(Command::new(&program).arg("20"));
    let other = Running::spawn(Command::new(&program).arg("20"));
    let recording = lab.record().frequency(499).pid(wanted.pid()).seconds(2.0).run();
    assert!(
        recording.view().pid(wanted.pid()).len() > 300,
        "{}",
        recording.view().describe()
    );
    assert!(
        recording.view().pid(other.pid()).is_empty(),
        "the other process was recorded too"
    );
    assert_eq!(recording.view().len(), recording.view().pid(wanted.pid()).len());
}

#[test]
fn children_of_a_pid_are_recorded_with_it() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let script = format!("sleep 1; {} 20", program.display());
    let shell = Running::spawn(Command::new("sh").args(["-c", &script]));
    let recording = lab.record().frequency(499).pid(shell.pid()).seconds(4.0).run();
    let view = recording.view().command("deep");
    assert!(view.len() > 500, "{}", recording.view().describe());
    view.assert_complete(0.99);
}

#[test]
fn a_command_pattern_is_recorded_alone() {
    let lab = Lab::new();
    let (deep, recurse) = (require!(lab.workload("deep")), require!(lab.workload("recurse")));
    let _deep = Running::spawn(Command::new(deep).arg("20"));
    let _recurse = Running::spawn(Command::new(recurse).arg("20"));
    let recording = lab
        .record()
        .frequency(499)
        .arguments(["--comm", "rec*"])
        .seconds(2.0)
        .run();
    assert!(
        recording.view().command("recurse").len() > 300,
        "{}",
        recording.view().describe()
    );
    assert!(recording.view().command("deep").is_empty());
}

#[test]
fn a_thread_is_recorded_alone() {
    let lab = Lab::new();
    let program = require!(lab.workload("threads"));
    let threads = Running::spawn(Command::new(program).args(["20", "3"]));
    std::thread::sleep(Duration::from_millis(200));
    let tids: Vec<u32> = fs::read_dir(format!("/proc/{}/task", threads.pid()))
        .expect("it runs")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let tid = *tids.iter().max().expect("it has threads");
    let recording = lab
        .record()
        .frequency(999)
        .arguments(["-t", &tid.to_string()])
        .seconds(2.0)
        .run();
    let view = recording.view();
    assert!(view.len() > 200, "{}", view.describe());
    let other = view.filter(|profile, sample| profile.threads[sample.thread].tid != tid);
    assert!(other.is_empty(), "{} samples of other threads", other.len());
}

#[test]
fn a_cgroup_is_recorded_alone() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let mounts = fs::read_to_string("/proc/mounts").expect("/proc is mounted");
    let unified = mounts
        .lines()
        .find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [_, place, "cgroup2", ..] => Some(place),
            _ => None,
        });
    let Some(root) = unified else {
        not_run!("cgroup v2 is not mounted");
    };
    let group = Path::new(root).join(format!("profiler-live-{}", std::process::id()));
    let below = group.join("below");
    if let Err(error) = fs::create_dir_all(&below) {
        not_run!("cannot make the cgroup {}: {error}", below.display());
    }
    let run = || Running::spawn(Command::new(&program).arg("20"));
    let (inside, deeper, outside) = (run(), run(), run());
    for (place, running) in [(&group, &inside), (&below, &deeper)] {
        fs::write(place.join("cgroup.procs"), running.pid().to_string()).expect("a process can be moved");
    }
    let recording = lab
        .record()
        .frequency(499)
        .arguments(["-G".as_ref(), group.as_os_str()])
        .seconds(2.0)
        .run();
    let wanted = [inside.pid(), deeper.pid()];
    let outside_pid = outside.pid();
    drop((inside, deeper));
    // Its last process is gone a moment after it was killed.
    std::thread::sleep(Duration::from_millis(200));
    for place in [&below, &group] {
        fs::remove_dir(place).expect("the cgroup is empty");
    }
    for pid in wanted {
        assert!(
            !recording.view().pid(pid).is_empty(),
            "{}",
            recording.view().describe()
        );
    }
    assert!(recording.view().pid(outside_pid).is_empty());
    let profile = &recording.profile;
    let process_of = |span: &ThreadTime| profile.threads[span.thread].process;
    let with_times: BTreeSet<u32> = profile
        .thread_times
        .iter()
        .map(|span| profile.processes[process_of(span)].pid)
        .collect();
    assert_eq!(with_times, wanted.into());
}

#[test]
fn kernel_and_user_frames_can_be_left_out() {
    let lab = Lab::new();
    let record = |flag: &str| {
        let command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=3000000"];
        lab.record()
            .frequency(999)
            .output(lab.path(flag))
            .arguments([flag])
            .command(command)
            .run()
    };
    let frames = |recording: &tests::Recording, kernel: bool| {
        let profile = &recording.profile;
        let of_kind = |location| profile.mapping_of(location).is_kernel() == kernel;
        profile
            .samples
            .iter()
            .filter(|sample| {
                sample
                    .stack
                    .is_some_and(|stack| profile.stacks.locations(stack).any(of_kind))
            })
            .count()
    };
    let (user, kernel) = (record("--no-kernel"), record("--no-user"));
    assert!(frames(&user, false) > 100, "{}", user.view().describe());
    assert_eq!(frames(&user, true), 0, "kernel frames in spite of --no-kernel");
    assert!(
        frames(&kernel, true) > 100,
        "no kernel frames of a program that lives in system calls"
    );
    assert_eq!(frames(&kernel, false), 0, "user frames in spite of --no-user");
}

#[test]
fn frequencies_out_of_range_are_refused_in_words() {
    let lab = Lab::new();
    for frequency in ["0", "10000", "many"] {
        let (ended, path) = lab
            .record()
            .arguments(["-F", frequency])
            .command(["true"])
            .start()
            .wait();
        assert_ne!(ended.code(), 0, "-F {frequency} was taken");
        assert!(
            ended.stderr.contains(frequency) && !ended.stderr.contains("panicked"),
            "{}",
            ended.stderr
        );
        assert!(!path.exists(), "a refused recording left a file");
    }
}

#[test]
fn a_process_that_does_not_exist_is_named() {
    let lab = Lab::new();
    let (ended, _) = lab.record().pid(4_194_303).seconds(1.0).start().wait();
    assert_ne!(ended.code(), 0);
    assert!(ended.stderr.contains("4194303"), "{}", ended.stderr);
}
