//! The closing line: what was recorded, and how good it is.

use std::{collections::HashSet, path::Path};

use crate::profile::{Delta, Outcome, QualityWindow};

/// The sample type of time on a CPU.
const CPU: u8 = 0;

/// What a recording came to.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Samples of all types.
    pub(super) samples: u64,
    /// Those of threads that waited.
    waits: u64,
    /// Slow calls, waits for locks, and stacks of calls.
    events: u64,
    /// Bytes of the trace.
    pub(super) bytes: u64,
    /// What else is to be said.
    pub(super) notes: Vec<String>,
    pids: HashSet<u32>,
    with_user_stack: u64,
    incomplete: u64,
    quality: QualityWindow,
}

impl Closing {
    /// Counts what is new.
    pub(super) fn count(&mut self, delta: &Delta) {
        self.samples += delta.samples.len() as u64;
        self.events += (delta.slow.len() + delta.lock_waits.len() + delta.call_stacks.len()) as u64;
        self.pids
            .extend(delta.processes.iter().map(|process| process.pid));
        for sample in &delta.samples {
            if sample.sample_type != CPU {
                self.waits += 1;
                continue;
            }
            self.with_user_stack += u64::from(sample.outcome != Outcome::NoUserStack);
            self.incomplete += u64::from(!sample.outcome.is_whole());
        }
        delta.quality.iter().for_each(|window| self.quality.add(window));
    }

    /// Records lost.
    pub(super) fn lost(&self) -> u64 {
        self.quality.lost_total()
    }

    /// The line.
    pub(super) fn line(&self, trace: &Path) -> String {
        let seconds = self.quality.end_ns as f64 / 1e9;
        let lost = percent(self.lost(), self.lost() + self.samples + self.events);
        let incomplete = percent(self.incomplete, self.with_user_stack);
        let own_cpu = percent(self.quality.own_cpu_ns, self.quality.end_ns);
        let waits = match self.waits {
            0 => String::new(),
            waits => format!(" and {waits} waits"),
        };
        format!(
            "recorded {} samples{waits} of {} processes in {seconds:.1} s (lost {lost}, incomplete stacks {incomplete}, own CPU \
             {own_cpu} of one) → {} ({})\n",
            self.samples - self.waits,
            self.pids.len(),
            trace.display(),
            size(self.bytes)
        )
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    // What is there is never shown as nothing.
    if part > 0 && percent < 0.01 {
        "<0.01 %".to_owned()
    } else {
        format!("{percent:.2} %")
    }
}

/// Bytes, in the unit a person would choose.
pub(super) fn size(bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (bytes as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => (bytes as f64 / 1e6, "MB"),
        _ => (bytes as f64 / 1e9, "GB"),
    };
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    #[test]
    fn the_line_says_what_was_lost() {
        let mut profile = from_folded("a;f 3\nb;g 1");
        profile.quality.push(QualityWindow {
            end_ns: 2_000_000_000,
            own_cpu_ns: 10_000_000,
            lost: [("ring full".to_owned(), 1)].into(),
            ..QualityWindow::default()
        });
        profile.samples[0].outcome = Outcome::TooDeep;
        let mut closing = Closing {
            bytes: 1_234,
            ..Closing::default()
        };
        closing.count(&profile.take_delta(&mut crate::profile::Mark::default()));
        assert_eq!(
            closing.line(Path::new("x.trace")),
            "recorded 4 samples of 2 processes in 2.0 s (lost 20.00 %, incomplete stacks 25.00 %, own CPU 0.50 % of one) \
             → x.trace (1.2 kB)\n"
        );
    }

    #[test]
    fn a_loss_is_never_shown_as_none() {
        assert_eq!(percent(1, 1_000_000), "<0.01 %");
        assert_eq!(percent(0, 1_000_000), "0.00 %");
        assert_eq!(percent(0, 0), "0 %");
    }
}
