//! The live tests' workshop: programs whose profile is known, real servers under load, recordings by the real
//! `profiler`, and `perf` and bpftrace as the referees.
//!
//! A live test opens a [`Lab`], which gives it the machine to itself, and everything it starts ends with it. What a
//! test cannot have on this machine it names with [`not_run!`] or [`require!`], which `cargo xtask live` adds up: a
//! test is passed, failed or not run, and never passed in silence.

mod bpftrace;
mod browser;
mod lab;
mod on_terminal;
mod perf;
mod process;
mod programs;
mod recording;
mod servers;
mod symbols;
mod terminal;
mod view;
mod workload;

use std::{
    fmt,
    io::{self, Write as _},
};

pub use bpftrace::Bpftrace;
pub use browser::Browser;
pub use lab::{Lab, find_program};
pub use on_terminal::OnTerminal;
pub use perf::{Found, Place, Referee, agreement};
pub use process::{Ended, Running, cpu_time, descriptors, maps, open_file_count, resident_bytes};
pub use programs::{is_loaded, programs};
pub use recording::{Record, Recorder, Recording, profiler_binary, read_trace};
pub use servers::Server;
pub use symbols::{Symbol, Symbols, bare_name};
pub use terminal::Terminal;
pub use view::{Truth, View, physical_name};

/// Why a test cannot run on this machine: a program that is not installed, a feature the kernel lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says that the test was not run, and why: `not_run!("no wrk and no ab"); return`. Used through [`not_run!`].
pub fn say_not_run(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test").to_owned();
    // Not `println!`: libtest would keep it from being seen, because the test passes.
    let line = format!("NOT RUN: {test}: {reason}\n");
    let mut out = io::stdout().lock();
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        panic!("{line}and standard output is gone");
    }
}

/// Ends the test as not run, with the reason: `not_run!("needs {} CPUs", 4)`.
#[macro_export]
macro_rules! not_run {
    ($($reason:tt)*) => {{
        $crate::say_not_run(&format!($($reason)*));
        return;
    }};
}

/// The value, or the test ends as not run with the reason in the [`Missing`].
#[macro_export]
macro_rules! require {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err($crate::Missing(reason)) => $crate::not_run!("{reason}"),
        }
    };
}
