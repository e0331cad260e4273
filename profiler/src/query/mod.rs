//! Questions asked of a profile. Pure: no I/O, no clock.
//!
//! A [`Selection`] says which samples and frames are meant; every question takes one:
//! [`functions()`] (which functions), [`Tree`] (which paths), [`groups`] (who), [`states()`] (what threads
//! did all the time), [`timeline()`] and [`state_slices()`] (and when), [`latencies()`] (how long calls took), [`slow()`] (which ones took long),
//! [`targets()`] (on what), [`locks()`] (who waits for which lock, and who held it), [`block()`] (how long disks took),
//! [`wakers()`] (who ended waits), [`async_blocking()`] (which tasks held up an
//! async runtime), [`Summary`] (how much, and how sure).
//! Answers are sorted by what matters and then by name, so that equal profiles give equal answers.
//!
//! Labels are raw: they come from the profiled world, and a view passes them through [`clean`] before a terminal.

pub mod async_blocking;
pub mod block;
pub mod chain;
mod clean;
pub mod figures;
pub mod frame;
pub mod functions;
mod glob;
pub mod group;
pub mod latencies;
pub mod lines;
pub mod locks;
pub mod modes;
pub mod names;
pub mod operation;
mod owner;
mod package;
pub(crate) mod sampled;
mod selection;
pub mod share;
pub mod slow;
pub mod slow_samples;
pub mod state_slices;
pub mod states;
pub mod summary;
pub mod targets;
pub mod timeline;
pub mod timing;
pub mod tree;
pub mod trust;
pub mod wakers;
mod weight;

pub use async_blocking::{AsyncBlocking, async_blocking};
pub use block::{BlockIo, BlockRow, block};
pub use chain::Chains;
pub use clean::{acts, clean};
pub use figures::latency;
pub use frame::{Frame, frames};
pub use functions::{FunctionRow, Functions, functions, functions_of};
pub use glob::Glob;
pub use group::{GroupBy, GroupRow, groups};
pub use latencies::{Latencies, LatencyRow, latencies};
pub use lines::{AddressRow, LineRow, Lines, SourcePlace, lines};
pub use locks::{Locks, locks};
pub use modes::Modes;
pub use names::{Name, Names};
pub use owner::Owner;
pub use package::package;
pub use sampled::Sampled;
pub use selection::{Matcher, Selection};
pub use share::{Share, percent};
pub use slow::{Slow, slow};
pub use state_slices::{StateSlice, state_slices};
pub use states::{StateRow, StateTimes, States, states};
pub use summary::Summary;
pub use targets::{TargetRow, Targets, targets};
pub use timeline::timeline;
pub use timing::{Bucket, Timing};
pub use tree::{Direction, Node, Tree};
pub use wakers::{WakerRow, WokenBy, wakers};
pub use weight::Weights;
