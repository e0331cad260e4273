//! What is looked for: a regular expression, or text.

use super::*;

/// The lines of the screen that stand for rows with one of `names`.
fn shown<'a>(drawn: &str, names: &[&'a str]) -> Vec<&'a str> {
    // What was typed and what belongs to the row under the cursor is no row.
    let body: Vec<&str> = drawn.lines().skip(5).take(7).collect();
    let is_shown = |name: &&&str| body.iter().any(|line| line.contains(**name));
    names.iter().filter(is_shown).copied().collect()
}

#[test]
fn functions_processes_and_stacks_are_found_by_a_regular_expression() {
    let mut app = app_of(web());
    press(&mut app, "1/^(dict|mem).*\n");
    let names = ["dictFind", "memcpy", "malloc", "processCommand"];
    assert_eq!(shown(&screen(&mut app, 80, 24), &names), ["dictFind", "memcpy"]);
    press(&mut app, "\x1b2/^(nginx|python[0-9])$\n");
    let names = ["redis-server", "python3", "nginx", "kworker"];
    assert_eq!(shown(&screen(&mut app, 80, 24), &names), ["python3", "nginx"]);
    press(&mut app, "\x1b3/^Py_.un.ain$\n");
    let names = ["Py_RunMain", "aeMain", "kthread"];
    assert_eq!(shown(&screen(&mut app, 80, 24), &names), ["Py_RunMain"]);
}

#[test]
fn a_flame_graph_says_the_share_of_all_that_matches() {
    let mut app = app_of(web());
    press(&mut app, "vv/^(memcpy|malloc)$\n");
    // 90 and 60 of 715.
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("found in 21.0 %"), "{drawn}");
}

#[test]
fn locks_calls_and_times_are_found_by_a_regular_expression() {
    let mut app = app_of(locks::contended());
    press(&mut app, "7");
    let names = ["cache_get", "mmap_lock"];
    assert_eq!(shown(&screen(&mut app, 80, 24), &names), names);
    press(&mut app, "/cache_(get|put)\n");
    assert_eq!(shown(&screen(&mut app, 80, 24), &names), ["cache_get"]);
    let mut app = app_of(measured::waiting());
    press(&mut app, "4/^(redis-server|nobody)$\n");
    let names = ["redis-server", "postgres"];
    assert_eq!(shown(&screen(&mut app, 80, 24), &names), ["redis-server"]);
    press(&mut app, "\x1b5/^f(data)?sync$\n");
    let names = ["fsync", "read", "write"];
    assert_eq!(shown(&screen(&mut app, 80, 24), &names), ["fsync"]);
}

#[test]
fn the_footer_says_how_what_is_typed_is_read() {
    let mut app = app_of(web());
    let footer = |app: &mut App| {
        let drawn = screen(app, 80, 24);
        drawn.lines().last().unwrap().to_owned()
    };
    press(&mut app, "1/mem");
    assert!(footer(&mut app).starts_with(" filter: mem"));
    press(&mut app, ".*");
    assert!(footer(&mut app).starts_with(" regex: mem.*"));
    assert!(screen(&mut app, 80, 24).contains("memcpy"));
    press(&mut app, "[");
    assert!(footer(&mut app).starts_with(" text (no valid regex): mem.*["));
    press(&mut app, "\n");
    assert!(footer(&mut app).contains("looked for as plain text"));
    assert!(screen(&mut app, 80, 24).contains("nothing here contains “mem.*[”"));
}

#[test]
fn a_view_without_names_says_so() {
    let mut app = app_of(web());
    for tab in ["0", "6"] {
        press(&mut app, tab);
        press(&mut app, "/");
        assert!(!app.typing && app.message.is_some());
    }
}

#[test]
fn what_is_looked_for_stays_when_the_view_changes_until_escape() {
    let mut app = app_of(web());
    press(&mut app, "1/^mem\n3");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("[3 Stacks] ") && drawn.contains("/^mem"),
        "{drawn}"
    );
    assert!(
        drawn.contains("redis-server") && !drawn.contains("python3"),
        "{drawn}"
    );
    press(&mut app, "n");
    assert_eq!(app.message, None);
    press(&mut app, "6");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("not looked for here: /^mem"), "{drawn}");
    // What was found with it is opened without it, and is there again after that.
    press(&mut app, "1\n");
    assert!(app.filter.is_empty() && app.function().is_some());
    press(&mut app, "\x1b");
    assert_eq!((app.tab, app.filter.as_str()), (Tab::Functions, "^mem"));
    press(&mut app, "\x1b2");
    assert!(screen(&mut app, 80, 24).contains("python3"));
}
