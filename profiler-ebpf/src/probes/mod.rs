//! One file a probe, named as its user half in `profiler/src/probes`. `process` is always attached.

mod block;
mod calls;
mod cpu;
mod io_uring;
mod locks;
mod process;
mod states;
