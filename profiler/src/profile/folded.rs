//! Profiles from folded text: the shortest way to write one down.

use super::{
    Function, Id, Line, Location, Mapping, MappingKind, Metadata, Outcome, Process, Profile, QualityWindow,
    Sample, SampleType, Stack, Thread, Unit, Waker,
};

/// The period of every sample: 99 a second, in nanoseconds.
pub const PERIOD_NS: u64 = 10_101_010;
/// The distance in time from one sample to the next, in nanoseconds.
pub const STEP_NS: u64 = 10_000_000;

/// Builds a small profile from folded text, for tests and examples.
///
/// Each line is `process;frame;frame… count`, outermost frame first, and stands for `count` samples (1 if there is no
/// count) of [`PERIOD_NS`] each; sample `i` was taken at `i` × [`STEP_NS`] on CPU 0, in the process's only thread.
/// Blank lines are skipped.
///
/// * The process is a name, or `name/pid`; without a pid, processes are 100, 101, … in order of appearance.
/// * A frame ``lib.so`symbol`` lies in that module (`/usr/lib/lib.so`, unless it is a path already), one that ends
///   in `_[k]` in the kernel, and every other in the executable of the process, `/usr/bin/NAME`.
/// * Each frame of a module has its own address, 16 bytes from the one before, and is symbolised without a line number.
///
/// ```
/// let profile = profiler::profile::folded::from_folded("app/7;main;libc.so.6`read;vfs_read_[k] 3");
/// assert_eq!(profile.samples.len(), 3);
/// ```
pub fn from_folded(text: &str) -> Profile {
    let mut profile = Profile {
        metadata: metadata(),
        ended: true,
        ..Profile::default()
    };
    profile.sample_types.push(SampleType {
        name: "cpu".into(),
        unit: Unit::Nanoseconds,
    });
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (path, count) = split_count(line);
        let (process, frames) = path.split_once(';').unwrap_or((path, ""));
        let thread = thread(&mut profile, process);
        let stack = stack(&mut profile, thread, frames);
        for _ in 0..count {
            let time_ns = profile.samples.len() as u64 * STEP_NS;
            profile.samples.push(Sample {
                time_ns,
                thread,
                stack,
                sample_type: 0,
                outcome: Outcome::Complete,
                cpu: 0,
                value: PERIOD_NS,
                waker: Waker::Unknown,
            });
        }
    }
    let samples = profile.samples.len() as u64;
    profile.quality.push(QualityWindow {
        end_ns: samples * STEP_NS,
        samples,
        expected: samples,
        host_busy_ns: samples * PERIOD_NS,
        ..QualityWindow::default()
    });
    profile
}

/// Adds waits to a small profile, for tests and examples: each line is `process;frame;frame… ms`, as in
/// [`from_folded`], and stands for one sample of a thread that waited there for so many milliseconds.
pub fn with_waits(mut profile: Profile, text: &str) -> Profile {
    let off_cpu = SampleType {
        name: "off_cpu".into(),
        unit: Unit::Nanoseconds,
    };
    let types = &mut profile.sample_types;
    let place = types.iter().position(|kind| *kind == off_cpu).unwrap_or_else(|| {
        types.push(off_cpu);
        types.len() - 1
    });
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (path, milliseconds) = split_count(line);
        let (process, frames) = path.split_once(';').unwrap_or((path, ""));
        let thread = thread(&mut profile, process);
        let stack = stack(&mut profile, thread, frames);
        profile.samples.push(Sample {
            time_ns: profile.samples.len() as u64 * STEP_NS,
            thread,
            stack,
            sample_type: u8::try_from(place).expect("two sample types"),
            outcome: Outcome::Complete,
            cpu: 0,
            value: milliseconds * 1_000_000,
            waker: Waker::Unknown,
        });
    }
    profile
}

fn metadata() -> Metadata {
    Metadata {
        hostname: "example".into(),
        kernel_release: "6.1.0".into(),
        machine: "x86_64".into(),
        cpus: 1,
        clock: "cpu-clock".into(),
        frequency_hz: 99,
        period: PERIOD_NS,
        kernel_stacks: true,
        user_stacks: true,
        max_stack: 256,
        ..Metadata::default()
    }
}

fn split_count(line: &str) -> (&str, u64) {
    line.rsplit_once(' ')
        .and_then(|(path, count)| Some((path, count.parse().ok()?)))
        .unwrap_or((line, 1))
}

fn thread(profile: &mut Profile, process: &str) -> Id<Thread> {
    let (name, pid) = match process.rsplit_once('/') {
        Some((name, pid)) if pid.parse::<u32>().is_ok() => (name, pid.parse().ok()),
        _ => (process, None),
    };
    let known = profile
        .processes
        .iter()
        .find(|(_, known)| known.name == name && pid.is_none_or(|pid| known.pid == pid))
        .map(|(id, known)| (id, known.pid));
    let (process, pid) = known.unwrap_or_else(|| {
        let pid = pid.unwrap_or(100 + u32::try_from(profile.processes.len()).unwrap_or(0));
        let id = profile.processes.intern(Process {
            pid,
            ppid: 1,
            name: name.into(),
            exe: format!("/usr/bin/{name}"),
            cgroup: String::new(),
            unit: String::new(),
            container: String::new(),
            start_ns: 0,
            kernel_thread: false,
        });
        (id, pid)
    });
    profile.threads.intern(Thread {
        process,
        tid: pid,
        name: name.into(),
    })
}

fn stack(profile: &mut Profile, thread: Id<Thread>, frames: &str) -> Option<Id<Stack>> {
    let exe = profile.processes[profile.threads[thread].process].exe.clone();
    let frames = frames.split(';').filter(|frame| !frame.is_empty());
    let locations: Vec<_> = frames.map(|frame| location(profile, &exe, frame)).collect();
    profile.stacks.intern(locations)
}

fn location(profile: &mut Profile, exe: &str, frame: &str) -> Id<Location> {
    let (kind, base, path, name) = if let Some(name) = frame.strip_suffix("_[k]") {
        (
            MappingKind::Kernel,
            0xffff_ffff_8100_0000,
            "[kernel.kallsyms]".to_owned(),
            name,
        )
    } else {
        let (path, name) = match frame.split_once('`') {
            Some((module, name)) if module.contains('/') => (module.to_owned(), name),
            Some((module, name)) => (format!("/usr/lib/{module}"), name),
            None => (exe.to_owned(), frame),
        };
        (MappingKind::File, 0x1000, path, name)
    };
    let mapping = profile.mappings.intern(Mapping {
        kind,
        path,
        build_id: Vec::new(),
    });
    let function = profile.functions.intern(Function {
        name: name.into(),
        file: String::new(),
    });
    let in_mapping = || {
        profile
            .locations
            .iter()
            .filter(|(_, other)| other.mapping == mapping)
    };
    let known = in_mapping().find(|(id, _)| profile.lines[id][0].function == function);
    if let Some((id, _)) = known {
        return id;
    }
    let address = base + 16 * in_mapping().count() as u64;
    let id = profile.locations.intern(Location { mapping, address });
    profile.lines.insert(id, vec![Line { function, line: 0 }]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(profile: &Profile, sample: usize) -> Vec<&str> {
        let stack = profile.samples[sample].stack.unwrap();
        let locations = profile.stacks.locations(stack);
        locations
            .map(|id| profile.functions[profile.lines[&id][0].function].name.as_str())
            .collect()
    }

    #[test]
    fn a_line_is_as_many_samples_as_it_counts() {
        let profile = from_folded("main;f;g 3\n\nmain;h 2\n");
        assert_eq!(profile.samples.len(), 5);
        assert_eq!(names(&profile, 0), ["g", "f"]);
        assert_eq!(names(&profile, 4), ["h"]);
        assert_eq!(profile.samples[4].time_ns, 40_000_000);
        assert_eq!((profile.processes.len(), profile.duration_ns()), (1, 50_000_000));
    }

    #[test]
    fn frames_lie_in_the_module_they_name() {
        let profile = from_folded("app/7;main;libc.so.6`read;vfs_read_[k]");
        let stack = profile.samples[0].stack.unwrap();
        let paths: Vec<_> = profile
            .stacks
            .locations(stack)
            .map(|id| profile.mapping_of(id).path.as_str())
            .collect();
        assert_eq!(paths, ["[kernel.kallsyms]", "/usr/lib/libc.so.6", "/usr/bin/app"]);
        assert_eq!(names(&profile, 0), ["vfs_read", "read", "main"]);
        assert_eq!(profile.processes[Id::new(0)].pid, 7);
    }

    #[test]
    fn one_name_in_two_processes_is_one_function_at_two_places() {
        let profile = from_folded("a;main;f 1\nb;main;f 1\na/9;main 1\na;main;f");
        assert_eq!((profile.functions.len(), profile.locations.len()), (2, 4));
        let pids: Vec<_> = profile.processes.iter().map(|(_, process)| process.pid).collect();
        assert_eq!(pids, [100, 101, 9]);
        assert_eq!(profile.samples[3].stack, profile.samples[0].stack);
    }

    #[test]
    fn a_line_without_frames_is_a_sample_without_a_stack() {
        assert_eq!(from_folded("swapper 2").samples[1].stack, None);
    }
}
