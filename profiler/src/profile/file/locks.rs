//! How locks, waits for them and stacks of calls are written as columns.

use crate::profile::{CallStack, Id, Lock, LockWait};

use super::{
    columns::{Columns, ColumnsWriter, Malformed},
    operations::{contention, contention_number},
    rows::{
        Row, before, before_number, optional, optional_number, outcome, outcome_number, time, waker,
        waker_number,
    },
    slow::{extent, extent_number},
};

impl Row for Lock {
    const LAST_COLUMN: u8 = 5;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        let places = || rows.iter().map(|row| row.place.unzip());
        columns.varints(1, rows.iter().map(|row| optional_number(row.process)));
        columns.deltas(2, rows.iter().map(|row| row.address));
        columns.varints(3, places().map(|(mapping, _)| optional_number(mapping)));
        columns.deltas(4, places().map(|(_, address)| address.unwrap_or(0)));
        columns.texts(5, rows.iter().map(|row| &row.name));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut process, mut address) = (columns.varints(1)?, columns.deltas(2)?);
        let (mut mapping, mut at, mut name) = (columns.varints(3)?, columns.deltas(4)?, columns.bytes(5)?);
        let mut row = || {
            let (process, address) = (optional(process.next()?)?, address.next()?);
            let (mapping, at) = (optional(mapping.next()?)?, at.next()?);
            Ok(Self {
                process,
                address,
                place: mapping.map(|mapping| (mapping, at)),
                name: name.next_text()?,
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

impl Row for LockWait {
    const LAST_COLUMN: u8 = 15;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        let longer = |row: &Self| row.duration_ns.wrapping_sub(row.blocked_ns).cast_signed();
        columns.deltas(1, rows.iter().map(|row| row.end_ns));
        columns.varints(2, rows.iter().map(|row| row.duration_ns));
        columns.signed(3, rows.iter().map(longer));
        columns.deltas(4, rows.iter().map(|row| row.threshold_ns));
        columns.varints(5, rows.iter().map(|row| row.thread.raw().into()));
        columns.varints(6, rows.iter().map(|row| row.lock.raw().into()));
        columns.varints(7, rows.iter().map(|row| contention_number(row.contention)));
        columns.varints(8, rows.iter().map(|row| row.value.into()));
        columns.varints(9, rows.iter().map(|row| extent_number(row.extent)));
        columns.varints(10, rows.iter().map(|row| row.errno.into()));
        columns.varints(11, rows.iter().map(|row| waker_number(row.owner)));
        columns.varints(12, rows.iter().map(|row| waker_number(row.waker)));
        columns.varints(13, rows.iter().map(|row| before_number(row.woken_ns, row.end_ns)));
        columns.varints(14, rows.iter().map(|row| optional_number(row.stack)));
        columns.varints(15, rows.iter().map(|row| outcome_number(row.outcome)));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut end_ns, mut duration_ns) = (columns.deltas(1)?, columns.varints(2)?);
        let (mut longer, mut threshold_ns) = (columns.varints(3)?, columns.deltas(4)?);
        let (mut thread, mut lock) = (columns.varints(5)?, columns.varints(6)?);
        let (mut how, mut value, mut seen) = (columns.varints(7)?, columns.varints(8)?, columns.varints(9)?);
        let (mut errno, mut owner) = (columns.varints(10)?, columns.varints(11)?);
        let (mut woken, mut woken_ns) = (columns.varints(12)?, columns.varints(13)?);
        let (mut stack, mut ended) = (columns.varints(14)?, columns.varints(15)?);
        let mut row = || {
            let (end_ns, duration_ns) = (time(end_ns.next()?)?, time(duration_ns.next()?)?);
            let blocked_ns = time(duration_ns.wrapping_sub(longer.next_signed()?.cast_unsigned()))?;
            let threshold_ns = time(threshold_ns.next()?)?;
            let (thread, lock) = (thread.next_as().map(Id::new)?, lock.next_as().map(Id::new)?);
            let (contention, value) = (contention(how.next()?, columns), value.next_as()?);
            let (extent, errno) = (extent(seen.next()?, columns), errno.next_as()?);
            let (owner, waker) = (waker(owner.next()?, columns), waker(woken.next()?, columns));
            let woken_ns = before(woken_ns.next()?, end_ns)?;
            let (stack, outcome) = (optional(stack.next()?)?, outcome(ended.next()?, columns));
            Ok(contention.map(|contention| Self {
                thread,
                lock,
                contention,
                value,
                end_ns,
                duration_ns,
                blocked_ns,
                threshold_ns,
                extent,
                errno,
                owner,
                waker,
                woken_ns,
                stack,
                outcome,
            }))
        };
        (0..rows).filter_map(|_| row().transpose()).collect()
    }
}

impl Row for CallStack {
    const LAST_COLUMN: u8 = 5;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.deltas(1, rows.iter().map(|row| row.start_ns));
        columns.varints(2, rows.iter().map(|row| row.end_ns.saturating_sub(row.start_ns)));
        columns.varints(3, rows.iter().map(|row| row.thread.raw().into()));
        columns.varints(4, rows.iter().map(|row| optional_number(row.stack)));
        columns.varints(5, rows.iter().map(|row| outcome_number(row.outcome)));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut start_ns, mut length, mut thread) =
            (columns.deltas(1)?, columns.varints(2)?, columns.varints(3)?);
        let (mut stack, mut ended) = (columns.varints(4)?, columns.varints(5)?);
        let mut row = || {
            let start_ns = time(start_ns.next()?)?;
            Ok(Self {
                thread: thread.next_as().map(Id::new)?,
                start_ns,
                // Both are below the largest time, so the sum is a number.
                end_ns: time(start_ns + time(length.next()?)?)?,
                stack: optional(stack.next()?)?,
                outcome: outcome(ended.next()?, columns),
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded<R: Row>(
        rows: usize,
        write: impl Fn(&mut ColumnsWriter),
    ) -> Result<(Vec<R>, usize, usize), Malformed> {
        let mut writer = ColumnsWriter::default();
        write(&mut writer);
        let payload = writer.finish();
        let columns = Columns::parse(&payload).unwrap();
        let rows = R::decode(&columns, 0, rows)?;
        Ok((rows, columns.strange_values(), columns.unknown_rows()))
    }

    #[test]
    fn a_wait_of_a_kind_that_only_a_newer_version_knows_is_left_out() {
        let write = |columns: &mut ColumnsWriter| {
            columns.deltas(1, [10, 20, 30]);
            columns.varints(2, [5, 6, 7]);
            columns.varints(7, [2, 15, 14]);
            columns.varints(9, [0, 0, 9]);
        };
        let (rows, strange, unknown) = decoded::<LockWait>(3, write).unwrap();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.end_ns, row.duration_ns, row.blocked_ns))
            .collect();
        assert_eq!((rows, strange, unknown), (vec![(10, 5, 5), (30, 7, 7)], 1, 1));
    }

    #[test]
    fn times_beyond_all_bounds_are_malformed() {
        let most = (1 << 62) - 1;
        let wait = |end: u64, duration: u64, longer: i64, threshold: u64| {
            decoded::<LockWait>(1, |columns| {
                columns.deltas(1, [end]);
                columns.varints(2, [duration]);
                columns.signed(3, [longer]);
                columns.deltas(4, [threshold]);
            })
        };
        assert!(wait(most, most, 0, most).is_ok() && wait(0, 0, -9, 0).is_ok());
        for (end, duration, longer, threshold) in [
            (most + 1, 0, 0, 0),
            (0, most + 1, 0, 0),
            (0, most, -1, 0),
            (0, 5, 6, 0),
            (0, 0, 0, most + 1),
        ] {
            assert!(wait(end, duration, longer, threshold).is_err());
        }
        let call = |start: u64, length: u64| {
            decoded::<CallStack>(1, |columns| {
                columns.deltas(1, [start]);
                columns.varints(2, [length]);
            })
        };
        assert!(call(most, 0).is_ok());
        assert!(call(most, 1).is_err() && call(0, u64::MAX).is_err() && call(most + 1, 0).is_err());
    }
}
