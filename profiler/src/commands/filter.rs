//! From the filters on the command line to what the queries are asked.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{
    cli::{FilterOptions, ProfileTime},
    profile::Profile,
    query::{Glob, Sampled, Selection, locks},
};

/// What is said of a trace without waits for locks.
pub(super) const NO_LOCKS: &str = "holds no waits for locks: the recording had no `lock` probe, or no thread waited for \
                                   one; record again with `profiler record --probe lock`";

/// Makes of `profile` what [`selection`] selects from: waits for locks become samples where these are asked for, or where
/// all is shown on one page.
pub(super) fn prepare(options: &FilterOptions, profile: &mut Profile, for_page: bool) {
    if options.profile == ProfileTime::Lock || for_page && !profile.lock_waits.is_empty() {
        locks::samples::add(profile);
    }
}

/// The selection that `options` describe, of the profile that was read from `trace`.
///
/// # Errors
/// If the profile has no samples of waiting threads, or none of waits for locks, and they are asked for.
pub(super) fn selection(options: &FilterOptions, trace: &Path, profile: &Profile) -> Result<Selection> {
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let sampled = match options.profile {
        ProfileTime::Cpu => Sampled::Cpu,
        ProfileTime::OffCpu => Sampled::OffCpu,
        ProfileTime::Wall => Sampled::Wall,
        ProfileTime::Lock => Sampled::Lock,
    };
    let Some(sample_types) = sampled.sample_types(profile) else {
        if sampled == Sampled::Lock {
            bail!("{trace:?} {NO_LOCKS}");
        }
        bail!(
            "{trace:?} holds no samples of waiting threads: the recording had no `off-cpu` probe, or nothing waited; \
             record again with `profiler record --probe cpu,off-cpu`"
        );
    };
    Ok(Selection {
        time: options
            .time
            .map(|range| nanoseconds(range.from)..range.to.map_or(u64::MAX, nanoseconds)),
        pids: options.pids.clone(),
        tids: options.tids.clone(),
        comm: (!options.comms.is_empty()).then(|| Glob::any(options.comms.iter().map(String::as_str))),
        cgroup: options.cgroup.clone(),
        unit: options.unit.clone(),
        container: options.container.clone(),
        modules: options.modules.clone(),
        pattern: options.function.clone(),
        function: None,
        sample_types,
        kernel: !options.no_kernel,
        user: !options.no_user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::TimeRange,
        profile::folded::{from_folded, with_waits},
    };

    fn select(options: &FilterOptions, profile: &Profile) -> Result<Selection> {
        selection(options, Path::new("x.trace"), profile)
    }

    #[test]
    fn no_filter_selects_everything() {
        let selected = select(&FilterOptions::default(), &Profile::default());
        assert_eq!(selected.unwrap(), Selection::default());
    }

    #[test]
    fn an_open_end_reaches_to_the_end_of_time() {
        let options = FilterOptions {
            time: Some("2s-".parse::<TimeRange>().unwrap()),
            ..FilterOptions::default()
        };
        let selected = select(&options, &Profile::default()).unwrap();
        assert_eq!(selected.time, Some(2_000_000_000..u64::MAX));
    }

    #[test]
    fn waits_that_were_not_recorded_are_said_with_cause_and_next_step() {
        let busy = from_folded("a;main 1");
        let both = with_waits(busy.clone(), "a;main;read 5");
        for (profile, types) in [(ProfileTime::OffCpu, vec![1]), (ProfileTime::Wall, vec![0, 1])] {
            let options = FilterOptions {
                profile,
                ..FilterOptions::default()
            };
            assert_eq!(select(&options, &both).unwrap().sample_types, types);
            let error = select(&options, &busy).unwrap_err().to_string();
            for part in ["x.trace", "`off-cpu` probe", "record --probe cpu,off-cpu"] {
                assert!(error.contains(part), "{error}");
            }
        }
    }
}
