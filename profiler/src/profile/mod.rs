//! The profile: everything recorded between two instants, and the only thing that views read.
//!
//! Samples refer to stacks, stacks to locations, locations to mappings, lines to functions, each by an index into the
//! table beside it. Nothing points back, and every table only grows. So what is new since some moment is the tail of
//! every table: a [`Delta`]. A collector hands deltas to whoever wants to follow; the trace file is a row of deltas;
//! [`Profile::extend`] puts them together again. Live view, replay and file are one thing.

pub mod delta;
pub mod file;
pub mod folded;
pub mod latency;
pub mod location;
pub mod lock;
pub mod metadata;
pub mod process;
pub mod quality;
pub mod sample;
pub mod slow;
pub mod stack;
pub mod table;
pub mod thread_time;

pub use delta::{Delta, ExtendError, Mark};
pub use latency::{BlockOperation, Latency, LatencyKey, ObjectKind, Operation};
pub use location::{CodeAddress, Function, Line, Location, Mapping, MappingKind};
pub use lock::{CallStack, Contention, Lock, LockWait};
pub use metadata::Metadata;
pub use process::{Process, Thread};
pub use quality::QualityWindow;
pub use sample::{Outcome, Sample, SampleType, Unit, Waker};
pub use slow::{Extent, SlowEvent, Target};
pub use stack::{Stack, Stacks};
pub use table::{Id, Table};
pub use thread_time::{State, ThreadTime};

use rustc_hash::FxHashMap;

/// Everything recorded between two instants. See the [module](self) for its shape.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The host and how it was recorded.
    pub metadata: Metadata,
    /// What the values of samples measure.
    pub sample_types: Vec<SampleType>,
    /// The observations, in the order of their arrival, which is nearly that of time.
    pub samples: Vec<Sample>,
    /// How threads spent their time: exact, where samples are an estimate.
    pub thread_times: Vec<ThreadTime>,
    /// How long operations took, window by window: exact.
    pub latencies: Vec<Latency>,
    /// Single operations that took long, in the order of their ends, nearly.
    pub slow: Vec<SlowEvent>,
    /// What slow operations were on.
    pub targets: Table<Target>,
    /// Waits for locks, in the order of their ends, nearly.
    pub lock_waits: Vec<LockWait>,
    /// What was waited for.
    pub locks: Table<Lock>,
    /// Stacks of calls that wakers and waiters were in.
    pub call_stacks: Vec<CallStack>,
    /// Every distinct stack.
    pub stacks: Stacks,
    /// Every distinct code address.
    pub locations: Table<Location>,
    /// The code they lie in.
    pub mappings: Table<Mapping>,
    /// The functions they turned out to be.
    pub functions: Table<Function>,
    /// What each location turned out to be; no entry means not symbolised (yet, or nothing is known).
    pub lines: FxHashMap<Id<Location>, Vec<Line>>,
    /// Program images that were sampled.
    pub processes: Table<Process>,
    /// Threads that were sampled.
    pub threads: Table<Thread>,
    /// What was lost or cut short, second by second.
    pub quality: Vec<QualityWindow>,
    /// Whether the recording was ended in good order; a killed recorder leaves `false`.
    pub ended: bool,
}

impl Profile {
    /// All quality windows added up.
    pub fn quality_total(&self) -> QualityWindow {
        let mut total = QualityWindow::default();
        self.quality.iter().for_each(|window| total.add(window));
        total
    }

    /// The mapping a location lies in.
    pub fn mapping_of(&self, location: Id<Location>) -> &Mapping {
        &self.mappings[self.locations[location].mapping]
    }

    /// How long the recording lasted, in nanoseconds.
    pub fn duration_ns(&self) -> u64 {
        let quality = self.quality.last().map_or(0, |window| window.end_ns);
        let samples = self
            .samples
            .iter()
            .map(|sample| sample.time_ns)
            .max()
            .unwrap_or(0);
        let spans = self.thread_times.iter().map(|span| span.end_ns).max();
        let latencies = self.latencies.iter().map(|row| row.end_ns).max();
        let slow = self.slow.iter().map(|event| event.end_ns).max();
        let locks = self.lock_waits.iter().map(|wait| wait.end_ns).max();
        let others = spans.max(latencies).max(slow).max(locks);
        quality.max(samples).max(others.unwrap_or(0))
    }
}
