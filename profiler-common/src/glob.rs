//! `--comm`: a glob over thread names, compiled to a table of bits, so that the kernel side runs it without a branch.
//!
//! The pattern is a set of positions, one bit each (Baeza-Yates and Gonnet's Shift-And, "A new approach to text
//! searching", CACM 1992). The verifier follows every branch, and a matcher that branches on each character of the
//! pattern costs it more than the million instructions that it may look at.

/// Bytes of a thread's name in the kernel, with the zero that ends it (`TASK_COMM_LEN`, include/linux/sched.h).
pub const COMM_LEN: usize = 16;

/// The longest pattern, in characters. Two bits of the set are for the end.
pub const MAX_PATTERN: usize = 62;

/// A compiled pattern: `*` is any text, `?` any one character.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glob {
    /// For each byte, the positions that it takes one step further. Byte 0 ends the name and steps over the end.
    steps: [u64; 256],
    /// Positions that any byte leaves as they are: `*`, and the end once it is reached.
    stays: u64,
    /// Where it starts.
    start: u64,
    /// The end reached.
    accept: u64,
}

impl Glob {
    /// Matches nothing.
    pub const NOTHING: Self = Self {
        steps: [0; 256],
        stays: 0,
        start: 0,
        accept: 0,
    };

    /// Compiles `pattern`; `None` if it has more than [`MAX_PATTERN`] characters or a zero.
    pub fn compile(pattern: &[u8]) -> Option<Self> {
        if pattern.len() > MAX_PATTERN || pattern.contains(&0) {
            return None;
        }
        let mut glob = Self::NOTHING;
        let mut position = 0;
        for &expected in pattern {
            match expected {
                // Text may be empty: stars make no step of their own, so several in a row are as good as one.
                b'*' => glob.stays |= 1 << position,
                b'?' => {
                    for step in &mut glob.steps[1..] {
                        *step |= 1 << position;
                    }
                    position += 1;
                }
                literal => {
                    glob.steps[literal as usize] |= 1 << position;
                    position += 1;
                }
            }
        }
        glob.steps[0] |= 1 << position;
        glob.start = 1;
        glob.accept = 1 << (position + 1);
        glob.stays |= glob.accept;
        Some(glob)
    }
}

/// Whether the zero-terminated `name` matches the pattern at `glob`.
///
/// # Safety
/// `glob` is valid for reads. They are volatile: read-only data is filled in after compilation.
#[inline(always)]
pub unsafe fn matches(glob: *const Glob, name: &[u8; COMM_LEN]) -> bool {
    use core::ptr::{addr_of, read_volatile};
    macro_rules! read {
        ($($field:tt)+) => {{
            // SAFETY: the caller's promise; a byte is always inside the table.
            let place = unsafe { addr_of!((*glob).$($field)+) };
            // SAFETY: as above.
            unsafe { read_volatile(place) }
        }};
    }
    let stays = read!(stays);
    let mut reached = read!(start);
    let mut at = 0;
    while at < COMM_LEN {
        let steps = read!(steps[name[at] as usize]);
        reached = ((reached & steps) << 1) | (reached & stays);
        at += 1;
    }
    reached & read!(accept) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let mut zero_terminated = [0; COMM_LEN];
        zero_terminated[..name.len()].copy_from_slice(name.as_bytes());
        let glob = Glob::compile(pattern.as_bytes()).unwrap();
        // SAFETY: a reference is valid for reads.
        unsafe { super::matches(&raw const glob, &zero_terminated) }
    }

    #[test]
    fn globs() {
        assert!(matches("redis*", "redis-server"));
        assert!(matches("redis*", "redis"));
        assert!(matches("*server", "redis-server"));
        assert!(matches("*s*s*", "redis-server"));
        assert!(matches("**r**", "redis-server"));
        assert!(matches("k?orker", "kworker"));
        assert!(matches("*", ""));
        assert!(matches("", ""));
        assert!(matches("abcdefghijklmno", "abcdefghijklmno"));
        assert!(matches("a*b", "abab"));
        assert!(!matches("", "a"));
        assert!(!matches("redis", "redis-server"));
        assert!(!matches("server", "redis-server"));
        assert!(!matches("?", ""));
        assert!(!matches("*?", ""));
        assert!(!matches("a*b", "ac"));
        assert!(!matches("abcdefghijklmnopq", "abcdefghijklmno"));
    }

    #[test]
    fn too_long_or_with_a_zero() {
        assert!(Glob::compile(&[b'a'; MAX_PATTERN]).is_some());
        assert!(Glob::compile(&[b'a'; MAX_PATTERN + 1]).is_none());
        assert!(Glob::compile(b"a\0").is_none());
    }

    /// Against a matcher that is slow and plainly right, for all short patterns and names over two letters.
    #[test]
    fn agrees_with_the_definition() {
        fn definition(pattern: &[u8], name: &[u8]) -> bool {
            match pattern.split_first() {
                None => name.is_empty(),
                Some((b'*', rest)) => (0..=name.len()).any(|skipped| definition(rest, &name[skipped..])),
                Some((expected, rest)) => name.split_first().is_some_and(|(first, others)| {
                    (expected == first || *expected == b'?') && definition(rest, others)
                }),
            }
        }
        let words = |letters: &[u8], longest: u32| {
            let count = letters.len();
            let mut words = Vec::new();
            for length in 0..=longest {
                for number in 0..count.pow(length) {
                    let word: String = (0..length)
                        .map(|place| letters[number / count.pow(place) % count] as char)
                        .collect();
                    words.push(word);
                }
            }
            words
        };
        for pattern in words(b"ab*?", 5) {
            for name in words(b"ab", 5) {
                let expected = definition(pattern.as_bytes(), name.as_bytes());
                assert_eq!(matches(&pattern, &name), expected, "{pattern} {name}");
            }
        }
    }
}
