//! What is drawn, to a terminal that may not take it.
//!
//! Behind an ssh connection that hangs nobody reads what is written: after some kilobytes a write waits, for hours if
//! need be, and a program that waits in one does not even end when it is asked to. So the terminal is opened anew, for
//! this program alone, in a way that a write never waits.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::ENTERED;

/// How long a frame may wait for the terminal before one looks for keys and data again.
const TURN: Duration = Duration::from_millis(100);

/// The terminal, opened anew. The flag that lets a write not wait would be everybody's if it was set on what the shell
/// gave us.
static TERMINAL: OnceLock<Option<File>> = OnceLock::new();
static STUCK: AtomicBool = AtomicBool::new(false);

/// Opens the terminal anew, once. Where that cannot be done, writes to standard output wait.
pub(super) fn open() {
    TERMINAL.get_or_init(|| {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
        let terminal = OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open("/proc/self/fd/1");
        terminal.ok()
    });
}

/// Whether the terminal does not take what was drawn last. Nothing more is to be drawn then, but flushed.
pub(in crate::tui) fn is_stuck() -> bool {
    STUCK.load(Ordering::SeqCst)
}

/// Standard output, a frame at a time: nothing is written before a flush, nor after the screen was left.
#[derive(Debug, Default)]
pub(in crate::tui) struct Output(Vec<u8>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Writes what there is. What the terminal does not take is kept, and [`is_stuck`] says so.
    fn flush(&mut self) -> io::Result<()> {
        if !ENTERED.load(Ordering::SeqCst) {
            self.0.clear();
            return Ok(());
        }
        // Where it took nothing before, it is not waited for at every key.
        let patience = if is_stuck() { Duration::ZERO } else { TURN };
        let written = write_for(&self.0, patience)?;
        self.0.drain(..written);
        STUCK.store(!self.0.is_empty(), Ordering::SeqCst);
        Ok(())
    }
}

/// Writes as much as the terminal takes; it is waited for as long as it takes nothing for at most `patience`.
///
/// # Errors
/// If there is no terminal any more.
pub(super) fn write_for(bytes: &[u8], patience: Duration) -> io::Result<usize> {
    if let Some(terminal) = TERMINAL.get().and_then(Option::as_ref) {
        return write_to(terminal, bytes, patience);
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(bytes.len())
}

fn write_to(mut terminal: &File, bytes: &[u8], patience: Duration) -> io::Result<usize> {
    let mut written = 0;
    let mut until = Instant::now() + patience;
    while written < bytes.len() {
        match terminal.write(&bytes[written..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                written += count;
                until = Instant::now() + patience;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                wait(terminal, left);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Waits until the terminal takes something, or until the time is over, or a signal comes.
fn wait(terminal: &File, limit: Duration) {
    let mut poll = libc::pollfd {
        fd: terminal.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1);
    // SAFETY: `poll` is one valid entry that outlives the call; the terminal is open for good.
    unsafe { libc::poll(&raw mut poll, 1, limit) };
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::fd::OwnedFd};

    use super::*;

    #[test]
    fn what_is_not_taken_is_not_waited_for_and_goes_on_where_it_stopped() {
        let (mut reader, writer) = io::pipe().unwrap();
        // SAFETY: the descriptor is open; flags are numbers.
        unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let terminal = File::from(OwnedFd::from(writer));
        let bytes: Vec<u8> = (0..1_000_000u32).map(|index| (index % 251) as u8).collect();
        let begin = Instant::now();
        let written = write_to(&terminal, &bytes, Duration::from_millis(20)).unwrap();
        assert!((1..bytes.len()).contains(&written), "{written}");
        assert!(begin.elapsed() < Duration::from_secs(5));
        let reading = std::thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).map(|_| read)
        });
        let rest = write_to(&terminal, &bytes[written..], Duration::from_secs(60)).unwrap();
        assert_eq!(written + rest, bytes.len());
        drop(terminal);
        assert!(reading.join().unwrap().unwrap() == bytes);
    }

    #[test]
    fn a_terminal_that_is_gone_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let terminal = File::from(OwnedFd::from(writer));
        let error = write_to(&terminal, b"x", Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
