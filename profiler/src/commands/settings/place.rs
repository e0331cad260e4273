//! Where the settings file is, and how it is read.
//!
//! With sudo this is root, and the file may be somebody else's: it is nothing but data of bounded size, and errors quote
//! it. So it has to be theirs, or readable by all: nobody gets to see what they could not read themselves.

use std::{
    ffi::OsStr,
    io::{ErrorKind, Read as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    commands::{reading::open_for, user::user_for},
    profile::file::invoking_user,
};

/// The largest settings file, in bytes.
const LARGEST: u64 = 64 << 10;

/// The settings file, if there is one: `asked`, else the user's own, else that of who called sudo.
///
/// # Errors
/// If it cannot be read, or `asked` is not there.
pub(super) fn read(asked: Option<&Path>) -> Result<Option<(PathBuf, String)>> {
    let reader = invoking_user().map(|(user, _)| user);
    if let Some(path) = asked {
        return match read_for(path, reader)? {
            Some(text) => Ok(Some((path.to_owned(), text))),
            None => bail!(
                "there is no {}; `profiler top --print-config` prints a settings file to begin with",
                path.display()
            ),
        };
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let own = place(
        variable("XDG_CONFIG_HOME").as_deref(),
        variable("HOME").as_deref(),
    );
    if let Some(path) = own
        && let Some(text) = read_for(&path, reader)?
    {
        return Ok(Some((path, text)));
    }
    // A user without an entry has no home to look in.
    let caller = reader.and_then(|_| user_for(None).ok().flatten());
    let home = caller
        .as_ref()
        .map(|user| OsStr::from_bytes(user.home.as_bytes()));
    match place(None, home) {
        Some(path) => Ok(read_for(&path, reader)?.map(|text| (path, text))),
        None => Ok(None),
    }
}

/// As the XDG base directory specification has it: a relative path in the variable counts as none.
fn place(config: Option<&OsStr>, home: Option<&OsStr>) -> Option<PathBuf> {
    let config = config.map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = config.or_else(|| Some(Path::new(home?).join(".config")))?;
    let path = directory.join("profiler/config.toml");
    path.is_absolute().then_some(path)
}

/// Reads `path` on behalf of the user `reader`; `None` if it is not there.
fn read_for(path: &Path, reader: Option<u32>) -> Result<Option<String>> {
    const INSTEAD: &str = "--no-config does without it";
    let file = match open_for(path, reader) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => bail!(
            "cannot open the settings file {}: {error}; {INSTEAD}",
            path.display()
        ),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the settings file {} ({INSTEAD})", path.display()))?;
    if bytes.len() as u64 > LARGEST {
        bail!(
            "the settings file {} is larger than {} kB; {INSTEAD}",
            path.display(),
            LARGEST >> 10
        );
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => bail!(
            "the settings file {} is not UTF-8 text; {INSTEAD}",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_file_is_where_the_specification_says() {
        for (config, home, expected) in [
            (Some("/c"), Some("/h"), Some("/c/profiler/config.toml")),
            (None, Some("/h"), Some("/h/.config/profiler/config.toml")),
            (Some("c"), Some("/h"), Some("/h/.config/profiler/config.toml")),
            (None, Some("h"), None),
            (None, None, None),
        ] {
            let found = place(config.map(OsStr::new), home.map(OsStr::new));
            assert_eq!(found, expected.map(PathBuf::from));
        }
    }

    #[test]
    fn what_is_no_small_file_of_text_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let refused = || read_for(&path, None).unwrap_err().to_string();
        assert!(read_for(&path, None).unwrap().is_none());
        fs::write(&path, vec![b'#'; LARGEST as usize + 1]).unwrap();
        assert!(refused().contains("larger than 64 kB"));
        fs::write(&path, b"\xff").unwrap();
        assert!(refused().contains("not UTF-8"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refused().contains("no regular file"));
        let error = read_for(Path::new("/dev/null"), None).unwrap_err();
        assert!(error.to_string().contains("no regular file"));
    }
}
