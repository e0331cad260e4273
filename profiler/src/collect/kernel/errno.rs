//! Why a system call failed, by number: `EPERM` and `ENOSYS` mean different mends.

use std::{fmt, io};

/// An error number of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// The number that the latest system call of this thread left.
    pub fn last() -> Self {
        Self::from(io::Error::last_os_error())
    }

    /// Its name in the manual, where it is one that the calls tried here return.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            libc::E2BIG => "E2BIG",
            libc::EACCES => "EACCES",
            libc::EBUSY => "EBUSY",
            libc::EINVAL => "EINVAL",
            libc::EMFILE => "EMFILE",
            libc::ENODEV => "ENODEV",
            libc::ENOENT => "ENOENT",
            libc::ENOMEM => "ENOMEM",
            libc::ENOSYS => "ENOSYS",
            libc::EOPNOTSUPP => "EOPNOTSUPP",
            libc::EPERM => "EPERM",
            _ => return None,
        })
    }

    /// Whether somebody forbids what the kernel could do.
    pub fn is_refusal(self) -> bool {
        matches!(self.0, libc::EPERM | libc::EACCES)
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        // Errors without a number come from our own reading, of data that makes no sense.
        Self(error.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}
