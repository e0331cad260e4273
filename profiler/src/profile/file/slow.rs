//! How slow events, and what they were on, are written as columns.

use crate::profile::{Extent, Id, SlowEvent, Target};

use super::{
    columns::{Columns, ColumnsWriter, Malformed},
    operations::{object, object_number, operation, operation_numbers},
    rows::{
        Row, before, before_number, optional, optional_number, outcome, outcome_number, time, waker,
        waker_number,
    },
};

/// The number of an extent: bit 0, its begin was not seen; bit 1, its end was not.
pub(super) fn extent_number(extent: Extent) -> u64 {
    match extent {
        Extent::Whole => 0,
        Extent::BegunBefore => 1,
        Extent::NotEnded => 2,
        Extent::Throughout => 3,
    }
}

/// The extent of such a number. Of one that only a newer version knows, neither begin nor end is vouched for.
pub(super) fn extent(number: u64, columns: &Columns<'_>) -> Extent {
    match number {
        0 => Extent::Whole,
        1 => Extent::BegunBefore,
        2 => Extent::NotEnded,
        other => {
            if other != 3 {
                columns.strange_value();
            }
            Extent::Throughout
        }
    }
}

impl Row for Target {
    const LAST_COLUMN: u8 = 1;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.texts(1, rows.iter().map(|row| &row.0));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let mut text = columns.bytes(1)?;
        (0..rows).map(|_| text.next_text().map(Self)).collect()
    }
}

impl Row for SlowEvent {
    const LAST_COLUMN: u8 = 15;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        columns.deltas(1, rows.iter().map(|row| row.end_ns));
        columns.varints(2, rows.iter().map(|row| row.duration_ns));
        columns.varints(3, rows.iter().map(|row| row.thread.raw().into()));
        columns.varints(4, rows.iter().map(|row| extent_number(row.extent)));
        columns.varints(5, rows.iter().map(|row| operation_numbers(row.operation).0));
        columns.varints(6, rows.iter().map(|row| operation_numbers(row.operation).1));
        columns.varints(7, rows.iter().map(|row| object_number(row.object)));
        columns.varints(8, rows.iter().map(|row| optional_number(row.target)));
        columns.signed(9, rows.iter().map(|row| row.result));
        columns.varints(10, rows.iter().flat_map(|row| row.arguments));
        columns.varints(11, rows.iter().map(|row| optional_number(row.stack)));
        columns.varints(12, rows.iter().map(|row| outcome_number(row.outcome)));
        columns.varints(13, rows.iter().map(|row| row.wait_ns));
        columns.varints(14, rows.iter().map(|row| waker_number(row.waker)));
        columns.varints(15, rows.iter().map(|row| before_number(row.woken_ns, row.end_ns)));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut end_ns, mut duration_ns) = (columns.deltas(1)?, columns.varints(2)?);
        let (mut thread, mut seen) = (columns.varints(3)?, columns.varints(4)?);
        let (mut kind, mut number, mut on) = (columns.varints(5)?, columns.varints(6)?, columns.varints(7)?);
        let (mut target, mut result, mut arguments) =
            (columns.varints(8)?, columns.varints(9)?, columns.varints(10)?);
        let (mut stack, mut ended) = (columns.varints(11)?, columns.varints(12)?);
        let (mut wait_ns, mut woken) = (columns.varints(13)?, columns.varints(14)?);
        let mut woken_ns = columns.varints(15)?;
        let mut row = || {
            let (end_ns, duration_ns) = (time(end_ns.next()?)?, time(duration_ns.next()?)?);
            let (thread, extent) = (thread.next_as().map(Id::new)?, extent(seen.next()?, columns));
            let operation = operation(kind.next()?, number.next()?, columns)?;
            let (object, target) = (object(on.next()?, columns), optional(target.next()?)?);
            let result = result.next_signed()?;
            let mut values = [0; 6];
            for value in &mut values {
                *value = arguments.next()?;
            }
            let (stack, outcome) = (optional(stack.next()?)?, outcome(ended.next()?, columns));
            let (wait_ns, waker) = (time(wait_ns.next()?)?, waker(woken.next()?, columns));
            let woken_ns = before(woken_ns.next()?, end_ns)?;
            Ok(operation.map(|operation| Self {
                thread,
                end_ns,
                duration_ns,
                extent,
                operation,
                object,
                target,
                result,
                arguments: values,
                stack,
                outcome,
                wait_ns,
                waker,
                woken_ns,
            }))
        };
        (0..rows).filter_map(|_| row().transpose()).collect()
    }
}
