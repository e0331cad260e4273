//! A settings file to begin with: everything that can be set, each as it is by default, commented out.

use std::fmt::Write as _;

use clap::Arg;

use super::flags::{is_switch, known};
use crate::tui::Keymap;

/// For flags without a value of their own: what one might give.
const EXAMPLES: [(&str, &str); 3] = [("window", "60s"), ("max-overhead", "5"), ("theme", "light")];

const HEAD: &str = "\
# Settings of `profiler top`: $XDG_CONFIG_HOME/profiler/config.toml, or ~/.config/profiler/config.toml; with sudo, that of
# who called it unless root has one. What is commented out is the default, or (e.g.) an example. Flags on the command line
# count more than this file, and --no-config does without it.
";

const KEYS: &str = "
# Which keys mean what. A key is a character, F1 to F12, or a name such as Enter Esc Tab Shift-Tab Space Backspace Up
# PageDown; Ctrl- or Alt- may come before it. An action may have several, [\"x\", \"F5\"], or none, []. No two actions may
# have the same; in a recording its own keys come first.
[keys]
";

/// The file.
pub(in crate::commands) fn printed() -> String {
    let mut text = format!("{HEAD}\n[top]\n");
    for arg in known() {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        for line in wrapped(&help) {
            let _ = writeln!(text, "# {line}");
        }
        let values: Vec<_> = arg
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        if !is_switch(&arg) && !values.is_empty() {
            let _ = writeln!(text, "# One of: {}", values.join(", "));
        }
        let name = arg.get_long().unwrap_or_default();
        let (value, example) = value(&arg, name);
        let _ = writeln!(
            text,
            "#{name} = {value}{}\n",
            if example { "  # e.g." } else { "" }
        );
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text.push_str(KEYS);
    for action in Keymap::default().actions() {
        let keys: Vec<_> = action.keys.iter().map(|key| quoted(key)).collect();
        let keys = match keys.as_slice() {
            [key] => key.clone(),
            keys => format!("[{}]", keys.join(", ")),
        };
        let setting = format!("#{} = {keys}", action.name);
        let _ = writeln!(text, "{setting:<40} # {}", action.meaning);
    }
    text
}

/// What a flag is by default, and whether that is but an example.
fn value(arg: &Arg, name: &str) -> (String, bool) {
    if is_switch(arg) {
        return ("false".to_owned(), false);
    }
    let default = arg
        .get_default_values()
        .first()
        .map(|value| value.to_string_lossy().into_owned());
    let example = EXAMPLES.iter().find(|(flag, _)| *flag == name);
    let value = default.clone().or(example.map(|(_, value)| (*value).to_owned()));
    let value = value.unwrap_or_default();
    let is_number = value.parse::<f64>().is_ok();
    (if is_number { value } else { quoted(&value) }, default.is_none())
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Lines as wide as a comment may be.
fn wrapped(text: &str) -> Vec<String> {
    const WIDEST: usize = 116;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDEST => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
