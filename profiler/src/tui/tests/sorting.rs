//! By what tables are sorted.

use super::*;

/// The first words of the rows in the table, from the row below the heading on.
fn first(app: &mut App, rows: usize) -> Vec<String> {
    let drawn = screen(app, 200, 60);
    drawn.lines().skip(5).take(rows).map(str::to_owned).collect()
}

#[test]
fn a_table_is_sorted_by_what_the_key_leads_to_and_says_so() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "2");
    let by_share = first(&mut app, 3);
    press(&mut app, "s");
    let drawn = screen(&mut app, 200, 60);
    assert!(
        drawn.contains("sorted by name") && drawn.contains("Locks  by name"),
        "{drawn}"
    );
    let mut names: Vec<String> = app
        .process_rows
        .iter()
        .map(|row| app.answers.processes.as_ref().unwrap()[row.index].label.clone())
        .collect();
    assert!(names.len() > 1 && names.is_sorted(), "{names:?}");
    names.clear();
    press(&mut app, "ss");
    assert_eq!(
        first(&mut app, 3),
        by_share,
        "after the last order comes the first"
    );
}

#[test]
fn every_order_of_every_table_can_be_drawn_and_none_loses_a_row() {
    let mut app = app_of(measured::waiting());
    for tab in "24570136".chars() {
        press(&mut app, &tab.to_string());
        screen(&mut app, 120, 30);
        let rows = app.shown_list().len();
        for _ in 0..9 {
            press(&mut app, "s");
            screen(&mut app, 120, 30);
            assert_eq!(app.shown_list().len(), rows, "tab {tab}");
        }
    }
}

#[test]
fn time_is_sorted_by_a_state_and_calls_by_their_number() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "4s");
    screen(&mut app, 120, 30);
    let rows = &app.answers.times.as_ref().unwrap().states.rows;
    let running: Vec<u64> = app
        .time_rows
        .iter()
        .map(|row| rows[row.index].times.of(crate::profile::State::Running))
        .collect();
    assert!(
        running.len() > 1 && running.is_sorted_by(|a, b| a >= b),
        "{running:?}"
    );
    press(&mut app, "5s");
    screen(&mut app, 120, 30);
    let rows = &app.answers.calls.as_ref().unwrap().rows;
    let counts: Vec<u64> = app
        .call_rows
        .iter()
        .map(|row| rows[row.index].timing.count)
        .collect();
    assert!(
        counts.len() > 1 && counts.is_sorted_by(|a, b| a >= b),
        "{counts:?}"
    );
}

#[test]
fn where_there_is_one_order_it_says_so() {
    let mut app = app_of(web());
    press(&mut app, "3s");
    assert!(screen(&mut app, 80, 24).contains("what is in this view has one order"));
}
