//! Real servers without frame pointers under their own load generators: whole stacks, names, and perf's agreement.

use std::fmt::Write as _;

use tests::{Lab, Missing, Server, Symbols, agreement, not_run, require};

/// What the issue promises: 97 % of the user stacks complete, less than 1 % unknown frames in mapped binaries that
/// have symbols.
fn assert_promise(lab: &Lab, server: Result<Server, Missing>) {
    let server = require!(server);
    let recording = lab.record().all().frequency(499).seconds(10.0).run();
    assert!(recording.status.success(), "{}", recording.stderr);
    let view = recording.view().command(server.command);
    assert!(
        view.len() > 500,
        "only {} samples of {}",
        view.len(),
        server.command
    );
    view.assert_complete(0.97);
    let (unknown, which) = view.unknown_share(&mut Symbols::default());
    assert!(
        unknown < 0.01,
        "{:.2} % of the frames are unknown: {which}",
        100.0 * unknown
    );
}

/// perf and we sample the same seconds, and agree on the ten functions that perf finds hottest.
fn assert_agreement(lab: &Lab, server: Result<Server, Missing>) {
    let server = require!(server);
    // Long enough that chance alone stays well below the 2 points.
    let seconds = 20;
    let mut recorder = lab
        .record()
        .pid(server.pid())
        .frequency(997)
        .seconds(f64::from(seconds))
        .start();
    recorder.wait_for_trace();
    let referee = match lab.referee(server.pid(), 983, seconds) {
        Ok(referee) => referee,
        Err(Missing(reason)) => not_run!("no referee: {reason}"),
    };
    let recording = recorder.finish();
    let mut symbols = Symbols::default();
    let theirs = referee.shares(&mut symbols);
    let ours = recording.view().places(&mut symbols);
    let mut table = String::new();
    let mut agreed = true;
    for (place, theirs, ours) in agreement(&theirs, &ours) {
        // Two samples of the same time, each with its own chance: 4 standard deviations of their difference.
        let variance = 2.0 * theirs.share * (1.0 - theirs.share) / recording.view().len() as f64;
        let agrees = (theirs.share - ours.share).abs() <= (4.0 * variance.sqrt()).max(0.02);
        // A name is given where the binary's symbols have one.
        let named = place.start == 0 || ours.share == 0.0 || !ours.name.is_empty();
        agreed &= agrees && named;
        let _ = writeln!(
            table,
            "{} {:#x} {}: perf {:.1} %, we {:.1} % as {:?}{}",
            place.module,
            place.start,
            theirs.name,
            100.0 * theirs.share,
            100.0 * ours.share,
            ours.name,
            if agrees && named { "" } else { "  <-- " }
        );
    }
    assert!(
        agreed,
        "perf does not agree:\n{table}{}",
        recording.view().describe()
    );
}

#[test]
fn redis() {
    let lab = Lab::new();
    assert_promise(&lab, lab.redis());
}

#[test]
fn nginx() {
    let lab = Lab::new();
    assert_promise(&lab, lab.nginx());
}

#[test]
fn postgres() {
    let lab = Lab::new();
    assert_promise(&lab, lab.postgres());
}

#[test]
fn python() {
    let lab = Lab::new();
    assert_promise(&lab, lab.python());
}

#[test]
fn perf_agrees_on_redis() {
    let lab = Lab::new();
    assert_agreement(&lab, lab.redis());
}

#[test]
fn perf_agrees_on_python() {
    let lab = Lab::new();
    assert_agreement(&lab, lab.python());
}

#[test]
fn perf_agrees_on_a_program_with_symbols() {
    let lab = Lab::new();
    let program = require!(lab.workload("cpp"));
    assert_agreement(&lab, Ok(Server::program("cpp", &program)));
}
