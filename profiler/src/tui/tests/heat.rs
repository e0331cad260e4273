//! The map of time, and ranges of it.

use super::*;

/// Half a second of work in every second; python3 from 4.0 s on.
fn pulsing() -> Profile {
    let mut profile = from_folded("redis-server/812;main;early 400\npython3/2201;main;late 315");
    profile
        .samples
        .retain(|sample| sample.time_ns % 1_000_000_000 < 500_000_000);
    profile.metadata = web().metadata;
    profile
}

#[test]
fn what_pulses_within_seconds_is_seen() {
    let mut app = app_of(pulsing());
    press(&mut app, "6");
    assert_screens("heat", &mut app);
}

#[test]
fn a_range_is_all_that_any_view_shows_until_escape() {
    let mut app = app_of(pulsing());
    press(&mut app, "6");
    screen(&mut app, 80, 24);
    // To the begin, and two seconds on.
    press(&mut app, "g\n");
    assert!(screen(&mut app, 80, 24).contains("move to the end of the range"));
    press(&mut app, "→→\n");
    assert_screen("heat-range-80x24", &screen(&mut app, 80, 24));
    press(&mut app, "1");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("0.0 s–2.1 s") || drawn.contains("range"),
        "{drawn}"
    );
    assert!(drawn.contains("early") && !drawn.contains("late"), "{drawn}");
    // The range stays while data come in.
    app.absorb(Feed::Restart);
    let mut later = from_folded("other;newer 300");
    later
        .samples
        .iter_mut()
        .for_each(|sample| sample.time_ns += 7_200_000_000);
    later.quality[0].end_ns = 10_200_000_000;
    app.absorb(delta(later));
    app.refresh();
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("early") && !drawn.contains("newer"), "{drawn}");
    press(&mut app, "\x1b");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("newer") && !drawn.contains("range"), "{drawn}");
}

#[test]
fn a_range_of_a_recording_is_on_its_line() {
    let mut app = App::replay(
        Recording {
            name: "a.trace".into(),
            profile: pulsing(),
            notes: Vec::new(),
        },
        Options::default(),
    );
    press(&mut app, "6");
    screen(&mut app, 80, 24);
    press(&mut app, "g→→→→→\n\n2");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("python3") && !drawn.contains("redis"), "{drawn}");
    press(&mut app, "\x1b");
    assert!(screen(&mut app, 80, 24).contains("redis"));
    press(&mut app, "6\n\n,");
    assert!(app.range.is_none());
}

#[test]
fn every_size_of_the_map_can_be_drawn() {
    for profile in [Profile::default(), pulsing()] {
        let mut app = app_of(profile);
        press(&mut app, "6");
        for keys in ["g\n", "→\n", "\x1b"] {
            press(&mut app, keys);
            for width in [1, 2, 8, 9, 12, 30, 80, 300] {
                for height in [1, 2, 3, 6, 12, 24, 60] {
                    screen(&mut app, width, height);
                }
            }
        }
    }
}
