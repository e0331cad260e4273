//! From `.eh_frame`, and what else tells of code, to rows: where in an executable which rule is in force.
//!
//! CPU time of a release build on one core of a small virtual machine, to read, to build, and to place into the pool:
//!
//! | file | size | rows | read | build | place | in the pool |
//! |---|---|---|---|---|---|---|
//! | libc.so.6 | 2 MB | 28,274 | 0.1 ms | 2.2 ms | 0.6 ms | 111 KiB |
//! | libcrypto.so.3 | 5 MB | 86,220 | 0.3 ms | 7.3 ms | 1.5 ms | 338 KiB |
//! | node | 99 MB | 372,210 | 3 ms | 48 ms | 8 ms | 1,470 KiB |
//! | librustc_driver | 154 MB | 1,148,392 | 6 ms | 128 ms | 30 ms | 4,550 KiB |
//! | libLLVM | 200 MB | 1,439,037 | 7 ms | 147 ms | 38 ms | 5,680 KiB |
//!
//! All five together have 1,293 rules. Peak memory for the largest is 32 MB, its pool of 6 MB included.

use gimli::{
    CommonInformationEntry, EhFrame, EndianSlice, LittleEndian, RegisterRule, UnwindContext,
    UnwindContextStorage, UnwindSection, UnwindTableRow,
};
use object::ReadRef;
use profiler_common::unwind::{PAGE_BITS, RULE_NONE, Rule, cfa};
use rustc_hash::FxHashMap;

use super::{
    elf::{Elf, Refused},
    expression::{self, RA, RBP, RBX},
    rest::{self, Code, Described, Rest},
    rules::Rules,
};

/// Rows of one executable at most. The largest program measured has a fifth of it.
const MAX_ROWS: usize = 8 << 20;
/// Longer entries are skipped: the longest one measured (in librustc_driver) has 11.6 KB.
const MAX_ENTRY: usize = 256 << 10;
/// An entry shares its common part with thousands of others, and each of them interprets it again. So the bytes
/// interpreted are bounded by this many times the size of the section, or the fixed amount for small ones.
const WORK_FACTOR: usize = 8;
const WORK_FREE: usize = 1 << 20;
/// Common parts remembered at most; a program has a few, or one for each file that it was compiled from.
const MAX_CIES: usize = 4096;

/// From this address on, up to the next row, the rule is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Counted from the table's base.
    pub pc: u32,
    /// The id of the rule in the table's own dictionary.
    pub rule: u16,
}

/// What building a table met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Functions (entries of `.eh_frame`) that rows were made of.
    pub functions: u32,
    /// Entries that could not be read.
    pub malformed: u32,
    /// Entries for addresses outside the executable segments, such as functions that the linker discarded.
    pub outside: u32,
    /// Rows of a kind that is not supported.
    pub unsupported: u32,
}

/// The rows of an executable.
#[derive(Clone, Debug)]
pub struct Table {
    base: u64,
    pages: u32,
    rules: Rules,
    rows: Vec<Row>,
    functions: Vec<Function>,
    counts: Counts,
}

/// Part of [`Table::rows`]: consecutive rows for one range of addresses. Sorted by `begin`.
#[derive(Clone, Copy, Debug)]
struct Function {
    begin: u32,
    end: u32,
    first: u32,
    count: u32,
}

impl Table {
    /// Makes the rows of `elf`, which was read from `data`. The time is linear in the size of what describes its code, and
    /// so is the memory: 8 bytes a row and 16 a function.
    ///
    /// # Errors
    /// [`Refused`] says why there are no rows: none in the file, or more than a table may have.
    pub fn build<'data, R: ReadRef<'data>>(elf: &Elf<'data>, data: R) -> Result<Self, Refused> {
        Self::build_at_most(elf, data, MAX_ROWS)
    }

    pub(super) fn build_at_most<'data, R: ReadRef<'data>>(
        elf: &Elf<'data>,
        data: R,
        max_rows: usize,
    ) -> Result<Self, Refused> {
        let frames = match elf.eh_frame() {
            Err(Refused::NoEhFrame) => None,
            frames => Some(frames?),
        };
        let none = gimli::BaseAddresses::default();
        let (bytes, bases) = frames.map_or((&[][..], &none), |frames| (frames.bytes, &frames.bases));
        let bounded = frames.is_some_and(|frames| frames.bounded);
        let begin = elf
            .segments()
            .iter()
            .map(|s| s.address)
            .min()
            .ok_or(Refused::NoCode)?;
        let end = elf
            .segments()
            .iter()
            .map(|s| s.end())
            .max()
            .ok_or(Refused::NoCode)?;
        let base = begin & !((1 << PAGE_BITS) - 1);
        // Code models other than the large one cannot use more than 2 GiB.
        if end - base > u64::from(u32::MAX) {
            return Err(Refused::CodeTooFarApart(end - base));
        }
        let mut builder = Builder {
            elf,
            max_rows,
            with_rbx: false,
            meets_rbx: false,
            table: Self {
                base,
                pages: (end - base).div_ceil(1 << PAGE_BITS) as u32,
                rules: Rules::new(),
                rows: Vec::new(),
                functions: Vec::new(),
                counts: Counts::default(),
            },
            section: EhFrame::new(bytes, LittleEndian),
            bases,
            cies: FxHashMap::default(),
            context: UnwindContext::new_in(),
            last: (Rule::NONE, RULE_NONE as u16),
        };
        let empty = builder.table.clone();
        builder.read(bytes, bounded)?;
        if builder.meets_rbx {
            // Of all files seen only the dynamic linker does so: for it alone it is worth to follow rbx.
            builder.table = empty;
            builder.with_rbx = true;
            builder.read(bytes, bounded)?;
        }
        // Files are nearly sorted: sorting is a matter of merging a few runs.
        builder.table.functions.sort_by_key(|function| function.begin);
        let rest = builder.rest(data);
        // Stubs that jump elsewhere, and the entry point, are no reason to trust no frame pointer.
        if frames.is_none() && !rest.has_functions {
            return Err(Refused::NoEhFrame);
        }
        builder.finish(rest.code)
    }

    /// The virtual address that rows are counted from: the first executable one, rounded down to 64 KiB.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// 64-KiB pages from the base to the end of the last executable segment.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// The rules that [`Row::rule`] names.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What building it met.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Begin and end of each function that has rows.
    #[cfg(test)]
    pub(super) fn described(&self) -> impl Iterator<Item = (u64, u64)> {
        let address = |pc: u32| self.base + u64::from(pc);
        let functions = self.functions.iter();
        functions.map(move |function| (address(function.begin), address(function.end)))
    }

    /// The rows by rising address; none repeats its predecessor's rule. Before the first one the rule is
    /// [`RULE_NONE`].
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let mut last = RULE_NONE as u16;
        self.functions
            .iter()
            .enumerate()
            .flat_map(|(n, function)| {
                let next = self.functions.get(n + 1).map_or(u32::MAX, |next| next.begin);
                let end = function.end.min(next);
                let rows = &self.rows[function.first as usize..][..function.count as usize];
                let gap = Row {
                    pc: end,
                    rule: RULE_NONE as u16,
                };
                rows.iter()
                    .copied()
                    .take_while(move |row| row.pc < end)
                    .chain((end < next).then_some(gap))
            })
            .filter(move |row| std::mem::replace(&mut last, row.rule) != row.rule)
    }
}

type Bytes<'data> = EndianSlice<'data, LittleEndian>;
type Cie<'data> = CommonInformationEntry<Bytes<'data>>;

/// Room for the rules of more registers than x86-64 has, and for more nested `DW_CFA_remember_state` than are written.
struct Storage;

impl UnwindContextStorage<usize> for Storage {
    type Rules = [(gimli::Register, RegisterRule<usize>); 40];
    type Stack = Box<[UnwindTableRow<usize, Self>; 8]>;
}

struct Builder<'a, 'data> {
    elf: &'a Elf<'data>,
    max_rows: usize,
    /// Whether rules say where `rbx` was saved.
    with_rbx: bool,
    /// Whether a CFA was counted from `rbx`.
    meets_rbx: bool,
    table: Table,
    section: EhFrame<Bytes<'data>>,
    bases: &'a gimli::BaseAddresses,
    cies: FxHashMap<usize, Cie<'data>>,
    context: UnwindContext<usize, Storage>,
    /// The rule that was last looked up, and its id: the next row often has the same.
    last: (Rule, u16),
}

impl<'data> Builder<'_, 'data> {
    /// Goes from entry to entry by their lengths, so that one that cannot be read does not hide the others.
    fn read(&mut self, bytes: &'data [u8], bounded: bool) -> Result<(), Refused> {
        let mut work = bytes.len().saturating_mul(WORK_FACTOR).max(WORK_FREE);
        let mut offset = 0;
        while let Some(entry) = Entry::at(bytes, offset) {
            if entry.length == 0 {
                // The terminator; but linkers join sections, and then there are several.
                if !bounded {
                    break;
                }
            } else if entry.is_fde {
                let cost = self.function(offset, &entry);
                work = work.checked_sub(cost).ok_or(Refused::TooMuchWork)?;
                if self.table.rows.len() > self.max_rows {
                    return Err(Refused::TooManyRows);
                }
            }
            offset = entry.end;
        }
        Ok(())
    }

    /// Reads one function's entry. Returns how many bytes were interpreted.
    fn function(&mut self, offset: usize, entry: &Entry) -> usize {
        let (rows, functions) = (self.table.rows.len(), self.table.functions.len());
        let mut cost = entry.length;
        let done = (entry.length <= MAX_ENTRY)
            .then(|| self.try_function(offset, &mut cost).ok())
            .flatten();
        match done {
            Some(true) => self.table.counts.functions += 1,
            Some(false) => self.table.counts.outside += 1,
            None => {
                self.table.rows.truncate(rows);
                self.table.functions.truncate(functions);
                self.table.counts.malformed += 1;
            }
        }
        cost
    }

    /// Returns whether the function lies in the executable segments.
    fn try_function(&mut self, offset: usize, cost: &mut usize) -> gimli::Result<bool> {
        let fde = {
            let cies = &mut self.cies;
            let mut get_cie =
                |section: &EhFrame<Bytes<'data>>, bases: &gimli::BaseAddresses, at: gimli::EhFrameOffset| {
                    if let Some(cie) = cies.get(&at.0) {
                        return Ok(cie.clone());
                    }
                    let cie = section.cie_from_offset(bases, at)?;
                    if cie.entry_len() > MAX_ENTRY {
                        return Err(gimli::Error::OffsetOutOfBounds(at.0 as u64));
                    }
                    if cies.len() >= MAX_CIES {
                        cies.clear();
                    }
                    cies.insert(at.0, cie.clone());
                    Ok(cie)
                };
            self.section
                .fde_from_offset(self.bases, offset.into(), &mut get_cie)?
        };
        *cost += fde.cie().entry_len();
        let Some((mut begin, end)) = self.place(fde.initial_address(), fde.len()) else {
            return Ok(false);
        };
        let first = self.table.rows.len();
        let (mut signal, mut unsupported) = (false, 0);
        let encoding = fde.cie().encoding();
        let mut rows = fde.rows(&self.section, self.bases, &mut self.context)?;
        while let Some(row) = rows.next_row()? {
            let pc = row.start_address().wrapping_sub(self.table.base);
            if pc >= u64::from(end) {
                break;
            }
            let rule = expression::rule(
                &self.section,
                encoding,
                expression::Row {
                    cfa: row.cfa(),
                    rbp: row.register(RBP),
                    rbx: self.with_rbx.then(|| row.register(RBX)).flatten(),
                    ra: row.register(RA),
                },
            );
            signal |= rule.cfa == cfa::SIGNAL;
            self.meets_rbx |= rule.cfa == cfa::BX;
            unsupported += u32::from(rule.cfa == cfa::UNSUPPORTED);
            if rule != self.last.0 {
                self.last = (rule, self.table.rules.intern(rule));
            }
            let row = Row {
                pc: pc as u32,
                rule: self.last.1,
            };
            match self.table.rows[first..].last_mut() {
                Some(last) if last.rule == row.rule => {}
                Some(last) if last.pc == row.pc => *last = row,
                _ => self.table.rows.push(row),
            }
        }
        self.table.counts.unsupported += unsupported;
        if signal && begin > 0 {
            // The handler returns to the first byte of the trampoline. It is looked up like every return address, by
            // the byte before it.
            begin -= 1;
            self.table.rows[first].pc = begin;
        }
        self.add(begin, end, first);
        Ok(true)
    }

    fn add(&mut self, begin: u32, end: u32, first: usize) {
        self.table.functions.push(Function {
            begin,
            end,
            first: first as u32,
            count: (self.table.rows.len() - first) as u32,
        });
    }

    /// Begin and end of a function, counted from the base, if it begins in an executable segment.
    fn place(&self, address: u64, len: u64) -> Option<(u32, u32)> {
        let segment = self
            .elf
            .segments()
            .iter()
            .find(|segment| (segment.address..segment.end()).contains(&address))?;
        let end = address.saturating_add(len).min(segment.end());
        let begin = address - self.table.base;
        (address < end).then_some((begin as u32, (end - self.table.base) as u32))
    }

    /// What is known of code that no entry describes.
    fn rest<R: ReadRef<'data>>(&self, data: R) -> Rest {
        let functions = &self.table.functions;
        let holds = |address: u64| {
            let pc = address.wrapping_sub(self.table.base);
            let before = functions.partition_point(|function| u64::from(function.begin) <= pc);
            before > 0 && pc < u64::from(functions[before - 1].end)
        };
        let sizes = functions
            .iter()
            .map(|function| u64::from(function.end - function.begin));
        let described = Described {
            bytes: sizes.sum(),
            holds: &holds,
        };
        rest::code(self.elf, data, described)
    }

    /// Adds the rows of code that no entry describes.
    fn finish(mut self, rest: Vec<Code>) -> Result<Table, Refused> {
        let described = self.table.functions.len();
        for code in rest {
            let size = code.end.saturating_sub(code.begin);
            let Some((begin, end)) = self.place(code.begin, size) else {
                continue;
            };
            let functions = &self.table.functions[..described];
            let before = functions.partition_point(|function| function.begin <= begin);
            if before > 0 && functions[before - 1].end > begin {
                continue;
            }
            let first = self.table.rows.len();
            for (address, rule) in code.rows {
                let rule = self.table.rules.intern(rule);
                let pc = address.wrapping_sub(self.table.base) as u32;
                self.table.rows.push(Row { pc, rule });
            }
            if self.table.rows.len() > self.max_rows {
                return Err(Refused::TooManyRows);
            }
            self.add(begin, end, first);
        }
        let functions = &mut self.table.functions;
        functions.sort_by_key(|function| function.begin);
        functions.dedup_by_key(|function| function.begin);
        Ok(self.table)
    }
}

/// Where an entry of `.eh_frame` is and of what kind.
struct Entry {
    /// Bytes after the length field; 0: the terminator.
    length: usize,
    /// Where the next entry begins.
    end: usize,
    is_fde: bool,
}

impl Entry {
    fn at(bytes: &[u8], offset: usize) -> Option<Self> {
        let word = |at: usize| {
            let bytes = bytes.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        let (length, begin) = match word(offset)? {
            u32::MAX => {
                let long = bytes.get(offset + 4..)?.first_chunk()?;
                (usize::try_from(u64::from_le_bytes(*long)).ok()?, offset + 12)
            }
            length => (length as usize, offset + 4),
        };
        let end = begin.checked_add(length).filter(|end| *end <= bytes.len())?;
        // The word after the length is 0 in a common entry; in a function's entry it leads back to the common one.
        let is_fde = length >= 4 && word(begin)? != 0;
        Some(Self { length, end, is_fde })
    }
}
