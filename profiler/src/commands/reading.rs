//! Files that are read for the person who called, who may not be allowed to read what root is.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, ErrorKind},
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

/// Opens a regular file for the user `reader`: it has to be theirs, or readable by all. `None`: for oneself.
///
/// # Errors
/// If it cannot be opened, is none, or `reader` may not be allowed to read it.
pub(super) fn open_for(path: &Path, reader: Option<u32>) -> io::Result<File> {
    // What a path stands for is looked at before it is opened: a pipe is waited for, and a device may be set in motion.
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
        .open(path)?;
    if let Some(why) = refusal(&handle.metadata()?, reader) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    File::open(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

/// Why a file is not read for `reader`, if it is not.
fn refusal(found: &Metadata, reader: Option<u32>) -> Option<&'static str> {
    let theirs = reader.is_none_or(|reader| found.uid() == reader);
    if !found.is_file() {
        Some("it is no regular file")
    } else if !theirs && found.mode() & 0o004 == 0 {
        Some(
            "it is not of the user who called sudo, who may not be allowed to read it: give it to them (chown), or \
              let all read it (chmod o+r)",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Read as _,
        os::unix::fs::{PermissionsExt as _, symlink},
        process::Command,
    };

    use super::*;

    #[test]
    fn a_file_that_the_caller_may_not_read_is_not_read_for_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "text").unwrap();
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        let owner = fs::metadata(&path).unwrap().uid();
        let allow = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        allow(0o600);
        for path in [&path, &link] {
            let mut text = String::new();
            open_for(path, Some(owner))
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, "text");
            let error = open_for(path, Some(owner + 1)).unwrap_err().to_string();
            assert!(error.contains("chmod o+r"), "{error}");
        }
        allow(0o604);
        assert!(open_for(&link, Some(owner + 1)).is_ok());
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [&fifo, directory.path(), Path::new("/dev/null")] {
            let error = open_for(path, None).unwrap_err();
            assert!(error.to_string().contains("no regular file"), "{error}");
        }
        let error = open_for(&directory.path().join("none"), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
