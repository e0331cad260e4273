//! What is under the cursor with nothing left out: its whole name, and where it belongs. Tables cut names to what there is
//! room for.

use super::{
    app::{App, Tab},
    chosen::Choice,
    course::Course,
    keys::Action,
    overlay::{self, Fate},
};
use crate::{
    profile::{Mapping, Process, Profile},
    query::{Name, Sampled},
};

/// A name is in more files than these only where a program is many versions at once.
const FILES: usize = 4;
/// Parts of a course.
const PARTS: usize = 60;

/// What is under the cursor. All text is raw.
#[derive(Debug, Default)]
pub(super) struct Detail {
    /// The whole name.
    pub(super) title: String,
    /// What else is known, each under what it is.
    pub(super) facts: Vec<(&'static str, String)>,
    /// How the share of a function went.
    pub(super) course: Option<Course>,
    pub(super) scroll: usize,
}

impl App {
    /// Shows what is under the cursor with nothing left out.
    pub(super) fn show_detail(&mut self) {
        let choice = match self.choice() {
            Some(choice) => Some(choice),
            None => self.function().cloned().map(Choice::Function),
        };
        let Some(choice) = choice else {
            return self.say("nothing with a name is under the cursor");
        };
        let profile = self.source.shown();
        let mut detail = Detail {
            title: choice.words(),
            facts: facts(profile, &choice),
            ..Detail::default()
        };
        if let Choice::Function(name) = &choice {
            detail.course = self.course(name, PARTS);
        }
        // What has a row of its own is more than the process that it belongs to.
        let cursor = self.shown_list().cursor();
        if let (Tab::Locks, Some(row), Some(locks)) =
            (self.tab, self.lock_rows.get(cursor), &self.answers.locks)
        {
            let process = std::mem::replace(&mut detail.title, locks.rows[row.index].label.clone());
            detail.facts.insert(0, ("in", process));
        }
        self.detail = Some(detail);
    }

    /// How the share of a function went over all that is kept of the time.
    pub(super) fn course(&self, name: &Name, parts: usize) -> Option<Course> {
        let mut selection = self.selection();
        selection.time = None;
        let is_kept = matches!(self.sampled, Sampled::Cpu | Sampled::OffCpu | Sampled::Wall);
        if selection.asks_for_frames() || !is_kept {
            // Of what passes through one function, another has no share that could be told. And slow calls and waits for
            // locks are of what is shown alone.
            return None;
        }
        let (samples, time) = self.source.kept();
        Some(Course::of(
            self.source.shown(),
            &selection,
            name,
            samples,
            time,
            parts,
        ))
    }

    /// Does what a key means while a detail lies over the rest. Whether one does.
    pub(super) fn read_detail(&mut self, action: Action) -> bool {
        let Some(shown) = &mut self.detail else {
            return false;
        };
        match overlay::read(&mut shown.scroll, action, Action::Detail) {
            Fate::Quits => self.quit = true,
            Fate::Closes => self.detail = None,
            Fate::Stays => {}
        }
        true
    }
}

fn facts(profile: &Profile, choice: &Choice) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    match choice {
        Choice::Function(name) => {
            let is_its =
                |mapping: &&Mapping| mapping.name() == name.module && mapping.is_kernel() == name.kernel;
            for mapping in profile
                .mappings
                .iter()
                .map(|(_, mapping)| mapping)
                .filter(is_its)
                .take(FILES)
            {
                facts.push(("in", mapping.path.clone()));
                if !mapping.build_id.is_empty() {
                    let id: String = mapping
                        .build_id
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect();
                    facts.push(("build id", id));
                }
            }
            if facts.is_empty() {
                facts.push(("in", name.module.clone()));
            }
            if name.kernel {
                facts.push(("runs", "in the kernel".to_owned()));
            }
        }
        Choice::Process(pid, _) => {
            let process = profile.processes.iter().map(|(_, process)| process);
            // A process that executed another program has a row of each; the last is what it is now.
            if let Some(process) = process.filter(|process| process.pid == *pid).last() {
                facts.extend(of_process(process));
            }
        }
        Choice::Thread(tid, _) => {
            let thread = profile.threads.iter().map(|(_, thread)| thread);
            if let Some(thread) = thread.filter(|thread| thread.tid == *tid).last() {
                let process = &profile.processes[thread.process];
                facts.push(("of", format!("{} {}", process.name, process.pid)));
                facts.extend(of_process(process));
            }
        }
        Choice::Cgroup(_) | Choice::Unit(_) | Choice::Container(_) | Choice::Module(_) => {}
    }
    facts
}

fn of_process(process: &Process) -> Vec<(&'static str, String)> {
    let parent = match process.ppid {
        0 => String::new(),
        ppid => ppid.to_string(),
    };
    let all = [
        ("program", process.exe.clone()),
        ("parent", parent),
        ("cgroup", process.cgroup.clone()),
        ("unit", process.unit.clone()),
        ("container", process.container.clone()),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}
