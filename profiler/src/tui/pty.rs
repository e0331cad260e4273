//! The real terminal, entered and left, on a pseudo-terminal of `script` (util-linux).

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{Options, run, terminal::Screen, tests::delta};
use crate::profile::folded::from_folded;

const SCENARIO: &str = "PROFILER_PTY_SCENARIO";
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const MOUSE_ON: &str = "\x1b[?1000h";
const MOUSE_OFF: &str = "\x1b[?1000l";

/// The dashboard of one scenario, in a process of its own.
#[test]
#[ignore = "started by the tests beside it, on a terminal (#2)"]
fn child() {
    let Ok(scenario) = std::env::var(SCENARIO) else {
        return;
    };
    if scenario == "panic" {
        let _screen = Screen::enter().unwrap();
        panic!("planted");
    }
    let (sender, feed) = mpsc::channel();
    sender.send(delta(from_folded("app;main;hot 100"))).unwrap();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        match scenario.as_str() {
            "panic elsewhere" => panic!("planted"),
            "terminate" => signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap(),
            "hang up" => signal_hook::low_level::raise(signal_hook::consts::SIGHUP).unwrap(),
            _ => {}
        }
        thread::sleep(Duration::from_secs(10));
        drop(sender);
    });
    let ending = run(&feed, Options::default()).map(|ended| ended.why);
    println!("ending: {ending:?}");
}

/// What a terminal gets to see, the settings of the terminal before and after included.
fn played(scenario: &str, keys: &str) -> String {
    let exe = std::env::current_exe().unwrap();
    let exe = exe.to_str().unwrap();
    let command = format!(
        "stty rows 24 cols 80; stty -g; '{exe}' --ignored --exact --nocapture tui::pty::child; stty -g"
    );
    let mut script = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env(SCENARIO, scenario)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`script` of util-linux is there");
    let mut stdin = script.stdin.take().unwrap();
    let keys = keys.to_owned();
    let typist = thread::spawn(move || {
        thread::sleep(Duration::from_millis(1500));
        let _ = stdin.write_all(keys.as_bytes());
        thread::sleep(Duration::from_millis(500));
    });
    let output = script.wait_with_output().unwrap();
    typist.join().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn assert_restored(seen: &str) {
    let left = seen.rfind(LEAVE).expect("the alternate screen was left");
    assert!(seen.find(ENTER).is_some_and(|entered| entered < left), "{seen:?}");
    assert_eq!(
        seen.matches(ENTER).count(),
        seen.matches(LEAVE).count(),
        "{seen:?}"
    );
    assert!(seen[left..].contains(SHOW_CURSOR), "{seen:?}");
    let reports = seen.rfind(MOUSE_ON).expect("the mouse is reported");
    assert!(
        seen.rfind(MOUSE_OFF)
            .is_some_and(|off| reports < off && off < left),
        "{seen:?}"
    );
    // Settings as `stty -g` prints them: `500:5:bf:8a3b:…`
    let settings: Vec<&str> = seen
        .lines()
        .filter(|line| line.matches(':').count() > 20)
        .collect();
    assert_eq!(settings.len(), 2, "{seen:?}");
    assert_eq!(settings[0], settings[1]);
    let after = &seen[left + LEAVE.len()..];
    assert!(
        !after.contains("FUNCTION"),
        "something was drawn on the ordinary screen: {after:?}"
    );
}

#[test]
fn the_terminal_is_restored_when_the_user_leaves() {
    let seen = played("quit", "q");
    assert!(seen.contains("FUNCTION") && seen.contains("hot"), "{seen:?}");
    assert!(seen.contains("ending: Ok(Left)"), "{seen:?}");
    assert_restored(&seen);
}

#[test]
fn the_terminal_is_restored_after_a_signal() {
    for (scenario, ending) in [("terminate", "Ok(Signal(15))"), ("hang up", "Ok(Signal(1))")] {
        let seen = played(scenario, "");
        assert!(seen.contains(&format!("ending: {ending}")), "{seen:?}");
        assert_restored(&seen);
    }
}

#[test]
fn the_terminal_is_restored_after_a_panic_whose_message_can_be_read() {
    for scenario in ["panic", "panic elsewhere"] {
        let seen = played(scenario, "");
        assert_restored(&seen);
        let message = seen.rfind("planted").expect("the message is there");
        assert!(message > seen.rfind(LEAVE).unwrap(), "{seen:?}");
    }
}
