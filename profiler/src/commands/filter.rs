//! From the filters on the command line to what the queries are asked.

use crate::{
    cli::FilterOptions,
    query::{Glob, Selection},
};

/// The selection that `options` describe.
pub(super) fn selection(options: &FilterOptions) -> Selection {
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Selection {
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
        sample_type: 0,
        kernel: !options.no_kernel,
        user: !options.no_user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::TimeRange;

    #[test]
    fn no_filter_selects_everything() {
        assert_eq!(selection(&FilterOptions::default()), Selection::default());
    }

    #[test]
    fn an_open_end_reaches_to_the_end_of_time() {
        let options = FilterOptions {
            time: Some("2s-".parse::<TimeRange>().unwrap()),
            ..FilterOptions::default()
        };
        assert_eq!(selection(&options).time, Some(2_000_000_000..u64::MAX));
    }
}
