//! How operations, and what they are on, are written as numbers: the same in latencies and in slow events.

use crate::profile::{BlockOperation, Contention, ObjectKind, Operation};

use super::columns::{Columns, Malformed};

/// The number in the file of the first operation of a block device; those on their way to it follow.
const BLOCK: u64 = 4;

/// The number of each block operation, from [`BLOCK`] on.
const BLOCK_OPERATIONS: [BlockOperation; 5] = [
    BlockOperation::Read,
    BlockOperation::Write,
    BlockOperation::Flush,
    BlockOperation::Discard,
    BlockOperation::Other,
];

/// The number in the file of the first operation that waits for a lock of the kernel; each way to wait has one.
const KERNEL_LOCK: u64 = BLOCK + 2 * BLOCK_OPERATIONS.len() as u64;

/// The number in the file of a page fault: far from the ways to wait for a lock, of which there may be more.
const PAGE_FAULT: u64 = 64;

/// The number of each kind of object.
const OBJECTS: [ObjectKind; 9] = [
    ObjectKind::None,
    ObjectKind::File,
    ObjectKind::BlockDevice,
    ObjectKind::Device,
    ObjectKind::Terminal,
    ObjectKind::Socket,
    ObjectKind::LocalSocket,
    ObjectKind::Pipe,
    ObjectKind::Event,
];

/// The number of an operation's kind, and the number that it has in that kind.
pub(super) fn operation_numbers(operation: Operation) -> (u64, u64) {
    let place = |block| {
        BLOCK_OPERATIONS
            .iter()
            .position(|&other| other == block)
            .expect("a test sees to it that every operation has a number") as u64
    };
    match operation {
        Operation::Call(number) => (0, number.into()),
        Operation::CompatCall(number) => (1, number.into()),
        Operation::IoUring(opcode) => (2, opcode.into()),
        Operation::RunQueue => (3, 0),
        Operation::Block(block) => (BLOCK + place(block), 0),
        Operation::BlockQueue(block) => (BLOCK + BLOCK_OPERATIONS.len() as u64 + place(block), 0),
        Operation::KernelLock(contention) => (KERNEL_LOCK + contention_number(contention), 0),
        Operation::PageFault => (PAGE_FAULT, 0),
    }
}

/// The operation of these numbers; `None` if only a newer version knows it, which is taken note of: nothing that is
/// known would be near, so its row has to be left out.
pub(super) fn operation(
    kind: u64,
    number: u64,
    columns: &Columns<'_>,
) -> Result<Option<Operation>, Malformed> {
    const BEYOND: Malformed = Malformed("an operation's number beyond all bounds");
    let block = |kind: u64| {
        let blocks = BLOCK_OPERATIONS.map(Operation::Block);
        let queues = BLOCK_OPERATIONS.map(Operation::BlockQueue);
        let locks = Contention::ALL.map(Operation::KernelLock);
        let place = usize::try_from(kind.checked_sub(BLOCK)?).ok()?;
        blocks.into_iter().chain(queues).chain(locks).nth(place)
    };
    let operation = match kind {
        0 => Some(Operation::Call(u16::try_from(number).map_err(|_| BEYOND)?)),
        1 => Some(Operation::CompatCall(u16::try_from(number).map_err(|_| BEYOND)?)),
        2 => Some(Operation::IoUring(u8::try_from(number).map_err(|_| BEYOND)?)),
        3 => Some(Operation::RunQueue),
        PAGE_FAULT => Some(Operation::PageFault),
        other => block(other),
    };
    if operation.is_none() {
        columns.unknown_row();
    }
    Ok(operation)
}

/// The number of a way to wait for a lock: its place among all of them.
pub(super) fn contention_number(contention: Contention) -> u64 {
    contention as u64
}

/// The way to wait for a lock of such a number; `None` if only a newer version knows it, which is taken note of: its row has
/// to be left out.
pub(super) fn contention(number: u64, columns: &Columns<'_>) -> Option<Contention> {
    let known = usize::try_from(number)
        .ok()
        .and_then(|number| Contention::ALL.get(number));
    if known.is_none() {
        columns.unknown_row();
    }
    known.copied()
}

/// The number of a kind of object.
pub(super) fn object_number(object: ObjectKind) -> u64 {
    OBJECTS
        .iter()
        .position(|&other| other == object)
        .expect("a test sees to it that every kind has a number") as u64
}

/// The kind of object of such a number.
pub(super) fn object(number: u64, columns: &Columns<'_>) -> ObjectKind {
    let known = usize::try_from(number)
        .ok()
        .and_then(|number| OBJECTS.get(number));
    known.copied().unwrap_or_else(|| {
        columns.strange_value();
        ObjectKind::None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One more than each of these numbers stands for nothing, so all that there is has been asked for.
    #[test]
    fn every_operation_and_object_has_a_number_and_comes_back() {
        let payload = super::super::columns::ColumnsWriter::default().finish();
        let columns = Columns::parse(&payload).unwrap();
        for kind in 0..29 {
            let known = operation(kind, 7, &columns).unwrap().unwrap();
            let number = if kind < 3 { 7 } else { 0 };
            assert_eq!(operation_numbers(known), (kind, number));
        }
        for block in [
            BlockOperation::Read,
            BlockOperation::Write,
            BlockOperation::Flush,
            BlockOperation::Discard,
            BlockOperation::Other,
        ] {
            // Another kind of operation has to be added here and above.
            match block {
                BlockOperation::Read
                | BlockOperation::Write
                | BlockOperation::Flush
                | BlockOperation::Discard
                | BlockOperation::Other => {}
            }
            for made in [Operation::Block(block), Operation::BlockQueue(block)] {
                let (kind, number) = operation_numbers(made);
                assert_eq!(operation(kind, number, &columns), Ok(Some(made)));
            }
        }
        for (number, way) in (0..).zip(Contention::ALL) {
            assert_eq!(
                (contention_number(way), contention(number, &columns)),
                (number, Some(way))
            );
        }
        for number in 0..9 {
            assert_eq!(object_number(object(number, &columns)), number);
        }
        assert_eq!((columns.strange_values(), columns.unknown_rows()), (0, 0));
        for number in [9, u64::MAX] {
            assert_eq!(object(number, &columns), ObjectKind::None);
        }
        for number in [15, u64::MAX] {
            assert_eq!(contention(number, &columns), None);
        }
        for kind in [29, u64::MAX] {
            assert_eq!(operation(kind, u64::MAX, &columns), Ok(None));
        }
        assert_eq!((columns.strange_values(), columns.unknown_rows()), (2, 4));
    }

    #[test]
    fn a_call_beyond_all_bounds_is_malformed() {
        let payload = super::super::columns::ColumnsWriter::default().finish();
        let columns = Columns::parse(&payload).unwrap();
        for (kind, number) in [(0, 1 << 16), (1, u64::MAX), (2, 256)] {
            assert!(operation(kind, number, &columns).is_err());
        }
    }
}
