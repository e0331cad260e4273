//! One table: which key means what. Help, footer and settings are read off it.

use crossterm::event::KeyCode;

use super::{
    action::Action,
    key::{Key, char, control, key},
};

/// Keys that mean the same, and what. A new one is a line here; help, footer and settings are read off it.
#[derive(Debug)]
pub(in crate::tui) struct Binding {
    /// What the action is called in a settings file.
    pub(in crate::tui) name: &'static str,
    /// The keys; the first is the one that is shown where there is room for one.
    pub(in crate::tui) keys: &'static [Key],
    /// What they mean.
    pub(in crate::tui) action: Action,
    /// What they do, in a word or two, for the footer; empty: not shown there.
    pub(in crate::tui) short: &'static str,
    /// What they do, for the help.
    pub(in crate::tui) long: &'static str,
}

/// While looking at a recording, beside those of [`BROWSING`].
pub(super) const REPLAYING: &[Binding] = &[
    bind(
        "play",
        &[char(' '), char('p')],
        Action::Play,
        "play",
        "play the recording, or stop; from the begin if it is at its end",
    ),
    bind(
        "step-back",
        &[char(','), char('[')],
        Action::Step(-1),
        "back a window",
        "one window back in the recording",
    ),
    bind(
        "step-forth",
        &[char('.'), char(']')],
        Action::Step(1),
        "forth",
        "one window forth in the recording",
    ),
    bind(
        "to-begin",
        &[char('{')],
        Action::ToBegin,
        "",
        "to the begin of the recording",
    ),
    bind(
        "to-end",
        &[char('}')],
        Action::ToEnd,
        "",
        "to the end of the recording",
    ),
    bind("slower", &[char('<')], Action::Speed(-1), "", "play slower"),
    bind("faster", &[char('>')], Action::Speed(1), "", "play faster"),
    bind(
        "remarks",
        &[char('!')],
        Action::Notes,
        "",
        "what is wrong with the recording",
    ),
    bind(
        "recording-window",
        &[char('w')],
        Action::Window,
        "window",
        "another length of the window; the whole recording",
    ),
];

/// While looking.
pub(super) const BROWSING: &[Binding] = &[
    bind(
        "quit",
        &[char('q')],
        Action::Close,
        "quit",
        "quit; close this help",
    ),
    bind(
        "help",
        &[char('?'), key(KeyCode::F(1))],
        Action::Help,
        "help",
        "this help",
    ),
    bind(
        "filter",
        &[char('/')],
        Action::Filter,
        "filter",
        "show what matches only: a regular expression, or text",
    ),
    bind(
        "find-next",
        &[char('n')],
        Action::Find(1),
        "",
        "to the next row or frame where the filter matches",
    ),
    bind(
        "find-previous",
        &[char('N')],
        Action::Find(-1),
        "",
        "to the one before",
    ),
    bind(
        "pause",
        &[char('p'), char(' ')],
        Action::Pause,
        "pause",
        "hold the picture; collecting goes on",
    ),
    bind(
        "open",
        &[key(KeyCode::Enter)],
        Action::Open,
        "open",
        "open what is under the cursor; zoom into the frame",
    ),
    bind(
        "back",
        &[key(KeyCode::Esc), key(KeyCode::Backspace)],
        Action::Back,
        "back",
        "one step back; drop the filter; zoom out; show all time again",
    ),
    bind(
        "next-tab",
        &[key(KeyCode::Tab)],
        Action::NextTab,
        "next tab",
        "next tab",
    ),
    bind(
        "previous-tab",
        &[key(KeyCode::BackTab)],
        Action::PreviousTab,
        "",
        "previous tab",
    ),
    bind(
        "overview",
        &[char('0')],
        Action::Tab(0),
        "",
        "the host at a glance",
    ),
    bind(
        "functions",
        &[char('1')],
        Action::Tab(1),
        "",
        "the hottest functions",
    ),
    bind(
        "processes",
        &[char('2')],
        Action::Tab(2),
        "",
        "the hottest processes",
    ),
    bind(
        "stacks",
        &[char('3')],
        Action::Tab(3),
        "",
        "the tree of call stacks",
    ),
    bind(
        "time",
        &[char('4')],
        Action::Tab(4),
        "",
        "how threads spent their time",
    ),
    bind(
        "io",
        &[char('5')],
        Action::Tab(5),
        "",
        "system calls, and the slowest",
    ),
    bind(
        "heat",
        &[char('6')],
        Action::Tab(6),
        "",
        "a map of the last minutes; Enter twice chooses a range",
    ),
    bind(
        "locks",
        &[char('7')],
        Action::Tab(7),
        "",
        "locks: who waits for each, and who holds it",
    ),
    bind(
        "sort",
        &[char('s')],
        Action::Sort,
        "sort",
        "sort by another column: functions by self or total time, tables by what they show",
    ),
    bind(
        "window",
        &[char('w')],
        Action::Window,
        "window",
        "last 10 s, last 60 s, decaying (half of it in 10 s), since start",
    ),
    bind(
        "kernel",
        &[char('K')],
        Action::Kernel,
        "kernel",
        "hide kernel frames, or show them",
    ),
    bind(
        "only-this",
        &[char('f')],
        Action::Choose,
        "only this",
        "show only what is under the cursor, in every view",
    ),
    bind(
        "everything",
        &[char('F')],
        Action::ChooseAll,
        "",
        "show everything again",
    ),
    bind(
        "group-by",
        &[char('b')],
        Action::GroupBy,
        "by",
        "processes, threads, cgroups, units, containers, modules, crates or packages",
    ),
    bind(
        "export",
        &[char('e')],
        Action::Export,
        "export",
        "write what is shown to a file: .svg .folded .pb.gz",
    ),
    bind(
        "record",
        &[char('r')],
        Action::Record,
        "record",
        "record what is selected to a trace from now on; stop that",
    ),
    bind(
        "mark",
        &[char('m')],
        Action::Mark,
        "mark",
        "mark what is shown: functions then show how their shares change",
    ),
    bind(
        "unmark",
        &[char('M')],
        Action::Unmark,
        "",
        "do not compare with the mark any more",
    ),
    bind(
        "which-time",
        &[char('t')],
        Action::Weight,
        "time",
        "what is counted: time on a CPU, waiting and both (with --off-cpu), locks, slow calls",
    ),
    bind(
        "view",
        &[char('v')],
        Action::Shape,
        "view",
        "what the table counts as a table, as a tree, as a flame graph",
    ),
    bind(
        "invert",
        &[char('i')],
        Action::Invert,
        "invert",
        "turn the tree around: callers or callees first",
    ),
    bind(
        "annotate",
        &[char('a')],
        Action::Annotate,
        "",
        "hot lines and instructions of the function under the cursor",
    ),
    bind(
        "whole",
        &[char('u')],
        Action::Detail,
        "",
        "the whole name of what is under the cursor, where it is from, its share over time",
    ),
    bind(
        "recursion",
        &[char('c')],
        Action::Recursion,
        "",
        "calls of a function by itself as one, in tree and flame graph; or each",
    ),
    bind(
        "histogram",
        &[char('d')],
        Action::Histogram,
        "",
        "how long the calls under the cursor took, or the slowest calls",
    ),
    bind(
        "idle",
        &[char('I')],
        Action::Idle,
        "idle",
        "show calls and locks that wait for something to do, or hide them",
    ),
    bind(
        "up",
        &[key(KeyCode::Up), char('k')],
        Action::Move(-1),
        "",
        "one row up",
    ),
    bind(
        "down",
        &[key(KeyCode::Down), char('j')],
        Action::Move(1),
        "",
        "one row down",
    ),
    bind(
        "left",
        &[key(KeyCode::Left), char('h')],
        Action::Left,
        "",
        "close the branch, or go to its parent",
    ),
    bind(
        "right",
        &[key(KeyCode::Right), char('l')],
        Action::Right,
        "",
        "open the branch, or go to its first child",
    ),
    bind(
        "page-up",
        &[key(KeyCode::PageUp), control('b')],
        Action::Page(-1),
        "",
        "one page up",
    ),
    bind(
        "page-down",
        &[key(KeyCode::PageDown), control('f')],
        Action::Page(1),
        "",
        "one page down",
    ),
    bind(
        "first",
        &[char('g'), key(KeyCode::Home)],
        Action::First,
        "",
        "the first row",
    ),
    bind(
        "last",
        &[char('G'), key(KeyCode::End)],
        Action::Last,
        "",
        "the last row",
    ),
    bind(
        "redraw",
        &[control('l')],
        Action::Redraw,
        "",
        "draw the screen anew",
    ),
    bind(
        "suspend",
        &[control('z')],
        Action::Suspend,
        "",
        "back to the shell; its `fg` goes on, probes stay meanwhile",
    ),
    bind("quit-at-once", &[control('c')], Action::Quit, "", "quit at once"),
];

/// While typing a filter. Every other character adds to it.
pub(super) const TYPING: &[Binding] = &[
    bind(
        "typing-accept",
        &[key(KeyCode::Enter)],
        Action::Accept,
        "keep",
        "keep the filter",
    ),
    bind(
        "typing-drop",
        &[key(KeyCode::Esc)],
        Action::Back,
        "drop",
        "drop the filter",
    ),
    bind(
        "typing-erase",
        &[key(KeyCode::Backspace), control('h')],
        Action::Erase,
        "erase",
        "take back a character",
    ),
    bind(
        "typing-erase-all",
        &[control('u')],
        Action::EraseAll,
        "erase all",
        "take back the whole filter",
    ),
    bind(
        "typing-up",
        &[key(KeyCode::Up)],
        Action::Move(-1),
        "",
        "one row up",
    ),
    bind(
        "typing-down",
        &[key(KeyCode::Down)],
        Action::Move(1),
        "",
        "one row down",
    ),
    bind("typing-quit", &[control('c')], Action::Quit, "", "quit at once"),
];

const fn bind(
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    short: &'static str,
    long: &'static str,
) -> Binding {
    Binding {
        name,
        keys,
        action,
        short,
        long,
    }
}
