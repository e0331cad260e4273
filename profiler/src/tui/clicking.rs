//! What a click of the mouse means: where it was says so.

use ratatui::layout::Position;

use super::{
    app::{App, Tab},
    view,
};

impl App {
    /// Goes to the tab, row, frame or cell there; a second click opens it.
    pub(super) fn click(&mut self, column: u16, row: u16) {
        let at = Position::new(column, row);
        let layout = self.layout();
        if layout.tabs.contains(at) {
            if let Some(tab) = view::tab_at(self, layout.tabs, column) {
                self.go(tab);
            }
            return;
        }
        let mut body = layout.body;
        let heading = u16::from(layout.has_heading() && self.tab != Tab::Overview);
        body.y += heading;
        body.height -= heading;
        if !body.contains(at) {
            return;
        }
        let line = usize::from(row - body.y);
        match self.tab {
            Tab::Overview => {
                let here = self
                    .overview_rows
                    .iter()
                    .position(|placed| placed.area.contains(at));
                match here {
                    Some(index) if index == self.list().cursor() => self.open(),
                    Some(index) => self.list().move_to(index),
                    None => {}
                }
            }
            Tab::Heat => {
                let cell = self
                    .answers
                    .heat
                    .as_ref()
                    .and_then(|heat| view::cell_at(heat, body, at));
                if let (Some(cell), Some(heat)) = (cell, &self.answers.heat) {
                    let here = self.pointer.cell(heat) == cell;
                    self.pointer.at_ns = Some(heat.time(cell).start);
                    if here {
                        self.open();
                    }
                }
            }
            Tab::Stacks if self.is_flame() => {
                let line = match self.inverted {
                    true => line,
                    false => usize::from(body.height) - 1 - line,
                };
                let before = self.flame.piece();
                let depth = self.flame.offset() + line;
                let Some(forest) = &self.answers.forest else {
                    return;
                };
                if self.flame.go_to(forest, depth, column - body.x) && self.flame.piece() == before {
                    self.open();
                }
            }
            _ => {
                let list = self.list();
                let index = list.offset() + line;
                if index < list.len() && index == list.cursor() {
                    self.open();
                } else if index < list.len() {
                    list.move_to(index);
                }
            }
        }
    }
}
