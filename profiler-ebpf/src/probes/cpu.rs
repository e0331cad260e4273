//! On-CPU time: a perf event with a fixed period on every CPU.

use aya_ebpf::{macros::perf_event, programs::PerfEventContext};
use profiler_common::{
    event::{ProbeId, SAMPLE_HAS_COPY, kind},
    stats::{Counter, Outcome},
};

use crate::{config, copy, emit, stack, task};

#[perf_event]
pub(crate) fn cpu(ctx: PerfEventContext) -> u32 {
    emit::count(Counter::Runs, 1);
    let current = task::current();
    // SAFETY: `current` is a valid task.
    let is_target = || unsafe { task::is_target(task::current_task()) };
    if current.pid == 0 {
        emit::count(Counter::Idle, 1);
    } else if !is_target() {
        emit::count(Counter::Filtered, 1);
    } else if let Some(slot) = stack::claim() {
        sample(&ctx, slot, current);
        stack::release(slot);
    } else {
        emit::count(Counter::NoScratch, 1);
    }
    0
}

#[inline(always)]
fn sample(ctx: &PerfEventContext, slot: u32, current: task::Current) {
    let header = emit::header(kind::SAMPLE);
    let mut stacks = stack::capture(ctx, slot, current.pid);
    let mut has_copy = false;
    if stacks.outcome == Outcome::NoMappings as u32 {
        has_copy = copy::send(header.time, current.pid, stacks.registers);
        if !has_copy && stack::memory_may_be_gone(slot) {
            stacks.outcome = Outcome::NoUserStack as u32;
        }
    }
    let mut sample = stacks.sample(header, current, ProbeId::Cpu, config::period());
    if has_copy {
        sample.flags |= SAMPLE_HAS_COPY;
    }
    if emit::record(&sample, Counter::SampleRingFull) {
        emit::count(Counter::Samples, 1);
    }
}
