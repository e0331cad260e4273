//! The terminal: entered once, left whatever happens.
//!
//! Whatever ends the dashboard (a key, an error, a signal, a panic in any thread), [`Screen`]'s end or the panic hook
//! leaves the alternate screen and raw mode, once. What is written after that goes nowhere.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write},
    os::fd::{AsRawFd as _, RawFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use crossterm::{
    cursor::{Hide, Show},
    event::{self, DisableMouseCapture, EnableMouseCapture, Event},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::Ending;

/// Signals that end the program, and must not leave the terminal as it is.
const ENDINGS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
/// How often the input thread looks whether it is still wanted.
const TURN: Duration = Duration::from_millis(100);

static ENTERED: AtomicBool = AtomicBool::new(false);

/// Whether standard output is a terminal that can be drawn on.
pub(super) fn check_output() -> Result<()> {
    check(io::stdout().is_terminal(), std::env::var("TERM").ok().as_deref())
}

/// A terminal in raw mode on its alternate screen, until this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    signals: &'static Signals,
    wanted: Arc<AtomicBool>,
}

impl Screen {
    /// Enters.
    ///
    /// # Errors
    /// If standard output is no terminal, or one that cannot move its cursor, or if it cannot be set up.
    pub(super) fn enter() -> Result<Self> {
        check_output()?;
        let signals = Signals::watched()?;
        leave_on_panic();
        enable_raw_mode().context("cannot set the terminal to raw mode")?;
        ENTERED.store(true, Ordering::SeqCst);
        let screen = Self {
            signals,
            wanted: Arc::new(AtomicBool::new(true)),
        };
        execute!(io::stdout(), EnterAlternateScreen, Hide, EnableMouseCapture)
            .context("cannot write to the terminal")?;
        Ok(screen)
    }

    /// Keys and changes of size, until the terminal hangs up.
    ///
    /// # Errors
    /// If there is no terminal to read from.
    pub(super) fn events(&self) -> Result<Receiver<Event>> {
        let input =
            Input::open().context("cannot read keys: standard input and /dev/tty are no terminals")?;
        let (sender, receiver) = mpsc::channel();
        let wanted = Arc::clone(&self.wanted);
        thread::Builder::new()
            .name("keys".into())
            .spawn(move || input.read(&sender, &wanted))
            .context("cannot start the thread that reads keys")?;
        Ok(receiver)
    }

    /// Whether something wants the dashboard to end.
    pub(super) fn interrupted(&self) -> Option<Ending> {
        match self.signals.received.load(Ordering::SeqCst) {
            0 if ENTERED.load(Ordering::SeqCst) => None,
            0 => Some(Ending::Panicked),
            signal => i32::try_from(signal).ok().map(Ending::Signal),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::SeqCst);
        leave();
        self.signals.fatal.store(true, Ordering::SeqCst);
    }
}

/// Standard output, a frame at a time: nothing is written before a flush, nor after the screen was left.
#[derive(Debug, Default)]
pub(super) struct Output(Vec<u8>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if ENTERED.load(Ordering::SeqCst) && !self.0.is_empty() {
            let mut out = io::stdout().lock();
            out.write_all(&self.0)?;
            out.flush()?;
        }
        self.0.clear();
        Ok(())
    }
}

fn check(is_terminal: bool, kind: Option<&str>) -> Result<()> {
    const INSTEAD: &str =
        "record with `profiler record` and read the trace with `profiler report`, which need no terminal";
    if !is_terminal {
        bail!("cannot show the dashboard: standard output is not a terminal; {INSTEAD}");
    }
    if kind == Some("dumb") {
        bail!("cannot show the dashboard: the terminal cannot move its cursor (TERM=dumb); {INSTEAD}");
    }
    Ok(())
}

/// Leaves, if it was not left yet. Errors are of no use to anybody: the terminal may be gone.
fn leave() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Lets the message of a panic, in whichever thread, appear on the ordinary screen.
fn leave_on_panic() {
    static HOOKED: OnceLock<()> = OnceLock::new();
    HOOKED.get_or_init(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            hook(panic);
        }));
    });
}

/// What signals there were.
#[derive(Debug)]
struct Signals {
    received: Arc<AtomicUsize>,
    /// Whether signals do what they do by default: when the screen was left.
    fatal: Arc<AtomicBool>,
}

impl Signals {
    /// Watches from now on. Handlers stay for good; they are put in place once.
    fn watched() -> Result<&'static Self> {
        static SIGNALS: OnceLock<Signals> = OnceLock::new();
        if SIGNALS.get().is_none() {
            let signals = Self {
                received: Arc::default(),
                fatal: Arc::default(),
            };
            for signal in ENDINGS {
                let number = usize::try_from(signal).unwrap_or_default();
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&signals.fatal))
                    .and_then(|_| {
                        signal_hook::flag::register_usize(signal, Arc::clone(&signals.received), number)
                    })
                    .with_context(|| format!("cannot watch for signal {signal}"))?;
            }
            let _ = SIGNALS.set(signals);
        }
        let signals = SIGNALS.get().context("cannot watch for signals")?;
        signals.received.store(0, Ordering::SeqCst);
        signals.fatal.store(false, Ordering::SeqCst);
        Ok(signals)
    }
}

/// The terminal that keys come from: the same that crossterm reads.
#[derive(Debug)]
enum Input {
    Standard,
    Tty(File),
}

impl Input {
    fn open() -> io::Result<Self> {
        if io::stdin().is_terminal() {
            Ok(Self::Standard)
        } else {
            File::open("/dev/tty").map(Self::Tty)
        }
    }

    fn descriptor(&self) -> RawFd {
        match self {
            Self::Standard => io::stdin().as_raw_fd(),
            Self::Tty(tty) => tty.as_raw_fd(),
        }
    }

    /// Hands on events until nobody wants them. Then the sender goes, as it does when the terminal hangs up.
    fn read(self, sender: &Sender<Event>, wanted: &AtomicBool) {
        while wanted.load(Ordering::SeqCst) {
            // crossterm is not asked to wait: on a terminal that hung up (a lost ssh connection) it reads the end
            // of the input again and again and never comes back.
            if self.wait() == Waited::HungUp {
                return;
            }
            while let Ok(true) = event::poll(Duration::ZERO) {
                let Ok(event) = event::read() else { return };
                if sender.send(event).is_err() {
                    return;
                }
            }
        }
    }

    fn wait(&self) -> Waited {
        let mut poll = libc::pollfd {
            fd: self.descriptor(),
            events: libc::POLLIN,
            revents: 0,
        };
        let timeout = i32::try_from(TURN.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `poll` is one valid entry that outlives the call; the descriptor is open as long as `self` is.
        unsafe { libc::poll(&raw mut poll, 1, timeout) };
        if poll.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0 {
            Waited::HungUp
        } else {
            Waited::GoOn
        }
    }
}

#[derive(PartialEq, Eq)]
enum Waited {
    GoOn,
    HungUp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_the_error_names_what_works_without_one() {
        let error = check(false, Some("xterm")).unwrap_err().to_string();
        assert!(error.contains("standard output is not a terminal") && error.contains("profiler report"));
        let error = check(true, Some("dumb")).unwrap_err().to_string();
        assert!(error.contains("TERM=dumb") && error.contains("profiler record"));
        assert!(check(true, Some("xterm")).is_ok());
        assert!(check(true, None).is_ok());
    }
}
