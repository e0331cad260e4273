//! Whole reports, letter by letter.

use super::*;
use crate::profile::{Function, Id, Line, Location, Mapping, MappingKind};

/// What stands above the table.
fn header(text: &str) -> &str {
    text.split_once("\n\n").map_or(text, |(header, _)| header)
}

fn table(text: &str) -> &str {
    text.split_once("\n\n").expect("a blank line above the table").1
}

#[test]
fn functions_are_sorted_by_self() {
    assert_eq!(
        show(&busy(), FUNCTIONS),
        "\
10.0 s · 1,000 samples · lost 0 % · complete stacks 100 % · unknown frames 0 % · own CPU not measured
host CPU 100 % busy, 0 % idle (1 CPU) · cpu-clock 99 Hz · example · Linux 6.1.0 · whole system
100 % = 1,000 busy samples, 10.1 s of CPU time; ± is the 95 % interval

   self          total    samples  module     function
 79.9 % ±2.6    79.9 %        799  app        spin
 10.1 % ±2.0    10.1 %        101  [kernel]   vfs_read
 10.0 % ±2.0    10.0 %        100  other      main
  0.0 % ±0.4    90.0 %          0  app        _start
  0.0 % ±0.4    90.0 %          0  app        main
  0.0 % ±0.4    59.9 %          0  app        hot
  0.0 % ±0.4    30.1 %          0  app        warm
  0.0 % ±0.4    10.1 %          0  libc.so.6  read
  0.0 % ±0.4    10.0 %          0  other      _start
"
    );
}

#[test]
fn sorted_by_total_the_samples_are_those_of_the_total() {
    let (profile, selection) = (busy(), Selection::default());
    let report = Report {
        percent_limit: 20.0,
        ..report(&profile, &selection, View::Functions(Sort::Total))
    };
    assert_eq!(
        table(&as_text(&report, PLAIN)),
        "  total           self    samples  module  function
 90.0 % ±2.0     0.0 %        900  app     _start
 90.0 % ±2.0     0.0 %        900  app     main
 79.9 % ±2.6    79.9 %        799  app     spin
 59.9 % ±3.1     0.0 %        599  app     hot
 30.1 % ±2.9     0.0 %        301  app     warm
… 4 more, 20.1 % of the samples; --percent-limit 0 shows them
"
    );
}

#[test]
fn a_limit_says_what_it_left_out() {
    let (profile, selection) = (busy(), Selection::default());
    let report = Report {
        limit: Some(1),
        ..report(&profile, &selection, View::Functions(Sort::Name))
    };
    assert_eq!(
        table(&as_text(&report, PLAIN)),
        "   self          total    samples  module  function
  0.0 % ±0.4    90.0 %          0  app     _start
… 8 more, 100 % of the samples; a larger --limit shows them
"
    );
}

#[test]
fn a_flat_profile_is_not_an_empty_table() {
    let text: String = (0..40).map(|i| format!("app/7;main;f{i} 1\n")).collect();
    let (profile, selection) = (from_folded(&text), Selection::default());
    let report = Report {
        percent_limit: 5.0,
        at_least: 2,
        ..report(&profile, &selection, FUNCTIONS)
    };
    assert_eq!(
        table(&as_text(&report, PLAIN)),
        "   self          total    samples  module  function
  2.5 % ±10.4    2.5 %          1  app     f0
  2.5 % ±10.4    2.5 %          1  app     f1
… 39 more, 95.0 % of the samples; --percent-limit 0 shows them
"
    );
}

#[test]
fn only_children_stand_below_their_parent() {
    assert_eq!(
        table(&show(&busy(), View::Tree(Direction::TopDown))),
        "  total           self  function and what it calls
 90.0 % ±2.0     0.0 %  ├─ _start  [app]
 90.0 % ±2.0     0.0 %  │  main
 59.9 % ±3.1     0.0 %  │  ├─ hot
 59.9 % ±3.1    59.9 %  │  │  spin
 30.1 % ±2.9     0.0 %  │  └─ warm
 20.0 % ±2.6    20.0 %  │     ├─ spin
 10.1 % ±2.0     0.0 %  │     └─ read  [libc.so.6]
 10.1 % ±2.0    10.1 %  │        vfs_read  [kernel]
 10.0 % ±2.0     0.0 %  └─ _start  [other]
 10.0 % ±2.0    10.0 %     main
"
    );
}

#[test]
fn inverted_a_cut_stack_ends_in_its_reason() {
    let (profile, selection) = (bad(), Selection::default());
    let report = Report {
        percent_limit: 1.0,
        limit: Some(8),
        ..report(&profile, &selection, View::Tree(Direction::BottomUp))
    };
    assert_eq!(
        table(&as_text(&report, PLAIN)),
        "   self        function and its callers
 79.9 % ±2.6   ├─ spin  [app]
 59.9 % ±3.1   │  ├─ hot
 59.9 % ±3.1   │  │  main
 59.9 % ±3.1   │  │  _start
  2.0 % ±1.1   │  │  [incomplete: no unwind information]
 20.0 % ±2.6   │  └─ warm
 20.0 % ±2.6   │     main
 20.0 % ±2.6   │     _start
… 7 more; a larger --limit shows them
"
    );
}

#[test]
fn processes() {
    assert_eq!(
        table(&show(&bad(), View::Groups(GroupBy::Process))),
        "  share          samples  incomplete      pid  process
 90.0 % ±2.0         900          20        7  app
 10.0 % ±2.0         100           0        9  other
"
    );
}

#[test]
fn a_bad_recording_says_so_first() {
    let selection = Selection {
        pids: vec![7],
        ..Selection::default()
    };
    let profile = bad();
    let notes = ["a chunk at 4096 is damaged\x1b[2J: 1 second is missing".to_owned()];
    let report = Report {
        notes: &notes,
        ..report(&profile, &selection, FUNCTIONS)
    };
    assert_eq!(
        header(&as_text(&report, PLAIN)),
        "\
10.0 s · 900 samples · lost 1.2 % · complete stacks 97.8 % · unknown frames 0 % · own CPU 0.4 % + BPF 0.1 % of one CPU
host CPU 50.3 % busy, 49.7 % idle (1 CPU) · cpu-clock 99 Hz · example · Linux 6.1.0 · whole system
! a chunk at 4096 is damaged�[2J: 1 second is missing
! 12 records lost (1.2 %): ring full 10, side band lost 2
! the sampler did not run in 88 of 2,090 periods (4.2 %) though the CPU was busy: the hypervisor held it, interrupts were off, or the kernel throttled it
! 20 stacks cut short (2.2 %): no unwind information 20; in app 20
100 % = 900 busy samples (of 1,000: pid 7), 9.0 s of CPU time; ± is the 95 % interval"
    );
}

#[test]
fn an_empty_profile() {
    assert_eq!(
        show(&Profile::default(), FUNCTIONS),
        "\
0 µs · 0 samples · lost 0 % · no user stacks · own CPU not measured
host CPU use not measured · whole system
No samples: the sampler never ran.
"
    );
}

#[test]
fn an_idle_host() {
    let profile = without_samples(QualityWindow {
        idle: 990,
        expected: 990,
        own_cpu_ns: 1_000_000,
        host_busy_ns: 3_000_000,
        host_idle_ns: 9_997_000_000,
        ..QualityWindow::default()
    });
    assert_eq!(
        show(&profile, View::Tree(Direction::TopDown)),
        "\
10.0 s · 0 samples · lost 0 % · no user stacks · own CPU <0.1 % of one CPU
host CPU <0.1 % busy, >99.9 % idle (1 CPU) · cpu-clock 99 Hz · example · Linux 6.1.0 · whole system
No samples: the CPUs were idle in all 990 runs of the sampler.
"
    );
}

#[test]
fn only_lost_samples() {
    let profile = without_samples(QualityWindow {
        idle: 900,
        expected: 990,
        lost: [("ring full".to_owned(), 90)].into(),
        ..QualityWindow::default()
    });
    assert_eq!(
        show(&profile, View::Groups(GroupBy::Module)),
        "\
10.0 s · 0 samples · lost 100 % · no user stacks · own CPU not measured
host CPU use not measured · cpu-clock 99 Hz · example · Linux 6.1.0 · whole system
! 90 records lost (100 %): ring full 90
No samples: 90 records lost.
"
    );
}

#[test]
fn filters_that_match_nothing() {
    let profile = busy();
    let selection = Selection {
        pids: vec![1],
        unit: Some("nginx\x1b".to_owned()),
        ..Selection::default()
    };
    let text = as_text(&report(&profile, &selection, FUNCTIONS), PLAIN);
    assert!(
        text.ends_with("\nNo sample matches: pid 1, unit nginx�. 1,000 samples recorded.\n"),
        "{text}"
    );
}

#[test]
fn hostile_names_never_reach_a_terminal() {
    let mut profile = from_folded("\x1b[2Jev\u{9b}il/7;ma\x07in;x\r.so`<script>\u{202e} 3");
    profile.metadata.hostname = "\x1b]0;title\x07".to_owned();
    profile.metadata.clock = "\x1bc".to_owned();
    profile.metadata.kernel_release = "\u{85}".to_owned();
    profile.metadata.filters = vec!["comm \x1b[31m".to_owned()];
    profile.quality[0].lost = [("\x1b[5m".to_owned(), 1)].into();
    profile.samples[0].outcome = Outcome::Compat;
    let views = GroupBy::ALL.map(View::Groups).into_iter();
    let trees = [Direction::TopDown, Direction::BottomUp].map(View::Tree);
    for view in views.chain(trees).chain([FUNCTIONS]) {
        let text = show(&profile, view);
        assert!(
            !text.chars().any(|c| c != '\n' && crate::query::acts(c)),
            "{text:?}"
        );
        let json = as_json(&report(&profile, &Selection::default(), view));
        assert!(
            !json.chars().any(|c| c != '\n' && crate::query::acts(c)),
            "{json:?}"
        );
    }
    let text = show(&profile, FUNCTIONS);
    assert!(text.contains("�[2Jev�il"), "{text}");
    assert!(text.contains("<script>�"), "{text}");
}

#[test]
fn long_names_lose_their_middle_and_lines_fit() {
    let name = format!("core::iter::{}::fold", "Map<".repeat(60));
    let profile = from_folded(&format!("app/7;main;{name} 3\napp/7;main;b 1"));
    for view in [
        FUNCTIONS,
        View::Tree(Direction::TopDown),
        View::Tree(Direction::BottomUp),
    ] {
        let text = show(&profile, view);
        let widths = table(&text).lines().map(|line| line.chars().count());
        assert!(widths.max() <= Some(100), "{text}");
        assert!(text.contains("core::iter::") && text.contains("::fold"), "{text}");
        let wide = text::Layout {
            width: None,
            color: false,
        };
        assert!(as_text(&report(&profile, &Selection::default(), view), wide).contains(&name));
    }
}

#[test]
fn colour_only_adds_escape_sequences() {
    let (profile, selection) = (bad(), Selection::default());
    let coloured = text::Layout { color: true, ..PLAIN };
    for view in [FUNCTIONS, View::Tree(Direction::TopDown)] {
        let report = report(&profile, &selection, view);
        let mut text = as_text(&report, coloured);
        assert!(text.contains("\x1b[33m! 12 records lost"), "{text}");
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[36m"] {
            text = text.replace(code, "");
        }
        let text: String = text
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        assert_eq!(text, as_text(&report, PLAIN));
    }
}

#[test]
fn functions_without_a_name_show_where_they_are() {
    let mut profile = from_folded("app/7;main 3\napp/7;main;gone 1");
    profile.lines.remove(&Id::<Location>::new(1));
    let text = show(&profile, FUNCTIONS);
    assert!(text.contains("app+0x1010"), "{text}");
    assert!(
        text.contains("! 1 frame without a name: in app 1 (--debug-dir takes separate debug files)"),
        "{text}"
    );
}

#[test]
fn a_thousand_forks_in_a_row_leave_room_for_names() {
    let mut profile = from_folded("app/7;main 1");
    let mapping = profile.mappings.intern(Mapping {
        kind: MappingKind::File,
        path: "/usr/bin/app".into(),
        build_id: vec![],
    });
    let mut caller = profile.samples[0].stack;
    for depth in 0..1_000 {
        for side in ["left", "right"] {
            let function = profile.functions.intern(Function {
                name: format!("{side}{depth}"),
                file: String::new(),
            });
            let address = 0x10_000 + function.raw() as u64;
            let location = profile.locations.intern(Location { mapping, address });
            profile.lines.insert(location, vec![Line { function, line: 0 }]);
            let stack = profile
                .stacks
                .intern_node(crate::profile::Stack { caller, location });
            profile.samples.push(crate::profile::Sample {
                stack: Some(stack),
                ..profile.samples[0]
            });
        }
        caller = profile.samples.last().and_then(|sample| sample.stack);
    }
    let text = show(&profile, View::Tree(Direction::TopDown));
    assert_eq!(table(&text).lines().count(), 2_002);
    let widths = table(&text).lines().map(|line| line.chars().count());
    assert!(widths.max() <= Some(100));
    assert!(text.contains("right999"));
}
