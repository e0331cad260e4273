//! The code around the hottest spot of a function: its lines, their source, and what `objdump` makes of it.
//!
//! Paths come from debug information and from mappings of the profiled world: they are opened only if they are regular
//! files that the person who called may read. `objdump` reads files that anybody may have made, so it gets no privileges,
//! little time, and only so much of what it says is read.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSymbol as _, ReadCache};

use crate::{
    commands::reading::open_for,
    profile::{Mapping, file::invoking_user},
    query::SourcePlace,
    symbolize::{SourceLine, look_up},
    tui::{Code, Places, ReadCode, Spot},
};

/// How many lines of source are shown before and after the hottest.
const LINES: u32 = 6;
/// How many instructions.
const INSTRUCTIONS: usize = 10;
/// The largest source file that is looked into, in bytes.
const LARGEST: u64 = 16 << 20;
/// The longest line that is shown, in bytes.
const WIDEST: usize = 400;
/// A function is taken apart from its begin if that is at most so many bytes away.
const FAR: u64 = 64 << 10;
/// How many bytes of code behind the spot are taken apart: instructions have at most 15.
const BEHIND: u64 = 160;
/// How much of what `objdump` says is read, in bytes.
const SAID: u64 = 8 << 20;
/// How long `objdump` may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Without privileges.
const NOBODY: u32 = 65534;

/// How the dashboard reads code.
pub(super) const READ: ReadCode = ReadCode { places, code };

/// The lines of the spot's addresses, from debug information.
fn places(spot: &Spot) -> Places {
    let Some(module) = &spot.module else {
        return Places::default();
    };
    let found = look_up(module.clone(), &spot.unknown);
    let place = |(address, lines): (u64, Vec<SourceLine>)| Some((address, place(&lines)?));
    Places {
        known: found.lines.into_iter().filter_map(place).collect(),
        failed: found.failed,
    }
}

/// Which line of the function is meant, of those that are one inside the other, the innermost first: the innermost in the
/// function's own file. What was inlined from elsewhere (a standard library's, more often than not) is only named.
fn place(lines: &[SourceLine]) -> Option<SourcePlace> {
    let (innermost, function) = (lines.first()?, lines.last()?);
    let own = lines.iter().find(|line| line.file == function.file)?;
    Some(SourcePlace {
        file: own.file.clone(),
        line: own.line,
        inlined: match lines.len() {
            1 => String::new(),
            _ => innermost.name.clone(),
        },
    })
}

/// Reads the code around `spot`.
fn code(spot: &Spot) -> Code {
    let reader = invoking_user().map(|(user, _)| user);
    let source = match &spot.source {
        Some((path, line)) => source(path, *line, reader).map_err(|error| format!("{error:#}")),
        None => Err("no line is known".to_owned()),
    };
    let instructions = instructions(spot).map_err(|error| format!("{error:#}"));
    Code { source, instructions }
}

/// Lines around `line`, with their numbers.
fn source(path: &Path, line: u32, reader: Option<u32>) -> Result<Vec<(u32, String)>> {
    if !path.is_absolute() {
        bail!("the source is not here: its path is relative to where it was compiled");
    }
    let file = open_for(path, reader).context("the source cannot be read")?;
    let first = line.saturating_sub(LINES).max(1);
    let numbered = (1..).zip(BufReader::new(file.take(LARGEST)).split(b'\n'));
    let mut lines = Vec::new();
    for (number, text) in numbered.take_while(|(number, _)| *number <= line + LINES) {
        let mut text = text.context("the source cannot be read")?;
        if number >= first {
            text.truncate(WIDEST);
            lines.push((number, String::from_utf8_lossy(&text).into_owned()));
        }
    }
    match lines.iter().any(|(number, _)| *number == line) {
        true => Ok(lines),
        false => bail!("the source has no line {line}: it is another version"),
    }
}

/// Instructions around the spot, with their addresses.
fn instructions(spot: &Spot) -> Result<Vec<(u64, String)>> {
    let Some(module) = &spot.module else {
        bail!("not shown: the code is in no file of its own (the kernel's, or made while it ran)");
    };
    let path = Path::new(&module.path);
    let start = start(module, spot)?;
    let said = objdump(path, start..spot.address.saturating_add(BEHIND))?;
    let all: Vec<(u64, String)> = said.lines().filter_map(instruction).collect();
    let Some(hot) = all.iter().position(|(address, _)| *address >= spot.address) else {
        bail!("objdump found no code at {:#x}", spot.address);
    };
    let first = hot.saturating_sub(INSTRUCTIONS);
    Ok(all.into_iter().skip(first).take(2 * INSTRUCTIONS + 1).collect())
}

/// Where an instruction begins before the spot: where its function does, else where it was sampled.
///
/// # Errors
/// If the file is not the one that was recorded.
fn start(module: &Mapping, spot: &Spot) -> Result<u64> {
    let file = open_for(Path::new(&module.path), invoking_user().map(|(user, _)| user))
        .context("the program cannot be read")?;
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).context("the program is not to be understood")?;
    let build_id = elf.build_id().ok().flatten().unwrap_or_default();
    if module.build_id.is_empty() || build_id != module.build_id {
        bail!("not shown: the file is not, or cannot be told to be, the build that was recorded");
    }
    let symbols = elf.symbols().chain(elf.dynamic_symbols());
    let begins = symbols
        .filter(|symbol| symbol.kind() == object::SymbolKind::Text)
        .map(|symbol| symbol.address());
    let near = |begin: &u64| *begin <= spot.address && spot.address - begin <= FAR;
    let begin = begins.filter(near).max();
    let sampled = spot.instructions.iter().copied().filter(near).min();
    Ok(begin.or(sampled).unwrap_or(spot.address))
}

/// What `objdump` makes of the code at these addresses.
fn objdump(path: &Path, addresses: std::ops::Range<u64>) -> Result<String> {
    let mut command = Command::new("objdump");
    command
        .args(["-d", "--no-show-raw-insn", "-C", "-w"])
        .arg(format!("--start-address={:#x}", addresses.start))
        .arg(format!("--stop-address={:#x}", addresses.end))
        .arg("--")
        .arg(path)
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/local/bin")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // SAFETY: reads a number; cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        let (user, group) = invoking_user().unwrap_or((NOBODY, NOBODY));
        // No groups but that one are left.
        command.uid(user).gid(group);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("objdump is not installed: `apt install binutils`")
        }
        Err(error) => return Err(error).context("objdump cannot be started"),
    };
    let output = child.stdout.take().context("objdump has no output")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        let read = output.take(SAID).read_to_end(&mut said);
        // Nobody may be waiting any more.
        let _ = sender.send(read.map(|_| said));
    });
    let said = receiver.recv_timeout(PATIENCE);
    // It has ended, says more than is read, or takes too long.
    let _ = child.kill();
    child.wait().context("objdump cannot be waited for")?;
    match said {
        Ok(said) => Ok(String::from_utf8_lossy(&said.context("objdump cannot be read")?).into_owned()),
        Err(_) => bail!("objdump took longer than {} s", PATIENCE.as_secs()),
    }
}

/// `  401136:\tmov    %rsp,%rbp`
fn instruction(line: &str) -> Option<(u64, String)> {
    let (address, text) = line.split_once(":\t")?;
    let address = u64::from_str_radix(address.trim(), 16).ok()?;
    let mut text = text.trim_end().to_owned();
    text.truncate(text.floor_char_boundary(WIDEST));
    Some((address, text))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::profile::MappingKind;

    /// This test program, and the address of a function in it.
    fn spot() -> Spot {
        let path = std::env::current_exe().unwrap();
        let cache = ReadCache::new(File::open(&path).unwrap());
        let elf = object::File::parse(&cache).unwrap();
        let symbol = elf
            .symbols()
            .find(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.size() > 200)
            .unwrap();
        Spot {
            address: symbol.address(),
            instructions: vec![symbol.address()],
            module: Some(Mapping {
                kind: MappingKind::File,
                path: path.to_str().unwrap().to_owned(),
                build_id: elf.build_id().unwrap().unwrap_or_default().to_vec(),
            }),
            ..Spot::default()
        }
    }

    #[test]
    fn the_source_around_a_line_is_read_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.c");
        let text: String = (1..=40).map(|line| format!("line {line}\n")).collect();
        fs::write(&path, text).unwrap();
        let lines = source(&path, 3, None).unwrap();
        assert_eq!(lines.first().unwrap(), &(1, "line 1".to_owned()));
        assert_eq!(lines.last().unwrap(), &(9, "line 9".to_owned()));
        let error = |path: &Path, line| format!("{:#}", source(path, line, None).unwrap_err());
        assert!(error(&path, 41).contains("another version"));
        assert!(error(Path::new("a.c"), 3).contains("relative"));
        assert!(error(Path::new("/dev/zero"), 3).contains("no regular file"));
        assert!(error(&directory.path().join("b.c"), 3).contains("cannot be read"));
    }

    #[test]
    fn a_line_is_one_of_the_functions_own_file_and_what_is_inlined_there_is_named() {
        let line = |name: &str, file: &str, line| SourceLine {
            name: name.into(),
            file: file.into(),
            line,
        };
        let (library, helper, function) = (
            line("next", "/lib/iter.rs", 90),
            line("helper", "/src/a.rs", 7),
            line("f", "/src/a.rs", 40),
        );
        let place = |lines: &[&SourceLine]| {
            let lines: Vec<SourceLine> = lines.iter().copied().cloned().collect();
            place(&lines).map(|place| (place.file, place.line, place.inlined))
        };
        let at = |line, inlined: &str| Some(("/src/a.rs".to_owned(), line, inlined.to_owned()));
        assert_eq!(place(&[&function]), at(40, ""));
        assert_eq!(place(&[&helper, &function]), at(7, "helper"));
        assert_eq!(place(&[&library, &helper, &function]), at(7, "next"));
        assert_eq!(place(&[&library, &function]), at(40, "next"));
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn instructions_are_those_of_the_build_that_was_recorded() {
        let spot = spot();
        let module = spot.module.clone().unwrap();
        if module.build_id.is_empty() {
            // The linker gave it none: then it cannot be told, which is what is said.
            assert!(start(&module, &spot).is_err());
            return;
        }
        assert_eq!(start(&module, &spot).unwrap(), spot.address);
        let other = Spot {
            module: Some(Mapping {
                build_id: vec![7; 20],
                ..module.clone()
            }),
            ..spot
        };
        let error = instructions(&other).unwrap_err();
        assert!(
            error.to_string().contains("the build that was recorded"),
            "{error}"
        );
        let nowhere = instructions(&Spot::default()).unwrap_err();
        assert!(nowhere.to_string().contains("no file"), "{nowhere}");
        let gone = Spot {
            module: Some(Mapping {
                path: "/nowhere".into(),
                ..module
            }),
            ..Spot::default()
        };
        assert!(instructions(&gone).is_err());
    }

    #[test]
    fn what_objdump_says_is_read_line_by_line() {
        let line = "  401136:\tmov    %rsp,%rbp ";
        assert_eq!(
            instruction(line),
            Some((0x40_1136, "mov    %rsp,%rbp".to_owned()))
        );
        for other in [
            "",
            "0000000000401126 <main>:",
            "Disassembly of section .text:",
            "x:\ty",
        ] {
            assert_eq!(instruction(other), None);
        }
    }
}
