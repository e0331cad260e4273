//! The header and the help, on wide screens and on narrow ones.

use super::*;

/// A host on which much was too dear, in a recording with something wrong.
fn dear() -> Profile {
    let mut profile = web();
    let quality = &mut profile.quality[0];
    for probe in ["states", "lock", "syscalls"] {
        quality.shed_ns.insert(probe.into(), 5_000_000);
    }
    quality.own_cpu_ns = 501_000_000;
    (quality.bpf_ns, quality.bpf_measured_ns) = (182_000_000, 1_000_000_000);
    profile
}

fn quality(app: &mut App, width: u16) -> String {
    let drawn = screen(app, width, 24);
    drawn.lines().nth(2).unwrap().to_owned()
}

#[test]
fn what_is_off_and_what_it_costs_is_seen_at_any_width() {
    let mut app = app_of(dear());
    assert_eq!(
        quality(&mut app, 200),
        " off, too dear: lock, states, syscalls  lost 0.4 %  own 7.0 % + kernel 18.2 % of a CPU  incomplete 2.5 %  unknown 0.0 %"
    );
    assert_eq!(
        quality(&mut app, 80),
        " off: lock, states, syscalls  lost 0.4 %  own 7.0 % + 18.2 % of a CPU"
    );
    assert_eq!(quality(&mut app, 42), " off: lock, states, syscalls  lost 0.4 %");
}

#[test]
fn no_word_of_the_header_is_cut() {
    let mut app = App::replay(
        Recording {
            name: "a.trace".into(),
            profile: dear(),
            notes: vec!["one".into(), "two".into()],
        },
        Options::default(),
    );
    app.notes = false;
    let whole = screen(&mut app, 300, 24);
    let words: Vec<&str> = whole
        .lines()
        .skip(1)
        .take(2)
        .flat_map(str::split_whitespace)
        .collect();
    assert!(words.contains(&"remarks:"), "{whole}");
    for width in 20..200 {
        let drawn = screen(&mut app, width, 24);
        for word in drawn.lines().skip(1).take(2).flat_map(str::split_whitespace) {
            let short = ["off:", "incompl.", "unkn."].contains(&word);
            assert!(short || words.contains(&word), "{width}: {word}\n{drawn}");
        }
        if width >= 80 {
            assert!(drawn.contains("2 remarks: ! shows"), "{drawn}");
        }
    }
}

#[test]
fn the_help_goes_on_in_the_next_line() {
    let mut app = app_of(web());
    press(&mut app, "?");
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    for width in [40, 60, 80] {
        let drawn = squeezed(&screen(&mut app, width, 400));
        for bound in app.keys.bindings(app.mode()) {
            let long = bound.binding.long;
            assert!(drawn.contains(&squeezed(long)), "{width}: {long}\n{drawn}");
        }
        assert!(drawn.contains("--max-overheadisofallCPUs"), "{drawn}");
    }
    assert_screen("help-40x24", &screen(&mut app, 40, 24));
}
