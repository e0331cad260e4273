//! What runtimes keep to themselves: waits that neither the kernel nor this report can see, or tell apart.

use std::io::{self, Write};

use super::super::{super::Report, layout::Layout};
use crate::query::locks::{Class, Library, LockRow, Locks};

/// What of a runtime's locks is not seen, if it has waits of this class.
const UNSEEN: [(Library, Option<Class>, &str); 2] = [
    (
        Library::Go,
        None,
        "is a Go program: goroutines that wait for its mutexes or channels are not seen",
    ),
    (
        Library::Java,
        Some(Class::Park),
        "parks threads for locks of java.util.concurrent, too: those are among the idle",
    ),
];

pub(super) fn write(
    report: &Report<'_>,
    found: &Locks<'_>,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows = || {
        [&found.contention, &found.unknown, &found.idle]
            .into_iter()
            .flat_map(|group| &group.rows)
    };
    for (library, class, what) in UNSEEN {
        let is_meant =
            |row: &&LockRow<'_>| row.library == library && class.is_none_or(|class| row.class == class);
        let mut names: Vec<_> = rows()
            .filter(is_meant)
            .flat_map(|row| &row.processes)
            .map(|&process| {
                let process = &report.profile.processes[process];
                format!("{}/{}", process.name, process.pid)
            })
            .collect();
        names.sort();
        names.dedup();
        for name in names.iter().take(3) {
            writeln!(out, "{}", layout.fit(&format!("note: {name} {what}"), 0))?;
        }
    }
    Ok(())
}
