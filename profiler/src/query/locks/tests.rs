//! Locks of hand-made recordings.

use super::*;
use crate::{
    profile::{
        CallStack, Contention, Extent, Id, Latency, LatencyKey, Location, Lock, LockWait, ObjectKind,
        Outcome, Stack, Thread, Waker, folded::from_folded,
    },
    query::timing::tests::counted,
};

const MS: u64 = 1_000_000;

/// A wait of a thread of 1 ms that ended so many milliseconds after the begin, for a mutex of glibc.
pub(crate) fn wait(thread: u32, end_ms: u64) -> LockWait {
    LockWait {
        thread: Id::new(thread),
        lock: Id::new(0),
        contention: Contention::FutexWait,
        value: 2,
        end_ns: end_ms * MS,
        duration_ns: MS,
        blocked_ns: MS,
        threshold_ns: 0,
        extent: Extent::Whole,
        errno: 0,
        owner: Waker::Unknown,
        waker: Waker::Unknown,
        woken_ns: 0,
        stack: None,
        outcome: Outcome::Complete,
    }
}

/// Lock `number` of the first process, at an address of its own.
pub(crate) fn lock(profile: &mut Profile, number: u64) -> Id<Lock> {
    profile.locks.intern(Lock {
        process: Some(Id::new(0)),
        address: 0x7f00_0000_0000 + number * 64,
        place: None,
        name: String::new(),
    })
}

/// A lock of the kernel.
pub(crate) fn kernel_lock(profile: &mut Profile, address: u64, name: &str) -> Id<Lock> {
    profile.locks.intern(Lock {
        process: None,
        address,
        place: None,
        name: name.into(),
    })
}

/// One more thread of the process of the first.
pub(crate) fn thread(profile: &mut Profile, name: &str, tid: u32) -> Id<Thread> {
    profile.threads.intern(Thread {
        process: Id::new(0),
        tid,
        name: name.into(),
    })
}

/// The stack of sample `number`.
pub(crate) fn stack(profile: &Profile, number: usize) -> Option<Id<Stack>> {
    profile.samples[number].stack
}

fn all(profile: &Profile) -> Locks<'_> {
    locks(profile, &Selection::default(), Asked::default())
}

fn labels<'a>(group: &'a Group<'_>) -> Vec<&'a str> {
    group.rows.iter().map(|row| row.label.as_str()).collect()
}

const GET: &str = "app/7;main;get;libc.so.6`pthread_mutex_lock;futex_wait_[k]";
const PUT: &str = "app/7;main;put;libc.so.6`pthread_mutex_lock;futex_wait_[k]";
const IDLE: &str = "app/7;main;serve;libc.so.6`pthread_cond_wait;futex_wait_[k]";

#[test]
fn waits_for_what_another_had_are_known_of_any_waits_of_a_profile() {
    let mut profile = from_folded(&format!("{GET}\n{IDLE}"));
    let kernel = kernel_lock(&mut profile, 0xffff, "mmap_lock");
    let locks = [lock(&mut profile, 0), lock(&mut profile, 1), kernel];
    let contentions = [
        Contention::FutexWait,
        Contention::FutexWait,
        Contention::SemaphoreWrite,
    ];
    let waits: Vec<_> = (0..3)
        .map(|number| LockWait {
            lock: locks[number],
            contention: contentions[number],
            value: 2 + number as u32,
            stack: stack(&profile, number % 2),
            ..wait(0, 10 + number as u64)
        })
        .collect();
    let found: Vec<_> = contended(&profile, &waits).map(|wait| wait.end_ns).collect();
    // Of the kernel's locks the states tell.
    assert_eq!(found, [10 * MS]);
}

#[test]
fn contention_and_idle_waits_stand_apart_and_none_is_dropped() {
    let mut profile = from_folded(&format!("{GET}\n{IDLE}\napp/7;main;mine;futex_wait_[k]"));
    let locks = [0, 1, 2].map(|number| lock(&mut profile, number));
    profile.lock_waits = (0..3)
        .map(|number| LockWait {
            lock: locks[number],
            stack: stack(&profile, number),
            value: 2 + number as u32,
            ..wait(0, 10)
        })
        .collect();
    let found = all(&profile);
    assert_eq!(labels(&found.contention), ["mutex in get"]);
    assert_eq!(labels(&found.idle), ["condition variable in serve"]);
    assert_eq!(labels(&found.unknown), ["lock of unknown kind in mine"]);
    assert_eq!((found.recorded, found.contention.waits.seen), (3, 1));
}

#[test]
fn one_lock_is_one_row_and_locks_of_one_use_are_one() {
    let mut profile = from_folded(&format!("{GET}\n{PUT}"));
    let (first, second) = (lock(&mut profile, 0), lock(&mut profile, 1));
    let [get, put] = [0, 1].map(|number| stack(&profile, number));
    let at = |lock, stack, duration_ns| LockWait {
        lock,
        stack,
        duration_ns,
        blocked_ns: duration_ns,
        ..wait(0, 10)
    };
    // The first is used from both sides, mostly to get, and so is the second.
    profile.lock_waits = vec![
        at(first, get, 9 * MS),
        at(first, put, MS),
        at(second, get, 2 * MS),
    ];
    let found = all(&profile);
    assert_eq!(labels(&found.contention), ["mutex in get"]);
    let row = &found.contention.rows[0];
    assert_eq!((row.objects, row.address, row.waits.total_ns), (2, None, 12e6));
    let waiters: Vec<_> = row
        .waiters
        .iter()
        .map(|waiter| (waiter.waits.total_ns, waiter.threads))
        .collect();
    assert_eq!(waiters, [(11e6, 1), (1e6, 1)]);
    assert_eq!(row.longest.wait.duration_ns, 9 * MS);
}

#[test]
fn a_static_lock_is_named_by_its_place() {
    let mut profile = from_folded(GET);
    let mapping = profile.locations.iter().next().unwrap().1.mapping;
    for (address, place, name) in [(1, 0x40, "pool_lock"), (2, 0x40, "pool_lock"), (3, 0x80, "")] {
        let lock = profile.locks.intern(Lock {
            process: Some(Id::new(0)),
            address,
            place: Some((mapping, place)),
            name: name.into(),
        });
        let wait = LockWait {
            lock,
            stack: stack(&profile, 0),
            ..wait(0, 10)
        };
        profile.lock_waits.push(wait);
    }
    assert_eq!(
        labels(&all(&profile).contention),
        ["mutex pool_lock", "mutex app+0x80"]
    );
}

#[test]
fn values_tell_where_frames_do_not() {
    let mut profile = from_folded("app/7;main 1");
    thread(&mut profile, "other", 4_711);
    let mut add = |number, contention, values: &[u32]| {
        let lock = lock(&mut profile, number);
        for &value in values {
            profile.lock_waits.push(LockWait {
                lock,
                contention,
                value,
                ..wait(0, 10)
            });
        }
    };
    let (plain, bits) = (Contention::FutexWait, Contention::FutexWaitBitset);
    add(0, plain, &[2, 2]);
    add(1, plain, &[2, 2]);
    add(2, bits, &[2, 2]);
    add(3, bits, &[1, 2, 3]);
    add(4, bits, &[u32::MAX]);
    add(5, bits, &[4_711]);
    add(6, Contention::FutexLockPi, &[0]);
    add(7, bits, &[2]);
    // glibc's mutex has its owner behind its word; musl's condition variables wait for a 2 as well.
    profile.lock_waits[1].owner = Waker::Thread(Id::new(0));
    let mut subjects = Subjects::new(&profile, &profile.lock_waits, &mut Places::new(&profile));
    let mut seen = Vec::new();
    for (wait, judged) in profile.lock_waits.iter().zip(subjects.waits.drain(..)) {
        seen.push((wait.lock.raw(), subjects.subjects[judged.subject].class));
    }
    seen.dedup();
    use Class::{Join, Mutex, Park, Unknown};
    assert_eq!(
        seen,
        [
            (0, Mutex),
            (1, Unknown),
            (2, Mutex),
            (3, Unknown),
            (4, Park),
            (5, Join),
            (6, Mutex),
            (7, Unknown)
        ]
    );
}

#[test]
fn a_wait_whose_frames_say_nothing_is_what_others_for_that_lock_are() {
    let mut profile = from_folded(&format!("{IDLE}\n{GET}"));
    let (changed, again) = (lock(&mut profile, 0), lock(&mut profile, 1));
    let [idle, _] = [0, 1].map(|number| stack(&profile, number));
    let blind = wait(0, 10);
    profile.lock_waits = vec![
        LockWait {
            lock: changed,
            stack: idle,
            value: 6,
            ..blind
        },
        LockWait {
            lock: changed,
            value: 8,
            ..blind
        },
        // A stripped library: what looks like a condition variable is its mutex, taken again.
        LockWait {
            lock: again,
            stack: idle,
            value: 2,
            ..blind
        },
    ];
    let found = all(&profile);
    assert_eq!((found.idle.rows[0].waits.seen, found.unknown.rows.len()), (2, 0));
    assert_eq!(labels(&found.contention), ["mutex in serve"]);
}

/// A wait of 100 ms, which the other thread ended by letting go of the lock.
fn held() -> Profile {
    let mut profile = from_folded(&format!(
        "{GET}\napp/7;main;put;flush 3\napp/7;main;put;libc.so.6`pthread_mutex_unlock;libc.so.6`__lll_lock_wake"
    ));
    let holder = thread(&mut profile, "writer", 8);
    for (sample, at) in profile.samples[1..4].iter_mut().zip([20, 30, 90]) {
        (sample.thread, sample.time_ns) = (holder, at * MS);
    }
    lock(&mut profile, 0);
    profile.call_stacks.push(CallStack {
        thread: holder,
        start_ns: 99 * MS,
        end_ns: 100 * MS,
        stack: stack(&profile, 4),
        outcome: Outcome::Complete,
    });
    profile.lock_waits = vec![LockWait {
        duration_ns: 100 * MS,
        blocked_ns: 100 * MS,
        stack: stack(&profile, 0),
        owner: Waker::Thread(holder),
        waker: Waker::Thread(holder),
        woken_ns: 99 * MS + MS / 2,
        ..wait(0, 100)
    }];
    profile
}

#[test]
fn the_holder_is_named_with_where_it_let_go_and_what_it_did() {
    let profile = held();
    let found = all(&profile);
    let row = &found.contention.rows[0];
    let [holder] = &row.holders[..] else {
        panic!("{:?}", row.holders)
    };
    assert_eq!(
        (holder.evidence, holder.held, holder.within),
        (Evidence::Owner, Held::Released, 2)
    );
    assert_eq!(
        (holder.stack, holder.total_ns, row.unheld_ns),
        (stack(&profile, 4), 100e6, 0.0)
    );
    assert_eq!(holder.meanwhile.samples, 3);
    assert_eq!(*holder.meanwhile.doing()[0].0, Doing::Cpu("flush".into()));
}

#[test]
fn what_is_known_of_a_holder_is_said_and_no_more() {
    let mut profile = held();
    let holder = profile.lock_waits[0].owner;
    let who = |profile: &Profile| {
        let found = all(profile);
        let row = &found.contention.rows[0];
        let holder = row.holders.first();
        (
            holder.map(|holder| (holder.evidence, holder.held)),
            row.unheld_count,
        )
    };
    profile.lock_waits[0].owner = Waker::Unknown;
    assert_eq!(who(&profile), (Some((Evidence::Waker, Held::Released)), 0.0));
    profile.call_stacks.clear();
    assert_eq!(who(&profile), (Some((Evidence::Waker, Held::Sampled)), 0.0));
    profile.samples.clear();
    assert_eq!(who(&profile), (Some((Evidence::Waker, Held::Unknown)), 0.0));
    // Who woke it by a signal, or after it gave up, had not held it.
    profile.lock_waits[0].errno = 110;
    assert_eq!(who(&profile), (None, 1.0));
    profile.lock_waits[0].errno = 0;
    // An interrupt is no holder.
    profile.lock_waits[0].waker = Waker::Interrupt;
    assert_eq!(who(&profile), (None, 1.0));
    profile.lock_waits[0].waker = holder;
    assert_eq!(who(&profile), (Some((Evidence::Waker, Held::Unknown)), 0.0));
}

#[test]
fn a_lock_of_the_kernel_is_named_and_its_user_stack_is_joined() {
    let mut profile = from_folded(
        "app/7;do_user_addr_fault_[k];down_read_[k];rwsem_down_read_slowpath_[k]
         app/7;vm_mmap_pgoff_[k];down_write_killable_[k];rwsem_down_write_slowpath_[k]
         app/7;main;grow;libc.so.6`mmap
         app/7;my_ioctl_[k];__mutex_lock.constprop.0_[k]",
    );
    let mm = kernel_lock(&mut profile, 0xffff_8000_0000_1000, "");
    let other = kernel_lock(&mut profile, 0xffff_8000_0000_2000, "");
    let kinds = [Contention::SemaphoreRead, Contention::SemaphoreWrite];
    for (number, contention) in kinds.into_iter().enumerate() {
        profile.lock_waits.push(LockWait {
            lock: mm,
            contention,
            value: 0,
            stack: stack(&profile, number),
            ..wait(0, 10 + 10 * number as u64)
        });
    }
    profile.lock_waits.push(LockWait {
        lock: other,
        contention: Contention::Mutex,
        stack: stack(&profile, 3),
        ..wait(0, 50)
    });
    profile.call_stacks.push(CallStack {
        thread: Id::new(0),
        start_ns: 18 * MS,
        end_ns: 21 * MS,
        stack: stack(&profile, 2),
        outcome: Outcome::Complete,
    });
    let found = all(&profile);
    assert_eq!(
        labels(&found.contention),
        ["rw lock mmap_lock", "mutex in my_ioctl"]
    );
    let row = &found.contention.rows[0];
    assert_eq!(
        (row.read.count, row.write.count, row.threads_ns),
        (1.0, 1.0, None)
    );
    let [_, write] = [Mode::Read, Mode::Write].map(|mode| {
        let waiter = row.waiters.iter().find(|waiter| waiter.mode == mode).unwrap();
        waiter.stack
    });
    assert_eq!(write.outer, stack(&profile, 2));
    assert_eq!(write.locations(&profile).count(), 6);
    // The lock's own name is better than what its users say.
    let named = kernel_lock(&mut profile, 0xffff_8000_0000_2000, "my_driver_mutex");
    profile.lock_waits[2].lock = named;
    assert_eq!(labels(&all(&profile).contention)[1], "mutex my_driver_mutex");
}

#[test]
fn kinds_and_lengths_and_selections_choose() {
    let mut profile = held();
    let inode = kernel_lock(&mut profile, 0xffff_8000_0000_3000, "inode");
    profile.lock_waits.push(LockWait {
        lock: inode,
        contention: Contention::Mutex,
        ..wait(1, 500)
    });
    let counted_by_kernel = Latency {
        key: LatencyKey {
            process: Id::new(0),
            operation: Operation::KernelLock(Contention::Spin),
            object: ObjectKind::None,
            device: 0,
        },
        ..counted(&[(2_000, 70)])
    };
    profile.latencies.push(counted_by_kernel);
    let ask = |selection: &Selection, which, threshold_ns| {
        let found = locks(&profile, selection, Asked { which, threshold_ns });
        (labels(&found.contention).join(", "), found.kernel_kinds.len())
    };
    let everything = Selection::default();
    assert_eq!(ask(&everything, Which::All, 0).0, "mutex in get, mutex inode");
    assert_eq!(ask(&everything, Which::User, 0), ("mutex in get".into(), 0));
    assert_eq!(ask(&everything, Which::Kernel, 0), ("mutex inode".into(), 1));
    assert_eq!(ask(&everything, Which::All, 2 * MS).0, "mutex in get");
    let late = Selection {
        time: Some(200 * MS..u64::MAX),
        ..everything.clone()
    };
    assert_eq!(ask(&late, Which::All, 0).0, "mutex inode");
    let at_get = Selection {
        pattern: Some("get".into()),
        ..everything.clone()
    };
    assert_eq!(ask(&at_get, Which::All, 0).0, "mutex in get");
    let writer = Selection {
        tids: vec![8],
        ..everything
    };
    assert_eq!(ask(&writer, Which::All, 0).0, "mutex inode");
}

#[test]
fn ten_thousand_locks_are_no_trouble() {
    let mut text = String::new();
    for number in 0..100 {
        text.push_str(&format!(
            "app/7;main;f{number};libc.so.6`pthread_mutex_lock;futex_wait_[k]\n"
        ));
    }
    let mut profile = from_folded(&text);
    let holder = thread(&mut profile, "writer", 8);
    for number in 0..10_000 {
        let lock = lock(&mut profile, number);
        for turn in 0..5 {
            profile.lock_waits.push(LockWait {
                lock,
                stack: stack(&profile, number as usize % 100),
                waker: Waker::Thread(holder),
                ..wait(0, 10 + number + turn)
            });
        }
    }
    let started = std::time::Instant::now();
    let found = all(&profile);
    assert_eq!(found.contention.rows.len(), 100);
    assert_eq!(found.contention.rows[0].objects, 100);
    assert_eq!(found.contention.waits.count, 50_000.0);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn waits_become_samples_that_end_in_their_lock() {
    let mut profile = held();
    let idle = from_folded(IDLE);
    assert_eq!(idle.samples.len(), 1);
    profile.lock_waits[0].threshold_ns = 200 * MS;
    let before = profile.samples.len();
    samples::add(&mut profile);
    assert_eq!(
        (profile.samples.len(), profile.sample_types[1].name.as_str()),
        (before + 1, "lock")
    );
    let sample = &profile.samples[before];
    assert_eq!((sample.value, sample.sample_type), (200 * MS, 1));
    let frames: Vec<_> = profile
        .stacks
        .locations(sample.stack.unwrap())
        .map(|location: Id<Location>| {
            crate::query::frames(&profile, location)
                .next()
                .unwrap()
                .label()
                .into_owned()
        })
        .collect();
    assert_eq!(
        frames,
        ["mutex in get", "futex_wait", "pthread_mutex_lock", "get", "main"]
    );
}

#[test]
fn of_a_wait_that_the_selected_time_cuts_a_part_counts_and_its_length_is_whole() {
    let mut profile = from_folded(GET);
    let _ = lock(&mut profile, 1);
    let stack = stack(&profile, 0);
    profile.lock_waits.push(LockWait {
        duration_ns: 10 * MS,
        blocked_ns: 10 * MS,
        stack,
        ..wait(0, 20)
    });
    let within = |time: std::ops::Range<u64>| {
        let selection = Selection {
            time: Some(time.start * MS..time.end * MS),
            ..Selection::default()
        };
        let found = locks(&profile, &selection, Asked::default());
        let waits = found.contention.waits.clone();
        let row = found.contention.rows.first();
        let unheld = row.map_or(0.0, |row| row.unheld_ns);
        let waiter = row.map_or(0.0, |row| row.waiters[0].waits.total_ns);
        assert_eq!((unheld, waiter), (waits.total_ns, waits.total_ns));
        (
            waits.total_ns as u64 / MS,
            waits.max_ns / MS,
            waits.average_ns() as u64 / MS,
        )
    };
    assert_eq!(within(0..30), (10, 10, 10));
    assert_eq!(within(13..15), (2, 10, 10));
    assert_eq!((within(0..15).0, within(15..30).0), (5, 5));
    assert_eq!(within(21..30), (0, 0, 0));
}
