//! A trace is complete whatever becomes of the disk.

use std::io::{self, ErrorKind};

use super::*;
use crate::{
    profile::{file, folded::from_folded},
    query::Selection,
};

/// A disk with room for so many bytes, and what it holds.
struct Disk(usize, Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.1.lock().expect("nobody panics with it");
        let room = self.0.saturating_sub(held.len()).min(bytes.len());
        if room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        held.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn recorder(room: usize) -> (Recorder, Arc<std::sync::Mutex<Vec<u8>>>) {
    let held = Arc::default();
    let writer = Writer::to(Disk(room, Arc::clone(&held)), "a.trace").expect("there is room for a header");
    let cut = Cut::new(&Profile::default(), 0, Selection::default(), Vec::new());
    let recorder = Recorder::start(Path::new("a.trace"), writer, cut).expect("a thread can be started");
    (recorder, held)
}

impl Recorder {
    /// One that cannot write much more than its header.
    pub(in crate::tui) fn on_a_full_disk() -> Self {
        recorder(100).0
    }
}

/// So many windows of a second.
fn feed(recorder: &mut Recorder, windows: std::ops::Range<u64>) {
    let mut profile = from_folded("app/7;main;f 3");
    let observed = Observed {
        samples: std::mem::take(&mut profile.samples),
        ..Observed::default()
    };
    for window in windows {
        let quality = QualityWindow {
            start_ns: window * 1_000_000_000,
            end_ns: (window + 1) * 1_000_000_000,
            samples: 3,
            ..QualityWindow::default()
        };
        recorder.take(&profile, &observed, &[quality]);
        // The disk is as fast as memory, but its thread may have to wait for a CPU.
        thread::sleep(Duration::from_millis(2));
    }
}

fn read(held: &std::sync::Mutex<Vec<u8>>) -> file::Loaded {
    let bytes = held.lock().expect("nobody panics with it").clone();
    file::read_from(bytes.as_slice()).expect("it can be read")
}

#[test]
fn a_trace_that_was_finished_is_whole() {
    let (mut recorder, held) = recorder(usize::MAX);
    feed(&mut recorder, 0..20);
    assert_eq!(recorder.progress().0, Duration::from_secs(20));
    let said = recorder.finish();
    assert!(said.starts_with("recorded 20 s → a.trace ("), "{said}");
    let loaded = read(&held);
    assert_eq!((loaded.profile.samples.len(), loaded.profile.ended), (60, true));
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
}

#[test]
fn a_trace_is_completed_whatever_ends_the_dashboard() {
    let (mut recorder, held) = recorder(usize::MAX);
    feed(&mut recorder, 0..3);
    drop(recorder);
    let loaded = read(&held);
    assert_eq!((loaded.profile.samples.len(), loaded.profile.ended), (9, true));
}

#[test]
fn a_full_disk_is_said_and_what_was_written_can_be_read() {
    let (mut recorder, held) = recorder(3_000);
    feed(&mut recorder, 0..200);
    let failure = recorder.failure().expect("the disk is full").to_owned();
    assert!(
        failure.starts_with("the disk is full: a.trace ends after ")
            && failure.ends_with("is readable; free space, or name a file on another disk"),
        "{failure}"
    );
    assert_eq!(recorder.finish(), failure);
    let loaded = read(&held);
    let samples = loaded.profile.samples.len();
    assert!(
        (3..600).contains(&samples) && samples.is_multiple_of(3),
        "{samples}"
    );
    assert!(!loaded.profile.ended);
}
