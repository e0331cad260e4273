//! Exports as other programs see them.

use std::{path::Path, process::Command};

use profiler::{
    export::{FORMATS, Format, Options},
    profile::{
        Id, Outcome, Profile,
        folded::{from_folded, with_waits},
    },
    query::Selection,
};

/// Two processes, kernel frames, a library, a stack that was cut short, and names that nobody should trust.
fn profile() -> Profile {
    let mut profile = from_folded(
        "app/7;_start;main;compute 5
         app/7;_start;main;libc.so.6`read;vfs_read_[k] 3
         app/7;main;compute 1
         ev\x1b[31mil/8;<script>alert(1)</script>;a]]>b&c 2",
    );
    profile.samples[8].outcome = Outcome::NoUnwindInfo;
    // `compute` has lost its name.
    let compute = profile
        .lines
        .iter()
        .find(|(_, lines)| profile.functions[lines[0].function].name == "compute")
        .map(|(&location, _)| location)
        .expect("it was folded in");
    profile.lines.remove(&compute);
    profile
}

fn export(format: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let format = Format::named(format).expect("a format");
    (format.write)(&profile(), &Selection::default(), &Options::default(), &mut out)
        .expect("memory takes everything");
    out
}

/// What a program of Python's standard library says about an export.
fn python(arguments: &[&str], export: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), export).expect("room for it");
    let output = Command::new("python3")
        .args(arguments)
        .arg(file.path())
        .output()
        .expect("python3 is installed: the reader of this test is a Python program, and nothing of ours");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn an_independent_reader_reads_the_pprof() {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pprof_reader.py");
    let read = python(&[reader.to_str().expect("UTF-8")], &export("pprof"));
    assert_eq!(
        read,
        "\
types samples/count cpu/nanoseconds
period cpu nanoseconds 10101010
time 0 duration 110000000
default cpu
comment example: whole system, 0.1 s, 11 samples at 99 Hz (cpu-clock)
comment lost 0.0 %, complete stacks 90.9 %, unknown frames 18.2 %
comment kernel 6.1.0 x86_64
mapping [kernel.kallsyms] - named
mapping /usr/bin/app - bare
mapping /usr/lib/libc.so.6 - named
mapping /usr/bin/ev\u{fffd}[31mil - named
sample <script>alert(1)</script>;a]]>b&c 2 20202020 [process=ev\u{fffd}[31mil thread=ev\u{fffd}[31mil pid=8 tid=8]
sample _start;main;0x1020 5 50505050 [process=app thread=app pid=7 tid=7]
sample _start;main;read;vfs_read 3 30303030 [process=app thread=app pid=7 tid=7]
sample main;0x1020 1 10101010 [process=app thread=app incomplete=no unwind information pid=7 tid=7]
sums 11 111111110
"
    );
}

/// Busy and waiting threads in one.
fn wall(format: &str) -> Vec<u8> {
    let profile = with_waits(
        from_folded("app/7;main;compute 3"),
        "app/7;main;read;vfs_read_[k] 30",
    );
    let selection = Selection {
        sample_types: vec![0, 1],
        ..Selection::default()
    };
    let mut out = Vec::new();
    let format = Format::named(format).expect("a format");
    (format.write)(&profile, &selection, &Options::default(), &mut out).expect("memory takes everything");
    out
}

#[test]
fn an_independent_reader_tells_waits_from_cpu_time() {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pprof_reader.py");
    let read = python(&[reader.to_str().expect("UTF-8")], &wall("pprof"));
    for line in [
        "types samples/count cpu/nanoseconds off_cpu/nanoseconds wall/nanoseconds\n",
        "default wall\n",
        "comment example: whole system, 0.0 s, 4 busy or waiting samples, 60.3 ms of wall-clock time\n",
        "sample main;compute 3 30303030 0 30303030 [",
        "sample main;read;vfs_read 1 0 30000000 30000000 [",
        "sums 4 30303030 30000000 60303030\n",
    ] {
        assert!(read.contains(line), "{line} is not in {read}");
    }
    let program = "\
import sys, xml.etree.ElementTree as xml
svg = '{http://www.w3.org/2000/svg}'
for group in xml.parse(sys.argv[1]).getroot().iter(svg + 'g'):
    title, rect = group.find(svg + 'title'), group.find(svg + 'rect')
    if title is not None and rect is not None:
        red, green, blue = eval(rect.get('fill')[3:])
        print('blue' if blue > red + 50 else 'not blue', title.text)
";
    let frames = python(&["-c", program], &wall("svg"));
    let mut frames: Vec<_> = frames.lines().collect();
    frames.sort_unstable();
    assert_eq!(
        frames,
        [
            "blue [waiting] (30,000 µs, 49.75%)",
            "not blue all (60,303 µs, 100%)",
            "not blue app (60,303 µs, 100.00%)",
            "not blue compute (30,303 µs, 50.25%)",
            "not blue main (60,303 µs, 100.00%)",
            "not blue read (30,000 µs, 49.75%)",
            "not blue vfs_read (30,000 µs, 49.75%)",
        ]
    );
    assert_eq!(
        String::from_utf8(wall("folded")).expect("UTF-8"),
        "app;main;compute 30303\napp;main;read;vfs_read_[k];[waiting] 30000\n"
    );
}

#[test]
fn an_independent_reader_parses_the_flame_graph() {
    let program = "\
import sys, xml.etree.ElementTree as xml
root = xml.parse(sys.argv[1]).getroot()
svg = '{http://www.w3.org/2000/svg}'
assert root.tag == svg + 'svg'
assert len(root.findall('.//' + svg + 'script')) == 1
print('\\n'.join(sorted(title.text for title in root.iter(svg + 'title'))))
";
    assert_eq!(
        python(&["-c", program], &export("svg")),
        "\
<script>alert(1)</script> (2 samples, 18.18%)
[incomplete: no unwind information] (1 samples, 9.09%)
_start (8 samples, 72.73%)
a]]>b&c (2 samples, 18.18%)
all (11 samples, 100%)
app (9 samples, 81.82%)
app+0x1020 (1 samples, 9.09%)
app+0x1020 (5 samples, 45.45%)
ev\u{fffd}[31mil (2 samples, 18.18%)
main (1 samples, 9.09%)
main (8 samples, 72.73%)
read (3 samples, 27.27%)
vfs_read (3 samples, 27.27%)
"
    );
}

#[test]
fn folded_stacks_are_one_a_line() {
    assert_eq!(
        String::from_utf8(export("folded")).expect("UTF-8"),
        "\
app;[incomplete: no unwind information];main;app+0x1020 1
app;_start;main;app+0x1020 5
app;_start;main;read;vfs_read_[k] 3
ev\u{fffd}[31mil;<script>alert(1)</script>;a]]>b&c 2
"
    );
}

#[test]
fn no_format_forgets_or_invents_a_sample_under_any_filter() {
    let profile = profile();
    for pids in [vec![], vec![7], vec![8]] {
        let selection = Selection {
            pids,
            ..Selection::default()
        };
        let selected = selection.matcher(&profile).samples().count() as u64;
        assert!(selected > 0);
        let mut out = Vec::new();
        let folded = Format::named("folded").expect("a format");
        (folded.write)(&profile, &selection, &Options::default(), &mut out).expect("memory takes everything");
        let written: u64 = String::from_utf8(out)
            .expect("UTF-8")
            .lines()
            .map(|line| {
                let (_, count) = line.rsplit_once(' ').expect("a count");
                count.parse::<u64>().expect("a number")
            })
            .sum();
        assert_eq!(written, selected);
    }
}

#[test]
fn a_profile_that_refers_to_nothing_strange_is_written_by_every_format() {
    let mut profile = profile();
    // A sample without a stack, and a location of which nothing is known.
    profile.samples[0].stack = None;
    profile.lines.remove(&Id::new(0));
    for format in FORMATS {
        let mut out = Vec::new();
        (format.write)(&profile, &Selection::default(), &Options::default(), &mut out)
            .expect("memory takes everything");
        assert!(!out.is_empty(), "{}", format.name);
    }
}
