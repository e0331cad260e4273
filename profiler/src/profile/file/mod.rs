//! The trace file: a row of deltas, in chunks that stand for themselves.
//!
//! A trace is only ever appended to. Each flush of the recorder (about once a second) is a [`Delta`](super::Delta),
//! written as one chunk for each table that has something new, what is referred to before what refers to it. A recorder
//! that is killed therefore leaves a trace that is good up to its last flush; only a chunk that was being written is
//! torn. A trace needs no seeking to be written or read, so it may be a pipe.
//!
//! The rest of this page is the format, version 1.3. All fixed-size numbers are little-endian. `crc32` is the checksum
//! of zip and gzip (polynomial 0x04c11db7, reflected).
//!
//! # File header, 40 bytes
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `89 50 52 46 0d 0a 1a 0a` |
//! | 8 | 2 | major version: a reader refuses another than its own |
//! | 10 | 2 | minor version: a reader reads a newer one, and leaves out what it does not know |
//! | 12 | 4 | length of this header, a multiple of 8: the first chunk is there |
//! | 16 | 16 | random UUID of the recording |
//! | 32 | 4 | 0 |
//! | 36 | 4 | crc32 of bytes 0 to 35 |
//!
//! # Chunk: header of 64 bytes, payload, zero bytes up to a multiple of 8
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `c4 63 68 6b` |
//! | 4 | 2 | kind, see below; a reader steps over a kind it does not know |
//! | 6 | 2 | flags: 1, the payload is one zstd frame. With any other flag, the chunk is of a kind that is not known |
//! | 8 | 4 | length of the payload as stored, at most 64 MiB |
//! | 12 | 4 | length of the payload uncompressed, at most 64 MiB, and at most 4096 + 256 × the length as stored |
//! | 16 | 8 | number of the chunk, from 0 |
//! | 24 | 8 | number of this kind's rows in the chunks before, which is the number of the first row |
//! | 32 | 4 | rows, at most 2^20 |
//! | 36 | 4 | crc32 of the payload as stored |
//! | 40 | 8 | earliest time in the chunk, in nanoseconds since the recording began |
//! | 48 | 8 | latest time; in kinds without times, both are the latest time of the chunks before |
//! | 56 | 4 | 0 |
//! | 60 | 4 | crc32 of bytes 0 to 59 |
//!
//! Rows are referred to by their number. Because a header says which rows follow, a damaged chunk costs its own rows and
//! shifts no others. A reader that meets a bad header looks for the next good one; a reader that meets rows again that
//! it has already leaves them out.
//!
//! # Payload: columns
//!
//! A *varint* is a number in 7 bits a byte, least significant first, with the high bit set in all bytes but the last; at
//! most 10 bytes. A payload begins with a varint count of columns, and for each column three varints: its id, its
//! encoding, its length in bytes. The bytes of the columns follow in the same order. A reader steps over a column that it
//! does not know, and takes one that is not there for zeros or empty texts; column 1 is always there. What follows the
//! last column is left alone.
//!
//! | encoding | | |
//! |---|---|---|
//! | 1 | n | a varint for each value |
//! | 2 | d | a varint for each value's difference from the value before (from 0 for the first), modulo 2^64, zig-zag: 0, -1, 1, -2, … are 0, 1, 2, 3, … |
//! | 3 | t | for each value a varint length and as many bytes; texts are UTF-8, and a writer cuts them at 64 KiB |
//!
//! A list is a column of lengths and one or more columns with the items of all lists in a row.
//!
//! | kind | rows | columns: id, encoding, meaning |
//! |---|---|---|
//! | 1 | [metadata](super::Metadata); the last one counts | 1t host, 2t kernel release, 3t machine, 4t kernel build id, 5n CPUs, 6t recorder, 7n+8t command line, 9n+10t target command, 11n+12t filters, 13t clock, 14n frequency, 15n period, 16n start (monotonic), 17n start (Unix), 18n kernel stacks 0/1, 19n user stacks 0/1, 20n most user frames |
//! | 2 | [sample types](super::SampleType) | 1t name, 2n unit (0 nanoseconds, 1 count, 2 bytes) |
//! | 3 | [processes](super::Process) | 1d pid, 2d parent, 3t name, 4t executable, 5t cgroup, 6t unit, 7t container, 8d first seen, 9n kernel thread 0/1 |
//! | 4 | [mappings](super::Mapping) | 1n what backs it (0 file, 1 file by offset, 2 kernel, 3 kernel module, 4 vDSO, 5 anonymous, 6 unknown), 2n process (5 and 6 only, else 0), 3t path, 4t build id (bytes) |
//! | 5 | [locations](super::Location) | 1n mapping, 2d address |
//! | 6 | [stacks](super::Stack) | 1n how many rows before this one the caller is, 0: no caller; 2d location |
//! | 7 | [threads](super::Thread) | 1d process, 2d tid, 3t name |
//! | 8 | [samples](super::Sample) | 1d time, 2n thread, 3n 0: no stack, else stack + 1; 4n sample type, 5n [outcome](super::Outcome) (0 complete, 1 no user stack, 2 too deep, 3 no mappings, 4 unmapped code, 5 no unwind information, 6 unsupported rule, 7 unreadable stack, 8 not outward, 9 nested, 10 compat, 11 wait outside a system call), 6n CPU, 7d value, 8n [waker](super::Waker) (0 unknown, 1 nobody, 2 interrupt, 3 + n thread n); since 1.1, and there only if one is known |
//! | 9 | [functions](super::Function) | 1t name, 2t file |
//! | 10 | [lines](super::Line) of locations; a later row for a location counts | 1d location, 2n lines of it; of all lines: 3d function, 4d line number |
//! | 11 | [quality windows](super::QualityWindow) | 1d start, 2d end, 3n samples, 4n idle, 5n filtered, 6n expected, 7n+8t reasons of loss, 9n their counts, 10n own CPU time, 11n BPF run time, 12n time over which it was measured, 13n host busy, 14n host idle; since 1.1: 15n slow calls not kept, 16n+17t probes that were shed, 18n for how long |
//! | 12 | no row, no payload: the recording ended in good order | |
//! | 13 | [spans of threads](super::ThreadTime); since 1.1 | 1d thread, 2d start, 3n which states it was in: bit n is set if it was in state n (0 running, 1 runnable, 2 disk, 3 network, 4 IPC, 5 lock, 6 page fault, 7 sleep, 8 events, 9 stopped, 10 blocked, 11 unknown); 4n of all spans, nanoseconds for each bit that is set, lowest bit first; 5n waits, 6n preemptions, 7d how much longer the span is than its states together, modulo 2^64: most often 0; since 1.3: 8n of all spans that ran, 0: calls were not recorded, else 1 + nanoseconds of it in system calls. Time in a state that is not known is in state 11 |
//! | 14 | targets of slow events; since 1.1 | 1t text |
//! | 15 | [latencies](super::Latency); since 1.1 | 1d process, 2n operation (0 system call, 1 32-bit system call, 2 io_uring, 3 run queue; at a block device: 4 read, 5 write, 6 flush, 7 discard, 8 other; on the way to it: 9 read, 10 write, 11 flush, 12 discard, 13 other; since 1.2: 14 + n waiting for a kernel lock in way n, see kind 18; since 1.3: 64 page fault), 3n number of the call or opcode (0 to 2 only, else 0), 4n object (0 none, 1 file, 2 block device, 3 device, 4 terminal, 5 socket, 6 local socket, 7 pipe, 8 event), 5n device, 6d start, 7d how much later the end is, 8d how much larger the count is than that of all buckets, 9n minimum, 10n how much larger the maximum is, 11n how much larger than that the total is (all three modulo 2^64), 12n errors of it; of all errors: 13n errno, 14n count; 15n buckets of it, in ascending order; of all buckets: 16d bucket, 17n count. Bucket 0 is what took less than 64 ns, bucket 1 + 8 o + s begins at (8 + s) 2^(o + 3) ns, and the last is 248. A row whose operation is not known is left out |
//! | 16 | [slow events](super::SlowEvent); since 1.1 | 1d end, 2n duration, 3n thread, 4n extent (0 whole, 1 begun before, 2 not ended, 3 throughout), 5n operation, 6n its number, 7n object, as in latencies; 8n 0: no target, else target + 1; 9n result, zig-zag, 10n of all events, six arguments each; 11n stack, 12n outcome, 13n wait, 14n waker, as in samples; since 1.2: 15n when it was woken: 0 unknown, else 1 + how much earlier than the end, zig-zag. A row whose operation is not known is left out |
//! | 17 | [locks](super::Lock); since 1.2 | 1n 0: the kernel's, else process + 1; 2d address, 3n 0: no place known, else mapping + 1; 4d address in the mapping's file, 5t name |
//! | 18 | [waits for locks](super::LockWait); since 1.2 | 1d end, 2n duration, 3n how much longer it is than what it was judged by, zig-zag; 4d threshold, 5n thread, 6n lock, 7n [way of waiting](super::Contention) (futex: 0 wait, 1 wait for bits, 2 priority inheritance, 3 wait and requeue, 4 several words; kernel: 5 spin, 6 read, 7 write, 8 mutex, 9 semaphore for reading, 10 for writing, 11 per-CPU for reading, 12 for writing, 13 real-time mutex, 14 other semaphore), 8n value expected, 9n extent as in slow events, 10n errno, 11n owner, 12n waker, as in samples; 13n when it was woken, as in slow events; 14n stack, 15n outcome, as in samples. A row whose way is not known is left out |
//! | 19 | [stacks of calls](super::CallStack); since 1.2 | 1d start, 2n how much later the end is, 3n thread, 4n stack, 5n outcome, as in samples |
//!
//! Times are below 2^62. Neither all values nor all counters nor all spans add up to 2^63 or more, nor do the counts and
//! totals of all latencies, nor the durations and waits of all slow events, nor the durations of all waits for locks and
//! what those were judged by.
//!
//! # Versions
//!
//! Numbers of kinds, columns and values are never used anew. A new kind of chunk, a new column at the end of a kind or a
//! new value of an enumeration is a new minor version; anything that an older reader would misread is a new major one.
//! To add a column: write and read it in `rows` or the file of its kind, raise `LAST_COLUMN` there and `MINOR` in `container`, and
//! name it in the table above.

mod assemble;
mod chunks;
mod columns;
mod container;
mod create;
mod encode;
mod ids;
mod latencies;
mod locks;
mod looks_like;
mod notes;
mod once;
mod operations;
mod reader;
mod rows;
mod slow;
mod spans;
mod writer;

pub use assemble::DAMAGED;
pub use create::invoking_user;
pub use reader::{Loaded, Problem, ReadError, read, read_from};
pub use writer::{WriteError, Writer};

#[cfg(test)]
mod tests;
