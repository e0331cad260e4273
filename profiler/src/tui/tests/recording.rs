//! What comes in is written to a trace while one looks.

use super::*;
use crate::{
    profile::file,
    tui::{recorder::Recorder, source::Source},
};

/// Types another name than the one that is offered.
fn name_it(app: &mut App, path: &Path) {
    press(app, "r");
    app.update(Action::EraseAll);
    press(app, path.to_str().unwrap());
    press(app, "\n");
}

fn more() -> Feed {
    delta(web())
}

#[test]
fn what_is_chosen_is_recorded_until_the_key_is_pressed_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.trace");
    let mut app = app_of(web());
    press(&mut app, "r");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("record to: top.trace▏ Enter begins, Esc does not"),
        "{drawn}"
    );
    press(&mut app, "\x1b");
    assert!(app.source.recorder().is_none());
    // Python, in the table of processes.
    press(&mut app, "2jf");
    name_it(&mut app, &path);
    let message = app.message.clone().unwrap();
    assert!(
        message.starts_with("recording pid 2201 to ") && message.ends_with("; r stops"),
        "{message}"
    );
    app.absorb(Feed::Restart);
    app.absorb(more());
    app.absorb(Feed::Restart);
    app.absorb(more());
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.lines().next().unwrap().contains("●") && drawn.contains(" kB"),
        "{drawn}"
    );
    press(&mut app, "r");
    let message = app.message.clone().unwrap();
    assert!(
        message.starts_with("recorded ") && message.contains("a.trace ("),
        "{message}"
    );
    assert!(!screen(&mut app, 80, 24).contains("●"));
    // Not what came before, nor what comes after.
    app.absorb(Feed::Restart);
    app.absorb(more());
    let loaded = file::read(&path).unwrap();
    assert!(loaded.notes.is_empty() && loaded.profile.ended);
    assert_eq!(loaded.profile.metadata.filters, ["pid 2201"]);
    assert_eq!(loaded.profile.samples.len(), 420);
    let summary = Summary::of(&loaded.profile, &Selection::default());
    assert_eq!(summary.samples, 420);
    // It opens in the same dashboard.
    let recording = Recording {
        name: "a.trace".into(),
        profile: loaded.profile,
        notes: Vec::new(),
    };
    let mut app = App::replay(recording, Options::default());
    press(&mut app, "1");
    assert!(screen(&mut app, 80, 24).contains("long_mul"));
    press(&mut app, "r");
    assert!(app.message.unwrap().contains("a recording already"));
}

#[test]
fn what_is_coarser_than_what_was_chosen_is_said_and_is_in_the_trace() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.trace");
    let mut app = app_of(web());
    press(&mut app, "1f");
    name_it(&mut app, &path);
    assert!(
        app.message
            .as_ref()
            .unwrap()
            .contains("times of threads and counts of calls are whole")
    );
    app.absorb(Feed::Restart);
    app.absorb(more());
    app.finish_recording();
    let filters = file::read(&path).unwrap().profile.metadata.filters;
    assert_eq!(filters.len(), 2, "{filters:?}");
    assert!(
        filters[0].starts_with("function ") && filters[1].contains("whole"),
        "{filters:?}"
    );
}

#[test]
fn what_cannot_be_recorded_is_said() {
    let mut app = App::new(Options::default());
    press(&mut app, "r");
    assert!(app.message.take().unwrap().contains("nothing is collected"));
    let mut app = app_of(web());
    name_it(&mut app, Path::new("/dev/null/a.trace"));
    let said = app.message.take().unwrap();
    assert!(
        said.contains("/dev/null/a.trace") && !said.contains("-o"),
        "{said}"
    );
    assert!(app.source.recorder().is_none());
}

#[test]
fn the_end_of_collecting_completes_the_trace() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.trace");
    let mut app = app_of(web());
    name_it(&mut app, &path);
    app.absorb(Feed::Restart);
    app.absorb(more());
    app.absorb(Feed::Ended("recording has ended".into()));
    assert!(file::read(&path).unwrap().profile.ended);
    assert!(app.message.as_ref().unwrap().contains("a.trace"));
}

#[test]
fn a_recording_that_fails_is_seen_at_once_and_the_picture_goes_on() {
    let mut app = app_of(web());
    let Source::Live(history) = &mut app.source else {
        unreachable!("it looks at what happens now");
    };
    history.set_recorder(Some(Recorder::on_a_full_disk()));
    for _ in 0..100 {
        app.absorb(Feed::Restart);
        app.absorb(more());
        if app.message.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(app.message.take().unwrap().contains("a.trace"));
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("RECORDING FAILED: r says why"), "{drawn}");
    app.absorb(Feed::Restart);
    app.absorb(more());
    assert!(app.message.is_none() && app.refresh());
    press(&mut app, "r");
    assert!(
        app.message.as_ref().unwrap().contains("is readable"),
        "{:?}",
        app.message
    );
    assert!(!screen(&mut app, 80, 24).contains("FAILED"));
}
