//! The mouse.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::*;

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) {
    screen(app, 80, 24);
    let event = Event::Mouse(MouseEvent {
        kind,
        column,
        row,
        modifiers: KeyModifiers::NONE,
    });
    if let Some(action) = app.keys.action(&event, app.mode()) {
        app.update(action);
    }
}

fn click(app: &mut App, column: u16, row: u16) {
    mouse(app, MouseEventKind::Down(MouseButton::Left), column, row);
}

#[test]
fn a_click_goes_to_a_tab_and_a_row_and_a_second_opens_it() {
    let mut app = app_of(web());
    let tabs = screen(&mut app, 80, 24).lines().nth(3).unwrap().to_owned();
    let stacks = tabs.find("3 Stack").unwrap() as u16;
    click(&mut app, stacks, 3);
    assert_eq!(app.tab, Tab::Stacks);
    click(&mut app, 3, 3);
    assert_eq!(app.tab, Tab::Overview);
    press(&mut app, "2");
    click(&mut app, 30, 6);
    assert_eq!((app.tab, app.shown_list().cursor()), (Tab::Processes, 1));
    click(&mut app, 30, 6);
    assert!(screen(&mut app, 80, 24).contains("in python3 2201"));
    // Beside everything.
    for (column, row) in [(0, 0), (79, 23), (79, 3), (40, 22), (500, 500)] {
        click(&mut app, column, row);
    }
}

#[test]
fn a_click_goes_to_a_row_of_the_overview_and_a_second_opens_it() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "0");
    let drawn = screen(&mut app, 80, 24);
    let line = |words: &str| drawn.lines().position(|line| line.contains(words)).unwrap() as u16;
    click(&mut app, 70, line("nginx"));
    assert_eq!((app.tab, app.shown_list().cursor()), (Tab::Overview, 2));
    // What is no row is nowhere to go to.
    click(&mut app, 70, line("hottest paths"));
    assert_eq!(app.shown_list().cursor(), 2);
    click(&mut app, 70, line("nginx"));
    assert_eq!((app.tab, app.process()), (Tab::Time, Some((77, "nginx"))));
}

#[test]
fn the_wheel_moves_the_cursor() {
    let mut app = app_of(web());
    mouse(&mut app, MouseEventKind::ScrollDown, 10, 10);
    assert_eq!(app.shown_list().cursor(), 3);
    mouse(&mut app, MouseEventKind::ScrollUp, 10, 10);
    assert_eq!(app.shown_list().cursor(), 0);
}

#[test]
fn a_click_goes_to_a_frame_and_a_second_zooms() {
    let mut app = app_of(web());
    press(&mut app, "vv");
    let drawn = screen(&mut app, 80, 24);
    let (row, line) = drawn
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("sdsn"))
        .unwrap();
    let at = line.find("sdsn").map(|at| line[..at].chars().count()).unwrap() as u16;
    click(&mut app, at, row as u16);
    assert!(screen(&mut app, 80, 24).contains("sdsnew  redis-server"));
    click(&mut app, at, row as u16);
    assert!(screen(&mut app, 80, 24).contains("zoomed into sdsnew"));
}

#[test]
fn clicks_choose_a_range_on_the_map() {
    let mut app = app_of(web());
    press(&mut app, "6");
    for column in [10, 10, 20, 20] {
        click(&mut app, column, 8);
    }
    assert_eq!(
        app.range.clone().map(|range| range.start / 1_000_000_000),
        Some(0)
    );
}
