//! The contract between the kernel side (`profiler-ebpf`) and the user side (`profiler`).
//!
//! * [`event`]: the records that cross the ring buffer.
//! * [`config`]: what user space fixes before the programs are loaded, and the sizes both sides know.
//! * [`glob`]: the `--comm` filter, compiled for the kernel side.
//! * [`state`]: what a thread is doing; [`account`]: how its time is divided among its states.
//! * [`calls`]: what system calls wait for; [`compat`]: those of 32-bit programs; [`in_call`]: the one a thread is in.
//! * [`object`]: what a descriptor stands for; [`operation`]: how operations on it are summed; [`gate`]: which of them are
//!   told singly because they are slow.
//! * [`lock`]: waits for locks; [`thinning`]: which of them are told.
//! * [`histogram`]: which bucket a duration belongs to.
//! * [`waits`]: which waits are sampled; [`waker`]: who ended one.
//! * [`unwind`]: the layout of mappings, rows and rules in BPF maps, and one unwinding step as a pure function. The
//!   kernel and the host run the same code.
//! * [`stats`]: why a sample was lost or cut short.
//!
//! No standard library, no dependencies: the same source compiles for BPF.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod account;
pub mod calls;
pub mod compat;
pub mod config;
pub mod event;
pub mod gate;
pub mod glob;
pub mod histogram;
pub mod in_call;
pub mod lock;
pub mod object;
pub mod operation;
pub mod state;
pub mod stats;
pub mod thinning;
pub mod unwind;
pub mod waits;
pub mod waker;
