//! A trace of 50 MB: how long it takes until it is on the screen.

use super::{super::coin::Coin, *};
use crate::{
    profile::{
        Function, Id, Line, Location, QualityWindow, Sample,
        file::{self, Writer},
    },
    tui::replay::Recording,
};

/// 64 busy CPUs at 99 Hz, for about fourteen minutes.
const SECONDS: u64 = 820;
const A_SECOND: u64 = 64 * 99;
/// Where code was seen.
const LOCATIONS: u32 = 60_000;
/// One sample in so many has a stack that none had before.
const NEW_IN: u64 = 8;
/// How many frames a new stack has at most that no other has: five on average, as stacks of a compiler have.
const OWN: u64 = 9;

/// Run by hand, in release: `cargo test --release -p profiler --lib large -- --ignored --nocapture`. The trace stays where
/// `LARGE_TRACE` says, for `profiler report` and others.
#[test]
#[ignore = "measures; its figures are for people (#5)"]
fn the_time_to_open_a_large_trace_is_measured() {
    let directory = tempfile::tempdir().unwrap();
    let path = std::env::var_os("LARGE_TRACE").map_or(directory.path().join("large.trace"), Into::into);
    let (bytes, stacks) = write(&path);
    println!("{:.1} MB, {stacks} distinct stacks", bytes as f64 / 1e6);
    let read = median("reading it", || drop(file::read(&path).unwrap()));
    let first = median("the dashboard's first picture", || {
        let recording = Recording {
            name: "large.trace".into(),
            profile: file::read(&path).unwrap().profile,
            notes: Vec::new(),
        };
        let options = Options {
            window: Window::Start,
            overview: true,
            ..Options::default()
        };
        screen(&mut App::replay(recording, options), 200, 60);
    });
    let report = median("what `report` asks", || {
        let (profile, all) = (file::read(&path).unwrap().profile, Selection::default());
        drop((Summary::of(&profile, &all), functions(&profile, &all)));
    });
    assert!(read < first && read < report);
}

/// How long it takes: the median of five times, by the clock.
fn median(what: &str, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let (begin, cpu) = (Instant::now(), cpu_time());
            work();
            (begin.elapsed(), cpu_time() - cpu)
        })
        .collect();
    times.sort();
    let (all, cpu) = times[2];
    println!("{what}: {all:?}, {cpu:?} of them on a CPU");
    all
}

/// Writes the trace. Its size in bytes, and how many distinct stacks samples have.
fn write(path: &Path) -> (u64, usize) {
    let mut coin = Coin::default();
    let mut below = move |end: u64| coin.bits() % end;
    let processes: String = (0..200).map(|number| format!("app{number};main 1\n")).collect();
    let mut profile = from_folded(&processes);
    let template = profile.samples[0];
    let threads: Vec<_> = profile.threads.iter().map(|(id, _)| id).collect();
    profile.samples.clear();
    profile.quality.clear();
    profile.ended = false;
    let mut lines = Vec::new();
    let locations: Vec<_> = (0..LOCATIONS)
        .map(|number| {
            let mapping = profile.locations[Id::new(number % 50)].mapping;
            let location = profile.locations.intern(Location {
                mapping,
                address: 0x9000 + u64::from(number) * 40 + below(8) * 5,
            });
            let mut line = |number: u32| Line {
                function: profile.functions.intern(Function {
                    name: format!("core::iter::adapters::Map<some_crate::module::Type{number}, F>::next"),
                    file: format!("/build/source/module{}/file{number}.rs", number / 100),
                }),
                line: number % 997 + 1,
            };
            let mut found = vec![line(number / 4)];
            if number % 3 == 0 {
                found.insert(0, line(number / 40 + 30_000));
            }
            lines.push((location, found));
            location
        })
        .collect();
    let mut writer = Writer::create(path, None).unwrap();
    let mut mark = Mark::default();
    let mut known: Vec<(Vec<Id<Location>>, _)> = Vec::new();
    for second in 0..SECONDS {
        let mut times: Vec<_> = (0..A_SECOND)
            .map(|_| second * 1_000_000_000 + below(999_999_999))
            .collect();
        times.sort_unstable();
        for time_ns in times {
            let new = known.len() < 100 || below(NEW_IN) == 0;
            // Some stacks are met often, most seldom.
            let chance = below(1 << 20) as f64 / (1 << 20) as f64;
            let number = (chance.powi(3) * known.len() as f64) as usize;
            let stack = if new {
                // It leaves another's path, and ends 20 to 40 frames deep.
                let old = known.get(number).map_or(&[][..], |(path, _)| path);
                let rest = 1 + below(OWN) as usize;
                let kept = old.len().min(20 + below(20) as usize).saturating_sub(rest.min(4));
                let rest = if known.is_empty() { 20 } else { rest };
                let mut path = old[..kept].to_vec();
                path.extend((0..rest).map(|_| locations[below(locations.len() as u64) as usize]));
                let stack = profile.stacks.intern(path.iter().copied());
                known.push((path, stack));
                stack
            } else {
                known[number].1
            };
            profile.samples.push(Sample {
                stack,
                thread: threads[below(threads.len() as u64) as usize],
                cpu: below(64) as u16,
                time_ns,
                ..template
            });
        }
        profile.quality.push(QualityWindow {
            start_ns: second * 1_000_000_000,
            end_ns: (second + 1) * 1_000_000_000,
            ..QualityWindow::default()
        });
        let mut delta = profile.take_delta(&mut mark);
        delta.lines = std::mem::take(&mut lines);
        writer.append(&delta).unwrap();
    }
    let mut stacks: Vec<_> = known.into_iter().map(|(_, stack)| stack).collect();
    stacks.sort_unstable();
    stacks.dedup();
    println!("{} nodes", profile.stacks.len());
    (writer.finish().unwrap(), stacks.len())
}
