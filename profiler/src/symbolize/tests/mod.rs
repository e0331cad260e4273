//! Real compilers' programs, named through the whole path from mapping to lines.

mod debug_files;
mod hostile;
mod live;
mod programs;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use super::{Options, Reason, Symbolizer, bytes::Bytes, elf::Elf};
use crate::profile::{
    Delta, Id, Location, Mapping, MappingKind, Mark, Outcome, Process, Profile, Sample, SampleType, Thread,
    Unit, Waker,
};

/// Compiles `source` into `dir/name`.
fn compile(dir: &Path, compiler: &str, name: &str, source: &str, flags: &[&str]) -> PathBuf {
    let extension = match compiler {
        "g++" => "cc",
        "rustc" => "rs",
        _ => "c",
    };
    let input = dir.join(format!("{name}.{extension}"));
    fs::write(&input, source).unwrap();
    let output = dir.join(name);
    run(Command::new(compiler)
        .args(flags)
        .arg(&input)
        .arg("-o")
        .arg(&output)
        .current_dir(dir));
    output
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn objcopy<const N: usize>(arguments: [&str; N], from: &Path, to: &Path) {
    run(Command::new("objcopy").args(arguments).arg(from).arg(to));
}

/// Start and size of a function, as `nm` has them.
fn extent(path: &Path, function: &str) -> (u64, u64) {
    let symbols = run(Command::new("nm").arg("-S").arg(path));
    let row = symbols
        .lines()
        .find(|line| line.split_whitespace().last() == Some(function));
    let row: Vec<_> = row
        .unwrap_or_else(|| panic!("no {function} in {symbols}"))
        .split_whitespace()
        .collect();
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    (number(row[0]), if row.len() == 4 { number(row[1]) } else { 0 })
}

fn build_id(path: &Path) -> Vec<u8> {
    Elf::read(Bytes::File(Arc::new(File::open(path).unwrap())))
        .unwrap()
        .build_id
}

fn mapping(path: &Path) -> Mapping {
    Mapping {
        kind: MappingKind::File,
        path: path.to_str().unwrap().to_owned(),
        build_id: build_id(path),
    }
}

/// A recording in which every location was hit once.
struct Recording {
    /// The collector's, which has no names and loses its samples to deltas.
    collected: Profile,
    /// Put together from the deltas.
    profile: Profile,
    mark: Mark,
    symbolizer: Symbolizer,
}

impl Recording {
    fn new(options: Options) -> Self {
        let mut collected = Profile::default();
        collected.sample_types.push(SampleType {
            name: "cpu".into(),
            unit: Unit::Nanoseconds,
        });
        Self {
            profile: Profile::default(),
            collected,
            mark: Mark::default(),
            symbolizer: Symbolizer::new(options),
        }
    }

    /// With one mapping whose file is held open.
    fn of(path: &Path, options: Options) -> Self {
        let mut recording = Self::new(options);
        let id = recording.collected.mappings.intern(mapping(path));
        recording
            .symbolizer
            .offer_file(id, Arc::new(File::open(path).unwrap()));
        recording
    }

    fn process(&mut self, pid: u32) -> Id<Process> {
        self.collected.processes.intern(Process {
            pid,
            ppid: 1,
            name: "test".into(),
            exe: String::new(),
            cgroup: String::new(),
            unit: String::new(),
            container: String::new(),
            start_ns: 0,
            kernel_thread: false,
        })
    }

    /// Samples at addresses of mapping number `mapping`, handed to the symboliser as the collector does.
    fn hit(&mut self, mapping: u32, addresses: &[u64]) {
        let process = self.process(1);
        let thread = self.collected.threads.intern(Thread {
            process,
            tid: 1,
            name: "test".into(),
        });
        for &address in addresses {
            let location = self.collected.locations.intern(Location {
                mapping: Id::new(mapping),
                address,
            });
            let stack = self.collected.stacks.intern([location]);
            let sample = Sample {
                time_ns: 0,
                thread,
                stack,
                sample_type: 0,
                outcome: Outcome::Complete,
                cpu: 0,
                value: 1,
                waker: Waker::Unknown,
            };
            self.collected.samples.push(sample);
        }
        let mut delta = self.collected.take_delta(&mut self.mark);
        self.symbolizer.follow(&mut delta);
        self.add(delta);
    }

    fn add(&mut self, delta: Delta) {
        self.profile.extend(delta).unwrap();
    }

    fn finish(&mut self) {
        let delta = self.symbolizer.finish();
        self.add(delta);
    }

    fn id(&self, mapping: u32, address: u64) -> Id<Location> {
        self.profile
            .locations
            .find(&Location {
                mapping: Id::new(mapping),
                address,
            })
            .unwrap()
    }

    /// `name file:line` of each function at an address, innermost first; only names where there is no file.
    fn lines(&self, mapping: u32, address: u64) -> Vec<String> {
        let lines = self
            .profile
            .lines
            .get(&self.id(mapping, address))
            .cloned()
            .unwrap_or_default();
        let text = |line: crate::profile::Line| {
            let function = &self.profile.functions[line.function];
            match function.file.rsplit('/').next() {
                Some(file) if !file.is_empty() => format!("{} {file}:{}", function.name, line.line),
                _ => function.name.clone(),
            }
        };
        lines.into_iter().map(text).collect()
    }

    fn name(&self, mapping: u32, address: u64) -> Option<String> {
        self.lines(mapping, address).pop()
    }

    fn reason(&self, mapping: u32, address: u64) -> Option<Reason> {
        self.symbolizer.reason(self.id(mapping, address))
    }
}
