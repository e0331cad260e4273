//! A program on a terminal of its own, which can hang up.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

/// A program that is the leader of a session on a pseudo-terminal. The session is killed when this is dropped.
#[derive(Debug)]
pub struct OnTerminal {
    child: Child,
    /// The end that a person would sit at; `None`: it hung up.
    master: Option<File>,
    seen: Vec<u8>,
    reaped: bool,
}

impl OnTerminal {
    /// Starts `command` on a terminal of 110 columns and 40 rows.
    ///
    /// # Panics
    /// If there is no terminal to be had, or the program cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let (mut master, mut slave) = (-1, -1);
        let size = libc::winsize {
            ws_row: 40,
            ws_col: 110,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: the numbers are valid for writes, the size for reads; there is neither a name nor a setting.
        let opened = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                std::ptr::null_mut(),
                std::ptr::null(),
                &raw const size,
            )
        };
        assert_eq!(opened, 0, "there is a pseudo-terminal");
        // SAFETY: `openpty` gave this descriptor to us alone.
        let master = File::from(unsafe { OwnedFd::from_raw_fd(master) });
        // SAFETY: as above.
        let slave = File::from(unsafe { OwnedFd::from_raw_fd(slave) });
        for file in [&master, &slave] {
            // SAFETY: the descriptor is open; flags are numbers. Whoever inherited it would keep the line up.
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        // SAFETY: the descriptor is open; flags are numbers.
        unsafe { libc::fcntl(master.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let handle = || slave.try_clone().expect("a second handle");
        command.stdin(handle()).stdout(handle()).stderr(handle());
        command.env("TERM", "xterm-256color");
        // SAFETY: what is called may be called between fork and exec.
        unsafe { command.pre_exec(take_terminal) };
        let child = command.spawn().expect("the program can be started");
        Self {
            child,
            master: Some(master),
            seen: Vec::new(),
            reaped: false,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to the program.
    pub fn signal(&self, signal: i32) {
        // SAFETY: no memory is passed.
        unsafe { libc::kill(self.pid().cast_signed(), signal) };
    }

    /// Types.
    ///
    /// # Panics
    /// If the terminal hung up.
    pub fn type_keys(&mut self, keys: &str) {
        let mut master = self.master.as_ref().expect("the line is up");
        master
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// Reads what is drawn until `text` is in it.
    ///
    /// # Panics
    /// If it is not within `limit`.
    pub fn wait_for(&mut self, text: &str, limit: Duration) {
        let end = Instant::now() + limit;
        let from = self.seen.len();
        loop {
            self.read();
            let new = String::from_utf8_lossy(&self.seen[from..]).into_owned();
            if new.contains(text) {
                return;
            }
            let last = new.len().saturating_sub(2_000);
            assert!(
                Instant::now() < end,
                "{text:?} was not drawn within {limit:?}; the last of what was:\n{:?}",
                &new[new.floor_char_boundary(last)..]
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything that was drawn up to now.
    pub fn seen(&mut self) -> String {
        self.read();
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// The line is lost.
    pub fn hang_up(&mut self) {
        self.master = None;
    }

    /// Waits for the program's end, reading what it writes if `reading`. How it ended, and how long that took.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub fn wait(&mut self, limit: Duration, reading: bool) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        loop {
            if reading {
                self.read();
            }
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                self.reaped = true;
                return (status, begin.elapsed());
            }
            assert!(begin.elapsed() < limit, "it still runs after {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn read(&mut self) {
        let mut block = [0; 8192];
        while let Some(Ok(length @ 1..)) = self.master.as_mut().map(|master| master.read(&mut block)) {
            self.seen.extend_from_slice(&block[..length]);
        }
    }
}

/// Becomes the leader of a session whose terminal is standard input. It touches no memory.
fn take_terminal() -> io::Result<()> {
    // SAFETY: takes nothing.
    unsafe { libc::setsid() };
    // SAFETY: takes numbers.
    unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
    Ok(())
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // SAFETY: no memory is passed. The session's leader leads the group of that number.
        unsafe { libc::kill(-self.pid().cast_signed(), libc::SIGKILL) };
        if !self.reaped {
            let _ = self.child.wait();
        }
    }
}
