//! Gives names to locations.
//!
//! Two passes. While a recording runs, [`Symbolizer::follow`] names what is new by symbol tables alone: cheap, and in
//! time for processes that are about to end. When it has ended, [`Symbolizer::finish`] adds inlined calls and source
//! lines from DWARF where samples, slow events and waits for locks are. [`resymbolize()`] does the same for a trace that was recorded earlier, and
//! [`look_up()`] for a few addresses while a recording runs.
//!
//! | where code lies | where its names are |
//! |---|---|
//! | an ELF file | its symbol tables, the separate debug file's, `.gnu_debugdata`; DWARF by blazesym |
//! | the kernel, its modules, BPF programs | `/proc/kallsyms` |
//! | the vDSO | this process's own |
//! | generated code | `/tmp/perf-PID.map` |
//!
//! An address outside every function's extent has no name and no lines: views show `module+0xoffset`. Never the
//! nearest name. Everything read here was written by the profiled world: files are bounded, and DWARF is read in a
//! child process.

mod bytes;
mod child;
mod demangle;
mod dwarf;
mod elf;
mod image;
mod kernel;
mod lookup;
mod modules;
mod perf_map;
mod resymbolize;
mod source;
mod symbols;
mod unknown;
mod vdso;

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rustc_hash::{FxHashMap, FxHashSet};

pub use dwarf::SourceLine;
pub use lookup::{Found, look_up};
pub use resymbolize::{Summary, resymbolize};
pub use unknown::{Reason, Unknown};

use self::{
    kernel::KernelSymbols,
    modules::Modules,
    perf_map::{Owner, PerfMap},
};
use crate::profile::{
    CallStack, Delta, Function, Id, Line, Location, LockWait, Mapping, MappingKind, Process, Sample,
    SlowEvent, Stack, Table,
};

/// How often at most `/proc/kallsyms` is read again because a module or BPF program is new.
const KERNEL_AGAIN: Duration = Duration::from_secs(10);

/// What the symboliser may do and use.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to look for separate debug files, before the system's places: `DIR/.build-id/xx/….debug`, and the names
    /// in `.gnu_debuglink` below it.
    pub debug_dirs: Vec<PathBuf>,
    /// Whether to add inlined calls and source lines from DWARF.
    pub inlines: bool,
    /// Memory for symbol tables, and again for one file's DWARF at a time, in bytes. Files whose DWARF needs more keep
    /// the names of their symbol tables.
    pub memory_budget: u64,
    /// Time for the DWARF of one file.
    pub file_time: Duration,
    /// Time for the DWARF of all files. The hottest come first.
    pub total_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            debug_dirs: Vec::new(),
            inlines: true,
            memory_budget: 256 << 20,
            file_time: Duration::from_secs(10),
            total_time: Duration::from_secs(60),
        }
    }
}

/// What is known about a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It has no name.
    Nothing(Reason),
    /// The function, from a symbol table.
    Function(Id<Function>),
    /// Lines from DWARF.
    Lines,
}

/// Gives names to the locations of one recording, which it follows from the begin. It stays on its thread.
#[derive(Debug)]
pub struct Symbolizer {
    options: Options,
    /// Whether the recording runs, on this host: its processes and kernel are those in `/proc`.
    live: bool,
    /// Whether the running kernel is the recorded one, with its addresses where they were.
    kernel_is_ours: bool,
    modules: Modules,
    processes: Vec<u32>,
    locations: Vec<Location>,
    known: Vec<Known>,
    stacks: Vec<Stack>,
    /// How many samples and slow events ended in each stack.
    hits: Vec<u64>,
    functions: Table<Function>,
    kernel: Option<(KernelSymbols, Instant)>,
    perf_maps: FxHashMap<Id<Process>, (Owner, PerfMap)>,
    notes: Vec<String>,
}

impl Symbolizer {
    /// A symboliser for a recording that begins.
    pub fn new(options: Options) -> Self {
        Self {
            modules: Modules::new(&options),
            options,
            live: true,
            kernel_is_ours: true,
            processes: Vec::new(),
            locations: Vec::new(),
            known: Vec::new(),
            stacks: Vec::new(),
            hits: Vec::new(),
            functions: Table::default(),
            kernel: None,
            perf_maps: FxHashMap::default(),
            notes: Vec::new(),
        }
    }

    /// The open file behind a mapping of kind `File` or `FileOffset`: it stays readable when its process ends, its path
    /// is replaced or its container goes. May come before or after the mapping itself; the first one is kept.
    pub fn offer_file(&mut self, mapping: Id<Mapping>, file: Arc<File>) {
        self.modules.offer(mapping, file);
    }

    /// Takes note of what is new, and adds to the delta the functions and lines of locations that now have names. Every
    /// delta of a recording must pass here, in order. Reads symbol tables only.
    pub fn follow(&mut self, delta: &mut Delta) {
        self.learn(delta);
        let mut wanted: BTreeMap<Id<Mapping>, Vec<Id<Location>>> = BTreeMap::new();
        let first = self.locations.len() - delta.locations.len();
        for (id, location) in (first as u32..).map(Id::new).zip(&delta.locations) {
            wanted.entry(location.mapping).or_default().push(id);
        }
        let late: Vec<_> = self.modules.take_late_files();
        for (id, location) in (0..first as u32).map(Id::new).zip(&self.locations) {
            if late.is_empty() {
                break;
            }
            if late.contains(&location.mapping) && matches!(self.known[id.index()], Known::Nothing(_)) {
                wanted.entry(location.mapping).or_default().push(id);
            }
        }
        for (mapping, locations) in wanted {
            self.name(mapping, &locations, delta);
        }
    }

    /// The second pass, when a recording has ended: perf maps and kernel symbols again, then inlined calls and source
    /// lines from DWARF for the locations of samples and slow events, the hottest file first. The delta holds new functions, and
    /// lines that replace those given before. It belongs behind all deltas that were followed.
    pub fn finish(&mut self) -> Delta {
        let mut delta = Delta::default();
        self.name_again(&mut delta);
        if self.options.inlines {
            self.add_source_lines(&mut delta);
        }
        // Of two entries for a location the later is the better.
        let mut seen = FxHashSet::default();
        delta.lines.reverse();
        delta.lines.retain(|(location, _)| seen.insert(*location));
        delta.lines.reverse();
        delta
    }

    /// Why a location has no name; `None` if it has one.
    pub fn reason(&self, location: Id<Location>) -> Option<Reason> {
        match self.known.get(location.index())? {
            Known::Nothing(reason) => Some(*reason),
            Known::Function(_) | Known::Lines => None,
        }
    }

    /// The locations without a name, counted by mapping and reason, those in most frames first.
    pub fn unknown(&self) -> Vec<Unknown> {
        let frames = self.frames();
        let mut counts: BTreeMap<(Id<Mapping>, Reason), (u64, u64)> = BTreeMap::new();
        for ((location, known), frames) in self.locations.iter().zip(&self.known).zip(frames) {
            if let Known::Nothing(reason) = known {
                let count = counts.entry((location.mapping, *reason)).or_default();
                *count = (count.0 + 1, count.1 + frames);
            }
        }
        let unknown = |((mapping, reason), (locations, frames))| Unknown {
            mapping,
            reason,
            locations,
            frames,
        };
        let mut unknown: Vec<_> = counts.into_iter().map(unknown).collect();
        unknown.sort_by_key(|unknown| std::cmp::Reverse(unknown.frames));
        unknown
    }

    /// What went wrong, for people: each thing once. Paths in it are untrusted text.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn learn(&mut self, delta: &Delta) {
        self.modules.learn(&delta.mappings);
        self.processes
            .extend(delta.processes.iter().map(|process| process.pid));
        self.learn_stacks(&delta.locations, &delta.stacks);
        self.count(&delta.samples, &delta.slow);
        self.count_locks(&delta.lock_waits, &delta.call_stacks);
        for function in &delta.functions {
            self.functions.intern(function.clone());
        }
    }

    fn learn_stacks(&mut self, locations: &[Location], stacks: &[Stack]) {
        self.locations.extend_from_slice(locations);
        self.known
            .resize(self.locations.len(), Known::Nothing(Reason::Unmapped));
        self.stacks.extend_from_slice(stacks);
        self.hits.resize(self.stacks.len(), 0);
    }

    fn count(&mut self, samples: &[Sample], slow: &[SlowEvent]) {
        let samples = samples.iter().filter_map(|sample| sample.stack);
        let slow = slow.iter().filter_map(|event| event.stack);
        self.count_stacks(samples.chain(slow));
    }

    fn count_locks(&mut self, waits: &[LockWait], calls: &[CallStack]) {
        let waits = waits.iter().filter_map(|wait| wait.stack);
        let calls = calls.iter().filter_map(|call| call.stack);
        self.count_stacks(waits.chain(calls));
    }

    fn count_stacks(&mut self, stacks: impl Iterator<Item = Id<Stack>>) {
        for stack in stacks {
            if let Some(hits) = self.hits.get_mut(stack.index()) {
                *hits += 1;
            }
        }
    }

    /// In how many stacks of what was observed each location stands, counted once a frame.
    fn frames(&self) -> Vec<u64> {
        let mut through = self.hits.clone();
        let mut frames = vec![0; self.locations.len()];
        // Callers come before their callees.
        for (index, stack) in self.stacks.iter().enumerate().rev() {
            if let Some(caller) = stack.caller.filter(|caller| caller.index() < index) {
                through[caller.index()] += through[index];
            }
            if let Some(frames) = frames.get_mut(stack.location.index()) {
                *frames += through[index];
            }
        }
        frames
    }

    /// Names locations of one mapping, as far as their names are known now.
    fn name(&mut self, mapping: Id<Mapping>, locations: &[Id<Location>], delta: &mut Delta) {
        let addresses: Vec<u64> = locations
            .iter()
            .map(|location| self.locations[location.index()].address)
            .collect();
        let names = self.names(mapping, &addresses);
        for (&location, name) in locations.iter().zip(names) {
            match name {
                Ok(name) => {
                    let function = self.function(name, String::new(), delta);
                    let known = Known::Function(function);
                    if self.known[location.index()] != known {
                        self.known[location.index()] = known;
                        delta.lines.push((location, vec![Line { function, line: 0 }]));
                    }
                }
                Err(reason) => {
                    if let Known::Nothing(old) = &mut self.known[location.index()] {
                        *old = reason;
                    }
                }
            }
        }
    }

    fn names(&mut self, mapping: Id<Mapping>, addresses: &[u64]) -> Vec<Result<String, Reason>> {
        let all = |reason| vec![Err(reason); addresses.len()];
        match self.modules.kind(mapping) {
            Some(MappingKind::File | MappingKind::FileOffset | MappingKind::Vdso) => {
                self.modules.names(mapping, addresses, &mut self.notes)
            }
            Some(MappingKind::Kernel | MappingKind::KernelModule) => self.kernel_names(addresses),
            Some(MappingKind::Anonymous(process)) => self.generated_names(process, addresses),
            Some(MappingKind::Unknown(_)) | None => all(Reason::Unmapped),
        }
    }

    /// Reads the kernel's symbols now. It takes some 70 ms of CPU time, which belong to the start of a recording and not
    /// to the moment in which the first sample meets the kernel.
    pub fn read_kernel(&mut self) {
        if self.kernel.is_none() {
            self.kernel_names(&[]);
        }
    }

    fn kernel_names(&mut self, addresses: &[u64]) -> Vec<Result<String, Reason>> {
        if !self.kernel_is_ours {
            return vec![Err(Reason::OtherKernel); addresses.len()];
        }
        let lacks =
            |symbols: &KernelSymbols| addresses.iter().any(|&address| symbols.name(address).is_none());
        let read = match &self.kernel {
            None => true,
            Some((symbols, when)) => when.elapsed() > KERNEL_AGAIN && !symbols.hidden && lacks(symbols),
        };
        if read {
            let symbols = KernelSymbols::read().unwrap_or_default();
            if symbols.is_empty() {
                self.note(
                    "kernel functions have no names: the kernel hides its addresses; record as root, or set \
                     kernel.kptr_restrict to 1 or 0"
                        .to_owned(),
                );
            }
            self.kernel = Some((symbols, Instant::now()));
        }
        let symbols = self
            .kernel
            .as_ref()
            .map(|(symbols, _)| symbols)
            .filter(|symbols| !symbols.is_empty());
        let Some(symbols) = symbols else {
            return vec![Err(Reason::KernelHidden); addresses.len()];
        };
        addresses
            .iter()
            .map(|&address| symbols.name(address).ok_or(Reason::OutsideSymbols))
            .collect()
    }

    fn generated_names(&mut self, process: Id<Process>, addresses: &[u64]) -> Vec<Result<String, Reason>> {
        let Some(&pid) = self.processes.get(process.index()).filter(|_| self.live) else {
            return vec![Err(Reason::NoPerfMap); addresses.len()];
        };
        let (owner, map) = self
            .perf_maps
            .entry(process)
            .or_insert_with(|| (Owner::new(pid), PerfMap::default()));
        match owner.read_map() {
            Ok(Some(new)) => *map = new,
            Ok(None) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let note = format!("/tmp/perf-{pid}.map is not used: {error}");
                self.note(note);
                return vec![Err(Reason::NoPerfMap); addresses.len()];
            }
        }
        let names = addresses
            .iter()
            .map(|&address| map.name(address).map(str::to_owned).ok_or(Reason::NoPerfMap))
            .collect();
        self.forget_perf_maps(process);
        names
    }

    /// Keeps the maps of many processes within the memory budget.
    fn forget_perf_maps(&mut self, newest: Id<Process>) {
        let mut total: u64 = self.perf_maps.values().map(|(_, map)| map.memory()).sum();
        for (process, (owner, map)) in &mut self.perf_maps {
            if total > self.options.memory_budget / 4 && *process != newest {
                total -= map.memory();
                *map = PerfMap::default();
                // It is read again if the process still has it when it is wanted next.
                *owner = Owner::new(owner.pid);
            }
        }
    }

    /// Tries all again that may have a name by now. Perf maps grow, and what was written last is what counts.
    fn name_again(&mut self, delta: &mut Delta) {
        let mut wanted: BTreeMap<Id<Mapping>, Vec<Id<Location>>> = BTreeMap::new();
        for (id, location) in (0..).map(Id::new).zip(&self.locations) {
            let nameless = matches!(self.known[id.index()], Known::Nothing(_));
            let generated = matches!(
                self.modules.kind(location.mapping),
                Some(MappingKind::Anonymous(_))
            );
            if nameless || generated {
                wanted.entry(location.mapping).or_default().push(id);
            }
        }
        if let Some((_, read)) = &mut self.kernel
            && let Some(past) = read.checked_sub(KERNEL_AGAIN)
        {
            *read = past;
        }
        for (mapping, locations) in wanted {
            self.name(mapping, &locations, delta);
        }
    }

    /// The id of a function, which becomes part of the delta if it is new.
    fn function(&mut self, name: String, file: String, delta: &mut Delta) -> Id<Function> {
        let function = Function { name, file };
        if let Some(id) = self.functions.find(&function) {
            return id;
        }
        delta.functions.push(function.clone());
        self.functions.intern(function)
    }

    fn note(&mut self, note: String) {
        note_once(&mut self.notes, note);
    }
}

/// No more notes than anybody reads.
const MAX_NOTES: usize = 100;

fn note_once(notes: &mut Vec<String>, note: String) {
    if notes.len() < MAX_NOTES && !notes.contains(&note) {
        notes.push(note);
    }
}

#[cfg(test)]
mod tests;
