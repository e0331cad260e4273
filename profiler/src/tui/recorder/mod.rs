//! What comes in, written to a trace while one looks.
//!
//! The windows that feed the dashboard are cut to what was selected when recording began ([`cut`]) and handed to a
//! thread that writes them: a slow disk never holds up the picture. The trace's names are those that the dashboard has.

mod cut;
mod starting;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use self::cut::Cut;
use super::epoch::Observed;
use crate::profile::{
    Delta, Profile, QualityWindow,
    file::{WriteError, Writer, invoking_user},
};

/// How many windows may wait for the disk: half a minute.
const WAITING: usize = 60;

/// Writes what comes in to a trace.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    cut: Cut,
    recorded: Duration,
    written: Arc<AtomicU64>,
    writing: Option<Writing>,
    /// Why nothing more is written, if that is so.
    failure: Option<String>,
}

/// Where windows go to, and the thread that writes them. It ends well with the size of the trace, in bytes.
type Writing = (SyncSender<Delta>, JoinHandle<Result<u64, WriteError>>);

impl Recorder {
    /// Creates the trace; an older one of that name is kept as `NAME.old`.
    ///
    /// # Errors
    /// If it cannot be created.
    fn create(path: &Path, cut: Cut) -> Result<Self> {
        let writer = Writer::create(path, invoking_user())?;
        Self::start(path, writer, cut)
    }

    fn start<W: Write + Send + 'static>(path: &Path, writer: Writer<W>, cut: Cut) -> Result<Self> {
        let written = Arc::new(AtomicU64::new(writer.bytes_written()));
        let (sender, windows) = sync_channel(WAITING);
        let size = Arc::clone(&written);
        let thread = thread::Builder::new()
            .name("write".into())
            .spawn(move || write(writer, &windows, &size))
            .context("cannot start a thread")?;
        Ok(Self {
            path: path.to_owned(),
            cut,
            recorded: Duration::ZERO,
            written,
            writing: Some((sender, thread)),
            failure: None,
        })
    }

    /// What came in; `observed` refers to `profile`.
    pub(super) fn take(&mut self, profile: &Profile, observed: &Observed, quality: &[QualityWindow]) {
        let Some((sender, _)) = &self.writing else {
            return;
        };
        let delta = self.cut.window(profile, observed, quality);
        let end_ns = delta.quality.iter().map(|window| window.end_ns).max();
        match sender.try_send(delta) {
            Ok(()) => {
                let recorded = end_ns.map_or(Duration::ZERO, Duration::from_nanos);
                self.recorded = self.recorded.max(recorded);
            }
            Err(TrySendError::Full(_)) => {
                // What waits is written by the thread's own end; nobody waits for it here.
                self.writing = None;
                self.failure = Some(format!(
                    "the disk does not keep up: {} ends here",
                    self.path.display()
                ));
            }
            Err(TrySendError::Disconnected(_)) => self.failure = self.end().err(),
        }
    }

    /// The ids of what comes in are others now.
    pub(super) fn restart(&mut self) {
        self.cut.restart();
    }

    /// Why nothing more is written, if that is so.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// How much was recorded, and the size of the trace in bytes.
    pub(super) fn progress(&self) -> (Duration, u64) {
        (self.recorded, self.written.load(Ordering::Relaxed))
    }

    /// Completes the trace. What comes back is said to the person.
    pub(super) fn finish(mut self) -> String {
        if let Some(failure) = self.failure.take() {
            return failure;
        }
        match self.end() {
            Ok(bytes) => format!(
                "recorded {} s → {} ({:.1} kB)",
                self.recorded.as_secs(),
                self.path.display(),
                bytes as f64 / 1e3
            ),
            Err(failure) => failure,
        }
    }

    fn end(&mut self) -> Result<u64, String> {
        let Some((sender, thread)) = self.writing.take() else {
            return Ok(self.written.load(Ordering::Relaxed));
        };
        // The thread may have ended with an error, which it gives itself.
        let _ = sender.send(self.cut.last());
        drop(sender);
        match thread.join() {
            Ok(written) => written.map_err(|error| error.to_typist()),
            Err(_) => Err("the thread that writes the trace panicked".to_owned()),
        }
    }
}

impl Drop for Recorder {
    /// Whatever ends the dashboard, the trace is completed.
    fn drop(&mut self) {
        // Nobody is there to be told.
        let _ = self.end();
    }
}

fn write<W: Write>(
    mut writer: Writer<W>,
    windows: &Receiver<Delta>,
    size: &AtomicU64,
) -> Result<u64, WriteError> {
    for delta in windows {
        writer.append(&delta)?;
        size.store(writer.bytes_written(), Ordering::Relaxed);
    }
    writer.finish()
}

#[cfg(test)]
mod tests;
