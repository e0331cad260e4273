//! On-CPU time: a perf event with a fixed period on every CPU.

use aya_ebpf::{macros::perf_event, programs::PerfEventContext};
use profiler_common::{
    event::{ProbeId, SAMPLE_HAS_COPY, SAMPLE_KERNEL_THREAD, Sample, kind},
    stats::{Counter, Outcome},
};

use crate::{config, copy, emit, stack, task};

#[perf_event]
pub(crate) fn cpu(ctx: PerfEventContext) -> u32 {
    emit::count(Counter::Runs, 1);
    let current = task::current();
    if current.pid == 0 {
        emit::count(Counter::Idle, 1);
    } else if !current.wanted() {
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
    let stacks = stack::capture(ctx, slot, current.pid);
    let mut flags = if stacks.kernel_thread {
        SAMPLE_KERNEL_THREAD
    } else {
        0
    };
    let mut outcome = stacks.outcome;
    if outcome == Outcome::NoMappings as u32 {
        if copy::send(header.time, current.pid, stacks.registers) {
            flags |= SAMPLE_HAS_COPY;
        } else if stack::memory_may_be_gone(slot) {
            outcome = Outcome::NoUserStack as u32;
        }
    }
    let sample = Sample {
        header,
        pid: current.pid,
        tid: current.tid,
        user_stack: stacks.user,
        kernel_stack: stacks.kernel,
        value: config::period(),
        probe: ProbeId::Cpu as u8,
        outcome: outcome as u8,
        flags,
        frames_by_fp: if stacks.frames_by_fp > 255 {
            255
        } else {
            stacks.frames_by_fp as u8
        },
        user_frames: stacks.user_frames,
    };
    if emit::record(&sample, Counter::SampleRingFull) {
        emit::count(Counter::Samples, 1);
    }
}
