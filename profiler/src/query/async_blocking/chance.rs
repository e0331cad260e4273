//! Whether chance explains that samples in a row show the same task.

use rustc_hash::FxHashMap;

use super::long_poll::Seen;
use crate::profile::Sample;

/// How many such rows chance may have in store for a worker.
const CHANCE: f64 = 0.01;
/// A task whose polls last is in the runtime once a poll, for microseconds: that is hardly ever sampled. Where it is
/// sampled more often than once in so many rows, polls are short.
const ROWS: f64 = 4.0;

/// What a worker is usually at, in periods of the clock.
#[derive(Default)]
pub(super) struct Usual {
    all: f64,
    tasks: FxHashMap<String, f64>,
}

impl Usual {
    pub(super) fn of(period_ns: u64, samples: &[(&Sample, Seen)]) -> Self {
        let mut usual = Self::default();
        for (sample, seen) in samples {
            usual.all += match seen {
                Seen::Preempted | Seen::Wait(_) => 0.0,
                Seen::Task(..) | Seen::Await(_) | Seen::Busy => 1.0,
                Seen::Idle => sample.value as f64 / period_ns as f64,
            };
            if let Seen::Task(task, ..) = seen {
                *usual.tasks.entry(task.clone()).or_default() += 1.0;
            }
        }
        usual
    }

    /// Whether so many samples in a row are no wonder: because the worker is in this task as often the rest of the time.
    pub(super) fn explains(&self, task: &str, row: f64) -> bool {
        let task = self.tasks.get(task).copied().unwrap_or_default();
        expected(row, task - row, self.all - task) > CHANCE
    }
}

/// How often tasks are met in the runtime, on all workers.
#[derive(Default)]
pub(super) struct Awaits {
    /// Of each task, samples in its own code, and in the runtime.
    tasks: FxHashMap<String, (f64, f64)>,
}

impl Awaits {
    pub(super) fn add(&mut self, seen: &Seen) {
        match seen {
            Seen::Task(task, ..) => self.tasks.entry(task.clone()).or_default().0 += 1.0,
            Seen::Await(task) => self.tasks.entry(task.clone()).or_default().1 += 1.0,
            _ => {}
        }
    }

    /// Whether the task is met in the runtime so often that its polls are short, and so many samples in a row in its own
    /// code no wonder. Other than what its worker is at, that does not depend on what other tasks do meanwhile.
    pub(super) fn explain(&self, task: &str, row: f64) -> bool {
        let (own, runtime) = self.tasks.get(task).copied().unwrap_or_default();
        let is_often = ROWS * row * runtime >= own - row && runtime > 0.0;
        is_often && expected(row, own - row, runtime) > CHANCE
    }
}

/// How many rows of so many samples, or longer, are to be expected in all, if each sample is one of those in the row as
/// often as it was the rest of the time: `inside` times, and `outside` times not. Of what was never seen, nothing is
/// known: one in two.
fn expected(row: f64, inside: f64, outside: f64) -> f64 {
    let share = (inside + 1.0) / (inside + outside + 2.0);
    (row + inside + outside) * (1.0 - share) * share.powf(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_expected_as_often_as_simulation_has_them() {
        // Five of six: rows of eleven begin at every sixth sample, and one of 7.4 gets that far.
        assert!((expected(11.0, 5_000.0, 1_000.0) - 134.8).abs() < 1.0);
        // A coin: one row of ten in 2,048 throws.
        assert!((expected(10.0, 1_024.0, 1_024.0) - 1.0).abs() < 0.01);
        // Nothing else was ever seen.
        assert!(expected(4.0, 0.0, 0.0) > CHANCE && expected(12.0, 0.0, 0.0) < CHANCE);
    }

    #[test]
    fn a_task_that_is_met_in_the_runtime_has_short_polls() {
        let explains = |own: f64, runtime: f64, row: f64| {
            let tasks = [("task".to_owned(), (own, runtime))].into_iter().collect();
            Awaits { tasks }.explain("task", row)
        };
        assert!(explains(300.0, 50.0, 11.0));
        // So many in a row are a wonder still.
        assert!(!explains(300.0, 50.0, 100.0));
        // Once or never in many polls that last.
        assert!(!explains(180.0, 1.0, 25.0));
        assert!(!explains(180.0, 0.0, 25.0));
    }
}
