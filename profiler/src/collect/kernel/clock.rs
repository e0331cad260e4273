//! Clocks that could drive the sampler, and whether they really tick: a virtual machine may offer a hardware counter
//! that never counts.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use aya_obj::generated::{
    perf_event_attr, perf_event_sample_format::PERF_SAMPLE_TIME, perf_event_type::PERF_RECORD_SAMPLE,
};

use super::{Errno, bpf::Attempt};
use crate::collect::perf_event::{self, Clock};

/// Every clock, the one that is taken by default first.
pub const CLOCKS: [Clock; 2] = [Clock::CpuClock, Clock::Cycles];

/// How a clock ticked while it was tried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    /// Samples that arrived.
    pub samples: u64,
    /// Samples that should have arrived, where that is known.
    pub expected: Option<u64>,
}

/// How long a clock is tried out, in CPU time of this thread.
const TRIAL: Duration = Duration::from_millis(50);
/// When to give up if the CPU is not to be had.
const PATIENCE: Duration = Duration::from_millis(500);
/// Of the kernel's timer, in nanoseconds.
const TIMER_PERIOD: u64 = 1_000_000;
/// Of the cycle counter, in cycles: some 50 samples in the trial on a slow machine.
const CYCLES_PERIOD: u64 = 1_000_000;

/// Samples this thread with a clock for 50 ms of busy work.
///
/// # Errors
/// If the event cannot be opened or its ring not be mapped: why.
pub fn try_out(clock: Clock) -> Result<Ticks, Errno> {
    let period = match clock {
        Clock::CpuClock => TIMER_PERIOD,
        Clock::Cycles => CYCLES_PERIOD,
    };
    let mut attributes = attributes(clock, period);
    // User mode only: `perf_event_paranoid` = 2 lets everybody try that.
    attributes.set_exclude_kernel(1);
    attributes.set_exclude_hv(1);
    let event = perf_event::open(&attributes, 0, -1)?;
    let ring = Ring::map(&event)?;
    perf_event::ioctl(&event, PERF_EVENT_IOC_ENABLE, 0)?;
    let busy = busy(TRIAL, PATIENCE);
    perf_event::ioctl(&event, PERF_EVENT_IOC_DISABLE, 0)?;
    let expected = match clock {
        Clock::CpuClock => Some(busy.as_nanos() as u64 / TIMER_PERIOD),
        Clock::Cycles => None,
    };
    Ok(Ticks {
        samples: ring.samples(),
        expected,
    })
}

/// Whether events of every process on a CPU may be opened, as the sampler does.
pub fn system_wide() -> Attempt {
    perf_event::open(&attributes(Clock::CpuClock, TIMER_PERIOD), -1, 0)?;
    Ok(())
}

// `_IO('$', 0)`, `_IO('$', 1)` (include/uapi/linux/perf_event.h).
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
const PERF_EVENT_IOC_DISABLE: libc::c_ulong = 0x2401;

fn attributes(clock: Clock, period: u64) -> perf_event_attr {
    let mut attributes = perf_event::attributes();
    (attributes.type_, attributes.config) = clock.event();
    attributes.__bindgen_anon_1.sample_period = period;
    attributes.sample_type = PERF_SAMPLE_TIME as u64;
    attributes.set_disabled(1);
    attributes
}

/// The ring of an event: a page of control, then records.
struct Ring {
    base: *mut u8,
    page: usize,
}

/// In pages; a power of two. 50 ms of samples are a fraction of it.
const RING_PAGES: usize = 8;
/// Where the control page counts the bytes that were ever written.
const HEAD: usize = 1024;

impl Ring {
    fn map(event: &OwnedFd) -> Result<Self, Errno> {
        // SAFETY: reads a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: a new mapping, wherever there is room.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                page * (1 + RING_PAGES),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        Ok(Self {
            base: base.cast(),
            page,
        })
    }

    /// How many samples were written. The event has to be disabled: nobody writes any more.
    fn samples(&self) -> u64 {
        // SAFETY: inside the control page.
        let head = unsafe { self.base.add(HEAD) }.cast::<AtomicU64>();
        // SAFETY: aligned, and mapped as long as `self` lives.
        let head = unsafe { &*head }.load(Ordering::Acquire);
        let length = usize::try_from(head)
            .unwrap_or(usize::MAX)
            .min(self.page * RING_PAGES);
        // SAFETY: the records begin one page after the base.
        let records = unsafe { self.base.add(self.page) };
        // SAFETY: `length` bytes are mapped there, and nobody writes them any more.
        count_samples(unsafe { std::slice::from_raw_parts(records, length) })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: what `map` mapped, and nothing refers to it any more.
        unsafe { libc::munmap(self.base.cast(), self.page * (1 + RING_PAGES)) };
    }
}

/// Records are: type (4 bytes), flags (2), length of the whole record (2), and the rest.
fn count_samples(mut records: &[u8]) -> u64 {
    let mut samples = 0;
    while let Some((header, _)) = records.split_first_chunk::<8>() {
        let [a, b, c, d, _, _, low, high] = *header;
        samples += u64::from(u32::from_ne_bytes([a, b, c, d]) == PERF_RECORD_SAMPLE as u32);
        let length = usize::from(u16::from_ne_bytes([low, high]));
        match records.get(length..) {
            Some(rest) if length >= header.len() => records = rest,
            _ => break,
        }
    }
    samples
}

/// Keeps this thread on the CPU until it has had `time` of it, or `patience` is over. How much it had.
fn busy(time: Duration, patience: Duration) -> Duration {
    let (began, had) = (Instant::now(), thread_time());
    loop {
        std::hint::black_box((0..10_000u64).fold(0, u64::wrapping_add));
        let spent = thread_time().saturating_sub(had);
        if spent >= time || began.elapsed() >= patience {
            return spent;
        }
    }
}

fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a `timespec` of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD_SAMPLE: u32 = PERF_RECORD_SAMPLE as u32;

    fn record(kind: u32, length: u16) -> Vec<u8> {
        let mut record = kind.to_ne_bytes().to_vec();
        record.extend([0, 0]);
        record.extend(length.to_ne_bytes());
        record.resize(usize::from(length).max(8), 0);
        record
    }

    #[test]
    fn samples_are_counted_among_other_records() {
        let ring = [
            record(RECORD_SAMPLE, 16),
            record(5, 32),
            record(RECORD_SAMPLE, 16),
        ]
        .concat();
        assert_eq!(count_samples(&ring), 2);
    }

    #[test]
    fn a_torn_ring_ends_the_count() {
        assert_eq!(count_samples(&record(RECORD_SAMPLE, 0)), 1);
        assert_eq!(count_samples(&record(RECORD_SAMPLE, 16)[..12]), 1);
        assert_eq!(count_samples(&[9]), 0);
    }
}
