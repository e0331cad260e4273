//! How the rows of each table are written as columns. The numbers here are the format: they are never used anew.

use crate::profile::{
    Function, Id, Line, Location, Mapping, MappingKind, Outcome, Process, Sample, SampleType, Stack, Thread,
    Unit, Waker,
};

use super::columns::{Columns, ColumnsWriter, Malformed, unzigzag, zigzag};

/// Times lie below this (146 years), so that sums and differences of two never overflow.
pub(super) const TIME_MAX: u64 = 1 << 62;

/// A row of a table, in the file.
pub(super) trait Row: Sized {
    /// The last column that is known; the first has at least a byte a row.
    const LAST_COLUMN: u8;

    /// How many bytes of memory lists and texts of rows take at most for each of their bytes in a payload.
    const GROWTH: u64 = 1;

    /// Writes rows, the first of which is row `first` of its table.
    fn encode(rows: &[Self], first: u64, columns: &mut ColumnsWriter);

    /// Reads as many rows, less those that [`Columns::unknown_row`] was called for. Ids in them are the file's, and may
    /// refer to nothing.
    fn decode(columns: &Columns<'_>, first: u64, rows: usize) -> Result<Vec<Self>, Malformed>;
}

/// A time, which must be below [`TIME_MAX`].
pub(super) fn time(nanoseconds: u64) -> Result<u64, Malformed> {
    match nanoseconds {
        time if time < TIME_MAX => Ok(time),
        _ => Err(Malformed("a time beyond all bounds")),
    }
}

/// The file's number of a time that may be unknown, which is 0, and that lies near another.
pub(super) fn before_number(time_ns: u64, end_ns: u64) -> u64 {
    match time_ns {
        0 => 0,
        _ => zigzag(end_ns.wrapping_sub(time_ns).cast_signed()).wrapping_add(1),
    }
}

/// The time of such a number.
pub(super) fn before(number: u64, end_ns: u64) -> Result<u64, Malformed> {
    match number.checked_sub(1) {
        None => Ok(0),
        Some(earlier) => time(end_ns.wrapping_sub(unzigzag(earlier).cast_unsigned())),
    }
}

fn id<T>(raw: u32) -> Id<T> {
    Id::new(raw)
}

impl Row for SampleType {
    const LAST_COLUMN: u8 = 2;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.texts(1, rows.iter().map(|row| &row.name));
        columns.varints(
            2,
            rows.iter().map(|row| match row.unit {
                Unit::Nanoseconds => 0,
                Unit::Count => 1,
                Unit::Bytes => 2,
            }),
        );
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut name, mut unit) = (columns.bytes(1)?, columns.varints(2)?);
        let mut row = || {
            Ok(Self {
                name: name.next_text()?,
                unit: match unit.next()? {
                    0 => Unit::Nanoseconds,
                    2 => Unit::Bytes,
                    other => {
                        if other != 1 {
                            columns.strange_value();
                        }
                        Unit::Count
                    }
                },
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

impl Row for Process {
    const LAST_COLUMN: u8 = 9;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.deltas(1, rows.iter().map(|row| row.pid.into()));
        columns.deltas(2, rows.iter().map(|row| row.ppid.into()));
        columns.texts(3, rows.iter().map(|row| &row.name));
        columns.texts(4, rows.iter().map(|row| &row.exe));
        columns.texts(5, rows.iter().map(|row| &row.cgroup));
        columns.texts(6, rows.iter().map(|row| &row.unit));
        columns.texts(7, rows.iter().map(|row| &row.container));
        columns.deltas(8, rows.iter().map(|row| row.start_ns));
        columns.varints(9, rows.iter().map(|row| row.kernel_thread.into()));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut pid, mut ppid) = (columns.deltas(1)?, columns.deltas(2)?);
        let (mut name, mut exe) = (columns.bytes(3)?, columns.bytes(4)?);
        let (mut cgroup, mut unit, mut container) = (columns.bytes(5)?, columns.bytes(6)?, columns.bytes(7)?);
        let (mut start_ns, mut kernel_thread) = (columns.deltas(8)?, columns.varints(9)?);
        let mut row = || {
            Ok(Self {
                pid: pid.next_as()?,
                ppid: ppid.next_as()?,
                name: name.next_text()?,
                exe: exe.next_text()?,
                cgroup: cgroup.next_text()?,
                unit: unit.next_text()?,
                container: container.next_text()?,
                start_ns: time(start_ns.next()?)?,
                kernel_thread: kernel_thread.next()? != 0,
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

impl Row for Mapping {
    const LAST_COLUMN: u8 = 4;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        let kind = |row: &Self| match row.kind {
            MappingKind::File => (0, 0),
            MappingKind::FileOffset => (1, 0),
            MappingKind::Kernel => (2, 0),
            MappingKind::KernelModule => (3, 0),
            MappingKind::Vdso => (4, 0),
            MappingKind::Anonymous(process) => (5, process.raw()),
            MappingKind::Unknown(process) => (6, process.raw()),
        };
        columns.varints(1, rows.iter().map(|row| kind(row).0));
        columns.varints(2, rows.iter().map(|row| kind(row).1.into()));
        columns.texts(3, rows.iter().map(|row| &row.path));
        columns.bytes(4, rows.iter().map(|row| &row.build_id[..]));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut kind, mut process) = (columns.varints(1)?, columns.varints(2)?);
        let (mut path, mut build_id) = (columns.bytes(3)?, columns.bytes(4)?);
        let mut row = || {
            let process = process.next_as().map(id)?;
            Ok(Self {
                kind: match kind.next()? {
                    0 => MappingKind::File,
                    1 => MappingKind::FileOffset,
                    2 => MappingKind::Kernel,
                    3 => MappingKind::KernelModule,
                    4 => MappingKind::Vdso,
                    5 => MappingKind::Anonymous(process),
                    6 => MappingKind::Unknown(process),
                    _ => {
                        columns.strange_value();
                        MappingKind::FileOffset
                    }
                },
                path: path.next_text()?,
                build_id: build_id.next()?.to_vec(),
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

impl Row for Location {
    const LAST_COLUMN: u8 = 2;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.varints(1, rows.iter().map(|row| row.mapping.raw().into()));
        columns.deltas(2, rows.iter().map(|row| row.address));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut mapping, mut address) = (columns.varints(1)?, columns.deltas(2)?);
        let mut row = || {
            Ok(Self {
                mapping: mapping.next_as().map(id)?,
                address: address.next()?,
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

impl Row for Stack {
    const LAST_COLUMN: u8 = 2;

    fn encode(rows: &[Self], first: u64, columns: &mut ColumnsWriter) {
        // How far back the caller is; most often it is the row before.
        let back = |(row, stack): (u64, &Self)| {
            stack
                .caller
                .map_or(0, |caller| row.wrapping_sub(caller.raw().into()))
        };
        columns.varints(1, (first..).zip(rows).map(back));
        columns.deltas(2, rows.iter().map(|row| row.location.raw().into()));
    }

    fn decode(columns: &Columns<'_>, first: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut back, mut location) = (columns.varints(1)?, columns.deltas(2)?);
        let mut row = |row: u64| {
            let caller = match back.next()? {
                0 => None,
                back => {
                    let caller = row
                        .checked_sub(back)
                        .and_then(|caller| u32::try_from(caller).ok());
                    Some(
                        caller
                            .map(id)
                            .ok_or(Malformed("a caller before the first stack"))?,
                    )
                }
            };
            let location = location.next_as().map(id)?;
            Ok(Self { caller, location })
        };
        (first..).take(rows).map(&mut row).collect()
    }
}

impl Row for Thread {
    const LAST_COLUMN: u8 = 3;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.deltas(1, rows.iter().map(|row| row.process.raw().into()));
        columns.deltas(2, rows.iter().map(|row| row.tid.into()));
        columns.texts(3, rows.iter().map(|row| &row.name));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut process, mut tid, mut name) = (columns.deltas(1)?, columns.deltas(2)?, columns.bytes(3)?);
        let mut row = || {
            Ok(Self {
                process: process.next_as().map(id)?,
                tid: tid.next_as()?,
                name: name.next_text()?,
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

/// The number in the file of the first thread as a waker.
const WAKER_THREADS: u64 = 3;

/// The number of each outcome in the file.
const OUTCOMES: [Outcome; 12] = [
    Outcome::Complete,
    Outcome::NoUserStack,
    Outcome::TooDeep,
    Outcome::NoMappings,
    Outcome::UnmappedCode,
    Outcome::NoUnwindInfo,
    Outcome::UnsupportedRule,
    Outcome::UnreadableStack,
    Outcome::NotOutward,
    Outcome::Nested,
    Outcome::Compat,
    Outcome::NotInCall,
];

/// The file's number of an outcome.
pub(super) fn outcome_number(outcome: Outcome) -> u64 {
    OUTCOMES
        .iter()
        .position(|&other| other == outcome)
        .expect("a test sees to it that every outcome has a number") as u64
}

/// The outcome of a number in the file.
pub(super) fn outcome(number: u64, columns: &Columns<'_>) -> Outcome {
    let known = usize::try_from(number)
        .ok()
        .and_then(|number| OUTCOMES.get(number));
    known.copied().unwrap_or_else(|| {
        columns.strange_value();
        Outcome::UnsupportedRule
    })
}

/// The file's number of a waker.
pub(super) fn waker_number(waker: Waker) -> u64 {
    match waker {
        Waker::Unknown => 0,
        Waker::Nobody => 1,
        Waker::Interrupt => 2,
        Waker::Thread(thread) => WAKER_THREADS + u64::from(thread.raw()),
    }
}

/// The waker of a number in the file.
pub(super) fn waker(number: u64, columns: &Columns<'_>) -> Waker {
    match number {
        0 => Waker::Unknown,
        1 => Waker::Nobody,
        2 => Waker::Interrupt,
        above => u32::try_from(above - WAKER_THREADS).map_or_else(
            |_| {
                columns.strange_value();
                Waker::Unknown
            },
            |thread| Waker::Thread(id(thread)),
        ),
    }
}

/// The file's number of a row that there may be: 0 for none.
pub(super) fn optional_number<T>(row: Option<Id<T>>) -> u64 {
    row.map_or(0, |row| u64::from(row.raw()) + 1)
}

/// The row of such a number.
pub(super) fn optional<T>(number: u64) -> Result<Option<Id<T>>, Malformed> {
    let row = |above: u64| {
        let row = u32::try_from(above - 1).map_err(|_| Malformed("a row number beyond all bounds"))?;
        Ok(id(row))
    };
    (number > 0).then(|| row(number)).transpose()
}

impl Row for Sample {
    const LAST_COLUMN: u8 = 8;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.deltas(1, rows.iter().map(|row| row.time_ns));
        columns.varints(2, rows.iter().map(|row| row.thread.raw().into()));
        columns.varints(3, rows.iter().map(|row| optional_number(row.stack)));
        columns.varints(4, rows.iter().map(|row| row.sample_type.into()));
        columns.varints(5, rows.iter().map(|row| outcome_number(row.outcome)));
        columns.varints(6, rows.iter().map(|row| row.cpu.into()));
        columns.deltas(7, rows.iter().map(|row| row.value));
        // Only waits have wakers; a second of work would pay a byte a sample for nothing.
        if rows.iter().any(|row| row.waker != Waker::Unknown) {
            columns.varints(8, rows.iter().map(|row| waker_number(row.waker)));
        }
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut time_ns, mut thread) = (columns.deltas(1)?, columns.varints(2)?);
        let (mut stack, mut sample_type) = (columns.varints(3)?, columns.varints(4)?);
        let (mut ended, mut cpu, mut value) = (columns.varints(5)?, columns.varints(6)?, columns.deltas(7)?);
        let mut woken = columns.varints(8)?;
        let mut row = || {
            Ok(Self {
                time_ns: time(time_ns.next()?)?,
                thread: thread.next_as().map(id)?,
                stack: optional(stack.next()?)?,
                sample_type: sample_type.next_as()?,
                outcome: outcome(ended.next()?, columns),
                cpu: cpu.next_as()?,
                value: value.next()?,
                waker: waker(woken.next()?, columns),
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

impl Row for Function {
    const LAST_COLUMN: u8 = 2;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.texts(1, rows.iter().map(|row| &row.name));
        columns.texts(2, rows.iter().map(|row| &row.file));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut name, mut file) = (columns.bytes(1)?, columns.bytes(2)?);
        let mut row = || {
            Ok(Self {
                name: name.next_text()?,
                file: file.next_text()?,
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

impl Row for (Id<Location>, Vec<Line>) {
    const LAST_COLUMN: u8 = 4;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        let lines = || rows.iter().flat_map(|(_, lines)| lines);
        columns.deltas(1, rows.iter().map(|(location, _)| location.raw().into()));
        columns.varints(2, rows.iter().map(|(_, lines)| lines.len() as u64));
        columns.deltas(3, lines().map(|line| line.function.raw().into()));
        columns.deltas(4, lines().map(|line| line.line.into()));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut location, mut lengths) = (columns.deltas(1)?, columns.lengths(2, [3])?);
        let (mut function, mut number) = (columns.deltas(3)?, columns.deltas(4)?);
        let mut line = || {
            Ok(Line {
                function: function.next_as().map(id)?,
                line: number.next_as()?,
            })
        };
        let mut row = || {
            let location = location.next_as().map(id)?;
            let lines = (0..lengths.next()?).map(|_| line()).collect::<Result<_, _>>()?;
            Ok((location, lines))
        };
        (0..rows).map(|_| row()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_number() {
        for outcome in Outcome::ALL {
            assert_eq!(
                OUTCOMES[usize::try_from(outcome_number(outcome)).unwrap()],
                outcome
            );
        }
    }

    #[test]
    fn a_value_that_only_a_newer_version_knows_is_counted_and_the_row_kept() {
        let mut writer = ColumnsWriter::default();
        writer.deltas(1, [5, 6]);
        writer.varints(5, [0, 99]);
        let payload = writer.finish();
        let columns = Columns::parse(&payload).unwrap();
        let samples = Sample::decode(&columns, 0, 2).unwrap();
        let outcomes: Vec<_> = samples.iter().map(|sample| sample.outcome).collect();
        assert_eq!(outcomes, [Outcome::Complete, Outcome::UnsupportedRule]);
        assert_eq!(columns.strange_values(), 1);
    }

    #[test]
    fn a_time_near_another_comes_back_and_none_beyond_all_bounds() {
        for (time_ns, end_ns) in [
            (0, 9),
            (9, 9),
            (1, 9),
            (12, 9),
            (TIME_MAX - 1, 0),
            (1, TIME_MAX - 1),
        ] {
            assert_eq!(before(before_number(time_ns, end_ns), end_ns), Ok(time_ns));
        }
        for (number, end_ns) in [(u64::MAX, 9), (1 + zigzag(10), 9), (1 + zigzag(-1), TIME_MAX - 1)] {
            assert!(before(number, end_ns).is_err(), "{number} {end_ns}");
        }
    }

    fn payload_of(samples: &[Sample]) -> Vec<u8> {
        let mut writer = ColumnsWriter::default();
        Sample::encode(samples, 0, &mut writer);
        writer.finish()
    }

    #[test]
    fn wakers_cost_nothing_where_there_are_none() {
        let mut samples = crate::profile::folded::from_folded("app;main 3").samples;
        assert_eq!(Columns::parse(&payload_of(&samples)).unwrap().unknown(7), 0);
        samples[0].waker = Waker::Thread(id(u32::MAX));
        samples[1].waker = Waker::Nobody;
        let payload = payload_of(&samples);
        let columns = Columns::parse(&payload).unwrap();
        assert_eq!(columns.unknown(7), 1);
        assert_eq!(Sample::decode(&columns, 0, 3).unwrap(), samples);
        assert_eq!(columns.strange_values(), 0);
        for beyond in [WAKER_THREADS + (1 << 32), u64::MAX] {
            assert_eq!(waker(beyond, &columns), Waker::Unknown);
        }
        assert_eq!(columns.strange_values(), 2);
    }

    #[test]
    fn lists_cannot_be_longer_than_their_items() {
        let mut writer = ColumnsWriter::default();
        writer.deltas(1, [0]);
        writer.varints(2, [1 << 40]);
        let payload = writer.finish();
        let columns = Columns::parse(&payload).unwrap();
        assert!(<(Id<Location>, Vec<Line>)>::decode(&columns, 0, 1).is_err());
    }

    #[test]
    fn a_caller_before_the_first_stack_is_malformed() {
        let mut writer = ColumnsWriter::default();
        writer.varints(1, [3]);
        let payload = writer.finish();
        let columns = Columns::parse(&payload).unwrap();
        assert!(Stack::decode(&columns, 2, 1).is_err());
        assert_eq!(Stack::decode(&columns, 3, 1).unwrap()[0].caller, Some(Id::new(0)));
    }
}
