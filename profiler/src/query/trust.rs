//! How far a recording can be trusted, in words: the same in every view. Text from the profiled world is clean.

use std::borrow::Cow;

use super::{
    Sampled, Selection, Summary, clean,
    figures::{count, duration, percent, plural},
};
use crate::profile::Metadata;

/// Periods without a run up to this share are start, stop and rounding, in percent.
const NEVER_RAN_IS_NORMAL: f64 = 0.5;
/// Frames without a name from this share on are worth a line of their own, in percent.
const UNNAMED_IS_MUCH: f64 = 1.0;

/// The line everything else is read by.
pub fn quality(summary: &Summary) -> String {
    let mut parts = vec![
        duration(summary.duration_ns),
        plural(
            summary.samples,
            match summary.sampled {
                Sampled::OffCpu | Sampled::Lock => summary.sampled.sample(),
                _ => "sample",
            },
        ),
        format!("lost {}", percent(summary.lost_percent())),
    ];
    parts.push(match summary.complete_percent() {
        Some(complete) => format!("complete stacks {}", percent(complete)),
        None => "no user stacks".to_owned(),
    });
    if let (Some(unnamed), Some(unmapped)) = (summary.unnamed_percent(), summary.unmapped_percent()) {
        let mut text = format!("unknown frames {}", percent(unnamed));
        if summary.unmapped_frames > 0 {
            text.push_str(&format!(" + {} unmapped", percent(unmapped)));
        }
        parts.push(text);
    }
    parts.push(match summary.own_cpu_percent() {
        Some(own) => {
            let bpf = summary
                .bpf_percent()
                .map_or(String::new(), |bpf| format!(" + BPF {}", percent(bpf)));
            format!("own CPU {}{bpf} of one CPU", percent(own))
        }
        None => "own CPU not measured".to_owned(),
    });
    parts.join(" · ")
}

/// Busy and idle are the host's, not the samples': a filter does not change them.
pub fn host(metadata: &Metadata, summary: &Summary) -> String {
    let mut parts = Vec::new();
    parts.push(match summary.host_busy_percent() {
        Some(busy) => format!(
            "host CPU {} busy, {} idle ({})",
            percent(busy),
            percent(100.0 - busy),
            plural(summary.cpus.into(), "CPU")
        ),
        None => "host CPU use not measured".to_owned(),
    });
    if !summary.clock.is_empty() {
        parts.push(format!("{} {} Hz", clean(&summary.clock), summary.frequency_hz));
    }
    let kernel = if metadata.kernel_release.is_empty() {
        String::new()
    } else {
        format!("Linux {}", clean(&metadata.kernel_release))
    };
    parts.extend(
        [clean(&metadata.hostname).into_owned(), kernel]
            .into_iter()
            .filter(|part| !part.is_empty()),
    );
    parts.push(if summary.filters.is_empty() {
        "whole system".to_owned()
    } else {
        format!("recorded: {}", clean(&summary.filters.join(", ")))
    });
    parts.join(" · ")
}

/// What is wrong, each with its number; empty if nothing is.
pub fn warnings(notes: &[String], summary: &Summary) -> Vec<String> {
    let mut warnings: Vec<String> = notes.iter().map(|note| clean(note).into_owned()).collect();
    if summary.lost() > 0 {
        let reasons = summary.quality.lost.iter().filter(|&(_, &lost)| lost > 0);
        let mut reasons: Vec<_> = reasons.map(|(reason, &lost)| (clean(reason), lost)).collect();
        reasons.sort_by_key(|&(_, lost)| std::cmp::Reverse(lost));
        warnings.push(format!(
            "{} lost ({}): {}",
            plural(summary.lost(), "record"),
            percent(summary.lost_percent()),
            list(
                reasons
                    .iter()
                    .map(|(reason, lost)| format!("{reason} {}", count(*lost)))
            )
        ));
    }
    for (probe, &ns) in &summary.quality.shed_ns {
        warnings.push(format!(
            "{} was off for {} of {}: it would have cost more than --max-overhead allows",
            clean(probe),
            duration(ns),
            duration(summary.quality_ns)
        ));
    }
    if summary.quality.not_kept > 0 {
        warnings.push(format!(
            "{} counted, but not told of singly: their rate is bounded, and the longest are kept",
            match summary.quality.not_kept {
                1 => "1 slow call was".to_owned(),
                calls => format!("{} slow calls were", count(calls)),
            }
        ));
    }
    if summary.never_ran_percent() > NEVER_RAN_IS_NORMAL {
        warnings.push(format!(
            "the sampler did not run in {} of {} periods ({}) though the CPU was busy: the hypervisor held it, interrupts were off, or the kernel throttled it",
            count(summary.never_ran()),
            count(summary.quality.expected),
            percent(summary.never_ran_percent())
        ));
    }
    if let Some(complete) = summary.complete_percent().filter(|&complete| complete < 100.0) {
        let mut outcomes: Vec<_> = summary.incomplete.iter().collect();
        outcomes.sort_by_key(|&(_, &samples)| std::cmp::Reverse(samples));
        warnings.push(format!(
            "{} cut short ({}): {}; in {}",
            plural(summary.incomplete_total(), "stack"),
            percent(100.0 - complete),
            list(outcomes.iter().map(|(outcome, samples)| format!(
                "{} {}",
                outcome.describe(),
                count(**samples)
            ))),
            modules(&summary.incomplete_modules)
        ));
    }
    if summary
        .unnamed_percent()
        .is_some_and(|unnamed| unnamed >= UNNAMED_IS_MUCH)
    {
        warnings.push(format!(
            "{} without a name: in {} (--debug-dir takes separate debug files)",
            plural(summary.unnamed_frames, "frame"),
            modules(&summary.unnamed_modules)
        ));
    }
    warnings
}

fn modules(modules: &[(String, u64)]) -> String {
    list(
        modules
            .iter()
            .map(|(name, number)| format!("{} {}", module(name), count(*number))),
    )
}

/// The first three, and how many more there are.
pub fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(3);
    let mut text = items.take(3).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(", {more} more"));
    }
    text
}

/// The selection in the words of the command line; empty for everything.
pub fn describe(selection: &Selection) -> String {
    let Selection {
        time,
        pids,
        tids,
        comm,
        cgroup,
        unit,
        container,
        modules,
        pattern,
        function,
        sample_types: _,
        kernel: _,
        user: _,
    } = selection;
    let ids = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut words = Vec::new();
    if let Some(time) = time {
        let end = if time.end == u64::MAX {
            String::new()
        } else {
            duration(time.end)
        };
        words.push(format!("time {}-{end}", duration(time.start)));
    }
    if !pids.is_empty() {
        words.push(format!("pid {}", ids(pids)));
    }
    if !tids.is_empty() {
        words.push(format!("tid {}", ids(tids)));
    }
    if let Some(comm) = comm {
        words.push(format!("comm {comm}"));
    }
    if !modules.is_empty() {
        words.push(format!("module {}", modules.join(",")));
    }
    for (word, value) in [
        ("cgroup", cgroup),
        ("unit", unit),
        ("container", container),
        ("function", pattern),
    ] {
        if let Some(value) = value {
            words.push(format!("{word} {value}"));
        }
    }
    if let Some(function) = function {
        words.push(format!("function {}", function.label));
    }
    clean(&words.join(", ")).into_owned()
}

/// The module's name in a column: the kernel's long name is spelt short.
pub fn module(name: &str) -> Cow<'_, str> {
    if name.starts_with("[kernel") {
        Cow::Borrowed("[kernel]")
    } else {
        clean(name)
    }
}
