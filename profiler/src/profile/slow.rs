//! Single operations that took long, with all that is known of them.

use serde::{Deserialize, Serialize};

use super::{
    latency::{ObjectKind, Operation},
    process::Thread,
    sample::{Outcome, Waker},
    stack::Stack,
    table::Id,
};

/// What an operation was on, in words: a path, or a peer's address. Untrusted text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target(pub String);

/// How much of an operation the recording saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Extent {
    /// All of it.
    Whole,
    /// It ran when the recording began: its duration counts from then.
    BegunBefore,
    /// It still ran when the recording ended: its duration counts until then.
    NotEnded,
    /// It ran all through the recording.
    Throughout,
}

/// An operation that took longer than the threshold at its time, or that the recording did not see all of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowEvent {
    /// Who.
    pub thread: Id<Thread>,
    /// When it ended, in nanoseconds since the recording began.
    pub end_ns: u64,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    /// How much of it was seen.
    pub extent: Extent,
    /// What.
    pub operation: Operation,
    /// On what kind of thing.
    pub object: ObjectKind,
    /// On what, in words, if it is known.
    pub target: Option<Id<Target>>,
    /// What the call returned: bytes, or a negative `errno`; 0 if it has not ended.
    pub result: i64,
    /// The call's arguments, as the kernel got them.
    pub arguments: [u64; 6],
    /// Its stack; `None` if not one frame is known.
    pub stack: Option<Id<Stack>>,
    /// How the walk of the user stack ended.
    pub outcome: Outcome,
    /// How long its last wait was (a call may wait several times), in nanoseconds; 0 if it did not wait.
    pub wait_ns: u64,
    /// Who ended that wait.
    pub waker: Waker,
    /// When, in nanoseconds since the recording began; 0: unknown. The waker's stack is that of its
    /// [`CallStack`](super::CallStack) at that time.
    pub woken_ns: u64,
}
