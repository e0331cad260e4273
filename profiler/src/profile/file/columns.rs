//! The inner form: rows as columns, each described so that a reader can step over one it does not know.
//!
//! A payload begins with a directory: a varint count of columns, then for each column its id, its encoding and its
//! length in bytes, all varints. The columns' bytes follow in the same order.

use std::cell::Cell;

/// How the values of a column are written. All numbers are varints: 7 bits a byte, least significant first, the high
/// bit says that more follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// One varint a value.
    Varint = 1,
    /// The difference from the value before (from 0 for the first), zig-zag: 0, -1, 1, -2, … are 0, 1, 2, 3, ….
    Delta = 2,
    /// A varint length and that many bytes a value.
    Bytes = 3,
}

/// Texts longer than this are cut by the writer: a symbol's name has no natural limit.
pub(super) const TEXT_MAX: usize = 64 << 10;

/// A payload that its checksum calls good, and that makes no sense all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Collects columns into a payload.
#[derive(Default)]
pub(super) struct ColumnsWriter {
    count: u64,
    directory: Vec<u8>,
    data: Vec<u8>,
}

impl ColumnsWriter {
    /// A column of plain numbers.
    pub(super) fn varints(&mut self, id: u8, values: impl IntoIterator<Item = u64>) {
        self.column(id, Encoding::Varint, |data| {
            values.into_iter().for_each(|value| put_varint(data, value));
        });
    }

    /// A column of numbers that lie near the one before.
    pub(super) fn deltas(&mut self, id: u8, values: impl IntoIterator<Item = u64>) {
        self.column(id, Encoding::Delta, |data| {
            let mut before = 0u64;
            for value in values {
                let difference = value.wrapping_sub(before).cast_signed();
                put_varint(data, zigzag(difference));
                before = value;
            }
        });
    }

    /// A column of plain numbers that may be negative.
    pub(super) fn signed(&mut self, id: u8, values: impl IntoIterator<Item = i64>) {
        self.varints(id, values.into_iter().map(zigzag));
    }

    /// A column of byte strings.
    pub(super) fn bytes<'a>(&mut self, id: u8, values: impl IntoIterator<Item = &'a [u8]>) {
        self.column(id, Encoding::Bytes, |data| {
            for value in values {
                put_varint(data, value.len() as u64);
                data.extend_from_slice(value);
            }
        });
    }

    /// A column of texts; what is longer than [`TEXT_MAX`] is cut.
    pub(super) fn texts<'a>(&mut self, id: u8, values: impl IntoIterator<Item = &'a String>) {
        self.bytes(
            id,
            values
                .into_iter()
                .map(|text| &text.as_bytes()[..text.floor_char_boundary(TEXT_MAX)]),
        );
    }

    fn column(&mut self, id: u8, encoding: Encoding, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.data.len();
        write(&mut self.data);
        self.count += 1;
        put_varint(&mut self.directory, id.into());
        put_varint(&mut self.directory, encoding as u64);
        put_varint(&mut self.directory, (self.data.len() - begin) as u64);
    }

    /// The payload.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.directory.len() + self.data.len() + 2);
        put_varint(&mut payload, self.count);
        payload.extend(self.directory);
        payload.extend(self.data);
        payload
    }
}

/// The columns of a payload.
pub(super) struct Columns<'a> {
    columns: Vec<(u64, u64, &'a [u8])>,
    strange_values: Cell<usize>,
    unknown_rows: Cell<usize>,
}

impl<'a> Columns<'a> {
    /// Reads the directory.
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = payload;
        let count = take_varint(&mut rest)?;
        // Each entry of the directory has at least three bytes.
        if count > (rest.len() / 3) as u64 {
            return Err(Malformed("more columns than bytes"));
        }
        let mut directory = Vec::new();
        for _ in 0..count {
            let id = take_varint(&mut rest)?;
            let encoding = take_varint(&mut rest)?;
            directory.push((id, encoding, take_varint(&mut rest)?));
        }
        let mut columns = Vec::with_capacity(directory.len());
        for (id, encoding, len) in directory {
            columns.push((id, encoding, take_bytes(&mut rest, len)?));
        }
        Ok(Self {
            columns,
            strange_values: Cell::new(0),
            unknown_rows: Cell::new(0),
        })
    }

    /// The number of rows, checked: every row has at least a byte in the first column.
    pub(super) fn rows(&self, promised: u32) -> Result<usize, Malformed> {
        let bytes = self.find(1).map_or(0, |(_, bytes)| bytes.len());
        match promised as usize {
            rows if rows <= bytes => Ok(rows),
            _ => Err(Malformed("fewer rows than promised")),
        }
    }

    /// A column of plain numbers; all 0 if it is not there.
    pub(super) fn varints(&self, id: u8) -> Result<Varints<'a>, Malformed> {
        self.encoded(id, Encoding::Varint).map(Varints)
    }

    /// A column of numbers that lie near the one before; all 0 if it is not there.
    pub(super) fn deltas(&self, id: u8) -> Result<Deltas<'a>, Malformed> {
        Ok(Deltas(Varints(self.encoded(id, Encoding::Delta)?), 0))
    }

    /// A column of byte strings; all empty if it is not there.
    pub(super) fn bytes(&self, id: u8) -> Result<Bytes<'a>, Malformed> {
        self.encoded(id, Encoding::Bytes).map(Bytes)
    }

    /// The lengths of lists whose items have at least a byte in each of the columns `items`.
    pub(super) fn lengths<const N: usize>(&self, id: u8, items: [u8; N]) -> Result<Lengths<'a>, Malformed> {
        let bytes = items.map(|id| self.find(id).map_or(0, |(_, bytes)| bytes.len()));
        Ok(Lengths {
            lengths: self.varints(id)?,
            most: bytes.into_iter().min().unwrap_or(0),
        })
    }

    /// How many columns have ids beyond `last`, the last that is known.
    pub(super) fn unknown(&self, last: u8) -> usize {
        self.columns.iter().filter(|(id, ..)| *id > last.into()).count()
    }

    /// Takes note that a value was one that only a newer version knows.
    pub(super) fn strange_value(&self) {
        self.strange_values.set(self.strange_values.get() + 1);
    }

    /// How many such values there were.
    pub(super) fn strange_values(&self) -> usize {
        self.strange_values.get()
    }

    /// Takes note that a row is about something that only a newer version knows, so that it has to be left out.
    pub(super) fn unknown_row(&self) {
        self.unknown_rows.set(self.unknown_rows.get() + 1);
    }

    /// How many such rows there were.
    pub(super) fn unknown_rows(&self) -> usize {
        self.unknown_rows.get()
    }

    fn find(&self, id: u8) -> Option<(u64, &'a [u8])> {
        let found = self.columns.iter().find(|(other, ..)| *other == u64::from(id));
        found.map(|&(_, encoding, bytes)| (encoding, bytes))
    }

    fn encoded(&self, id: u8, wanted: Encoding) -> Result<Option<&'a [u8]>, Malformed> {
        match self.find(id) {
            None => Ok(None),
            Some((encoding, bytes)) if encoding == wanted as u64 => Ok(Some(bytes)),
            Some(_) => Err(Malformed("a column in an encoding that is not known")),
        }
    }
}

/// Reads a column of plain numbers.
pub(super) struct Varints<'a>(Option<&'a [u8]>);

impl Varints<'_> {
    /// The next number.
    pub(super) fn next(&mut self) -> Result<u64, Malformed> {
        self.0.as_mut().map_or(Ok(0), take_varint)
    }

    /// The next number, which must fit.
    pub(super) fn next_as<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.next()?).map_err(|_| Malformed("a number that is too large"))
    }

    /// The next number of a column of numbers that may be negative.
    pub(super) fn next_signed(&mut self) -> Result<i64, Malformed> {
        self.next().map(unzigzag)
    }
}

/// Reads a column of the lengths of lists.
pub(super) struct Lengths<'a> {
    lengths: Varints<'a>,
    most: usize,
}

impl Lengths<'_> {
    /// The length of the next list. All lists together have no more items than a column of items has bytes.
    pub(super) fn next(&mut self) -> Result<usize, Malformed> {
        let len = self.lengths.next_as()?;
        self.most = self
            .most
            .checked_sub(len)
            .ok_or(Malformed("a list that is longer than its items"))?;
        Ok(len)
    }
}

/// Reads a column of numbers that lie near the one before.
pub(super) struct Deltas<'a>(Varints<'a>, u64);

impl Deltas<'_> {
    /// The next number.
    pub(super) fn next(&mut self) -> Result<u64, Malformed> {
        self.1 = self.1.wrapping_add_signed(self.0.next_signed()?);
        Ok(self.1)
    }

    /// The next number, which must fit.
    pub(super) fn next_as<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.next()?).map_err(|_| Malformed("a number that is too large"))
    }
}

/// Reads a column of byte strings.
pub(super) struct Bytes<'a>(Option<&'a [u8]>);

impl<'a> Bytes<'a> {
    /// The next byte string.
    pub(super) fn next(&mut self) -> Result<&'a [u8], Malformed> {
        self.0.as_mut().map_or(Ok(&[]), |rest| {
            let len = take_varint(rest)?;
            take_bytes(rest, len)
        })
    }

    /// The next byte string, which must be UTF-8.
    pub(super) fn next_text(&mut self) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.next()?).map_err(|_| Malformed("a text that is not UTF-8"))?;
        Ok(text.to_owned())
    }
}

/// 0, -1, 1, -2, … as 0, 1, 2, 3, …
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// And back.
pub(super) fn unzigzag(zigzag: u64) -> i64 {
    ((zigzag >> 1) ^ (zigzag & 1).wrapping_neg()).cast_signed()
}

fn put_varint(data: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        data.push(value as u8 | 0x80);
        value >>= 7;
    }
    data.push(value as u8);
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0u64;
    for (index, &byte) in rest.iter().enumerate().take(10) {
        if index == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(Malformed("a number that does not end"))
}

fn take_bytes<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], Malformed> {
    let len = usize::try_from(len).map_err(|_| Malformed("a length beyond the payload"))?;
    let (bytes, after) = rest
        .split_at_checked(len)
        .ok_or(Malformed("a length beyond the payload"))?;
    *rest = after;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        let numbers = [
            0,
            1,
            127,
            128,
            300,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
            5,
            0,
        ];
        let mut writer = ColumnsWriter::default();
        writer.varints(1, numbers);
        writer.deltas(2, numbers);
        writer.signed(3, numbers.map(u64::cast_signed));
        let payload = writer.finish();
        let columns = Columns::parse(&payload).unwrap();
        let (mut plain, mut near) = (columns.varints(1).unwrap(), columns.deltas(2).unwrap());
        let mut signed = columns.varints(3).unwrap();
        for number in numbers {
            assert_eq!((plain.next(), near.next()), (Ok(number), Ok(number)));
            assert_eq!(signed.next_signed(), Ok(number.cast_signed()));
        }
        assert_eq!([0, -1, 1, i64::MIN].map(zigzag), [0, 1, 2, u64::MAX]);
        assert_eq!(plain.next(), Err(Malformed("a number that does not end")));
    }

    #[test]
    fn what_lies_near_the_value_before_takes_a_byte() {
        let mut writer = ColumnsWriter::default();
        writer.deltas(1, (0..100).map(|i| 10_000_000_000 + i * 60 - (i % 2) * 90));
        assert!(writer.finish().len() < 2 * 100);
    }

    #[test]
    fn a_column_that_is_not_there_reads_as_nothing_and_an_unknown_one_is_counted() {
        let mut writer = ColumnsWriter::default();
        writer.texts(1, [&"a".to_owned(), &"bc".to_owned()]);
        writer.varints(77, [1, 2]);
        let payload = writer.finish();
        let columns = Columns::parse(&payload).unwrap();
        assert_eq!((columns.unknown(1), columns.unknown(77)), (1, 0));
        assert_eq!(columns.varints(2).unwrap().next(), Ok(0));
        assert_eq!(columns.bytes(3).unwrap().next(), Ok(&b""[..]));
        let mut texts = columns.bytes(1).unwrap();
        assert_eq!(
            (texts.next_text(), texts.next()),
            (Ok("a".into()), Ok(&b"bc"[..]))
        );
        assert!(columns.varints(1).is_err());
        assert!(columns.rows(5).is_ok() && columns.rows(6).is_err());
    }

    #[test]
    fn no_count_or_length_is_believed() {
        for payload in [
            &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
            &[1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xff; 11],
            &[2, 1, 1, 1],
            &[],
        ] {
            assert!(Columns::parse(payload).is_err());
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let mut writer = ColumnsWriter::default();
        writer.texts(1, [&"é".repeat(TEXT_MAX), &"x".into()]);
        let payload = writer.finish();
        let mut texts = Columns::parse(&payload).unwrap().bytes(1).unwrap();
        assert_eq!(texts.next_text().unwrap().len(), TEXT_MAX);
        assert_eq!(texts.next_text(), Ok("x".into()));
    }
}
