//! Events in, profile out: no kernel, no `/proc`.

use std::{collections::HashMap, fs::File, path::PathBuf};

use profiler_common::{
    unwind::{BLOCKS_PER_CHUNK, Block, Mapping as Entry, Rule, Space},
    waker::Waker,
};

use super::*;
use crate::collect::{
    event::RawMapping,
    proc_fs::{Futex, Owner, Stat},
    targets::OpenFile,
};

/// A host where only these processes are to be found.
#[derive(Default)]
struct Fake {
    stats: HashMap<u32, Stat>,
    maps: HashMap<u32, Vec<RawMapping>>,
}

impl Host for Fake {
    fn futex(&self, _: u32, _: u32) -> Option<Futex> {
        None
    }

    fn thread_inside(&self, pid: u32, tid: u32, _: bool) -> Option<(u32, u32)> {
        (tid == 7).then_some((pid, tid))
    }

    fn stat(&self, pid: u32) -> Option<Stat> {
        self.stats.get(&pid).cloned()
    }
    fn thread_name(&self, _: u32, _: u32) -> Option<Vec<u8>> {
        None
    }
    fn exe(&self, _: u32) -> Option<String> {
        None
    }
    fn maps(&self, pid: u32) -> Option<Vec<RawMapping>> {
        self.maps.get(&pid).cloned()
    }
    fn owner(&self, _: u32) -> Option<Owner> {
        None
    }
    fn open(&self, _: u32, _: &RawMapping) -> Vec<File> {
        Vec::new()
    }
    fn descriptor(&self, _: u32, _: u32) -> Option<OpenFile> {
        None
    }
    fn waiting_stack(&self, _: u32, _: u32, _: u64, _: u64) -> Option<Vec<u8>> {
        None
    }
    fn working_directory(&self, _: u32) -> Option<PathBuf> {
        None
    }
    fn mount_point(&self, _: u32) -> Option<PathBuf> {
        None
    }
}

/// The maps of a kernel side that is not there.
#[derive(Default)]
struct Maps {
    mappings: Vec<Entry>,
    rules: Vec<Rule>,
    spaces: HashMap<u32, Space>,
    forgotten: Vec<u32>,
}

impl KernelSide for Maps {
    fn mappings(&mut self) -> &mut [Entry] {
        &mut self.mappings
    }
    fn rules(&mut self) -> &mut [Rule] {
        &mut self.rules
    }
    fn space(&mut self, pid: u32) -> Option<Space> {
        self.spaces.get(&pid).copied()
    }
    fn publish(&mut self, pid: u32, space: Space) -> bool {
        self.spaces.insert(pid, space);
        true
    }
    fn withdraw(&mut self, pid: u32) {
        self.spaces.remove(&pid);
    }
    fn forget(&mut self, pid: u32) {
        self.spaces.remove(&pid);
        self.forgotten.push(pid);
    }
}

type TestRecorder = Recorder<Fake, Vec<Box<[Block]>>, Maps>;

fn recorder(host: Fake) -> TestRecorder {
    let maps = Maps {
        mappings: vec![Entry::default(); 64],
        rules: vec![Rule::NONE; 1024],
        spaces: HashMap::default(),
        forgotten: Vec::new(),
    };
    let bytes = u64::from(BLOCKS_PER_CHUNK) * 64;
    let mut profile = Profile::default();
    profile.metadata.max_stack = 16;
    Recorder::new(
        profile,
        host,
        UnwindTables::new(Vec::new(), maps, bytes),
        KernelText::default(),
    )
}

fn at(time: u64, what: What) -> Event {
    Event { time, what }
}

fn sample(pid: u32, user_stack: u64) -> What {
    What::Sample(RawSample {
        tid: pid,
        stacks: RawStacks {
            cpu: 0,
            pid,
            user: user_stack,
            kernel: 0,
            outcome: stats::Outcome::Complete,
            has_copy: false,
            copy_is_shared: false,
        },
        sample_type: 0,
        value: 1,
        kernel_thread: false,
        waker: Waker::UNKNOWN,
    })
}

fn code(path: &str) -> RawMapping {
    RawMapping {
        start: 0x1000,
        end: 0x9000,
        file_offset: 0,
        path: path.into(),
        ..RawMapping::default()
    }
}

fn named(name: &str) -> Stat {
    Stat {
        name: name.into(),
        ppid: 1,
        kernel_thread: false,
    }
}

/// For each sample: the process's name and, innermost first, the paths and addresses of its stack.
fn told(recorder: &TestRecorder) -> Vec<(String, Vec<(String, u64)>)> {
    let profile = &recorder.profile;
    let place = |id: Id<Location>| (profile.mapping_of(id).path.clone(), profile.locations[id].address);
    let tell = |sample: &Sample| {
        let process = &profile.processes[profile.threads[sample.thread].process];
        let stack = sample
            .stack
            .map(|stack| profile.stacks.locations(stack).map(place).collect());
        (process.name.clone(), stack.unwrap_or_default())
    };
    profile.samples.iter().map(tell).collect()
}

#[test]
fn callers_are_looked_up_inside_the_call() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("app"))].into(),
        maps: [(7, vec![code("/bin/app")])].into(),
    });
    recorder.stack(RawStack {
        hash: 5,
        kernel: false,
        frames: vec![0x2000 | FRAME_IS_INSTRUCTION, 0x3000],
    });
    recorder.apply(at(10, sample(7, 5)));
    let app = |address| ("/bin/app".to_owned(), address);
    // The file could not be opened: addresses are offsets in it.
    assert_eq!(
        told(&recorder),
        [("app".to_owned(), vec![app(0x1000), app(0x1fff)])]
    );
}

/// What follows it sees the same, from row 0 of every table on.
#[test]
fn tables_that_begin_anew_hold_what_is_observed_from_then_on() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("app")), (9, named("gone"))].into(),
        maps: [(7, vec![code("/bin/app")]), (9, vec![code("/bin/gone")])].into(),
    });
    for hash in [5, 6] {
        recorder.stack(RawStack {
            hash,
            kernel: false,
            frames: vec![0x2000 | FRAME_IS_INSTRUCTION, 0x1000 * hash],
        });
    }
    recorder.apply(at(10, sample(9, 6)));
    recorder.apply(at(11, sample(7, 5)));
    let before = told(&recorder);
    let mut mark = crate::profile::Mark::default();
    recorder.profile.take_delta(&mut mark);
    assert!(!recorder.has_large_tables());
    recorder.renew();
    assert_eq!(
        recorder.profile.stacks.len() + recorder.profile.processes.len(),
        0
    );
    recorder.apply(at(12, sample(7, 5)));
    assert_eq!(told(&recorder), before[1..]);
    let delta = recorder.profile.take_delta(&mut crate::profile::Mark::default());
    assert_eq!(
        (delta.processes.len(), delta.mappings.len(), delta.samples.len()),
        (1, 1, 1)
    );
    assert_eq!(delta.processes[0].name, "app");
}

#[test]
fn a_signal_trampoline_is_looked_up_where_it_begins() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("app"))].into(),
        maps: [(7, vec![code("/bin/app")])].into(),
    });
    let frames = vec![
        0x2000 | FRAME_IS_INSTRUCTION,
        0x3000,
        0x4000 | FRAME_IS_INSTRUCTION,
        0x5000,
    ];
    recorder.stack(RawStack {
        hash: 5,
        kernel: false,
        frames,
    });
    recorder.apply(at(10, sample(7, 5)));
    let addresses: Vec<u64> = told(&recorder)[0].1.iter().map(|(_, address)| *address).collect();
    assert_eq!(addresses, [0x1000, 0x2000, 0x3000, 0x3fff]);
}

#[test]
fn a_short_lived_process_has_its_own_name_and_mappings() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("shell"))].into(),
        ..Fake::default()
    });
    recorder.stack(RawStack {
        hash: 5,
        kernel: false,
        frames: vec![0x2000 | FRAME_IS_INSTRUCTION],
    });
    recorder.apply(at(
        1,
        What::Fork {
            pid: 8,
            tid: 8,
            parent_pid: 7,
            parent_tid: 7,
        },
    ));
    recorder.apply(at(
        2,
        What::Image {
            pid: 8,
            parent: Some(7),
        },
    ));
    recorder.apply(at(
        3,
        What::Comm {
            pid: 8,
            tid: 8,
            name: b"tool".to_vec(),
            exec: true,
        },
    ));
    recorder.apply(at(
        4,
        What::Mmap {
            pid: 8,
            mapping: code("/bin/tool"),
        },
    ));
    recorder.apply(at(5, What::Image { pid: 8, parent: None }));
    recorder.apply(at(6, sample(8, 5)));
    recorder.apply(at(7, What::Exit { pid: 8, tid: 8 }));
    assert_eq!(
        told(&recorder),
        [("tool".to_owned(), vec![("/bin/tool".to_owned(), 0x1000)])]
    );
    assert_eq!(recorder.profile.processes.since(0)[0].exe, "/bin/tool");
    assert_eq!(recorder.profile.processes.since(0)[0].ppid, 7);
}

#[test]
fn registers_of_the_old_program_are_not_taken_for_the_new_one() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("old"))].into(),
        ..Fake::default()
    });
    recorder.stack(RawStack {
        hash: 5,
        kernel: false,
        frames: vec![0x2000 | FRAME_IS_INSTRUCTION],
    });
    recorder.apply(at(
        3,
        What::Comm {
            pid: 7,
            tid: 7,
            name: b"new".to_vec(),
            exec: true,
        },
    ));
    recorder.apply(at(
        4,
        What::Mmap {
            pid: 7,
            mapping: code("/bin/new"),
        },
    ));
    recorder.apply(at(5, sample(7, 5)));
    recorder.apply(at(6, What::Image { pid: 7, parent: None }));
    recorder.apply(at(7, sample(7, 5)));
    let stacks: Vec<usize> = told(&recorder).iter().map(|(_, stack)| stack.len()).collect();
    assert_eq!(stacks, [0, 1]);
    assert_eq!(recorder.profile.samples[0].outcome, Outcome::NoUserStack);
}

#[test]
fn a_fork_shares_what_the_kernel_side_copied_and_an_exec_ends_that() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("app"))].into(),
        maps: [(7, vec![code("/bin/app")])].into(),
    });
    recorder.prepare(7, 1);
    let parent = recorder.tables.kernel().spaces[&7];
    assert_eq!((parent.image, parent.count), (0, 1));
    // What the fork hook does in the kernel.
    recorder
        .tables
        .kernel()
        .spaces
        .insert(8, Space { image: 2, ..parent });
    recorder.apply(at(
        2,
        What::Fork {
            pid: 8,
            tid: 8,
            parent_pid: 7,
            parent_tid: 7,
        },
    ));
    recorder.apply(at(
        2,
        What::Image {
            pid: 8,
            parent: Some(7),
        },
    ));
    assert_eq!(
        recorder.tables.kernel().spaces.get(&8),
        Some(&Space { image: 2, ..parent })
    );
    // The parent's end leaves the child's mappings alone.
    recorder.apply(at(3, What::Exit { pid: 7, tid: 7 }));
    recorder.reap(10_000_000_000);
    assert!(!recorder.tables.kernel().spaces.contains_key(&7));
    assert_eq!(recorder.tables.kernel().forgotten, [7]);
    assert_eq!(
        recorder.tables.kernel().mappings[parent.first as usize].begin,
        0x1000
    );
}

#[test]
fn a_copy_that_does_not_match_what_is_known_is_withdrawn() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("app"))].into(),
        ..Fake::default()
    });
    recorder.tables.kernel().spaces.insert(
        8,
        Space {
            image: 2,
            first: 40,
            count: 3,
        },
    );
    recorder.apply(at(
        2,
        What::Image {
            pid: 8,
            parent: Some(7),
        },
    ));
    assert!(!recorder.tables.kernel().spaces.contains_key(&8));
}

#[test]
fn a_sample_whose_stack_was_lost_counts_and_says_so() {
    let mut recorder = recorder(Fake::default());
    recorder.apply(at(1, sample(9, 77)));
    assert_eq!(told(&recorder), [("pid 9".to_owned(), vec![])]);
    assert_eq!(recorder.lost.get("stack of a sample"), Some(&1));
}

#[test]
fn a_thread_that_renames_itself_starts_a_new_row() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("app"))].into(),
        ..Fake::default()
    });
    recorder.apply(at(1, sample(7, 0)));
    recorder.apply(at(
        2,
        What::Comm {
            pid: 7,
            tid: 7,
            name: b"worker".to_vec(),
            exec: false,
        },
    ));
    recorder.apply(at(3, sample(7, 0)));
    let names: Vec<&str> = recorder
        .profile
        .threads
        .since(0)
        .iter()
        .map(|thread| thread.name.as_str())
        .collect();
    assert_eq!(names, ["app", "worker"]);
    assert_eq!(recorder.profile.processes.len(), 1);
}

#[test]
fn an_exec_that_the_side_band_missed_is_looked_up() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("new"))].into(),
        maps: [(7, vec![code("/bin/new")])].into(),
    });
    recorder.stack(RawStack {
        hash: 5,
        kernel: false,
        frames: vec![0x2000 | FRAME_IS_INSTRUCTION],
    });
    recorder.apply(at(
        1,
        What::Comm {
            pid: 7,
            tid: 7,
            name: b"old".to_vec(),
            exec: false,
        },
    ));
    recorder.processes.get_mut(7).unwrap().space = Some(Rc::new(AddressSpace::new([code("/bin/old")])));
    recorder.processes.get_mut(7).unwrap().name = "old".into();
    recorder.apply(at(5, What::Image { pid: 7, parent: None }));
    recorder.apply(at(6, sample(7, 5)));
    assert_eq!(
        told(&recorder),
        [("new".to_owned(), vec![("/bin/new".to_owned(), 0x1000)])]
    );
}

#[test]
fn mappings_that_the_side_band_missed_are_read_again() {
    let far = RawMapping {
        start: 0x10_000,
        end: 0x20_000,
        ..code("/lib/late.so")
    };
    let mut recorder = recorder(Fake {
        stats: [(7, named("app"))].into(),
        maps: [(7, vec![code("/bin/app"), far])].into(),
    });
    recorder.processes.scan(
        [7],
        &Fake {
            stats: [(7, named("app"))].into(),
            ..Fake::default()
        },
    );
    recorder.processes.get_mut(7).unwrap().space = Some(Rc::new(AddressSpace::new([code("/bin/app")])));
    recorder.stack(RawStack {
        hash: 5,
        kernel: false,
        frames: vec![0x10_008 | FRAME_IS_INSTRUCTION],
    });
    let What::Sample(cut) = sample(7, 5) else {
        unreachable!()
    };
    let outcome = stats::Outcome::UnmappedCode;
    recorder.apply(at(
        1,
        What::Sample(RawSample {
            stacks: RawStacks {
                outcome,
                ..cut.stacks
            },
            ..cut
        }),
    ));
    assert_eq!(
        told(&recorder),
        [("app".to_owned(), vec![("/lib/late.so".to_owned(), 8)])]
    );
    // Not again for every sample.
    assert!(!recorder.processes.reread(7, 2, &Fake::default()));
}

#[test]
fn what_a_thread_did_until_its_end_is_told_under_its_name() {
    let mut recorder = recorder(Fake {
        stats: [(7, named("app"))].into(),
        ..Fake::default()
    });
    let thread = |ended| RawThread {
        state: 0,
        state_since: 0,
        in_calls_ns: 0,
        pid: 7,
        tid: 8,
        begun: 1,
        ns: [0; state::State::COUNT],
        waits: 0,
        preemptions: 0,
        ended,
        call: None,
    };
    recorder.apply(at(
        1,
        What::Comm {
            pid: 7,
            tid: 8,
            name: b"worker".to_vec(),
            exec: false,
        },
    ));
    recorder.thread_time(5, &thread(false));
    recorder.apply(at(8, What::Exit { pid: 7, tid: 8 }));
    recorder.apply(at(9, What::Thread(thread(true))));
    let profile = &recorder.profile;
    let spans: Vec<(&str, u64, u64)> = profile
        .thread_times
        .iter()
        .map(|span| {
            (
                profile.threads[span.thread].name.as_str(),
                span.start_ns,
                span.end_ns,
            )
        })
        .collect();
    assert_eq!(spans, [("worker", 1, 5), ("worker", 5, 9)]);
    recorder.reap(10_000_000_000);
    assert!(recorder.processes.get(7).unwrap().threads.is_empty());
}
