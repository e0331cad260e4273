//! The live dashboard.
//!
//! [`run`] is all that a command calls. It takes a [`Feed`] from a channel and returns when the user leaves:
//!
//! ```no_run
//! use std::sync::mpsc;
//!
//! use profiler::{profile::Delta, tui};
//!
//! let (feed, receiver) = mpsc::channel();
//! let dashboard = std::thread::spawn(move || tui::run(&receiver, tui::Options::default()));
//! let _ = feed.send(tui::Feed::Delta(Box::new(Delta::default())));
//! drop(feed);
//! # let _ = dashboard.join();
//! ```
//!
//! Whoever feeds it
//! * sends deltas in order, each once, with functions and lines as they become known, a few times a second and also
//!   when nothing was sampled: their quality windows are the dashboard's clock;
//! * sends [`Feed::Restart`] when it has begun its tables anew, before the first delta that counts from 0 again. Until
//!   then the dashboard's tables grow with the feeder's; at a restart they shrink to what its samples refer to. Times
//!   go on: they count from the same moment as before;
//! * sends [`Feed::Ended`] with the reason when nothing will come any more. The dashboard stays until the user leaves;
//! * notices that a send fails when the dashboard has ended, and stops collecting.
//!
//! `run` may be called on any thread. It sets up the terminal and leaves it whatever happens, a panic of another
//! thread included. While it runs, SIGINT, SIGTERM, SIGHUP and SIGQUIT end it ([`Ending::Signal`]); handlers that others
//! have registered through `signal-hook` or tokio run as well.
//!
//! Memory stays bounded: at most 1,000,000 samples of the latest stretch of time (5 minutes, for the map) and 250,000 that stand for all since
//! the start (40 MB together); 100,000 spans of threads, 100,000 windows of calls, 10,000 slow calls
//! and 100,000 waits for locks of each (120 MB together); twice what is shown of them while it is shown, and tables for what they refer to; while a trace is written, the trace's
//! tables, too, and 60 windows that wait for the disk. The work stays bounded, too: a picture that took long to make stays 50 times as long, at most 10 s.
//!
//! Inside, input and data change the state (`app`), which knows no widgets; `keys` turns events into actions; queries
//! are asked when data or selection have changed (`prepare`); views borrow the state and draw (`view`).

mod acting;
mod annotation;
mod answers;
mod app;
mod branches;
mod changes;
mod charts;
mod chosen;
mod clicking;
mod coin;
mod compact;
mod course;
mod decay;
mod detail;
mod epoch;
mod exporting;
mod finding;
mod flame;
mod forest;
mod glance;
mod heat;
mod history;
mod joining;
mod kept;
mod keys;
mod kind;
mod layout;
mod list;
mod locks;
mod matching;
mod measured;
mod naming;
mod off;
mod opening;
mod overlay;
mod overview;
mod prepare;
mod recorder;
mod recursion;
mod replay;
mod slow;
mod slowest;
mod sorting;
mod source;
mod subject;
mod terminal;
mod theme;
mod times;
mod told;
mod view;
mod waits;
mod weights;

use std::{
    error::Error,
    sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use crossterm::event::Event;
use ratatui::{
    Terminal,
    backend::{Backend, CrosstermBackend},
};

use crate::profile::Delta;

pub use annotation::{Code, Places, ReadCode, Spot};
pub use answers::Sort;
use app::App;
pub use app::{Missing, Options};
pub use exporting::Export;
pub use history::Window;
use keys::{Action, Mode};
pub use keys::{Keymap, Named};
pub use replay::Recording;
use terminal::{Output, Screen};
pub use theme::Colours;
use theme::Theme;

/// What the dashboard is fed with. See the [module](self).
#[derive(Debug)]
pub enum Feed {
    /// What is new.
    Delta(Box<Delta>),
    /// The ids of the next delta count from 0 again.
    Restart,
    /// Nothing will come any more, and why: `the command has exited`.
    Ended(String),
}

/// Why the dashboard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The user left.
    Left,
    /// This signal came.
    Signal(i32),
    /// The terminal hung up.
    HungUp,
    /// Another thread panicked; its message is on the terminal.
    Panicked,
}

/// How the dashboard ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Why.
    pub why: Ending,
    /// What became of the trace that was being written, in words for the person.
    pub recorded: Option<String>,
}

/// How long to wait for a key before looking for data again.
const TURN: Duration = Duration::from_millis(100);
/// The longest time to take in data without looking for keys.
const GULP: Duration = Duration::from_millis(50);
/// How long the cursor rests before what belongs to its row is asked for.
const PAUSE: Duration = Duration::from_millis(100);
/// How many times longer than the work for a picture the picture stays: 2 % of a CPU.
const REST: u32 = 50;
/// As [`REST`], for recordings: nobody is measured meanwhile.
const REST_OF_REPLAY: u32 = 3;
/// How often the picture of a recording that plays is renewed.
const FRAME: Duration = Duration::from_millis(100);
/// The longest time a picture stays, whatever the work for it.
const STALE: Duration = Duration::from_secs(10);

/// Whether there is a terminal to draw on: to be asked before anything is recorded.
///
/// # Errors
/// If standard output is no terminal, or one that cannot move its cursor.
pub fn check_terminal() -> Result<()> {
    terminal::check_output()
}

/// Shows the dashboard until the user leaves. See the [module](self) for what it wants.
///
/// # Errors
/// If there is no terminal, or it cannot be written to any more. The terminal is as it was before in any case.
pub fn run(feed: &Receiver<Feed>, options: Options) -> Result<Farewell> {
    let show = Show::of(&options, REST);
    show.until_the_end(feed, App::new(options))
}

/// Shows a recording in the same dashboard until the user leaves.
///
/// # Errors
/// As [`run`].
pub fn replay(recording: Recording, options: Options) -> Result<Farewell> {
    // It is all there: nobody feeds it.
    let (_feed, nothing) = mpsc::channel();
    let options = Options {
        refresh: options.refresh.min(FRAME),
        ..options
    };
    let show = Show::of(&options, REST_OF_REPLAY);
    show.until_the_end(&nothing, App::replay(recording, options))
}

/// How the dashboard is shown, whatever it shows.
struct Show {
    colours: Option<Colours>,
    refresh: Duration,
    rest: u32,
}

impl Show {
    fn of(options: &Options, rest: u32) -> Self {
        Self {
            colours: options.colours,
            refresh: options.refresh,
            rest,
        }
    }

    fn until_the_end(self, feed: &Receiver<Feed>, app: App) -> Result<Farewell> {
        let screen = Screen::enter()?;
        let mut terminal =
            Terminal::new(CrosstermBackend::new(Output::default())).context("cannot set up the terminal")?;
        let dashboard = Dashboard {
            terminal: &mut terminal,
            theme: Theme::of(self.colours, |name| std::env::var(name).ok()),
            app,
            refresh: self.refresh,
            rest: self.rest,
        };
        let ending = dashboard.run(&screen.events()?, feed, &|| screen.interrupted());
        // Before the terminal, which shows the cursor at its end, and complains where there is none any more.
        drop(screen);
        // To a terminal that takes nothing, nothing can be said either.
        ending.map(|farewell| Farewell {
            recorded: farewell.recorded.filter(|_| !terminal::is_stuck()),
            ..farewell
        })
    }
}

/// The loop, with everything it touches as a value.
struct Dashboard<'a, B: Backend> {
    terminal: &'a mut Terminal<B>,
    theme: Theme,
    app: App,
    refresh: Duration,
    rest: u32,
}

impl<B: Backend<Error: Error + Send + Sync + 'static>> Dashboard<'_, B> {
    /// Until something ends it. A trace that is written is completed.
    fn run(
        mut self,
        events: &Receiver<Event>,
        feed: &Receiver<Feed>,
        interrupted: &dyn Fn() -> Option<Ending>,
    ) -> Result<Farewell> {
        let why = self.turn(events, feed, interrupted);
        let recorded = self.app.finish_recording();
        Ok(Farewell { why: why?, recorded })
    }

    /// Input and data change the state, the state is drawn.
    fn turn(
        &mut self,
        events: &Receiver<Event>,
        feed: &Receiver<Feed>,
        interrupted: &dyn Fn() -> Option<Ending>,
    ) -> Result<Ending> {
        let mut changed = true;
        let mut due = Instant::now();
        let mut turned = due;
        loop {
            if let Some(ending) = interrupted() {
                return Ok(ending);
            }
            if terminal::continued()? {
                self.redraw()?;
                changed = true;
            }
            let taken = self.take_in(feed);
            changed |= taken.ended;
            changed |= self.app.code_came();
            changed |= self.app.rests(PAUSE);
            let begin = Instant::now();
            let elapsed = begin.duration_since(turned);
            if begin >= due {
                turned = begin;
            }
            if begin >= due && self.app.turn(elapsed) {
                self.draw()?;
                changed = terminal::is_stuck();
                due = begin + self.refresh.max((begin.elapsed() * self.rest).min(STALE));
            } else if changed {
                self.draw()?;
                changed = terminal::is_stuck();
            }
            let mut wait = TURN.min(due.saturating_duration_since(Instant::now()));
            if taken.more {
                wait = Duration::ZERO;
            } else if wait.is_zero() {
                wait = TURN;
            }
            loop {
                match events.recv_timeout(wait) {
                    Ok(event) => changed |= self.heed(&event)?,
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Ok(Ending::HungUp),
                }
                if self.app.quit {
                    return Ok(Ending::Left);
                }
                // All that were typed are heeded before one picture is drawn.
                wait = Duration::ZERO;
            }
        }
    }

    /// Takes in the data that wait.
    fn take_in(&mut self, feed: &Receiver<Feed>) -> Taken {
        let begin = Instant::now();
        let ended = self.app.ended.is_some();
        let more = loop {
            match feed.try_recv() {
                Ok(news) => self.app.absorb(news),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => {
                    self.app.absorb(Feed::Ended("nothing more is collected".into()));
                    break false;
                }
            }
            if begin.elapsed() > GULP {
                break true;
            }
        };
        Taken {
            more,
            ended: self.app.ended.is_some() != ended,
        }
    }

    /// Does what an event asks for. Whether the picture has to change.
    fn heed(&mut self, event: &Event) -> Result<bool> {
        let action = self.app.keys.action(event, self.app.mode());
        if action == Some(Action::Suspend) {
            terminal::suspend()?;
        }
        if matches!(action, Some(Action::Redraw | Action::Suspend)) {
            self.redraw()?;
        }
        if let Some(action) = action {
            if self.app.mode() != Mode::Typing {
                // Keys that come fast find the rows that the ones before them left, drawn or not.
                self.app.prepare();
            }
            self.app.update(action);
        }
        Ok(action.is_some() || matches!(event, Event::Resize(..)))
    }

    /// Whatever the terminal shows, the next picture is drawn whole.
    fn redraw(&mut self) -> Result<()> {
        let size = self.terminal.size().context("cannot learn the terminal's size")?;
        // Not `clear`, which asks the terminal where its cursor is, and fails where it does not answer.
        self.terminal
            .resize(size.into())
            .context("cannot write to the terminal")
    }

    fn draw(&mut self) -> Result<()> {
        if terminal::is_stuck() {
            let backend = self.terminal.backend_mut();
            backend.flush().context("cannot write to the terminal")?;
            if terminal::is_stuck() {
                return Ok(());
            }
        }
        let size = self.terminal.size().context("cannot learn the terminal's size")?;
        self.app.resize(size);
        self.app.prepare();
        let Self {
            terminal, app, theme, ..
        } = self;
        terminal
            .draw(|frame| view::draw(frame, app, theme))
            .context("cannot write to the terminal")?;
        Ok(())
    }
}

/// What became of the data that waited.
struct Taken {
    /// Whether some still wait.
    more: bool,
    /// Whether it was the end.
    ended: bool,
}

#[cfg(test)]
mod pty;
#[cfg(test)]
mod tests;
