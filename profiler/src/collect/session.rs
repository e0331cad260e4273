//! A recording that runs: everything attached, and a thread that turns what the kernel sends into deltas.
//!
//! The collector's thread owns the rings, the session and the profile. It wakes twenty times a second (or when a ring is
//! half full), and once a second hands what is new to whoever follows. No lock is held anywhere.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};

use super::{collector::Collector, options::Options};
use crate::profile::{Delta, Id, Mapping};

/// What is new, and the files that turned up.
#[derive(Debug)]
pub struct Batch {
    /// The profile's tables have begun anew: rows count from 0 again.
    pub begins_anew: bool,
    /// What is new in the profile.
    pub delta: Delta,
    /// The files behind new mappings, held open.
    pub files: Vec<(Id<Mapping>, Arc<File>)>,
}

/// A recording that runs.
#[derive(Debug)]
pub struct Session {
    batches: Option<Receiver<Batch>>,
    stop: Arc<AtomicBool>,
    collector: JoinHandle<Result<()>>,
}

impl Session {
    /// Loads and attaches everything; when this returns, sampling has begun.
    ///
    /// # Errors
    /// If the kernel refuses something: each error names it, and what to do.
    pub fn start(options: Options) -> Result<Self> {
        raise_file_limit();
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, started) = channel();
        let (batches, receiver) = channel();
        let stopped = stop.clone();
        // The collector's parts are tied to their thread, so it starts them itself.
        let run = move || {
            go_first();
            match Collector::start(&options) {
                Ok(mut collector) => {
                    // Nobody waits for it any more if the other end is gone.
                    let _ = ready.send(Ok(()));
                    collector.run(&stopped, &batches)
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                    Ok(())
                }
            }
        };
        let collector = thread::Builder::new()
            .name("collect".into())
            .spawn(run)
            .context("cannot start a thread")?;
        started
            .recv()
            .context("the collector's thread died as it started")??;
        Ok(Self {
            batches: Some(receiver),
            stop,
            collector,
        })
    }

    /// Batches, about one a second; the last one has `delta.ended`. They can be taken once.
    pub fn take_batches(&mut self) -> Option<Receiver<Batch>> {
        self.batches.take()
    }

    /// A handle that can ask for the end from elsewhere.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// Waits for the collector's thread.
    ///
    /// # Errors
    /// What went wrong while collecting.
    pub fn join(self) -> Result<()> {
        self.collector
            .join()
            .map_err(|_| anyhow::anyhow!("the collector's thread panicked"))?
    }
}

/// Ends a session.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<AtomicBool>);

impl Stopper {
    /// Asks for the end; the last batch follows.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A collector that waits for a CPU on a crowded host starts late and loses records; it needs little, but in time.
/// Applies to this thread only. Without the privilege things stay as they are.
fn go_first() {
    const NICE: libc::c_int = -10;
    // SAFETY: takes numbers; 0 is this thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Every executable that is met is held open: allow as many files as the system lets us.
fn raise_file_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is valid for writes.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 {
        limit.rlim_cur = limit.rlim_max.min(1 << 16);
        // SAFETY: the structure is valid for reads. If it fails, fewer files are held open.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}
