//! The terminal: entered once, left whatever happens.
//!
//! Whatever ends the dashboard (a key, an error, a signal, a panic in any thread), [`Screen`]'s end or the panic hook
//! leaves the alternate screen and raw mode, once. What is written after that goes nowhere. Whoever suspends it gets the
//! terminal as it was, too, until it is continued.

mod input;
mod output;

use std::{
    io::{self, IsTerminal as _},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use crossterm::{
    cursor::{Hide, Show},
    event::{DisableMouseCapture, EnableMouseCapture, Event},
    execute, queue,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use self::input::Input;
pub(super) use self::output::{Output, is_stuck};
use super::Ending;

/// Signals that end the program, and must not leave the terminal as it is.
const ENDINGS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
/// How long a terminal that takes nothing is waited for when it is left.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long it may take until a signal to oneself has stopped all threads.
const STOPPING: Duration = Duration::from_millis(50);

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
        let screen = Self {
            signals,
            wanted: Arc::new(AtomicBool::new(true)),
        };
        enter()?;
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

fn enter() -> Result<()> {
    enable_raw_mode().context("cannot set the terminal to raw mode")?;
    ENTERED.store(true, Ordering::SeqCst);
    output::open();
    execute!(io::stdout(), EnterAlternateScreen, Hide, EnableMouseCapture)
        .context("cannot write to the terminal")
}

/// Gives the terminal back and stops, with all programs of the job (`sudo` in front of this one may be among them), until
/// the job is continued. Where nobody could continue it (a terminal without a shell), the kernel stops nothing, and it goes
/// on at once.
///
/// # Errors
/// If the terminal is gone when the job is continued.
pub(super) fn suspend() -> Result<()> {
    if !ENTERED.load(Ordering::SeqCst) {
        return Ok(());
    }
    leave();
    // SAFETY: no memory is involved. 0 is the process group of the caller.
    unsafe { libc::kill(0, libc::SIGTSTP) };
    thread::sleep(STOPPING);
    enter()
}

/// Whether the program was stopped and goes on: then the terminal, as others left it, is entered again.
///
/// # Errors
/// If the terminal is gone.
pub(super) fn continued() -> Result<bool> {
    let continued = SIGNALS
        .get()
        .is_some_and(|it| it.continued.swap(false, Ordering::SeqCst));
    if continued && ENTERED.load(Ordering::SeqCst) {
        enter()?;
    }
    Ok(continued)
}

/// Leaves, if it was not left yet. Errors are of no use to anybody: the terminal may be gone.
fn leave() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let mut farewell = Vec::new();
        let _ = queue!(farewell, DisableMouseCapture, LeaveAlternateScreen, Show);
        let _ = output::write_for(&farewell, PATIENCE);
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

static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// What signals there were.
#[derive(Debug)]
struct Signals {
    received: Arc<AtomicUsize>,
    /// Whether signals do what they do by default: when the screen was left.
    fatal: Arc<AtomicBool>,
    /// Whether the program was stopped and goes on.
    continued: Arc<AtomicBool>,
}

impl Signals {
    /// Watches from now on. Handlers stay for good; they are put in place once.
    fn watched() -> Result<&'static Self> {
        if SIGNALS.get().is_none() {
            let signals = Self {
                received: Arc::default(),
                fatal: Arc::default(),
                continued: Arc::default(),
            };
            for signal in ENDINGS {
                let number = usize::try_from(signal).unwrap_or_default();
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&signals.fatal))
                    .and_then(|_| {
                        signal_hook::flag::register_usize(signal, Arc::clone(&signals.received), number)
                    })
                    .with_context(|| format!("cannot watch for signal {signal}"))?;
            }
            signal_hook::flag::register(SIGCONT, Arc::clone(&signals.continued))
                .context("cannot watch for being continued")?;
            let _ = SIGNALS.set(signals);
        }
        let signals = SIGNALS.get().context("cannot watch for signals")?;
        signals.received.store(0, Ordering::SeqCst);
        signals.fatal.store(false, Ordering::SeqCst);
        Ok(signals)
    }
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
