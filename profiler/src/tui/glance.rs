//! What stands where in the overview, and what of it the cursor goes through: processes, then paths, then calls, then the
//! worst lock, as many of each as there is room for.

use ratatui::layout::Rect;

use super::{
    app::{App, Tab},
    charts::CHARTS,
    keys::Action,
    locks::{Kind, LockRow},
    prepare::{hash, time_key},
};

/// Something that the cursor can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// A row of the times of processes, or of the threads of one.
    Owner(usize),
    /// A node of the call tree.
    Path(u32),
    /// A slow call, by its place in the answer.
    Call(usize),
    /// The lock that threads waited for longest in all, by its place in the answer.
    Lock(usize),
}

/// An item, the name of it that outlives the answer, and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) item: Item,
    pub(super) key: u64,
    pub(super) area: Rect,
}

/// The parts of the overview, each with its title. What does not fit has no height.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blocks {
    pub(super) charts: Rect,
    pub(super) owners: Rect,
    pub(super) paths: Rect,
    pub(super) calls: Rect,
    pub(super) lock: Rect,
}

impl Blocks {
    /// In this area; with a line for a lock, or without.
    pub(super) fn of(area: Rect, lock: bool) -> Self {
        let mut left = area;
        let mut next = |wanted: u16| {
            let height = wanted.min(left.height);
            let block = Rect { height, ..left };
            left.y += height;
            left.height -= height;
            block
        };
        let charts = next(CHARTS as u16 + 1);
        let rest = area.height - charts.height;
        let part = rest / 3;
        // A title and a heading cost the processes more than the paths, which have no heading.
        let more = u16::from(part >= 4);
        let lock = u16::from(lock && part >= 4);
        Self {
            charts,
            owners: next(rest - part * 2 + more),
            paths: next(part - more),
            calls: next(part - lock),
            lock: next(lock),
        }
    }

    /// Whether there is room for the heading of the processes.
    pub(super) fn has_heading(&self) -> bool {
        self.owners.height >= 3
    }
}

impl App {
    pub(super) fn blocks(&self) -> Blocks {
        Blocks::of(self.layout().body, self.worst_lock().is_some())
    }

    /// The lock that threads waited for longest in all, and its place in the answer.
    pub(super) fn worst_lock(&self) -> Option<(usize, &LockRow)> {
        let contended = |(_, row): &(usize, &LockRow)| matches!(row.kind, Kind::Deadlock | Kind::Contention);
        let rows = &self.answers.locks.as_ref()?.rows;
        rows.iter().enumerate().find(contended)
    }

    /// What the cursor goes through, as it stands on the screen.
    pub(super) fn items(&self) -> Vec<Placed> {
        let blocks = self.blocks();
        let Some(overview) = &self.answers.overview else {
            return Vec::new();
        };
        let rows = self.answers.times.as_ref().map_or(&[][..], |it| &it.states.rows);
        let owners = rows
            .iter()
            .enumerate()
            .map(|(index, row)| (Item::Owner(index), time_key(row.pid, row.tid, &row.label)));
        let paths = overview.paths.iter().map(|&node| {
            let path = overview.tree.path(node).map(|node| overview.tree.name(node));
            (Item::Path(node), hash(&path.collect::<Vec<_>>()))
        });
        let slow = self.answers.slow.as_deref().unwrap_or_default();
        let calls = self.slow_rows.iter().map(|&index| {
            (
                Item::Call(index),
                hash(&(slow[index].end_ns, &slow[index].thread)),
            )
        });
        let lock = self.worst_lock().into_iter();
        let lock = lock.map(|(index, row)| (Item::Lock(index), row.key));
        let mut items = Vec::new();
        place(
            &mut items,
            without(blocks.owners, 1 + u16::from(blocks.has_heading())),
            owners,
        );
        place(&mut items, without(blocks.paths, 1), paths);
        place(&mut items, without(blocks.calls, 2), calls);
        place(&mut items, blocks.lock, lock);
        items
    }

    /// Whether a key is worth its place in the footer: in the overview not all that there is does something.
    pub(super) fn offers(&self, action: Action) -> bool {
        let of_functions = matches!(
            action,
            Action::Filter | Action::Sort | Action::GroupBy | Action::Mark | Action::Shape | Action::Invert
        );
        let of_rows = matches!(action, Action::Open | Action::Choose);
        let leads_back = self.part().is_some() || self.range.is_some();
        self.tab != Tab::Overview
            || (!of_functions
                && (!of_rows || !self.overview_rows.is_empty())
                && (action != Action::Back || leads_back))
    }

    /// What is under the cursor of the overview.
    pub(super) fn item(&self) -> Option<Item> {
        let cursor = self.shown_list().cursor();
        self.overview_rows.get(cursor).map(|placed| placed.item)
    }
}

/// One below the other, as long as there is room.
fn place(items: &mut Vec<Placed>, area: Rect, rows: impl Iterator<Item = (Item, u64)>) {
    items.extend((0..area.height).zip(rows).map(|(line, (item, key))| Placed {
        item,
        key,
        area: Rect {
            y: area.y + line,
            height: 1,
            ..area
        },
    }));
}

/// What is below the first lines of a block.
fn without(block: Rect, lines: u16) -> Rect {
    let lines = lines.min(block.height);
    Rect {
        y: block.y + lines,
        height: block.height - lines,
        ..block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fill_any_height_and_a_table_has_its_heading_on_a_small_screen() {
        for height in 0..100 {
            for lock in [false, true] {
                let Blocks {
                    charts,
                    owners,
                    paths,
                    calls,
                    lock,
                } = Blocks::of(Rect::new(0, 5, 80, height), lock);
                let sum: u16 = [charts, owners, paths, calls, lock]
                    .iter()
                    .map(|it| it.height)
                    .sum();
                assert_eq!(sum, height);
            }
        }
        let small = Blocks::of(Rect::new(0, 5, 80, 18), true);
        assert!(small.has_heading(), "{small:?}");
    }
}
