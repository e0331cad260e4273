//! `top` in a real terminal, on programs whose profile is known.

use std::{process::Command, time::Duration};

use tests::{Lab, Running, Terminal, profiler_binary, require};

/// How long anything may take to be on the screen: names are resolved first, which takes an unoptimised build its time.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 40 } else { 20 });

/// Opens the dashboard, and waits for its first picture.
fn open(lab: &Lab, arguments: &str) -> Result<Terminal, tests::Missing> {
    let terminal = Terminal::open(lab, 140, 40)?;
    terminal.run(&format!("{} top {arguments}", profiler_binary().display()));
    terminal.wait_for("samples/s", LIMIT);
    Ok(terminal)
}

/// Leaves it: the shell's screen is there again, and its terminal echoes.
fn leave(terminal: &Terminal) {
    terminal.keys(["q"]);
    terminal.wait_until("prompt", LIMIT, |screen| {
        screen.trim_end().ends_with("prompt>") && !screen.contains("samples/s")
    });
    terminal.run("echo $((6 * 7))");
    terminal.wait_until("echo of what is typed", LIMIT, |screen| {
        screen.contains("prompt> echo $((6 * 7))") && screen.contains("\n42\n")
    });
}

pub(crate) fn the_hot_function_and_the_planted_wait_are_on_the_screen(lab: &Lab) {
    let hot = require!(lab.workload("deep"));
    let waiting = require!(lab.workload("locks"));
    let spinner = Running::spawn(Command::new(hot).arg("120"));
    let waiters = Running::spawn(Command::new(waiting).args(["mutex", "120"]));
    let terminal = require!(open(lab, "--max-overhead 100"));
    // The hot function.
    terminal.keys(["1"]);
    terminal.wait_until("leaf_60 above leaf_10", LIMIT, |screen| {
        let line = |name: &str| screen.lines().position(|line| line.contains(name));
        line("leaf_60").is_some_and(|hot| line("leaf_10").is_none_or(|cold| hot < cold))
    });
    // Its line, of which the symbol table knows none, with the function that was inlined there, and its source.
    terminal.keys(["/"]);
    terminal.run("leaf_60");
    terminal.keys(["a"]);
    terminal.wait_until(
        "line with the inlined function, and its source",
        LIMIT,
        |screen| {
            screen.contains("deep.c:")
                && screen.contains("in work, inlined")
                && screen.contains("void leaf_60(void) { work(UNIT); }")
        },
    );
    terminal.keys(["Escape", "Escape"]);
    // Who calls it: a search goes there, and Enter opens it.
    terminal.keys(["2", "/"]);
    terminal.run("deep");
    let screen = terminal.wait_for("deep", LIMIT);
    assert!(screen.contains(&spinner.pid().to_string()), "{screen}");
    terminal.keys(["Escape"]);
    // The wait, with its lock and its holder.
    terminal.keys(["7"]);
    terminal.wait_for("hot_lock", LIMIT);
    terminal.wait_for("hot_section", LIMIT);
    // How the threads spend their time.
    terminal.keys(["4", "/"]);
    terminal.run("locks");
    terminal.wait_until("the process that waits", LIMIT, |screen| {
        screen.contains(&waiters.pid().to_string())
    });
    leave(&terminal);
}

/// While it lasts, and nothing moves.
#[test]
fn a_deadlock_is_on_the_screen_while_it_lasts() {
    let lab = Lab::new();
    let program = require!(lab.workload("locks"));
    let stuck = Running::spawn(Command::new(program).args(["deadlock", "120"]));
    let terminal = require!(open(&lab, "--max-overhead 100"));
    terminal.keys(["7"]);
    let screen = terminal.wait_for("deadlock", LIMIT);
    assert!(screen.contains(&stuck.pid().to_string()), "{screen}");
    terminal.wait_for("left_then_right", LIMIT);
    leave(&terminal);
}

#[test]
fn a_trace_is_opened_as_the_live_view_is() {
    let lab = Lab::new();
    let recording = require!(crate::record_workload(&lab, "deep", 2));
    let terminal = require!(Terminal::open(&lab, 80, 24));
    let binary = profiler_binary();
    terminal.run(&format!("{} top {}", binary.display(), recording.path.display()));
    terminal.keys(["1"]);
    terminal.wait_for("work", LIMIT);
    // The tree, opened at its begin, and as a flame graph.
    terminal.keys(["3"]);
    let screen = terminal.wait_for("_start", LIMIT);
    if screen.contains("▸ _start") {
        terminal.keys(["Enter"]);
    }
    terminal.wait_for("▾ step_05", LIMIT);
    terminal.keys(["v"]);
    terminal.wait_for("▏step_05", LIMIT);
    terminal.keys(["q"]);
    terminal.wait_until("prompt", LIMIT, |screen| screen.trim_end().ends_with("prompt>"));
}
