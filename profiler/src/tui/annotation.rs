//! Where in a function the samples were: lines, the source around the hottest, and the instructions there.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
};

use super::{
    app::App,
    chosen::Choice,
    keys::Action,
    overlay::{self, Fate},
};
use crate::{
    profile::{Id, Mapping, MappingKind, Profile},
    query::{AddressRow, Lines, Name, SourcePlace, lines},
};

/// The most addresses whose lines are asked for; a function is rarely seen at more.
const MOST: usize = 2000;

/// Where a function is hottest. All text is raw, and none of the paths is to be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// The file with the code; `None` where it is in none that could be read by its path.
    pub module: Option<Mapping>,
    /// The hottest address, as `objdump` has it.
    pub address: u64,
    /// Addresses at which the function ran, each of which an instruction begins at.
    pub instructions: Vec<u64>,
    /// Addresses in that file whose lines are not known, the hottest first.
    pub unknown: Vec<u64>,
    /// The source file, and the hottest line, counted from 1; `None` where they are not known.
    pub source: Option<(PathBuf, u32)>,
}

impl Spot {
    /// Whether debug information may know more lines.
    fn asks(&self) -> bool {
        self.module.is_some() && !self.unknown.is_empty()
    }
}

/// The code around a spot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Lines of the source with their numbers, or why there are none.
    pub source: Result<Vec<(u32, String)>, String>,
    /// Instructions with their addresses, or why there are none.
    pub instructions: Result<Vec<(u64, String)>, String>,
}

/// The lines of a spot's addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// By address.
    pub known: HashMap<u64, SourcePlace>,
    /// Why they are not all there, if they are not. Raw.
    pub failed: Option<String>,
}

/// Reads what is around a spot. Each may take seconds, and is called in a thread of its own.
#[derive(Clone, Copy, Debug)]
pub struct ReadCode {
    /// The lines of addresses, where the profile has none.
    pub places: fn(&Spot) -> Places,
    /// The source and the instructions.
    pub code: fn(&Spot) -> Code,
}

/// Where in a function the samples were, as it is shown.
#[derive(Debug)]
pub(super) struct Annotation {
    pub(super) name: Name,
    pub(super) lines: Lines,
    pub(super) spot: Spot,
    /// Whether debug information is being read.
    pub(super) asks: bool,
    /// Why lines are missing, if that is known. Raw.
    pub(super) failed: Option<String>,
    /// The code, when it was read.
    pub(super) code: Option<Code>,
    pub(super) scroll: usize,
    reading: Option<Receiver<News>>,
}

/// What the thread that reads has found.
#[derive(Debug)]
enum News {
    /// The lines with what is known now, the spot, and why some are not.
    Lines(Box<(Lines, Spot)>, Option<String>),
    Code(Code),
}

impl Annotation {
    /// How much of the function's samples ran at this address, and at this line.
    pub(super) fn at_address(&self, address: u64) -> u64 {
        let rows = self.lines.addresses.iter().filter(|row| row.address == address);
        rows.map(|row| row.self_value).fold(0, u64::saturating_add)
    }

    /// As [`Self::at_address`], for a line of the file with the hottest one.
    pub(super) fn at_line(&self, line: u32) -> u64 {
        let file = self.lines.rows.first().map(|row| row.place.file.as_str());
        let rows = self
            .lines
            .rows
            .iter()
            .filter(|row| row.place.line == line && Some(row.place.file.as_str()) == file);
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
        let profile = self.counted();
        let lines = lines(profile, &self.selection(), &name);
        let Some(hottest) = lines.addresses.first() else {
            return self.say("nothing was sampled in this function");
        };
        let of = hottest.mapping;
        let spot = spot(profile, &lines, hottest);
        let reading = self
            .code
            .and_then(|read| reading(read, lines.clone(), spot.clone(), of));
        self.annotation = Some(Annotation {
            asks: reading.is_some() && spot.asks(),
            reading,
            name,
            lines,
            spot,
            failed: None,
            code: None,
            scroll: 0,
        });
    }

    /// Does what a key means while an annotation lies over the rest. Whether one does.
    pub(super) fn read_annotation(&mut self, action: Action) -> bool {
        let Some(shown) = &mut self.annotation else {
            return false;
        };
        match overlay::read(&mut shown.scroll, action, Action::Annotate) {
            Fate::Quits => self.quit = true,
            Fate::Closes => self.annotation = None,
            Fate::Stays => {}
        }
        true
    }

    /// Whether something came of the function that is shown.
    pub(super) fn code_came(&mut self) -> bool {
        let Some(annotation) = &mut self.annotation else {
            return false;
        };
        let Some(reading) = &annotation.reading else {
            return false;
        };
        match reading.try_recv() {
            Ok(News::Lines(found, failed)) => {
                (annotation.lines, annotation.spot) = *found;
                annotation.failed = failed;
                annotation.asks = false;
            }
            Ok(News::Code(code)) => annotation.code = Some(code),
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => {
                annotation.reading = None;
                annotation.asks = false;
            }
        }
        true
    }
}

/// Where a function is hottest.
fn spot(profile: &Profile, lines: &Lines, hottest: &AddressRow) -> Spot {
    let mapping = &profile.mappings[hottest.mapping];
    let here = || {
        lines
            .addresses
            .iter()
            .filter(|row| row.mapping == hottest.mapping)
    };
    let unknown = here().filter(|row| !lines.rows[row.line].place.is_known());
    Spot {
        module: (mapping.kind == MappingKind::File).then(|| mapping.clone()),
        address: hottest.address,
        instructions: here()
            .filter(|row| row.self_value > 0)
            .map(|row| row.address)
            .collect(),
        unknown: unknown.map(|row| row.address).take(MOST).collect(),
        source: source(lines),
    }
}

/// The source file, and the hottest line.
fn source(lines: &Lines) -> Option<(PathBuf, u32)> {
    let place = lines.rows.first().map(|row| &row.place);
    let place = place.filter(|place| place.is_known())?;
    Some((PathBuf::from(&place.file), place.line))
}

/// Reads in a thread: what comes back comes through the channel.
fn reading(read: ReadCode, mut lines: Lines, mut spot: Spot, of: Id<Mapping>) -> Option<Receiver<News>> {
    let (sender, receiver) = mpsc::channel();
    let reader = thread::Builder::new().name("code".into());
    let started = reader.spawn(move || {
        if spot.asks() {
            let Places { known, failed } = (read.places)(&spot);
            lines.locate(|mapping, address| known.get(&address).filter(|_| mapping == of).cloned());
            spot.source = source(&lines);
            let found = Box::new((lines, spot.clone()));
            if sender.send(News::Lines(found, failed)).is_err() {
                // Nobody waits any more.
                return;
            }
        }
        // Nobody may be waiting any more.
        drop(sender.send(News::Code((read.code)(&spot))));
    });
    started.is_ok().then_some(receiver)
}
