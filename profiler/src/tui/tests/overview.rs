//! The host at a glance.

use super::*;

#[test]
fn the_overview_shows_the_host_processes_paths_and_waits() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "0");
    assert_screens("overview", &mut app);
    press(&mut app, "\n");
    assert_eq!(app.tab, Tab::Functions);
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
