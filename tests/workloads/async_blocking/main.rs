//! A tokio program whose tasks block where it is known: `async_blocking planted|current-thread|healthy|long-poll SECONDS`.
//!
//! Its threads, workers and those of the blocking pool alike, are called `crunch`, so that only their stacks tell which
//! is which.

mod healthy;
mod planted;

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let seconds = arguments
        .next()
        .map_or(3.0, |text| text.parse().expect("a number of seconds"));
    let run = Duration::from_secs_f64(seconds);
    match mode.as_str() {
        "planted" => workers(2).block_on(healthy_beside(run, planted::start)),
        "current-thread" => current_thread().block_on(healthy_beside(run, planted::start)),
        "healthy" => workers(2).block_on(healthy_beside(run, || {})),
        "healthy-current-thread" => current_thread().block_on(healthy_beside(run, || {})),
        "long-poll" => workers(2).block_on(healthy_beside(run, planted::start_long_poll)),
        other => panic!("no such mode: {other:?}"),
    }
}

fn workers(threads: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("crunch")
        .enable_all()
        .build()
        .expect("a runtime")
}

fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .thread_name("crunch")
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs healthy tasks, and what `more` starts beside them.
async fn healthy_beside(run: Duration, more: fn()) {
    healthy::start().await;
    more();
    tokio::time::sleep(run).await;
    // The blocking pool is in the midst of something: nobody waits for it.
    #[expect(clippy::exit, reason = "tasks have no end of their own")]
    std::process::exit(0);
}
