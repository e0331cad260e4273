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
//! One model, many views: the live view, the trace file, the report and every exporter read one [`profile::Profile`],
//! and no view runs the pipeline again. What is new in a profile travels as a [`profile::Delta`].
//!
//! | module | for | may use |
//! |---|---|---|
//! | [`profile`] | the model, and the trace file | nothing of ours |
//! | [`gopclntab`] | what Go programs say of their functions | nothing of ours |
//! | [`probes`] | what each probe measures | `profile`, `profiler_common` |
//! | [`collect`] | loads the kernel side and turns what it sends into a profile | `profile`, `probes`, `gopclntab`, `profiler_common`, aya |
//! | [`symbolize`] | names for addresses | `profile`, `gopclntab` |
//! | [`query`] | questions asked of a profile; no I/O, no clock | `profile`, `profiler_common` |
//! | [`report`], [`export`], [`tui`] | answers on a terminal, in files, live | `profile`, `query` |
//! | [`cli`] | every command and flag | names from the tables `PROBES` and `FORMATS` |
//! | [`commands`] | one function a command | everything above |
//!
//! `cargo xtask tidy` checks the last column. What holds besides, mostly absences:
//!
//! * **Only `collect` and `probes` know that BPF exists**; only `collect::decode` reads the kernel's bytes.
//! * **Only `collect::apply` changes a profile while recording.** There is no lock around it: the collector's thread
//!   owns it, and hands over deltas.
//! * **A return address is adjusted once**, in `apply`; every address in a profile is one to look up.
//! * **Loss is data**: what could not be recorded has a counter that reaches every view.
//! * **Text from the profiled world is raw in a profile** and made harmless by whoever shows it (`query::clean`).

pub mod cli;
pub mod collect;
pub mod commands;
pub mod export;
pub mod gopclntab;
pub mod probes;
pub mod profile;
pub mod query;
pub mod report;
pub mod symbolize;
pub mod tui;
