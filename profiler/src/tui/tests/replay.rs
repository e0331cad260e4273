//! A recording in the dashboard.

use super::*;
use crate::tui::replay::Recording;

/// [`measured::waiting`], recorded.
fn recording() -> Recording {
    let mut profile = measured::waiting();
    let end_ns = profile.quality[0].end_ns;
    for row in &mut profile.latencies {
        (row.start_ns, row.end_ns) = (0, end_ns);
    }
    for event in &mut profile.slow {
        event.end_ns = event.end_ns.min(end_ns);
    }
    Recording {
        name: "/var/tmp/web1.trace".into(),
        profile,
        notes: Vec::new(),
    }
}

fn app(recording: Recording) -> App {
    let options = Options {
        window: Window::Start,
        ..Options::default()
    };
    App::replay(recording, options)
}

#[test]
fn a_recording_is_shown_whole_at_first() {
    assert_screens("replay", &mut app(recording()));
}

#[test]
fn every_view_shows_the_window_that_was_chosen() {
    let mut app = app(recording());
    press(&mut app, "w");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("1.0 s of a recording"), "{drawn}");
    assert!(drawn.contains("6.2 s–7.2 s of 7.2 s"), "{drawn}");
    // python3 worked up to 6.6 s, nginx after it; redis-server long before.
    assert!(
        drawn.contains("long_mul") && drawn.contains("epoll_wait"),
        "{drawn}"
    );
    assert!(!drawn.contains("dictFind"), "{drawn}");
    press(&mut app, "{");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("0.0 s–1.0 s of 7.2 s") && drawn.contains("dictFind"),
        "{drawn}"
    );
    assert!(!drawn.contains("long_mul"), "{drawn}");
    press(&mut app, ".4");
    assert_screens("replay-a-window", &mut app);
    press(&mut app, "3}w");
    assert!(screen(&mut app, 80, 24).contains("whole recording"));
}

#[test]
fn playing_goes_on_from_the_begin_to_the_end() {
    let mut app = app(recording());
    assert!(!app.turn(Duration::from_secs(1)));
    press(&mut app, " >");
    assert!(app.turn(Duration::from_secs(1)));
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("▶ ×2") && drawn.contains("from the begin: 2.0 s"),
        "{drawn}"
    );
    assert!(
        drawn.contains("dictFind") && !drawn.contains("long_mul"),
        "{drawn}"
    );
    app.turn(Duration::from_secs(9));
    assert!(!app.turn(Duration::from_secs(1)));
    assert!(screen(&mut app, 80, 24).contains("‖ ×2"));
}

#[test]
fn what_is_wrong_is_said_first_and_again_when_asked() {
    let mut app = app(Recording {
        notes: vec![
            "the last 7 bytes, from byte 4242 on, are a torn chunk: the recorder was killed, or its disk full".into(),
            "hostile \x1b[2J".into(),
        ],
        ..recording()
    });
    assert_screen("replay-notes-80x24", &screen(&mut app, 80, 24));
    press(&mut app, "\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("2 remarks: ! shows") && drawn.contains("dictFind"),
        "{drawn}"
    );
    press(&mut app, "!");
    assert!(screen(&mut app, 80, 24).contains("torn chunk"));
    press(&mut app, "qq");
    assert!(app.quit);
}

#[test]
fn what_was_not_recorded_is_not_taken_for_nothing() {
    let mut app = app(Recording {
        profile: web(),
        ..recording()
    });
    for tab in ["4", "5"] {
        press(&mut app, tab);
        assert!(screen(&mut app, 80, 24).contains("not recorded"));
    }
}

#[test]
fn the_help_names_the_keys_of_recordings_and_no_key_twice() {
    let mut app = app(recording());
    press(&mut app, "?");
    let drawn = screen(&mut app, 200, 80);
    assert!(
        drawn.contains("play faster") && drawn.contains("one window back"),
        "{drawn}"
    );
    assert!(!drawn.contains("hold the picture"), "{drawn}");
}

#[test]
fn every_size_of_a_recording_can_be_drawn() {
    let mut app = app(recording());
    for keys in ["1", "w", "{", "3", "!"] {
        press(&mut app, keys);
        for width in [1, 2, 14, 25, 29, 31, 45, 80, 300] {
            for height in [1, 3, 7, 11, 12, 13, 24, 60] {
                screen(&mut app, width, height);
            }
        }
    }
}
