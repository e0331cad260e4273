//! Waits for locks, each in a known way: `rust_locks MODE SECONDS`, where MODE is
//!
//! * `std`: one thread holds a `std::sync::Mutex` for 5 ms of every 10, in `hot_section`; eight want it, in two functions;
//! * `parking_lot`: the same with a `parking_lot::Mutex`;
//! * `rwlock`: the same with a `std::sync::RwLock`, one writer and eight readers;
//! * `pool`: workers wait for work, by a `Condvar` and by `park`; nobody waits for a lock.
//!
//! At the end it says `holder TID`, `waits N` and `waited NS` of waits longer than 20 µs, as it saw them itself.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its account is its output"
)]

use std::{
    hint::black_box,
    sync::{
        Arc, Condvar, Mutex, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const WAITERS: usize = 8;

static WAITS: AtomicU64 = AtomicU64::new(0);
static WAITED_NS: AtomicU64 = AtomicU64::new(0);
static HOLDER: AtomicU32 = AtomicU32::new(0);

/// A lock, as this program uses it.
trait Lock: Send + Sync {
    /// Holds it while `what` runs.
    fn hold(&self, what: &mut dyn FnMut());
    /// Wants it, and lets it go at once.
    fn want(&self);
}

impl Lock for Mutex<u64> {
    fn hold(&self, what: &mut dyn FnMut()) {
        let _guard = self.lock().expect("nobody panics");
        what();
    }

    fn want(&self) {
        *self.lock().expect("nobody panics") += 1;
    }
}

impl Lock for parking_lot::Mutex<u64> {
    fn hold(&self, what: &mut dyn FnMut()) {
        let _guard = self.lock();
        what();
    }

    fn want(&self) {
        *self.lock() += 1;
    }
}

impl Lock for RwLock<u64> {
    fn hold(&self, what: &mut dyn FnMut()) {
        let _guard = self.write().expect("nobody panics");
        what();
    }

    fn want(&self) {
        black_box(*self.read().expect("nobody panics"));
    }
}

#[inline(never)]
fn hot_section(lock: &dyn Lock) {
    lock.hold(&mut || spin(Duration::from_millis(5)));
    black_box(());
}

#[inline(never)]
fn first_path(lock: &dyn Lock) {
    want(lock);
    black_box(());
}

#[inline(never)]
fn second_path(lock: &dyn Lock) {
    want(lock);
    black_box(());
}

#[inline(never)]
fn want(lock: &dyn Lock) {
    let begin = Instant::now();
    lock.want();
    let waited = begin.elapsed();
    if waited > Duration::from_micros(20) {
        WAITS.fetch_add(1, Ordering::Relaxed);
        WAITED_NS.fetch_add(waited.as_nanos() as u64, Ordering::Relaxed);
    }
    black_box(());
}

fn spin(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {}
}

fn contend(lock: &Arc<dyn Lock>, deadline: Instant) {
    let mut threads = vec![{
        let lock = Arc::clone(lock);
        thread::spawn(move || {
            // SAFETY: it has no preconditions.
            HOLDER.store(unsafe { libc::gettid() } as u32, Ordering::Relaxed);
            while Instant::now() < deadline {
                hot_section(&*lock);
                thread::sleep(Duration::from_millis(5));
            }
        })
    }];
    for waiter in 0..WAITERS {
        let lock = Arc::clone(lock);
        threads.push(thread::spawn(move || {
            while Instant::now() < deadline {
                match waiter % 2 {
                    0 => first_path(&*lock),
                    _ => second_path(&*lock),
                }
                thread::sleep(Duration::from_millis(1));
            }
        }));
    }
    for thread in threads {
        thread.join().expect("nobody panics");
    }
    println!("holder {}", HOLDER.load(Ordering::Relaxed));
    println!("waits {}", WAITS.load(Ordering::Relaxed));
    println!("waited {}", WAITED_NS.load(Ordering::Relaxed));
}

#[inline(never)]
fn next_job(jobs: &(Mutex<u64>, Condvar)) {
    let mut waiting = jobs.0.lock().expect("nobody panics");
    while *waiting == 0 {
        waiting = jobs.1.wait(waiting).expect("nobody panics");
    }
    *waiting -= 1;
    drop(waiting);
    black_box(());
}

fn pool(deadline: Instant) {
    let jobs = Arc::new((Mutex::new(0), Condvar::new()));
    for _ in 0..4 {
        let jobs = Arc::clone(&jobs);
        thread::spawn(move || {
            loop {
                next_job(&jobs);
                spin(Duration::from_micros(200));
            }
        });
    }
    let parked = thread::spawn(|| {
        loop {
            thread::park();
            spin(Duration::from_micros(200));
        }
    });
    while Instant::now() < deadline {
        *jobs.0.lock().expect("nobody panics") += 1;
        jobs.1.notify_one();
        parked.thread().unpark();
        thread::sleep(Duration::from_millis(5));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let seconds = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10.0);
    let deadline = Instant::now() + Duration::from_secs_f64(seconds);
    match mode.as_str() {
        "std" => contend(&(Arc::new(Mutex::new(0_u64)) as Arc<dyn Lock>), deadline),
        "parking_lot" => contend(
            &(Arc::new(parking_lot::Mutex::new(0_u64)) as Arc<dyn Lock>),
            deadline,
        ),
        "rwlock" => contend(&(Arc::new(RwLock::new(0_u64)) as Arc<dyn Lock>), deadline),
        "pool" => pool(deadline),
        mode => {
            eprintln!("rust_locks: unknown mode {mode:?}");
            std::process::exit(2);
        }
    }
}
