//! What keys mean.

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Action {
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
    /// Write what comes in to a trace, or stop that.
    Record,
    /// Show which lines and instructions of the function under the cursor are hot.
    Annotate,
    /// Show what is under the cursor with nothing left out.
    Detail,
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
    /// Give the terminal back to the shell until the job is continued.
    Suspend,
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
    pub(in crate::tui) fn moves(self) -> bool {
        matches!(
            self,
            Self::Move(_) | Self::Page(_) | Self::First | Self::Last | Self::Find(_)
        )
    }
}
