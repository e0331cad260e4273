//! Perf's side band: process life told by the kernel, one ring a CPU.
//!
//! A dummy event counts nothing; it is there for the records that come with it: names, executable mappings with build
//! ids, threads that begin and end. A process that lives 3 ms is in it like any other.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use aya_obj::generated::{
    perf_event_mmap_page, perf_event_sample_format::PERF_SAMPLE_TIME, perf_sw_ids::PERF_COUNT_SW_DUMMY,
    perf_type_id::PERF_TYPE_SOFTWARE,
};

use super::{
    decode::{self, SideBand},
    event::Event,
    perf_event,
};

const PAGE: usize = 4096;
/// Data pages of a ring, a power of two: 256 KiB hold some 2,000 records.
const DATA_PAGES: usize = 64;

/// The side band of one CPU.
#[derive(Debug)]
pub struct Ring {
    /// The CPU.
    pub cpu: u32,
    event: OwnedFd,
    memory: *mut u8,
    /// Where to put a record that wraps around the end of the ring.
    scratch: Vec<u8>,
}

// SAFETY: the mapping belongs to this value alone, and moves with it.
unsafe impl Send for Ring {}

impl Ring {
    /// Opens the side band of `cpu`.
    ///
    /// # Errors
    /// Those of `perf_event_open(2)` and `mmap(2)`.
    pub fn open(cpu: u32) -> io::Result<Self> {
        let mut attributes = perf_event::attributes();
        attributes.type_ = PERF_TYPE_SOFTWARE as u32;
        attributes.config = PERF_COUNT_SW_DUMMY as u64;
        attributes.sample_type = PERF_SAMPLE_TIME as u64;
        attributes.set_sample_id_all(1);
        attributes.set_mmap(1);
        attributes.set_mmap2(1);
        attributes.set_build_id(1);
        attributes.set_comm(1);
        attributes.set_comm_exec(1);
        attributes.set_task(1);
        attributes.set_use_clockid(1);
        attributes.clockid = libc::CLOCK_MONOTONIC;
        let event = perf_event::open(&attributes, -1, cpu as i32)?;
        let bytes = (1 + DATA_PAGES) * PAGE;
        let (access, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping, where the kernel likes.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, shared, event.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            cpu,
            event,
            memory: memory.cast(),
            scratch: Vec::new(),
        })
    }

    /// The descriptor, readable when records wait.
    pub fn fd(&self) -> i32 {
        self.event.as_raw_fd()
    }

    fn head(&self) -> &AtomicU64 {
        let page = self.memory.cast::<perf_event_mmap_page>();
        // SAFETY: the first page of the mapping is this structure, which lives as long as `self`.
        let head = unsafe { &raw mut (*page).data_head };
        // SAFETY: aligned, valid, and written by the kernel with release semantics.
        unsafe { AtomicU64::from_ptr(head) }
    }

    fn tail(&self) -> &AtomicU64 {
        let page = self.memory.cast::<perf_event_mmap_page>();
        // SAFETY: as in `head`.
        let tail = unsafe { &raw mut (*page).data_tail };
        // SAFETY: aligned, valid, and read by the kernel.
        unsafe { AtomicU64::from_ptr(tail) }
    }

    /// Copies `bytes` bytes at position `at` of the stream into the scratch buffer.
    fn copy(&mut self, at: u64, bytes: usize) {
        let size = DATA_PAGES * PAGE;
        let start = at as usize % size;
        let first = bytes.min(size - start);
        self.scratch.clear();
        for (from, length) in [(start, first), (0, bytes - first)] {
            // SAFETY: the data pages follow the first page, and `from + length` is at most their size.
            let data = unsafe { self.memory.add(PAGE + from) };
            // SAFETY: as above; the kernel does not write between tail and head.
            self.scratch
                .extend_from_slice(unsafe { std::slice::from_raw_parts(data, length) });
        }
    }

    /// Takes all records that wait. Returns how many the kernel had to drop.
    pub fn drain(&mut self, events: &mut Vec<Event>) -> u64 {
        let head = self.head().load(Ordering::Acquire);
        let mut tail = self.tail().load(Ordering::Relaxed);
        let mut lost = 0;
        while tail < head {
            self.copy(tail, 8);
            let size = usize::from(u16::from_ne_bytes([self.scratch[6], self.scratch[7]]));
            if size < 8 {
                // Not a record: the stream is out of step, which the kernel does not do. Start over behind it.
                lost += 1;
                tail = head;
                break;
            }
            self.copy(tail, size);
            match decode::side_band(&self.scratch) {
                Ok(SideBand::Event(event)) => events.push(event),
                Ok(SideBand::Lost(count)) => lost += count,
                Ok(SideBand::Other) => {}
                Err(_) => lost += 1,
            }
            tail += size as u64;
        }
        self.tail().store(tail, Ordering::Release);
        lost
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `open`, of that size.
        unsafe { libc::munmap(self.memory.cast(), (1 + DATA_PAGES) * PAGE) };
    }
}
