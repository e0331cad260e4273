//! Settings files, and what is said of those that are wrong.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};

fn settings(text: &str) -> Result<Settings, String> {
    Settings::parse(Path::new("/home/ada/config.toml"), text).map_err(|error| error.to_string())
}

#[track_caller]
fn complaint(text: &str) -> String {
    settings(text).expect_err(text)
}

fn line(words: &str) -> Vec<OsString> {
    words.split_whitespace().map(OsString::from).collect()
}

fn options(words: &str) -> TopOptions {
    match Cli::try_parse_from(line(words)).unwrap().command {
        Command::Top(options) => options,
        _ => unreachable!("the line says top"),
    }
}

fn merged(file: &str, words: &str) -> TopOptions {
    settings(file).unwrap().apply(options(words), &line(words))
}

#[test]
fn the_file_says_what_the_command_line_does_not() {
    let file = "[top]\nfrequency = 199\nrefresh = '2s'\ntheme = 16\nno-locks = true\nno-calls = false";
    let read = merged(file, "profiler -v top --refresh 5s -p 7");
    assert_eq!(read.sampling.frequency, 199);
    assert_eq!(read.refresh.as_secs(), 5);
    assert_eq!(read.theme, Some(crate::cli::TopTheme::Sixteen));
    assert_eq!((read.no_locks, read.no_calls), (true, false));
    assert_eq!(read.target.pids, [7]);
}

#[test]
fn what_does_not_go_with_the_command_line_gives_way() {
    let read = merged("[top]\noff-cpu = true", "profiler top --no-states");
    assert!(read.no_states && !read.off_cpu);
    let read = merged("[top]\nfrequency = 199\nsort = 'total'", "profiler top a.trace");
    assert_eq!(read.sampling.frequency, 99);
    assert_eq!(read.sort, crate::cli::TopSort::Total);
}

#[test]
fn every_complaint_names_file_line_key_cause_and_next_step() {
    for (text, beginning, cause) in [
        (
            "[top]\n\nfreqency = 9",
            "3: freqency: ",
            "did you mean frequency?",
        ),
        ("[top]\nfrequency = 0", "2: frequency: ", "0 is not in 1..=9999"),
        ("[top]\ntheme = \"pink\"", "2: theme: ", "dark, light, 16"),
        ("[top]\nno-locks = \"yes\"", "2: no-locks: ", "true or false"),
        ("[top]\nwindow = [1]", "2: window: ", "text in quotes"),
        ("[top]\npid = 7", "2: pid: ", "no such setting"),
        (
            "[top]\nno-states = true\noff-cpu = true",
            "3: off-cpu: ",
            "another setting",
        ),
        ("[top]\nsort = 'self'\nsort = 'self'", "3: ", "this is no TOML"),
        ("\n[tpo]", "2: tpo: ", "did you mean top?"),
        ("theme = 'dark'", "1: theme: ", "section [top]"),
        ("top = 1", "1: top: ", "[top]"),
        ("[keys]\n\npauze = 'x'", "3: pauze: ", "did you mean pause?"),
        ("[keys]\npause = 'Hyper-x'", "2: pause: ", "\"Hyper-x\" is no key"),
        ("[keys]\npause = 7", "2: pause: ", "a key in quotes"),
        ("[keys]\nsort = 'p'", "2: sort: ", "\"p\" is a key of \"pause\""),
        (
            "[keys]\nhelp = 'H'\npause = 's'",
            "3: pause: ",
            "\"s\" is a key of \"sort\"",
        ),
        (
            "[keys]\nquit-at-once = []",
            "2: quit-at-once: ",
            "could not be left",
        ),
        ("[top\nx", "1: ", "this is no TOML"),
    ] {
        let error = complaint(text);
        let error = error.strip_prefix("/home/ada/config.toml:").expect(&error);
        assert!(error.starts_with(beginning) && error.contains(cause), "{error}");
        assert!(
            error.contains("--print-config") && error.contains("--no-config"),
            "{error}"
        );
    }
}

#[test]
fn what_a_file_says_never_acts_on_the_terminal() {
    for text in [
        "\"\\u001b[2J\" = 1",
        "[top]\nrefresh = \"\\u001b[2J\"",
        "[keys]\npause = \"\\u001b\"",
    ] {
        let error = complaint(text);
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn the_printed_file_changes_nothing_as_it_is_and_all_of_it_can_be_set() {
    let printed = printed();
    let untouched = settings(&printed).unwrap();
    assert!(untouched.flags.is_empty());
    // As a person would do it: comments are with a blank, settings without.
    let set: String = printed
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let set = settings(&set).unwrap_or_else(|error| panic!("{error}\n{set}"));
    let keys = |settings: &Settings| format!("{:?}", settings.keys);
    assert_eq!(keys(&set), keys(&untouched));
    for arg in flags::known() {
        let name = arg.get_long().unwrap();
        assert!(printed.contains(&format!("\n#{name} = ")), "{name}");
        assert!(
            flags::is_switch(&arg)
                || set
                    .flags
                    .iter()
                    .any(|flag| flag.starts_with(&format!("--{name}="))),
            "{name}"
        );
    }
    let words = "profiler top";
    let (with, without) = (set.apply(options(words), &line(words)), options(words));
    assert_eq!(with.sampling.frequency, without.sampling.frequency);
    assert_eq!((with.refresh, with.sort), (without.refresh, without.sort));
}
