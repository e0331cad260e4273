//! What deltas carry, and what they may not.

use super::*;
use crate::profile::{Contention, Extent, LatencyKey, ObjectKind, Operation, Outcome, State, Unit};

fn recorded() -> Profile {
    let mut profile = Profile::default();
    profile.sample_types.push(SampleType {
        name: "cpu".into(),
        unit: Unit::Nanoseconds,
    });
    let mapping = profile.mappings.intern(Mapping {
        kind: MappingKind::File,
        path: "/bin/a".into(),
        build_id: vec![],
    });
    let location = profile.locations.intern(Location { mapping, address: 16 });
    profile.stacks.intern([location]);
    profile
}

#[test]
fn deltas_put_together_are_the_profile() {
    let mut profile = recorded();
    let (mut mark, mut copy) = (Mark::default(), Profile::default());
    copy.extend(profile.take_delta(&mut mark)).unwrap();
    let next = profile.locations.intern(Location {
        mapping: Id::new(0),
        address: 32,
    });
    profile.stacks.intern([Id::new(0), next]);
    let delta = profile.take_delta(&mut mark);
    assert_eq!(
        (
            delta.locations.len(),
            delta.stacks.len(),
            delta.metadata.is_none()
        ),
        (1, 1, true)
    );
    copy.extend(delta).unwrap();
    assert_eq!(copy.stacks.len(), 2);
    assert!(profile.take_delta(&mut mark).is_empty());
}

#[test]
fn a_delta_that_refers_to_nothing_is_refused_whole() {
    let mut profile = recorded();
    let delta = Delta {
        mappings: vec![],
        stacks: vec![Stack {
            caller: Some(Id::new(1)),
            location: Id::new(0),
        }],
        ..Delta::default()
    };
    assert_eq!(
        profile.extend(delta),
        Err(ExtendError::Missing {
            table: "stacks",
            row: 1
        })
    );
    assert_eq!(profile.stacks.len(), 1);
}

#[test]
fn a_delta_that_repeats_a_row_is_refused_whole_and_the_profile_stays_usable() {
    let mut profile = recorded();
    let function = |name: &str| Function {
        name: name.into(),
        file: String::new(),
    };
    let repeats_an_old_row = Delta {
        functions: vec![function("f")],
        mappings: profile.mappings.since(0).to_vec(),
        ..Delta::default()
    };
    let repeats_its_own_row = Delta {
        locations: vec![Location {
            mapping: Id::new(0),
            address: 99,
        }],
        functions: vec![function("f"), function("g"), function("f")],
        ..Delta::default()
    };
    for (delta, table, row) in [
        (repeats_an_old_row, "mappings", 0),
        (repeats_its_own_row, "functions", 2),
    ] {
        assert_eq!(profile.extend(delta), Err(ExtendError::Repeated { table, row }));
        assert_eq!((profile.functions.len(), profile.locations.len()), (0, 1));
    }
    profile
        .extend(Delta {
            functions: vec![function("f")],
            ..Delta::default()
        })
        .unwrap();
    assert_eq!(profile.functions[Id::new(0)].name, "f");
}

#[test]
fn spans_are_handed_over_and_those_that_make_no_sense_are_refused() {
    let span = |thread, start_ns, end_ns| ThreadTime {
        thread: Id::new(thread),
        start_ns,
        end_ns,
        ns: [0; State::COUNT],
        waits: 0,
        preemptions: 0,
        in_calls_ns: None,
    };
    let mut profile = recorded();
    let process = profile.processes.intern(Process {
        pid: 7,
        ppid: 1,
        name: "a".into(),
        exe: String::new(),
        cgroup: String::new(),
        unit: String::new(),
        container: String::new(),
        start_ns: 0,
        kernel_thread: false,
    });
    profile.threads.intern(Thread {
        process,
        tid: 7,
        name: "a".into(),
    });
    profile.thread_times.push(span(0, 5, 9));
    let delta = profile.take_delta(&mut Mark::default());
    assert_eq!((delta.thread_times.len(), profile.thread_times.len()), (1, 0));
    let mut copy = Profile::default();
    copy.extend(delta).unwrap();
    assert_eq!((copy.thread_times.len(), copy.duration_ns()), (1, 9));
    let missing = ExtendError::Missing {
        table: "threads",
        row: 1,
    };
    let backwards = ExtendError::Backwards {
        table: "thread times",
        row: 1,
    };
    for (wrong, error) in [(span(1, 5, 9), missing), (span(0, 9, 5), backwards)] {
        let delta = Delta {
            thread_times: vec![span(0, 9, 9), wrong],
            ..Delta::default()
        };
        assert_eq!(copy.extend(delta), Err(error));
        assert_eq!(copy.thread_times.len(), 1);
    }
}

/// A profile with a latency and a slow event, and a sample of a wait that a thread ended.
fn waited() -> Profile {
    let mut profile = crate::profile::folded::from_folded("a/7;main 1\nb/8;main");
    profile.quality.clear();
    profile.samples[0].waker = Waker::Thread(Id::new(0));
    profile.samples[1].time_ns = 0;
    profile.ended = false;
    profile.latencies.push(Latency {
        key: LatencyKey {
            process: Id::new(0),
            operation: Operation::Call(0),
            object: ObjectKind::File,
            device: 0,
        },
        start_ns: 5,
        end_ns: 9,
        count: 1,
        total_ns: 3,
        min_ns: 3,
        max_ns: 3,
        errors: vec![],
        buckets: vec![(0, 1)],
    });
    let target = profile.targets.intern(Target("/etc/a".into()));
    profile.slow.push(SlowEvent {
        thread: Id::new(0),
        end_ns: 12,
        duration_ns: 3,
        extent: Extent::Whole,
        operation: Operation::Call(0),
        object: ObjectKind::File,
        target: Some(target),
        result: 1,
        arguments: [0; 6],
        stack: Some(Id::new(0)),
        outcome: Outcome::Complete,
        wait_ns: 2,
        waker: Waker::Thread(Id::new(1)),
        woken_ns: 0,
    });
    profile
}

#[test]
fn latencies_and_slow_events_are_handed_over_and_count_for_the_duration() {
    let mut profile = waited();
    assert_eq!(profile.duration_ns(), 12);
    profile.latencies.push(Latency {
        start_ns: 4,
        end_ns: 20,
        ..profile.latencies[0].clone()
    });
    assert_eq!(profile.duration_ns(), 20);
    let mut mark = Mark::default();
    let delta = profile.take_delta(&mut mark);
    assert_eq!((delta.latencies[0].start_ns, delta.latencies[1].start_ns), (4, 5));
    assert_eq!((delta.slow.len(), delta.targets.len()), (1, 1));
    assert!(profile.latencies.is_empty() && profile.slow.is_empty());
    assert!(profile.take_delta(&mut mark).is_empty());
    let mut copy = Profile::default();
    copy.extend(delta).unwrap();
    profile.targets.intern(Target("/etc/b".into()));
    copy.extend(profile.take_delta(&mut mark)).unwrap();
    assert_eq!(
        (copy.latencies.len(), copy.slow.len(), copy.targets.len()),
        (2, 1, 2)
    );
    assert_eq!(copy.targets[Id::new(1)].0, "/etc/b");
    assert_eq!(copy.samples[0].waker, Waker::Thread(Id::new(0)));
}

#[test]
fn latencies_and_slow_events_that_make_no_sense_are_refused() {
    let whole = waited().take_delta(&mut Mark::default());
    let missing = |table, row| ExtendError::Missing { table, row };
    type Spoil = fn(&mut Delta);
    let spoilt: [(Spoil, ExtendError); 7] = [
        (
            |it| it.latencies[0].key.process = Id::new(2),
            missing("processes", 2),
        ),
        (
            |it| it.latencies[0].end_ns = 4,
            ExtendError::Backwards {
                table: "latencies",
                row: 0,
            },
        ),
        (|it| it.slow[0].thread = Id::new(2), missing("threads", 2)),
        (|it| it.slow[0].stack = Some(Id::new(9)), missing("stacks", 9)),
        (|it| it.slow[0].target = Some(Id::new(1)), missing("targets", 1)),
        (
            |it| it.slow[0].waker = Waker::Thread(Id::new(3)),
            missing("threads", 3),
        ),
        (
            |it| it.samples[0].waker = Waker::Thread(Id::new(4)),
            missing("threads", 4),
        ),
    ];
    for (spoil, error) in spoilt {
        let (mut delta, mut profile) = (whole.clone(), Profile::default());
        spoil(&mut delta);
        assert_eq!(profile.extend(delta), Err(error));
        assert!(profile.processes.is_empty() && profile.slow.is_empty());
    }
    let mut profile = Profile::default();
    profile.extend(whole.clone()).unwrap();
    let again = Delta {
        targets: whole.targets,
        ..Delta::default()
    };
    let table = "targets";
    assert_eq!(
        profile.extend(again),
        Err(ExtendError::Repeated { table, row: 0 })
    );
}

/// The same, with a wait for a lock that the other thread held, and the call in which it let go.
fn contended() -> Profile {
    let mut profile = waited();
    let lock = profile.locks.intern(Lock {
        process: Some(Id::new(0)),
        address: 0x1000,
        place: Some((Id::new(0), 0x40)),
        name: "lock".into(),
    });
    profile.lock_waits.push(LockWait {
        thread: Id::new(0),
        lock,
        contention: Contention::FutexWait,
        value: 2,
        end_ns: 50,
        duration_ns: 20,
        blocked_ns: 18,
        threshold_ns: 0,
        extent: Extent::Whole,
        errno: 0,
        owner: Waker::Thread(Id::new(1)),
        waker: Waker::Thread(Id::new(1)),
        woken_ns: 48,
        stack: Some(Id::new(0)),
        outcome: Outcome::Complete,
    });
    profile.call_stacks.push(CallStack {
        thread: Id::new(1),
        start_ns: 47,
        end_ns: 49,
        stack: Some(Id::new(1)),
        outcome: Outcome::Complete,
    });
    profile
}

#[test]
fn waits_for_locks_are_handed_over_and_count_for_the_duration() {
    let mut profile = contended();
    assert_eq!(profile.duration_ns(), 50);
    let mut mark = Mark::default();
    let delta = profile.take_delta(&mut mark);
    let handed = (delta.locks.len(), delta.lock_waits.len(), delta.call_stacks.len());
    assert_eq!(handed, (1, 1, 1));
    assert!(profile.lock_waits.is_empty() && profile.call_stacks.is_empty());
    assert!(profile.take_delta(&mut mark).is_empty());
    let mut copy = Profile::default();
    copy.extend(delta).unwrap();
    profile.locks.intern(Lock {
        process: None,
        address: 0,
        place: None,
        name: "mmap_lock".into(),
    });
    copy.extend(profile.take_delta(&mut mark)).unwrap();
    let came = (copy.locks.len(), copy.lock_waits.len(), copy.call_stacks.len());
    assert_eq!(came, (2, 1, 1));
    assert_eq!(copy.locks[Id::new(1)].name, "mmap_lock");
}

#[test]
fn waits_for_locks_that_make_no_sense_are_refused() {
    let whole = contended().take_delta(&mut Mark::default());
    let missing = |table, row| ExtendError::Missing { table, row };
    type Spoil = fn(&mut Delta);
    let spoilt: [(Spoil, ExtendError); 10] = [
        (
            |it| it.locks[0].process = Some(Id::new(2)),
            missing("processes", 2),
        ),
        (
            |it| it.locks[0].place = Some((Id::new(9), 0)),
            missing("mappings", 9),
        ),
        (
            |it| it.locks.push(it.locks[0].clone()),
            ExtendError::Repeated {
                table: "locks",
                row: 1,
            },
        ),
        (|it| it.lock_waits[0].lock = Id::new(1), missing("locks", 1)),
        (|it| it.lock_waits[0].thread = Id::new(2), missing("threads", 2)),
        (
            |it| it.lock_waits[0].owner = Waker::Thread(Id::new(3)),
            missing("threads", 3),
        ),
        (
            |it| it.lock_waits[0].waker = Waker::Thread(Id::new(4)),
            missing("threads", 4),
        ),
        (
            |it| it.lock_waits[0].stack = Some(Id::new(9)),
            missing("stacks", 9),
        ),
        (|it| it.call_stacks[0].thread = Id::new(5), missing("threads", 5)),
        (
            |it| it.call_stacks[0].end_ns = 46,
            ExtendError::Backwards {
                table: "stacks of calls",
                row: 0,
            },
        ),
    ];
    for (spoil, error) in spoilt {
        let (mut delta, mut profile) = (whole.clone(), Profile::default());
        spoil(&mut delta);
        assert_eq!(profile.extend(delta), Err(error));
        assert!(profile.processes.is_empty() && profile.lock_waits.is_empty());
    }
    let mut delta = whole;
    delta.call_stacks[0].stack = Some(Id::new(7));
    assert_eq!(Profile::default().extend(delta), Err(missing("stacks", 7)));
}
