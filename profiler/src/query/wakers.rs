//! Who ended the waits of whom.

use rustc_hash::FxHashMap;

use super::{Owner, Selection, owner::Key, weight::Weight};
use crate::profile::{Profile, Waker};

/// Who ended a wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WokenBy {
    /// A thread of this owner: the owner's name (raw), the process id and the thread id, where owners have them.
    Owner(String, Option<u32>, Option<u32>),
    /// A timer or a device.
    Interrupt,
    /// Nobody: it waited for a CPU alone.
    Nobody,
    /// It was not seen.
    Unknown,
}

/// Waits of one owner that were ended by one other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakerRow {
    /// The name of the one that waited; raw. In brackets for what has none.
    pub label: String,
    /// The process id, for processes and threads.
    pub pid: Option<u32>,
    /// The thread id, for threads.
    pub tid: Option<u32>,
    /// Who ended the waits.
    pub waker: WokenBy,
    /// Value of the samples: the time waited, estimated, in nanoseconds.
    pub value: u64,
    /// How many samples that is.
    pub samples: u64,
}

/// Who ended the waits that the selected samples stand for: by value, largest first, then by name and id. Every sample
/// is in one row.
pub fn wakers(profile: &Profile, selection: &Selection, by: Owner) -> Vec<WakerRow> {
    let mut groups: FxHashMap<(Key<'_>, Ender<'_>), Weight> = FxHashMap::default();
    for sample in selection.matcher(profile).samples() {
        let ender = match sample.waker {
            Waker::Unknown => Ender::Unknown,
            Waker::Nobody => Ender::Nobody,
            Waker::Interrupt => Ender::Interrupt,
            Waker::Thread(thread) => Ender::Owner(by.of(profile, thread)),
        };
        let waiter = by.of(profile, sample.thread);
        groups.entry((waiter, ender)).or_default().add(Weight {
            value: sample.value,
            samples: 1,
        });
    }
    let mut rows: Vec<WakerRow> = groups
        .into_iter()
        .map(|((waiter, ender), weight)| WakerRow {
            label: waiter.label.to_owned(),
            pid: waiter.pid,
            tid: waiter.tid,
            waker: match ender {
                Ender::Unknown => WokenBy::Unknown,
                Ender::Nobody => WokenBy::Nobody,
                Ender::Interrupt => WokenBy::Interrupt,
                Ender::Owner(key) => WokenBy::Owner(key.label.to_owned(), key.pid, key.tid),
            },
            value: weight.value,
            samples: weight.samples,
        })
        .collect();
    rows.sort_by(|a, b| {
        b.value
            .cmp(&a.value)
            .then_with(|| (&a.label, a.pid, a.tid, &a.waker).cmp(&(&b.label, b.pid, b.tid, &b.waker)))
    });
    rows
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Ender<'a> {
    Unknown,
    Nobody,
    Interrupt,
    Owner(Key<'a>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::{from_folded, with_waits};

    #[test]
    fn every_wait_is_in_one_row_of_who_waited_and_who_ended_it() {
        let mut profile = with_waits(
            from_folded("disk/9;main 1"),
            "app/7;main 5\napp/7;main;read 10\napp/7;main 1\napp/7;main 2\napp/7;main 3",
        );
        let disk = profile.samples[0].thread;
        let wakers_of = [
            Waker::Thread(disk),
            Waker::Thread(disk),
            Waker::Interrupt,
            Waker::Nobody,
            Waker::Unknown,
        ];
        for (sample, waker) in profile.samples[1..].iter_mut().zip(wakers_of) {
            sample.waker = waker;
        }
        let selection = Selection {
            sample_types: vec![1],
            ..Selection::default()
        };
        let rows: Vec<_> = wakers(&profile, &selection, Owner::Thread)
            .into_iter()
            .map(|row| (row.tid, row.waker, row.value / 1_000_000, row.samples))
            .collect();
        let by_disk = WokenBy::Owner("disk".into(), Some(9), Some(9));
        assert_eq!(
            rows,
            [
                (Some(7), by_disk, 15, 2),
                (Some(7), WokenBy::Unknown, 3, 1),
                (Some(7), WokenBy::Nobody, 2, 1),
                (Some(7), WokenBy::Interrupt, 1, 1)
            ]
        );
    }
}
