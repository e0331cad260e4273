//! pprof's gzipped protobuf.
//!
//! Addresses of files are those of their program headers, the same in every process, so a mapping spans the file
//! from 0 and not one process's place for it. What has a name carries it; the rest can still be symbolised by build
//! id and address. Text is cleaned: `pprof -top` prints it as it is.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use prost::Message as _;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Format, Options, pprof_proto as proto, quality, text};
use crate::{
    profile::{Function, Id, Location, Mapping, MappingKind, Outcome, Profile, Stack, Thread},
    query::{Sampled, Selection},
};

pub(super) const FORMAT: Format = Format {
    name: "pprof",
    extensions: &[".pb.gz", ".pprof"],
    about: "gzipped protobuf (go tool pprof, Pyroscope, Parca)",
    text: false,
    says_nothing: false,
    compares: false,
    write,
};

/// Deeper stacks lose their outermost frames. Recorded stacks have a few hundred; a file may claim any number.
const MAX_DEPTH: usize = 4096;

/// Samples with the same stack and labels are one, of two values: `samples/count`, then what was sampled, such as
/// `cpu/nanoseconds`. Time on and off the CPU together has four: `samples/count`, `cpu/nanoseconds`,
/// `off_cpu/nanoseconds` and their sum `wall/nanoseconds`, which readers show unless asked for another. Labels are `process`, `thread`, `pid`, `tid`, `cgroup`, and `incomplete` on stacks that were cut
/// short, with the reason.
fn write(profile: &Profile, selection: &Selection, _: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    let bytes = Builder::new(profile, selection).build().encode_to_vec();
    // Without a time stamp: equal profiles are equal files.
    let mut gzip = GzBuilder::new().write(&mut *out, Compression::default());
    gzip.write_all(&bytes)?;
    gzip.finish()?;
    out.flush()
}

#[derive(Default)]
struct Strings {
    table: Vec<String>,
    numbers: FxHashMap<String, i64>,
}

impl Strings {
    fn number(&mut self, text: &str) -> i64 {
        let text = text::safe(text);
        if let Some(&number) = self.numbers.get(&text) {
            return number;
        }
        let number = self.table.len() as i64;
        self.table.push(text.clone());
        self.numbers.insert(text, number);
        number
    }
}

/// Samples that have the same stack and labels.
type Key = (Id<Thread>, Outcome, Option<Id<Stack>>);

struct Builder<'a> {
    profile: &'a Profile,
    selection: &'a Selection,
    strings: Strings,
    out: proto::Profile,
    /// pprof's ids of what was met; they count from 1.
    mappings: FxHashMap<Id<Mapping>, u64>,
    locations: FxHashMap<Id<Location>, u64>,
    functions: FxHashMap<Id<Function>, u64>,
}

impl<'a> Builder<'a> {
    fn new(profile: &'a Profile, selection: &'a Selection) -> Self {
        let mut strings = Strings::default();
        // Number 0 has to be the empty string.
        strings.number("");
        Self {
            profile,
            selection,
            strings,
            out: proto::Profile::default(),
            mappings: FxHashMap::default(),
            locations: FxHashMap::default(),
            functions: FxHashMap::default(),
        }
    }

    fn build(mut self) -> proto::Profile {
        self.describe();
        let types = &self.selection.sample_types;
        let mut sums: FxHashMap<Key, Vec<i64>> = FxHashMap::default();
        for sample in self.selection.matcher(self.profile).samples() {
            let values = sums
                .entry((sample.thread, sample.outcome, sample.stack))
                .or_insert_with(|| vec![0; self.out.sample_type.len()]);
            values[0] += 1;
            for (column, value) in values.iter_mut().enumerate().skip(1) {
                // Beyond one column for each type there is the one for all of them.
                if types.get(column - 1).is_none_or(|&of| of == sample.sample_type) {
                    *value = value.saturating_add(signed(sample.value));
                }
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable();
        for ((thread, outcome, stack), value) in sums {
            let location_id = stack.map_or_else(Vec::new, |stack| self.stack(stack));
            let label = self.labels(thread, outcome);
            self.out.sample.push(proto::Sample {
                location_id,
                value,
                label,
            });
        }
        self.put_first();
        self.out.string_table = self.strings.table;
        self.out
    }

    /// Readers take the first mapping for the program: `pprof` heads its output with it. That is the executable if one
    /// process was selected, and otherwise the kernel, which all have in common.
    fn put_first(&mut self) {
        let profile = self.profile;
        let mut exes: Vec<&str> = self
            .selection
            .matcher(profile)
            .samples()
            .map(|sample| sample.thread)
            .collect::<FxHashSet<_>>()
            .into_iter()
            .map(|thread| profile.processes[profile.threads[thread].process].exe.as_str())
            .collect();
        exes.dedup();
        let is_first = |mapping: &Mapping| match exes[..] {
            [exe] => mapping.path == exe,
            _ => mapping.kind == MappingKind::Kernel,
        };
        let first = self
            .mappings
            .iter()
            .find(|&(&mapping, _)| is_first(&profile.mappings[mapping]))
            .map(|(_, &id)| id);
        if let Some(first) = first {
            self.out.mapping.sort_by_key(|mapping| mapping.id != first);
        }
    }

    fn describe(&mut self) {
        let Profile {
            metadata,
            sample_types,
            ..
        } = self.profile;
        let sampled = Sampled::of(self.profile, self.selection);
        let mut kinds: Vec<(&str, &str)> = vec![("samples", "count")];
        kinds.extend(self.selection.sample_types.iter().map(|&index| {
            let kind = sample_types.get(usize::from(index));
            kind.map_or(("cpu", "nanoseconds"), |kind| {
                (kind.name.as_str(), kind.unit.name())
            })
        }));
        if sampled == Sampled::Wall {
            kinds.push(("wall", "nanoseconds"));
        }
        self.out.sample_type = kinds
            .into_iter()
            .map(|(name, unit)| proto::ValueType {
                r#type: self.strings.number(name),
                unit: self.strings.number(unit),
            })
            .collect();
        self.out.default_sample_type = self.out.sample_type.last().map_or(0, |last| last.r#type);
        self.out.period_type = self.out.sample_type.get(1).copied();
        // Waits are not sampled by the clock.
        if !sampled.is_waits() {
            self.out.period = signed(metadata.period);
        }
        let time = self.selection.time.clone().unwrap_or(0..u64::MAX);
        let end = time.end.min(self.profile.duration_ns());
        self.out.time_nanos = signed(metadata.start_unix_ns.saturating_add(time.start));
        self.out.duration_nanos = signed(end.saturating_sub(time.start));
        let mut comments = vec![
            quality::title(self.profile, self.selection),
            quality::line(self.profile, self.selection),
            format!("kernel {} {}", metadata.kernel_release, metadata.machine),
        ];
        if !metadata.recorder.is_empty() {
            comments.push(format!("recorded by {}", metadata.recorder));
        }
        self.out.comment = comments.iter().map(|text| self.strings.number(text)).collect();
    }

    /// The locations of a stack that are shown, innermost first.
    fn stack(&mut self, stack: Id<Stack>) -> Vec<u64> {
        let (profile, selection) = (self.profile, self.selection);
        profile
            .stacks
            .locations(stack)
            .filter(|&location| selection.shows(profile, location))
            .take(MAX_DEPTH)
            .map(|location| self.location(location))
            .collect()
    }

    fn location(&mut self, id: Id<Location>) -> u64 {
        if let Some(&known) = self.locations.get(&id) {
            return known;
        }
        let Location { mapping, address } = self.profile.locations[id];
        let mapping_id = self.mapping(mapping);
        let lines = self.profile.lines.get(&id).map_or(&[][..], Vec::as_slice);
        let mut line = Vec::with_capacity(lines.len());
        for row in lines {
            if !self.profile.functions[row.function].name.is_empty() {
                line.push(proto::Line {
                    function_id: self.function(row.function),
                    line: i64::from(row.line),
                });
            }
        }
        let number = self.out.location.len() as u64 + 1;
        let entry = &mut self.out.mapping[mapping_id as usize - 1];
        entry.memory_limit = entry.memory_limit.max(address.saturating_add(1));
        // 0 for files, so it stays 0.
        entry.memory_start = entry.memory_start.min(address);
        // Readers take these as promises about every location of the mapping.
        entry.has_functions &= !line.is_empty();
        entry.has_line_numbers &= lines.first().is_some_and(|line| line.line != 0);
        entry.has_filenames &= lines
            .first()
            .is_some_and(|line| !self.profile.functions[line.function].file.is_empty());
        entry.has_inline_frames &= entry.has_line_numbers;
        self.out.location.push(proto::Location {
            id: number,
            mapping_id,
            address,
            line,
        });
        self.locations.insert(id, number);
        number
    }

    fn mapping(&mut self, id: Id<Mapping>) -> u64 {
        if let Some(&known) = self.mappings.get(&id) {
            return known;
        }
        let Mapping { kind, path, build_id } = &self.profile.mappings[id];
        let memory_start = match kind {
            MappingKind::File | MappingKind::FileOffset | MappingKind::Vdso => 0,
            // Absolute addresses: from the lowest that was met.
            MappingKind::Kernel
            | MappingKind::KernelModule
            | MappingKind::Anonymous(_)
            | MappingKind::Unknown(_) => u64::MAX,
        };
        let build_id: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let number = self.out.mapping.len() as u64 + 1;
        let filename = self.strings.number(path);
        let build_id = self.strings.number(&build_id);
        self.out.mapping.push(proto::Mapping {
            id: number,
            memory_start,
            filename,
            build_id,
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
            ..proto::Mapping::default()
        });
        self.mappings.insert(id, number);
        number
    }

    fn function(&mut self, id: Id<Function>) -> u64 {
        if let Some(&known) = self.functions.get(&id) {
            return known;
        }
        let Function { name, file } = &self.profile.functions[id];
        let number = self.out.function.len() as u64 + 1;
        let name = self.strings.number(name);
        let filename = self.strings.number(file);
        self.out.function.push(proto::Function {
            id: number,
            name,
            system_name: name,
            filename,
        });
        self.functions.insert(id, number);
        number
    }

    fn labels(&mut self, thread: Id<Thread>, outcome: Outcome) -> Vec<proto::Label> {
        let thread = &self.profile.threads[thread];
        let process = &self.profile.processes[thread.process];
        let mut labels = Vec::with_capacity(6);
        let incomplete = if outcome.is_whole() {
            ""
        } else {
            outcome.describe()
        };
        for (key, text) in [
            ("process", process.name.as_str()),
            ("thread", thread.name.as_str()),
            ("cgroup", process.cgroup.as_str()),
            ("incomplete", incomplete),
        ] {
            // A label needs a value: pprof refuses one that is empty.
            if !text.is_empty() {
                labels.push(proto::Label {
                    key: self.strings.number(key),
                    str: self.strings.number(text),
                    num: 0,
                });
            }
        }
        for (key, number) in [("pid", process.pid), ("tid", thread.tid)] {
            labels.push(proto::Label {
                key: self.strings.number(key),
                str: 0,
                num: i64::from(number),
            });
        }
        labels
    }
}

/// pprof's numbers are signed.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::profile::{
        Line,
        folded::{from_folded, with_waits},
    };

    fn export(profile: &Profile, selection: &Selection) -> proto::Profile {
        let mut out = Vec::new();
        write(profile, selection, &Options::default(), &mut out).unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(&out[..]).read_to_end(&mut bytes).unwrap();
        proto::Profile::decode(&bytes[..]).unwrap()
    }

    fn text(profile: &proto::Profile, number: i64) -> &str {
        &profile.string_table[number as usize]
    }

    fn text_of(profile: &proto::Profile, number: i64) -> String {
        text(profile, number).to_owned()
    }

    /// The function names of a sample, innermost first.
    fn names<'a>(profile: &'a proto::Profile, sample: &proto::Sample) -> Vec<&'a str> {
        let locations = sample
            .location_id
            .iter()
            .map(|&id| &profile.location[id as usize - 1]);
        locations
            .flat_map(|location| &location.line)
            .map(|line| text(profile, profile.function[line.function_id as usize - 1].name))
            .collect()
    }

    #[test]
    fn stacks_keep_their_values_and_their_order() {
        let profile = from_folded("app/7;main;read;vfs_read_[k] 3\napp/7;main 1");
        let out = export(&profile, &Selection::default());
        let types: Vec<_> = out
            .sample_type
            .iter()
            .map(|t| (text(&out, t.r#type), text(&out, t.unit)))
            .collect();
        assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
        assert_eq!(text(&out, out.default_sample_type), "cpu");
        let mut samples: Vec<_> = out
            .sample
            .iter()
            .map(|sample| (names(&out, sample), sample.value.clone()))
            .collect();
        samples.sort();
        assert_eq!(
            samples,
            [
                (vec!["main"], vec![1, 10_101_010]),
                (vec!["vfs_read", "read", "main"], vec![3, 30_303_030]),
            ]
        );
        assert_eq!(out.string_table[0], "");
        assert_eq!((out.period, out.duration_nanos), (10_101_010, 40_000_000));
    }

    #[test]
    fn waits_are_values_of_their_own_beside_cpu_time() {
        let profile = with_waits(
            from_folded("app/7;main;read 3\napp/7;main 1"),
            "app/7;main;read 5\napp/7;main;poll 7",
        );
        let export = |sample_types: &[u8]| {
            let selection = Selection {
                sample_types: sample_types.to_vec(),
                ..Selection::default()
            };
            let out = export(&profile, &selection);
            let types: Vec<_> = out
                .sample_type
                .iter()
                .map(|kind| text_of(&out, kind.r#type))
                .collect();
            let mut values: Vec<_> = out.sample.iter().map(|sample| sample.value.clone()).collect();
            values.sort();
            (types, values, text_of(&out, out.default_sample_type), out.period)
        };
        let (types, values, default, period) = export(&[0, 1]);
        assert_eq!(types, ["samples", "cpu", "off_cpu", "wall"]);
        assert_eq!(
            values,
            [
                [1, 0, 7_000_000, 7_000_000],
                [1, 10_101_010, 0, 10_101_010],
                [4, 30_303_030, 5_000_000, 35_303_030],
            ]
        );
        assert_eq!((default.as_str(), period), ("wall", 10_101_010));
        let (types, values, default, period) = export(&[1]);
        assert_eq!(types, ["samples", "off_cpu"]);
        assert_eq!(values, [[1, 5_000_000], [1, 7_000_000]]);
        assert_eq!((default.as_str(), period), ("off_cpu", 0));
    }

    #[test]
    fn labels_say_who() {
        let profile = from_folded("app/7;main 1");
        let out = export(&profile, &Selection::default());
        let labels: Vec<_> = out.sample[0]
            .label
            .iter()
            .map(|label| (text(&out, label.key), text(&out, label.str), label.num))
            .collect();
        assert_eq!(
            labels,
            [
                ("process", "app", 0),
                ("thread", "app", 0),
                ("pid", "", 7),
                ("tid", "", 7)
            ]
        );
    }

    #[test]
    fn a_stack_that_was_cut_short_is_labelled_with_the_reason() {
        let mut profile = from_folded("app;main 1");
        profile.samples[0].outcome = Outcome::TooDeep;
        let out = export(&profile, &Selection::default());
        let label = out.sample[0]
            .label
            .iter()
            .find(|label| text(&out, label.key) == "incomplete");
        assert_eq!(text(&out, label.unwrap().str), "deeper than the frame limit");
    }

    #[test]
    fn inlined_calls_are_lines_of_one_location() {
        let mut profile = from_folded("app;outer 1");
        let inner = profile.functions.intern(Function {
            name: "inner".into(),
            file: "a.c".into(),
        });
        let lines = profile.lines.get_mut(&Id::new(0)).unwrap();
        lines.insert(
            0,
            Line {
                function: inner,
                line: 9,
            },
        );
        let out = export(&profile, &Selection::default());
        assert_eq!((out.location.len(), out.location[0].line.len()), (1, 2));
        assert_eq!(names(&out, &out.sample[0]), ["inner", "outer"]);
    }

    #[test]
    fn a_mapping_promises_names_only_if_all_its_locations_have_them() {
        let mut profile = from_folded("app;main;f 1\nb;main 1");
        profile.lines.remove(&Id::new(1));
        let out = export(&profile, &Selection::default());
        let promises: Vec<_> = out
            .mapping
            .iter()
            .map(|mapping| (text(&out, mapping.filename), mapping.has_functions))
            .collect();
        assert_eq!(promises, [("/usr/bin/app", false), ("/usr/bin/b", true)]);
        assert!(out.location.iter().any(|location| location.line.is_empty()));
    }

    #[test]
    fn the_first_mapping_is_what_the_profile_is_of() {
        let first = |text: &str| {
            let out = export(&from_folded(text), &Selection::default());
            text_of(&out, out.mapping[0].filename)
        };
        let text_of_app = first("app;libc.so.6`_start;main 1\napp;libc.so.6`_start 1");
        assert_eq!(text_of_app, "/usr/bin/app");
        let system = first("app;libc.so.6`_start;main 1\nb;main;read_[k] 1");
        assert_eq!(system, "[kernel.kallsyms]");
    }

    #[test]
    fn only_what_was_selected_is_in_the_file() {
        let profile = from_folded("app/7;main;f 3\nother/8;main;g;vfs_read_[k] 2");
        let selection = Selection {
            pids: vec![8],
            kernel: false,
            ..Selection::default()
        };
        let out = export(&profile, &selection);
        assert_eq!(out.sample.len(), 1);
        assert_eq!(names(&out, &out.sample[0]), ["g", "main"]);
        assert!(
            !out.string_table
                .iter()
                .any(|text| text == "f" || text == "vfs_read")
        );
    }

    #[test]
    fn equal_profiles_are_equal_files() {
        let file = || {
            let mut out = Vec::new();
            let profile = from_folded("b;main;f 3\na;main;g 2\na;main;f 1");
            write(&profile, &Selection::default(), &Options::default(), &mut out).unwrap();
            out
        };
        assert_eq!(file(), file());
    }
}
