//! What a function is to an async runtime, by its path. The runtime is tokio's.

/// What a function is to an async runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Whatever it calls may block: a thread of the blocking pool, `block_in_place`, a `block_on` that no task waits for.
    MayBlock,
    /// A worker that looks for tasks to run.
    Worker,
    /// A worker that, beside tasks, polls the future that it was started with: `block_on` of a runtime on one thread.
    RootWorker,
    /// The poll of a task.
    Poll,
    /// Waits until there is something to do.
    Park,
    /// The runtime's own, and what it is made of.
    Runtime,
    /// The standard library and what programs use in its stead to wait: it blocks for whom it was called by.
    Library,
    /// What comes with the language between a function and the one it calls; no operation of its own.
    Glue,
    /// Puts itself around any future.
    Wrapper,
    /// The program's own.
    User,
}

const RUNTIME: [&str; 4] = ["mio", "tokio_stream", "tokio_util", "tokio_macros"];
const LIBRARIES: [&str; 10] = [
    "crossbeam_channel",
    "crossbeam_utils",
    "libc",
    "lock_api",
    "nix",
    "parking_lot",
    "parking_lot_core",
    "rustix",
    "socket2",
    "std",
];
const GLUE: [&str; 6] = [
    "__rustc",
    "alloc",
    "compiler_builtins",
    "core",
    "hashbrown",
    "std_detect",
];
const WRAPPERS: [&str; 4] = ["futures_core", "futures_util", "tracing", "tracing_futures"];

/// What the function at `path` (see [`super::path::path`]) is.
pub(super) fn role(path: &[&str]) -> Role {
    let Some((&first, inside)) = path.split_first() else {
        return Role::Glue;
    };
    // Cargo spells crates with dashes, and the language with underscores.
    let named = |names: &[&str]| {
        names
            .iter()
            .any(|name| name.bytes().eq(first.bytes().map(underscore)))
    };
    if inside.is_empty() {
        // An inlined call, and its file does not tell the crate: it was compiled where it lies.
        Role::User
    } else if first == "tokio" {
        in_tokio(inside)
    } else if named(&RUNTIME) {
        Role::Runtime
    } else if named(&GLUE) {
        Role::Glue
    } else if named(&LIBRARIES) {
        in_library(path)
    } else if named(&WRAPPERS) {
        Role::Wrapper
    } else {
        Role::User
    }
}

fn underscore(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte }
}

/// The standard library, too, calls back through functions that do nothing themselves.
fn in_library(path: &[&str]) -> Role {
    match path.get(1) {
        Some(&("panic" | "panicking" | "rt")) => Role::Glue,
        Some(&"thread") if path.contains(&"LocalKey") || path.contains(&"local") => Role::Glue,
        Some(&"sys") if path.contains(&"backtrace") => Role::Glue,
        _ => Role::Library,
    }
}

/// Older versions have other modules: `thread_pool` and `basic_scheduler` until 1.2x, `tokio::task` before.
fn in_tokio(path: &[&str]) -> Role {
    // A closure is part of the function it is written in.
    let closures = path.iter().rev().take_while(|part| part.starts_with('{')).count();
    let Some((&name, modules)) = path[..path.len() - closures].split_last() else {
        return Role::Runtime;
    };
    let has = |module: &str| modules.contains(&module);
    let on_one_thread = has("current_thread") || has("basic_scheduler");
    let on_many = has("multi_thread") || has("multi_thread_alt") || has("thread_pool");
    match name {
        "block_in_place" => Role::MayBlock,
        "run" | "run_worker" | "spawn_thread" if has("blocking") && has("pool") => Role::MayBlock,
        "poll" if has("blocking") && has("task") => Role::MayBlock,
        "block_on" if on_one_thread => Role::RootWorker,
        "block_on" | "block_on_timeout" if has("park") || has("blocking") => Role::MayBlock,
        "run" | "run_task" if on_many && has("worker") => Role::Worker,
        "run_task" if on_one_thread => Role::Worker,
        "tick" if has("task") && has("local") => Role::Worker,
        "poll" | "poll_inner" | "poll_future"
            if has("task") && (has("harness") || has("raw") || has("core")) =>
        {
            Role::Poll
        }
        "turn" => Role::Park,
        park if park == "park" || park.starts_with("park_") => Role::Park,
        _ => Role::Runtime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Role {
        role(&path.split("::").collect::<Vec<_>>())
    }

    #[test]
    fn the_schedulers_of_all_versions_are_known() {
        for (path, expected) in [
            (
                "tokio::runtime::scheduler::multi_thread::worker::Context::run_task",
                Role::Worker,
            ),
            (
                "tokio::runtime::scheduler::multi_thread::worker::Context::run_task::{{closure}}",
                Role::Worker,
            ),
            (
                "tokio::runtime::scheduler::multi_thread::worker::run",
                Role::Worker,
            ),
            (
                "tokio::runtime::scheduler::multi_thread_alt::worker::Worker::run_task",
                Role::Worker,
            ),
            (
                "tokio::runtime::thread_pool::worker::Context::run_task",
                Role::Worker,
            ),
            (
                "tokio::runtime::scheduler::current_thread::Context::run_task",
                Role::Worker,
            ),
            ("tokio::task::local::LocalSet::tick", Role::Worker),
            (
                "tokio::runtime::scheduler::current_thread::CoreGuard::block_on",
                Role::RootWorker,
            ),
            (
                "tokio::runtime::basic_scheduler::CoreGuard::block_on",
                Role::RootWorker,
            ),
            ("tokio::runtime::park::CachedParkThread::block_on", Role::MayBlock),
            (
                "tokio::runtime::context::blocking::BlockingRegionGuard::block_on",
                Role::MayBlock,
            ),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }

    #[test]
    fn a_poll_is_a_tasks_or_the_blocking_pools() {
        for (path, expected) in [
            ("tokio::runtime::task::harness::Harness::poll", Role::Poll),
            ("tokio::runtime::task::harness::poll_future", Role::Poll),
            ("tokio::runtime::task::raw::poll", Role::Poll),
            ("tokio::runtime::task::core::Core::poll", Role::Poll),
            (
                "tokio::runtime::blocking::task::BlockingTask::poll",
                Role::MayBlock,
            ),
            ("tokio::runtime::blocking::pool::Inner::run", Role::MayBlock),
            (
                "tokio::runtime::blocking::pool::Spawner::spawn_thread::{closure#0}",
                Role::MayBlock,
            ),
            (
                "tokio::runtime::scheduler::multi_thread::worker::block_in_place",
                Role::MayBlock,
            ),
            ("tokio::task::blocking::block_in_place", Role::MayBlock),
            (
                "tokio::net::tcp::stream::TcpStream::poll_read_priv",
                Role::Runtime,
            ),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }

    #[test]
    fn to_park_is_not_to_unpark() {
        for path in [
            "tokio::runtime::scheduler::multi_thread::worker::Context::park_timeout",
            "tokio::runtime::scheduler::multi_thread::park::Parker::park",
            "tokio::runtime::io::driver::Driver::turn",
            "tokio::runtime::time::Driver::park_internal",
        ] {
            assert_eq!(of(path), Role::Park, "{path}");
        }
        assert_eq!(
            of("tokio::runtime::scheduler::multi_thread::park::Unparker::unpark"),
            Role::Runtime
        );
        assert_eq!(
            of("tokio::runtime::scheduler::multi_thread::worker::Handle::notify_parked_local"),
            Role::Runtime
        );
    }

    #[test]
    fn what_is_not_the_runtimes_is_the_programs_unless_it_is_a_library() {
        for (path, expected) in [
            ("std::thread::functions::sleep", Role::Library),
            ("parking_lot::raw_mutex::RawMutex::lock_slow", Role::Library),
            ("crossbeam-channel::flavors::array::recv", Role::Library),
            ("core::ops::function::FnOnce::call_once", Role::Glue),
            ("std::panicking::catch_unwind", Role::Glue),
            ("std::thread::local::LocalKey::with", Role::Glue),
            ("mio::poll::Poll::poll", Role::Runtime),
            ("tokio-util::codec::framed::poll_next", Role::Runtime),
            ("tracing::instrument::Instrumented::poll", Role::Wrapper),
            ("rusqlite::statement::Statement::query", Role::User),
            ("tokio_app::main", Role::User),
            ("planted_sleep", Role::User),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }
}
