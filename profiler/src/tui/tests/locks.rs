//! Locks: who waits for each, and who holds it.

use super::*;
use crate::{
    profile::{CallStack, Contention, Extent, LockWait, Waker},
    query::locks::tests::{kernel_lock, lock, stack, thread, wait},
};

const MS: u64 = 1_000_000;

const APP: &str = "\
app/812;_start;main;worker;cache_get;libc.so.6`pthread_mutex_lock;do_syscall_64_[k];futex_wait_[k] 5
app/812;_start;main;worker;cache_put;libc.so.6`pthread_mutex_unlock 5
app/812;_start;main;pool_run;libc.so.6`pthread_cond_wait;do_syscall_64_[k];futex_wait_[k] 5
app/812;_start;main;mine;do_syscall_64_[k];futex_wait_[k] 5
app/812;_start;main;load;libc.so.6`mmap;do_syscall_64_[k];down_write_killable_[k] 5
app/812;_start;main;journal;libc.so.6`pthread_mutex_lock;do_syscall_64_[k];futex_wait_[k] 5";

/// A program whose threads wait for a mutex, for the kernel and for work.
pub(in crate::tui) fn contended() -> Profile {
    let mut profile = from_folded(APP);
    profile.metadata.hostname = "web1".into();
    profile.metadata.cpus = 4;
    let [cache, pool, mine] = [1, 2, 3].map(|number| lock(&mut profile, number));
    let kernel = kernel_lock(&mut profile, 0xffff_8880_0000_1000, "mmap_lock");
    let (worker, other) = (
        thread(&mut profile, "worker-1", 813),
        thread(&mut profile, "worker-2", 814),
    );
    let stacks = [0, 5, 10, 15, 20].map(|sample| stack(&profile, sample));
    profile.call_stacks.push(CallStack {
        thread: worker,
        start_ns: 0,
        end_ns: 90 * MS,
        stack: stacks[1],
        outcome: Outcome::Complete,
    });
    for number in 0..20 {
        let end_ns = (20 + number) * MS;
        profile.lock_waits.push(LockWait {
            thread: other,
            lock: cache,
            end_ns,
            duration_ns: 7 * MS,
            blocked_ns: 7 * MS,
            threshold_ns: if number < 10 { 9 * MS } else { 0 },
            waker: Waker::Thread(worker),
            woken_ns: end_ns - 1_000,
            stack: stacks[0],
            ..wait(0, 0)
        });
    }
    for (lock, stack, value, contention, duration_ns) in [
        (pool, stacks[2], 0, Contention::FutexWait, 900 * MS),
        (mine, stacks[3], 7, Contention::FutexWait, 5 * MS),
        (kernel, stacks[4], 0, Contention::SemaphoreWrite, 12 * MS),
    ] {
        profile.lock_waits.push(LockWait {
            thread: worker,
            lock,
            contention,
            value,
            duration_ns,
            blocked_ns: duration_ns,
            stack,
            ..wait(0, 40)
        });
    }
    profile
}

/// Two threads of [`contended`] that wait for each other.
fn in_a_circle() -> Profile {
    let mut profile = contended();
    let [first, second] = [8, 9].map(|number| lock(&mut profile, number));
    let [a, b] = ["left", "right"].map(|name| thread(&mut profile, name, name.len() as u32 + 900));
    let [get, journal] = [0, 25].map(|sample| stack(&profile, sample));
    for (thread, owner, lock, stack) in [(a, b, first, get), (b, a, second, journal)] {
        profile.lock_waits.push(LockWait {
            lock,
            stack,
            extent: Extent::NotEnded,
            owner: Waker::Thread(owner),
            duration_ns: 50 * MS,
            blocked_ns: 50 * MS,
            ..wait(thread.raw(), 60)
        });
    }
    profile.ended = true;
    profile
}

#[test]
fn locks_by_how_long_threads_waited_for_them() {
    let mut app = app_of(contended());
    press(&mut app, "7");
    assert_screens("locks", &mut app);
}

#[test]
fn the_lock_under_the_cursor_opens_and_idle_waits_stand_last() {
    let mut app = app_of(contended());
    press(&mut app, "7\n");
    assert_screens("locks-open", &mut app);
    assert!(app.lock_open);
    press(&mut app, "\x1bI");
    assert!(!app.lock_open);
    let drawn = screen(&mut app, 160, 30);
    let last = app.lock_rows.len() - 1;
    assert!(drawn.contains("idle: condition variable in pool_run"), "{drawn}");
    let rows = &app.answers.locks.as_ref().unwrap().rows;
    assert!(rows[app.lock_rows[last].index].label.contains("pool_run"));
}

#[test]
fn suspected_deadlocks_come_first() {
    let mut app = app_of(in_a_circle());
    press(&mut app, "7");
    assert_screens("locks-deadlock", &mut app);
}

#[test]
fn a_filter_and_what_is_chosen_apply_to_locks_too() {
    let mut app = app_of(contended());
    press(&mut app, "7/mmap\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("mmap_lock") && !drawn.contains("cache_get"),
        "{drawn}"
    );
    press(&mut app, "\x1bK");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        !drawn.contains("mmap_lock") && drawn.contains("cache_get"),
        "{drawn}"
    );
    press(&mut app, "f2");
    assert!(screen(&mut app, 80, 24).contains("only in app 812"));
    press(&mut app, "KF4");
    app.set_range(Some(70 * MS..80 * MS));
    press(&mut app, "7");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("no waits for locks (chosen range)"), "{drawn}");
    app.set_range(Some(0..5 * MS));
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("no contention (chosen range)"), "{drawn}");
}

#[test]
fn locks_survive_that_the_feed_begins_anew() {
    let mut app = app_of(contended());
    press(&mut app, "7");
    let before = screen(&mut app, 120, 40);
    app.absorb(Feed::Restart);
    app.absorb(Feed::Delta(Box::default()));
    app.refresh();
    assert_eq!(screen(&mut app, 120, 40), before);
    assert!(before.contains("cache_put"), "{before}");
}

#[test]
fn why_there_is_no_lock_is_said() {
    let mut app = App::new(Options {
        no_locks: Some(Missing::Flag),
        ..Options::default()
    });
    press(&mut app, "7");
    assert!(screen(&mut app, 80, 24).contains("--no-locks"));
    let mut app = App::replay(
        Recording {
            name: "a.trace".into(),
            profile: web(),
            notes: Vec::new(),
        },
        Options::default(),
    );
    press(&mut app, "7");
    assert!(screen(&mut app, 80, 24).contains("--probe lock"));
}

#[test]
fn every_size_of_the_locks_can_be_drawn() {
    for profile in [Profile::default(), in_a_circle(), from_folded(HOSTILE)] {
        let mut app = app_of(profile);
        for keys in ["7", "\n", "0"] {
            press(&mut app, keys);
            for width in [1, 2, 9, 21, 22, 23, 40, 80, 131, 300] {
                for height in [1, 2, 3, 6, 9, 12, 13, 24, 60] {
                    screen(&mut app, width, height);
                }
            }
        }
    }
}
