//! What no task should do: three calls that block, and a poll that lasts.

use std::{
    fs::File,
    hint::black_box,
    io::{PipeWriter, Read as _, Write as _},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Starts the three tasks that block, and the threads that keep two of them waiting.
pub(crate) fn start() {
    tokio::spawn(async {
        loop {
            planted_sleep();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });

    let lock = Arc::new(Mutex::new(0));
    let held = Arc::clone(&lock);
    thread::spawn(move || hold(&held));
    tokio::spawn(async move {
        loop {
            planted_lock(&lock);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    });

    let (reader, writer) = std::io::pipe().expect("a pipe");
    thread::spawn(move || write_slowly(writer));
    tokio::spawn(async move {
        let mut file = File::from(OwnedFd::from(reader));
        loop {
            planted_read(&mut file);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[inline(never)]
fn planted_sleep() {
    thread::sleep(Duration::from_millis(20));
    black_box(());
}

#[inline(never)]
fn planted_lock(lock: &Mutex<u64>) {
    let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
    *guard += 1;
}

#[inline(never)]
fn planted_read(file: &mut File) {
    let mut byte = [0];
    file.read_exact(&mut byte).expect("the writer is there");
    black_box(byte);
}

/// Holds the lock most of the time, 15 ms each.
fn hold(lock: &Mutex<u64>) {
    loop {
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        thread::sleep(Duration::from_millis(15));
        drop(guard);
        thread::sleep(Duration::from_millis(2));
    }
}

/// A byte every 20 ms.
fn write_slowly(mut pipe: PipeWriter) {
    while pipe.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a task whose polls last 300 ms each, without a wait.
pub(crate) fn start_long_poll() {
    tokio::spawn(async {
        loop {
            planted_computation(Duration::from_millis(300));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[inline(never)]
fn planted_computation(long: Duration) {
    let begin = Instant::now();
    let mut value = 1u64;
    while begin.elapsed() < long {
        for _ in 0..100_000 {
            value = black_box(value.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
    }
    black_box(value);
}
