//! Waits for locks that are told of while they last: a deadlock never ends, and who looks on should see it.

use aya::Ebpf;
use profiler_common::config::tell;

use super::{
    apply::Recorder, event::RawThread, host::Host, tables::KernelSide, thread_times, unwind::pool::Chunks,
};

/// How often threads are asked for that have waited for a lock for long.
const LOOK_NS: u64 = 2_000_000_000;

/// Threads that have waited for a lock for long, until their stacks have come.
#[derive(Debug)]
pub struct Stuck {
    /// With when they were seen.
    threads: Vec<(u64, RawThread)>,
    /// When they were last asked for.
    looked: u64,
}

impl Stuck {
    /// None are known at `now`.
    pub fn new(now: u64) -> Self {
        Self {
            threads: Vec::new(),
            looked: now,
        }
    }

    /// Asks for them now and then.
    pub fn look<H: Host, C: Chunks, K: KernelSide>(
        &mut self,
        now: u64,
        ebpf: &mut Ebpf,
        recorder: &mut Recorder<H, C, K>,
    ) {
        if now < self.looked + LOOK_NS {
            return;
        }
        self.looked = now;
        match thread_times::read(ebpf, tell::STUCK) {
            Ok(threads) => {
                for (time, thread) in &threads {
                    recorder.thread_time(*time, thread);
                }
                self.threads.extend(threads);
            }
            Err(error) => log::debug!("{error:#}"),
        }
    }

    /// Tells of those that were seen by `until`: what was sent before then has been applied.
    pub fn tell<H: Host, C: Chunks, K: KernelSide>(&mut self, until: u64, recorder: &mut Recorder<H, C, K>) {
        for (time, thread) in self.threads.extract_if(.., |(time, _)| *time <= until) {
            recorder.still_waits_for_lock(time, &thread);
        }
    }
}
