//! `perf record --call-graph dwarf` as the referee: where a second profiler, with another way to unwind, saw the time.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use profiler::profile::MappingKind;

use crate::{Lab, Missing, Running, Symbols, View, find_program, physical_name};

/// A recording by perf that is being made.
#[derive(Debug)]
pub struct Referee {
    perf: PathBuf,
    data: PathBuf,
    running: Running,
    seconds: u32,
}

impl Lab {
    /// Starts `perf record` on the process `pid` and its children, for `seconds`.
    ///
    /// perf's clock is stopped and started with the process. Over one that sleeps often it takes too many samples where
    /// it wakes up (18 % instead of 12 % in `epoll_wait` was seen): only a process that stays busy can be compared.
    /// perf's system-wide mode would not have that error, but 6.1's `perf script` aborts on what it records here.
    ///
    /// # Errors
    /// If perf is not installed.
    pub fn referee(&self, pid: u32, hz: u32, seconds: u32) -> Result<Referee, Missing> {
        let perf = find_program("perf")?;
        let data = self.path("perf.data");
        let running = Running::spawn(
            Command::new(&perf)
                .args(["record", "-q", "-e", "cpu-clock", "--call-graph", "dwarf"])
                .args(["-F", &hz.to_string(), "-p", &pid.to_string(), "-o"])
                .arg(&data)
                .args(["--", "sleep", &seconds.to_string()]),
        );
        Ok(Referee {
            perf,
            data,
            running,
            seconds,
        })
    }
}

/// A function as both profilers can be held to it: its module's file name and where it starts there. The start is 0
/// for code outside every symbol, where perf takes the nearest name and we take none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file name of the module.
    pub module: String,
    /// The virtual address in the module at which the function starts.
    pub start: u64,
}

/// What one profiler found in one function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Its part of the samples, as the innermost user frame.
    pub share: f64,
    /// What it is called there.
    pub name: String,
}

impl Referee {
    /// Waits for the end and gives each function's share of the samples by innermost user frame.
    ///
    /// # Panics
    /// If perf fails.
    pub fn shares(self, symbols: &mut Symbols) -> BTreeMap<Place, Found> {
        let limit = Duration::from_secs(u64::from(self.seconds) + 60);
        self.running.wait(limit).success();
        // Raw names: they are looked up in the symbol table.
        let script = Running::spawn(
            Command::new(&self.perf)
                .args(["--no-pager", "script", "--no-inline", "--no-demangle"])
                .args(["-F", "comm,pid,ip,sym,symoff,dso", "-i"])
                .arg(&self.data),
        )
        .wait(Duration::from_secs(300))
        .success();
        let innermost = script.stdout.split("\n\n").filter_map(|sample| {
            sample
                .trim()
                .lines()
                .skip(1)
                .filter_map(frame)
                .find(|frame| frame.address >> 63 == 0)
        });
        let found = count(innermost.map(|frame| {
            let start = symbols.start_of(frame.module, frame.name, frame.offset, frame.address);
            (place(frame.module, start), frame.name.to_owned())
        }));
        assert!(!found.is_empty(), "perf saw no sample with a user frame");
        found
    }
}

/// One line of a stack in the output of `perf script`.
#[derive(Debug, PartialEq, Eq)]
struct Frame<'a> {
    address: u64,
    name: &'a str,
    offset: u64,
    module: &'a str,
}

/// `     55d0c0ffee f+0x12 (/bin/a)`: the address, the symbol with its offset, and the module.
fn frame(line: &str) -> Option<Frame<'_>> {
    let (address, rest) = line.trim().split_once(' ')?;
    let (symbol, module) = rest.rsplit_once(" (")?;
    let (name, offset) = symbol.rsplit_once("+0x").unwrap_or((symbol, "0"));
    Some(Frame {
        address: u64::from_str_radix(address, 16).ok()?,
        name: name.split('@').next().unwrap_or(name),
        offset: u64::from_str_radix(offset, 16).ok()?,
        module: module.trim_end_matches(')'),
    })
}

fn place(module: &str, start: Option<u64>) -> Place {
    Place {
        module: module.rsplit('/').next().unwrap_or(module).to_owned(),
        start: start.unwrap_or(0),
    }
}

fn count(innermost: impl Iterator<Item = (Place, String)>) -> BTreeMap<Place, Found> {
    let (mut counts, mut all) = (BTreeMap::<Place, (usize, String)>::new(), 0usize);
    for (place, name) in innermost {
        all += 1;
        let row = counts.entry(place).or_default();
        row.0 += 1;
        row.1 = name;
    }
    let share = |count| count as f64 / all as f64;
    let found = |(count, name)| Found {
        share: share(count),
        name,
    };
    counts
        .into_iter()
        .map(|(place, row)| (place, found(row)))
        .collect()
}

impl View<'_> {
    /// Each function's share of the samples by innermost user frame, as [`Referee::shares`] has them.
    pub fn places(&self, symbols: &mut Symbols) -> BTreeMap<Place, Found> {
        let profile = self.profile();
        let innermost = self
            .samples()
            .iter()
            .filter_map(|sample| self.innermost_user(sample));
        count(innermost.map(|location| {
            let mapping = profile.mapping_of(location);
            let covering = match mapping.kind {
                MappingKind::File => symbols.at(&mapping.path, profile.locations[location].address),
                _ => None,
            };
            let start = covering.map(|(start, _)| start);
            let name = physical_name(profile, location).unwrap_or_default();
            (place(&mapping.path, start), name.to_owned())
        }))
    }
}

/// The ten functions that the referee found hottest, with its share and ours.
pub fn agreement<'a>(
    referee: &'a BTreeMap<Place, Found>,
    ours: &BTreeMap<Place, Found>,
) -> Vec<(&'a Place, &'a Found, Found)> {
    let mut hottest: Vec<_> = referee.iter().collect();
    hottest.sort_by(|a, b| b.1.share.total_cmp(&a.1.share));
    hottest
        .into_iter()
        .take(10)
        .map(|(place, theirs)| (place, theirs, ours.get(place).cloned().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_perf_script_are_read() {
        let read = |line| frame(line).map(|frame| (frame.address, frame.name, frame.offset, frame.module));
        assert_eq!(
            read("\t    55d0c0ffee00 a b(c)+0x12 (/bin/a b)"),
            Some((0x55d0_c0ff_ee00, "a b(c)", 0x12, "/bin/a b"))
        );
        assert_eq!(
            read("    7fd0c0ffee00 [unknown] (/lib/x.so)"),
            Some((0x7fd0_c0ff_ee00, "[unknown]", 0, "/lib/x.so"))
        );
        assert_eq!(
            read("7f00 write@@GLIBC_2.2.5+0x1 (/l.so)"),
            Some((0x7f00, "write", 1, "/l.so"))
        );
        assert_eq!(frame("redis-server 12"), None);
    }

    #[test]
    fn the_hottest_are_compared_by_place_and_not_by_name() {
        let of = |rows: &[(&str, u64, &str)]| {
            count(
                rows.iter()
                    .map(|(module, start, name)| (place(module, Some(*start)), (*name).to_owned())),
            )
        };
        let referee = of(&[("/l/libc.so", 64, "__GI___libc_write"), ("/b/app", 32, "main")]);
        let ours = of(&[("/l/libc.so", 64, "write")]);
        let rows: Vec<(u64, f64, f64)> = agreement(&referee, &ours)
            .into_iter()
            .map(|(place, theirs, ours)| (place.start, theirs.share, ours.share))
            .collect();
        assert_eq!(rows, [(32, 0.5, 0.0), (64, 0.5, 1.0)]);
    }
}
