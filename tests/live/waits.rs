//! Slow waits that are no system calls: for a CPU, and for memory.

use std::process::Command;

use profiler::profile::{Operation, Profile, SlowEvent, State, Waker};
use tests::{Lab, Running, View, not_run, require};

fn waits<'a>(
    profile: &'a Profile,
    name: &'a str,
    operation: Operation,
) -> impl Iterator<Item = &'a SlowEvent> {
    let is_it =
        move |event: &&SlowEvent| event.operation == operation && profile.threads[event.thread].name == name;
    profile.slow.iter().filter(is_it)
}

/// Pages of a mapping that have to be read from a disk: each wait with the stack that touched the page.
#[test]
fn page_faults_that_wait_for_a_disk_are_told() {
    let lab = Lab::new();
    let program = require!(lab.workload("modes"));
    let file = lab.path("pages");
    let recording = lab
        .record()
        .arguments(["--probe", "cpu,syscalls", "--slow", "1us"])
        .command([program.as_os_str(), "fault".as_ref(), file.as_os_str()])
        .run();
    assert!(recording.status.success(), "{}", recording.stderr);
    let line = recording
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("faults "));
    let faults: u64 = line
        .and_then(|count| count.parse().ok())
        .expect("it says how many");
    let profile = &recording.profile;
    let in_fault = |span: &profiler::profile::ThreadTime| span.ns[State::PageFault as usize];
    let waited: u64 = profile.thread_times.iter().map(in_fault).sum();
    if faults < 100 || waited == 0 {
        not_run!("{faults} faults went to a disk, and threads waited {waited} ns for them");
    }
    let found: Vec<_> = waits(profile, "modes", Operation::PageFault).collect();
    assert!(found.len() >= 5, "{} of {faults}", found.len());
    let with_stack = found.iter().filter(|event| {
        let stack = event
            .stack
            .map_or(Vec::new(), |stack| View::of(profile).names_of(stack));
        ["main", "touch_pages"]
            .iter()
            .all(|name| stack.iter().any(|frame| frame == name))
    });
    let with_stack = with_stack.count();
    assert!(
        with_stack * 10 >= found.len() * 9,
        "{with_stack} of {}",
        found.len()
    );
}

/// Four threads want one CPU: who waits long is told, and who had the CPU.
#[test]
fn long_waits_for_a_cpu_say_who_had_it() {
    let lab = Lab::new();
    let program = require!(lab.workload("deep"));
    let spin = || Running::spawn(Command::new("taskset").args(["-c", "0"]).arg(&program).arg("60"));
    let spinners = [spin(), spin(), spin(), spin(), spin(), spin()];
    let recording = lab
        .record()
        .arguments(["-a", "--probe", "cpu,syscalls", "--slow", "500us"])
        .seconds(3.0)
        .run();
    drop(spinners);
    assert!(recording.status.success(), "{}", recording.stderr);
    let profile = &recording.profile;
    let found: Vec<_> = waits(profile, "deep", Operation::RunQueue).collect();
    assert!(found.len() >= 20, "{} found", found.len());
    assert!(
        found.iter().all(|event| event.duration_ns >= 5_000_000),
        "{found:?}"
    );
    let by = |is_it: &dyn Fn(&str) -> bool| {
        let others = found.iter().filter(|event| match event.waker {
            Waker::Thread(thread) => thread != event.thread && is_it(&profile.threads[thread].name),
            _ => false,
        });
        others.count()
    };
    // Whatever else runs on the machine has the CPU now and then.
    let (anybody, spinner) = (by(&|_| true), by(&|name| name == "deep"));
    assert!(anybody * 10 > found.len() * 9, "{anybody} of {}", found.len());
    assert!(spinner * 5 > found.len(), "{spinner} of {}", found.len());
}
