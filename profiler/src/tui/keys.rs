//! One table: which key means what. Help and footer are read off it.

use std::fmt;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// By how many rows the wheel moves.
const WHEEL: isize = 3;

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Close what lies on top; if nothing does, end.
    Close,
    /// End.
    Quit,
    /// Hold the picture, or let it go on. Collecting goes on.
    Pause,
    /// Begin to type a filter.
    Filter,
    /// To the next place where the filter matches, or so many on or back.
    Find(isize),
    /// Open or close the help.
    Help,
    /// One step back: from a filter, from what was opened.
    Back,
    /// Move the cursor by so many rows.
    Move(isize),
    /// Move the cursor by so many pages.
    Page(isize),
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// Close the branch, or go to its parent.
    Left,
    /// Open the branch, or go to its first child.
    Right,
    /// Open what is under the cursor.
    Open,
    /// To another tab, counted from 0.
    Tab(usize),
    /// To the tab after this.
    NextTab,
    /// To the tab before this.
    PreviousTab,
    /// Sort by self or by total.
    Sort,
    /// Hide or show kernel code.
    Kernel,
    /// Look over another stretch of time.
    Window,
    /// Show only what is under the cursor, in every view.
    Choose,
    /// Show everything again.
    ChooseAll,
    /// Put processes together in another way.
    GroupBy,
    /// Count busy threads, waiting ones, or both.
    Weight,
    /// Compare functions with what is shown now.
    Mark,
    /// Do not compare any more.
    Unmark,
    /// Write what is shown to a file.
    Export,
    /// What is at this column and row.
    Click(u16, u16),
    /// Turn the tree around.
    Invert,
    /// How long the calls under the cursor took, or the slowest calls.
    Histogram,
    /// Show calls of a function by itself as one, or each.
    Recursion,
    /// Show functions as a table, as a tree, as a flame graph.
    Shape,
    /// Show calls that wait for events, or hide them.
    Idle,
    /// Add to the filter.
    Type(char),
    /// Take back the last character of the filter.
    Erase,
    /// Take back the whole filter.
    EraseAll,
    /// Keep the filter as it is.
    Accept,
    /// Draw everything anew.
    Redraw,
    /// Show what is wrong with the recording.
    Notes,
    /// Play the recording, or stop.
    Play,
    /// So many windows forth in the recording.
    Step(isize),
    /// To the begin of the recording.
    ToBegin,
    /// To the end of the recording.
    ToEnd,
    /// Play so many steps faster.
    Speed(isize),
}

impl Action {
    /// Whether it only moves the cursor, and may be one of many that come in a row.
    pub(super) fn moves(self) -> bool {
        matches!(
            self,
            Self::Move(_) | Self::Page(_) | Self::First | Self::Last | Self::Find(_)
        )
    }
}

/// What keys mean depends on what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Looking at what happens now.
    Browsing,
    /// Looking at a recording.
    Replaying,
    /// Typing a filter.
    Typing,
}

impl Mode {
    /// What keys mean; the first table that has a key says so.
    fn tables(self) -> &'static [&'static [Binding]] {
        match self {
            Self::Browsing => &[BROWSING],
            Self::Replaying => &[REPLAYING, BROWSING],
            Self::Typing => &[TYPING],
        }
    }

    /// Every key that means something, and what.
    pub(super) fn bindings(self) -> impl Iterator<Item = &'static Binding> {
        let tables = self.tables();
        let first = move |binding: &&Binding| {
            let key = &binding.keys[0];
            let table = tables
                .iter()
                .find_map(|table| table.iter().find(|it| it.keys.contains(key)));
            table.is_some_and(|it| std::ptr::eq(it, *binding))
        };
        tables.iter().copied().flatten().filter(first)
    }
}

/// One key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(KeyCode, KeyModifiers);

/// Keys that mean the same, and what.
#[derive(Debug)]
pub(super) struct Binding {
    /// The keys; the first is the one that is shown where there is room for one.
    pub(super) keys: &'static [Key],
    /// What they mean.
    pub(super) action: Action,
    /// What they do, in a word or two, for the footer; empty: not shown there.
    pub(super) short: &'static str,
    /// What they do, for the help.
    pub(super) long: &'static str,
}

/// While looking at a recording, beside those of [`BROWSING`].
const REPLAYING: &[Binding] = &[
    bind(
        &[char(' '), char('p')],
        Action::Play,
        "play",
        "play the recording, or stop; from the begin if it is at its end",
    ),
    bind(
        &[char(','), char('[')],
        Action::Step(-1),
        "back a window",
        "one window back in the recording",
    ),
    bind(
        &[char('.'), char(']')],
        Action::Step(1),
        "forth",
        "one window forth in the recording",
    ),
    bind(&[char('{')], Action::ToBegin, "", "to the begin of the recording"),
    bind(&[char('}')], Action::ToEnd, "", "to the end of the recording"),
    bind(&[char('<')], Action::Speed(-1), "", "play slower"),
    bind(&[char('>')], Action::Speed(1), "", "play faster"),
    bind(
        &[char('!')],
        Action::Notes,
        "",
        "what is wrong with the recording",
    ),
    bind(
        &[char('w')],
        Action::Window,
        "window",
        "another length of the window; the whole recording",
    ),
];

/// While looking.
const BROWSING: &[Binding] = &[
    bind(&[char('q')], Action::Close, "quit", "quit; close this help"),
    bind(
        &[char('?'), key(KeyCode::F(1))],
        Action::Help,
        "help",
        "this help",
    ),
    bind(
        &[char('/')],
        Action::Filter,
        "filter",
        "show what matches only: a regular expression, or text",
    ),
    bind(
        &[char('n')],
        Action::Find(1),
        "",
        "to the next row or frame where the filter matches",
    ),
    bind(&[char('N')], Action::Find(-1), "", "to the one before"),
    bind(
        &[char('p'), char(' ')],
        Action::Pause,
        "pause",
        "hold the picture; collecting goes on",
    ),
    bind(
        &[key(KeyCode::Enter)],
        Action::Open,
        "open",
        "open what is under the cursor; zoom into the frame",
    ),
    bind(
        &[key(KeyCode::Esc), key(KeyCode::Backspace)],
        Action::Back,
        "back",
        "one step back; drop the filter; zoom out; show all time again",
    ),
    bind(&[key(KeyCode::Tab)], Action::NextTab, "next tab", "next tab"),
    bind(&[key(KeyCode::BackTab)], Action::PreviousTab, "", "previous tab"),
    bind(&[char('0')], Action::Tab(0), "", "the host at a glance"),
    bind(&[char('1')], Action::Tab(1), "", "the hottest functions"),
    bind(&[char('2')], Action::Tab(2), "", "the hottest processes"),
    bind(&[char('3')], Action::Tab(3), "", "the tree of call stacks"),
    bind(&[char('4')], Action::Tab(4), "", "how threads spent their time"),
    bind(&[char('5')], Action::Tab(5), "", "system calls, and the slowest"),
    bind(
        &[char('6')],
        Action::Tab(6),
        "",
        "a map of the last minutes; Enter twice chooses a range",
    ),
    bind(
        &[char('7')],
        Action::Tab(7),
        "",
        "locks: who waits for each, and who holds it",
    ),
    bind(
        &[char('s')],
        Action::Sort,
        "sort",
        "sort by self or by total time",
    ),
    bind(
        &[char('w')],
        Action::Window,
        "window",
        "last 10 s, last 60 s, since start",
    ),
    bind(
        &[char('K')],
        Action::Kernel,
        "kernel",
        "hide kernel frames, or show them",
    ),
    bind(
        &[char('f')],
        Action::Choose,
        "only this",
        "show only what is under the cursor, in every view",
    ),
    bind(&[char('F')], Action::ChooseAll, "", "show everything again"),
    bind(
        &[char('b')],
        Action::GroupBy,
        "by",
        "processes, threads, cgroups, units, containers, modules",
    ),
    bind(
        &[char('e')],
        Action::Export,
        "export",
        "write what is shown to a file: .svg .folded .pb.gz",
    ),
    bind(
        &[char('m')],
        Action::Mark,
        "mark",
        "mark what is shown: functions then show how their shares change",
    ),
    bind(
        &[char('M')],
        Action::Unmark,
        "",
        "do not compare with the mark any more",
    ),
    bind(
        &[char('t')],
        Action::Weight,
        "time",
        "time on a CPU, waiting (with --off-cpu), by the clock on the wall",
    ),
    bind(
        &[char('v')],
        Action::Shape,
        "view",
        "functions as a table, as a tree, as a flame graph",
    ),
    bind(
        &[char('i')],
        Action::Invert,
        "invert",
        "turn the tree around: callers or callees first",
    ),
    bind(
        &[char('c')],
        Action::Recursion,
        "",
        "calls of a function by itself as one, in tree and flame graph; or each",
    ),
    bind(
        &[char('d')],
        Action::Histogram,
        "",
        "how long the calls under the cursor took, or the slowest calls",
    ),
    bind(
        &[char('I')],
        Action::Idle,
        "idle",
        "show calls and locks that wait for something to do, or hide them",
    ),
    bind(&[key(KeyCode::Up), char('k')], Action::Move(-1), "", "one row up"),
    bind(
        &[key(KeyCode::Down), char('j')],
        Action::Move(1),
        "",
        "one row down",
    ),
    bind(
        &[key(KeyCode::Left), char('h')],
        Action::Left,
        "",
        "close the branch, or go to its parent",
    ),
    bind(
        &[key(KeyCode::Right), char('l')],
        Action::Right,
        "",
        "open the branch, or go to its first child",
    ),
    bind(
        &[key(KeyCode::PageUp), control('b')],
        Action::Page(-1),
        "",
        "one page up",
    ),
    bind(
        &[key(KeyCode::PageDown), control('f')],
        Action::Page(1),
        "",
        "one page down",
    ),
    bind(
        &[char('g'), key(KeyCode::Home)],
        Action::First,
        "",
        "the first row",
    ),
    bind(&[char('G'), key(KeyCode::End)], Action::Last, "", "the last row"),
    bind(&[control('l')], Action::Redraw, "", "draw the screen anew"),
    bind(&[control('c')], Action::Quit, "", "quit at once"),
];

/// While typing a filter. Every other character adds to it.
const TYPING: &[Binding] = &[
    bind(&[key(KeyCode::Enter)], Action::Accept, "keep", "keep the filter"),
    bind(&[key(KeyCode::Esc)], Action::Back, "drop", "drop the filter"),
    bind(
        &[key(KeyCode::Backspace), control('h')],
        Action::Erase,
        "erase",
        "take back a character",
    ),
    bind(
        &[control('u')],
        Action::EraseAll,
        "erase all",
        "take back the whole filter",
    ),
    bind(&[key(KeyCode::Up)], Action::Move(-1), "", "one row up"),
    bind(&[key(KeyCode::Down)], Action::Move(1), "", "one row down"),
    bind(&[control('c')], Action::Quit, "", "quit at once"),
];

/// What an event means, if it means anything.
pub(super) fn action(event: &Event, mode: Mode) -> Option<Action> {
    if let Event::Mouse(mouse) = event {
        return clicked(mouse);
    }
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press | KeyEventKind::Repeat,
        ..
    }) = *event
    else {
        return None;
    };
    // Shift is in the character itself, and some terminals report it beside.
    let pressed = Key(code, modifiers.difference(KeyModifiers::SHIFT));
    let mut bindings = mode.tables().iter().copied().flatten();
    let bound = bindings.find(|binding| binding.keys.contains(&pressed));
    match (bound, pressed) {
        (Some(binding), _) => Some(binding.action),
        (None, Key(KeyCode::Char(c), KeyModifiers::NONE)) if mode == Mode::Typing => Some(Action::Type(c)),
        _ => None,
    }
}

/// What the mouse means.
fn clicked(mouse: &MouseEvent) -> Option<Action> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Action::Click(mouse.column, mouse.row)),
        MouseEventKind::ScrollUp => Some(Action::Move(-WHEEL)),
        MouseEventKind::ScrollDown => Some(Action::Move(WHEEL)),
        _ => None,
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl-")?;
        }
        match self.0 {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::F(n) => write!(f, "F{n}"),
            other => write!(f, "{other:?}"),
        }
    }
}

const fn bind(keys: &'static [Key], action: Action, short: &'static str, long: &'static str) -> Binding {
    Binding {
        keys,
        action,
        short,
        long,
    }
}

const fn char(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::NONE)
}

const fn control(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn key(code: KeyCode) -> Key {
    Key(code, KeyModifiers::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn no_key_means_two_things() {
        for table in [BROWSING, REPLAYING, TYPING] {
            let keys: Vec<_> = table.iter().flat_map(|binding| binding.keys).collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{key} is bound twice");
            }
        }
    }

    #[test]
    fn capitals_arrive_with_or_without_shift() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let event = press(KeyCode::Char('K'), modifiers);
            assert_eq!(action(&event, Mode::Browsing), Some(Action::Kernel));
        }
        assert_eq!(
            action(&press(KeyCode::BackTab, KeyModifiers::SHIFT), Mode::Browsing),
            Some(Action::PreviousTab)
        );
    }

    #[test]
    fn letters_are_text_while_typing_and_control_c_still_quits() {
        let q = press(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(action(&q, Mode::Typing), Some(Action::Type('q')));
        assert_eq!(action(&q, Mode::Browsing), Some(Action::Close));
        let c = press(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(action(&c, Mode::Typing), Some(Action::Quit));
        assert_eq!(
            action(&press(KeyCode::Char('x'), KeyModifiers::ALT), Mode::Typing),
            None
        );
    }

    #[test]
    fn a_key_that_is_let_go_means_nothing() {
        let mut event = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert_eq!(action(&Event::Key(event), Mode::Browsing), None);
    }
}
