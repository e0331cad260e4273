//! What shares and widths of stacks are of.

use super::text::{count, latency};
use crate::{query::Sampled, tui::app::App};

/// What shares of stacks are of, and what that is made of, in few words where there is little room: `4.2 s CPU time`.
pub(super) fn whole(app: &App, little_room: bool) -> String {
    let Some(forest) = &app.answers.forest else {
        return String::new();
    };
    if forest.total_value == 0 {
        return String::new();
    }
    let time = latency(forest.total_value).trim().to_owned();
    let told = app.told.as_ref().map(|told| (told.left_out(), told.all));
    let samples = app.answers.summary.as_ref().map_or(0, |summary| summary.samples);
    let longest = match told {
        Some((1.., all)) => format!("the longest {} of {} ", count(samples), count(all as u64)),
        _ => format!("{} ", count(samples)),
    };
    match (app.sampled, little_room) {
        (Sampled::Lock, true) => format!("{time} waiting for locks"),
        (Sampled::Slow, true) => format!("{time} of slow calls told singly"),
        (Sampled::Lock, false) => {
            let others = if app.idle {
                "others had, or may have had"
            } else {
                "others had"
            };
            format!("{time} waiting for locks that {others}, in {longest}recorded waits")
        }
        (Sampled::Slow, false) => format!("{time} in {longest}slow calls told singly, not in all calls"),
        (sampled, _) => format!("{time} {}", sampled.time()),
    }
}

/// What a number of samples is a number of.
pub(super) fn samples(sampled: Sampled, number: u64) -> String {
    let name = match sampled {
        Sampled::Lock | Sampled::Slow => sampled.sample(),
        _ => "sample",
    };
    format!("{} {name}{}", count(number), if number == 1 { "" } else { "s" })
}
