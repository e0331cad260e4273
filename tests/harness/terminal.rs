//! A real terminal: a program in tmux, its keys and its screen.

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::{Lab, Missing, find_program};

/// How often the screen is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A terminal with a shell in it, of its own server; it ends with this value.
#[derive(Debug)]
pub struct Terminal {
    tmux: PathBuf,
    socket: PathBuf,
}

impl Terminal {
    /// A terminal of so many columns and rows.
    ///
    /// # Errors
    /// If there is no tmux.
    ///
    /// # Panics
    /// If tmux does not start.
    pub fn open(lab: &Lab, columns: u16, rows: u16) -> Result<Self, Missing> {
        let terminal = Self {
            tmux: find_program("tmux")?,
            socket: lab.path("tmux"),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        // Nobody's settings, and a shell whose prompt is known.
        let started = terminal.tmux([
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "env PS1='prompt> ' sh",
        ]);
        assert!(
            started.status.success(),
            "tmux: {}",
            String::from_utf8_lossy(&started.stderr)
        );
        terminal.wait_for("prompt>", Duration::from_secs(10));
        Ok(terminal)
    }

    /// Types a line and ends it.
    pub fn run(&self, line: &str) {
        self.tmux(["send-keys", "-l", line]);
        self.keys(["Enter"]);
    }

    /// Presses keys, named as tmux names them.
    pub fn keys<const N: usize>(&self, keys: [&str; N]) {
        for key in keys {
            self.tmux(["send-keys", key]);
        }
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(["capture-pane", "-p"]).stdout).into_owned()
    }

    /// The screen, once `text` is on it.
    ///
    /// # Panics
    /// If it is not there in time; with the screen.
    pub fn wait_for(&self, text: &str, limit: Duration) -> String {
        self.wait_until(text, limit, |screen| screen.contains(text))
    }

    /// The screen, once it is as wanted; `what` that is.
    ///
    /// # Panics
    /// If it is not so in time; with the screen.
    pub fn wait_until(&self, what: &str, limit: Duration, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < limit, "no {what} after {limit:?}:\n{screen}");
            std::thread::sleep(LOOK);
        }
    }

    fn tmux<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Output {
        Command::new(&self.tmux)
            .arg("-S")
            .arg(&self.socket)
            .args(arguments)
            .env_remove("TMUX")
            .env("TERM", "xterm-256color")
            .stdin(Stdio::null())
            .output()
            .expect("tmux is there")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(["kill-server"]);
    }
}
