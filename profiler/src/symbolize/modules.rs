//! The files behind mappings, and the symbol tables that are in memory now.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Options, Reason,
    elf::Elf,
    image::{DEBUG_DIRS, Image, Refused},
    note_once,
    symbols::SymbolTable,
    vdso,
};
use crate::profile::{Id, Mapping, MappingKind};

/// The files behind all mappings of a recording.
#[derive(Debug)]
pub(super) struct Modules {
    modules: Vec<Module>,
    /// Files that were offered before their mapping, or after their mapping was tried without one.
    offered: Vec<(Id<Mapping>, Arc<File>)>,
    late: Vec<Id<Mapping>>,
    debug_dirs: Vec<PathBuf>,
    /// For symbol tables, in bytes.
    memory: u64,
    /// Counts look-ups, so that the table that was used longest ago is the one that goes.
    clock: u64,
}

#[derive(Debug)]
struct Module {
    mapping: Mapping,
    image: Slot,
    table: Option<SymbolTable>,
    used: u64,
}

#[derive(Debug)]
enum Slot {
    /// Not tried yet.
    Offered(Option<Arc<File>>),
    Open(Box<Image>),
    Failed(Reason),
}

impl Modules {
    pub(super) fn new(options: &Options) -> Self {
        let system = DEBUG_DIRS.map(PathBuf::from);
        Self {
            modules: Vec::new(),
            offered: Vec::new(),
            late: Vec::new(),
            debug_dirs: options.debug_dirs.iter().cloned().chain(system).collect(),
            memory: options.memory_budget,
            clock: 0,
        }
    }

    /// Takes note of new mappings.
    pub(super) fn learn(&mut self, mappings: &[Mapping]) {
        let module = |mapping: &Mapping| Module {
            mapping: mapping.clone(),
            image: Slot::Offered(None),
            table: None,
            used: 0,
        };
        self.modules.extend(mappings.iter().map(module));
        for (mapping, file) in std::mem::take(&mut self.offered) {
            self.offer(mapping, file);
        }
    }

    /// Takes a file for a mapping, unless it has one.
    pub(super) fn offer(&mut self, mapping: Id<Mapping>, file: Arc<File>) {
        let Some(module) = self.modules.get_mut(mapping.index()) else {
            self.offered.push((mapping, file));
            return;
        };
        match &module.image {
            Slot::Open(_) | Slot::Offered(Some(_)) => {}
            Slot::Offered(None) => module.image = Slot::Offered(Some(file)),
            Slot::Failed(_) => {
                module.image = Slot::Offered(Some(file));
                self.late.push(mapping);
            }
        }
    }

    /// The mappings that got their file only after they had been tried without.
    pub(super) fn take_late_files(&mut self) -> Vec<Id<Mapping>> {
        std::mem::take(&mut self.late)
    }

    /// What kind of mapping it is.
    pub(super) fn kind(&self, mapping: Id<Mapping>) -> Option<MappingKind> {
        self.modules
            .get(mapping.index())
            .map(|module| module.mapping.kind.clone())
    }

    /// The mapping itself.
    pub(super) fn mapping(&self, mapping: Id<Mapping>) -> Option<&Mapping> {
        self.modules.get(mapping.index()).map(|module| &module.mapping)
    }

    /// The names of the functions that addresses of a mapping lie in, or why they have none.
    pub(super) fn names(
        &mut self,
        mapping: Id<Mapping>,
        addresses: &[u64],
        notes: &mut Vec<String>,
    ) -> Vec<Result<String, Reason>> {
        self.clock += 1;
        let names = self.lookup(mapping, addresses, notes);
        self.evict(mapping);
        names.unwrap_or_else(|reason| vec![Err(reason); addresses.len()])
    }

    fn lookup(
        &mut self,
        mapping: Id<Mapping>,
        addresses: &[u64],
        notes: &mut Vec<String>,
    ) -> Result<Vec<Result<String, Reason>>, Reason> {
        let clock = self.clock;
        let module = self.modules.get_mut(mapping.index()).ok_or(Reason::Unmapped)?;
        module.used = clock;
        let offsets = module.mapping.kind == MappingKind::FileOffset;
        let image = module.open(&self.debug_dirs, notes)?;
        let addresses: Vec<_> = addresses
            .iter()
            .map(|&address| {
                if offsets {
                    image.elf.address_of(address)
                } else {
                    Some(address)
                }
            })
            .collect();
        let reason = if image.is_stripped() {
            Reason::Stripped
        } else {
            Reason::OutsideSymbols
        };
        if module.table.is_none() {
            let Slot::Open(image) = &module.image else {
                return Err(reason);
            };
            module.table = Some(SymbolTable::read(&image.elf, image.debug.as_ref()));
        }
        let table = module.table.as_ref().filter(|table| !table.is_empty());
        let name = |address: Option<u64>| table.and_then(|table| table.name(address?)).ok_or(reason);
        Ok(addresses.into_iter().map(name).collect())
    }

    /// Drops the tables that were used longest ago until the rest is within the budget. `keep` is in use.
    fn evict(&mut self, keep: Id<Mapping>) {
        let memory = |module: &Module| module.table.as_ref().map_or(0, SymbolTable::memory);
        let mut total: u64 = self.modules.iter().map(memory).sum();
        while total > self.memory {
            let tables = self
                .modules
                .iter_mut()
                .enumerate()
                .filter(|(_, module)| module.table.is_some());
            let oldest = tables
                .filter(|(index, _)| *index != keep.index())
                .min_by_key(|(_, module)| module.used);
            let Some((_, module)) = oldest else { return };
            total -= memory(module);
            module.table = None;
        }
    }

    /// Drops every symbol table.
    pub(super) fn evict_all(&mut self) {
        self.modules.iter_mut().for_each(|module| module.table = None);
    }

    /// The file with a mapping's DWARF, if there is one, and how to find an address of the mapping in it.
    pub(super) fn dwarf(&mut self, mapping: Id<Mapping>, notes: &mut Vec<String>) -> Option<Dwarf<'_>> {
        let module = self.modules.get_mut(mapping.index())?;
        let offsets = match module.mapping.kind {
            MappingKind::File => false,
            MappingKind::FileOffset => true,
            _ => return None,
        };
        let image = module.open(&self.debug_dirs, notes).ok()?;
        Some(Dwarf {
            elf: image.dwarf()?,
            translate: offsets.then_some(&image.elf),
        })
    }
}

/// A file with DWARF.
#[derive(Debug)]
pub(super) struct Dwarf<'a> {
    /// The file.
    pub(super) elf: &'a Elf,
    translate: Option<&'a Elf>,
}

impl Dwarf<'_> {
    /// A mapping's address as this file has it.
    pub(super) fn address(&self, address: u64) -> Option<u64> {
        self.translate
            .map_or(Some(address), |elf| elf.address_of(address))
    }
}

impl Module {
    fn open(&mut self, debug_dirs: &[PathBuf], notes: &mut Vec<String>) -> Result<&Image, Reason> {
        if let Slot::Offered(file) = &mut self.image {
            let file = file.take();
            self.image = match Self::find(&self.mapping, file, debug_dirs) {
                Ok(image) => Slot::Open(Box::new(image)),
                Err(reason) => {
                    if reason == Reason::OtherBuild {
                        let note = format!("{}: {}", self.mapping.path, reason.describe());
                        note_once(notes, note);
                    }
                    Slot::Failed(reason)
                }
            };
        }
        match &self.image {
            Slot::Open(image) => Ok(image),
            Slot::Failed(reason) => Err(*reason),
            Slot::Offered(_) => Err(Reason::NoFile),
        }
    }

    fn find(mapping: &Mapping, file: Option<Arc<File>>, debug_dirs: &[PathBuf]) -> Result<Image, Reason> {
        if mapping.kind == MappingKind::Vdso {
            let elf = vdso::own().ok_or(Reason::NoFile)?;
            let same = mapping.build_id.is_empty() || mapping.build_id == elf.build_id;
            return if same {
                Ok(Image { elf, debug: None })
            } else {
                Err(Reason::OtherBuild)
            };
        }
        let path = Path::new(&mapping.path);
        let is_regular = |file: &Arc<File>| file.metadata().is_ok_and(|metadata| metadata.is_file());
        let offered = file
            .filter(is_regular)
            .map(|file| Image::open(file, path, &mapping.build_id, debug_dirs))
            .and_then(|image| image.inspect_err(|_| {}).ok());
        if let Some(image) = offered {
            return Ok(image);
        }
        let refused = match Image::open_path(path, &mapping.build_id, debug_dirs) {
            Ok(image) => return Ok(image),
            Err(refused) => refused,
        };
        // The debug file alone has the names and lines, by virtual address.
        if mapping.kind == MappingKind::File
            && let Some(image) = Image::from_debug_dirs(&mapping.build_id, debug_dirs)
        {
            return Ok(image);
        }
        Err(if refused == Some(Refused::OtherBuild) {
            Reason::OtherBuild
        } else {
            Reason::NoFile
        })
    }
}
