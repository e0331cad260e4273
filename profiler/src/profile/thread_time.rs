//! How threads spent their time, exactly: not sampled, but measured at every switch.

use serde::{Deserialize, Serialize};

use super::{process::Thread, table::Id};

pub use profiler_common::state::State;

/// How a thread spent a span of time. The spans of a thread follow each other without a gap from the moment it was
/// first seen until it ended or the recording did; a thread that did the same all the time has one long span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadTime {
    /// The thread.
    pub thread: Id<Thread>,
    /// When the span begins, in nanoseconds since the recording began.
    pub start_ns: u64,
    /// When it ends.
    pub end_ns: u64,
    /// Nanoseconds in each [`State`], by its discriminant. Their sum is the span's length.
    pub ns: [u64; State::COUNT],
    /// How often it left the CPU to wait.
    pub waits: u32,
    /// How often it was taken off the CPU though it could have gone on.
    pub preemptions: u32,
}
