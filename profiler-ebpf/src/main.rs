//! The kernel side of `profiler`: one BPF object.
//!
//! | file | for |
//! |---|---|
//! | `probes/` | one file a probe, named as its user half in `profiler/src/probes` |
//! | `task` | who is running, and whether we want it |
//! | `stack` | capture the kernel and user stack of a context, and name each by a hash |
//! | `unwind` | the walk by rows: drives `profiler_common::unwind` over the maps |
//! | `window` | a piece of the user stack, read ahead |
//! | `thread` | the account of every thread's time |
//! | `waiting` | what a thread that leaves the CPU will wait for |
//! | `waker` | who wakes it |
//! | `off_cpu` | stacks of waits |
//! | `calls` | system calls: begun, ended, counted and timed |
//! | `places` | where operations are summed |
//! | `in_flight` | requests to devices and io_uring on their way |
//! | `slow` | system calls that take long, with all that is known of them |
//! | `futex` | waits for locks of programs |
//! | `kernel_lock` | waits for locks of the kernel |
//! | `descriptor` | what a descriptor stands for |
//! | `kernel` | reading kernel memory |
//! | `budget` | what may be done so often a second |
//! | `copy` | registers and stack memory of a sample that user space has to finish |
//! | `emit` | what goes into the ring buffer, and what did not fit |
//! | `config` | what user space fixed before loading |

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod budget;
mod calls;
mod config;
mod copy;
mod descriptor;
mod emit;
mod futex;
mod in_flight;
mod kernel;
mod kernel_lock;
mod off_cpu;
mod places;
mod probes;
mod slow;
mod stack;
mod task;
mod thread;
mod unwind;
mod waiting;
mod waker;
mod window;

/// Unreachable: no code here panics, and the verifier would refuse the loop if it could be reached.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// The kernel lends its GPL helpers only to programs that say so.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
