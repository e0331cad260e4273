//! The flame graph.

use super::*;

fn plain(app: &mut App, width: u16, height: u16) -> String {
    screen_in(app, width, height, &Theme::PLAIN)
}

#[test]
fn n_goes_from_match_to_match() {
    let mut app = app_of(web());
    press(&mut app, "3/main\n");
    let name = |app: &App| {
        let row = app.branch_rows[app.shown_list().cursor()];
        let forest = app.answers.forest.as_ref().unwrap();
        forest.trees[row.tree].1.name(row.node).label.clone()
    };
    for key in ["n", "n", "N", "n", "n", "n", "n"] {
        press(&mut app, key);
        app.prepare();
        assert!(name(&app).to_lowercase().contains("main"), "{}", name(&app));
    }
    press(&mut app, "v");
    screen(&mut app, 200, 60);
    for key in ["n", "n", "N", "n"] {
        press(&mut app, key);
        screen(&mut app, 200, 60);
        let forest = app.answers.forest.as_ref().unwrap();
        let label = &forest.trees[0].1.name(app.flame.piece().unwrap().node).label;
        assert!(label.to_lowercase().contains("main"), "{label}");
    }
    press(&mut app, "\x1bn");
    assert!(app.message.is_some());
}

#[test]
fn a_key_leads_from_the_table_to_the_tree_to_the_flame_graph_and_back() {
    let mut app = app_of(web());
    press(&mut app, "vv");
    assert_screens("flame", &mut app);
    press(&mut app, "v");
    assert_eq!(app.tab, Tab::Functions);
}

#[test]
fn without_colours_the_text_tells_what_a_frame_is() {
    let mut app = app_of(web());
    press(&mut app, "vvi");
    assert_screen("flame-inverted-no-color-80x24", &plain(&mut app, 80, 24));
}

#[test]
fn enter_zooms_and_escape_goes_back() {
    let mut app = app_of(web());
    press(&mut app, "vv");
    screen(&mut app, 80, 24);
    // Upwards is where the callees are, to the side what was called beside.
    press(&mut app, "kkkk→\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("zoomed into read"), "{drawn}");
    assert!(
        drawn.contains("\n▏vfs_read") && !drawn.contains("dictFind"),
        "{drawn}"
    );
    press(&mut app, "\x1b");
    assert!(!screen(&mut app, 80, 24).contains("zoomed into"));
    press(&mut app, "\x1b");
    assert_eq!(app.tab, Tab::Stacks);
}

#[test]
fn what_is_looked_for_is_marked_and_its_share_is_said() {
    let mut app = app_of(web());
    press(&mut app, "vv/libc.so\n");
    let drawn = screen(&mut app, 80, 24);
    // memcpy, read and what it calls, epoll_wait: 250 of 715.
    assert!(drawn.contains("found in 35.0 %"), "{drawn}");
    assert!(drawn.contains("processCommand"), "{drawn}");
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal
        .draw(|frame| view::draw(frame, &app, &Theme::DARK))
        .unwrap();
    let marked = terminal.backend().buffer().content().iter();
    let marked = marked.filter(|cell| Some(cell.bg) == Theme::DARK.frame_found.bg);
    assert!(marked.count() > 10);
}

#[test]
fn a_function_that_was_opened_shows_its_callees_or_its_callers() {
    let mut app = app_of(web());
    press(&mut app, "/processcommand\n\nv");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("callees of processCommand"), "{drawn}");
    assert!(
        drawn.contains("lookupKey") && !drawn.contains("aeMain"),
        "{drawn}"
    );
    press(&mut app, "i");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("callers of processCommand") && drawn.contains("aeMain"),
        "{drawn}"
    );
}

#[test]
fn kinds_differ_in_colour_in_256_and_in_16_colours() {
    let mut app = app_of(web());
    press(&mut app, "vv");
    for theme in [Theme::DARK, Theme::SIXTEEN] {
        let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
        app.resize(Size::new(200, 60));
        app.prepare();
        terminal.draw(|frame| view::draw(frame, &app, &theme)).unwrap();
        let buffer = terminal.backend().buffer();
        let text: String = buffer
            .content()
            .iter()
            .map(|cell| cell.symbol().chars().next().unwrap_or(' '))
            .collect();
        let colour = |name: &str| {
            let place = text.find(name).map(|at| text[..at].chars().count()).unwrap();
            buffer.content()[place].bg
        };
        // The heading names the frame under the cursor; these are elsewhere.
        let colours = [colour("tcp_recvmsg"), colour("lookupKey"), colour("malloc")];
        for (index, one) in colours.iter().enumerate() {
            assert!(!colours[..index].contains(one), "{colours:?}");
        }
    }
}

#[test]
fn every_size_of_a_flame_graph_can_be_drawn() {
    for profile in [Profile::default(), web(), from_folded(HOSTILE)] {
        let mut app = app_of(profile);
        for keys in ["vv", "kk\n", "i", "/a"] {
            press(&mut app, keys);
            for width in [1, 2, 3, 7, 14, 30, 60, 80, 300] {
                for height in [1, 2, 3, 6, 12, 24, 60] {
                    let drawn = screen(&mut app, width, height);
                    let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
                    assert!(!drawn.contains(acts), "{drawn:?}");
                    assert!(
                        drawn.lines().all(|line| text_width(line) <= width.into()),
                        "{drawn}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_cursor_stays_on_its_frame_while_samples_come() {
    let mut app = app_of(web());
    press(&mut app, "vv");
    screen(&mut app, 80, 24);
    press(&mut app, "kkk");
    let heading = |app: &mut App| screen(app, 80, 24).lines().nth(4).unwrap().to_owned();
    let before = heading(&mut app);
    app.absorb(Feed::Restart);
    app.absorb(delta(from_folded("zzz;zzz 500")));
    app.refresh();
    let name = |heading: &str| heading.split("  ").next().unwrap().to_owned();
    assert_eq!(name(&heading(&mut app)), name(&before));
}

#[test]
fn calls_of_a_function_by_itself_are_one_if_asked_for() {
    let mut app = app_of(web());
    press(&mut app, "3/long_mul\n");
    let evaluations = |app: &mut App| {
        screen(app, 200, 60);
        let forest = app.answers.forest.as_ref().unwrap();
        let rows = app.branch_rows.iter();
        let labels = rows.map(|row| &forest.trees[row.tree].1.name(row.node).label);
        labels.filter(|label| label.contains("EvalFrame")).count()
    };
    // Three on complete stacks, three on incomplete ones.
    assert_eq!(evaluations(&mut app), 6);
    press(&mut app, "c");
    assert_eq!(evaluations(&mut app), 2);
    assert!(screen(&mut app, 200, 60).contains("recursion as one call"));
    press(&mut app, "c");
    assert_eq!(evaluations(&mut app), 6);
}

#[test]
fn frames_beyond_the_screen_are_counted_at_its_edges() {
    let path: Vec<String> = (0..40).map(|depth| format!("f{depth}")).collect();
    let mut app = app_of(from_folded(&format!("app;{} 9", path.join(";"))));
    press(&mut app, "vv");
    assert_screen("flame-deep-80x24", &screen(&mut app, 80, 24));
    let drawn = screen(&mut app, 80, 24);
    // 18 rows of 24 are frames.
    assert!(drawn.contains("▲ 22 more") && !drawn.contains('▼'), "{drawn}");
    press(&mut app, "G");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("▼ 22 more") && !drawn.contains('▲'), "{drawn}");
    press(&mut app, "↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓i");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("more"), "{drawn}");
}
