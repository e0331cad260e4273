//! Where in a function the samples were: lines, the source around the hottest, and the instructions there.

use std::{
    path::PathBuf,
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
};

use super::{app::App, chosen::Choice, keys::Action};
use crate::{
    profile::MappingKind,
    query::{Lines, Name, lines},
};

/// Where a function is hottest. All text is raw, and none of the paths is to be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// The file with the code; `None` where it is in none that could be read by its path.
    pub module: Option<PathBuf>,
    /// Its GNU build id; empty if it is not known.
    pub build_id: Vec<u8>,
    /// The hottest address, as `objdump` has it.
    pub address: u64,
    /// Addresses at which the function ran, each of which an instruction begins at.
    pub instructions: Vec<u64>,
    /// The source file, and the hottest line, counted from 1; `None` where they are not known.
    pub source: Option<(PathBuf, u32)>,
}

/// The code around a spot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Lines of the source with their numbers, or why there are none.
    pub source: Result<Vec<(u32, String)>, String>,
    /// Instructions with their addresses, or why there are none.
    pub instructions: Result<Vec<(u64, String)>, String>,
}

/// Reads the code around a spot. It may take seconds, and is called in a thread of its own.
pub type ReadCode = fn(&Spot) -> Code;

/// Where in a function the samples were, as it is shown.
#[derive(Debug)]
pub(super) struct Annotation {
    pub(super) name: Name,
    pub(super) lines: Lines,
    pub(super) spot: Spot,
    /// The code, when it was read.
    pub(super) code: Option<Code>,
    pub(super) scroll: usize,
    reading: Option<Receiver<Code>>,
}

impl Annotation {
    /// How much of the function's samples ran at this address, and at this line.
    pub(super) fn at_address(&self, address: u64) -> u64 {
        let rows = self.lines.addresses.iter().filter(|row| row.address == address);
        rows.map(|row| row.self_value).fold(0, u64::saturating_add)
    }

    /// As [`Self::at_address`], for a line of the file with the hottest one.
    pub(super) fn at_line(&self, line: u32) -> u64 {
        let file = self.lines.rows.first().map(|row| row.file.as_str());
        let rows = self
            .lines
            .rows
            .iter()
            .filter(|row| row.line == line && Some(row.file.as_str()) == file);
        rows.map(|row| row.self_value).fold(0, u64::saturating_add)
    }
}

impl App {
    /// Shows where in the function under the cursor, or in the one that is open, the samples were.
    pub(super) fn annotate(&mut self) {
        let under = match self.choice() {
            Some(Choice::Function(name)) => Some(name),
            _ => self.function().cloned(),
        };
        let Some(name) = under else {
            return self.say("no function is under the cursor: functions, stacks and flame graphs have some");
        };
        let profile = self.source.shown();
        let lines = lines(profile, &self.selection(), &name);
        let Some(hottest) = lines.addresses.first() else {
            return self.say("nothing was sampled in this function");
        };
        let mapping = &profile.mappings[hottest.mapping];
        let line = lines
            .rows
            .first()
            .filter(|row| row.line > 0 && !row.file.is_empty());
        let here = lines
            .addresses
            .iter()
            .filter(|row| row.mapping == hottest.mapping && row.self_value > 0);
        let spot = Spot {
            module: (mapping.kind == MappingKind::File).then(|| PathBuf::from(&mapping.path)),
            build_id: mapping.build_id.clone(),
            address: hottest.address,
            instructions: here.map(|row| row.address).collect(),
            source: line.map(|row| (PathBuf::from(&row.file), row.line)),
        };
        self.annotation = Some(Annotation {
            reading: self.code.and_then(|read| reading(read, spot.clone())),
            name,
            lines,
            spot,
            code: None,
            scroll: 0,
        });
    }

    /// Does what a key means while an annotation lies over the rest. Whether one does.
    pub(super) fn read_annotation(&mut self, action: Action) -> bool {
        let Some(annotation) = &mut self.annotation else {
            return false;
        };
        let scroll = &mut annotation.scroll;
        match action {
            Action::Quit => self.quit = true,
            Action::Close | Action::Back | Action::Annotate | Action::Open => self.annotation = None,
            Action::Move(rows) => *scroll = scroll.saturating_add_signed(rows),
            Action::Page(pages) => *scroll = scroll.saturating_add_signed(pages.saturating_mul(10)),
            Action::First => *scroll = 0,
            _ => {}
        }
        true
    }

    /// Whether the code of the function came that is shown.
    pub(super) fn code_came(&mut self) -> bool {
        let Some(annotation) = &mut self.annotation else {
            return false;
        };
        let Some(reading) = &annotation.reading else {
            return false;
        };
        match reading.try_recv() {
            Ok(code) => annotation.code = Some(code),
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => {}
        }
        annotation.reading = None;
        true
    }
}

/// Reads in a thread: what comes back comes through the channel.
fn reading(read: ReadCode, spot: Spot) -> Option<Receiver<Code>> {
    let (sender, receiver) = mpsc::channel();
    let reader = thread::Builder::new().name("code".into());
    // Nobody may be waiting any more.
    let started = reader.spawn(move || drop(sender.send(read(&spot))));
    started.is_ok().then_some(receiver)
}
