//! A recording, looked at as if it happened now.
//!
//! One moment of the recording counts as now; what is shown is the stretch of time before it, as live. Playing moves
//! the moment on. Nothing is copied: queries are asked about a part of the recording's profile.

use std::{ops::Range, time::Duration};

use super::history::Window;
use crate::profile::Profile;

/// How many times as fast as it happened.
const SPEEDS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0];
/// The speed to begin with.
const AS_IT_HAPPENED: usize = 3;
/// Of a window without an end, so many steps lead from end to end.
const STEPS: u64 = 10;
/// Into how many stretches of time the line is divided at most that shows where something was recorded.
const STRETCHES: usize = 512;
/// So many samples belong to a stretch on average, or it would show chance.
const ENOUGH: usize = 8;

/// A recording that was opened.
#[derive(Debug)]
pub struct Recording {
    /// What a person calls it: the path of its file.
    pub name: String,
    /// What was recorded.
    pub profile: Profile,
    /// What is wrong with it, in sentences.
    pub notes: Vec<String>,
}

/// A recording, and the moment of it that counts as now.
#[derive(Debug)]
pub(super) struct Replay {
    recording: Recording,
    end_ns: u64,
    /// The moment that counts as now.
    at_ns: u64,
    window: Window,
    playing: bool,
    speed: usize,
    activity: Vec<u64>,
}

impl Replay {
    /// At the end, from where all of it can be seen.
    pub(super) fn new(recording: Recording) -> Self {
        let end_ns = recording.profile.duration_ns();
        Self {
            activity: activity(&recording.profile, end_ns),
            recording,
            end_ns,
            at_ns: end_ns,
            window: Window::Start,
            playing: false,
            speed: AS_IT_HAPPENED,
        }
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.recording.profile
    }

    /// What a person calls the recording. Raw.
    pub(super) fn name(&self) -> &str {
        &self.recording.name
    }

    /// What is wrong with the recording. Raw.
    pub(super) fn notes(&self) -> &[String] {
        &self.recording.notes
    }

    /// How long the recording is, in nanoseconds.
    pub(super) fn end_ns(&self) -> u64 {
        self.end_ns
    }

    pub(super) fn is_playing(&self) -> bool {
        self.playing
    }

    /// How many times as fast as it happened.
    pub(super) fn speed(&self) -> f64 {
        SPEEDS[self.speed]
    }

    /// How much was sampled in each of many equal stretches of the whole recording.
    pub(super) fn activity(&self) -> &[u64] {
        &self.activity
    }

    pub(super) fn shown_ns(&self) -> Range<u64> {
        let start = match self.window {
            Window::Last(time) | Window::Decaying(time) => self.at_ns.saturating_sub(nanoseconds(time)),
            Window::Start => 0,
        };
        start..self.at_ns
    }

    /// What to ask queries about; `None`: everything.
    pub(super) fn time(&self) -> Option<Range<u64>> {
        let Range { start, end } = self.shown_ns();
        // What happened at the very end belongs to it.
        let end = if end >= self.end_ns { u64::MAX } else { end };
        (start > 0 || end < u64::MAX).then_some(start..end)
    }

    pub(super) fn show(&mut self, window: Window) {
        self.window = window;
    }

    /// Plays, or stops. At the end it begins anew.
    pub(super) fn play(&mut self) {
        self.playing = !self.playing;
        if self.playing && self.at_ns >= self.end_ns {
            self.at_ns = 0;
        }
    }

    /// So much time has passed. Whether the picture has to change.
    pub(super) fn advance(&mut self, elapsed: Duration) -> bool {
        if !self.playing {
            return false;
        }
        let step = elapsed.as_secs_f64() * self.speed() * 1e9;
        // A float beyond the range of u64 becomes its end.
        self.move_to(self.at_ns.saturating_add(step as u64));
        self.playing = self.at_ns < self.end_ns;
        true
    }

    /// So many windows forth, or back.
    pub(super) fn step(&mut self, windows: isize) {
        let window = match self.window {
            Window::Last(time) | Window::Decaying(time) => nanoseconds(time),
            Window::Start => (self.end_ns / STEPS).max(1),
        };
        let distance = window.saturating_mul(windows.unsigned_abs() as u64);
        self.playing = false;
        self.move_to(match windows < 0 {
            // The first window is whole.
            true => self.at_ns.saturating_sub(distance).max(window),
            false => self.at_ns.saturating_add(distance),
        });
    }

    /// To the first window.
    pub(super) fn rewind(&mut self) {
        self.step(isize::MIN);
    }

    /// To the end.
    pub(super) fn wind(&mut self) {
        self.playing = false;
        self.at_ns = self.end_ns;
    }

    /// Faster, or slower.
    pub(super) fn change_speed(&mut self, steps: isize) {
        self.speed = self.speed.saturating_add_signed(steps).min(SPEEDS.len() - 1);
    }

    fn move_to(&mut self, at_ns: u64) {
        self.at_ns = at_ns.min(self.end_ns);
    }
}

/// Windows to look through, with the one to begin with: none is longer than the recording, and all of it is shown at
/// first unless `wanted` says otherwise.
pub(super) fn windows(end_ns: u64, wanted: Window) -> (Vec<Window>, usize) {
    let shorter = |time: &Duration| nanoseconds(*time) < end_ns;
    let mut lengths: Vec<Duration> = [1, 10, 60].map(Duration::from_secs).to_vec();
    if let Window::Last(time) = wanted {
        lengths.push(time);
    }
    lengths.sort();
    lengths.dedup();
    let mut windows: Vec<Window> = lengths.into_iter().filter(shorter).map(Window::Last).collect();
    windows.push(Window::Start);
    let first = windows.iter().position(|window| *window == wanted);
    let first = first.unwrap_or(windows.len() - 1);
    (windows, first)
}

fn activity(profile: &Profile, end_ns: u64) -> Vec<u64> {
    let stretches = (profile.samples.len() / ENOUGH).clamp(1, STRETCHES);
    let mut activity = vec![0u64; stretches];
    let length = (end_ns / stretches as u64).saturating_add(1);
    for sample in &profile.samples {
        if let Some(stretch) = activity.get_mut((sample.time_ns / length) as usize) {
            *stretch = stretch.saturating_add(1);
        }
    }
    activity
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    const SECOND: u64 = 1_000_000_000;

    /// 60 s long.
    fn replay() -> Replay {
        Replay::new(Recording {
            name: "a.trace".into(),
            profile: from_folded("app;main 6000"),
            notes: Vec::new(),
        })
    }

    fn last(seconds: u64) -> Window {
        Window::Last(Duration::from_secs(seconds))
    }

    #[test]
    fn it_begins_with_all_of_it() {
        let replay = replay();
        assert_eq!((replay.time(), replay.shown_ns()), (None, 0..60 * SECOND));
        assert_eq!(
            windows(60 * SECOND, Window::Start),
            (vec![last(1), last(10), Window::Start], 2)
        );
        assert_eq!(windows(5 * SECOND, last(10)), (vec![last(1), Window::Start], 1));
        assert_eq!(windows(60 * SECOND, last(5)).1, 1);
    }

    #[test]
    fn a_step_is_a_window_and_stops_at_the_ends() {
        let mut replay = replay();
        replay.show(last(10));
        assert_eq!(replay.time(), Some(50 * SECOND..u64::MAX));
        replay.step(-1);
        assert_eq!(replay.time(), Some(40 * SECOND..50 * SECOND));
        replay.rewind();
        assert_eq!(replay.time(), Some(0..10 * SECOND));
        replay.step(-1);
        assert_eq!(replay.time(), Some(0..10 * SECOND));
        replay.step(99);
        assert_eq!(replay.shown_ns(), 50 * SECOND..60 * SECOND);
    }

    #[test]
    fn it_plays_at_its_speed_from_the_begin_to_the_end_and_stops() {
        let mut replay = replay();
        assert!(!replay.advance(Duration::from_secs(1)));
        replay.play();
        replay.change_speed(1);
        assert!(replay.advance(Duration::from_secs(4)));
        assert_eq!(replay.shown_ns(), 0..8 * SECOND);
        replay.change_speed(-99);
        replay.change_speed(99);
        assert!(replay.advance(Duration::from_secs(u64::MAX)));
        assert!(!replay.is_playing());
        assert_eq!(replay.time(), None);
    }

    #[test]
    fn an_empty_recording_and_one_that_claims_to_be_endless_are_no_trouble() {
        let recording = |profile| Recording {
            name: String::new(),
            profile,
            notes: Vec::new(),
        };
        let mut replay = Replay::new(recording(Profile::default()));
        replay.step(-1);
        replay.step(1);
        replay.play();
        replay.advance(Duration::from_secs(1));
        assert_eq!(replay.shown_ns(), 0..0);
        let mut endless = from_folded("app;main 2");
        endless.samples[1].time_ns = u64::MAX;
        let mut replay = Replay::new(recording(endless));
        replay.step(-3);
        assert!(replay.time().is_some());
    }
}
