//! A Rust release binary: generics, closures, trait objects, and a thread beside the main one. The same unit of work
//! as `workload.h`.

use std::{
    arch::asm,
    hint::black_box,
    time::{Duration, Instant},
};

const UNIT: u64 = 10_000;

#[inline(always)]
fn work() {
    let mut value = black_box(1u64);
    for _ in 0..UNIT {
        value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // SAFETY: no instruction at all; it keeps the multiplications from being folded into one.
        unsafe { asm!("/* {} */", inout(reg) value, options(nomem, nostack, preserves_flags)) };
    }
    black_box(value);
}

trait Leaf {
    fn run(&self);
}

struct Sixty;
struct Thirty;
struct Ten;

impl Leaf for Sixty {
    #[inline(never)]
    fn run(&self) {
        work();
        black_box(60);
    }
}

impl Leaf for Thirty {
    #[inline(never)]
    fn run(&self) {
        work();
        black_box(30);
    }
}

impl Leaf for Ten {
    #[inline(never)]
    fn run(&self) {
        work();
        black_box(10);
    }
}

#[inline(never)]
fn through_closure<F: FnMut() -> usize>(mut body: F) -> usize {
    black_box(body()) + 1
}

#[inline(never)]
fn descend(depth: usize, leaf: &dyn Leaf) -> usize {
    if depth == 0 {
        leaf.run();
        return black_box(0);
    }
    through_closure(|| descend(depth - 1, leaf)) + 1
}

fn run(seconds: f64) -> [u64; 3] {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let leaves: [(usize, Box<dyn Leaf>); 3] = [(0, Box::new(Sixty)), (1, Box::new(Thirty)), (2, Box::new(Ten))];
    let (mut units, mut state) = ([0; 3], 0x853c_49e6_748f_ea9b_u64);
    while Instant::now() < end {
        for _ in 0..100 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (index, leaf) = match (state >> 33) % 10 {
                0..6 => &leaves[0],
                6..9 => &leaves[1],
                _ => &leaves[2],
            };
            units[*index] += 1;
            black_box(descend(5, leaf.as_ref()));
        }
    }
    units
}

fn main() {
    let seconds = std::env::args().nth(1).map_or(10.0, |text| text.parse().expect("seconds"));
    let beside = std::thread::Builder::new()
        .name("beside".into())
        .spawn(move || run(seconds))
        .expect("a thread");
    let mut units = run(seconds);
    for (sum, more) in units.iter_mut().zip(beside.join().expect("the thread ends")) {
        *sum += more;
    }
    let all = units.iter().sum::<u64>() as f64;
    for (name, units) in ["Sixty", "Thirty", "Ten"].iter().zip(units) {
        println!("truth <rust_release::{name} as rust_release::Leaf>::run {:.4}", units as f64 / all);
    }
    println!("cpu {:.3}", cpu_seconds());
}

/// From `/proc`, in hundredths of a second: the standard library has no clock for it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let fields = stat.rsplit_once(')').expect("a name in parentheses").1.split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number")).sum();
    ticks / 100.0
}
