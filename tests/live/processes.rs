//! Processes that come and go, and code that does: names and stacks must follow.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use profiler::profile::{MappingKind, Outcome};
use tests::{Lab, Recording, Running, View, maps, open_file_count, require, resident_bytes};

use crate::record_workload;

/// Five hundred short processes a second for `seconds`: at least 95 % of the samples have the right command, the right
/// functions and a whole stack, and no image is unwound by another's rows. Returns what the recorder used on the way.
pub(crate) fn fork_storm(lab: &Lab, seconds: u32) {
    let program = require!(lab.workload("forkstorm"));
    let mut recorder = lab
        .record()
        .frequency(999)
        .command([program.as_os_str(), seconds.to_string().as_ref(), "500".as_ref()])
        .start();
    let used = watch(&mut recorder, seconds);
    let recording = recorder.finish();
    assert!(recording.status.success(), "{}", recording.stderr);
    let rate = recording
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("per_second "));
    let rate: f64 = rate.and_then(|rate| rate.parse().ok()).unwrap_or(0.0);
    if rate < 350.0 {
        tests::not_run!("the machine is too busy: it managed {rate} processes a second, which is no storm");
    }
    assert_storm(&recording, seconds);
    assert_no_leak(&used);
}

fn assert_storm(recording: &Recording, seconds: u32) {
    let view = recording.view();
    // Five processes of every kind a second of 2 ms each: far more than a tenth of that must be seen.
    assert!(
        view.len() > 100 * seconds as usize,
        "{} samples of the storm",
        view.len()
    );
    let right = view.filter(|profile, sample| {
        let process = &profile.processes[profile.threads[sample.thread].process];
        let whole = matches!(sample.outcome, Outcome::Complete | Outcome::NoUserStack);
        let known = ["forkstorm", "storm_pie", "storm_nopie"].contains(&process.name.as_str());
        whole && known && of_one_image(&View::of(profile).stack(sample), &process.name)
    });
    let share = right.len() as f64 / view.len() as f64;
    let wrong = view.filter(|_, sample| !right.samples().contains(&sample));
    assert!(
        share >= 0.95,
        "{:.1} % of {} samples of a fork storm are right: {}",
        100.0 * share,
        view.len(),
        wrong.describe()
    );
    for (command, kind) in [
        ("forkstorm", "fork"),
        ("storm_pie", "pie"),
        ("storm_nopie", "nopie"),
    ] {
        let work = format!("storm_work_{kind}");
        let outer = format!("storm_outer_{kind}");
        let of_command = view.command(command);
        let at_work = of_command.through(&work);
        assert!(
            at_work.len() > 20,
            "{} samples of {work}: {}",
            at_work.len(),
            of_command.describe()
        );
        let chain: &[&str] = &["main", &outer, &work];
        if kind == "fork" {
            at_work.assert_chain(&["main", "start", &outer, &work], 0.95);
        } else {
            at_work.assert_chain(chain, 0.95);
        }
    }
    assert_never_by_anothers_rows(&view);
}

/// Whether all functions of the workloads on this stack belong to the one program that `command` runs.
fn of_one_image(stack: &[String], command: &str) -> bool {
    let foreign: &[&str] = match command {
        "storm_pie" => &["_fork", "_nopie", "start"],
        "storm_nopie" => &["_fork", "_pie", "start"],
        _ => &["_pie", "_nopie"],
    };
    !stack.iter().any(|name| {
        foreign
            .iter()
            .any(|foreign| name == foreign || (name.starts_with("storm_") && name.ends_with(foreign)))
    })
}

/// Not one sample of an exec'ed program may have a frame of its parent's executable.
fn assert_never_by_anothers_rows(view: &View<'_>) {
    for command in ["storm_pie", "storm_nopie"] {
        let crossed = view.command(command).filter(|profile, sample| {
            let mut locations = sample
                .stack
                .into_iter()
                .flat_map(|stack| profile.stacks.locations(stack));
            locations.any(|location| profile.mapping_of(location).name() == "forkstorm")
        });
        assert!(
            crossed.is_empty(),
            "{} samples of {command} have frames of the program that started it: {:?}",
            crossed.len(),
            crossed.stacks().into_keys().next()
        );
    }
}

/// What the recorder used once a second: descriptors, maps, resident bytes.
fn watch(recorder: &mut tests::Recorder, seconds: u32) -> Vec<(usize, usize, u64)> {
    let end = Instant::now() + Duration::from_secs(u64::from(seconds));
    let mut used = Vec::new();
    while recorder.is_running() && Instant::now() < end {
        std::thread::sleep(Duration::from_secs(1));
        if let Some(resident) = resident_bytes(recorder.pid()) {
            used.push((
                open_file_count(recorder.pid()),
                maps(recorder.pid()).len(),
                resident,
            ));
        }
    }
    used
}

/// Nothing may grow with the number of processes that were: thousands came and went between the first and last look.
fn assert_no_leak(used: &[(usize, usize, u64)]) {
    let [first, .., last] = used else {
        panic!("the recorder was gone before it could be watched");
    };
    assert!(
        last.0 <= first.0 + 64,
        "open descriptors, then and now: {} {}",
        first.0,
        last.0
    );
    assert!(
        last.1 <= first.1 + 64,
        "BPF maps, then and now: {} {}",
        first.1,
        last.1
    );
    assert!(
        last.2 <= first.2 + (48 << 20),
        "resident bytes, then and now: {} {}",
        first.2,
        last.2
    );
}

#[test]
fn a_fork_storm_of_twenty_seconds() {
    let lab = Lab::new();
    fork_storm(&lab, 20);
}

#[test]
fn libraries_that_come_and_go() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "dlopen", 10));
    let view = recording.view();
    view.assert_truth(&recording.truth());
    view.assert_complete(0.99);
    for (leaf, middle) in [
        ("plugin_leaf_a", "plugin_middle_a"),
        ("plugin_leaf_b", "plugin_middle_b"),
    ] {
        view.through(leaf)
            .assert_chain(&["call_plugin", "plugin_run", middle, leaf], 0.97);
    }
}

#[test]
fn just_in_time_code_is_walked_and_named_by_its_perf_map() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "jit", 5));
    let view = recording.view();
    view.assert_truth(&recording.truth());
    view.assert_complete(0.97);
    view.through("jit_callback")
        .assert_chain(&["run_jitted", "jit_outer", "jit_inner", "jit_callback"], 0.97);
}

#[test]
fn sixty_four_busy_threads_keep_their_names() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "threads", 5));
    recording.view().assert_complete(0.99);
    for (name, &expected) in &recording.truth().0 {
        let share = recording.view().thread(name).len() as f64 / recording.view().len() as f64;
        assert!(
            (share - expected).abs() < 0.01,
            "{name} ran {expected}, and the profile says {share}"
        );
    }
}

#[test]
fn a_process_goes_on_without_its_first_thread() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "leader", 3));
    let view = recording.view().through("without_leader");
    assert!(view.len() > 2000, "{}", recording.view().describe());
    view.assert_complete(0.99);
}

#[test]
fn a_process_without_its_first_thread_is_found_by_pid() {
    let lab = Lab::new();
    let program = require!(lab.workload("leader"));
    let leader = Running::spawn(Command::new(program).arg("20"));
    std::thread::sleep(Duration::from_millis(200));
    let recording = lab.record().frequency(999).pid(leader.pid()).seconds(2.0).run();
    let view = recording.view().pid(leader.pid());
    assert!(view.share_of("without_leader") > 0.95, "{}", view.describe());
    view.assert_complete(0.99);
}

#[test]
fn a_program_whose_file_is_deleted_keeps_its_names() {
    let lab = Lab::new();
    let program = require!(lab.workload("renamed"));
    let copy = lab.path("renamed");
    fs::copy(program, &copy).expect("the test's directory takes a copy");
    let recording = lab
        .record()
        .frequency(999)
        .command([copy.as_os_str(), "3".as_ref(), "delete".as_ref()])
        .run();
    recording.view().assert_truth(&recording.truth());
    recording.view().assert_complete(0.99);
}

#[test]
fn another_program_in_its_place_does_not_lend_its_names() {
    let lab = Lab::new();
    let (program, other) = (require!(lab.workload("renamed")), require!(lab.workload("deep")));
    let (copy, replacement) = (lab.path("renamed"), lab.path("other"));
    fs::copy(program, &copy).expect("the test's directory takes a copy");
    fs::copy(other, &replacement).expect("the test's directory takes a copy");
    let arguments = ["3".as_ref(), "replace".as_ref(), replacement.as_os_str()];
    let running = Running::spawn(Command::new(&copy).args(arguments));
    std::thread::sleep(Duration::from_millis(300));
    let recording = lab.record().frequency(999).pid(running.pid()).seconds(2.0).run();
    let view = recording.view();
    assert!(view.share_of("work_without_file") > 0.95, "{}", view.describe());
    view.assert_complete(0.99);
}

#[test]
fn a_binary_that_only_another_mount_namespace_has() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    require!(tests::find_program("unshare"));
    let inside = lab.path("inside");
    fs::create_dir(&inside).expect("the directory is ours");
    let script = format!(
        "mount -t tmpfs none {0} && cp {1} {0}/contained && exec {0}/contained 20",
        inside.display(),
        program.display()
    );
    let running = Running::spawn(
        Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .args(["sh", "-c", &script]),
    );
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        !inside.join("contained").exists(),
        "the mount is to be seen from inside alone"
    );
    let recording = lab.record().frequency(999).pid(running.pid()).seconds(2.0).run();
    let view = recording.view();
    assert!(view.share_of("leaf_60") > 0.5, "{}", view.describe());
    view.assert_complete(0.99);
}

#[test]
fn processes_that_end_within_milliseconds_are_named_system_wide() {
    let lab = Lab::new();
    let program = require!(lab.workload("forkstorm"));
    let storm = Running::spawn(Command::new(program).args(["8", "300"]));
    let recording = lab.record().all().frequency(999).seconds(4.0).run();
    drop(storm);
    for (command, work) in [
        ("storm_pie", "storm_work_pie"),
        ("storm_nopie", "storm_work_nopie"),
    ] {
        let view = recording.view().command(command);
        assert!(view.len() > 100, "{} samples of {command}", view.len());
        assert!(view.total_share_of(work) > 0.5, "{command}: {}", view.describe());
        view.assert_complete(0.95);
    }
}

#[test]
fn exec_starts_a_new_image_under_the_same_pid() {
    let lab = Lab::new();
    let (storm, deep) = (
        require!(lab.workload("storm_nopie")),
        require!(lab.workload("deep_nopie")),
    );
    let script = format!("{} 100000000; exec {} 1", storm.display(), deep.display());
    let recording = lab.record().frequency(999).command(["sh", "-c", &script]).run();
    let view = recording.view();
    let (before, after) = (view.command("storm_nopie"), view.command("deep_nopie"));
    assert!(before.share_of("storm_work_nopie") > 0.9, "{}", before.describe());
    assert!(after.share_of("leaf_60") > 0.5, "{}", after.describe());
    assert!(before.total_share_of("step_01") == 0.0 && after.total_share_of("storm_work_nopie") == 0.0);
    let unknown = view.filter(|profile, sample| {
        let mut locations = sample
            .stack
            .into_iter()
            .flat_map(|stack| profile.stacks.locations(stack));
        locations.any(|location| matches!(profile.mapping_of(location).kind, MappingKind::Unknown(_)))
    });
    assert!(
        unknown.len() * 100 <= view.len(),
        "{} of {} samples lie in no mapping",
        unknown.len(),
        view.len()
    );
}

#[test]
fn a_recording_follows_to_the_end_of_the_last_child() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let script = format!("{} 2 & exit 0", program.display());
    let recording = lab.record().frequency(999).command(["sh", "-c", &script]).run();
    let view = recording.view().command("deep");
    // What it got of a busy machine is what it can be sampled in.
    let cpu = recording.cpu_seconds();
    assert!(
        view.len() as f64 > 0.8 * 999.0 * cpu,
        "{} samples in {cpu} s of a child that outlives its parent",
        view.len()
    );
}
