//! Who ended the waits of whom.

use serde::Serialize;

use super::{super::Report, document::Part};
use crate::query::{self, Owner, Summary, WakerRow, WokenBy};

#[derive(Serialize)]
pub(super) struct Wakers {
    by: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    waker: Waker,
    total: Part,
}

#[derive(Serialize)]
struct Waker {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
}

pub(super) fn wakers(report: &Report<'_>, by: Owner, summary: &Summary) -> Wakers {
    let rows = query::wakers(report.profile, report.selection, by);
    let rows = report.pick(&rows, |row| row.value, summary.value);
    Wakers {
        by: by.name(),
        rows: rows.into_iter().map(|row| Row::of(row, summary)).collect(),
    }
}

impl Row {
    fn of(row: &WakerRow, summary: &Summary) -> Self {
        Self {
            name: row.label.clone(),
            pid: row.pid,
            tid: row.tid,
            waker: Waker::of(&row.waker),
            total: Part::of(row.value, row.samples, summary.value, summary.samples),
        }
    }
}

impl Waker {
    fn of(waker: &WokenBy) -> Self {
        let (kind, name, pid, tid) = match waker {
            WokenBy::Owner(name, pid, tid) => ("thread", Some(name.clone()), *pid, *tid),
            WokenBy::Interrupt => ("interrupt", None, None, None),
            WokenBy::Nobody => ("nobody", None, None, None),
            WokenBy::Unknown => ("unknown", None, None, None),
        };
        Self { kind, name, pid, tid }
    }
}
