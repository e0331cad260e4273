//! What user space fixes before the programs are loaded, and the sizes both sides know.

/// The most user frames a stack may have. A power of two, so that the verifier sees the bound in a mask.
pub const MAX_USER_FRAMES: usize = 512;

/// The most kernel frames: the kernel's own default of `kernel.perf_event_max_stack`.
pub const MAX_KERNEL_FRAMES: usize = 127;

/// Scratch spaces a CPU: programs nest in each other (tracepoint in tracepoint, sampler in either).
pub const SCRATCH_PER_CPU: u32 = 4;

/// Slots a CPU that remember which stacks were sent already, direct-mapped by hash.
pub const SEEN_SLOTS: u32 = 16_384;

/// Bytes of stack memory copied at most for a sample that user space has to finish.
pub const STACK_COPY_MAX: usize = 32 * 1024;

/// The page size, which is the step of a stack copy: one absent page fails a whole read.
pub const PAGE: usize = 4096;

/// What the programs do; user space sets it in read-only data, so that the verifier prunes what is off.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What to record and what to leave out: the `FLAG_*` constants.
    pub flags: u32,
    /// The most user frames a stack may have.
    pub max_user_frames: u32,
    /// Nanoseconds (or cycles) that one sample stands for.
    pub period: u64,
    /// Copies of stack memory a CPU and second at most.
    pub copies_per_second: u32,
    /// Bytes of used ring buffer from which the reader is woken.
    pub wake_at: u32,
    /// This program's own process id in the host's namespace; it is sampled like any other.
    pub own_pid: u32,
    /// How many entries of the mapping pool there are.
    pub mapping_pool: u32,
    /// `--comm`: the pattern, zero-padded. `*` any text, `?` any character.
    pub comm: [u8; COMM_PATTERN],
    /// Byte offsets in kernel structures, from BTF.
    pub offsets: Offsets,
}

/// The longest `--comm` pattern.
pub const COMM_PATTERN: usize = 32;

/// Byte offsets in `struct task_struct`, from the running kernel's BTF: Rust has no CO-RE relocations.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.pid`: what user space calls tid.
    pub task_pid: u32,
    /// `task_struct.tgid`: what user space calls pid.
    pub task_tgid: u32,
    /// `task_struct.flags`.
    pub task_flags: u32,
    /// Not used; 0.
    pub reserved: u32,
}

/// Record user stacks.
pub const FLAG_USER: u32 = 1;
/// Record kernel stacks.
pub const FLAG_KERNEL: u32 = 2;
/// Only processes in the table of targets (`-p`, `-- COMMAND`); forks of a target are targets.
pub const FLAG_BY_PID: u32 = 4;
/// Only threads in the table of target threads (`-t`).
pub const FLAG_BY_TID: u32 = 8;
/// Only tasks under the cgroup in the cgroup array (`-G`).
pub const FLAG_BY_CGROUP: u32 = 16;
/// Only threads whose name matches `Config::comm`.
pub const FLAG_BY_COMM: u32 = 32;

/// Log what the process hooks see (`-vv`).
pub const FLAG_LOG: u32 = 64;

/// Whether `name` (zero-padded) matches `pattern` (zero-padded): `*` is any text, `?` any character.
///
/// Runs the pattern as a set of positions, one bit each, so that the time is bounded however many `*` there are.
#[inline(always)]
pub fn comm_matches(pattern: &[u8; COMM_PATTERN], name: &[u8; 16]) -> bool {
    // Bit p: the text read so far matches the first p characters of the pattern.
    let mut reached = skip_stars(pattern, 1);
    let mut at = 0;
    while at < 16 {
        let character = name[at];
        if character == 0 {
            break;
        }
        let mut next = 0u64;
        let mut p = 0;
        while p < COMM_PATTERN {
            if reached & (1 << p) != 0 {
                let expected = pattern[p];
                if expected == b'*' {
                    next |= 1 << p;
                } else if expected == character || expected == b'?' {
                    next |= 1 << (p + 1);
                }
            }
            p += 1;
        }
        reached = skip_stars(pattern, next);
        at += 1;
    }
    let mut length = 0;
    while length < COMM_PATTERN && pattern[length] != 0 {
        length += 1;
    }
    reached & (1 << length) != 0
}

/// A `*` may stand for no text at all: whoever stands before it also stands behind it.
#[inline(always)]
fn skip_stars(pattern: &[u8; COMM_PATTERN], mut reached: u64) -> u64 {
    let mut p = 0;
    while p < COMM_PATTERN {
        if reached & (1 << p) != 0 && pattern[p] == b'*' {
            reached |= 1 << (p + 1);
        }
        p += 1;
    }
    reached
}

#[cfg(feature = "user")]
// SAFETY: `Config` is `repr(C)` of integers; its sizes leave no padding (checked by the test below).
unsafe impl aya::Pod for Config {}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let (mut p, mut n) = ([0; COMM_PATTERN], [0; 16]);
        p[..pattern.len()].copy_from_slice(pattern.as_bytes());
        n[..name.len()].copy_from_slice(name.as_bytes());
        comm_matches(&p, &n)
    }

    #[test]
    fn comm_globs() {
        assert!(matches("redis*", "redis-server"));
        assert!(matches("*server", "redis-server"));
        assert!(matches("*s*s*", "redis-server"));
        assert!(matches("k?orker", "kworker"));
        assert!(matches("*", ""));
        assert!(matches("abcdefghijklmnop", "abcdefghijklmnop"));
        assert!(!matches("redis", "redis-server"));
        assert!(!matches("server", "redis-server"));
        assert!(!matches("?", ""));
        assert!(!matches("a*b", "ac"));
    }

    #[test]
    fn config_has_no_padding() {
        let fields = 4 + 4 + 8 + 4 + 4 + 4 + 4 + COMM_PATTERN + 16;
        assert_eq!(size_of::<Config>(), fields);
    }
}
