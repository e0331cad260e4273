//! How far an export can be trusted, in one line that travels with it.

use crate::{
    profile::Profile,
    query::{Sampled, Selection, Summary},
};

/// Who recorded what, for how long: `web-1: whole system, 10.0 s, 4,893 samples at 99 Hz (cpu-clock)`; where waits are
/// selected, `web-1: whole system, 10.0 s, 340 waiting samples, 82.1 s of waiting time`.
pub(super) fn title(profile: &Profile, selection: &Selection) -> String {
    let summary = Summary::of(profile, selection);
    let host = match profile.metadata.hostname.as_str() {
        "" => "unknown host",
        name => name,
    };
    let whom = if summary.filters.is_empty() {
        "whole system".to_owned()
    } else {
        summary.filters.join(", ")
    };
    let what = match summary.sampled {
        // Waits are not sampled by a clock.
        Sampled::OffCpu | Sampled::Wall | Sampled::Lock | Sampled::Slow => {
            format!(
                "{}, {} of {}",
                samples(&summary),
                time(summary.value),
                summary.sampled.time()
            )
        }
        Sampled::Cpu | Sampled::Other => format!(
            "{} at {} Hz ({})",
            samples(&summary),
            summary.frequency_hz,
            super::text::safe(&summary.clock)
        ),
    };
    format!(
        "{}: {}, {:.1} s, {what}",
        super::text::safe(host),
        super::text::safe(&whom),
        summary.duration_ns as f64 / 1e9,
    )
}

fn time(nanoseconds: u64) -> String {
    match nanoseconds as f64 / 1e9 {
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

/// What was lost, cut short or never ran, and what recording cost. What was not measured is not said.
pub(super) fn line(profile: &Profile, selection: &Selection) -> String {
    let summary = Summary::of(profile, selection);
    let mut parts = vec![format!("lost {}", percent(summary.lost_percent()))];
    if summary.quality.expected > 0 && summary.never_ran() > 0 {
        parts.push(format!("never ran {}", percent(summary.never_ran_percent())));
    }
    if let Some(complete) = summary.complete_percent() {
        parts.push(format!("complete stacks {}", percent(complete)));
    }
    if let (Some(unnamed), Some(unmapped)) = (summary.unnamed_percent(), summary.unmapped_percent()) {
        parts.push(format!("unknown frames {}", percent(unnamed + unmapped)));
    }
    if let Some(own) = summary.own_cpu_percent() {
        parts.push(format!("profiler's own CPU {}", percent(own)));
    }
    if !summary.ended {
        parts.push("the recording was cut off".to_owned());
    }
    parts.join(", ")
}

fn samples(summary: &Summary) -> String {
    let what = match summary.sampled {
        Sampled::OffCpu | Sampled::Wall | Sampled::Lock | Sampled::Slow => summary.sampled.sample(),
        Sampled::Cpu | Sampled::Other => "sample",
    };
    let one = summary.recorded_samples == 1 && summary.sampled.is_waits();
    let s = if one { "" } else { "s" };
    if summary.samples == summary.recorded_samples {
        format!("{} {what}{s}", grouped(summary.samples))
    } else {
        format!(
            "{} of {} {what}{s}",
            grouped(summary.samples),
            grouped(summary.recorded_samples)
        )
    }
}

/// One digit after the point, two significant ones below one percent: 0.04 % lost is not 0.0 %.
fn percent(value: f64) -> String {
    if value > 0.0 && value < 0.1 {
        format!("{value:.2} %")
    } else {
        format!("{value:.1} %")
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Outcome, folded::from_folded};

    #[test]
    fn the_title_says_how_much_of_how_much() {
        let profile = from_folded("a;main 1200\nb;main 300");
        let all = Selection::default();
        assert_eq!(
            title(&profile, &all),
            "example: whole system, 15.0 s, 1,500 samples at 99 Hz (cpu-clock)"
        );
        let one = Selection {
            pids: vec![101],
            ..Selection::default()
        };
        assert!(title(&profile, &one).contains("300 of 1,500 samples"));
    }

    #[test]
    fn the_line_owns_up_to_what_is_missing() {
        let mut profile = from_folded("a;main 3\nb;main 1");
        profile.samples[3].outcome = Outcome::TooDeep;
        profile.quality[0].lost.insert("ring full".into(), 1);
        profile.ended = false;
        let line = line(&profile, &Selection::default());
        assert!(line.starts_with("lost 20.0 %"), "{line}");
        assert!(line.contains("complete stacks 75.0 %"), "{line}");
        assert!(line.ends_with("the recording was cut off"), "{line}");
    }

    #[test]
    fn a_small_loss_is_not_rounded_to_nothing() {
        assert_eq!(percent(0.0), "0.0 %");
        assert_eq!(percent(0.04), "0.04 %");
        assert_eq!(percent(99.96), "100.0 %");
    }
}
