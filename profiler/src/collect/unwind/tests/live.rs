//! Stacks of live processes, at every kind of instruction: our step and framehop find the same return addresses.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
};

use framehop::{
    ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder as _,
    x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64},
};
use object::{Object as _, ObjectSection as _};
use profiler_common::{
    event::FRAME_IS_INSTRUCTION,
    stats::Outcome,
    unwind::{Block, Mapping, Registers, Rule, Tables},
};
use tempfile::TempDir;

use super::{
    Placement,
    traced::{MappedCode, Traced},
};
use crate::collect::unwind::{
    elf::Elf,
    pool::Placed,
    rows::Table,
    walk::{Snapshot, Walked, walk, walk_tables},
};

/// What both walkers know of a process.
struct Known {
    place: Placement,
    mappings: Vec<Mapping>,
    seen: Vec<MappedCode>,
    files: HashMap<String, Placed>,
    referee: UnwinderX86_64<Vec<u8>>,
    cache: CacheX86_64,
}

impl Known {
    fn new() -> Self {
        Self {
            place: Placement::new(),
            mappings: Vec::new(),
            seen: Vec::new(),
            files: HashMap::new(),
            referee: UnwinderX86_64::new(),
            cache: CacheX86_64::new(),
        }
    }

    /// Learns the mappings that are new.
    fn update(&mut self, traced: &Traced) {
        for code in traced.mapped_code() {
            if self.seen.contains(&code) || code.path == "[vsyscall]" {
                continue;
            }
            let bytes = match code.path.as_str() {
                "[vdso]" => traced.copy(code.begin, (code.end - code.begin) as usize),
                path => std::fs::read(path).unwrap(),
            };
            let elf = Elf::parse(&*bytes).unwrap();
            let placed = *self.files.entry(code.path.clone()).or_insert_with(|| {
                let table = Table::build(&elf, &*bytes).unwrap();
                self.place.pool.place(&table, &mut self.place.rules, 0).unwrap()
            });
            let bias = elf.bias(code.begin, code.offset).unwrap();
            self.mappings.push(placed.mapping(code.begin, code.end, bias));
            self.referee.add_module(module(&code, bias, &bytes));
            self.seen.push(code);
        }
        self.mappings.sort_by_key(|mapping| mapping.begin);
    }

    fn walk(&self, traced: &Traced) -> Walked {
        let tables = Live { known: self, traced };
        walk_tables(
            &tables,
            self.mappings.len() as u32,
            traced.registers(),
            false,
            512,
        )
    }

    /// The addresses that framehop finds: the instruction, then return addresses.
    fn referee(&mut self, traced: &Traced, from: Registers) -> Vec<u64> {
        let mut read = |address| traced.read(address).map(u64::from_ne_bytes).ok_or(());
        let registers = UnwindRegsX86_64::new(from.ip, from.sp, from.bp);
        let mut frames = self
            .referee
            .iter_frames(from.ip, registers, &mut self.cache, &mut read);
        std::iter::from_fn(|| frames.next().ok().flatten())
            .map(|frame| match frame {
                FrameAddress::InstructionPointer(address) => address,
                FrameAddress::ReturnAddress(address) => address.get(),
            })
            .collect()
    }

    /// Both walkers at the present instruction; they must agree down to the root.
    fn compare(&mut self, traced: &Traced) -> Walked {
        let registers = traced.registers();
        if !self
            .mappings
            .iter()
            .any(|m| (m.begin..m.end).contains(&registers.ip))
        {
            self.update(traced);
        }
        let mut walked = self.walk(traced);
        if walked.outcome == Outcome::UnmappedCode {
            self.update(traced);
            walked = self.walk(traced);
        }
        let addresses: Vec<u64> = walked
            .frames
            .iter()
            .map(|frame| frame & !FRAME_IS_INSTRUCTION)
            .collect();
        let referee = self.referee(traced, registers);
        assert!(
            addresses == referee && walked.outcome == Outcome::Complete,
            "{registers:x?}\nours    {addresses:x?} {:?}\nreferee {referee:x?}\n{:#x?}",
            walked.outcome,
            self.seen,
        );
        walked
    }

    /// The file that an address belongs to.
    fn file(&self, address: u64) -> &str {
        let code = self
            .seen
            .iter()
            .find(|code| (code.begin..code.end).contains(&address));
        code.map_or("", |code| &code.path)
    }
}

struct Live<'a> {
    known: &'a Known,
    traced: &'a Traced,
}

impl Tables for Live<'_> {
    fn mapping(&self, index: u32) -> Option<&Mapping> {
        self.known.mappings.get(index as usize)
    }
    fn block(&self, index: u32) -> Option<&Block> {
        self.known.place.pool.block(index)
    }
    fn rule(&self, id: u32) -> Option<&Rule> {
        self.known.place.rules.get(id)
    }
    fn read(&self, address: u64) -> Option<u64> {
        self.traced.read(address).map(u64::from_ne_bytes)
    }
    fn read_pair(&self, address: u64) -> Option<[u64; 2]> {
        Some([self.read(address)?, self.read(address + 8)?])
    }
    fn register(&self, number: u32) -> Option<u64> {
        self.traced.register(number)
    }
}

fn module(code: &MappedCode, bias: u64, bytes: &[u8]) -> Module<Vec<u8>> {
    let object = object::File::parse(bytes).unwrap();
    let range = |name| {
        let section = object.section_by_name(name)?;
        Some(section.address()..section.address() + section.size())
    };
    let data = |name| Some(object.section_by_name(name)?.data().unwrap().to_vec());
    let info = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: data(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: data(".eh_frame_hdr"),
        ..Default::default()
    };
    Module::new(code.path.clone(), code.begin..code.end, bias, info)
}

/// Compiles the C program of this directory.
fn compile(flags: &[&str]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (directory.path().join("stacks.c"), directory.path().join("stacks"));
    std::fs::write(&source, include_str!("stacks.c")).unwrap();
    let status = Command::new("cc")
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(&program)
        .status();
    assert!(status.unwrap().success(), "cc {flags:?}");
    (directory, program)
}

/// Compares at `steps` consecutive instructions after each of `stops` runs of a few milliseconds.
fn compare_while_running(program: &Path, shape: &str, stops: u32, steps: u32) -> Vec<Walked> {
    let mut traced = Traced::start(Command::new(program).arg(shape));
    let mut known = Known::new();
    traced.run(30);
    let mut walks = Vec::new();
    for _ in 0..stops {
        traced.run(2);
        for _ in 0..steps {
            walks.push(known.compare(&traced));
            traced.single_step();
        }
    }
    walks
}

const OPTIMISED: [&str; 2] = ["-O2", "-fomit-frame-pointer"];
/// framehop does not follow expressions that read memory, as realigned stacks need them.
const PLAIN: [&str; 3] = ["-O2", "-fomit-frame-pointer", "-DPLAIN"];

/// What calls and returns did to the stack: the truth, whatever the tables say. The file's entry in a walk is a frame
/// whose return address was pushed by a call and whose place the stack pointer has not passed again.
#[derive(Default)]
struct Calls(Vec<(u64, u64)>);

impl Calls {
    /// Executes one instruction.
    fn step(&mut self, traced: &mut Traced) {
        let before = traced.registers();
        let bytes: [u8; 8] = traced.read(before.ip).unwrap();
        traced.single_step();
        let after = traced.registers();
        self.0.retain(|(slot, _)| *slot >= after.sp);
        // Behind prefixes, E8 is a call, and so is FF with 2 in the middle of the byte that follows.
        let code = &bytes[bytes
            .iter()
            .take_while(|byte| matches!(byte, 0x40..=0x4f | 0x3e | 0x66 | 0x67 | 0xf2))
            .count()..];
        let is_call = code[0] == 0xe8 || code[0] == 0xff && code[1] >> 3 & 7 == 2;
        if is_call && after.sp == before.sp - 8 {
            let pushed = u64::from_ne_bytes(traced.read(after.sp).unwrap());
            self.0.push((after.sp, pushed));
        }
    }

    fn addresses(&self, ip: u64) -> Vec<u64> {
        let calls = self.0.iter().rev().map(|(_, address)| *address);
        std::iter::once(ip).chain(calls).collect()
    }
}

/// Steps through `steps` instructions of the program's own code and all that they call; at each of them the walk finds
/// what calls have pushed.
fn compare_with_calls(program: &Path, shape: &str, steps: u32) {
    let mut traced = Traced::start(Command::new(program).arg(shape));
    let (mut known, mut calls) = (Known::new(), Calls::default());
    let (mut inside, mut since, mut gaps) = (0, 0u32, 0);
    known.update(&traced);
    while inside < steps {
        let registers = traced.registers();
        let is_inside = known.file(registers.ip) == program.to_str().unwrap();
        inside += u32::from(is_inside);
        since += 1;
        // Of the dynamic linker at work before the program begins one instruction in 53.
        if is_inside || inside > 0 || since % 53 == 0 {
            let mut walked = known.walk(&traced);
            if walked.outcome == Outcome::UnmappedCode {
                known.update(&traced);
                walked = known.walk(&traced);
            }
            let found: Vec<u64> = walked
                .frames
                .iter()
                .map(|frame| frame & !FRAME_IS_INSTRUCTION)
                .collect();
            let truth = calls.addresses(registers.ip);
            // The start files of the C library and of gcc do not describe `_init` and `register_tm_clones`.
            let gap = is_inside && truth.starts_with(&found) && walked.outcome == Outcome::NoUnwindInfo;
            gaps += u32::from(gap);
            assert!(
                gap || found == truth && walked.outcome == Outcome::Complete,
                "{registers:x?}\nfound {found:x?} {:?}\ntruth {truth:x?}\n{:x?}",
                walked.outcome,
                known.seen,
            );
            assert_eq!(walked.frames_by_fp, 0);
        }
        calls.step(&mut traced);
    }
    assert!(gaps < 25, "{gaps} instructions without rows");
}

#[test]
fn every_instruction_from_the_first_of_the_dynamic_linker_on() {
    let (_directory, program) = compile(&[&OPTIMISED[..], &["-Wl,-z,lazy"]].concat());
    compare_with_calls(&program, "calls", 2000);
}

#[test]
fn every_instruction_of_static_programs() {
    for (shape, flags, steps) in [("sort", "-static", 8000), ("deep", "-static-pie", 2500)] {
        let (_directory, program) = compile(&[&OPTIMISED[..], &[flags]].concat());
        compare_with_calls(&program, shape, steps);
    }
}

#[test]
fn optimised_code_without_frame_pointers() {
    for flags in [&["-fpie", "-pie"][..], &["-no-pie"], &["-O3", "-mavx"]] {
        let (_directory, program) = compile(&[&PLAIN[..], flags].concat());
        let walks = compare_while_running(&program, "calls", 5, 600);
        assert!(walks.iter().all(|walked| walked.frames_by_fp == 0));
        assert!(walks.iter().any(|walked| walked.frames.len() > 10));
    }
}

#[test]
fn unoptimised_code_and_code_with_frame_pointers() {
    for flags in [
        &["-O0", "-DPLAIN"][..],
        &["-Os", "-DPLAIN"],
        &["-O2", "-DPLAIN", "-fno-omit-frame-pointer"],
    ] {
        let (_directory, program) = compile(flags);
        compare_while_running(&program, "calls", 3, 600);
    }
}

#[test]
fn callbacks_of_the_c_library() {
    let (_directory, program) = compile(&PLAIN);
    compare_while_running(&program, "sort", 4, 1000);
}

#[test]
fn recursion_two_hundred_deep() {
    let (_directory, program) = compile(&PLAIN);
    let walks = compare_while_running(&program, "deep", 5, 40);
    let deepest = walks.iter().map(|walked| walked.frames.len()).max();
    assert!(deepest > Some(205), "{deepest:?}");
}

#[test]
fn a_stripped_program_without_section_headers() {
    let (_directory, program) = compile(&PLAIN);
    let with_sections = {
        let bytes = std::fs::read(&program).unwrap();
        Table::build(&Elf::parse(&*bytes).unwrap(), &*bytes).unwrap()
    };
    let mut bytes = std::fs::read(&program).unwrap();
    // e_shoff, e_shnum and e_shstrndx.
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    let elf = Elf::parse(&*bytes).unwrap();
    let without = Table::build(&elf, &*bytes).unwrap();
    assert!(with_sections.rows().eq(without.rows()));
    assert!(!elf.build_id().is_empty());
}

/// Walks out of a signal handler; below the handler's frames the chain is that of what was interrupted.
fn compare_across_signal(shape: &str, signal: i32, flags: &[&str]) {
    let (_directory, program) = compile(&[&PLAIN[..], flags].concat());
    let mut traced = Traced::start(Command::new(&program).arg(shape));
    let mut known = Known::new();
    let told: [u8; 24] = traced.run_until_told(signal);
    let word = |n: usize| u64::from_ne_bytes(told[n * 8..][..8].try_into().unwrap());
    let interrupted = Registers {
        ip: word(0),
        sp: word(1),
        bp: word(2),
    };
    known.update(&traced);
    for _ in 0..500 {
        let walked = known.walk(&traced);
        assert_eq!(walked.outcome, Outcome::Complete, "{shape} {walked:x?}");
        let marked = interrupted.ip | FRAME_IS_INSTRUCTION;
        let at = walked.frames.iter().skip(1).position(|frame| *frame == marked);
        let below = &walked.frames[at.expect("the interrupted instruction is marked as such") + 1..];
        let mut expected = known.referee(&traced, interrupted);
        expected[0] |= FRAME_IS_INSTRUCTION;
        assert_eq!(below, expected, "{shape}");
        assert!(below.len() > 2 && walked.frames_by_fp == 0);
        traced.single_step();
    }
}

#[test]
fn signal_handlers() {
    compare_across_signal("signal", libc::SIGALRM, &[]);
    compare_across_signal("signal", libc::SIGALRM, &["-static"]);
}

#[test]
fn signal_handlers_on_an_alternate_stack() {
    compare_across_signal("altstack", libc::SIGALRM, &[]);
    compare_across_signal("fault", libc::SIGSEGV, &[]);
}

#[test]
fn a_rust_program() {
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (
        directory.path().join("stacks.rs"),
        directory.path().join("stacks"),
    );
    std::fs::write(&source, include_str!("stacks.rs.txt")).unwrap();
    let flags = ["-O", "-C", "force-frame-pointers=no", "--edition", "2024"];
    let status = Command::new("rustc")
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(&program)
        .status();
    assert!(status.unwrap().success());
    // Where it is stopped is chance; somewhere in ten times twenty it is deep.
    let deep = (0..10).any(|_| {
        let walks = compare_while_running(&program, "", 20, 100);
        walks.iter().any(|walked| walked.frames.len() > 12)
    });
    assert!(deep);
}

#[test]
fn a_copy_of_the_stack_is_enough() {
    let (_directory, program) = compile(&PLAIN);
    let mut traced = Traced::start(Command::new(&program).arg("deep"));
    let mut known = Known::new();
    traced.run(50);
    known.update(&traced);
    let live = known.compare(&traced);
    let registers = traced.registers();
    let copy = traced.copy(registers.sp, 64 << 10);
    let walk = |stack, max_frames| {
        let snapshot = Snapshot {
            registers,
            is_return: false,
            stack,
        };
        walk(
            &known.place.pool,
            &known.place.rules,
            &known.mappings,
            &snapshot,
            max_frames,
        )
    };
    assert_eq!(walk(&copy, 512), live);

    let cut = walk(&copy[..1024], 512);
    assert_eq!(cut.outcome, Outcome::UnreadableStack);
    assert!(!cut.frames.is_empty() && live.frames.starts_with(&cut.frames));

    let shallow = walk(&copy, 7);
    assert_eq!((shallow.frames.len(), shallow.outcome), (7, Outcome::TooDeep));
    assert!(live.frames.starts_with(&shallow.frames));
}
