//! Runtimes written down by hand, with the frames of real ones.

use super::*;
use crate::profile::{
    SlowEvent, Waker,
    folded::{STEP_NS, from_folded, with_waits},
};

/// A worker, which is a thread of the blocking pool.
pub(crate) const WORKER: &str = "clone3;start_thread;std::sys::backtrace::__rust_begin_short_backtrace;\
    tokio::runtime::blocking::pool::Inner::run;tokio::runtime::task::raw::poll;\
    <tokio::runtime::blocking::task::BlockingTask<T> as core::future::future::Future>::poll;\
    tokio::runtime::scheduler::multi_thread::worker::run;\
    tokio::runtime::scheduler::multi_thread::worker::Context::run";
/// Within it, the poll of a task.
pub(crate) const POLL: &str = "tokio::runtime::scheduler::multi_thread::worker::Context::run_task;\
    tokio::runtime::task::harness::Harness<T,S>::poll;tokio::runtime::task::core::Core<T,S>::poll";
/// Within it, the wait for something to do.
pub(crate) const PARK: &str = "tokio::runtime::scheduler::multi_thread::worker::Context::park_timeout;\
    tokio::runtime::io::driver::Driver::turn;libc.so.6`epoll_wait;do_epoll_wait_[k]";
const POOL: &str = "clone3;tokio::runtime::blocking::pool::Inner::run;tokio::runtime::task::raw::poll";
const ONE_THREAD: &str = "main;app::main;tokio::runtime::runtime::Runtime::block_on;\
    tokio::runtime::scheduler::current_thread::CoreGuard::block_on";
const SLEEP: &str = "std::thread::sleep;libc.so.6`clock_nanosleep;hrtimer_nanosleep_[k]";

/// The waits of one sample each, and a short time on the CPU.
fn waiting(stacks: &[String]) -> Profile {
    let waits: String = stacks.iter().map(|stack| format!("app/7;{stack} 20\n")).collect();
    with_waits(from_folded("app/7;main 1"), &waits)
}

/// Who is accused: the function and the operation.
fn accused(stack: &str) -> Option<(String, String)> {
    let profile = waiting(&[stack.to_owned()]);
    let found = async_blocking(&profile, &Selection::default(), THRESHOLD_NS);
    assert!(found.blocked.len() < 2 && found.long_polls.is_empty());
    let row = found.blocked.into_iter().next()?;
    assert_eq!((row.samples, row.value), (1, 20_000_000));
    Some((row.function, row.operation))
}

#[test]
fn who_blocks_a_worker_is_named_with_what_it_did() {
    let task = format!("{WORKER};{POLL};app::task::{{{{closure}}}}");
    for (stack, function, operation) in [
        (
            format!("{task};app::load;{SLEEP}"),
            "app::load",
            "std::thread::sleep",
        ),
        (
            format!("{task};{SLEEP}"),
            "app::task::{{closure}}",
            "std::thread::sleep",
        ),
        (
            format!("{task};app::load;<std::fs::File as std::io::Read>::read;libc.so.6`read;vfs_read_[k]"),
            "app::load",
            "std::fs::File::read",
        ),
        (
            format!(
                "{task};app::f;parking_lot::raw_mutex::RawMutex::lock_slow;parking_lot_core::park;futex_[k]"
            ),
            "app::f",
            "parking_lot::raw_mutex::RawMutex::lock_slow",
        ),
        (
            format!("{task};app::resolve;libc.so.6`getaddrinfo;libc.so.6`poll;do_poll_[k]"),
            "app::resolve",
            "getaddrinfo",
        ),
        // What the language puts in between is nobody's operation.
        (
            format!("{task};app::f;core::ops::function::FnOnce::call_once;{SLEEP}"),
            "app::f",
            "std::thread::sleep",
        ),
        // A program that calls the kernel itself.
        (format!("{task};app::f;futex_[k]"), "app::f", ""),
        // The runtime around a part of the task is not what blocks.
        (
            format!(
                "{task};<tokio::time::timeout::Timeout<T> as core::future::Future>::poll;app::part;{SLEEP}"
            ),
            "app::part",
            "std::thread::sleep",
        ),
        (
            format!(
                "{ONE_THREAD};tokio::runtime::scheduler::current_thread::Context::run_task;tokio::runtime::task::raw::poll;app::task;{SLEEP}"
            ),
            "app::task",
            "std::thread::sleep",
        ),
        // The future that the runtime was started with holds up every task, where there is one thread for all.
        (
            format!("{ONE_THREAD};app::main::{{{{closure}}}};{SLEEP}"),
            "app::main::{{closure}}",
            "std::thread::sleep",
        ),
        // A runtime in a thread that may block.
        (
            format!("{POOL};app::work;{ONE_THREAD};app::inner;{SLEEP}"),
            "app::inner",
            "std::thread::sleep",
        ),
    ] {
        assert_eq!(
            accused(&stack),
            Some((function.to_owned(), operation.to_owned())),
            "{stack}"
        );
    }
}

#[test]
fn who_may_block_and_what_the_runtime_does_is_not_accused() {
    let task = format!("{WORKER};{POLL};app::task::{{{{closure}}}}");
    for stack in [
        format!("{WORKER};{PARK}"),
        // Its own locks.
        format!(
            "{WORKER};tokio::runtime::scheduler::multi_thread::worker::Context::run_task;std::sync::Mutex<T>::lock;futex_[k]"
        ),
        format!("{WORKER};{POLL};std::sync::Mutex<T>::lock;libc.so.6`syscall;futex_[k]"),
        format!("{task};tokio::sync::mpsc::Sender<T>::send;std::sync::Mutex<T>::lock;futex_[k]"),
        format!(
            "{task};tokio::net::TcpStream::poll_write;mio::net::TcpStream::write;libc.so.6`send;tcp_sendmsg_[k]"
        ),
        // The blocking pool, also where the compiler left out what is between.
        format!(
            "{POOL};<tokio::runtime::blocking::task::BlockingTask<T> as core::future::Future>::poll;app::work;{SLEEP}"
        ),
        format!("{POOL};app::work;{SLEEP}"),
        format!(
            "clone3;std::sys::backtrace::__rust_begin_short_backtrace;tokio::runtime::task::raw::poll;app::work;{SLEEP}"
        ),
        format!("{task};tokio::task::blocking::block_in_place;app::work;{SLEEP}"),
        // Other tasks do not wait for the future that a runtime with workers was started with.
        format!(
            "main;tokio::runtime::runtime::Runtime::block_on;tokio::runtime::park::CachedParkThread::block_on;app::main;{SLEEP}"
        ),
        format!("main;app::work;{SLEEP}"),
        "clone3;futex_[k]".to_owned(),
    ] {
        assert_eq!(accused(&stack), None, "{stack}");
    }
}

#[test]
fn to_wait_for_a_cpu_is_not_to_block() {
    let stack = format!("{WORKER};{POLL};app::task;{SLEEP}");
    let mut profile = waiting(&[stack.clone(), stack]);
    profile.samples[1].waker = Waker::Nobody;
    let found = async_blocking(&profile, &Selection::default(), THRESHOLD_NS);
    assert_eq!(
        (found.blocked[0].samples, found.blocked[0].value),
        (1, 20_000_000)
    );
    assert_eq!((found.workers, found.samples, found.in_polls), (1, 2, 2));
}

#[test]
fn single_calls_are_counted_exactly_and_the_longest_is_shown() {
    use crate::query::slow::tests::event;
    const MS: u64 = 1_000_000;
    let stacks = ["app::f", "app::g"].map(|function| format!("{WORKER};{POLL};app::task;{function};{SLEEP}"));
    let mut profile = waiting(&stacks);
    let (f, g) = (profile.samples[1].stack, profile.samples[2].stack);
    let call = |stack, from: u64, to: u64, waker| SlowEvent {
        stack,
        wait_ns: MS,
        ..event(0, from * MS, to * MS, waker)
    };
    profile.slow = vec![
        call(f, 0, 5, Waker::Interrupt),
        call(f, 10, 40, Waker::Interrupt),
        // These two did not wait, or for a CPU only.
        SlowEvent {
            wait_ns: 0,
            ..call(f, 50, 90, Waker::Unknown)
        },
        call(f, 100, 200, Waker::Nobody),
    ];
    let selection = Selection {
        time: Some(0..12 * MS),
        ..Selection::default()
    };
    let found = async_blocking(&profile, &Selection::default(), THRESHOLD_NS);
    let row = &found.blocked[0];
    assert_eq!(
        (row.function.as_str(), row.calls, row.calls_ns),
        ("app::f", 2, 35 * MS)
    );
    assert_eq!(row.longest.map(|event| event.duration_ns), Some(30 * MS));
    assert_eq!(Some(row.stack), f);
    assert_eq!((found.blocked[1].calls, Some(found.blocked[1].stack)), (0, g));
    // A call or a wait counts if any of it is in the selected time.
    let found = async_blocking(&profile, &selection, THRESHOLD_NS);
    assert_eq!(
        (
            found.blocked.len(),
            found.blocked[0].calls,
            found.blocked[0].samples
        ),
        (2, 2, 1)
    );
}

/// The task and the function of every suspicion, with its length in periods.
fn suspected(samples: &str, waits: &[(&str, Waker)]) -> Vec<(String, String, u64)> {
    let mut profile = from_folded(samples);
    profile.metadata.frequency_hz = 100;
    let busy = profile.samples.len();
    for (wait, waker) in waits {
        profile = with_waits(profile, wait);
        let last = profile.samples.len() - 1;
        profile.samples[last].waker = *waker;
        // In the midst.
        profile.samples[last].time_ns = busy as u64 / 2 * STEP_NS + 1;
    }
    let found = async_blocking(&profile, &Selection::default(), THRESHOLD_NS);
    let rows = found.long_polls.into_iter();
    rows.map(|row| (row.task, row.function, row.longest.length_ns() / STEP_NS))
        .collect()
}

#[test]
fn a_worker_that_is_always_met_in_one_task_is_suspected() {
    let task = format!("app/7;{WORKER};{POLL};app::task");
    let long = [("app::task".to_owned(), "app::compute".to_owned(), 14)];
    let steady =
        format!("{task};app::compute 8\n{task};app::other 2\n{task};app::compute;libc.so.6`memcpy 5");
    assert_eq!(suspected(&steady, &[]), long);
    // Ten periods of 10 ms are 100 ms.
    assert_eq!(suspected(&format!("{task};app::compute 10"), &[]), []);
    assert_eq!(suspected(&format!("{task};app::compute 11"), &[])[0].2, 10);
    // Who got no CPU, or waited within the task, has not returned.
    let preempted = (format!("app/7;{WORKER};{PARK} 20"), Waker::Nobody);
    let within = (format!("{task};app::g;{SLEEP} 20"), Waker::Interrupt);
    for (wait, waker) in [preempted, within] {
        assert_eq!(suspected(&steady, &[(&wait, waker)]), long);
    }
}

#[test]
fn what_shows_that_the_poll_ended_clears_the_task() {
    let task = format!("app/7;{WORKER};{POLL};app::task");
    let half = format!("{task};app::compute 8\n");
    let between = [
        format!("app/7;{WORKER};{POLL};app::another 1\n"),
        format!("app/7;{WORKER};{PARK} 1\n"),
        format!("app/7;{WORKER} 1\n"),
        // It waits for a socket: it will be polled again.
        format!("{task};tokio::net::TcpStream::poll_read;libc.so.6`recv 1\n"),
        "other/9;main 4\n".to_owned(),
    ];
    for between in between {
        assert_eq!(suspected(&format!("{half}{between}{half}"), &[]), [], "{between}");
    }
    let whole = format!("{half}{half}");
    assert_eq!(suspected(&whole, &[]).len(), 1);
    let parked = format!("app/7;{WORKER};{PARK} 20");
    assert_eq!(suspected(&whole, &[(&parked, Waker::Interrupt)]), []);
}

#[test]
fn a_busy_server_that_is_met_in_the_same_code_by_chance_is_not_suspected() {
    let task = format!("app/7;{WORKER};{POLL};app::serve");
    let other = format!("app/7;{WORKER};{POLL};app::accept 1\n");
    let row = |samples: usize| format!("{task};app::compute {samples}\n{other}");
    // Five samples of six are in the task: eleven in a row are no wonder.
    let usual: String = (0..40).map(|_| row(5)).collect();
    assert_eq!(suspected(&format!("{usual}{}", row(11)), &[]), []);
    assert_eq!(suspected(&format!("{usual}{}", row(60)), &[])[0].2, 59);
    // One of two: then they are.
    let usual: String = (0..40).map(|_| row(1)).collect();
    assert_eq!(suspected(&format!("{usual}{}", row(12)), &[])[0].2, 11);
    // A worker that waits is not always in its task.
    let waits = format!("app/7;{WORKER};{PARK} 900");
    let rows: String = (0..12).map(|_| row(11)).collect();
    assert_eq!(suspected(&rows, &[]), []);
    assert_eq!(
        suspected(&rows, &[(waits.as_str(), Waker::Interrupt); 4]).len(),
        1
    );
}

#[test]
fn without_a_runtime_nothing_is_found() {
    for profile in [
        Profile::default(),
        from_folded("app/7;main 30"),
        waiting(&["main;read_[k]".to_owned()]),
    ] {
        let found = async_blocking(&profile, &Selection::default(), THRESHOLD_NS);
        assert_eq!(
            (
                found.workers,
                found.samples,
                found.blocked.len(),
                found.long_polls.len()
            ),
            (0, 0, 0, 0)
        );
    }
}
