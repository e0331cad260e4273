//! A cursor in rows that change under it.

/// A cursor that stays on its row when rows come, go and change places. On the first row it stays on the first row,
/// whichever that is.
#[derive(Debug)]
pub(super) struct List<K> {
    cursor: usize,
    offset: usize,
    len: usize,
    key: Option<K>,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self {
            cursor: 0,
            offset: 0,
            len: 0,
            key: None,
        }
    }
}

impl<K: PartialEq> List<K> {
    /// Which row is under the cursor; 0 if there is none.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Which row is the first on the screen.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Moves by so many rows, and stops at the ends.
    pub(super) fn move_by(&mut self, rows: isize) {
        self.move_to(self.cursor.saturating_add_signed(rows));
    }

    /// Moves to a row, or the last.
    pub(super) fn move_to(&mut self, row: usize) {
        self.cursor = row.min(self.len.saturating_sub(1));
        self.key = None;
    }

    /// To the row with this key, once it is there.
    pub(super) fn seek(&mut self, key: K) {
        self.key = Some(key);
    }

    /// The rows are these now, of which `height` are on the screen: the cursor finds its row again and the screen
    /// shows it.
    pub(super) fn settle(&mut self, rows: impl ExactSizeIterator<Item = K>, height: usize) {
        self.len = rows.len();
        self.cursor = self.cursor.min(self.len.saturating_sub(1));
        let mut here = None;
        let mut found = None;
        for (index, key) in rows.enumerate() {
            if self.key.as_ref() == Some(&key) {
                found = Some(index);
                break;
            }
            if index == self.cursor {
                here = Some(key);
                if self.key.is_none() {
                    break;
                }
            }
        }
        match found {
            Some(row) => self.cursor = row,
            // The first row is a place, every other row is what stands there.
            None => self.key = here.filter(|_| self.cursor > 0),
        }
        let height = height.max(1);
        self.offset = self
            .offset
            .min(self.len.saturating_sub(height))
            .min(self.cursor)
            .max((self.cursor + 1).saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(list: &mut List<char>, rows: &str) {
        list.settle(rows.chars().collect::<Vec<_>>().into_iter(), 3);
    }

    #[test]
    fn the_cursor_goes_with_its_row() {
        let mut list = List::default();
        settle(&mut list, "abcdef");
        list.move_by(2);
        settle(&mut list, "abcdef");
        settle(&mut list, "xxxcab");
        assert_eq!((list.cursor(), list.offset()), (3, 1));
        settle(&mut list, "x");
        assert_eq!((list.cursor(), list.offset()), (0, 0));
        list.seek('d');
        settle(&mut list, "abcdef");
        assert_eq!(list.cursor(), 3);
    }

    #[test]
    fn on_the_first_row_it_stays_there() {
        let mut list = List::default();
        settle(&mut list, "abc");
        settle(&mut list, "cab");
        assert_eq!(list.cursor(), 0);
        list.move_by(-5);
        list.move_by(99);
        settle(&mut list, "cab");
        assert_eq!(list.cursor(), 2);
        settle(&mut list, "");
        assert_eq!((list.cursor(), list.len()), (0, 0));
    }
}
