//! Bytes of a file that may change, lie or shrink while they are read.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::FileExt},
    },
    path::Path,
    sync::Arc,
};

/// Where the bytes of an ELF image come from. Files are read, never mapped: a file that shrinks under a memory mapping
/// kills the process that reads it.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    /// An open regular file.
    File(Arc<File>),
    /// Memory: the vDSO, or what was decompressed.
    Memory(Arc<[u8]>),
}

impl Bytes {
    /// How many bytes there are now.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// `len` bytes from `offset` on; `None` if they are not all there.
    pub(super) fn read(&self, offset: u64, len: u64) -> Option<Vec<u8>> {
        let end = offset.checked_add(len)?;
        if end > self.len() {
            return None;
        }
        let mut buffer = vec![0; usize::try_from(len).ok()?];
        match self {
            Self::File(file) => file.read_exact_at(&mut buffer, offset).ok()?,
            Self::Memory(bytes) => {
                buffer.copy_from_slice(bytes.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)?);
            }
        }
        Some(buffer)
    }

    /// The bytes from `offset` up to the next zero byte, but no more than `max`, and whether that was found.
    pub(super) fn read_c_string(&self, offset: u64, max: usize) -> Option<(Vec<u8>, bool)> {
        let mut text = Vec::new();
        while text.len() < max {
            // Nearly every name fits into the first read.
            let mut buffer = [0; 4096];
            let step = (max - text.len()).min(if text.is_empty() { 128 } else { buffer.len() });
            let got = self.read_some(offset.checked_add(text.len() as u64)?, &mut buffer[..step])?;
            if let Some(end) = buffer[..got].iter().position(|&byte| byte == 0) {
                text.extend_from_slice(&buffer[..end]);
                return Some((text, true));
            }
            text.extend_from_slice(&buffer[..got]);
            if got == 0 {
                break;
            }
        }
        Some((text, false))
    }

    fn read_some(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        match self {
            Self::File(file) => file.read_at(buffer, offset).ok(),
            Self::Memory(bytes) => {
                let rest = bytes.get(usize::try_from(offset).ok()?..)?;
                let len = rest.len().min(buffer.len());
                buffer[..len].copy_from_slice(&rest[..len]);
                Some(len)
            }
        }
    }
}

/// Opens a regular file for reading. Anything else (a FIFO, on which an ordinary open waits for ever, a device, which
/// an open may set in motion) is an error, found out before the file itself is touched.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `path` is a C string that outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `open` returned this descriptor, and nobody else owns it.
    open_handle(&unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens the regular file that an `O_PATH` descriptor stands for.
pub(super) fn open_handle(handle: &OwnedFd) -> io::Result<File> {
    let here = format!("/proc/self/fd/{}", handle.as_raw_fd());
    if !std::fs::metadata(&here)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    File::open(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_zero_at_the_limit_or_at_the_end() {
        let bytes = Bytes::Memory(Arc::from(&b"abc\0def"[..]));
        assert_eq!(bytes.read_c_string(0, 99), Some((b"abc".to_vec(), true)));
        assert_eq!(bytes.read_c_string(0, 2), Some((b"ab".to_vec(), false)));
        assert_eq!(bytes.read_c_string(4, 99), Some((b"def".to_vec(), false)));
        assert_eq!(bytes.read_c_string(8, 99), None);
        assert_eq!(bytes.read_c_string(u64::MAX, 99), None);
        assert_eq!(bytes.read(u64::MAX, 2), None);
        assert_eq!(bytes.read(5, 9), None);
    }

    #[test]
    fn a_fifo_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: `name` is a C string that outlives the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert_eq!(
            open_regular(&path).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
