//! Clocks, and what the kernel lets them show.

use crate::collect::{
    kernel::{Check, Errno, Facts, Ticks},
    perf_event::Clock,
};

/// The highest frequency that can be asked for.
const HIGHEST_FREQUENCY: i64 = 9999;
/// The frequency that is taken if none is asked for.
const DEFAULT_FREQUENCY: i64 = 99;

pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let mut checks: Vec<_> = facts
        .clocks
        .iter()
        .map(|&(clock, ticks)| tick(clock, ticks))
        .collect();
    checks.extend([rate(facts), addresses(facts)]);
    checks
}

fn tick(clock: Clock, ticks: Result<Ticks, Errno>) -> Check {
    let (found, sound) = match ticks {
        Err(error) => (format!("cannot be opened: {error}"), false),
        Ok(Ticks { samples: 0, .. }) => ("opens, but no sample arrived in 50 ms of work".to_owned(), false),
        Ok(Ticks {
            samples,
            expected: Some(expected),
        }) => (
            format!("{samples} of {expected} samples arrived in 50 ms of work"),
            // The trial shares its CPU with whatever else runs, and a virtual one with more.
            samples >= expected / 2,
        ),
        Ok(Ticks {
            samples,
            expected: None,
        }) => (format!("{samples} samples arrived in 50 ms of work"), true),
    };
    let arrives = matches!(ticks, Ok(ticks) if ticks.samples > 0);
    let name = clock.name();
    match clock {
        _ if sound => Check::ok(name, found),
        Clock::CpuClock if arrives => Check::degraded(
            name,
            found,
            "many samples never run; the trace counts them",
            "see whether something throttles: sysctl kernel.perf_event_max_sample_rate, dmesg | grep perf",
        ),
        Clock::CpuClock => Check::missing(
            name,
            found,
            "nothing drives the sampler",
            "see perf_event_paranoid; a kernel with CONFIG_PERF_EVENTS=y has this clock",
        ),
        // Virtual machines rarely have the counter.
        Clock::Cycles => Check {
            meaning: "-e cycles is not to be had; cpu-clock, the default, takes its place".into(),
            mend: "on a virtual machine, have the hypervisor pass the performance counters through".into(),
            ..Check::degraded(name, found, "", "")
        },
    }
}

fn rate(facts: &Facts) -> Check {
    const NAME: &str = "perf_event_max_sample_rate";
    let throttle = match facts.settings.cpu_time_max_percent {
        Some(0 | 100) => "never lowered".to_owned(),
        Some(percent) => format!("lowered when sampling takes {percent} % of a CPU"),
        None => "perf_cpu_time_max_percent cannot be read".to_owned(),
    };
    let mend = "sysctl kernel.perf_event_max_sample_rate=100000 kernel.perf_cpu_time_max_percent=25";
    match facts.settings.max_sample_rate {
        Some(rate) if rate > HIGHEST_FREQUENCY => {
            Check::ok(NAME, format!("{rate} a second and CPU; {throttle}"))
        }
        Some(rate) if rate > DEFAULT_FREQUENCY => Check::degraded(
            NAME,
            format!("{rate} a second and CPU; {throttle}"),
            format!("above -F {rate}, the kernel drops samples; the trace counts them as never run"),
            mend,
        ),
        Some(rate) => Check::degraded(
            NAME,
            format!("{rate} a second and CPU; {throttle}"),
            "the kernel drops samples even at the default of 99 a second; the trace counts them as never run",
            mend,
        ),
        None => Check::degraded(
            NAME,
            "cannot be read",
            "it cannot be told above which frequency samples are dropped",
            "mount /proc",
        ),
    }
}

fn addresses(facts: &Facts) -> Check {
    const NAME: &str = "kptr_restrict";
    let value = facts
        .settings
        .kptr_restrict
        .map_or_else(|| "unknown".to_owned(), |value| value.to_string());
    match facts.settings.kernel_addresses {
        Some(true) => Check::ok(NAME, format!("{value}: /proc/kallsyms shows addresses")),
        shown => Check::degraded(
            NAME,
            format!(
                "{value}: {}",
                if shown.is_some() {
                    "/proc/kallsyms shows no addresses"
                } else {
                    "/proc/kallsyms cannot be read"
                }
            ),
            "kernel frames have no names",
            if facts.settings.kptr_restrict == Some(2) {
                "sysctl kernel.kptr_restrict=1 (2 hides addresses from everybody)"
            } else {
                "get cap_syslog (see privileges); root sees them, if the kernel was built with CONFIG_KALLSYMS=y"
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{line, sound, troubles};
    use crate::collect::{
        kernel::{Errno, Status, Ticks},
        perf_event::Clock,
    };

    fn with(clock: Clock, ticks: Result<Ticks, Errno>) -> crate::collect::kernel::Facts {
        let mut facts = sound();
        for (tried, result) in &mut facts.clocks {
            if *tried == clock {
                *result = ticks;
            }
        }
        facts
    }

    #[test]
    fn a_counter_that_opens_but_never_counts_is_found_out() {
        let silent = Ok(Ticks {
            samples: 0,
            expected: None,
        });
        let facts = with(Clock::Cycles, silent);
        assert_eq!(troubles(&facts), [(Status::Degraded, "cycles")]);
        assert!(line(&facts, "cycles").found.contains("no sample arrived"));
    }

    #[test]
    fn without_the_kernels_timer_there_is_no_sampler() {
        let facts = with(Clock::CpuClock, Err(Errno(libc::EACCES)));
        assert_eq!(line(&facts, "cpu-clock").status, Status::Missing);
        let slow = Ok(Ticks {
            samples: 3,
            expected: Some(50),
        });
        assert_eq!(
            line(&with(Clock::CpuClock, slow), "cpu-clock").status,
            Status::Degraded
        );
    }

    #[test]
    fn a_low_rate_says_from_which_frequency_on_it_hurts() {
        let mut facts = sound();
        facts.settings.max_sample_rate = Some(4000);
        let check = line(&facts, "perf_event_max_sample_rate");
        assert_eq!(check.status, Status::Degraded);
        assert!(check.meaning.contains("-F 4000"), "{check:?}");
        facts.settings.max_sample_rate = Some(50);
        let check = line(&facts, "perf_event_max_sample_rate");
        assert!(check.meaning.contains("default"), "{check:?}");
    }

    #[test]
    fn hidden_kernel_addresses_are_judged_by_what_is_shown() {
        let mut facts = sound();
        facts.settings.kptr_restrict = Some(1);
        assert_eq!(troubles(&facts), []);
        facts.settings.kptr_restrict = Some(2);
        facts.settings.kernel_addresses = Some(false);
        let check = line(&facts, "kptr_restrict");
        assert_eq!(check.status, Status::Degraded);
        assert!(check.mend.contains("kptr_restrict=1"), "{check:?}");
    }
}
