//! The section `[top]`: flags of `profiler top`, under their own names.

use std::ffi::OsString;

use anyhow::Result;
use clap::{Arg, ArgAction, Args as _, Parser as _, error::ErrorKind};
use toml::de::{DeTable, DeValue};

use super::complaint::{self, Source};
use crate::cli::{Cli, Command, TopOptions};

/// What is asked for anew every time: whom to look at, and where these settings are.
const NOT_SET: [&str; 2] = ["Target", "Settings"];

/// The flags that can be set.
pub(super) fn known() -> Vec<Arg> {
    let top = TopOptions::augment_args(clap::Command::new("top"));
    let can_be_set = |arg: &&Arg| {
        arg.get_long().is_some()
            && !arg
                .get_help_heading()
                .is_some_and(|heading| NOT_SET.contains(&heading))
    };
    top.get_arguments().filter(can_be_set).cloned().collect()
}

pub(super) fn is_known(name: &str) -> bool {
    known().iter().any(|arg| arg.get_long() == Some(name))
}

/// Whether the flag stands alone.
pub(super) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// The flags as they would be typed.
pub(super) fn parse(source: &Source<'_>, section: &DeTable<'_>) -> Result<Vec<String>> {
    let known = known();
    let mut flags: Vec<String> = Vec::new();
    // In the order in which they stand in the file, for that is how they are complained about.
    let mut entries: Vec<_> = section.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (key, value) in entries {
        let name = key.get_ref().as_ref();
        let complain = |why: &str| source.complaint(key.span().start, Some(name), why);
        let Some(arg) = known.iter().find(|arg| arg.get_long() == Some(name)) else {
            let names = known.iter().filter_map(Arg::get_long);
            return Err(complain(&complaint::unknown("setting", name, names)));
        };
        let flag = match (is_switch(arg), value.get_ref()) {
            (true, DeValue::Boolean(true)) => format!("--{name}"),
            (true, DeValue::Boolean(false)) => continue,
            (true, _) => return Err(complain("give true or false")),
            (false, DeValue::String(text)) => format!("--{name}={text}"),
            (false, DeValue::Integer(number)) if number.radix() == 10 => {
                format!("--{name}={}", number.as_str())
            }
            (false, DeValue::Float(number)) => format!("--{name}={}", number.as_str()),
            (false, _) => return Err(complain("give a text in quotes, or a decimal number")),
        };
        let line = ["profiler", "top"].into_iter();
        let so_far = line
            .chain(flags.iter().map(String::as_str))
            .chain([flag.as_str()]);
        if let Err(error) = Cli::try_parse_from(so_far) {
            return Err(complain(&words(&error)));
        }
        flags.push(flag);
    }
    Ok(flags)
}

/// The command line as if the flags of the file had been typed, too, without those that do not go with it: what was
/// really typed counts more.
pub(super) fn merged(flags: &[String], options: TopOptions, line: &[OsString]) -> TopOptions {
    let Some(place) = line.iter().position(|word| word == "top") else {
        return options;
    };
    let mut merged = (line.to_vec(), options);
    for flag in flags {
        let mut line = merged.0.clone();
        line.insert(place + 1, flag.into());
        if let Ok(Cli {
            command: Command::Top(options),
            ..
        }) = Cli::try_parse_from(&line)
        {
            merged = (line, options);
        }
    }
    merged.1
}

/// What the command line says of a flag, in one sentence.
fn words(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::ArgumentConflict {
        return "this does not go with another setting of the file".to_owned();
    }
    let rendered = error.render().to_string();
    let lines = rendered.lines().take_while(|line| !line.trim().is_empty());
    let sentence = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    sentence.trim_start_matches("error: ").to_owned()
}
