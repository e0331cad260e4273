//! What is counted: by the key for it, or in stacks by the table that one comes from.

use super::{
    app::{App, Tab},
    told::{Of, Told},
    weights,
};
use crate::{profile::Profile, query::Sampled};

/// While stacks are of what the table counts that one came from: which that is, and what was counted before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    pub(super) from: Tab,
    before: Sampled,
}

/// What a table counts whose stacks are those of something else than the other tables'.
fn subject(tab: Tab) -> Option<Sampled> {
    match tab {
        Tab::Time => Some(Sampled::Wall),
        Tab::Calls => Some(Sampled::Slow),
        Tab::Locks => Some(Sampled::Lock),
        Tab::Overview | Tab::Functions | Tab::Processes | Tab::Stacks | Tab::Heat => None,
    }
}

impl App {
    /// The profile that samples are counted in: that of what is shown, or that of what is told one by one.
    pub(super) fn counted(&self) -> &Profile {
        match &self.told {
            Some(told) if told.sampled() == self.sampled => &told.profile,
            _ => self.source.shown(),
        }
    }

    /// Makes samples of what is told one by one, if that is counted and they are not known yet.
    pub(super) fn tell(&mut self) {
        let live = self.source.replay().is_none();
        let (time, cut) = match self.range.clone().or_else(|| self.source.time()) {
            // The map is of all of a recording.
            _ if self.tab == Tab::Heat && !live => (None, false),
            Some(time) => (Some(time), false),
            None if live => (Some(self.source.shown_ns()), true),
            None => (None, false),
        };
        let of = Of {
            sampled: self.sampled,
            time,
            cut,
            idle: self.idle,
        };
        if self.told.as_ref().is_some_and(|told| told.is_of(&of)) {
            return;
        }
        let told = Told::new(self.source.shown(), &of);
        if told.is_some() || self.told.is_some() {
            self.told = told;
            // What was added up has the numbers of other tables.
            self.ask_anew();
        }
    }

    /// From one kind of what can be counted to the next that there is.
    pub(super) fn next_weight(&mut self) {
        let profile = self.source.shown();
        let mut next = weights::next(self.sampled);
        let mut without_waits = false;
        while next != Sampled::Cpu && !weights::has(profile, next) {
            without_waits |= next == Sampled::OffCpu;
            next = weights::next(next);
        }
        if without_waits {
            self.say(self.why_no_waits());
        }
        if next == self.sampled {
            return;
        }
        self.sampled = next;
        if let Some(lent) = &mut self.lent {
            // It was asked for, and stays.
            lent.before = next;
        }
        self.flame.reset();
        self.ask_anew();
    }

    /// On the way to `tab`: stacks are of what the table counts that one comes from, and other tables of what they were.
    pub(super) fn follow(&mut self, tab: Tab) {
        if (self.tab == Tab::Stacks) == (tab == Tab::Stacks) {
            return;
        }
        let wanted = match (self.lent.take(), subject(self.tab)) {
            (Some(lent), _) => lent.before,
            (None, Some(subject)) => {
                self.lent = Some(Lent {
                    from: self.tab,
                    before: self.sampled,
                });
                match self.why_not(subject) {
                    None => subject,
                    Some(why) => {
                        let said = format!("{} only: {why}", self.sampled.time());
                        self.say(&said);
                        self.sampled
                    }
                }
            }
            (None, None) => return,
        };
        if wanted != self.sampled {
            self.sampled = wanted;
            self.flame.reset();
            self.ask_anew();
        }
    }

    /// Why there are no stacks of `subject`, if there can be none.
    fn why_not(&self, subject: Sampled) -> Option<&'static str> {
        match subject {
            Sampled::Lock => self.no_locks.map(|_| "waits for locks are not recorded"),
            Sampled::Slow => self.no_calls.map(|_| "slow calls are not recorded"),
            _ => (!weights::has(self.source.shown(), subject)).then(|| self.why_no_waits()),
        }
    }

    fn why_no_waits(&self) -> &'static str {
        match self.source.replay() {
            Some(_) => "stacks of waits were not recorded: `profiler record --probe cpu,off-cpu` does",
            None if self.off_cpu => "no wait was sampled yet, or taking their stacks was too dear",
            None => "stacks of waits are not taken: `profiler top --off-cpu` does",
        }
    }
}
