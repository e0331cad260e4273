//! Memory that is not used any more goes back to the host.

/// Larger pieces than this are mapped one by one, and given back when they are freed, in bytes: tables of symbols and of
/// unwinding come and go.
#[cfg(target_env = "gnu")]
const MAPPED: i32 = 256 << 10;

/// To be called once, before much is allocated. glibc would map only ever larger pieces one by one, up to 32 MB, once some
/// were freed (`M_MMAP_THRESHOLD` in mallopt(3)); the others leave holes that nobody else can use. Other C libraries have
/// no such setting.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it changes a setting of the allocator, which takes it at any time; what it does not take it leaves as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
    }
}
