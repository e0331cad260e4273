//! `profiler record`.

mod child;
mod closing;
mod write;

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    time::{interval, sleep},
};

use self::{
    child::{Child, Ended},
    closing::Closing,
    write::Progress,
};
use super::{start, target};
use crate::{
    cli::RecordOptions,
    collect::Options,
    profile::file::{self, Writer},
    symbolize,
};

/// What the shell is told when this program itself failed, so that a command's own status is never mistaken for it.
const OWN_FAILURE: u8 = 125;

/// Records as asked. The exit status of a recorded command is kept if it is not 0.
pub(super) fn run(options: RecordOptions, verbose: u8) -> Result<ExitCode> {
    let has_command = !options.command.is_empty();
    match record(options, verbose) {
        Err(error) if has_command => {
            say(&format!("profiler: {error:#}\n"));
            Ok(ExitCode::from(OWN_FAILURE))
        }
        result => result,
    }
}

fn record(options: RecordOptions, verbose: u8) -> Result<ExitCode> {
    let mut what = target::options(&options.target, &options.sampling, &options.probe, verbose)?;
    what.max_overhead = options.max_overhead.or(what.max_overhead);
    what.slow_ns = options.slow.as_nanos() as u64;
    // A command is forked before there are threads, and waits at the gate.
    let child = match options.command.is_empty() {
        true => None,
        false => Some(Child::fork(&options.command, options.user.as_deref())?),
    };
    if let Some(child) = &child {
        what.pids = Some(vec![child.pid()]);
        what.target_command.clone_from(&options.command);
    }
    let symbols = symbolize::Options {
        debug_dirs: options.debug_dirs.clone(),
        ..symbolize::Options::default()
    };
    let closing = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the outer loop")?
        .block_on(outer_loop(&options, what, child, symbols));
    let (closing, ended) = closing?;
    say(&closing.line(&options.output));
    for note in &closing.notes {
        say(&format!("profiler: {note}\n"));
    }
    Ok(match ended {
        Some(Ended::Status(status)) => ExitCode::from(status),
        Some(Ended::StillRuns(pid)) => {
            say(&format!(
                "profiler: the command (process {pid}) goes on without being recorded\n"
            ));
            ExitCode::SUCCESS
        }
        None => ExitCode::SUCCESS,
    })
}

/// Runs until something ends it: the duration, a signal, the target's end, or a trace that cannot be written.
async fn outer_loop(
    options: &RecordOptions,
    what: Options,
    child: Option<Child>,
    symbols: symbolize::Options,
) -> Result<(Closing, Option<Ended>)> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let pids = what.pids.clone().unwrap_or_default();
    let mut session = start::session(what)?;
    // What the kernel takes to check the programs is not a part of what is recorded.
    let began = Instant::now();
    // Only now is an older trace put aside. A path that cannot be written is said before the command runs.
    let writer = Writer::create(&options.output, file::invoking_user())?;
    let (progress, mut progressed) = mpsc::unbounded_channel();
    let (written, mut finished) = oneshot::channel();
    let stopper = session.stopper();
    let batches = session
        .take_batches()
        .context("a session has its batches until they are taken")?;
    let writing = std::thread::Builder::new().name("write".into()).spawn(move || {
        // The outer loop is gone only when nobody asks for the outcome any more.
        let _ = written.send(write::follow(&batches, writer, symbols, &progress));
    });
    writing.context("cannot start a thread")?;

    let mut running = match child {
        Some(child) => Some(child.release()?),
        None => None,
    };
    let has_child = running.is_some();
    let limit = options.duration.unwrap_or(Duration::MAX);
    let mut look = interval(Duration::from_millis(200));
    let mut line = ProgressLine::new();
    let result = loop {
        tokio::select! {
            () = sleep(limit.saturating_sub(began.elapsed())), if options.duration.is_some() => break None,
            _ = interrupt.recv() => break None,
            _ = terminate.recv() => {
                if let Some(running) = &running { running.terminate(); }
                break None;
            }
            _ = hang_up.recv() => break None,
            () = async { if let Some(running) = &mut running { running.ended().await } }, if has_child => break None,
            result = &mut finished => break Some(result),
            Some(progress) = progressed.recv() => line.show(began.elapsed(), progress),
            _ = look.tick(), if !has_child && !pids.is_empty() => {
                if !pids.iter().any(|pid| target::is_alive(*pid)) { break None; }
            }
        }
    };
    line.clear();
    stopper.stop();
    let written = match result {
        Some(result) => result,
        None => finished.await,
    };
    session.join()?;
    let closing = written.context("the writer's thread panicked")??;
    let ended = match running {
        Some(mut running) => Some(running.outcome().await),
        None => None,
    };
    Ok((closing, ended))
}

/// One line on a terminal that is written over again and again.
struct ProgressLine {
    on_terminal: bool,
}

impl ProgressLine {
    fn new() -> Self {
        Self {
            on_terminal: std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, elapsed: Duration, progress: Progress) {
        if self.on_terminal {
            let Progress { samples, lost, bytes } = progress;
            let (seconds, size) = (elapsed.as_secs(), closing::size(bytes));
            say(&format!(
                "\r\x1b[Krecording: {seconds} s, {samples} samples, {lost} lost, {size}  (Ctrl-C ends it)"
            ));
        }
    }

    fn clear(&mut self) {
        if self.on_terminal {
            say("\r\x1b[K");
        }
    }
}

/// Standard error may be closed; then nobody listens.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
