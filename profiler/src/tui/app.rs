//! What is shown and how: the state of the dashboard, which knows no widgets.

use std::{ops::Range, time::Duration};

use ratatui::layout::Size;

use super::{
    Feed,
    answers::{Answers, Row, Sort},
    branches::{BranchRow, Branches},
    chosen::Chosen,
    flame::{Flame, Way},
    heat::Pointer,
    history::{History, Window},
    keys::{Action, Mode},
    layout::Layout,
    list::List,
    matching::Text,
    opening::Opened,
    replay::{self, Recording, Replay},
    source::Source,
    weights,
};
use crate::query::{GroupBy, Sampled};

/// How the dashboard begins.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Over which time it looks at first.
    pub window: Window,
    /// How often the picture is renewed; more seldom where that would cost more than 2 % of a CPU.
    pub refresh: Duration,
    /// By what functions are sorted at first.
    pub sort: Sort,
    /// Why the states of threads are not measured, if they are not.
    pub no_states: Option<Missing>,
    /// Why system calls are not measured, if they are not.
    pub no_calls: Option<Missing>,
    /// Whether stacks of waits are taken.
    pub off_cpu: bool,
}

/// Why something is not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Filters by cgroup and by name can be asked of running threads only.
    Filter,
    /// Nobody asked for it.
    Flag,
    /// The recording has none of it.
    NotRecorded,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window: Window::default(),
            refresh: Duration::from_secs(1),
            sort: Sort::default(),
            no_states: None,
            no_calls: None,
            off_cpu: false,
        }
    }
}

/// How much of what happens now is on the map of time at most.
const MAPPED: Duration = Duration::from_secs(300);

/// How many screens there are.
pub(super) const TABS: usize = 6;

/// One of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    /// The hottest functions.
    Functions,
    /// The hottest processes.
    Processes,
    /// The tree of call stacks.
    Stacks,
    /// How threads spent their time.
    Time,
    /// System calls.
    Calls,
    /// A map of time.
    Heat,
}

impl Tab {
    /// Every tab, in the order in which they stand.
    pub(super) const ALL: [Self; TABS] = [
        Self::Functions,
        Self::Processes,
        Self::Stacks,
        Self::Time,
        Self::Calls,
        Self::Heat,
    ];

    pub(super) fn index(self) -> usize {
        self as usize
    }

    fn next(self, steps: usize) -> Self {
        Self::ALL[(self.index() + steps) % Self::ALL.len()]
    }
}

/// How stacks are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// As a tree of rows that open.
    #[default]
    Tree,
    /// As a flame graph.
    Flame,
}

/// What is shown and how.
#[derive(Debug)]
pub(super) struct App {
    pub(super) source: Source,
    /// What `w` goes through.
    pub(super) windows: Vec<Window>,
    pub(super) window: usize,
    pub(super) tab: Tab,
    pub(super) sort: Sort,
    pub(super) kernel: bool,
    pub(super) inverted: bool,
    /// What samples are counted.
    pub(super) sampled: Sampled,
    pub(super) shape: Shape,
    pub(super) flame: Flame,
    /// Whether calls are shown that wait for events, a time or a person.
    pub(super) idle: bool,
    pub(super) no_states: Option<Missing>,
    pub(super) no_calls: Option<Missing>,
    /// Whether stacks of waits are taken.
    pub(super) off_cpu: bool,
    pub(super) filters: [Text; TABS],
    pub(super) typing: bool,
    pub(super) help: Option<usize>,
    /// Whether what is wrong with the recording lies over the rest.
    pub(super) notes: bool,
    pub(super) paused: bool,
    pub(super) ended: Option<String>,
    pub(super) quit: bool,
    /// Whether something came in that is not shown yet.
    pub(super) news: bool,
    pub(super) opened: Vec<Opened>,
    pub(super) chosen: Chosen,
    /// The stretch of time that was chosen: every view shows just that.
    pub(super) range: Option<Range<u64>>,
    /// Where one is on the map of time.
    pub(super) pointer: Pointer,
    /// By what rows of processes are put together.
    pub(super) by: GroupBy,
    /// What is said until the next key.
    pub(super) message: Option<String>,
    pub(super) size: Size,
    pub(super) answers: Answers,
    pub(super) function_rows: Vec<Row>,
    pub(super) process_rows: Vec<Row>,
    pub(super) branch_rows: Vec<BranchRow>,
    pub(super) time_rows: Vec<Row>,
    pub(super) call_rows: Vec<Row>,
    /// Those of the slow calls that pass the filter, by their places in the answer.
    pub(super) slow_rows: Vec<usize>,
    /// Whether the rows are those of the answers, filters and branches.
    pub(super) rows_known: bool,
    pub(super) lists: [List<u64>; TABS],
    pub(super) branches: Branches,
}

impl App {
    /// Nothing known yet.
    pub(super) fn new(options: Options) -> Self {
        let mut windows = vec![
            Window::Last(Duration::from_secs(10)),
            Window::Last(Duration::from_secs(60)),
            Window::Start,
        ];
        let window = windows.iter().position(|&window| window == options.window);
        let window = window.unwrap_or_else(|| {
            windows.insert(0, options.window);
            0
        });
        let longest = windows.iter().map(|window| match window {
            Window::Last(time) => *time,
            Window::Start => Duration::ZERO,
        });
        Self {
            source: Source::Live(Box::new(History::new(
                longest.max().unwrap_or_default().max(MAPPED),
            ))),
            windows,
            window,
            tab: Tab::Functions,
            sort: options.sort,
            kernel: true,
            inverted: false,
            sampled: Sampled::Cpu,
            shape: Shape::default(),
            flame: Flame::default(),
            idle: false,
            no_states: options.no_states,
            no_calls: options.no_calls,
            off_cpu: options.off_cpu,
            filters: Default::default(),
            typing: false,
            help: None,
            notes: false,
            paused: false,
            ended: None,
            quit: false,
            news: false,
            opened: Vec::new(),
            chosen: Chosen::default(),
            range: None,
            pointer: Pointer::default(),
            by: GroupBy::Process,
            message: None,
            size: Size::default(),
            answers: Answers::default(),
            function_rows: Vec::new(),
            process_rows: Vec::new(),
            branch_rows: Vec::new(),
            time_rows: Vec::new(),
            call_rows: Vec::new(),
            slow_rows: Vec::new(),
            rows_known: false,
            lists: Default::default(),
            branches: Branches::default(),
        }
    }

    /// A recording, all of it.
    pub(super) fn replay(recording: Recording, options: Options) -> Self {
        let missing = |empty: bool| empty.then_some(Missing::NotRecorded);
        let options = Options {
            no_states: missing(recording.profile.thread_times.is_empty()),
            no_calls: missing(recording.profile.latencies.is_empty() && recording.profile.slow.is_empty()),
            ..options
        };
        let replay = Replay::new(recording);
        let (windows, window) = replay::windows(replay.end_ns(), options.window);
        let mut app = Self {
            notes: !replay.notes().is_empty(),
            source: Source::Recording(Box::new(replay)),
            windows,
            window,
            ..Self::new(options)
        };
        app.show();
        app
    }

    /// Takes in what the feed says. The picture stays as it is until [`Self::refresh`].
    pub(super) fn absorb(&mut self, feed: Feed) {
        if self.ended.is_some() {
            return;
        }
        match feed {
            Feed::Delta(delta) => match self.source.absorb(*delta) {
                Ok(()) => self.news = true,
                Err(error) => self.ended = Some(format!("what was collected {error}; please report this")),
            },
            Feed::Restart => {
                self.source.restart();
                // Locations and names have other numbers now; answers hold none of them.
            }
            Feed::Ended(why) => self.ended = Some(why),
        }
    }

    /// Brings the picture up to date, unless it is held. Whether there was something to do.
    pub(super) fn refresh(&mut self) -> bool {
        let due = self.news && !self.paused;
        if due {
            self.news = false;
            match self.range {
                // It is over; only the map goes on.
                Some(_) => self.answers.heat = None,
                None => self.show(),
            }
        }
        due
    }

    /// So much time has passed since the last turn. Whether there is something to draw.
    pub(super) fn turn(&mut self, elapsed: Duration) -> bool {
        match self.source.replay_mut() {
            Some(replay) => {
                let moved = replay.advance(elapsed);
                if moved {
                    self.answers = Answers::default();
                }
                moved
            }
            None => self.refresh(),
        }
    }

    /// Does what a key means.
    pub(super) fn update(&mut self, action: Action) {
        self.message = None;
        if self.notes {
            match action {
                Action::Quit => self.quit = true,
                Action::Close | Action::Back | Action::Notes | Action::Open => self.notes = false,
                _ => {}
            }
            return;
        }
        if let Some(help) = &mut self.help {
            match action {
                Action::Quit => self.quit = true,
                Action::Close | Action::Back | Action::Help | Action::Open => self.help = None,
                Action::Move(rows) => *help = help.saturating_add_signed(rows),
                Action::Page(pages) => *help = help.saturating_add_signed(pages * 10),
                Action::First => *help = 0,
                _ => {}
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
            Action::Sort => {
                self.sort = self.sort.other();
                self.rows_known = false;
            }
            Action::Kernel => {
                self.kernel = !self.kernel;
                self.answers = Answers::default();
            }
            Action::Choose => self.choose(),
            Action::ChooseAll => self.choose_all(),
            Action::GroupBy => self.group_by(),
            Action::Weight => self.next_weight(),
            Action::Window if !self.paused => {
                self.range = None;
                self.window = (self.window + 1) % self.windows.len();
                self.show();
            }
            Action::Window | Action::Redraw => {}
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
            Action::Notes => self.notes = self.source.replay().is_some_and(|it| !it.notes().is_empty()),
            Action::Play => self.move_in_time(Replay::play),
            Action::Step(windows) => self.move_in_time(|replay| replay.step(windows)),
            Action::ToBegin => self.move_in_time(Replay::rewind),
            Action::ToEnd => self.move_in_time(Replay::wind),
            Action::Speed(steps) => self.move_in_time(|replay| replay.change_speed(steps)),
            Action::Filter => self.typing = true,
            Action::Accept => self.typing = false,
            Action::Type(c) => self.edit(|filter| filter.push(c)),
            Action::Erase => self.edit(Text::pop),
            Action::EraseAll => self.edit(|filter| *filter = Text::default()),
        }
    }

    /// The terminal has this size now.
    pub(super) fn resize(&mut self, size: Size) {
        if self.size != size {
            self.size = size;
            // A flame graph and a map are as large as the screen.
            self.rows_known = false;
            self.answers.heat = None;
        }
    }
}

/// What views read beside the fields.
impl App {
    pub(super) fn window(&self) -> Window {
        self.windows[self.window]
    }

    pub(super) fn shown_list(&self) -> &List<u64> {
        &self.lists[self.tab.index()]
    }

    pub(super) fn filter(&self) -> &Text {
        &self.filters[self.tab.index()]
    }

    /// Begin and end of what is shown, in nanoseconds since the recording began.
    pub(super) fn shown_ns(&self) -> Range<u64> {
        self.range.clone().unwrap_or_else(|| self.source.shown_ns())
    }

    /// Whether a flame graph is shown.
    pub(super) fn is_flame(&self) -> bool {
        self.tab == Tab::Stacks && self.shape == Shape::Flame
    }

    /// Whether all samples that are shown are waits.
    pub(super) fn is_cold(&self) -> bool {
        self.sampled == Sampled::OffCpu
    }

    /// Whether the tab has no row to show.
    pub(super) fn is_empty(&self) -> bool {
        match self.tab {
            Tab::Heat => self.answers.heat.is_none(),
            Tab::Stacks if self.is_flame() => self.flame.rows().is_empty(),
            _ => self.shown_list().len() == 0,
        }
    }

    /// Why what this tab shows is not measured, if it is not.
    pub(super) fn missing(&self) -> Option<Missing> {
        match self.tab {
            Tab::Functions | Tab::Processes | Tab::Stacks | Tab::Heat => None,
            Tab::Time => self.no_states,
            Tab::Calls => self.no_calls,
        }
    }

    pub(super) fn layout(&self) -> Layout {
        Layout::of(self.size, self.tab, self.source.replay().is_some())
    }

    /// What keys mean now.
    pub(super) fn mode(&self) -> Mode {
        match self.source.replay() {
            _ if self.typing => Mode::Typing,
            Some(_) => Mode::Replaying,
            None => Mode::Browsing,
        }
    }
}

impl App {
    pub(super) fn list(&mut self) -> &mut List<u64> {
        &mut self.lists[self.tab.index()]
    }

    fn show(&mut self) {
        match &self.range {
            Some(range) => self.source.show_from(range.start),
            None => self.source.show(self.window()),
        }
        self.answers = Answers::default();
    }

    /// Says something until the next key.
    pub(super) fn say(&mut self, message: &str) {
        self.message = Some(message.to_owned());
    }

    /// What is selected has changed.
    pub(super) fn ask_anew(&mut self) {
        self.answers = Answers::default();
        self.rows_known = false;
    }

    /// The next way to put processes together.
    fn group_by(&mut self) {
        const WAYS: [GroupBy; 6] = [
            GroupBy::Process,
            GroupBy::Thread,
            GroupBy::Cgroup,
            GroupBy::Unit,
            GroupBy::Container,
            GroupBy::Module,
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

    /// From samples of busy threads to those of waiting ones, to both.
    fn next_weight(&mut self) {
        let next = weights::next(self.sampled);
        if weights::sample_types(self.source.shown(), next).is_none() {
            return self.say(match self.source.replay() {
                Some(_) => "stacks of waits were not recorded: `profiler record --probe cpu,off-cpu` does",
                None if self.off_cpu => "no wait was sampled yet, or taking their stacks was too dear",
                None => "stacks of waits are not taken: `profiler top --off-cpu` does",
            });
        }
        self.sampled = next;
        self.ask_anew();
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

    /// From the table of functions to the tree, to the flame graph, and back.
    fn next_shape(&mut self) {
        match (self.tab, self.shape) {
            (Tab::Stacks, Shape::Tree) => self.shape = Shape::Flame,
            (Tab::Stacks, Shape::Flame) => {
                self.shape = Shape::Tree;
                self.go(Tab::Functions);
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

    pub(super) fn go(&mut self, tab: Tab) {
        self.tab = tab;
        self.typing = false;
        self.rows_known = false;
    }

    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Text)) {
        edit(&mut self.filters[self.tab.index()]);
        self.rows_known = false;
    }
}
