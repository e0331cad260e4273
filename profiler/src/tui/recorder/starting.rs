//! A recording begins and ends while one looks.

use std::path::Path;

use super::{Recorder, cut::Cut};
use crate::{
    profile::file::WriteError,
    query::{Selection, clean},
    tui::{app::App, chosen::Choice, keys::Action, naming::Naming, source::Source},
};

/// The name that is offered.
const OFFERED: &str = "top.trace";

impl App {
    /// Begins to type the name of a trace, or completes the one that is written.
    pub(in crate::tui) fn record(&mut self) {
        let Source::Live(history) = &mut self.source else {
            return self.say("this is a recording already");
        };
        if let Some(recorder) = history.set_recorder(None) {
            let said = recorder.finish();
            self.say(&clean(&said));
        } else if self.ended.is_some() || history.now().0.metadata.cpus == 0 {
            self.say("nothing is collected that could be recorded");
        } else {
            self.naming = Some((Naming::Trace, OFFERED.to_owned()));
        }
    }

    /// Begins to write what is selected now to a trace of this name.
    pub(in crate::tui) fn start_recording(&mut self, name: &str) {
        let choices: Vec<Choice> = self.chosen.iter().chain(self.part()).cloned().collect();
        let mut selection = Selection::default();
        choices.iter().for_each(|choice| choice.apply(&mut selection));
        let mut filters: Vec<String> = choices.iter().map(Choice::filter).collect();
        let what = match filters.is_empty() {
            true => "all".to_owned(),
            false => filters.join(", "),
        };
        let whole = coarser(&choices);
        filters.extend(whole.iter().map(|whole| (*whole).to_owned()));
        let stop = self.key(Action::Record);
        let Source::Live(history) = &mut self.source else {
            return;
        };
        let (profile, now_ns) = history.now();
        let cut = Cut::new(profile, now_ns, selection, filters);
        let said = match Recorder::create(Path::new(name), cut) {
            Ok(recorder) => {
                history.set_recorder(Some(recorder));
                let whole = whole.map_or(String::new(), |whole| format!("; {whole}"));
                format!("recording {what} to {name}{whole}; {stop} stops")
            }
            Err(error) => match error.downcast_ref::<WriteError>() {
                Some(error) => error.to_typist(),
                None => format!("{error:#}"),
            },
        };
        let line = said.lines().next().unwrap_or_default();
        self.say(&clean(line));
    }

    /// Completes the trace that is written, if one is. What comes back is to be said.
    pub(in crate::tui) fn finish_recording(&mut self) -> Option<String> {
        let Source::Live(history) = &mut self.source else {
            return None;
        };
        let said = history.set_recorder(None)?.finish();
        Some(clean(&said).into_owned())
    }
}

/// What of the trace is about more than what was chosen, since it is not known so finely.
fn coarser(choices: &[Choice]) -> Option<&'static str> {
    if choices.iter().any(Choice::is_code) {
        Some("times of threads and counts of calls are whole")
    } else if choices.iter().any(|choice| matches!(choice, Choice::Thread(..))) {
        Some("counts of calls are those of the process")
    } else {
        None
    }
}
