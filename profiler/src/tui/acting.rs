//! What keys do to the state.

use std::{ops::Range, time::Instant};

use super::{
    answers::Answers,
    app::{App, Shape, Tab},
    changes::Mark,
    flame::Way,
    keys::Action,
    matching::Text,
    overlay::{self, Fate},
    replay::Replay,
};
use crate::query::{GroupBy, functions};

impl App {
    /// Does what a key means.
    pub(super) fn update(&mut self, action: Action) {
        self.message = None;
        self.moved = action.moves().then(Instant::now);
        if self.type_name(action) {
            return;
        }
        if self.notes {
            match action {
                Action::Quit => self.quit = true,
                Action::Close | Action::Back | Action::Notes | Action::Open => self.notes = false,
                _ => {}
            }
            return;
        }
        if self.read_annotation(action) || self.read_detail(action) {
            return;
        }
        if let Some(scroll) = &mut self.help {
            match overlay::read(scroll, action, Action::Help) {
                Fate::Quits => self.quit = true,
                Fate::Closes => self.help = None,
                Fate::Stays => {}
            }
            return;
        }
        match action {
            Action::Close | Action::Quit => self.quit = true,
            Action::Help => self.help = Some(0),
            Action::Pause => self.pause(),
            Action::Back => self.back(),
            Action::Move(_)
            | Action::Page(_)
            | Action::First
            | Action::Last
            | Action::Left
            | Action::Right
                if self.tab == Tab::Heat =>
            {
                self.move_on_map(action);
            }
            Action::Move(_) | Action::Page(_) | Action::First | Action::Last if self.is_flame() => {
                self.move_in_flame(action)
            }
            Action::Move(rows) => self.list().move_by(rows),
            Action::Page(pages) => {
                let page = isize::try_from(self.layout().rows()).unwrap_or(1).max(1);
                self.list().move_by(pages * page);
            }
            Action::First => self.list().move_to(0),
            Action::Last => self.list().move_to(usize::MAX),
            Action::Left if self.is_flame() => self.go_in_flame(Way::Aside(-1)),
            Action::Right if self.is_flame() => self.go_in_flame(Way::Aside(1)),
            Action::Left => self.left(),
            Action::Right => self.right(),
            Action::Shape => self.next_shape(),
            Action::Open => self.open(),
            Action::Tab(index) => self.go(Tab::ALL[index % Tab::ALL.len()]),
            Action::NextTab => self.go(self.tab.next(1)),
            Action::PreviousTab => self.go(self.tab.next(Tab::ALL.len() - 1)),
            Action::Sort => self.next_order(),
            Action::Kernel => {
                self.kernel = !self.kernel;
                self.answers = Answers::default();
            }
            Action::Choose => self.choose(),
            Action::ChooseAll => self.choose_all(),
            Action::GroupBy => self.group_by(),
            Action::Click(column, row) => self.click(column, row),
            Action::Annotate => self.annotate(),
            Action::Detail => self.show_detail(),
            Action::Export => self.name_export(),
            Action::Record => self.record(),
            Action::Mark => self.set_mark(),
            Action::Unmark => {
                self.mark = None;
                self.ask_anew();
            }
            Action::Weight => self.next_weight(),
            Action::Window if !self.paused => {
                self.range = None;
                self.window = (self.window + 1) % self.windows.len();
                self.show();
            }
            Action::Window | Action::Redraw | Action::Suspend => {}
            Action::Idle => {
                self.idle = !self.idle;
                self.answers.slow = None;
                self.rows_known = false;
            }
            Action::Invert => {
                self.inverted = !self.inverted;
                self.flame.reset();
                self.answers.forest = None;
                self.list().move_to(0);
            }
            Action::Histogram => {
                self.histogram = !self.histogram || self.tab != Tab::Calls;
                self.go(Tab::Calls);
            }
            Action::Recursion => {
                self.one_call = !self.one_call;
                self.flame.reset();
                self.answers.forest = None;
                self.say(match self.one_call {
                    true => "calls of a function by itself are one",
                    false => "calls of a function by itself are shown each",
                });
            }
            Action::Notes => self.notes = self.source.replay().is_some_and(|it| !it.notes().is_empty()),
            Action::Play => self.move_in_time(Replay::play),
            Action::Step(windows) => self.move_in_time(|replay| replay.step(windows)),
            Action::ToBegin => self.move_in_time(Replay::rewind),
            Action::ToEnd => self.move_in_time(Replay::wind),
            Action::Speed(steps) => self.move_in_time(|replay| replay.change_speed(steps)),
            Action::Filter if matches!(self.tab, Tab::Overview | Tab::Heat) => {
                self.say("there are no names to look for in this view");
            }
            Action::Filter => self.typing = true,
            Action::Find(steps) => self.find(steps),
            Action::Accept => self.accept(),
            Action::Type(c) => self.edit(|filter| filter.push(c)),
            Action::Erase => self.edit(Text::pop),
            Action::EraseAll => self.edit(|filter| *filter = Text::default()),
        }
    }
}

impl App {
    /// The filter stays as it was typed.
    fn accept(&mut self) {
        self.typing = false;
        if self.filter.is_no_pattern() {
            self.say("this is no valid regular expression: it is looked for as plain text");
        }
    }

    /// The next way to put processes together.
    fn group_by(&mut self) {
        const WAYS: [GroupBy; 7] = [
            GroupBy::Process,
            GroupBy::Thread,
            GroupBy::Cgroup,
            GroupBy::Unit,
            GroupBy::Container,
            GroupBy::Module,
            GroupBy::Package,
        ];
        if self.tab != Tab::Processes {
            return self.go(Tab::Processes);
        }
        let place = WAYS.iter().position(|way| *way == self.by).unwrap_or(0);
        self.by = WAYS[(place + 1) % WAYS.len()];
        self.answers.processes = None;
        self.answers.preview = None;
        self.list().move_to(0);
    }

    /// What is shown now is what functions are compared with from now on.
    fn set_mark(&mut self) {
        let selection = self.selection();
        let functions = functions(self.counted(), &selection);
        if functions.total_samples == 0 {
            return self.say("nothing is shown that could be marked");
        }
        self.mark = Some(Mark::new(functions, selection, self.shown_ns()));
        self.ask_anew();
        self.go(Tab::Functions);
        self.list().move_to(0);
        let key = self.key(Action::Unmark);
        self.say(&format!(
            "marked: functions show how their shares change from here on; {key} ends that"
        ));
    }

    /// What functions are compared with: what was marked, if that was of what is selected now.
    pub(super) fn compared(&self) -> Option<&Mark> {
        self.mark.as_ref().filter(|mark| mark.is_of(&self.selection()))
    }

    fn move_on_map(&mut self, action: Action) {
        let Some(heat) = &self.answers.heat else { return };
        let (columns, rows) = match action {
            Action::Left => (-1, 0),
            Action::Right => (1, 0),
            Action::Move(rows) => (0, rows),
            Action::Page(pages) => (pages.saturating_mul(10), 0),
            Action::First => (isize::MIN, 0),
            _ => (isize::MAX, 0),
        };
        self.pointer.go(heat, columns, rows);
    }

    /// Begins a range on the map of time, or ends it: then every view shows just that.
    pub(super) fn mark_on_map(&mut self) {
        let Some(heat) = &self.answers.heat else { return };
        if let Some(range) = self.pointer.mark(heat) {
            self.set_range(Some(range));
        }
    }

    /// Every view shows just this stretch of time, or the latest again.
    pub(super) fn set_range(&mut self, range: Option<Range<u64>>) {
        self.range = range;
        self.show();
        self.rows_known = false;
    }

    fn move_in_flame(&mut self, action: Action) {
        let height = isize::try_from(self.layout().rows()).unwrap_or(1).max(1);
        // Inverted graphs hang from the top.
        let down = if self.inverted { 1 } else { -1 };
        self.go_in_flame(Way::Inward(match action {
            Action::Move(rows) => rows.saturating_mul(down),
            Action::Page(pages) => pages.saturating_mul(height).saturating_mul(down),
            Action::First => isize::MIN,
            _ => isize::MAX,
        }));
    }

    fn go_in_flame(&mut self, way: Way) {
        if let Some(forest) = &self.answers.forest {
            self.flame.go(forest, way);
        }
    }

    /// From a table to the tree of what it counts, to the flame graph, and back.
    fn next_shape(&mut self) {
        match (self.tab, self.shape) {
            (Tab::Stacks, Shape::Tree) => self.shape = Shape::Flame,
            (Tab::Stacks, Shape::Flame) => {
                self.shape = Shape::Tree;
                self.go(self.lent.map_or(Tab::Functions, |lent| lent.from));
            }
            _ => self.go(Tab::Stacks),
        }
        self.rows_known = false;
    }

    fn move_in_time(&mut self, change: impl FnOnce(&mut Replay)) {
        if let Some(replay) = self.source.replay_mut() {
            let before = replay.time();
            change(replay);
            if replay.time() != before {
                self.range = None;
                self.answers = Answers::default();
            }
        }
    }

    fn pause(&mut self) {
        self.paused = !self.paused;
        // Going on shows at once what came in meanwhile.
        self.refresh();
    }
}
