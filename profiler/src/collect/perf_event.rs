//! `perf_event_open(2)`: the sampler's clocks and the side band's events.
//!
//! aya attaches perf programs too, but keeps the descriptors to itself; ours are read, because the count over the
//! period says how many samples there should have been.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use aya_obj::generated::{
    perf_event_attr, perf_hw_id::PERF_COUNT_HW_CPU_CYCLES, perf_sw_ids, perf_type_id::PERF_TYPE_HARDWARE,
    perf_type_id::PERF_TYPE_SOFTWARE,
};

/// What makes a sampler fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The software clock: wall time on each CPU, in nanoseconds.
    CpuClock,
    /// The hardware's cycles.
    Cycles,
}

impl Clock {
    /// As perf calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuClock => "cpu-clock",
            Self::Cycles => "cycles",
        }
    }

    /// `type` and `config` of its event.
    pub(super) fn event(self) -> (u32, u64) {
        match self {
            Self::CpuClock => (
                PERF_TYPE_SOFTWARE as u32,
                perf_sw_ids::PERF_COUNT_SW_CPU_CLOCK as u64,
            ),
            Self::Cycles => (PERF_TYPE_HARDWARE as u32, PERF_COUNT_HW_CPU_CYCLES as u64),
        }
    }
}

/// `PERF_FLAG_FD_CLOEXEC` (include/uapi/linux/perf_event.h).
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
// `_IO('$', 0)`, `_IOW('$', 8, __u32)` (include/uapi/linux/perf_event.h).
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
const PERF_EVENT_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;

/// Attributes, all zero, of the right size.
pub fn attributes() -> perf_event_attr {
    // SAFETY: a structure of integers, for which zero is a value.
    let mut attributes: perf_event_attr = unsafe { std::mem::zeroed() };
    attributes.size = size_of::<perf_event_attr>() as u32;
    attributes
}

/// Opens an event on a CPU for all processes (or, with `pid` 0 and `cpu` -1, for this thread).
///
/// # Errors
/// Those of `perf_event_open(2)`.
pub fn open(attributes: &perf_event_attr, pid: i32, cpu: i32) -> io::Result<OwnedFd> {
    // SAFETY: the attributes are valid for reads of the size they state.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_ref(attributes),
            pid,
            cpu,
            -1,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A clock that runs a BPF program every `period` on one CPU.
#[derive(Debug)]
pub struct Sampler {
    /// The CPU.
    pub cpu: u32,
    event: OwnedFd,
    clock: Clock,
    period: u64,
    count: u64,
}

impl Sampler {
    /// Starts it. The period is fixed: the kernel's frequency mode bursts after idle times.
    ///
    /// # Errors
    /// Those of `perf_event_open(2)`: `ENODEV` for a CPU that is offline, `ENOENT`/`EOPNOTSUPP` for a clock that the
    /// machine does not have.
    pub fn start(clock: Clock, period: u64, cpu: u32, program: BorrowedFd<'_>) -> io::Result<Self> {
        let mut attributes = attributes();
        (attributes.type_, attributes.config) = clock.event();
        attributes.__bindgen_anon_1.sample_period = period;
        attributes.set_disabled(1);
        let event = open(&attributes, -1, cpu as i32)?;
        ioctl(
            &event,
            PERF_EVENT_IOC_SET_BPF,
            program.as_raw_fd() as libc::c_ulong,
        )?;
        ioctl(&event, PERF_EVENT_IOC_ENABLE, 0)?;
        Ok(Self {
            cpu,
            event,
            clock,
            period,
            count: 0,
        })
    }

    /// How many periods passed since the last call, by perf's own count: that many samples there should have been.
    ///
    /// # Errors
    /// If the event cannot be read or stands still: its CPU was offline. An event does not come back with its CPU
    /// (`perf_event_exit_cpu`, kernel/events/core.c).
    pub fn periods(&mut self) -> io::Result<u64> {
        let mut count = [0u8; 8];
        // SAFETY: the buffer is valid for writes of its size.
        let got = unsafe { libc::read(self.event.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
        if got != 8 {
            return Err(io::Error::last_os_error());
        }
        let before = std::mem::replace(&mut self.count, u64::from_ne_bytes(count));
        if self.clock == Clock::CpuClock && self.count == before {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let period = self.period.max(1);
        Ok((self.count / period).saturating_sub(before / period))
    }
}

/// An `ioctl` of perf with an integer argument.
pub(super) fn ioctl(event: &OwnedFd, request: libc::c_ulong, argument: libc::c_ulong) -> io::Result<()> {
    // SAFETY: these requests take an integer, not a pointer.
    if unsafe { libc::ioctl(event.as_raw_fd(), request, argument) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
