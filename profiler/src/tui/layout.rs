//! Where everything is on the screen.

use ratatui::layout::{Rect, Size};

use super::app::Tab;

/// Where everything is. What does not fit has no height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) header: Rect,
    /// Where in a recording the picture is.
    pub(super) position: Rect,
    pub(super) tabs: Rect,
    /// The table with its heading.
    pub(super) body: Rect,
    /// The sum of the table, of the tab that has one.
    pub(super) total: Rect,
    /// The stacks of the row under the cursor, the slowest calls, or the lock under the cursor; with a heading.
    pub(super) lower: Rect,
    pub(super) footer: Rect,
}

impl Layout {
    /// For a terminal of this size, and what `tab` shows; of a recording or not, and with most room for what is below the
    /// table if that is `open`.
    pub(super) fn of(size: Size, tab: Tab, recorded: bool, open: bool) -> Self {
        let (header, tabs, footer) = match size.height {
            0..3 => (0, 0, 0),
            3..6 => (0, 0, 1),
            6..12 => (1, 1, 1),
            12.. => (3, 1, 1),
        };
        let position = u16::from(recorded && size.height >= 12);
        let rest = size.height - header - position - tabs - footer;
        let lower = match tab {
            Tab::Functions | Tab::Processes if rest >= 24 => rest * 2 / 5,
            Tab::Locks if open && rest >= 10 => rest - 4,
            Tab::Locks if rest >= 10 => rest * 11 / 20,
            Tab::Calls if rest >= 10 => rest * 9 / 20,
            _ => 0,
        };
        let total = u16::from(tab == Tab::Time && rest >= 5);
        let mut top = 0;
        let mut next = |height| {
            let area = Rect::new(0, top, size.width, height);
            top += height;
            area
        };
        Self {
            header: next(header),
            position: next(position),
            tabs: next(tabs),
            body: next(rest - lower - total),
            total: next(total),
            lower: next(lower),
            footer: next(footer),
        }
    }

    /// How many rows the table has room for. Very low screens have no heading.
    pub(super) fn rows(&self) -> usize {
        usize::from(self.body.height) - usize::from(self.has_heading())
    }

    /// Whether the table has a heading.
    pub(super) fn has_heading(&self) -> bool {
        self.body.height >= 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_screen_is_used_once() {
        for height in 0..100 {
            for (tab, is) in Tab::ALL.into_iter().flat_map(|tab| [(tab, false), (tab, true)]) {
                let layout = Layout::of(Size::new(80, height), tab, is, is);
                let areas = [
                    layout.header,
                    layout.position,
                    layout.tabs,
                    layout.body,
                    layout.total,
                    layout.lower,
                    layout.footer,
                ];
                assert_eq!(areas.iter().map(|area| area.height).sum::<u16>(), height);
                assert!(height == 0 || layout.rows() > 0, "{height}");
            }
        }
    }
}
