//! How latencies are written as columns. There are hundreds of them a second, most of their bytes for the buckets. What
//! follows from something else, such as the count from the buckets, is written as its difference from that: most often 0.

use crate::profile::{Id, Latency, LatencyKey};

use super::{
    columns::{Columns, ColumnsWriter, Malformed},
    operations::{object, object_number, operation, operation_numbers},
    rows::{Row, time},
};

/// The last bucket of a histogram, see `profiler_common::histogram`.
const LAST_BUCKET: u8 = 248;

/// How many operations lie in buckets.
fn in_buckets(row: &Latency) -> u64 {
    row.buckets
        .iter()
        .fold(0, |sum: u64, (_, count)| sum.wrapping_add(*count))
}

impl Row for Latency {
    const LAST_COLUMN: u8 = 17;
    // An item of a list takes 16 bytes, and has at least a byte in each of two columns.
    const GROWTH: u64 = 8;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        let keys = || rows.iter().map(|row| row.key);
        columns.deltas(1, keys().map(|key| key.process.raw().into()));
        columns.varints(2, keys().map(|key| operation_numbers(key.operation).0));
        columns.varints(3, keys().map(|key| operation_numbers(key.operation).1));
        columns.varints(4, keys().map(|key| object_number(key.object)));
        columns.varints(5, keys().map(|key| key.device.into()));
        columns.deltas(6, rows.iter().map(|row| row.start_ns));
        columns.deltas(7, rows.iter().map(|row| row.end_ns.wrapping_sub(row.start_ns)));
        columns.deltas(8, rows.iter().map(|row| row.count.wrapping_sub(in_buckets(row))));
        columns.varints(9, rows.iter().map(|row| row.min_ns));
        columns.varints(10, rows.iter().map(|row| row.max_ns.wrapping_sub(row.min_ns)));
        columns.varints(11, rows.iter().map(|row| row.total_ns.wrapping_sub(row.max_ns)));
        let errors = || rows.iter().flat_map(|row| &row.errors);
        columns.varints(12, rows.iter().map(|row| row.errors.len() as u64));
        columns.varints(13, errors().map(|&(errno, _)| errno.into()));
        columns.varints(14, errors().map(|&(_, count)| count));
        let buckets = || rows.iter().flat_map(|row| &row.buckets);
        columns.varints(15, rows.iter().map(|row| row.buckets.len() as u64));
        columns.deltas(16, buckets().map(|&(bucket, _)| bucket.into()));
        columns.varints(17, buckets().map(|&(_, count)| count));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut process, mut device) = (columns.deltas(1)?, columns.varints(5)?);
        let (mut kind, mut number, mut on) = (columns.varints(2)?, columns.varints(3)?, columns.varints(4)?);
        let (mut start_ns, mut length, mut beyond_buckets) =
            (columns.deltas(6)?, columns.deltas(7)?, columns.deltas(8)?);
        let (mut min_ns, mut beyond_min, mut beyond_max) =
            (columns.varints(9)?, columns.varints(10)?, columns.varints(11)?);
        let (mut errors, mut errno, mut failed) = (
            columns.lengths(12, [13, 14])?,
            columns.varints(13)?,
            columns.varints(14)?,
        );
        let (mut buckets, mut bucket, mut lie_in) = (
            columns.lengths(15, [16, 17])?,
            columns.deltas(16)?,
            columns.varints(17)?,
        );
        let mut row = || {
            let process = process.next_as().map(Id::new)?;
            let operation = operation(kind.next()?, number.next()?, columns)?;
            let (object, device) = (object(on.next()?, columns), device.next_as()?);
            let start_ns = time(start_ns.next()?)?;
            // Both are below the largest time, so the sum is a number.
            let end_ns = time(start_ns + time(length.next()?)?)?;
            let min_ns = time(min_ns.next()?)?;
            let max_ns = time(min_ns.wrapping_add(beyond_min.next()?))?;
            let total_ns = max_ns.wrapping_add(beyond_max.next()?);
            let errors: Vec<(u16, u64)> = (0..errors.next()?)
                .map(|_| Ok((errno.next_as()?, failed.next()?)))
                .collect::<Result<_, Malformed>>()?;
            let buckets: Vec<(u8, u64)> = (0..buckets.next()?)
                .map(|_| Ok((bucket.next_as()?, lie_in.next()?)))
                .collect::<Result<_, Malformed>>()?;
            check_buckets(&buckets)?;
            let sum = buckets
                .iter()
                .try_fold(0, |sum: u64, (_, count)| sum.checked_add(*count));
            let sum = sum.ok_or(Malformed("a histogram whose sum is beyond all bounds"))?;
            let count = sum.wrapping_add(beyond_buckets.next()?);
            Ok(operation.map(|operation| Self {
                key: LatencyKey {
                    process,
                    operation,
                    object,
                    device,
                },
                start_ns,
                end_ns,
                count,
                total_ns,
                min_ns,
                max_ns,
                errors,
                buckets,
            }))
        };
        (0..rows).filter_map(|_| row().transpose()).collect()
    }
}

/// Whether they are what a histogram has, in its order: views go through them up to a share of the count.
fn check_buckets(buckets: &[(u8, u64)]) -> Result<(), Malformed> {
    let ascending = buckets.is_sorted_by(|(before, _), (after, _)| before < after);
    let last = buckets.last().map_or(0, |&(bucket, _)| bucket);
    match ascending && last <= LAST_BUCKET {
        true => Ok(()),
        false => Err(Malformed("buckets that no histogram has in this order")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row with these columns, and that of the process.
    fn decoded(write: impl Fn(&mut ColumnsWriter)) -> Result<Vec<Latency>, Malformed> {
        let mut writer = ColumnsWriter::default();
        writer.deltas(1, [0]);
        write(&mut writer);
        let payload = writer.finish();
        Latency::decode(&Columns::parse(&payload).unwrap(), 0, 1)
    }

    #[test]
    fn buckets_must_be_those_of_a_histogram() {
        let buckets = |buckets: &[u64]| {
            decoded(|columns| {
                columns.varints(15, [buckets.len() as u64]);
                columns.deltas(16, buckets.iter().copied());
                columns.varints(17, buckets.iter().map(|_| 7));
            })
        };
        assert_eq!(buckets(&[0, 1, 248]).unwrap()[0].count, 21);
        for wrong in [&[249][..], &[300], &[5, 5], &[5, 4], &[u64::MAX]] {
            assert!(buckets(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lists_are_no_longer_than_each_of_their_columns() {
        for (lengths, first, second) in [(12, 13, 14), (15, 16, 17)] {
            let list = |firsts: u64, seconds: u64| {
                decoded(|columns| {
                    columns.varints(lengths, [2]);
                    match first {
                        16 => columns.deltas(first, 0..firsts),
                        _ => columns.varints(first, 0..firsts),
                    }
                    columns.varints(second, 0..seconds);
                })
            };
            assert!(list(2, 2).is_ok());
            assert!(list(2, 1).is_err() && list(1, 2).is_err());
            assert!(list(2, 0).is_err() && list(0, 2).is_err());
        }
    }

    #[test]
    fn times_and_sums_beyond_all_bounds_are_malformed() {
        let most = (1 << 62) - 1;
        let times = |start: u64, length: u64, min: u64, beyond_min: u64| {
            decoded(|columns| {
                columns.deltas(6, [start]);
                columns.deltas(7, [length]);
                columns.varints(9, [min]);
                columns.varints(10, [beyond_min]);
            })
        };
        assert!(times(most, 0, most, 0).is_ok());
        // The shortest is longer than the longest: odd, and no danger.
        assert_eq!(times(0, 0, 9, 2_u64.wrapping_neg()).unwrap()[0].max_ns, 7);
        for (start, length, min, beyond) in [
            (most, 1, 0, 0),
            (most + 1, 0, 0, 0),
            (9, 1_u64.wrapping_neg(), 0, 0),
            (0, 0, most + 1, 0),
            (0, 0, most, 1),
            (0, 0, 9, 10_u64.wrapping_neg()),
        ] {
            assert!(times(start, length, min, beyond).is_err());
        }
        let sum = |columns: &mut ColumnsWriter| {
            columns.varints(15, [2]);
            columns.deltas(16, [1, 2]);
            columns.varints(17, [u64::MAX, 1]);
        };
        assert!(decoded(sum).is_err());
    }
}
