//! Where in a function the samples were.

use super::*;
use crate::{
    profile::{Function, Id, Line, Location},
    query::{SourcePlace, frames},
    tui::Places,
};

/// [`web`], where it is known at which lines `dictFind` ran.
fn with_lines() -> Profile {
    let mut profile = web();
    let of = |profile: &Profile| {
        let found = |location: &Id<Location>| {
            frames(profile, *location).any(|frame| frame.function == Some("dictFind"))
        };
        profile.locations.iter().map(|(id, _)| id).find(found).unwrap()
    };
    let location = of(&profile);
    let mut function = profile.functions[profile.lines[&location][0].function].clone();
    function.file = "/build/redis/src/dict.c".into();
    let function = profile.functions.intern(function);
    profile.lines.insert(location, vec![Line { function, line: 482 }]);
    // A third of them ran a little further on.
    let place = profile.locations[location];
    let next = profile.locations.intern(Location {
        address: place.address + 4,
        ..place
    });
    profile.lines.insert(next, vec![Line { function, line: 484 }]);
    let stack = profile.samples[0].stack.unwrap();
    let mut locations: Vec<_> = profile.stacks.locations(stack).skip(1).collect();
    locations.reverse();
    locations.push(next);
    let other = profile.stacks.intern(locations);
    for sample in profile
        .samples
        .iter_mut()
        .filter(|sample| sample.stack == Some(stack))
        .take(60)
    {
        sample.stack = other;
    }
    profile
}

/// What a reader of code might find.
fn code(spot: &Spot) -> Code {
    let (_, line) = spot.source.clone().unwrap();
    Code {
        source: Ok((line - 2..=line + 3)
            .map(|line| (line, format!("\tline({line}); \x1b[2J")))
            .collect()),
        instructions: Ok((0..5)
            .map(|number| (spot.address - 4 + 4 * number, "mov    (%rax),%rdx".into()))
            .collect()),
    }
}

/// What debug information might know of a function that has two addresses: the second is in an inlined call.
fn places(spot: &Spot) -> Places {
    let place = |line, inlined: &str| SourcePlace {
        file: "/build/redis/src/dict.c".into(),
        line,
        inlined: inlined.into(),
    };
    let places = [place(482, ""), place(77, "dictHash\x1b[2J")];
    Places {
        known: spot.unknown.iter().copied().zip(places).collect(),
        failed: None,
    }
}

const NOTHING: fn(&Spot) -> Places = |_| Places::default();

fn annotated(profile: Profile, code: Option<ReadCode>) -> App {
    let mut app = App::new(Options {
        code,
        ..Options::default()
    });
    app.absorb(delta(profile));
    app.refresh();
    press(&mut app, "1/dictFind\na");
    app
}

/// Waits for the thread that reads.
fn wait(app: &mut App) {
    let begin = Instant::now();
    while app.annotation.as_ref().unwrap().code.is_none() {
        app.code_came();
        assert!(begin.elapsed() < Duration::from_secs(10), "nothing was read");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn hot_lines_and_instructions_have_their_shares() {
    let mut app = annotated(
        with_lines(),
        Some(ReadCode {
            places: NOTHING,
            code,
        }),
    );
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("/build/redis/src/dict.c:482") && !drawn.contains("mov "),
        "{drawn}"
    );
    wait(&mut app);
    assert_screens("annotation", &mut app);
    press(&mut app, "j");
    assert_eq!(app.annotation.as_ref().unwrap().scroll, 1);
    press(&mut app, "\x1b");
    assert!(app.annotation.is_none() && !app.filter.is_empty());
}

#[test]
fn why_there_is_no_code_is_said() {
    let code: fn(&Spot) -> Code = |_| Code {
        source: Err("the source has no line 482".into()),
        instructions: Err("objdump is not installed".into()),
    };
    let read = ReadCode {
        places: NOTHING,
        code,
    };
    let mut app = annotated(with_lines(), Some(read));
    wait(&mut app);
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("has no line 482") && drawn.contains("objdump is not installed"),
        "{drawn}"
    );
}

/// [`with_lines`], as the live dashboard has it: symbol tables know no lines.
fn without_lines() -> Profile {
    let mut profile = with_lines();
    for line in profile.lines.values_mut().flatten() {
        let function = Function {
            file: String::new(),
            ..profile.functions[line.function].clone()
        };
        *line = Line {
            function: profile.functions.intern(function),
            line: 0,
        };
    }
    profile
}

#[test]
fn lines_that_are_not_known_are_read_and_so_is_their_source() {
    let mut app = annotated(without_lines(), Some(ReadCode { places, code }));
    let asked = app.annotation.as_ref().unwrap();
    assert!(asked.asks && asked.spot.unknown.len() == 2 && asked.spot.source.is_none());
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("no line is known") && drawn.contains("debug information is being read"),
        "{drawn}"
    );
    wait(&mut app);
    assert_screens("annotation-live", &mut app);
}

#[test]
fn why_lines_could_not_be_read_is_said() {
    let read = ReadCode {
        places: |_| Places {
            failed: Some("/usr/bin/redis: lines are missing in part: it took more than 8.0 s".into()),
            ..Places::default()
        },
        code: |_| Code {
            source: Err("no line is known".into()),
            instructions: Err("objdump is not installed".into()),
        },
    };
    let mut app = annotated(without_lines(), Some(read));
    wait(&mut app);
    let drawn = screen(&mut app, 100, 24);
    assert!(
        drawn.contains("it took more than 8.0 s") && drawn.contains("programs with debug information"),
        "{drawn}"
    );
}

#[test]
fn without_debug_information_the_next_step_is_said() {
    let mut app = app_of(web());
    press(&mut app, "1a");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("no line is known") && drawn.contains("programs with debug information"),
        "{drawn}"
    );
    press(&mut app, "a2a");
    assert!(app.annotation.is_none());
    assert!(
        app.message
            .as_ref()
            .unwrap()
            .contains("no function is under the cursor")
    );
}

#[test]
fn stacks_and_the_flame_graph_have_functions_too() {
    let mut app = app_of(web());
    for keys in ["3a", "v", "a"] {
        press(&mut app, keys);
    }
    // The key that turns the tree into a graph did nothing while the annotation was there.
    assert!(app.annotation.is_none());
    press(&mut app, "v");
    screen(&mut app, 80, 24);
    press(&mut app, "a");
    assert_eq!(app.annotation.as_ref().unwrap().lines.rows.len(), 1);
    for (width, height) in [(1, 1), (20, 3), (300, 100)] {
        screen(&mut app, width, height);
    }
}
