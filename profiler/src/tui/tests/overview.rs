//! The host at a glance.

use super::*;
use crate::{
    profile::{Id, QualityWindow, State, ThreadTime},
    tui::glance::Item,
};

const S: u64 = 1_000_000_000;

/// [`measured::waiting`] as the overview shows it.
fn overview() -> App {
    let mut app = app_of(measured::waiting());
    press(&mut app, "0");
    app
}

/// The lines of a screen from the one that contains these words on.
fn from(drawn: &str, words: &str) -> Vec<String> {
    let lines = drawn.lines().skip_while(|line| !line.contains(words));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_overview_shows_the_host_processes_paths_and_waits() {
    assert_screens("overview", &mut overview());
}

#[test]
fn it_begins_with_the_overview_where_that_is_asked_for() {
    let mut app = App::new(Options {
        overview: true,
        ..Options::default()
    });
    assert_eq!(app.tab, Tab::Overview);
    assert!(screen(&mut app, 80, 24).contains("[0 Overview]"));
}

#[test]
fn what_is_chosen_is_all_that_the_overview_shows() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "2jf0");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("long_mul") && !drawn.contains("dictFind"),
        "{drawn}"
    );
    assert!(drawn.contains("(charts: the whole host)"), "{drawn}");
}

#[test]
fn with_filters_it_is_said_whose_the_charts_are() {
    let mut profile = measured::waiting();
    profile.metadata.filters.push("comm redis*".into());
    let mut app = app_of(profile);
    press(&mut app, "0");
    for (width, height) in SIZES {
        let drawn = screen(&mut app, width, height);
        assert!(drawn.contains("(CPUs: the whole host)"), "{drawn}");
    }
}

#[test]
fn the_cursor_goes_through_processes_paths_and_calls_and_opens_each() {
    let mut app = overview();
    screen(&mut app, 80, 24);
    assert!(matches!(app.item(), Some(Item::Owner(0))));
    press(&mut app, "j\n");
    assert_eq!((app.tab, app.process()), (Tab::Time, Some((2201, "python3"))));
    press(&mut app, "\x1b");
    screen(&mut app, 80, 24);
    assert_eq!((app.tab, app.process()), (Tab::Overview, None));
    // It stands where it was.
    assert_eq!(app.shown_list().cursor(), 1);
    press(&mut app, "jj");
    assert!(matches!(app.item(), Some(Item::Path(_))));
    press(&mut app, "\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("around long_mul"), "{drawn}");
    press(&mut app, "\x1bG\n");
    assert_eq!(
        (app.tab, app.process()),
        (Tab::Calls, Some((812, "redis-server")))
    );
    press(&mut app, "\x1bgf");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("only in redis-server 812"), "{drawn}");
    assert!(!drawn.contains("nginx"), "{drawn}");
}

#[test]
fn in_a_process_the_overview_shows_its_threads_and_then_its_stacks() {
    let mut app = overview();
    screen(&mut app, 80, 24);
    press(&mut app, "\n0");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("bio_aof") && !drawn.contains("python3"), "{drawn}");
    press(&mut app, "g\n");
    assert_eq!(app.tab, Tab::Stacks);
}

#[test]
fn the_footer_offers_what_works_here() {
    let drawn = screen(&mut overview(), 200, 60);
    let footer = drawn.lines().last().unwrap();
    for works in ["Enter open", "f only this", "w window", "K kernel", "I idle"] {
        assert!(footer.contains(works), "{footer}");
    }
    for does_not in ["/ filter", "s sort", "b by", "i invert", "m mark"] {
        assert!(!footer.contains(does_not), "{footer}");
    }
}

/// [`measured::waiting`], of which the last second was measured without `probe`: nothing came of it.
fn shed(probes: &[&str], off_ns: u64) -> Profile {
    let mut profile = measured::waiting();
    let end_ns = profile.quality[0].end_ns;
    let whole = profile.quality[0].clone();
    profile.quality = vec![
        QualityWindow {
            end_ns: end_ns - off_ns,
            ..whole.clone()
        },
        QualityWindow {
            start_ns: end_ns - off_ns,
            shed_ns: probes.iter().map(|probe| ((*probe).to_owned(), off_ns)).collect(),
            ..whole
        },
    ];
    for span in &mut profile.thread_times {
        let lasted = span.end_ns - span.start_ns;
        let stays = lasted.saturating_sub(off_ns);
        let part = stays as f64 / lasted as f64;
        span.ns.iter_mut().for_each(|ns| *ns = (*ns as f64 * part) as u64);
        span.end_ns -= off_ns;
    }
    profile.thread_times.retain(|span| span.end_ns > span.start_ns);
    profile
}

#[test]
fn rates_are_over_the_time_that_was_measured() {
    let mut app = app_of(shed(&["states", "lock", "syscalls"], 2 * S));
    press(&mut app, "0");
    let drawn = screen(&mut app, 200, 60);
    // As much as when all of the time was measured.
    assert!(
        drawn.contains("the 5.2 s were spent that were measured; states off: too dear"),
        "{drawn}"
    );
    let redis = from(&drawn, "redis-server")[0].clone();
    assert!(redis.starts_with(" 1.41 "), "{redis}");
    let disk = from(&drawn, "wait disk")[0].clone();
    assert!(disk.contains("0.72 ▆▆▆▆▆"), "{disk}");
    assert_screens("overview-shed", &mut app);
}

#[test]
fn what_is_off_all_the_time_is_no_zero() {
    let mut profile = shed(&["states"], 7_149_999_999);
    profile.slow.clear();
    let mut app = app_of(profile);
    press(&mut app, "0");
    for (width, height) in SIZES {
        let drawn = screen(&mut app, width, height);
        for chart in ["wait CPU", "wait disk", "wait net", "wait lock", "wait fault"] {
            let line = &from(&drawn, chart)[0];
            assert!(line.contains("– off: too dear"), "{line}");
        }
        assert!(drawn.contains("CPU time only, from samples"), "{drawn}");
        assert!(!drawn.contains("0.00") && !drawn.contains(" none"), "{drawn}");
        // By its samples.
        assert!(from(&drawn, "PROCESS")[1].contains("redis-server"), "{drawn}");
    }
    assert_screens("overview-off", &mut app);
}

#[test]
fn what_nobody_asked_for_is_no_zero_either() {
    let mut app = App::new(Options {
        no_states: Some(Missing::Flag),
        no_calls: Some(Missing::Flag),
        no_locks: Some(Missing::Flag),
        overview: true,
        ..Options::default()
    });
    app.absorb(delta(web()));
    app.refresh();
    assert_screens("overview-no-states", &mut app);
    // There are no times of its threads to be opened.
    press(&mut app, "\n");
    assert_eq!((app.tab, app.process().map(|it| it.0)), (Tab::Stacks, Some(812)));
}

/// A host on which one process is held up by a disk, and others wait for something to do.
fn held_up() -> Profile {
    let mut profile = from_folded(
        "pool/10;main;libc.so.6`pthread_cond_wait 5\nsh/11;main;wait4 5\ndd/12;main;write 5\nfight/13;main;libc.so.6`pthread_mutex_lock 5",
    );
    profile.metadata.cpus = 2;
    profile.quality[0].end_ns = 10 * S;
    let mut add = |thread: u32, state: State, ns: u64| {
        let mut times = [0; State::COUNT];
        times[state as usize] = ns;
        times[State::Events as usize] = 10 * S - ns;
        profile.thread_times.push(ThreadTime {
            thread: Id::new(thread),
            start_ns: 0,
            end_ns: 10 * S,
            ns: times,
            waits: 10,
            preemptions: 0,
            in_calls_ns: None,
        });
    };
    add(0, State::Lock, 10 * S);
    add(1, State::Ipc, 10 * S);
    add(2, State::Disk, 5 * S);
    add(3, State::Lock, 10 * S);
    for thread in [0, 3] {
        let lock = crate::query::locks::tests::lock(&mut profile, u64::from(thread));
        profile.lock_waits.push(crate::profile::LockWait {
            lock,
            value: if thread == 0 { 0 } else { 2 },
            duration_ns: 2 * S,
            blocked_ns: 2 * S,
            stack: crate::query::locks::tests::stack(&profile, thread as usize * 5),
            ..crate::query::locks::tests::wait(thread, 9_000)
        });
    }
    profile
}

#[test]
fn what_is_held_up_stands_above_what_waits_for_something_to_do() {
    let mut app = app_of(held_up());
    for tab in ["0", "4"] {
        press(&mut app, tab);
        let drawn = screen(&mut app, 200, 60);
        let rows = from(&drawn, "BUSY▼");
        for (row, (busy, name)) in [(" 0.50 ", "dd"), (" 0.20 ", "fight")].into_iter().enumerate() {
            assert!(rows[row + 1].starts_with(busy), "{drawn}");
            assert!(rows[row + 1].ends_with(name), "{drawn}");
        }
        // It is busy with nothing, and all of its states are there still.
        let pool = rows.iter().find(|row| row.ends_with("pool")).unwrap();
        assert!(pool.starts_with(" 0.00 ") && pool.contains(" 100 "), "{pool}");
    }
    press(&mut app, "0");
    let drawn = screen(&mut app, 200, 60);
    assert!(from(&drawn, "wait lock")[0].contains("0.20"), "{drawn}");
    assert!(drawn.contains("in 1 wait, longest"), "{drawn}");
}

#[test]
fn a_bar_is_full_where_one_thread_was_always_busy() {
    let mut profile = held_up();
    profile.thread_times.retain(|span| span.thread == Id::new(2));
    let mut app = app_of(profile);
    press(&mut app, "4");
    let drawn = screen(&mut app, 200, 60);
    let row = &from(&drawn, "BUSY▼")[1];
    // Half of 22 cells.
    assert_eq!(row.matches('d').count(), 11 + "dd".len(), "{row}");
}

#[test]
fn with_a_range_the_charts_show_just_that() {
    let mut app = app_of(held_up());
    press(&mut app, "0");
    app.set_range(Some(2 * S..5 * S));
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("average of 3.0 s ──"), "{drawn}");
    let disk = &from(&drawn, "wait disk")[0];
    assert!(disk.ends_with("0.50 ▄▄▄"), "{disk}");
}

#[test]
fn every_size_of_the_overview_can_be_drawn() {
    for profile in [Profile::default(), measured::waiting(), from_folded(HOSTILE)] {
        let mut app = app_of(profile);
        press(&mut app, "0");
        for width in [1, 2, 9, 21, 22, 23, 40, 80, 300] {
            for height in [1, 2, 3, 6, 9, 12, 13, 24, 60] {
                let drawn = screen(&mut app, width, height);
                let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
                assert!(!drawn.contains(acts), "{drawn:?}");
            }
        }
    }
}
