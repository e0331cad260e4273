//! Inlined calls and source lines, from DWARF by blazesym, in a child process.
//!
//! DWARF is a program for a machine that the file's author chose: it can be gigabytes, loop, or shrink while it is
//! mapped. A child bounds all of it: what goes wrong there costs lines, never the recording, and all memory is given
//! back when it ends.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    os::fd::AsRawFd,
    time::Instant,
};

use blazesym::symbolize::{self, CodeInfo, Input, Symbolized, source::Source};
use serde::{Deserialize, Serialize};

use super::{
    bytes::Bytes,
    child::{Child, Ended, Limits},
    demangle::{MAX_MANGLED, demangle, shorten},
    elf::Elf,
};

/// The most inlined calls that are kept of one address.
const MAX_INLINED: usize = 256;
/// The longest answer for one address, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

/// A function at an address, or inlined there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The demangled name; empty if the debug information has none.
    pub name: String,
    /// The source file; empty if not known.
    pub file: String,
    /// The line, counted from 1; 0 if not known.
    pub line: u32,
}

/// What the child tells: the address's number among those asked for, and name, file and line of each function, the
/// innermost inlined call first.
#[derive(Serialize, Deserialize)]
struct Answer(usize, Vec<(String, String, u32)>);

/// By address, the innermost inlined call first, the function itself last.
pub(super) type Lines = HashMap<u64, Vec<SourceLine>>;

/// What DWARF has on addresses.
#[derive(Debug, Default)]
pub(super) struct SourceLines {
    /// The addresses it knows.
    pub(super) lines: Lines,
    /// Why it is not all there, if it is not.
    pub(super) failed: Option<String>,
}

/// Asks the DWARF in `elf` about `addresses`, sorted. A child that runs out of memory has one successor after the other,
/// as long as each gets further.
pub(super) fn source_lines(elf: &Elf, addresses: &[u64], inlines: bool, limits: Limits) -> SourceLines {
    let mut all = SourceLines::default();
    let Bytes::File(file) = &elf.bytes else { return all };
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let end = Instant::now() + limits.time;
    let mut rest = addresses;
    loop {
        let left = Limits {
            time: end.saturating_duration_since(Instant::now()),
            ..limits
        };
        let (answered, ended) = ask(&path, rest, inlines, left, &mut all.lines);
        rest = rest.get(answered..).unwrap_or_default();
        all.failed = match ended {
            _ if rest.is_empty() => None,
            Ended::OutOfMemory if answered > 0 => continue,
            Ended::OutOfMemory => Some(format!(
                "it needs more than {} MiB of memory",
                limits.memory >> 20
            )),
            Ended::OutOfTime => Some(format!("it took more than {:.1} s", limits.time.as_secs_f64())),
            Ended::Badly(how) => Some(how),
            Ended::Well => Some("the parser gave up".to_owned()),
        };
        return all;
    }
}

/// Asks one child. Tells how many addresses it dealt with, and how it ended.
fn ask(path: &str, addresses: &[u64], inlines: bool, limits: Limits, lines: &mut Lines) -> (usize, Ended) {
    let child = Child::spawn(limits, |pipe| answer(path, addresses, inlines, pipe));
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            return (
                0,
                Ended::Badly(format!("no child process could be started: {error}")),
            );
        }
    };
    let mut reader = BufReader::new(&mut child);
    let mut line = Vec::new();
    let mut answered = 0;
    loop {
        line.clear();
        match reader.by_ref().take(MAX_ANSWER).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        // A line that was not finished is the child's last.
        let Ok(Answer(index, functions)) = serde_json::from_slice(&line) else {
            break;
        };
        let Some(&address) = addresses.get(index) else {
            break;
        };
        answered = index + 1;
        let functions = functions.into_iter().map(|(name, file, line)| SourceLine {
            name: demangle(name.as_bytes()),
            file: shorten(&file),
            line,
        });
        let functions: Vec<_> = functions.collect();
        if !functions.is_empty() {
            lines.insert(address, functions);
        }
    }
    drop(reader);
    (answered, child.end())
}

/// In the child: one line of JSON an address, in order, so that what was found before a failure counts.
fn answer(path: &str, addresses: &[u64], inlines: bool, pipe: &mut dyn Write) {
    let dirs: [&str; 0] = [];
    let symbolizer = symbolize::Symbolizer::builder()
        .enable_auto_reload(false)
        .enable_code_info(true)
        .enable_inlined_fns(inlines)
        .enable_demangling(false)
        .set_debug_dirs(Some(dirs))
        .build();
    let source = Source::Elf(symbolize::source::Elf::new(path));
    for (index, &address) in addresses.iter().enumerate() {
        let symbol = match symbolizer.symbolize_single(&source, Input::VirtOffset(address)) {
            Ok(Symbolized::Sym(symbol)) => symbol,
            // Nothing is known, but that is known: the last address tells how far this child came.
            _ if index + 1 < addresses.len() => continue,
            _ => {
                let _ = writeln!(pipe, "[{index},[]]");
                return;
            }
        };
        let inside = symbol.size.is_some_and(|size| symbol.offset < size);
        // Without an extent it is only the nearest name: the line holds, the name does not.
        let name = if inside { symbol.name.as_ref() } else { "" };
        let function = place(name, symbol.code_info.as_deref());
        let inlined = symbol.inlined.iter().rev().take(MAX_INLINED);
        let mut functions: Vec<_> = inlined
            .map(|call| place(&call.name, call.code_info.as_ref()))
            .collect();
        functions.push(function);
        let Ok(mut line) = serde_json::to_vec(&Answer(index, functions)) else {
            continue;
        };
        line.push(b'\n');
        if line.len() as u64 <= MAX_ANSWER && pipe.write_all(&line).is_err() {
            return;
        }
    }
}

fn place(name: &str, code: Option<&CodeInfo<'_>>) -> (String, String, u32) {
    let name = &name[..name.floor_char_boundary(MAX_MANGLED + 1)];
    let file = code
        .map(|code| shorten(&code.to_path().to_string_lossy()))
        .unwrap_or_default();
    (
        name.to_owned(),
        file,
        code.and_then(|code| code.line).unwrap_or(0),
    )
}
