//! The table of what threads did all the time.

use std::io::{self, Write};

use super::{
    super::Report,
    layout::{Ink, Layout, cut},
    number::{NOTHING, count, latency, percent, rate},
};
use crate::{
    profile::State,
    query::{self, Modes, Owner, StateRow, StateTimes, States, Timing, clean},
};

/// A column: its name where there is room and where there is little, the states in it, and whether it is idle time.
struct Column(&'static str, &'static str, &'static [State], bool);

/// Time on a CPU, where it is not known whose code ran.
const RUNNING: Column = Column("running", "run", &[State::Running], false);
/// The same, where it is.
const USER: Column = Column("user", "user", &[], false);
const KERNEL: Column = Column("kernel", "krnl", &[], false);

const COLUMNS: [Column; 9] = [
    Column("runnable", "runq", &[State::Runnable], false),
    Column("disk", "disk", &[State::Disk], false),
    Column("network", "net", &[State::Network], false),
    Column("ipc", "ipc", &[State::Ipc], false),
    Column("lock", "lock", &[State::Lock], false),
    Column("fault", "flt", &[State::PageFault], false),
    Column("sleep", "slp", &[State::Sleep], true),
    Column("events", "evnt", &[State::Events], true),
    Column(
        "other",
        "othr",
        &[State::Stopped, State::Blocked, State::Unknown],
        false,
    ),
];

impl Column {
    fn time(&self, times: &StateTimes, modes: &Modes) -> u64 {
        match self.0 {
            name if name == USER.0 => modes.user_ns,
            name if name == KERNEL.0 => modes.kernel_ns(),
            _ => self
                .2
                .iter()
                .fold(0u64, |sum, &state| sum.saturating_add(times.of(state))),
        }
    }
}

/// A column of how long waits for a CPU were: its name, and the percentile; 100 is the longest.
struct Latency(&'static str, f64);

const LATENCIES: [Latency; 3] = [
    Latency("runq p50", 50.0),
    Latency("runq p99", 99.0),
    Latency("runq max", 100.0),
];

/// Below this width columns have their short names.
const ROOM: usize = 115;
/// From this width on all columns of [`LATENCIES`] are shown; where columns have their long names, the 99th percentile.
const ROOM_FOR_LATENCIES: usize = 142;
/// At least this much of a name is shown, however narrow the terminal.
const NAME_MIN: usize = 8;
/// A name has this much room, or the program's code and the kernel's share a column.
const NAME_ROOM: usize = 11;

/// `duration_ns` is how much of the recording was selected: what rates are over.
pub(super) fn write(
    report: &Report<'_>,
    by: Owner,
    states: &States,
    duration_ns: u64,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    if states.rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let shown = report.select_states(states);
    let table = Table::of(by, states, &shown, duration_ns, layout);
    writeln!(out, "{}", layout.paint(Ink::Faint, &table.header()))?;
    for row in &shown {
        let figures = (&row.times, &row.modes, row.run_queue.as_ref());
        table.write(figures, &table.ids(row), &clean(&row.label), out)?;
    }
    let all = (&states.total, &states.modes, states.run_queue.as_ref());
    table.write(all, &table.no_ids(), "[all]", out)?;
    let hidden = states.rows.len() - shown.len();
    if hidden > 0 {
        let active = states.total.active_ns();
        let rest = shown
            .iter()
            .fold(active, |rest, row| rest.saturating_sub(row.times.active_ns()));
        let rest = format!(
            "… {} more, {} of the time that was not idle; {} shows them",
            count(hidden as u64),
            percent(query::percent(rest, active)),
            report.remedy(shown.len())
        );
        writeln!(out, "{}", layout.paint(Ink::Faint, &rest))?;
    }
    Ok(())
}

/// What all lines have in common.
struct Table<'a> {
    layout: &'a Layout,
    by: Owner,
    short: bool,
    columns: Vec<&'static Column>,
    latencies: &'static [Latency],
    seconds: f64,
    /// How wide the columns of ids are; none where rows have no ids.
    ids: Vec<(&'static str, usize)>,
}

impl<'a> Table<'a> {
    fn of(by: Owner, states: &States, rows: &[&StateRow], duration_ns: u64, layout: &'a Layout) -> Self {
        let width = |ids: fn(&StateRow) -> Option<u32>| {
            let ids = rows.iter().filter_map(|row| ids(row));
            ids.map(|id| id.to_string().len()).max().unwrap_or(0).max(3)
        };
        let pid = || ("pid", width(|row| row.pid));
        let ids = match by {
            Owner::Process => vec![pid()],
            Owner::Thread => vec![pid(), ("tid", width(|row| row.tid))],
            _ => Vec::new(),
        };
        // Five for each column where they have their short names, seven for the rate, and the name.
        let ids_width: usize = ids.iter().map(|(_, width)| width + 1).sum();
        let divided = 5 * (2 + COLUMNS.len()) + 8 + ids_width + NAME_ROOM;
        Self {
            layout,
            by,
            columns: match states.divides() && layout.width.is_none_or(|width| width >= divided) {
                true => [&USER, &KERNEL].into_iter().chain(&COLUMNS).collect(),
                false => std::iter::once(&RUNNING).chain(&COLUMNS).collect(),
            },
            short: layout.width.is_some_and(|width| width < ROOM),
            latencies: match layout.width {
                _ if states.run_queue.is_none() => &[],
                Some(width) if width < ROOM => &[],
                Some(width) if width < ROOM_FOR_LATENCIES => &LATENCIES[1..2],
                _ => &LATENCIES,
            },
            seconds: duration_ns as f64 / 1e9,
            ids,
        }
    }

    fn name(&self, column: &Column) -> &'static str {
        if self.short { column.1 } else { column.0 }
    }

    /// Shares have four characters at most.
    fn width(&self, column: &Column) -> usize {
        self.name(column).len().max(4)
    }

    fn gap(&self) -> &'static str {
        if self.short { " " } else { "  " }
    }

    fn header(&self) -> String {
        let mut line = String::new();
        for column in &self.columns {
            let width = self.width(column);
            line.push_str(&format!("{:>width$}{}", self.name(column), self.gap()));
        }
        line.push_str(&format!("{:>7}", "waits/s"));
        for Latency(name, _) in self.latencies {
            line.push_str(&format!("  {name:>8}"));
        }
        for &(name, width) in &self.ids {
            line.push_str(&format!("{}{name:>width$}", self.gap()));
        }
        format!("{line}{}{}", self.gap(), self.by.name())
    }

    fn ids(&self, row: &StateRow) -> String {
        let ids = [row.pid, row.tid].into_iter().flatten();
        ids.zip(&self.ids)
            .map(|(id, &(_, width))| format!("{}{id:>width$}", self.gap()))
            .collect()
    }

    fn no_ids(&self) -> String {
        let widths = self.ids.iter().map(|(_, width)| width + self.gap().len());
        " ".repeat(widths.sum())
    }

    fn write(
        &self,
        (times, modes, run_queue): (&StateTimes, &Modes, Option<&Timing>),
        ids: &str,
        label: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let whole = times.total_ns();
        let mut used = 0;
        for column in &self.columns {
            let ns = column.time(times, modes);
            let width = self.width(column);
            let text = format!("{:>width$}{}", share(ns, whole), self.gap());
            used += text.chars().count();
            let faint = ns == 0 || column.3;
            let text = if faint {
                self.layout.paint(Ink::Faint, &text)
            } else {
                text
            };
            write!(out, "{text}")?;
        }
        let latencies = self.latencies.iter().map(|Latency(_, percent)| {
            let waited = run_queue.and_then(|waits| waits.percentile(*percent));
            format!("  {:>8}", waited.map_or(NOTHING.to_owned(), latency))
        });
        let rest = format!(
            "{:>7}{}{ids}{}",
            rate(times.waits, self.seconds),
            latencies.collect::<String>(),
            self.gap()
        );
        used += rest.chars().count();
        let label = match self.layout.width {
            Some(width) => cut(label.into(), width.saturating_sub(used).max(NAME_MIN)),
            None => label.into(),
        };
        writeln!(out, "{rest}{label}")
    }
}

/// A share in percent in at most four characters. Rounding never turns some into none or all.
fn share(part: u64, whole: u64) -> String {
    match query::percent(part, whole) {
        0.0 => NOTHING.to_owned(),
        small if small < 0.05 => "<0.1".to_owned(),
        percent if percent >= 100.0 => "100".to_owned(),
        percent => format!("{:.1}", percent.min(99.9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fit_into_four_characters_and_never_round_to_none_or_all() {
        let text = [0, 1, 499, 1_000, 123_456, 999_999, 1_000_000].map(|part| share(part, 1_000_000));
        assert_eq!(text, ["·", "<0.1", "<0.1", "0.1", "12.3", "99.9", "100"]);
        assert_eq!(share(0, 0), "·");
    }

    #[test]
    fn every_state_is_in_one_column() {
        let columns = std::iter::once(&RUNNING).chain(&COLUMNS);
        let mut states: Vec<State> = columns.flat_map(|column| column.2).copied().collect();
        states.sort();
        assert_eq!(states, State::ALL);
        let idle = COLUMNS
            .iter()
            .filter(|column| column.3)
            .flat_map(|column| column.2);
        let mut times = StateTimes::default();
        idle.for_each(|&state| times.ns[state as usize] = 1);
        assert_eq!((times.active_ns(), times.idle_ns()), (0, 2));
    }
}
