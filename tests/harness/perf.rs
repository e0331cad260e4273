//! `perf record --call-graph dwarf` as the referee: where a second profiler, with another way to unwind, saw the time.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use crate::{Lab, Missing, Running, Symbols, View, bare_name, find_program, physical_name};

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

impl Referee {
    /// Waits for the end and gives each function's share of the samples by innermost user frame. What perf names
    /// although no symbol covers it (perf takes the nearest) counts under its module, as does what it cannot name.
    ///
    /// # Panics
    /// If perf fails.
    pub fn shares(self, symbols: &mut Symbols) -> BTreeMap<String, f64> {
        self.running
            .wait(Duration::from_secs(u64::from(self.seconds) + 60))
            .success();
        let script = Running::spawn(
            Command::new(&self.perf)
                .args(["script", "--no-inline", "-F", "comm,tid,ip,sym,symoff,dso", "-i"])
                .arg(&self.data),
        )
        .wait(Duration::from_secs(300))
        .success();
        shares(&script.stdout, symbols)
    }
}

/// Shares by innermost user frame, from the output of `perf script`.
fn shares(script: &str, symbols: &mut Symbols) -> BTreeMap<String, f64> {
    let (mut counts, mut all) = (BTreeMap::<String, usize>::new(), 0usize);
    for sample in script.split("\n\n") {
        let frames = sample.trim().lines().skip(1).filter_map(frame);
        let Some((_, symbol, module)) = frames.into_iter().find(|(address, ..)| address >> 63 == 0) else {
            continue;
        };
        all += 1;
        let named = symbol.rsplit_once("+0x").is_some_and(|(name, offset)| {
            let offset = u64::from_str_radix(offset, 16).unwrap_or(u64::MAX);
            symbols.size_of(module, name).is_none_or(|size| offset < size)
        });
        let name = symbol.rsplit_once("+0x").map_or(symbol, |(name, _)| name);
        let key = if named {
            bare_name(name).to_owned()
        } else {
            file_name(module).to_owned()
        };
        *counts.entry(key).or_default() += 1;
    }
    assert!(all > 0, "perf saw no sample with a user frame");
    counts
        .into_iter()
        .map(|(name, count)| (name, count as f64 / all as f64))
        .collect()
}

/// `     55d0c0ffee f+0x12 (/bin/a)`: the address, the symbol with its offset, and the module.
fn frame(line: &str) -> Option<(u64, &str, &str)> {
    let (address, rest) = line.trim().split_once(' ')?;
    let (symbol, module) = rest.rsplit_once(" (")?;
    Some((
        u64::from_str_radix(address, 16).ok()?,
        symbol,
        module.trim_end_matches(')'),
    ))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The ten functions that perf found hottest: name, perf's share, our share.
pub fn agreement(view: &View<'_>, referee: &BTreeMap<String, f64>) -> Vec<(String, f64, f64)> {
    let (mut ours, mut all) = (BTreeMap::<String, usize>::new(), 0usize);
    for (innermost, count) in view.innermost() {
        all += count;
        *ours.entry(innermost).or_default() += count;
    }
    let mut hottest: Vec<_> = referee.iter().collect();
    hottest.sort_by(|a, b| b.1.total_cmp(a.1));
    hottest
        .into_iter()
        .take(10)
        .map(|(name, &share)| {
            let count = ours.get(name).copied().unwrap_or(0);
            (name.clone(), share, count as f64 / all.max(1) as f64)
        })
        .collect()
}

impl View<'_> {
    /// How often each function is the innermost user frame, named as the referee's shares are.
    fn innermost(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for sample in self.samples() {
            let Some(location) = self.innermost_user(sample) else {
                continue;
            };
            let name = match physical_name(self.profile(), location) {
                Some(name) => bare_name(name).to_owned(),
                None => self.profile().mapping_of(location).name().to_owned(),
            };
            *counts.entry(name).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use profiler::profile::folded::from_folded;

    const SCRIPT: &str = "\
redis-server 12
\tffffffff81000000 do_syscall_64+0x10 ([kernel.kallsyms])
\t    55d0c0ffee00 a::f+0x12 (/bin/a)
\t    55d0c0ffee80 main+0x1 (/bin/a)

a b 13
\t    7fd0c0ffee00 [unknown] (/lib/x.so)
";

    #[test]
    fn perf_samples_count_for_their_innermost_user_frame() {
        let shares = shares(SCRIPT, &mut Symbols::default());
        assert_eq!(
            shares,
            [("a::f".to_owned(), 0.5), ("x.so".to_owned(), 0.5)].into()
        );
        let profile = from_folded("redis-server;main;a::f(int) 3\nredis-server;main;g 1");
        assert_eq!(
            agreement(&View::of(&profile), &shares),
            [("a::f".to_owned(), 0.5, 0.75), ("x.so".to_owned(), 0.5, 0.0)]
        );
    }
}
