//! Now, compared with what was marked.

use super::*;

/// What comes 20 s later: python3 does more, redis-server does something else.
fn later() -> Feed {
    let mut profile = from_folded(
        "redis-server/812;_start;__libc_start_main;main;aeMain;processCommand;lookupKey;dictFind 60\n\
         redis-server/812;_start;__libc_start_main;main;aeMain;rehash 90\n\
         python3/2201;_start;main;Py_RunMain;_PyEval_EvalFrameDefault;long_mul 400",
    );
    profile.metadata = web().metadata;
    profile
        .samples
        .iter_mut()
        .for_each(|sample| sample.time_ns += 20_000_000_000);
    profile.quality[0].start_ns += 20_000_000_000;
    profile.quality[0].end_ns += 20_000_000_000;
    delta(profile)
}

#[test]
fn functions_are_sorted_by_how_much_their_share_has_changed() {
    let mut app = app_of(web());
    press(&mut app, "m");
    assert!(screen(&mut app, 80, 24).contains("marked"));
    app.absorb(Feed::Restart);
    app.absorb(later());
    app.refresh();
    press(&mut app, "j");
    assert_screens("changes", &mut app);
    // The rows can be opened, looked through and chosen as ever.
    press(&mut app, "g\n");
    assert!(screen(&mut app, 80, 24).contains("around long_mul"));
    press(&mut app, "\x1b/rehash\n");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("rehash") && !drawn.contains("dictFind"), "{drawn}");
    press(&mut app, "\x1bsM");
    let drawn = screen(&mut app, 80, 24);
    assert!(!drawn.contains("CHANGE") && drawn.contains("TOTAL▼"), "{drawn}");
}

#[test]
fn a_mark_of_something_else_is_not_compared() {
    let mut app = app_of(web());
    press(&mut app, "mK");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("the mark is of another selection") && !drawn.contains("CHANGE"),
        "{drawn}"
    );
    press(&mut app, "K");
    assert!(screen(&mut app, 80, 24).contains("CHANGE"));
}

#[test]
fn what_the_mark_has_too_is_said_until_it_lies_behind() {
    let mut app = app_of(web());
    press(&mut app, "m");
    let drawn = screen(&mut app, 120, 24);
    assert!(drawn.contains("100 % of this is in the mark, too"), "{drawn}");
    app.absorb(Feed::Restart);
    app.absorb(later());
    app.refresh();
    assert!(!screen(&mut app, 120, 24).contains("is in the mark"));
}
