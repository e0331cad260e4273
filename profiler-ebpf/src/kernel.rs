//! Reading kernel memory.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// A value in kernel memory; `None` if it cannot be read.
#[inline(always)]
pub(crate) fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// A pointer in a kernel structure that the verifier knows by its type: a plain load. What comes is again of a known type,
/// unless the field is a pointer to a pointer or to nothing in particular.
///
/// # Safety
/// `structure` is a pointer that the verifier knows by its type, and such a field lies at `offset`.
#[inline(always)]
pub(crate) unsafe fn field<T>(structure: u64, offset: u32) -> T {
    let address = (structure as *const u8).wrapping_add(offset as usize).cast::<T>();
    // SAFETY: the caller's promise; the kernel makes a bad address read as zero.
    unsafe { core::ptr::read_volatile(address) }
}

/// The address that a pointer of a known type holds, as a number: the verifier does not let one calculate with the pointer
/// itself.
#[inline(always)]
pub(crate) fn address(pointer: u64) -> u64 {
    let place = pointer;
    read(&raw const place as u64).unwrap_or(0)
}
