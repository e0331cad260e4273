//! How rows about the same are added up. Sums saturate.

use std::ops::Range;

use super::{
    compact::Compaction,
    kept::{Crowd, Row},
};
use crate::profile::{Id, Latency, LatencyKey, Process, Profile, Thread, ThreadTime};

impl Row for ThreadTime {
    type Key = Id<Thread>;

    fn key(&self) -> Id<Thread> {
        self.thread
    }

    fn range(&self) -> Range<u64> {
        self.start_ns..self.end_ns
    }

    fn join(&mut self, other: &Self) {
        let Self {
            thread: _,
            start_ns,
            end_ns,
            ns,
            in_calls_ns,
            waits,
            preemptions,
        } = other;
        self.start_ns = self.start_ns.min(*start_ns);
        self.end_ns = self.end_ns.max(*end_ns);
        for (sum, more) in self.ns.iter_mut().zip(ns) {
            *sum = sum.saturating_add(*more);
        }
        let both = self.in_calls_ns.zip(*in_calls_ns);
        self.in_calls_ns = both.map(|(sum, more)| sum.saturating_add(more));
        self.waits = self.waits.saturating_add(*waits);
        self.preemptions = self.preemptions.saturating_add(*preemptions);
    }

    fn fold(&mut self, profile: &mut Profile, crowd: Crowd) {
        let process = profile.threads[self.thread].process;
        let process = crowd.of(profile, process);
        let name = profile.processes[process].name.clone();
        self.thread = profile.threads.intern(Thread {
            process,
            tid: 0,
            name,
        });
    }

    fn keep(&mut self, compaction: &mut Compaction<'_>) {
        compaction.keep_time(self);
    }
}

impl Row for Latency {
    type Key = LatencyKey;

    fn key(&self) -> LatencyKey {
        self.key
    }

    fn range(&self) -> Range<u64> {
        self.start_ns..self.end_ns
    }

    fn join(&mut self, other: &Self) {
        let Self {
            key: _,
            start_ns,
            end_ns,
            count,
            total_ns,
            min_ns,
            max_ns,
            errors,
            buckets,
        } = other;
        self.start_ns = self.start_ns.min(*start_ns);
        self.end_ns = self.end_ns.max(*end_ns);
        self.count = self.count.saturating_add(*count);
        self.total_ns = self.total_ns.saturating_add(*total_ns);
        self.min_ns = match (self.buckets.is_empty(), buckets.is_empty()) {
            // What has no end has no duration.
            (true, _) => *min_ns,
            (_, true) => self.min_ns,
            _ => self.min_ns.min(*min_ns),
        };
        self.max_ns = self.max_ns.max(*max_ns);
        add(&mut self.errors, errors);
        add(&mut self.buckets, buckets);
    }

    fn fold(&mut self, profile: &mut Profile, crowd: Crowd) {
        self.key.process = crowd.of(profile, self.key.process);
    }

    fn keep(&mut self, compaction: &mut Compaction<'_>) {
        compaction.keep_latency(self);
    }
}

impl Crowd {
    /// The row that stands for the processes among which `process` is.
    fn of(self, profile: &mut Profile, process: Id<Process>) -> Id<Process> {
        let name = match self {
            Self::Namesakes => profile.processes[process].name.clone(),
            Self::Everybody => "[others]".to_owned(),
        };
        profile.processes.intern(Process {
            pid: 0,
            ppid: 0,
            name,
            exe: String::new(),
            cgroup: String::new(),
            unit: String::new(),
            container: String::new(),
            start_ns: 0,
            kernel_thread: false,
        })
    }
}

/// Adds counts to counts, both in the order of what they count.
fn add<K: Copy + Ord>(sums: &mut Vec<(K, u64)>, more: &[(K, u64)]) {
    for &(what, count) in more {
        match sums.binary_search_by_key(&what, |&(what, _)| what) {
            Ok(place) => sums[place].1 = sums[place].1.saturating_add(count),
            Err(place) => sums.insert(place, (what, count)),
        }
    }
}
