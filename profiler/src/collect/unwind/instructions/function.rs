//! The rows of one function: its instructions are followed along all ways through it.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind};
use profiler_common::unwind::Rule;
use rustc_hash::FxHashMap;

use super::{
    super::rest::Code,
    effect::{ENTERED, State},
};

/// No more of a function is read, in bytes: a symbol may claim any size. The longest in node has 153 KB.
const MOST: u64 = 1 << 20;

/// Code in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    /// The virtual address of the first byte.
    pub(super) address: u64,
    pub(super) bytes: &'a [u8],
}

impl<'a> Text<'a> {
    /// What there is of it from `begin` to `end`.
    fn between(self, begin: u64, end: u64) -> &'a [u8] {
        let place = |address: u64| usize::try_from(address.checked_sub(self.address)?).ok();
        let bytes = place(begin).zip(place(end));
        bytes
            .and_then(|(begin, end)| self.bytes.get(begin..end.min(self.bytes.len())))
            .unwrap_or_default()
    }
}

/// What a function's instructions tell.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) code: Code,
    /// Where it goes that is not itself, or may not be: other functions begin there.
    pub(super) goes_to: Vec<u64>,
    /// How many bytes were looked at.
    pub(super) bytes: usize,
}

/// A function that is being read.
struct Reader<'a> {
    text: Text<'a>,
    begin: u64,
    end: u64,
    /// Length and rule of each instruction that was met.
    met: FxHashMap<u64, (u8, Rule)>,
    /// Where to go on, and what is known there.
    ways: Vec<(u64, State)>,
    /// What is known where it jumps by a table.
    by_table: Option<State>,
    goes_to: Vec<u64>,
    /// Up to here all instructions were met.
    met_to: u64,
}

/// Reads the function from `begin` to `end`; if the `end` is not known for sure, only what its jumps reach belongs to it.
pub(super) fn read(text: Text<'_>, begin: u64, end: u64, is_whole: bool) -> Read {
    let mut reader = Reader {
        text,
        begin,
        end: end.min(begin.saturating_add(MOST)),
        met: FxHashMap::default(),
        ways: vec![(begin, ENTERED)],
        by_table: None,
        goes_to: Vec::new(),
        met_to: begin,
    };
    reader.follow();
    if is_whole && let Some(state) = reader.by_table {
        // Nothing says where a table's jumps lead: to what no other way leads to.
        while let Some(address) = reader.gap() {
            reader.ways.push((address, state));
            reader.follow();
        }
    }
    reader.finish()
}

impl Reader<'_> {
    fn follow(&mut self) {
        while let Some((mut address, mut state)) = self.ways.pop() {
            let bytes = self.text.between(address, self.end);
            let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
            let mut instruction = Instruction::default();
            while decoder.can_decode() && !self.met.contains_key(&address) {
                decoder.decode_out(&mut instruction);
                let length = instruction.len().clamp(1, 15) as u8;
                self.met.insert(address, (length, state.rule()));
                if instruction.is_invalid() {
                    break;
                }
                if !self.passes(&instruction, state) {
                    break;
                }
                state = state.after(&instruction);
                address = instruction.next_ip();
            }
        }
    }

    /// Takes note of where `instruction` goes; whether it may also go on behind itself.
    fn passes(&mut self, instruction: &Instruction, state: State) -> bool {
        let target =
            matches!(instruction.op0_kind(), OpKind::NearBranch64).then(|| instruction.near_branch_target());
        match instruction.flow_control() {
            FlowControl::Call => {
                self.goes_to.extend(target);
                true
            }
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                match target.filter(|target| (self.begin..self.end).contains(target)) {
                    Some(target) if target != self.begin => self.ways.push((target, state)),
                    _ => self.goes_to.extend(target),
                }
                instruction.flow_control() == FlowControl::ConditionalBranch
            }
            FlowControl::IndirectBranch => {
                self.by_table.get_or_insert(state);
                false
            }
            FlowControl::Return | FlowControl::Exception => false,
            FlowControl::Interrupt => instruction.mnemonic() != Mnemonic::Int3,
            _ => {
                // A function whose address is given to another, such as where a thread begins.
                if instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand() {
                    self.goes_to.push(instruction.ip_rel_memory_address());
                }
                true
            }
        }
    }

    /// The first address that no instruction is known at.
    fn gap(&mut self) -> Option<u64> {
        while let Some((length, _)) = self.met.get(&self.met_to) {
            self.met_to += u64::from(*length);
        }
        let is_there = !self.text.between(self.met_to, self.end).is_empty();
        is_there.then_some(self.met_to)
    }

    fn finish(self) -> Read {
        let mut met: Vec<_> = self.met.into_iter().collect();
        met.sort_unstable_by_key(|(address, _)| *address);
        let bytes = met.iter().map(|(_, (length, _))| usize::from(*length)).sum();
        let mut rows: Vec<(u64, Rule)> = Vec::new();
        let mut end = self.begin;
        for (address, (length, rule)) in met {
            if address > end {
                rows.push((end, Rule::NONE));
            }
            if rows.last().is_none_or(|(_, last)| *last != rule) {
                rows.push((address, rule));
            }
            end = end.max(address + u64::from(length));
        }
        Read {
            code: Code {
                begin: self.begin,
                end,
                rows,
            },
            goes_to: self.goes_to,
            bytes,
        }
    }
}
