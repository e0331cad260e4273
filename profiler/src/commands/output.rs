//! Files that a command writes for the person who called it: whole or not at all, and never where a stranger's
//! symbolic link points.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::profile::file::invoking_user;

/// How many symbolic links may stand one behind the other.
const MAX_LINKS: usize = 16;

/// Writes a file by `write` and returns its size in bytes. A regular file is written beside its place and then moved
/// there, so that nobody sees half of it and an error leaves the old one; pipes and devices such as `/dev/null` are
/// written to.
///
/// # Errors
/// If the place is none to write to, or what `write` returns.
pub(super) fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u64> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => bail!("{} is a directory; give the name of a file", path.display()),
        Ok(found) if found.file_type().is_block_device() => {
            bail!(
                "{} is a block device, perhaps with a file system on it; give the name of a file",
                path.display()
            )
        }
        Ok(found) if !found.is_file() => {
            let file = OpenOptions::new()
                .write(true)
                .open(path)
                .with_context(|| format!("cannot write to {}", path.display()))?;
            return put(file, write)
                .map(|(_, size)| size)
                .with_context(|| format!("cannot write to {}", path.display()));
        }
        _ => {}
    }
    let place = follow(path)?;
    replace(&place, write).with_context(|| format!("cannot write {}", path.display()))
}

/// Where `path` leads, if it is a symbolic link that may be followed: in a directory where everybody may put links
/// (`/tmp`), only one's own and the directory owner's. This is what the kernel does when `fs.protected_symlinks` is
/// on.
fn follow(path: &Path) -> Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..MAX_LINKS {
        let link = match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => found,
            _ => return Ok(place),
        };
        let directory = directory_of(&place);
        let around =
            fs::metadata(directory).with_context(|| format!("cannot look at {}", directory.display()))?;
        const STICKY_FOR_ALL: u32 = libc::S_ISVTX | libc::S_IWOTH;
        // SAFETY: reads a number; cannot fail.
        let us = unsafe { libc::geteuid() };
        if around.mode() & STICKY_FOR_ALL == STICKY_FOR_ALL && link.uid() != us && link.uid() != around.uid()
        {
            bail!(
                "{} is a symbolic link that user {} put into a directory for all; remove it or write elsewhere",
                place.display(),
                link.uid()
            );
        }
        let to =
            fs::read_link(&place).with_context(|| format!("cannot read the link {}", place.display()))?;
        place = directory.join(to);
    }
    bail!("{}: too many symbolic links", path.display())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn replace(place: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<u64> {
    let (file, draft) = create_beside(place)?;
    let (file, size) = put(file, write)?;
    if let Ok(old) = fs::symlink_metadata(place)
        && old.is_file()
    {
        // Who made it private wants the next one private.
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
    }
    if let Some((user, group)) = invoking_user() {
        fchown(&file, Some(user), Some(group))?;
    }
    fs::rename(&draft.0, place)?;
    std::mem::forget(draft);
    Ok(size)
}

fn put(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<(File, u64)> {
    struct Counted<W>(W, u64);
    impl<W: Write> Write for Counted<W> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let written = self.0.write(bytes)?;
            self.1 += written as u64;
            Ok(written)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }
    let mut out = Counted(BufWriter::new(file), 0);
    write(&mut out)?;
    let Counted(buffer, size) = out;
    let file = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok((file, size))
}

/// A file that is removed unless it reaches its place.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // It is in nobody's way if it stays.
        let _ = fs::remove_file(&self.0);
    }
}

fn create_beside(place: &Path) -> io::Result<(File, Draft)> {
    let name = place.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    for attempt in 0..100u32 {
        let mut draft = OsString::from(".");
        draft.push(name);
        draft.push(format!(".{}-{attempt}", std::process::id()));
        let draft = directory_of(place).join(draft);
        // `create_new` neither follows a link nor takes a file that is there.
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o666)
            .open(&draft)
        {
            Ok(file) => return Ok((file, Draft(draft))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn hello(out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"hello")
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_is_whole_and_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.svg");
        assert_eq!(write_file(&path, hello).unwrap(), 5);
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        assert_eq!(names(directory.path()), ["out.svg"]);
    }

    #[test]
    fn an_error_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.svg");
        fs::write(&path, "old").unwrap();
        let error = write_file(&path, |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(format!("{error:#}").contains("out.svg"), "{error:#}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["out.svg"]);
    }

    #[test]
    fn a_private_file_stays_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.svg");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write_file(&path, hello).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn devices_and_pipes_are_written_to_and_not_replaced() {
        assert_eq!(write_file(Path::new("/dev/null"), hello).unwrap(), 5);
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }

    #[test]
    fn ones_own_link_is_followed_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        symlink("real", &link).unwrap();
        write_file(&link, hello).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"hello");
    }

    #[test]
    fn a_strangers_link_in_a_directory_for_all_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let shared = directory.path().join("shared");
        fs::create_dir(&shared).unwrap();
        let link = shared.join("out.svg");
        symlink("/dev/null/nowhere", &link).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        // Only root can make a link a stranger's.
        if std::os::unix::fs::lchown(&link, Some(65534), None).is_err()
            || chown(&shared, Some(0), None).is_err()
        {
            return;
        }
        let error = write_file(&link, hello).unwrap_err();
        assert!(error.to_string().contains("user 65534"), "{error:#}");
    }

    #[test]
    fn links_in_a_circle_end() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("a");
        symlink("a", &link).unwrap();
        assert!(write_file(&link, hello).is_err());
    }

    #[test]
    fn a_directory_is_named_in_the_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = write_file(directory.path(), hello).unwrap_err();
        assert!(error.to_string().contains("is a directory"));
    }
}
