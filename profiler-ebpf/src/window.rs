//! A piece of the user stack, read ahead: a walk reads from low addresses to high ones, a few words a frame, and the
//! cost of a read is the call, not the bytes (64 ns for 16 bytes, 80 ns for 512).

use aya_ebpf::helpers::{bpf_probe_read_user, generated::bpf_probe_read_user as read_bytes};

/// Words of a window. A power of two, so that the verifier sees the bound in a mask.
const WORDS: usize = 64;
const BYTES: u64 = WORDS as u64 * 8;
const PAGE: u64 = profiler_common::config::PAGE as u64;

/// Words of stack memory that lie side by side.
#[repr(C)]
pub(crate) struct Window {
    /// The address of the first word.
    begin: u64,
    /// How many bytes are there; 0: none yet.
    pub(crate) bytes: u64,
    words: [u64; WORDS],
}

impl Window {
    /// The word at `address`; `None` if it cannot be read without a page fault.
    #[inline(always)]
    pub(crate) fn read(&mut self, address: u64) -> Option<u64> {
        let mut offset = address.wrapping_sub(self.begin);
        if address & 7 != 0 {
            // SAFETY: the helper checks the address; a fault is an error, not a page-in.
            return unsafe { bpf_probe_read_user(address as *const u64) }.ok();
        }
        if offset >= self.bytes {
            self.fill(address)?;
            offset = 0;
        }
        Some(self.words[(offset >> 3) as usize & (WORDS - 1)])
    }

    /// Reads ahead from `address`, which is a multiple of 8, but not into the next page: it may not be there.
    #[inline(always)]
    fn fill(&mut self, address: u64) -> Option<()> {
        let left = PAGE - (address & (PAGE - 1));
        let bytes = if left < BYTES { left } else { BYTES };
        // The masks tell the verifier what the comparison has told us, also on Linux 6.1.
        let bytes = ((bytes - 1) & (BYTES - 1)) + 1;
        self.bytes = 0;
        let place = (&raw mut self.words).cast();
        // SAFETY: the window has room for that many bytes; the helper checks the address.
        if unsafe { read_bytes(place, bytes as u32, address as *const _) } != 0 {
            return None;
        }
        self.begin = address;
        self.bytes = bytes;
        Some(())
    }
}
