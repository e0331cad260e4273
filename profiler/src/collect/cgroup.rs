//! Where a cgroup lies, so that the kernel side can tell whether a task is in it.

use std::{
    ffi::CString,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use profiler_common::config::Offsets;

/// A cgroup's place in the tree of all. A task is in it or below it, if this one is among the ancestors of the task's own
/// cgroup, at this depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The kernel's number of it, which is that of its directory's inode.
    pub id: u64,
    /// How deep it lies below the root.
    pub level: u64,
}

/// `CGROUP2_SUPER_MAGIC` (include/uapi/linux/magic.h).
const CGROUP2: u64 = 0x6367_7270;
/// The number of the root of all cgroups (`cgroup_setup_root`, kernel/cgroup/cgroup.c).
const ROOT: u64 = 1;

impl Place {
    /// The place of the cgroup with the directory `path`.
    ///
    /// # Errors
    /// If that is not the directory of a cgroup v2, or what lies above it cannot be seen.
    pub fn of(path: &Path) -> Result<Self> {
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot open cgroup {}", path.display()))?;
        if file_system(&path)? != CGROUP2 {
            bail!("{} is not a cgroup v2 directory", path.display());
        }
        let own = path.metadata()?;
        let within = path
            .ancestors()
            .map_while(|directory| directory.metadata().ok())
            .take_while(|directory| directory.dev() == own.dev());
        let ids: Vec<u64> = within.map(|directory| directory.ino()).collect();
        if ids.last() != Some(&ROOT) {
            bail!(
                "cannot tell how deep {} lies: what is mounted here does not begin at the root of all cgroups, as in a \
                 container with a cgroup namespace of its own",
                path.display()
            );
        }
        Ok(Self {
            id: own.ino(),
            level: ids.len() as u64 - 1,
        })
    }
}

/// Whether the kernel's types tell which cgroups a task is in.
pub fn can_be_told(offsets: &Offsets) -> bool {
    let way = [
        offsets.task_css_set,
        offsets.css_set_cgroup,
        offsets.cgroup_ancestors,
        offsets.cgroup_node,
        offsets.node_id,
    ];
    !way.contains(&u32::MAX)
}

/// The magic number of the file system that `path` is in.
fn file_system(path: &Path) -> Result<u64> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a structure of integers, for which zero is a value.
    let mut about: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the name is zero-terminated, and the structure valid for writes.
    if unsafe { libc::statfs(name.as_ptr(), &raw mut about) } != 0 {
        return Err(std::io::Error::last_os_error())
            .with_context(|| format!("cannot look at {}", path.display()));
    }
    Ok(about.f_type as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_cgroup_is_refused_in_words() {
        let refused = |path: &str| format!("{:#}", Place::of(Path::new(path)).unwrap_err());
        assert_eq!(refused("/proc"), "/proc is not a cgroup v2 directory");
        assert!(refused("/there/is/none").starts_with("cannot open cgroup /there/is/none: "));
    }
}
