//! The distinct executables that processes map: opened once, held open, their tables built once.

use std::{cell::OnceCell, collections::HashMap, fs::File, sync::Arc};

use object::ReadCache;

use super::{
    event::RawMapping,
    unwind::{
        elf::{self, Elf, Segment},
        pool::Placed,
        rows::Table,
    },
    variables::Variables,
};
use crate::profile::{Id, Mapping};

/// The number of an executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecutableId(u32);

/// What a mapping turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The executable behind it.
    pub executable: ExecutableId,
    /// Subtract it from an address to get the address in the executable's own terms.
    pub bias: u64,
}

/// What kind of code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ELF file that was read.
    Elf,
    /// A file that could not be opened, or is not ELF: addresses are file offsets.
    Opaque,
    /// The kernel's code in user space.
    Vdso,
    /// Memory without a file: JIT.
    Anonymous,
}

/// How far the unwind table has come.
#[derive(Clone, Copy, Debug)]
pub enum TableState {
    /// Nobody needed it yet.
    Unbuilt,
    /// It is in the pool.
    Placed(Placed),
    /// There is none: no `.eh_frame`, no room, or not ELF.
    None,
}

/// One executable.
#[derive(Debug)]
pub struct Executable {
    /// What kind of code it is.
    pub kind: Kind,
    /// The path in the mount namespace of the process that mapped it first.
    pub path: String,
    /// The build id, or empty.
    pub build_id: Vec<u8>,
    /// The file, held open: deleted, replaced and container files stay readable.
    pub file: Option<Arc<File>>,
    /// Its unwind table.
    pub table: TableState,
    /// Its row in the profile, once a sample referred to it.
    pub mapping: Option<Id<Mapping>>,
    segments: Vec<Segment>,
    variables: OnceCell<Variables>,
}

/// All executables that were met.
#[derive(Debug, Default)]
pub struct Executables {
    all: Vec<Executable>,
    by_build_id: HashMap<(Vec<u8>, Vec<u8>), ExecutableId>,
    by_inode: HashMap<((u64, u64), Vec<u8>), ExecutableId>,
    by_path: HashMap<Vec<u8>, ExecutableId>,
}

impl Executables {
    /// The profile's tables begin anew: nothing has a row.
    pub fn forget_rows(&mut self) {
        self.all
            .iter_mut()
            .for_each(|executable| executable.mapping = None);
    }

    /// The executable behind a mapping. `open` tries to open its file and is called only if it was not met before.
    pub fn resolve(&mut self, raw: &RawMapping, open: impl FnMut() -> Vec<File>) -> Resolved {
        let executable = self.find_or_add(raw, open);
        let bias = self.get(executable).bias(raw);
        Resolved { executable, bias }
    }

    /// The executable with the given number.
    pub fn get(&self, id: ExecutableId) -> &Executable {
        &self.all[id.0 as usize]
    }

    /// The executable with the given number, to be changed.
    pub fn get_mut(&mut self, id: ExecutableId) -> &mut Executable {
        &mut self.all[id.0 as usize]
    }

    fn find_or_add(&mut self, raw: &RawMapping, mut open: impl FnMut() -> Vec<File>) -> ExecutableId {
        let known = self.find(raw);
        if let Some(id) = known
            && (self.get(id).kind != Kind::Opaque || self.get(id).file.is_some())
        {
            return id;
        }
        let id = match raw.path.as_slice() {
            b"[vdso]" => self.add(vdso()),
            path if is_anonymous(path) => self.add(anonymous(path)),
            _ => {
                let found = open().into_iter().find_map(|file| Executable::read(raw, file));
                match (found, known) {
                    (Some(executable), Some(id)) => {
                        // It could not be opened when it was met first, but now.
                        let mapping = self.get(id).mapping;
                        if mapping.is_some() {
                            return id;
                        }
                        self.all[id.0 as usize] = executable;
                        id
                    }
                    (None, Some(id)) => return id,
                    (Some(executable), None) => self.add_or_merge(executable, raw),
                    (None, None) => self.add(Executable::opaque(raw)),
                }
            }
        };
        self.remember(raw, id);
        id
    }

    fn find(&self, raw: &RawMapping) -> Option<ExecutableId> {
        let by_build_id = || self.by_build_id.get(&(raw.build_id.clone(), raw.path.clone()));
        let by_inode = || self.by_inode.get(&(raw.inode?, raw.path.clone()));
        match (raw.build_id.is_empty(), raw.inode) {
            (false, _) => by_build_id().copied(),
            (true, Some(_)) => by_inode().copied(),
            (true, None) => self.by_path.get(&raw.path).copied(),
        }
    }

    fn remember(&mut self, raw: &RawMapping, id: ExecutableId) {
        match (raw.build_id.is_empty(), raw.inode) {
            (false, _) => drop(
                self.by_build_id
                    .insert((raw.build_id.clone(), raw.path.clone()), id),
            ),
            (true, Some(inode)) => drop(self.by_inode.insert((inode, raw.path.clone()), id)),
            (true, None) => drop(self.by_path.insert(raw.path.clone(), id)),
        }
    }

    /// `/proc` knows a file by its inode, the side band by its build id: both lead to one executable.
    fn add_or_merge(&mut self, executable: Executable, raw: &RawMapping) -> ExecutableId {
        if executable.build_id.is_empty() {
            return self.add(executable);
        }
        let key = (executable.build_id.clone(), raw.path.clone());
        if let Some(&id) = self.by_build_id.get(&key) {
            return id;
        }
        let id = self.add(executable);
        self.by_build_id.insert(key, id);
        id
    }

    fn add(&mut self, executable: Executable) -> ExecutableId {
        let id = ExecutableId(self.all.len() as u32);
        self.all.push(executable);
        id
    }
}

impl Executable {
    /// Reads the headers of an opened file; `None` if it is not the file that was mapped (another build id).
    fn read(raw: &RawMapping, file: File) -> Option<Self> {
        let mut executable = Self::opaque(raw);
        {
            let cache = ReadCache::new(&file);
            if let Ok(elf) = Elf::parse(&cache) {
                if !raw.build_id.is_empty() && elf.build_id() != raw.build_id {
                    return None;
                }
                executable.kind = Kind::Elf;
                executable.build_id = elf.build_id().to_vec();
                executable.segments = elf.segments().to_vec();
                executable.table = TableState::Unbuilt;
            }
        }
        executable.file = Some(Arc::new(file));
        Some(executable)
    }

    fn opaque(raw: &RawMapping) -> Self {
        Self {
            kind: Kind::Opaque,
            path: String::from_utf8_lossy(&raw.path).into_owned(),
            build_id: raw.build_id.clone(),
            file: None,
            table: TableState::None,
            mapping: None,
            segments: Vec::new(),
            variables: OnceCell::new(),
        }
    }

    /// Subtract it from an address in the mapping to get the address in the executable's own terms.
    fn bias(&self, raw: &RawMapping) -> u64 {
        let as_file_offset = raw.start.wrapping_sub(raw.file_offset);
        match self.kind {
            Kind::Elf | Kind::Vdso => {
                elf::bias(&self.segments, raw.start, raw.file_offset).unwrap_or(as_file_offset)
            }
            Kind::Opaque => as_file_offset,
            Kind::Anonymous => 0,
        }
    }

    /// Whether an address, as the file has it, lies in its data.
    pub fn has_data_at(&self, address: u64) -> bool {
        self.variables().hold(address)
    }

    /// The variable at such an address.
    pub fn variable(&self, address: u64) -> Option<String> {
        self.variables().name(self.file.as_ref()?, address)
    }

    /// Its variables, read from the file when they are asked for first.
    fn variables(&self) -> &Variables {
        self.variables.get_or_init(|| match &self.file {
            Some(file) => Variables::read(file),
            None => Variables::default(),
        })
    }

    /// Makes the rows of an ELF file or the vDSO; `None` if it has no unwind information.
    pub fn build_table(&self) -> Option<Table> {
        match (self.kind, &self.file) {
            (Kind::Elf, Some(file)) => {
                let cache = ReadCache::new(&**file);
                let elf = Elf::parse(&cache).ok()?;
                Table::build(&elf, &cache).ok()
            }
            (Kind::Vdso, _) => {
                let image = vdso_image()?;
                let elf = Elf::parse(image.as_slice()).ok()?;
                Table::build(&elf, image.as_slice()).ok()
            }
            _ => None,
        }
    }
}

/// Whether a path of `/proc/PID/maps` or of the side band means memory without a file.
fn is_anonymous(path: &[u8]) -> bool {
    path.is_empty()
        || path.starts_with(b"[")
        || path.starts_with(b"//anon")
        || path.starts_with(b"anon_inode:")
        || path.starts_with(b"/anon_hugepage")
        || path.starts_with(b"/SYSV")
        || path.starts_with(b"/dev/zero")
}

fn anonymous(path: &[u8]) -> Executable {
    let raw = RawMapping {
        path: path.to_vec(),
        ..RawMapping::default()
    };
    Executable {
        kind: Kind::Anonymous,
        path: "[anon]".to_owned(),
        ..Executable::opaque(&raw)
    }
}

fn vdso() -> Executable {
    let raw = RawMapping {
        path: b"[vdso]".to_vec(),
        ..RawMapping::default()
    };
    let mut executable = Executable {
        kind: Kind::Vdso,
        ..Executable::opaque(&raw)
    };
    if let Some(image) = vdso_image()
        && let Ok(elf) = Elf::parse(image.as_slice())
    {
        executable.segments = elf.segments().to_vec();
        executable.build_id = elf.build_id().to_vec();
        executable.table = TableState::Unbuilt;
    }
    executable
}

/// The vDSO, which is the same for every 64-bit process, from this process's own memory.
fn vdso_image() -> Option<Vec<u8>> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let (start, end) = (
        u64::from_str_radix(start, 16).ok()?,
        u64::from_str_radix(end, 16).ok()?,
    );
    let mut image = vec![0; usize::try_from(end.checked_sub(start)?).ok()?];
    let memory = File::open("/proc/self/mem").ok()?;
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut image, start).ok()?;
    Some(image)
}
