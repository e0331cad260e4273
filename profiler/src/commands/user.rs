//! The user who called: as whom a command runs, and whose settings count.
//!
//! Users may be in a directory service, which the C library reaches through plug-ins that it loads. A static binary must
//! not load those of another C library (it crashes in them), so the host's own tools are asked; where they are not
//! there, the files.

use std::{ffi::CString, fs, process::Command};

use anyhow::{Context as _, Result, bail};

/// A user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: CString,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All groups, that of `gid` too.
    pub(super) groups: Vec<u32>,
    pub(super) home: CString,
}

/// `--user`, else who called sudo, else nobody in particular: ourselves. Must be asked before this program has threads.
///
/// # Errors
/// If there is no such user.
pub(super) fn user_for(name: Option<&str>) -> Result<Option<User>> {
    if let Some(name) = name {
        return match look_up(name)? {
            Some(user) => Ok(Some(user)),
            None => bail!("there is no user {name}: `getent passwd` lists users"),
        };
    }
    // SAFETY: no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    let Some(uid) = std::env::var("SUDO_UID").ok().filter(|_| root) else {
        return Ok(None);
    };
    match look_up(&uid)? {
        Some(user) => Ok(Some(user)),
        None => {
            bail!("SUDO_UID is {uid}, but there is no such user; say who shall run the command with --user")
        }
    }
}

/// The user with this name or number.
fn look_up(key: &str) -> Result<Option<User>> {
    let told = output("getent", &["passwd", "--", key]);
    let passwd = told.unwrap_or_else(|| fs::read_to_string("/etc/passwd").unwrap_or_default());
    let Some(entry) = entry(&passwd, key) else {
        return Ok(None);
    };
    let groups = output("id", &["-G", "--", entry.name]).map_or_else(
        || members(&fs::read_to_string("/etc/group").unwrap_or_default(), &entry),
        |told| {
            told.split_ascii_whitespace()
                .filter_map(|gid| gid.parse().ok())
                .collect()
        },
    );
    Ok(Some(User {
        name: CString::new(entry.name).context("a user's name has a zero byte in it")?,
        uid: entry.uid,
        gid: entry.gid,
        groups,
        home: CString::new(entry.home).context("a user's home has a zero byte in it")?,
    }))
}

/// What a command prints, if it could be run and ended well.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A line of `passwd(5)`.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// The line of the user with this name or number: `name:password:uid:gid:gecos:home:shell`.
fn entry<'a>(passwd: &'a str, key: &str) -> Option<Entry<'a>> {
    let entries = passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else {
            return None;
        };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        Some(Entry { name, uid, gid, home })
    });
    let number = key.parse::<u32>().ok();
    let mut entries: Vec<_> = entries.collect();
    // A name may look like a number; it comes first, as with chown(1).
    let at = entries
        .iter()
        .position(|entry| entry.name == key)
        .or_else(|| entries.iter().position(|entry| Some(entry.uid) == number))?;
    Some(entries.swap_remove(at))
}

/// The groups of a user by `group(5)`: `name:password:gid:member,member`.
fn members(group: &str, user: &Entry<'_>) -> Vec<u32> {
    let groups = group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, gid, members] = fields[..] else {
            return None;
        };
        let is_member = members.split(',').any(|member| member == user.name);
        gid.parse().ok().filter(|_| is_member)
    });
    let mut groups: Vec<u32> = std::iter::once(user.gid).chain(groups).collect();
    groups.dedup();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          broken\n\
                          ada:x:1001:1002:Ada,,,:/home/ada:/bin/sh\n\
                          1001:x:7:7::/seven:/bin/sh\n";

    #[test]
    fn users_by_name_and_number() {
        let ada = Entry {
            name: "ada",
            uid: 1001,
            gid: 1002,
            home: "/home/ada",
        };
        assert_eq!(entry(PASSWD, "ada").as_ref(), Some(&ada));
        assert_eq!(entry(PASSWD, "0").unwrap().name, "root");
        assert_eq!(entry(PASSWD, "1001").unwrap().uid, 7);
        assert_eq!(entry(PASSWD, "nobody"), None);
        let groups = "adm:x:4:bob,ada\nada:x:1002:\nbroken\nsudo:x:27:adam";
        assert_eq!(members(groups, &ada), [1002, 4]);
    }

    #[test]
    fn root_is_on_every_host() {
        let root = look_up("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(look_up("no such user").unwrap(), None);
    }
}
