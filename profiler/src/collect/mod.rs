//! Runs the probes and turns what the kernel sends into a profile.
//!
//! ```text
//!  rings ─ decode ─▶ Event ─ (in order of time) ─ apply ─▶ Profile ─▶ Delta
//!                                                  │  ▲
//!                            processes, executables   tables ─▶ the kernel side's maps
//! ```
//!
//! [`decode`] is the only place that reads the kernel's bytes, [`apply`] the only place that changes a profile while
//! recording; [`collector`] drives them, on the thread of a [`session`]. Everything between is plain values, tested without a kernel.

pub mod accounts;
pub mod address_space;
pub mod apply;
pub mod arrays;
pub mod btf;
pub mod cgroup;
pub mod clock;
pub mod collector;
pub mod cpus;
pub mod decode;
pub mod event;
pub mod executables;
pub mod governor;
pub mod hooks;
pub mod host;
pub mod kernel;
pub mod kernel_locks;
pub mod kernel_maps;
pub mod kernel_symbols;
pub mod kernel_text;
pub mod latencies;
pub mod metadata;
pub mod object;
pub mod options;
pub mod own_cost;
pub mod perf_event;
pub mod places;
pub mod proc_fs;
pub mod processes;
pub mod quality;
pub mod session;
pub mod side_band;
pub mod stuck;
pub mod tables;
pub mod targets;
pub mod thread_times;
pub mod trials;
pub mod unwind;
pub mod variables;

pub use options::Options;
pub use session::{Batch, Session, Stopper};
