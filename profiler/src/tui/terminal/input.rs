//! Keys, from the terminal that they come from.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::{AsRawFd as _, RawFd},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    time::Duration,
};

use crossterm::event::{self, Event};

/// How often the input thread looks whether it is still wanted.
const TURN: Duration = Duration::from_millis(100);

/// The terminal that keys come from: the same that crossterm reads.
#[derive(Debug)]
pub(super) enum Input {
    Standard,
    Tty(File),
}

impl Input {
    pub(super) fn open() -> io::Result<Self> {
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
    pub(super) fn read(self, sender: &Sender<Event>, wanted: &AtomicBool) {
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
