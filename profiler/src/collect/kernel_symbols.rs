//! What of `/proc/kallsyms` the recording itself needs: the functions that tracing puts on a stack, and variables.

use std::{
    fs::File,
    io::{BufRead, BufReader},
};

/// Functions between a tracepoint and a BPF program on it (`include/trace/bpf_probe.h`, `kernel/trace/bpf_trace.c`).
const TRACING: [&str; 4] = ["__traceiter_", "__bpf_trace_", "bpf_trace_run", "bpf_prog_"];
/// So many frames at most are tracing's own.
const MOST_TRACING: usize = 8;

/// Symbols of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelSymbols {
    /// Functions of tracing: begin and one past the end.
    tracing: Vec<(u64, u64)>,
    /// Variables, in the order of their addresses. Kernels without `CONFIG_KALLSYMS_ALL` have none.
    variables: Vec<(u64, Box<str>)>,
}

impl KernelSymbols {
    /// Those of the running kernel; none if they are hidden.
    pub fn read() -> Self {
        match File::open("/proc/kallsyms") {
            Ok(file) => parse(BufReader::new(file)),
            Err(_) => Self::default(),
        }
    }

    /// A stack without the frames that are there because it was traced.
    pub fn without_tracing<'a>(&self, frames: &'a [u64]) -> &'a [u64] {
        let is_tracing = |frame: &u64| {
            let after = self.tracing.partition_point(|(begin, _)| begin < frame);
            self.tracing[..after].last().is_some_and(|(_, end)| frame <= end)
        };
        let first = frames.iter().take(MOST_TRACING).rposition(is_tracing);
        &frames[first.map_or(0, |last| last + 1)..]
    }

    /// The variable at an address.
    pub fn variable(&self, address: u64) -> Option<String> {
        /// Kallsyms has no sizes: a lock further into a variable than this is taken for another's.
        const LARGEST: u64 = 4096;
        let after = self.variables.partition_point(|(begin, _)| *begin <= address);
        let (begin, name) = self.variables[..after].last()?;
        match address - begin {
            0 => Some(name.to_string()),
            offset if offset < LARGEST => Some(format!("{name}+{offset:#x}")),
            _ => None,
        }
    }
}

/// Lines are `address type name [module]`.
fn parse(lines: impl BufRead) -> KernelSymbols {
    let mut symbols = KernelSymbols::default();
    // Functions are not in order, and a function ends where the next one begins.
    let mut functions: Vec<(u64, bool)> = Vec::new();
    for line in lines.lines().map_while(Result::ok) {
        let mut fields = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else {
            continue;
        };
        if address == 0 {
            continue;
        }
        match kind {
            "t" | "T" | "w" | "W" => {
                let is_tracing = TRACING.iter().any(|begin| name.starts_with(begin));
                functions.push((address, is_tracing));
            }
            "d" | "D" | "b" | "B" => symbols.variables.push((address, name.into())),
            _ => {}
        }
    }
    symbols.variables.sort_unstable();
    functions.sort_unstable();
    symbols.tracing = functions
        .iter()
        .enumerate()
        .filter(|(_, (_, is_tracing))| *is_tracing)
        .map(|(at, &(begin, _))| {
            let next = functions[at..].iter().find(|(address, _)| *address > begin);
            (begin, next.map_or(begin + LAST_FUNCTION, |(end, _)| *end))
        })
        .collect();
    symbols
}

/// The last function of all is taken to have so many bytes.
const LAST_FUNCTION: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const KALLSYMS: &str = "ffffffff81000400 T __traceiter_contention_end\nffffffff81000500 T lock_slowpath\n\
        ffffffff81000100 T bpf_trace_run2\nffffffff81000200 T other\nffffffff82000000 D init_mm\n\
        ffffffff82002000 b tasklist_lock\n0000000000000000 A hidden\nffffffffc0000000 t bpf_prog_1234_locks_end\t[bpf]\nx\n";

    #[test]
    fn frames_of_tracing_are_left_out() {
        let symbols = parse(KALLSYMS.as_bytes());
        let stack = [
            0xffff_ffff_c000_0040,
            0xffff_ffff_8100_0180,
            0xffff_ffff_8100_0450,
            0xffff_ffff_8100_0520,
            0xffff_ffff_8100_0210,
        ];
        assert_eq!(symbols.without_tracing(&stack), &stack[3..]);
        assert_eq!(symbols.without_tracing(&stack[3..]), &stack[3..]);
        assert_eq!(symbols.without_tracing(&[]), &[] as &[u64]);
    }

    #[test]
    fn variables_have_names() {
        let symbols = parse(KALLSYMS.as_bytes());
        assert_eq!(symbols.variable(0xffff_ffff_8200_2000).unwrap(), "tasklist_lock");
        assert_eq!(symbols.variable(0xffff_ffff_8200_0010).unwrap(), "init_mm+0x10");
        assert_eq!(symbols.variable(0xffff_ffff_8200_1800), None);
        assert_eq!(symbols.variable(0x1000), None);
    }
}
