//! How spans of threads are written as columns. Most of them are in two or three states, so only those are written.
//! Their times add up to the span's length, unless the recorder thought better of what it had told before.

use crate::profile::{Id, State, ThreadTime};

use super::{
    columns::{Columns, ColumnsWriter, Malformed},
    rows::{Row, time},
};

/// The number of each state in the file.
const STATES: [State; State::COUNT] = [
    State::Running,
    State::Runnable,
    State::Disk,
    State::Network,
    State::Ipc,
    State::Lock,
    State::PageFault,
    State::Sleep,
    State::Events,
    State::Stopped,
    State::Blocked,
    State::Unknown,
];

/// The states a span was in, as bits.
fn mask(row: &ThreadTime) -> u64 {
    (0..)
        .zip(STATES)
        .filter(|&(_, state)| row.ns[state as usize] > 0)
        .fold(0, |mask, (bit, _)| mask | 1 << bit)
}

/// How long it was in each of them.
fn times(row: &ThreadTime) -> impl Iterator<Item = u64> {
    STATES
        .map(|state| row.ns[state as usize])
        .into_iter()
        .filter(|&ns| ns > 0)
}

/// How long it was.
fn length(row: &ThreadTime) -> u64 {
    row.end_ns.saturating_sub(row.start_ns)
}

impl Row for ThreadTime {
    const LAST_COLUMN: u8 = 8;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.deltas(1, rows.iter().map(|row| row.thread.raw().into()));
        columns.deltas(2, rows.iter().map(|row| row.start_ns));
        columns.varints(3, rows.iter().map(mask));
        columns.varints(4, rows.iter().flat_map(times));
        columns.varints(5, rows.iter().map(|row| row.waits.into()));
        columns.varints(6, rows.iter().map(|row| row.preemptions.into()));
        columns.deltas(
            7,
            rows.iter()
                .map(|row| times(row).fold(length(row), u64::wrapping_sub)),
        );
        let ran = rows.iter().filter(|row| row.ns[State::Running as usize] > 0);
        columns.varints(
            8,
            ran.map(|row| row.in_calls_ns.map_or(0, |ns| ns.saturating_add(1))),
        );
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut thread, mut start_ns) = (columns.deltas(1)?, columns.deltas(2)?);
        let (mut mask, mut times) = (columns.varints(3)?, columns.varints(4)?);
        let (mut waits, mut preemptions) = (columns.varints(5)?, columns.varints(6)?);
        let (mut longer, mut in_calls) = (columns.deltas(7)?, columns.varints(8)?);
        let mut row = || {
            let thread = thread.next_as().map(Id::new)?;
            let start_ns = time(start_ns.next()?)?;
            let mut sum = 0;
            let mut ns = [0; State::COUNT];
            let mut states = mask.next()?;
            while states != 0 {
                let state = STATES.get(states.trailing_zeros() as usize).copied();
                states &= states - 1;
                if state.is_none() {
                    columns.strange_value();
                }
                // Both are below the largest time, so the sum is a number, if a time beyond all bounds.
                let spent = time(times.next()?)?;
                sum = time(sum + spent)?;
                ns[state.unwrap_or(State::Unknown) as usize] += spent;
            }
            let length = time(sum.wrapping_add(longer.next()?))?;
            Ok(Self {
                thread,
                start_ns,
                end_ns: time(start_ns + length)?,
                ns,
                in_calls_ns: match ns[State::Running as usize] {
                    0 => None,
                    _ => in_calls.next()?.checked_sub(1).map(time).transpose()?,
                },
                waits: waits.next_as()?,
                preemptions: preemptions.next_as()?,
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(states: &[(State, u64)]) -> ThreadTime {
        let mut ns = [0; State::COUNT];
        for &(state, time) in states {
            ns[state as usize] = time;
        }
        ThreadTime {
            thread: Id::new(3),
            start_ns: 100,
            end_ns: 100 + ns.iter().sum::<u64>(),
            ns,
            waits: 2,
            preemptions: 1,
            in_calls_ns: None,
        }
    }

    fn encoded(rows: &[ThreadTime]) -> Vec<u8> {
        let mut writer = ColumnsWriter::default();
        ThreadTime::encode(rows, 0, &mut writer);
        writer.finish()
    }

    #[test]
    fn every_state_has_a_number_and_comes_back() {
        for state in State::ALL {
            assert!(STATES.contains(&state), "{state:?}");
        }
        let all: Vec<_> = State::ALL.into_iter().zip(1..).collect();
        let mut rows = [span(&all); 4];
        rows[1] = span(&[(State::Events, 1_000_000_000)]);
        rows[2] = span(&[]);
        // Longer and shorter than what it was in.
        (rows[2].end_ns, rows[3].end_ns) = (109, 100);
        let payload = encoded(&rows);
        let columns = Columns::parse(&payload).unwrap();
        assert_eq!(ThreadTime::decode(&columns, 0, 4).unwrap(), rows);
        assert_eq!(columns.strange_values(), 0);
    }

    #[test]
    fn a_thread_that_only_waited_costs_few_bytes() {
        let rows = vec![span(&[(State::Events, 1_000_000_000)]); 1000];
        let bytes = encoded(&rows).len() / rows.len();
        assert!(bytes <= 12, "{bytes}");
    }

    #[test]
    fn time_in_a_state_that_only_a_newer_version_knows_is_not_lost() {
        let mut writer = ColumnsWriter::default();
        writer.deltas(1, [0]);
        writer.deltas(2, [50]);
        writer.varints(3, [1 << 63 | 1 << 11 | 1]);
        writer.varints(4, [5, 6, 7]);
        let payload = writer.finish();
        let columns = Columns::parse(&payload).unwrap();
        let row = ThreadTime::decode(&columns, 0, 1).unwrap().remove(0);
        assert_eq!(
            (row.ns[State::Running as usize], row.ns[State::Unknown as usize]),
            (5, 13)
        );
        assert_eq!((row.start_ns, row.end_ns), (50, 68));
        assert_eq!(columns.strange_values(), 1);
    }

    #[test]
    fn a_span_that_ends_beyond_all_bounds_is_malformed() {
        let most = (1 << 62) - 1;
        for (times, longer) in [
            ([1 << 62, 0], 0),
            ([most, 1], 0),
            ([u64::MAX, 1], 0),
            ([most, 0], 1),
            ([5, 5], 11_u64.wrapping_neg()),
        ] {
            let mut writer = ColumnsWriter::default();
            writer.deltas(1, [0]);
            writer.varints(3, [3]);
            writer.varints(4, times);
            writer.deltas(7, [longer]);
            let payload = writer.finish();
            let columns = Columns::parse(&payload).unwrap();
            assert!(ThreadTime::decode(&columns, 0, 1).is_err(), "{times:?} {longer}");
        }
    }
}
