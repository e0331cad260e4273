//! What is shown and how: the state of the dashboard, which knows no widgets.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use ratatui::layout::Size;

use super::{
    Feed,
    annotation::{Annotation, ReadCode},
    answers::{Answers, Row, Sort},
    branches::{BranchRow, Branches},
    changes::Mark,
    chosen::Chosen,
    decay,
    detail::Detail,
    exporting::Export,
    flame::Flame,
    glance::Placed,
    heat::Pointer,
    history::{History, Window},
    keys::{Action, Keymap, Mode},
    layout::Layout,
    list::List,
    matching::Text,
    naming::Naming,
    opening::Opened,
    replay::{self, Recording, Replay},
    sorting::Orders,
    source::Source,
    subject::Lent,
    theme::Colours,
    told::Told,
};
use crate::query::{GroupBy, Sampled, clean};

/// How the dashboard begins.
#[derive(Clone, Debug)]
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
    /// Why waits for locks are not recorded, if they are not.
    pub no_locks: Option<Missing>,
    /// Whether stacks of waits are taken.
    pub off_cpu: bool,
    /// Whether it begins with the overview, or with functions.
    pub overview: bool,
    /// Which colours there are; `None`: as the terminal says.
    pub colours: Option<Colours>,
    /// How to write what is shown to a file, if that can be done.
    pub export: Option<Export>,
    /// How to read the code of a function, if that can be done.
    pub code: Option<ReadCode>,
    /// Which keys mean what.
    pub keys: Keymap,
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
            no_locks: None,
            off_cpu: false,
            overview: false,
            colours: None,
            export: None,
            code: None,
            keys: Keymap::default(),
        }
    }
}

/// How much of what happens now is on the map of time at most.
const MAPPED: Duration = Duration::from_secs(300);

/// How many screens there are.
pub(super) const TABS: usize = 8;

/// One of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    /// The host at a glance.
    Overview,
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
    /// Locks that threads waited for.
    Locks,
}

impl Tab {
    /// Every tab, in the order in which they stand.
    pub(super) const ALL: [Self; TABS] = [
        Self::Overview,
        Self::Functions,
        Self::Processes,
        Self::Stacks,
        Self::Time,
        Self::Calls,
        Self::Heat,
        Self::Locks,
    ];

    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// So many tabs on; after the last comes the first.
    pub(super) fn next(self, steps: usize) -> Self {
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
    pub(super) keys: Keymap,
    /// What `w` goes through.
    pub(super) orders: Orders,
    pub(super) windows: Vec<Window>,
    pub(super) window: usize,
    pub(super) tab: Tab,
    pub(super) sort: Sort,
    pub(super) kernel: bool,
    pub(super) inverted: bool,
    /// Whether calls of a function by itself are one.
    pub(super) one_call: bool,
    /// What samples are counted.
    pub(super) sampled: Sampled,
    /// Whether that is for stacks only, since one came from a table that counts something else.
    pub(super) lent: Option<Lent>,
    /// What is told one by one, as samples, if that is counted.
    pub(super) told: Option<Told>,
    pub(super) shape: Shape,
    pub(super) flame: Flame,
    /// Whether calls are shown that wait for events, a time or a person.
    pub(super) idle: bool,
    /// Whether the calls under the cursor have a histogram in the place of the slowest calls.
    pub(super) histogram: bool,
    /// Whether the lock under the cursor has most of the screen.
    pub(super) lock_open: bool,
    pub(super) no_states: Option<Missing>,
    pub(super) no_calls: Option<Missing>,
    pub(super) no_locks: Option<Missing>,
    /// Whether stacks of waits are taken.
    pub(super) off_cpu: bool,
    /// What is looked for, in every tab.
    pub(super) filter: Text,
    pub(super) typing: bool,
    pub(super) export: Option<Export>,
    pub(super) code: Option<ReadCode>,
    /// Where in a function the samples were, over the rest.
    pub(super) annotation: Option<Annotation>,
    pub(super) detail: Option<Detail>,
    /// The name of a file, while it is typed.
    pub(super) naming: Option<(Naming, String)>,
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
    /// What functions are compared with.
    pub(super) mark: Option<Mark>,
    /// The stretch of time that was chosen: every view shows just that.
    pub(super) range: Option<Range<u64>>,
    /// Where one is on the map of time.
    pub(super) pointer: Pointer,
    /// By what rows of processes are put together.
    pub(super) by: GroupBy,
    /// When the cursor moved, while it is on its way: what belongs to its row waits until it rests.
    pub(super) moved: Option<Instant>,
    /// What is said until the next key.
    pub(super) message: Option<String>,
    pub(super) size: Size,
    pub(super) answers: Answers,
    pub(super) function_rows: Vec<Row>,
    pub(super) process_rows: Vec<Row>,
    pub(super) branch_rows: Vec<BranchRow>,
    pub(super) time_rows: Vec<Row>,
    pub(super) call_rows: Vec<Row>,
    /// How long all calls took that the table would show without a filter and that are not idle, in nanoseconds.
    pub(super) calls_ns: u64,
    /// Those of the slow calls that pass the filter, by their places in the answer.
    pub(super) slow_rows: Vec<usize>,
    pub(super) lock_rows: Vec<Row>,
    /// What the cursor of the overview goes through.
    pub(super) overview_rows: Vec<Placed>,
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
            Window::Decaying(Duration::from_secs(10)),
            Window::Start,
        ];
        let window = windows.iter().position(|&window| window == options.window);
        let window = window.unwrap_or_else(|| {
            windows.insert(0, options.window);
            0
        });
        let longest = windows.iter().map(|window| match window {
            Window::Last(time) => *time,
            Window::Decaying(half) => *half * decay::HALVINGS,
            Window::Start => Duration::ZERO,
        });
        Self {
            keys: options.keys,
            source: Source::Live(Box::new(History::new(
                longest.max().unwrap_or_default().max(MAPPED),
            ))),
            orders: Orders::default(),
            windows,
            window,
            tab: if options.overview {
                Tab::Overview
            } else {
                Tab::Functions
            },
            sort: options.sort,
            kernel: true,
            inverted: false,
            one_call: false,
            sampled: Sampled::Cpu,
            lent: None,
            told: None,
            shape: Shape::default(),
            flame: Flame::default(),
            idle: false,
            histogram: false,
            lock_open: false,
            no_states: options.no_states,
            no_calls: options.no_calls,
            no_locks: options.no_locks,
            off_cpu: options.off_cpu,
            filter: Text::default(),
            typing: false,
            export: options.export,
            code: options.code,
            annotation: None,
            detail: None,
            naming: None,
            help: None,
            notes: false,
            paused: false,
            ended: None,
            quit: false,
            news: false,
            opened: Vec::new(),
            chosen: Chosen::default(),
            mark: None,
            range: None,
            pointer: Pointer::default(),
            by: GroupBy::Process,
            moved: None,
            message: None,
            size: Size::default(),
            answers: Answers::default(),
            function_rows: Vec::new(),
            process_rows: Vec::new(),
            branch_rows: Vec::new(),
            time_rows: Vec::new(),
            call_rows: Vec::new(),
            calls_ns: 0,
            slow_rows: Vec::new(),
            lock_rows: Vec::new(),
            overview_rows: Vec::new(),
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
            no_locks: missing(recording.profile.lock_waits.is_empty()),
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
                Ok(failure) => {
                    self.news = true;
                    if let Some(failure) = failure {
                        self.say(&clean(&failure));
                    }
                }
                Err(error) => self.end(format!("what was collected {error}; please report this")),
            },
            Feed::Restart => {
                self.source.restart();
                // Locations and names have other numbers now; answers hold none of them.
            }
            Feed::Ended(why) => self.end(why),
        }
    }

    /// Nothing will come in any more.
    fn end(&mut self, why: String) {
        self.ended = Some(why);
        if let Some(said) = self.finish_recording() {
            self.say(&said);
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

    /// Whether the cursor has begun to rest, after it has not moved for so long: there is something to draw then.
    pub(super) fn rests(&mut self, pause: Duration) -> bool {
        let rests = self.moved.is_some_and(|moved| moved.elapsed() >= pause);
        if rests {
            self.moved = None;
        }
        rests
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

    /// Whether a filter is applied in this tab.
    pub(super) fn heeds_filter(&self) -> bool {
        !matches!(self.tab, Tab::Overview | Tab::Heat)
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
        self.sampled.is_waits()
    }

    /// Whether the tab has no row to show.
    pub(super) fn is_empty(&self) -> bool {
        match self.tab {
            Tab::Overview => self.answers.overview.is_none(),
            Tab::Heat => self.answers.heat.is_none(),
            Tab::Stacks if self.is_flame() => self.flame.rows().is_empty(),
            _ => self.shown_list().len() == 0,
        }
    }

    /// Whether there are locks, none of which is shown: all were waited for idly.
    pub(super) fn hides_locks(&self) -> bool {
        let locks = self.answers.locks.as_ref();
        !self.idle && locks.is_some_and(|locks| !locks.rows.is_empty())
    }

    /// Why what this tab shows is not measured, if it is not.
    pub(super) fn missing(&self) -> Option<Missing> {
        match self.tab {
            Tab::Overview | Tab::Functions | Tab::Processes | Tab::Stacks | Tab::Heat => None,
            Tab::Time => self.no_states,
            Tab::Calls => self.no_calls,
            Tab::Locks => self.no_locks,
        }
    }

    pub(super) fn layout(&self) -> Layout {
        Layout::of(
            self.size,
            self.tab,
            self.source.replay().is_some(),
            self.lock_open,
        )
    }

    /// The key for an action now, as it is shown.
    pub(super) fn key(&self, action: Action) -> String {
        self.keys.shown(action, self.mode())
    }

    /// What keys mean now.
    pub(super) fn mode(&self) -> Mode {
        match self.source.replay() {
            _ if self.typing || self.naming.is_some() => Mode::Typing,
            Some(_) => Mode::Replaying,
            None => Mode::Browsing,
        }
    }
}

impl App {
    pub(super) fn list(&mut self) -> &mut List<u64> {
        &mut self.lists[self.tab.index()]
    }

    /// Shows the window, or the range, as it is known now.
    pub(super) fn show(&mut self) {
        match &self.range {
            Some(range) => self.source.show_from(range.start),
            None => self.source.show(self.window()),
        }
        if self.source.replay().is_none() {
            self.told = None;
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

    pub(super) fn go(&mut self, tab: Tab) {
        self.follow(tab);
        self.tab = tab;
        self.typing = false;
        self.rows_known = false;
    }

    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Text)) {
        edit(&mut self.filter);
        self.rows_known = false;
    }
}
