//! `cargo xtask test`: everything that can be tested in minutes, and a word about what was left out.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    live::{Build, Live, SHORT},
    process::{can_be_root, cargo},
    say, setup,
    tally::Tally,
};

#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> Result<ExitCode> {
    setup::ensure()?;
    let mut tally = Tally::of(cargo().args([
        "test",
        "--workspace",
        "--exclude",
        "profiler-ebpf",
        "--no-fail-fast",
    ]))?;

    let live = Live::build(Build::Release)?;
    if can_be_root() {
        live.prepare(false)?;
        let short = live.run(Some(SHORT))?;
        say(&format!(
            "left out: the {} live tests that take longer (cargo xtask live --all)",
            live.count(None)? - live.count(Some(SHORT))?
        ));
        tally += short;
    } else {
        let count = live.count(None)?;
        say(&format!(
            "left out: all {count} live tests, which need root (cargo xtask live)"
        ));
        tally.skipped += count;
    }
    say("left out: the checks on other kernels (cargo xtask vm)");
    Ok(tally.close())
}
