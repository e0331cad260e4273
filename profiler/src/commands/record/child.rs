//! The command that is recorded: forked, held at a gate until sampling has begun, and followed to the end of its last
//! child.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result, bail};
use tokio::sync::mpsc;

use super::super::user::{User, user_for};

/// A command at the gate.
#[derive(Debug)]
pub(super) struct Child {
    pid: i32,
    gate: File,
    /// Where the child says why it could not run its program: an `errno`.
    failure: File,
    name: String,
}

/// A command that runs.
#[derive(Debug)]
pub(super) struct Running {
    pid: i32,
    /// The command's status, then (when its last descendant is gone) the end of the channel.
    ends: mpsc::UnboundedReceiver<u8>,
    status: Option<u8>,
    all_gone: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With this status; 128 + n for signal n.
    Status(u8),
    /// It has not.
    StillRuns(i32),
}

impl Child {
    /// Forks. Must be called before this program has threads.
    ///
    /// # Errors
    /// If the user is not known, or the system has no room for a process.
    pub(super) fn fork(command: &[String], user: Option<&str>) -> Result<Self> {
        let user = user_for(user)?;
        let program: Vec<CString> = command
            .iter()
            .map(|word| CString::new(word.as_str()).context("a command cannot have a zero byte in it"))
            .collect::<Result<_>>()?;
        let (gate_out, gate_in) = pipe().context("cannot make a pipe")?;
        let (failure_out, failure_in) = pipe().context("cannot make a pipe")?;
        // Orphans among the descendants become our children, so that their end is told to us.
        // SAFETY: this request takes a number.
        unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
        // SAFETY: there are no other threads, so the child may do what it likes.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()).context("cannot fork"),
            0 => {
                drop((gate_in, failure_out));
                let errno = run(gate_out, &program, user.as_ref());
                let _ = File::from(failure_in).write_all(&errno.to_ne_bytes());
                // SAFETY: ends this copy of the program at once, without its destructors.
                unsafe { libc::_exit(127) }
            }
            pid => Ok(Self {
                pid,
                gate: gate_in.into(),
                failure: failure_out.into(),
                name: command[0].clone(),
            }),
        }
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid as u32
    }

    /// Lets it run.
    ///
    /// # Errors
    /// If its program cannot be run.
    pub(super) fn release(mut self) -> Result<Running> {
        self.gate
            .write_all(&[1])
            .context("the command's process died before it could run")?;
        drop(self.gate);
        let mut errno = [0; 4];
        // The pipe closes when the program runs.
        if self.failure.read_exact(&mut errno).is_ok() {
            let error = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
            bail!("cannot run {}: {error}", self.name);
        }
        let (send, ends) = mpsc::unbounded_channel();
        let pid = self.pid;
        let reap = move || reap(pid, &send);
        std::thread::Builder::new()
            .name("reap".into())
            .spawn(reap)
            .context("cannot start a thread")?;
        Ok(Running {
            pid,
            ends,
            status: None,
            all_gone: false,
        })
    }
}

impl Running {
    /// Waits for the end of the command and all its descendants.
    pub(super) async fn ended(&mut self) {
        while !self.all_gone {
            match self.ends.recv().await {
                Some(status) => self.status = Some(status),
                None => self.all_gone = true,
            }
        }
    }

    /// Passes on that we were asked to end.
    pub(super) fn terminate(&self) {
        // SAFETY: the process is our child and was not waited for, or its number is not yet used again.
        unsafe { libc::kill(self.pid, libc::SIGTERM) };
    }

    /// How it ended, once recording has; a moment is left to a command that the same signal has reached.
    pub(super) async fn outcome(&mut self) -> Ended {
        if self.status.is_none() && !self.all_gone {
            let grace = std::time::Duration::from_secs(2);
            if let Ok(Some(status)) = tokio::time::timeout(grace, self.ends.recv()).await {
                self.status = Some(status);
            }
        }
        self.status.map_or(Ended::StillRuns(self.pid), Ended::Status)
    }
}

/// Waits for every descendant; tells the status of `pid`. Ends when there is none left.
fn reap(pid: i32, ends: &mpsc::UnboundedSender<u8>) {
    loop {
        let mut status = 0;
        // SAFETY: the status is valid for writes.
        let gone = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if gone == pid {
            let code = match libc::WIFSIGNALED(status) {
                true => 128 + libc::WTERMSIG(status),
                false => libc::WEXITSTATUS(status),
            };
            // The outer loop may be gone.
            let _ = ends.send(code as u8);
        } else if gone < 0 && io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return;
        }
    }
}

/// In the child: waits at the gate, becomes the user, runs the program. Returns only if that fails: why.
fn run(gate: OwnedFd, program: &[CString], user: Option<&User>) -> i32 {
    let mut opened = [0];
    if File::from(gate).read_exact(&mut opened).is_err() {
        // The recorder died.
        return libc::ECANCELED;
    }
    if let Some(user) = user
        && let Err(error) = become_user(user)
    {
        return error.raw_os_error().unwrap_or(libc::EPERM);
    }
    let mut arguments: Vec<*const libc::c_char> = program.iter().map(|word| word.as_ptr()).collect();
    arguments.push(std::ptr::null());
    // Rust ignores SIGPIPE for itself; programs expect the default.
    // SAFETY: sets a signal's default action.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: a list of strings that ends with null.
    unsafe { libc::execvp(arguments[0], arguments.as_ptr()) };
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOENT)
}

fn become_user(user: &User) -> io::Result<()> {
    let check = |result: libc::c_int| {
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // Groups first: afterwards the right to change them is gone.
    // SAFETY: a list of that many numbers.
    check(unsafe { libc::setgroups(user.groups.len(), user.groups.as_ptr()) })?;
    // SAFETY: takes a number.
    check(unsafe { libc::setgid(user.gid) })?;
    // SAFETY: takes a number.
    check(unsafe { libc::setuid(user.uid) })?;
    for (name, value) in [
        (c"HOME", &user.home),
        (c"USER", &user.name),
        (c"LOGNAME", &user.name),
    ] {
        // SAFETY: strings, which are copied; this process has one thread.
        check(unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) })?;
    }
    Ok(())
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array is valid for writes.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [read, write] = ends;
    // SAFETY: the kernel just gave us this descriptor.
    let read = unsafe { OwnedFd::from_raw_fd(read) };
    // SAFETY: as above.
    let write = unsafe { OwnedFd::from_raw_fd(write) };
    Ok((read, write))
}
