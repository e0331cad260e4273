//! Stacks of what the table counts that one comes from.

use super::*;
use crate::query::Sampled;

fn replayed(profile: Profile) -> App {
    let recording = Recording {
        name: "a".into(),
        profile,
        notes: Vec::new(),
    };
    App::replay(recording, Options::default())
}

#[test]
fn locks_have_a_tree_and_a_flame_graph_and_the_key_leads_back() {
    for mut app in [app_of(locks::contended()), replayed(locks::contended())] {
        press(&mut app, "7v");
        let drawn = screen(&mut app, 80, 24);
        assert!(
            drawn.contains("ms waiting for locks") && drawn.contains("cache_get"),
            "{drawn}"
        );
        press(&mut app, "v");
        let drawn = screen(&mut app, 80, 24);
        assert!(
            drawn.contains("cache_get") && drawn.contains("ms waiting for locks"),
            "{drawn}"
        );
        press(&mut app, "v");
        assert_eq!((app.tab, app.sampled), (Tab::Locks, Sampled::Cpu));
        press(&mut app, "3\x1b");
        assert_eq!((app.tab, app.sampled), (Tab::Locks, Sampled::Cpu));
        // What functions are of stays what it was.
        press(&mut app, "v1");
        assert_eq!((app.tab, app.sampled), (Tab::Functions, Sampled::Cpu));
        press(&mut app, "3");
        assert_eq!(app.sampled, Sampled::Cpu);
    }
}

#[test]
fn screens_of_waits_for_locks() {
    let mut app = app_of(locks::contended());
    press(&mut app, "7v");
    assert_screens("lock-stacks", &mut app);
    press(&mut app, "v");
    assert_screens("lock-flame", &mut app);
}

#[test]
fn screens_of_slow_calls() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "5v");
    assert_screens("call-stacks", &mut app);
    press(&mut app, "v");
    assert_screens("call-flame", &mut app);
    press(&mut app, "v");
    assert_eq!((app.tab, app.sampled), (Tab::Calls, Sampled::Cpu));
}

#[test]
fn where_threads_were_needs_samples_of_waits_and_says_which_flag_takes_them() {
    let mut app = app_of(web());
    press(&mut app, "4v");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("CPU time only: stacks of waits are not taken: `profiler top --off"),
        "{drawn}"
    );
    assert!(
        drawn.contains("CPU time") && drawn.contains("[3 Stacks]"),
        "{drawn}"
    );
    let mut app = app_of(weights::both());
    press(&mut app, "4v");
    assert_eq!((app.tab, app.sampled), (Tab::Stacks, Sampled::Wall));
    press(&mut app, "\x1b");
    assert_eq!((app.tab, app.sampled), (Tab::Time, Sampled::Cpu));
}

#[test]
fn a_key_goes_through_all_that_was_recorded() {
    let seen = |mut app: App| {
        let seen: Vec<Sampled> = (0..5)
            .map(|_| {
                press(&mut app, "t");
                app.prepare();
                app.sampled
            })
            .collect();
        seen
    };
    use Sampled::{Cpu, Lock, OffCpu, Slow, Wall};
    assert_eq!(seen(app_of(measured::waiting())), [Slow, Cpu, Slow, Cpu, Slow]);
    assert_eq!(seen(replayed(locks::contended())), [Lock, Cpu, Lock, Cpu, Lock]);
    let mut all = crate::profile::folded::with_waits(measured::waiting(), "a;main 1");
    all.lock_waits = locks::contended().lock_waits;
    all.lock_waits.truncate(0);
    assert_eq!(seen(replayed(all)), [OffCpu, Wall, Slow, Cpu, OffCpu]);
}

#[test]
fn what_was_asked_for_stays_in_every_table() {
    let mut app = replayed(locks::contended());
    press(&mut app, "t2");
    assert!(screen(&mut app, 80, 24).contains(" LOCK%"));
    press(&mut app, "6");
    screen(&mut app, 80, 24);
    press(&mut app, "1");
    assert!(screen(&mut app, 80, 24).contains("mutex in cache_get"));
    // From the table of locks and back it is still that.
    press(&mut app, "7vvv1");
    assert_eq!(app.sampled, Sampled::Lock);
}

#[test]
fn what_is_chosen_stays_and_waits_lie_where_they_were() {
    let mut app = replayed(locks::contended());
    press(&mut app, "2f7v");
    let drawn = screen(&mut app, 120, 24);
    assert!(
        drawn.contains("only in app 812") && drawn.contains("172 ms waiting for locks"),
        "{drawn}"
    );
    // Of waits of 7 ms and of 12 that end between 20 and 40 ms, what lies within 2 ms.
    app.set_range(Some(20_000_000..22_000_000));
    let drawn = screen(&mut app, 120, 24);
    assert!(
        drawn.contains("only in app 812") && drawn.contains("ms waiting for locks"),
        "{drawn}"
    );
    assert!(app.answers.summary.as_ref().unwrap().value < 40_000_000);
    app.set_range(Some(200_000_000..201_000_000));
    press(&mut app, "F");
    let drawn = screen(&mut app, 120, 24);
    assert!(
        drawn.contains("no waits for locks (chosen range): waits count once they have ended"),
        "{drawn}"
    );
}

/// A thread sleeps 25 s at a time: in the latest 10 s it waited for 10 s, and not for 25.
#[test]
fn a_wait_that_ends_in_a_window_counts_as_far_as_it_lies_there() {
    let mut profile =
        crate::profile::folded::with_waits(from_folded("app/7;main 1"), "app/7;main;sleep 25000");
    let last = profile.samples.len() - 1;
    profile.samples[last].time_ns = 26_000_000_000;
    profile.quality[0].end_ns = 26_000_000_000;
    let mut live = app_of(profile.clone());
    press(&mut live, "2t");
    let mut replay = replayed(profile);
    press(&mut replay, "2t");
    for app in [&mut live, &mut replay] {
        let drawn = screen(app, 80, 24);
        assert!(drawn.contains("  OFF%") && drawn.contains("  100  ██"), "{drawn}");
        assert_eq!(
            app.answers.summary.as_ref().unwrap().value,
            10_000_000_000,
            "{drawn}"
        );
    }
}

/// As above, of calls.
#[test]
fn a_call_that_began_before_the_window_counts_as_far_as_it_lies_there() {
    let mut profile = measured::waiting();
    for event in &mut profile.slow {
        event.duration_ns = 40_000_000_000;
        event.end_ns += 40_000_000_000;
    }
    profile.quality[0].end_ns = profile.slow.iter().map(|event| event.end_ns).max().unwrap();
    let mut app = app_of(profile);
    press(&mut app, "5v");
    app.prepare();
    let forest = app.answers.forest.as_ref().unwrap();
    let calls = app.answers.summary.as_ref().unwrap().samples;
    assert!(
        calls > 0 && forest.total_value <= calls * 10_000_000_000,
        "{forest:?}"
    );
}
