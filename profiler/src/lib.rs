//! `profiler`: where does the time of a Linux host go, and how sure are we?
//!
//! One street, one way:
//!
//! ```text
//!      kernel │ user
//!             │
//!     probes ─┼─▶ collect ──────────────▶ profile ─▶ symbolize ─▶ query ─▶ tui
//!     stack   │   decode ▸ apply ▸ intern    │ ▲                     ├────▶ report
//!     emit    │                              ▼ │                     └────▶ export
//!             │                          trace file
//! ```
//!
//! One model, many views: the live view, the trace file, the report and every exporter read one [`profile::Profile`].
//! What is new in it travels as a [`profile::Delta`].
//!
//! | module | for | may use |
//! |---|---|---|
//! | [`profile`] | the model and the trace file | nothing of ours |
pub mod cli;
pub mod collect;
pub mod commands;
pub mod export;
pub mod probes;
pub mod profile;
pub mod query;
pub mod report;
pub mod symbolize;
pub mod tui;
