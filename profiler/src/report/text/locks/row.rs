//! One lock: figures, who waited, who held it, and what that one did meanwhile.

use std::io::{self, Write};

use super::{
    super::{
        super::Report,
        header::{list, plural},
        layout::{Ink, Layout, cut},
        number::{count, latency, percent},
        slow,
    },
    chain, plus_minus, when, write_stack, write_words,
};
use crate::query::{
    self, clean,
    locks::{Estimate, Holder, Joined, LockRow, Meanwhile, Waiter},
    operation::contention,
};

/// Places of waiters and of holders that are shown, unless names are shown in full.
const PLACES: usize = 2;
/// Parts of what a holder did that are told.
const PARTS: usize = 3;

pub(super) fn write_all(
    report: &Report<'_>,
    rows: &[&LockRow<'_>],
    whole: &Estimate,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let margins = rows.iter().any(|row| !row.waits.is_exact());
    let gap = if margins { "      " } else { "" };
    let header = format!(
        "{:>7}  {:>8}{gap}  {:>11}{gap}  {:>8}  {:>8}  lock",
        "share", "time", "waits", "average", "longest"
    );
    writeln!(out, "{}", layout.paint(Ink::Faint, &header))?;
    for row in rows {
        let figures = figures(row, whole, margins);
        let label = layout.fit(&row.label, figures.chars().count());
        writeln!(out, "{figures}{}", layout.paint(Ink::Strong, &label))?;
        write_words(&what(report, row), layout, out)?;
        if row.read.seen > 0 && row.write.seen > 0 {
            let part = |waits: &Estimate| format!("{} in {}", time(waits), waits_of(waits));
            let words = format!("to read {}, to write {}", part(&row.read), part(&row.write));
            write_words(&words, layout, out)?;
        }
        write_places(report, row, layout, out)?;
        let longest = &row.longest;
        if let Some(chain) = chain(report, &row.chain) {
            let words = format!(
                "the longest, from {} on: {} {chain}",
                when(longest),
                slow::thread_name(report.profile, longest.wait.thread)
            );
            write_words(&words, layout, out)?;
        }
    }
    Ok(())
}

fn figures(row: &LockRow<'_>, whole: &Estimate, margins: bool) -> String {
    let waits = &row.waits;
    let share = query::percent(waits.total_ns as u64, whole.total_ns as u64);
    let margin = |text: String| if margins { format!("{text:<6}") } else { text };
    format!(
        "{:>7}  {:>8}{}  {:>11}{}  {:>8}  {:>8}  ",
        percent(share),
        time(waits),
        margin(plus_minus(waits.total_plus_minus(), waits.total_ns)),
        count(waits.count.round() as u64),
        margin(plus_minus(waits.count_plus_minus(), waits.count)),
        latency(waits.average_ns() as u64),
        latency(waits.max_ns)
    )
}

fn time(waits: &Estimate) -> String {
    latency(waits.total_ns as u64)
}

fn waits_of(waits: &Estimate) -> String {
    plural(waits.count.round() as u64, "wait")
}

/// Whose it is, and what it means to them; raw.
fn what(report: &Report<'_>, row: &LockRow<'_>) -> String {
    let mut parts = Vec::new();
    if row.kernel {
        let kinds = row.contentions.iter().map(|&kind| contention(kind).to_owned());
        parts.push(format!(
            "the kernel's, {}",
            list(kinds.collect::<Vec<_>>().into_iter())
        ));
    } else if !row.library.name().is_empty() {
        parts.push(row.library.name().to_owned());
    }
    match row.address {
        Some(address) if address > 0 => parts.push(format!("at {address:#x}")),
        Some(_) => {}
        None => parts.push(plural(row.objects, "object")),
    }
    let processes = row.processes.iter().map(|&process| {
        let process = &report.profile.processes[process];
        format!("{}/{}", process.name, process.pid)
    });
    parts.push(format!("of {}", list(processes.collect::<Vec<_>>().into_iter())));
    if let Some(lived) = row.threads_ns {
        let share = query::percent(row.waits.total_ns as u64, lived);
        parts.push(format!("{} of all its threads' time", percent(share)));
    }
    if row.waits.failed > 0 {
        parts.push(format!("{} gave up", count(row.waits.failed)));
    }
    parts.join(", ")
}

fn write_places(
    report: &Report<'_>,
    row: &LockRow<'_>,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let most = layout.width.map_or(usize::MAX, |_| PLACES);
    for waiter in row.waiters.iter().take(most) {
        write_words(&waited(report, waiter), layout, out)?;
        write_stack(report, waiter.stack, waiter.within, layout, out)?;
    }
    write_more(row.waiters.len(), most, "place", layout, out)?;
    for holder in row.holders.iter().take(most) {
        write_words(&held(report, row, holder), layout, out)?;
        let shown = Joined {
            inner: holder.stack,
            outer: None,
        };
        write_stack(report, shown, holder.within, layout, out)?;
        if let Some(doing) = meanwhile(&holder.meanwhile) {
            write_words(&doing, layout, out)?;
        }
    }
    write_more(row.holders.len(), most, "holder", layout, out)?;
    if row.unheld_count > 0.0 {
        let share = query::percent(row.unheld_ns as u64, row.waits.total_ns as u64);
        write_words(
            &format!("not known who held it: {} of the time", percent(share)),
            layout,
            out,
        )?;
    }
    Ok(())
}

fn write_more(all: usize, most: usize, what: &str, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    match all.saturating_sub(most) {
        0 => Ok(()),
        more => {
            let more = plural(more as u64, &format!("more {what}"));
            let words = format!("… {more} (--full-names shows all)");
            let words = layout.fit(&words, super::stack::INDENT.len());
            writeln!(
                out,
                "{}{}",
                super::stack::INDENT,
                layout.paint(Ink::Faint, &words)
            )
        }
    }
}

fn waited(report: &Report<'_>, waiter: &Waiter) -> String {
    let thread = slow::thread_name(report.profile, waiter.thread);
    let others = match waiter.threads {
        0 | 1 => String::new(),
        2 => " and another thread".to_owned(),
        all => format!(" and {} other threads", count(all - 1)),
    };
    let mode = waiter.mode.words();
    format!(
        "{} in {}: {thread}{others} waited{mode} at",
        time(&waiter.waits),
        waits_of(&waiter.waits)
    )
}

fn held(report: &Report<'_>, row: &LockRow<'_>, holder: &Holder) -> String {
    let share = query::percent(holder.total_ns as u64, row.waits.total_ns as u64);
    let place = holder.held.words();
    format!(
        "{} in {}: {} {}{place}",
        percent(share),
        plural(holder.count.round() as u64, "wait"),
        holder.evidence.words(),
        slow::thread_name(report.profile, holder.thread)
    )
}

/// What the holder did, in words; `None` if nothing is known. Raw.
fn meanwhile(meanwhile: &Meanwhile) -> Option<String> {
    meanwhile.sentence(PARTS, |part| percent(part * 100.0), short)
}

/// A function among others in one line.
fn short(function: &str) -> String {
    cut(clean(function), 48).into_owned()
}
