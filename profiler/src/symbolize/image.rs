//! An executable or library as it was run: the file itself, and the separate debug file that belongs to it.

use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{
    bytes::{Bytes, open_regular},
    elf::Elf,
};

/// Where distributions put separate debug files.
pub(super) const DEBUG_DIRS: [&str; 2] = ["/usr/lib/debug", "/usr/local/lib/debug"];
/// Debug files without a build id are checked by the CRC of their whole content, if they are not larger than this.
const MAX_CRC: u64 = 1 << 30;

/// The file behind a mapping.
#[derive(Debug)]
pub(super) struct Image {
    /// What was run.
    pub(super) elf: Elf,
    /// Its separate debug file.
    pub(super) debug: Option<Elf>,
}

/// Why a file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is not an ELF file.
    NotElf,
    /// It is another build than the one that ran.
    OtherBuild,
}

impl Image {
    /// The image in `file`, provided that it is the build that `build_id` names (if it names one).
    pub(super) fn open(
        file: Arc<File>,
        path: &Path,
        build_id: &[u8],
        debug_dirs: &[PathBuf],
    ) -> Result<Self, Refused> {
        // The place on this host, which for a container's file is not the path that the container sees.
        let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let elf = Elf::read(Bytes::File(file)).ok_or(Refused::NotElf)?;
        if !build_id.is_empty() && elf.build_id != build_id {
            return Err(Refused::OtherBuild);
        }
        let debug = (!elf.has_dwarf() || !elf.has_symtab())
            .then(|| find_debug_file(&elf, path, real.ok().as_deref(), debug_dirs))
            .flatten();
        Ok(Self { elf, debug })
    }

    /// The file at `path`, provided that it is the build that `build_id` names. Without a build id no file at some
    /// path is known to be the one that ran.
    pub(super) fn open_path(
        path: &Path,
        build_id: &[u8],
        debug_dirs: &[PathBuf],
    ) -> Result<Self, Option<Refused>> {
        let file = open_regular(path).map_err(|_| None)?;
        if build_id.is_empty() {
            return Err(None);
        }
        Self::open(Arc::new(file), path, build_id, debug_dirs).map_err(Some)
    }

    /// A debug file alone, found by build id: all that is left where the binary itself is not at hand.
    pub(super) fn from_debug_dirs(build_id: &[u8], debug_dirs: &[PathBuf]) -> Option<Self> {
        by_build_id(build_id, debug_dirs).map(|elf| Self { elf, debug: None })
    }

    /// The file that has the DWARF.
    pub(super) fn dwarf(&self) -> Option<&Elf> {
        [Some(&self.elf), self.debug.as_ref()]
            .into_iter()
            .flatten()
            .find(|elf| elf.has_dwarf())
    }

    /// Whether it has all its functions' names, so that an address without one is outside every function.
    pub(super) fn is_stripped(&self) -> bool {
        !self.elf.has_symtab() && self.debug.as_ref().is_none_or(|debug| !debug.has_symtab())
    }
}

fn find_debug_file(elf: &Elf, path: &Path, real: Option<&Path>, debug_dirs: &[PathBuf]) -> Option<Elf> {
    if let Some(debug) = by_build_id(&elf.build_id, debug_dirs) {
        return Some(debug);
    }
    let (name, crc) = elf.debug_link()?;
    let mut candidates = Vec::new();
    if let Some(dir) = real.and_then(Path::parent) {
        candidates.extend([dir.join(&name), dir.join(".debug").join(&name)]);
    }
    let below: PathBuf = path
        .parent()?
        .components()
        .filter(|it| matches!(it, Component::Normal(_)))
        .collect();
    for dir in debug_dirs {
        candidates.extend([dir.join(&below).join(&name), dir.join(&name)]);
    }
    candidates.iter().find_map(|candidate| {
        let debug = Elf::read(Bytes::File(Arc::new(open_regular(candidate).ok()?)))?;
        let belongs = match (elf.build_id.as_slice(), debug.build_id.as_slice()) {
            ([], _) | (_, []) => crc_of(&debug.bytes) == Some(crc),
            (ours, theirs) => ours == theirs,
        };
        (belongs && (debug.has_dwarf() || debug.has_symtab())).then_some(debug)
    })
}

fn by_build_id(build_id: &[u8], debug_dirs: &[PathBuf]) -> Option<Elf> {
    let (first, rest) = build_id.split_first().filter(|(_, rest)| rest.len() >= 3)?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    debug_dirs.iter().find_map(|dir| {
        let path = dir
            .join(".build-id")
            .join(format!("{first:02x}"))
            .join(format!("{rest}.debug"));
        let debug = Elf::read(Bytes::File(Arc::new(open_regular(&path).ok()?)))?;
        (debug.build_id == build_id).then_some(debug)
    })
}

fn crc_of(bytes: &Bytes) -> Option<u32> {
    let len = Some(bytes.len()).filter(|&len| len <= MAX_CRC)?;
    let mut crc = crc32fast::Hasher::new();
    let mut offset = 0;
    while offset < len {
        let step = (len - offset).min(1 << 20);
        crc.update(&bytes.read(offset, step)?);
        offset += step;
    }
    Some(crc.finalize())
}
