//! Where a trace is created: never through a link, never over something, readable by nobody but its owner.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use super::WriteError;

/// The user and group that called sudo, who should own what is written; `None` if this is not root, or root was not
/// reached by sudo.
pub fn invoking_user() -> Option<(u32, u32)> {
    // SAFETY: geteuid takes nothing, changes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let variable = |name| std::env::var(name).ok();
    caller(user, variable("SUDO_UID"), variable("SUDO_GID"))
}

fn caller(user: u32, sudo_uid: Option<String>, sudo_gid: Option<String>) -> Option<(u32, u32)> {
    if user != 0 {
        return None;
    }
    Some((sudo_uid?.parse().ok()?, sudo_gid?.parse().ok()?))
}

/// Creates the file for a trace. An older regular file of that name becomes `NAME.old`.
pub(super) fn create(path: &Path, owner: Option<(u32, u32)>) -> Result<File, WriteError> {
    let fail = |what, next, cause| WriteError::new(path, what, Some(cause), next);
    let older = set_aside(path)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(|cause| {
            if let Some(older) = &older {
                // Nothing took the older file's place, so it gets it back; if that fails too, it stays where it is.
                let _ = fs::rename(older, path);
            }
            let next = "choose a directory that exists and that you may write to with -o";
            fail("cannot create", next, cause)
        })?;
    let next = "choose a directory on another file system with -o";
    // The umask may have taken away more than it should.
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(|cause| fail("cannot set the mode of", next, cause))?;
    if let Some((user, group)) = owner {
        fchown(&file, Some(user), Some(group))
            .map_err(|cause| fail("cannot give to its owner", next, cause))?;
    }
    Ok(file)
}

/// Renames an older file of that name, and says to what.
fn set_aside(path: &Path) -> Result<Option<PathBuf>, WriteError> {
    let fail = |what: &str, cause| {
        let next = "remove it, or choose another name with -o";
        Err(WriteError::new(path, what, cause, next))
    };
    match kind(path) {
        Ok(None) => return Ok(None),
        Ok(Some("a file")) => {}
        Ok(Some(other)) => return fail(&format!("refusing to write over {other}:"), None),
        Err(cause) => return fail("cannot look at", Some(cause)),
    }
    let mut older = path.as_os_str().to_owned();
    older.push(".old");
    let older = PathBuf::from(older);
    match kind(&older) {
        Ok(None | Some("a file")) => {}
        Ok(Some(other)) => {
            return fail(
                &format!("the name with .old added is {other}, so cannot keep"),
                None,
            );
        }
        Err(cause) => {
            return fail(
                "cannot look at the file of that name with .old added:",
                Some(cause),
            );
        }
    }
    // Between the look and the rename somebody else may swap the file: rename does not follow links, and the file is
    // created exclusively afterwards, so the worst is a rename of what they put there.
    match fs::rename(path, &older) {
        Ok(()) => Ok(Some(older)),
        Err(cause) => fail("cannot rename the older file", Some(cause)),
    }
}

fn kind(path: &Path) -> io::Result<Option<&'static str>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some("a file")),
        Ok(metadata) if metadata.is_symlink() => Ok(Some("a symbolic link")),
        Ok(metadata) if metadata.is_dir() => Ok(Some("a directory")),
        Ok(_) => Ok(Some("a device, pipe or socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_trace_is_for_its_owner_alone() {
        let directory = directory();
        let path = directory.path().join("t.trace");
        // SAFETY: geteuid takes nothing, changes nothing and cannot fail.
        let root = unsafe { libc::geteuid() } == 0;
        create(&path, root.then_some((65534, 65533))).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600);
        if root {
            assert_eq!((metadata.uid(), metadata.gid()), (65534, 65533));
        }
    }

    #[test]
    fn an_older_trace_is_kept_under_another_name_once() {
        let directory = directory();
        let path = directory.path().join("t.trace");
        for text in ["first", "second"] {
            fs::write(&path, text).unwrap();
            create(&path, None).unwrap();
            assert_eq!(
                fs::read_to_string(directory.path().join("t.trace.old")).unwrap(),
                text
            );
            assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        }
    }

    #[test]
    fn links_directories_and_devices_are_not_written_over() {
        let directory = directory();
        let (path, target) = (
            directory.path().join("t.trace"),
            directory.path().join("precious"),
        );
        fs::write(&target, "precious").unwrap();
        symlink(&target, &path).unwrap();
        let error = create(&path, None).unwrap_err().to_string();
        assert!(
            error.contains("a symbolic link") && error.contains("-o"),
            "{error}"
        );
        assert!(path.is_symlink());
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        assert!(create(&path, None).is_err(), "a dangling link is a link");
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");

        let error = create(directory.path(), None).unwrap_err().to_string();
        assert!(error.contains("a directory"), "{error}");
        let error = create(Path::new("/dev/full"), None).unwrap_err().to_string();
        assert!(error.contains("a device"), "{error}");
    }

    #[test]
    fn an_older_file_stays_where_it_is_if_its_new_name_is_taken_by_a_link() {
        let directory = directory();
        let path = directory.path().join("t.trace");
        fs::write(&path, "older").unwrap();
        symlink("elsewhere", directory.path().join("t.trace.old")).unwrap();
        let error = create(&path, None).unwrap_err().to_string();
        assert!(error.contains(".old"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "older");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named_with_the_next_step() {
        let error = create(Path::new("/nonexistent/t.trace"), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nonexistent/t.trace") && error.contains("-o"),
            "{error}"
        );
    }

    #[test]
    fn only_root_writes_for_another_user() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(caller(0, text("1000"), text("100")), Some((1000, 100)));
        assert_eq!(caller(1000, text("1000"), text("100")), None);
        assert_eq!(caller(0, None, None), None);
        assert_eq!(caller(0, text("root"), text("0")), None);
    }
}
