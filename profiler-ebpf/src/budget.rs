//! What may be done so often a second and CPU.

use aya_ebpf::maps::PerCpuArray;

/// How often it may still be done in the second that began at `since`.
#[repr(C)]
pub(crate) struct Budget {
    since: u64,
    left: u64,
}

const SECOND: u64 = 1_000_000_000;

/// Whether it may be done at `now`, if it may be done so often a second.
#[inline(always)]
pub(crate) fn allows(budget: &PerCpuArray<Budget>, now: u64, a_second: u32) -> bool {
    let Some(budget) = budget.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: a map value is valid, and only this CPU uses this copy.
    let budget = unsafe { &mut *budget };
    if now.wrapping_sub(budget.since) >= SECOND {
        *budget = Budget {
            since: now,
            left: u64::from(a_second),
        };
    }
    if budget.left == 0 {
        return false;
    }
    budget.left -= 1;
    true
}
