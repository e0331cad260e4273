//! Writes a trace, delta by delta.

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::profile::Delta;

use super::{
    container::{FILE_HEADER_LEN, FileHeader, MAJOR, MINOR},
    create,
    encode::{Chunks, Encoder},
};

/// How often what was written is forced to the disk. A killed recorder loses nothing that was appended; a power cut
/// loses up to this.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// Why a trace could not be created or written.
#[derive(Debug)]
pub struct WriteError {
    path: PathBuf,
    what: String,
    cause: Option<io::Error>,
    next: String,
    /// How far the recording goes that is in the file, if it was begun.
    kept: Option<Duration>,
}

/// How a command is told another place.
const FLAG: &str = " with -o";

impl WriteError {
    pub(super) fn new(path: &Path, what: &str, cause: Option<io::Error>, next: &str) -> Self {
        Self {
            path: path.to_owned(),
            what: what.to_owned(),
            cause,
            next: next.to_owned(),
            kept: None,
        }
    }

    /// What to say to somebody who did not call a command with a flag, but typed the file's name.
    pub fn to_typist(&self) -> String {
        let full = matches!(
            self.io_kind(),
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        );
        let path = self.path.display();
        match self.kept {
            Some(kept) if full => format!(
                "the disk is full: {path} ends after {:.0} s and is readable; free space, or name a file on another disk",
                kept.as_secs_f64()
            ),
            _ => self.to_string().replace(FLAG, ""),
        }
    }

    /// What the operating system said, if it was that.
    pub fn io_kind(&self) -> Option<ErrorKind> {
        self.cause.as_ref().map(io::Error::kind)
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug form: a path may hold anything, and this goes to a terminal.
        write!(f, "{} {:?}", self.what, self.path)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        write!(f, "; {}", self.next)
    }
}

impl std::error::Error for WriteError {}

/// Writes a trace. Every [`append`](Self::append) reaches the operating system whole before it returns, so a recorder
/// that is killed leaves all of them readable.
pub struct Writer<W: Write = File> {
    out: W,
    encoder: Encoder,
    path: PathBuf,
    written: u64,
    /// How far the recording goes that is in the file, in nanoseconds.
    kept_ns: u64,
    failed: bool,
    disk: Option<Disk>,
}

/// What only a file on a disk can do.
struct Disk {
    file: File,
    synced: Instant,
    sync: Option<Syncing>,
}

/// Where a sync is asked for, and the thread that does it and ends at the first that fails.
type Syncing = (SyncSender<()>, JoinHandle<io::Result<()>>);

impl Writer<File> {
    /// Creates the file of a trace: exclusively, never through a symbolic link, with mode 0600, and given to `owner`
    /// (user and group id; see [`invoking_user`](super::invoking_user)). An older trace of that name is kept as
    /// `NAME.old`.
    ///
    /// # Errors
    /// If something other than a regular file has that name, or the file cannot be created or written.
    pub fn create(path: &Path, owner: Option<(u32, u32)>) -> Result<Self, WriteError> {
        let file = create::create(path, owner)?;
        let disk = file.try_clone().map(Disk::new).map_err(|cause| {
            WriteError::new(
                path,
                "cannot write",
                Some(cause),
                "raise the limit of open files (ulimit -n)",
            )
        })?;
        let mut writer = Self::begin(file, path)?;
        writer.disk = Some(disk);
        Ok(writer)
    }
}

impl<W: Write> Writer<W> {
    /// Writes a trace to a pipe, or anything else that takes bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// If the header cannot be written.
    pub fn to(out: W, name: &str) -> Result<Self, WriteError> {
        Self::begin(out, Path::new(name))
    }

    fn begin(out: W, path: &Path) -> Result<Self, WriteError> {
        let fail = |cause| {
            WriteError::new(
                path,
                "cannot write",
                Some(cause),
                "record to another disk with -o",
            )
        };
        let mut writer = Self {
            out,
            encoder: Encoder::new().map_err(fail)?,
            path: path.to_owned(),
            written: 0,
            kept_ns: 0,
            failed: false,
            disk: None,
        };
        let header = FileHeader {
            major: MAJOR,
            minor: MINOR,
            len: FILE_HEADER_LEN as u32,
            uuid: random_uuid().map_err(fail)?,
        };
        writer.put(&header.encode()).map_err(fail)?;
        writer.out.flush().map_err(fail)?;
        Ok(writer)
    }

    /// Writes what is new. That the recording ended is not written here, but by [`finish`](Self::finish).
    ///
    /// # Errors
    /// If it cannot be written, because the disk is full for instance. What was written before stays readable, nothing
    /// more can be written, and every later call fails too.
    pub fn append(&mut self, delta: &Delta) -> Result<(), WriteError> {
        self.check_usable()?;
        let chunks = self.encoder.delta(delta).map_err(|cause| self.fail(cause))?;
        self.write(&chunks)?;
        self.kept_ns = self.encoder.last_ns();
        let synced = self.disk.as_mut().map_or(Ok(()), Disk::sync_now_and_then);
        synced.map_err(|cause| self.fail(cause))
    }

    /// Says in the trace that it ended in good order, and forces it to the disk. Returns its size in bytes.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn finish(mut self) -> Result<u64, WriteError> {
        self.check_usable()?;
        let end = self.encoder.end();
        self.write(&end)?;
        if let Some(disk) = self.disk.take() {
            disk.finish().map_err(|cause| self.fail(cause))?;
        }
        Ok(self.written)
    }

    /// The size of the trace so far, in bytes.
    pub fn bytes_written(&self) -> u64 {
        self.written
    }

    fn check_usable(&self) -> Result<(), WriteError> {
        if !self.failed {
            return Ok(());
        }
        let next = "what was recorded before that is readable";
        Err(WriteError::new(&self.path, "an earlier error ended", None, next))
    }

    fn write(&mut self, chunks: &Chunks) -> Result<(), WriteError> {
        let begin = self.written;
        let result = self.put(&chunks.bytes).and_then(|()| self.out.flush());
        result.map_err(|cause| {
            let whole = |end: &&usize| begin + **end as u64 <= self.written;
            let kept = begin + chunks.ends.iter().rev().find(whole).copied().unwrap_or(0) as u64;
            if let Some(disk) = &self.disk
                && disk.file.set_len(kept).is_ok()
            {
                self.written = kept;
            }
            self.fail(cause)
        })
    }

    /// Like `write_all`, but counts what was taken before an error.
    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.out.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn fail(&mut self, cause: io::Error) -> WriteError {
        self.failed = true;
        let seconds = self.kept_ns as f64 / 1e9;
        let advice = match cause.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free space, or record to another disk with -o"
            }
            ErrorKind::BrokenPipe => "whoever read it has gone",
            _ => "record to another disk with -o",
        };
        let next = format!("what was recorded before ({seconds:.0} s) is readable; {advice}");
        WriteError {
            kept: Some(Duration::from_nanos(self.kept_ns)),
            ..WriteError::new(&self.path, "cannot write", Some(cause), &next)
        }
    }
}

impl Disk {
    fn new(file: File) -> Self {
        Self {
            file,
            synced: Instant::now(),
            sync: None,
        }
    }

    /// A busy disk takes seconds to sync, so a thread does it; a sync that is still under way is not waited for. What
    /// went wrong in one is said at the next, since the kernel says it only once.
    fn sync_now_and_then(&mut self) -> io::Result<()> {
        if self.synced.elapsed() < SYNC_EVERY {
            return Ok(());
        }
        self.synced = Instant::now();
        if self.sync.is_none() {
            self.sync = self.start().ok();
        }
        let Some((request, _)) = &self.sync else {
            // No descriptor or thread is to be had: the trace is whole all the same, unless the power fails.
            return Ok(());
        };
        match request.try_send(()) {
            // Full: a request that is waiting will cover this one too.
            Ok(()) | Err(TrySendError::Full(())) => Ok(()),
            Err(TrySendError::Disconnected(())) => self.join(),
        }
    }

    fn start(&self) -> io::Result<Syncing> {
        let file = self.file.try_clone()?;
        let (request, requests) = sync_channel(1);
        let thread = std::thread::Builder::new().name("trace-sync".into());
        let thread = thread.spawn(move || requests.iter().try_for_each(|()| file.sync_data()))?;
        Ok((request, thread))
    }

    fn join(&mut self) -> io::Result<()> {
        let Some((request, thread)) = self.sync.take() else {
            return Ok(());
        };
        drop(request);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the syncing thread panicked")))
    }

    fn finish(mut self) -> io::Result<()> {
        self.join()?;
        self.file.sync_data()
    }
}

fn random_uuid() -> io::Result<[u8; 16]> {
    let mut uuid = [0; 16];
    // SAFETY: the buffer is valid for as many bytes as are asked for.
    let count = unsafe { libc::getrandom(uuid.as_mut_ptr().cast(), uuid.len(), 0) };
    if count != uuid.len().cast_signed() {
        return Err(io::Error::last_os_error());
    }
    // RFC 9562: version 4, variant 10.
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Ok(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overdue(file: File) -> Disk {
        let mut disk = Disk::new(file);
        disk.synced = Instant::now().checked_sub(2 * SYNC_EVERY).unwrap();
        disk
    }

    #[test]
    fn a_sync_is_made_when_it_is_due_and_no_sooner() {
        let mut disk = overdue(tempfile::tempfile().unwrap());
        disk.sync_now_and_then().unwrap();
        assert!(disk.sync.is_some() && disk.synced.elapsed() < SYNC_EVERY);
        disk.finish().unwrap();
        let mut disk = Disk::new(tempfile::tempfile().unwrap());
        disk.sync_now_and_then().unwrap();
        assert!(disk.sync.is_none());
    }

    #[test]
    fn a_sync_that_fails_is_said() {
        // A device without a disk behind it cannot be synced.
        let mut disk = overdue(File::options().write(true).open("/dev/null").unwrap());
        disk.sync_now_and_then().unwrap();
        assert_eq!(disk.join().unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
