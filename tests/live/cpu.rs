//! Shares and stacks of programs whose profile is known: 999 Hz over ten seconds.

use std::{fs, process::Command};

use tests::{Lab, Recording, Running, View, require};

use crate::{deep_chain, record_workload};

/// What the issue promises of every workload: leaves within 2 points of the truth, 99 % of the stacks complete.
fn assert_promise(recording: &Recording) {
    recording.view().assert_truth(&recording.truth());
    recording.view().assert_complete(0.99);
    assert_no_loss(recording);
}

fn assert_no_loss(recording: &Recording) {
    let quality = recording.profile.quality_total();
    let share = quality.lost_total() as f64 / (recording.view().len() + 1) as f64;
    assert!(
        share < 0.01,
        "lost {:?} beside {} samples",
        quality.lost,
        recording.view().len()
    );
}

fn assert_deep(view: &View<'_>) {
    for leaf in ["leaf_60", "leaf_30", "leaf_10"] {
        let chain = deep_chain(leaf);
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        view.through(leaf).assert_chain(&chain, 0.99);
    }
}

/// Every stack of the workload `program`, one of those made of `deep.c`.
fn all_of_deep(program: &str) {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, program, 10));
    assert_promise(&recording);
    assert_deep(&recording.view());
}

#[test]
fn deep_frames_of_every_kind() {
    all_of_deep("deep");
}

/// Neither `.eh_frame` nor frame pointers: what the instructions do to the stack pointer is all there is.
#[test]
fn without_unwind_information() {
    all_of_deep("deep_bare");
}

/// Without symbols, Go's own table has the names and says how to unwind; clocks are looked at on another stack.
#[test]
fn a_program_in_go_without_symbols() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "spin_go", 10));
    let view = recording.view();
    for (name, share) in recording.truth().0 {
        let through = view.through(&name);
        let found = through.len() as f64 / view.len() as f64;
        assert!(
            (found - share).abs() < 0.03,
            "{name}: {found:.3}, the program says {share}"
        );
        let chain = ["runtime.goexit", "main.main.func1", "main.turn", &name].map(str::to_owned);
        let whole = through.share(|sample| through.stack(sample).starts_with(&chain));
        assert!(whole > 0.98, "{name}: {whole:.3} {}", through.describe());
    }
    view.assert_complete(0.98);
    assert_no_loss(&recording);
}

#[test]
fn at_a_fixed_address() {
    all_of_deep("deep_nopie");
}

#[test]
fn linked_statically() {
    all_of_deep("deep_static");
}

#[test]
fn linked_by_lld() {
    all_of_deep("deep_lld");
}

#[test]
fn frame_pointers_where_there_are_no_unwind_tables() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "deep_fp", 10));
    recording.view().assert_truth(&recording.truth());
    // In the first and last instructions of a function the frame pointer is still, or again, the caller's.
    recording.view().assert_complete(0.97);
}

#[test]
fn two_hundred_calls_deep() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "recurse", 10));
    assert_promise(&recording);
    let stacks = recording.view().through("bottom").stacks();
    let whole = |stack: &[String]| stack.iter().filter(|name| name.starts_with("recurse_")).count() == 199;
    let (all, right) = stacks.iter().fold((0, 0), |(all, right), (stack, count)| {
        (all + count, right + if whole(stack) { *count } else { 0 })
    });
    assert!(
        right as f64 >= 0.99 * all as f64,
        "{right} of {all} stacks have all 199 frames of the recursion"
    );
}

#[test]
fn exceptions_templates_and_virtual_calls() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "cpp", 10));
    // The program's account is of its four functions; the C++ runtime's work on exceptions comes on top.
    let truth = recording.truth();
    let four = recording.view().filter(|profile, sample| {
        let innermost = View::of(profile).innermost_user(sample);
        innermost
            .and_then(|location| tests::physical_name(profile, location))
            .is_some_and(|name| {
                truth
                    .0
                    .keys()
                    .any(|own| tests::bare_name(own) == tests::bare_name(name))
            })
    });
    four.assert_truth(&truth);
    recording.view().assert_complete(0.99);
    let circle = recording.view().through("shapes::Circle::area()");
    assert!(
        circle.total_share_of("shapes::Fold<shapes::Shape*>::call(shapes::Shape*)") > 0.99,
        "{}",
        circle.describe()
    );
    let guard = recording.view().through("shapes::Guard::~Guard()");
    assert!(guard.total_share_of("main") > 0.99, "{}", guard.describe());
}

#[test]
fn rust_release_binaries() {
    let lab = Lab::new();
    assert_promise(&require!(record_workload(&lab, "rust_release", 10)));
}

#[test]
fn rust_release_binaries_linked_by_lld() {
    let lab = Lab::new();
    assert_promise(&require!(record_workload(&lab, "rust_release_lld", 10)));
}

#[test]
fn callbacks_of_the_c_library() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "qsort", 10));
    let view = recording.view();
    assert!(view.share_of("compare") > 0.95, "{}", view.describe());
    view.assert_complete(0.99);
    let sorted = view.through("compare");
    assert!(sorted.total_share_of("sort_once") > 0.99, "{}", sorted.describe());
}

#[test]
fn signal_handlers() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "signal", 10));
    assert_promise(&recording);
    let inside = recording.view().through("in_handler_on_alternate_stack");
    assert!(inside.total_share_of("main") > 0.97, "{}", inside.describe());
}

#[test]
fn assembly_in_the_c_library_is_reached_from_the_right_callers() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "libcpy", 10));
    let view = recording.view();
    view.assert_complete(0.99);
    let called = view.total_share_of("copy_block") + view.total_share_of("measure_block");
    assert!(called > 0.99, "{}", view.describe());
    assert!(view.total_share_of("main") > 0.99, "{}", view.describe());
}

#[test]
fn the_vdso_has_names_and_callers() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "vdso", 10));
    let view = recording.view();
    view.assert_complete(0.99);
    assert!(view.total_share_of("ask_time") > 0.99, "{}", view.describe());
    let inside = view.share_of("__vdso_clock_gettime") + view.share_of("clock_gettime");
    assert!(inside > 0.5, "{}", view.describe());
}

#[test]
fn inlined_functions_and_lines_are_named() {
    let lab = Lab::new();
    let recording = require!(record_workload(&lab, "deep", 2));
    let profile = &recording.profile;
    let leaf = recording.view().through("leaf_60");
    let innermost = leaf
        .samples()
        .iter()
        .filter_map(|sample| leaf.innermost_user(sample));
    let (mut all, mut inlined) = (0, 0);
    for location in innermost {
        all += 1;
        let lines = &profile.lines[&location];
        let first = lines.first().expect("it has a name");
        let function = &profile.functions[first.function];
        inlined +=
            usize::from(function.name == "work" && function.file.ends_with("workload.h") && first.line > 0);
    }
    assert!(
        all > 0 && inlined * 100 >= all * 90,
        "work() of workload.h is inlined into leaf_60, seen in {inlined} of {all} samples"
    );
}

#[test]
fn a_separate_debug_file_names_a_stripped_binary() {
    let lab = Lab::new();
    let deep = require!(lab.workload("deep"));
    require!(tests::find_program("objcopy"));
    let (stripped, debug) = (lab.path("apart"), lab.path("apart.debug"));
    let objcopy = |arguments: &[&std::ffi::OsStr]| {
        Running::spawn(Command::new("objcopy").args(arguments))
            .wait(std::time::Duration::from_secs(10))
            .success()
    };
    objcopy(&["--only-keep-debug".as_ref(), deep.as_ref(), debug.as_ref()]);
    fs::copy(&deep, &stripped).expect("the test's directory takes a copy");
    objcopy(&["--strip-all".as_ref(), stripped.as_ref()]);
    let link = format!("--add-gnu-debuglink={}", debug.display());
    objcopy(&[link.as_ref(), stripped.as_ref()]);
    let recording = lab
        .record()
        .frequency(999)
        .command([stripped.as_os_str(), "2".as_ref()])
        .run();
    recording.view().assert_truth(&recording.truth());
}
