//! Whose code ran on the CPU: against a program that divides its time itself.

use profiler::{
    profile::State,
    query::{Owner, Selection, StateRow, states},
};
use tests::{Lab, not_run, require};

/// In system calls exactly; faults by samples, within the error that is stated.
#[test]
fn user_and_kernel_time_are_those_of_the_program() {
    let lab = Lab::new();
    let program = require!(lab.workload("modes"));
    let recording = lab
        .record()
        .frequency(499)
        .arguments(["--probe", "cpu,states,syscalls"])
        .command([program.as_os_str(), "5".as_ref()])
        .run();
    assert!(recording.status.success(), "{}", recording.stderr);
    let said = |what: &str| {
        let line = recording.stdout.lines().find_map(|line| line.strip_prefix(what));
        let number = line.and_then(|number| number.trim().parse::<f64>().ok());
        number.unwrap_or_else(|| panic!("no {what:?}: {}", recording.stdout))
    };
    let (user, calls, faults) = (said("user "), said("calls "), said("faults "));
    if user + calls + faults < 2.0 {
        not_run!(
            "the machine is too busy: the program got {} s",
            user + calls + faults
        );
    }
    let states = states(&recording.profile, &Selection::default(), Owner::Process);
    let is_it = |row: &&StateRow| row.label == "modes";
    let row = states.rows.iter().find(is_it).expect("the program is there");
    let seconds = |ns: u64| ns as f64 / 1e9;
    let (modes, running) = (row.modes, seconds(row.times.of(State::Running)));
    assert_eq!(row.times.not_divided_ns, 0);
    assert_eq!(
        modes.kernel_ns() + modes.user_ns,
        row.times.of(State::Running),
        "the parts sum to the whole"
    );
    // The kernel's clock of the thread leaves out what the hypervisor takes and what interrupts it.
    let measured = seconds(modes.calls_ns);
    let (least, most) = (
        0.97 * calls,
        1.03 * calls + 0.02 * running + (running - user - calls - faults).max(0.0),
    );
    assert!(
        (least..most).contains(&measured),
        "{measured} s in calls, the program says {calls}; {user} s of its own, {faults} s in faults, {running} s in all"
    );
    let error = modes.plus_minus_ns.expect("there are samples") / 1e9;
    let estimate = seconds(modes.other_kernel_ns);
    assert!(
        (estimate - faults).abs() < error + 0.1 * faults + 0.02 * running,
        "{estimate} ± {error} s in faults, the program says {faults}"
    );
}
