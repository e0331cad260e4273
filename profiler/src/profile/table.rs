//! Interning: one copy of each distinct row, named by a small typed number.

use std::{
    collections::hash_map::Entry,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    ops::Index,
    sync::OnceLock,
};

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

const FULL: &str = "a table holds fewer than 2^32 rows";

/// The number of a row in a [`Table<T>`] (or in a plain `Vec<T>` that is only ever appended to).
pub struct Id<T>(u32, PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// The id of row `index`.
    pub const fn new(index: u32) -> Self {
        Self(index, PhantomData)
    }

    /// The row's position, counted from 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The row's position as it is stored on disk.
    pub const fn raw(self) -> u32 {
        self.0
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Distinct rows in the order in which they were first seen. Rows are never removed.
#[derive(Clone)]
pub struct Table<T> {
    rows: Vec<T>,
    /// Made when a row is first looked for: a large table that was read from a file is seldom searched.
    ids: OnceLock<FxHashMap<T, Id<T>>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            ids: OnceLock::new(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    /// The id of `row`, which is added if it is new.
    pub fn intern(&mut self, row: T) -> Id<T> {
        let id = self.next();
        self.ids();
        match self.ids.get_mut().expect("made above").entry(row) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.rows.push(new.key().clone());
                *new.insert(id.expect(FULL))
            }
        }
    }

    /// Adds a row that another table had once. It is not looked for: if it is here already, it is here twice, under two
    /// ids, and [`find`](Self::find) and [`intern`](Self::intern) give the first.
    pub fn push(&mut self, row: T) -> Id<T> {
        let id = self.next().expect(FULL);
        if let Some(ids) = self.ids.get_mut() {
            ids.entry(row.clone()).or_insert(id);
        }
        self.rows.push(row);
        id
    }

    /// Appends rows as another table had them.
    ///
    /// # Errors
    /// As [`check_new`](Self::check_new) says; the table stays as it was.
    pub fn append(&mut self, rows: Vec<T>) -> Result<(), Id<T>> {
        self.check_new(&rows)?;
        self.rows.reserve(rows.len());
        for row in rows {
            self.intern(row);
        }
        Ok(())
    }

    /// Whether these rows can be appended: their ids will be their positions.
    ///
    /// # Errors
    /// If a row is in the table already, its id; if it is twice among `rows`, the id that the second would get. A
    /// table that would grow past 2^32 rows names the last of them.
    pub fn check_new(&self, rows: &[T]) -> Result<(), Id<T>> {
        let mut seen = FxHashSet::default();
        for (row, id) in rows.iter().zip(self.len()..) {
            if let Some(known) = self.find(row) {
                return Err(known);
            }
            match u32::try_from(id) {
                Ok(id) if !seen.insert(row) => return Err(Id::new(id)),
                Ok(_) => {}
                Err(_) => return Err(Id::new(u32::MAX)),
            }
        }
        Ok(())
    }

    /// The id of `row` if it was interned before.
    pub fn find(&self, row: &T) -> Option<Id<T>> {
        self.ids().get(row).copied()
    }

    /// The id of each row; of the first of equal ones.
    fn ids(&self) -> &FxHashMap<T, Id<T>> {
        self.ids.get_or_init(|| {
            let mut ids = FxHashMap::with_capacity_and_hasher(self.rows.len(), FxBuildHasher);
            for (id, row) in self.iter() {
                ids.entry(row.clone()).or_insert(id);
            }
            ids
        })
    }

    /// The id of the next row, while there may be one more.
    fn next(&self) -> Option<Id<T>> {
        u32::try_from(self.rows.len()).ok().map(Id::new)
    }
}

impl<T> Table<T> {
    /// The row named by `id`, or `None` for an id of another table.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.rows.get(id.index())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was interned yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows with their ids, in order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        (0u32..).map(Id::new).zip(&self.rows)
    }

    /// The rows from number `first` on.
    pub fn since(&self, first: usize) -> &[T] {
        self.rows.get(first..).unwrap_or_default()
    }
}

impl<T> Index<Id<T>> for Table<T> {
    type Output = T;
    fn index(&self, id: Id<T>) -> &T {
        &self.rows[id.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_share_an_id_and_order_is_first_sight() {
        let mut table = Table::default();
        let a = table.intern("a");
        let b = table.intern("b");
        assert_eq!(table.intern("a"), a);
        assert_ne!(a, b);
        assert_eq!(table.since(1), ["b"]);
        assert_eq!(table.since(9), [""; 0]);
    }

    #[test]
    fn rows_that_were_not_looked_for_are_found_once_they_are() {
        let mut table = Table::default();
        let ids = ["a", "b", "a"].map(|row| table.push(row));
        assert_eq!(ids.map(Id::index), [0, 1, 2]);
        assert_eq!((table.find(&"a"), table.find(&"c")), (Some(ids[0]), None));
        let c = table.push("c");
        assert_eq!((table.find(&"c"), table.intern("b")), (Some(c), ids[1]));
        assert_eq!(table.append(vec!["d", "b"]), Err(ids[1]));
        assert_eq!((table.intern("d").index(), table.len()), (4, 5));
    }

    #[test]
    fn a_refused_append_leaves_the_table_as_it_was() {
        let mut table = Table::default();
        let a = table.intern("a");
        assert_eq!(table.append(vec!["b", "a"]), Err(a));
        assert_eq!(table.append(vec!["b", "c", "b"]), Err(Id::new(3)));
        assert_eq!((table.len(), table.find(&"b")), (1, None));
        assert_eq!(table.append(vec!["b"]), Ok(()));
        assert_eq!(table[Id::new(1)], "b");
    }
}
