//! Where the picture comes from: what happens now, or a recording.

use std::{borrow::Cow, ops::Range};

use super::{
    history::{History, Window},
    recorder::Recorder,
    replay::Replay,
};
use crate::profile::{Delta, ExtendError, LockWait, Profile, QualityWindow, Sample, ThreadTime};

/// Where the picture comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// What a feed sends.
    Live(Box<History>),
    /// What was recorded.
    Recording(Box<Replay>),
}

impl Source {
    /// The profile of what is shown, with all tables. [`Self::time`] says which part of it.
    pub(super) fn shown(&self) -> &Profile {
        match self {
            Self::Live(history) => history.shown(),
            Self::Recording(replay) => replay.profile(),
        }
    }

    /// Begin and end of what is shown, in nanoseconds since the recording began.
    pub(super) fn shown_ns(&self) -> Range<u64> {
        match self {
            Self::Live(history) => history.shown_ns(),
            Self::Recording(replay) => replay.shown_ns(),
        }
    }

    /// The part of [`Self::shown`] that is shown, if it is not all of it.
    pub(super) fn time(&self) -> Option<Range<u64>> {
        match self {
            Self::Live(_) => None,
            Self::Recording(replay) => replay.time(),
        }
    }

    /// Shows `window`, as far as it is known now.
    pub(super) fn show(&mut self, window: Window) {
        match self {
            Self::Live(history) => history.show(window),
            Self::Recording(replay) => replay.show(window),
        }
    }

    /// Shows everything from `start_ns` on, as far as it is kept. A recording has all of it.
    pub(super) fn show_from(&mut self, start_ns: u64) {
        if let Self::Live(history) = self {
            history.show_from(start_ns);
        }
    }

    /// All samples that are kept one by one, whatever is shown, and from when to when that is.
    pub(super) fn kept(&self) -> (Box<dyn Iterator<Item = &Sample> + '_>, Range<u64>) {
        match self {
            Self::Live(history) => (Box::new(history.kept()), history.kept_ns()),
            Self::Recording(replay) => (Box::new(replay.profile().samples.iter()), 0..replay.end_ns()),
        }
    }

    /// What is kept of the quality, whatever is shown.
    pub(super) fn quality(&self) -> Box<dyn Iterator<Item = &QualityWindow> + '_> {
        match self {
            Self::Live(history) => Box::new(history.quality()),
            Self::Recording(replay) => Box::new(replay.profile().quality.iter()),
        }
    }

    /// What is kept of how threads spent their time, whatever is shown.
    pub(super) fn thread_times(&self) -> Box<dyn Iterator<Item = &ThreadTime> + '_> {
        match self {
            Self::Live(history) => Box::new(history.thread_times()),
            Self::Recording(replay) => Box::new(replay.profile().thread_times.iter()),
        }
    }

    /// What is kept of waits for locks, whatever is shown.
    pub(super) fn lock_waits(&self) -> Cow<'_, [LockWait]> {
        match self {
            Self::Live(history) => history.lock_waits().copied().collect(),
            Self::Recording(replay) => Cow::Borrowed(&replay.profile().lock_waits),
        }
    }

    /// What is new; a recording has nothing new. What comes back is why a trace cannot be written any more, once.
    ///
    /// # Errors
    /// If the delta refers to a row that the feed never sent.
    pub(super) fn absorb(&mut self, delta: Delta) -> Result<Option<String>, ExtendError> {
        let Self::Live(history) = self else {
            return Ok(None);
        };
        let failed = |history: &History| history.recorder().and_then(|it| it.failure().map(str::to_owned));
        let before = failed(history);
        history.absorb(delta)?;
        Ok(failed(history).filter(|_| before.is_none()))
    }

    /// The feed begins its tables anew.
    pub(super) fn restart(&mut self) {
        if let Self::Live(history) = self {
            history.restart();
        }
    }

    /// What writes what happens now to a trace, if something does.
    pub(super) fn recorder(&self) -> Option<&Recorder> {
        match self {
            Self::Live(history) => history.recorder(),
            Self::Recording(_) => None,
        }
    }

    /// The recording, if it is one.
    pub(super) fn replay(&self) -> Option<&Replay> {
        match self {
            Self::Live(_) => None,
            Self::Recording(replay) => Some(replay),
        }
    }

    /// The recording, to be moved about in.
    pub(super) fn replay_mut(&mut self) -> Option<&mut Replay> {
        match self {
            Self::Live(_) => None,
            Self::Recording(replay) => Some(replay),
        }
    }
}
