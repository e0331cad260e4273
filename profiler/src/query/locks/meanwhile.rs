//! What a thread did while another waited for it.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::call_stacks::ids;
use crate::{
    profile::{Id, LockWait, Profile, Sample, SlowEvent, Stack, State, Thread, ThreadTime, Waker},
    query::{
        Sampled,
        figures::count,
        frames,
        operation::{is_call, operation},
        slow,
    },
};

/// Samples and spans of a thread that are looked at for one wait. A sampler takes a hundred samples a second, so more than
/// these lie within a wait of ten seconds or in a trace that somebody made up.
const MOST: usize = 1_000;
/// The smallest part of the waits for which a call is worth saying.
const WORTH_SAYING: f64 = 0.05;

/// What a thread was doing when it was sampled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// It was on a CPU, in this function.
    Cpu(String),
    /// It waited for a CPU.
    Runnable,
    /// It was blocked in this function.
    Blocked(String),
}

/// A call that a thread was in for long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LongCall {
    /// Its name.
    pub call: String,
    /// On which file or with which peer; empty if that is not known. Raw.
    pub on: String,
}

/// What a thread did while others waited for it, by its samples; where there is none, by the spans of time around. And by its
/// slow calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meanwhile {
    /// How many samples of the thread lie within the waits.
    pub samples: u64,
    doing: BTreeMap<Doing, f64>,
    states: [f64; State::COUNT],
    calls: BTreeMap<LongCall, f64>,
    /// How long the waits were.
    waited: f64,
}

impl Meanwhile {
    /// What it did, by samples, and which part of the sampled time that was; largest first.
    pub fn doing(&self) -> Vec<(&Doing, f64)> {
        let total: f64 = self.doing.values().sum();
        let mut parts: Vec<_> = self
            .doing
            .iter()
            .map(|(doing, part)| (doing, part / total.max(1.0)))
            .collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }

    /// The slow calls that it was in, other than for locks, and for which part of the waits at least; largest first. Calls are
    /// told of singly only if they are slow, and not all of those.
    pub fn calls(&self) -> Vec<(&LongCall, f64)> {
        let part = |ns: f64| (ns / self.waited.max(1.0)).min(1.0);
        let mut parts: Vec<_> = self.calls.iter().map(|(call, ns)| (call, part(*ns))).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }

    /// What it did in a sentence, the `most` largest parts of it; `None` if nothing is known. `share` writes a part of 1, and
    /// `name` the name of a function or a file.
    pub fn sentence(
        &self,
        most: usize,
        share: impl Fn(f64) -> String,
        name: impl Fn(&str) -> String,
    ) -> Option<String> {
        let calls = self.calls().into_iter().filter(|(_, part)| *part >= WORTH_SAYING);
        let calls = calls.take(most).map(|(call, part)| match call.on.as_str() {
            "" => format!("{} in {}", share(part), call.call),
            on => format!("{} in {} on {}", share(part), call.call, name(on)),
        });
        let calls: Vec<String> = calls.collect();
        let others = self.by_samples_or_states(most, share, name);
        match (calls.is_empty(), others) {
            (true, others) => others,
            (false, None) => Some(format!("meanwhile at least {}", calls.join(", "))),
            (false, Some(others)) => Some(format!("{others}; at least {}", calls.join(", "))),
        }
    }

    fn by_samples_or_states(
        &self,
        most: usize,
        share: impl Fn(f64) -> String,
        function: impl Fn(&str) -> String,
    ) -> Option<String> {
        let doing = self.doing().into_iter().take(most).map(|(doing, part)| {
            let what = match doing {
                Doing::Cpu(name) => format!("on a CPU in {}", function(name)),
                Doing::Runnable => "waiting for a CPU".to_owned(),
                Doing::Blocked(name) => format!("blocked in {}", function(name)),
            };
            format!("{} {what}", share(part))
        });
        let doing: Vec<String> = doing.collect();
        if !doing.is_empty() {
            let samples = match self.samples {
                1 => "1 sample".to_owned(),
                many => format!("{} samples", count(many)),
            };
            return Some(format!("meanwhile {} ({samples})", doing.join(", ")));
        }
        let states = self.states().into_iter().take(most);
        let states: Vec<String> = states
            .map(|(state, part)| format!("{} {}", share(part), state.name().replace('_', " ")))
            .collect();
        (!states.is_empty()).then(|| format!("about that time {} (no sample)", states.join(", ")))
    }

    /// The states that it was in, measured over spans of time (of a second, mostly) that the waits lie in, and which part of
    /// them each was; largest first. It is exact for the spans, and no more than likely for the waits.
    pub fn states(&self) -> Vec<(State, f64)> {
        let total: f64 = self.states.iter().sum();
        let mut parts: Vec<_> = State::ALL
            .into_iter()
            .map(|state| (state, self.states[state as usize] / total.max(1.0)))
            .filter(|(_, part)| *part > 0.0)
            .collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }
}

/// The samples and spans of threads, found by the time.
#[derive(Debug)]
pub(super) struct Activity<'a> {
    profile: &'a Profile,
    off_cpu: Vec<u8>,
    /// By process and thread id, in the order of time.
    samples: FxHashMap<(u32, u32), Vec<&'a Sample>>,
    spans: FxHashMap<(u32, u32), Vec<&'a ThreadTime>>,
    /// In the order of their ends.
    slow: FxHashMap<(u32, u32), Vec<&'a SlowEvent>>,
}

impl<'a> Activity<'a> {
    /// Of those threads that had to do with a wait: who held what others waited for is one of them.
    pub(super) fn new(profile: &'a Profile) -> Self {
        let mut asked = vec![false; profile.threads.len()];
        let involved: FxHashSet<(u32, u32)> = profile
            .lock_waits
            .iter()
            .flat_map(|wait| [Waker::Thread(wait.thread), wait.waker, wait.owner])
            .filter_map(|waker| match waker {
                Waker::Thread(thread) => Some(ids(profile, thread)),
                _ => None,
            })
            .collect();
        for (thread, asked) in (0..).map(Id::new).zip(&mut asked) {
            *asked = involved.contains(&ids(profile, thread));
        }
        let asked = |thread: Id<Thread>| asked[thread.index()];
        let on_cpu = Sampled::Cpu.sample_types(profile).unwrap_or_default();
        let off_cpu = Sampled::OffCpu.sample_types(profile).unwrap_or_default();
        let mut samples: FxHashMap<(u32, u32), Vec<&Sample>> = FxHashMap::default();
        for sample in &profile.samples {
            if asked(sample.thread)
                && (on_cpu.contains(&sample.sample_type) || off_cpu.contains(&sample.sample_type))
            {
                samples
                    .entry(ids(profile, sample.thread))
                    .or_default()
                    .push(sample);
            }
        }
        for samples in samples.values_mut() {
            samples.sort_by_key(|sample| sample.time_ns);
        }
        let mut spans: FxHashMap<(u32, u32), Vec<&ThreadTime>> = FxHashMap::default();
        for span in profile.thread_times.iter().filter(|span| asked(span.thread)) {
            spans.entry(ids(profile, span.thread)).or_default().push(span);
        }
        for spans in spans.values_mut() {
            spans.sort_by_key(|span| span.end_ns);
        }
        let mut slow: FxHashMap<(u32, u32), Vec<&SlowEvent>> = FxHashMap::default();
        for event in &profile.slow {
            // Who waits for a lock itself is another link of the chain.
            if asked(event.thread) && is_call(event.operation) && operation(event.operation) != "futex" {
                slow.entry(ids(profile, event.thread)).or_default().push(event);
            }
        }
        for slow in slow.values_mut() {
            slow.sort_by_key(|event| event.end_ns);
        }
        Self {
            profile,
            off_cpu,
            samples,
            spans,
            slow,
        }
    }

    fn within(
        &self,
        thread: Id<Thread>,
        start_ns: u64,
        end_ns: u64,
    ) -> impl Iterator<Item = &'a Sample> + '_ {
        let samples = self
            .samples
            .get(&ids(self.profile, thread))
            .map_or(&[][..], Vec::as_slice);
        let first = samples.partition_point(|sample| sample.time_ns < start_ns);
        let samples = samples[first..].iter().copied().take(MOST);
        samples.take_while(move |sample| sample.time_ns <= end_ns)
    }

    /// Where a thread was sampled most in a stretch of time.
    pub(super) fn stack(&self, thread: Id<Thread>, start_ns: u64, end_ns: u64) -> Option<Id<Stack>> {
        let mut stacks: FxHashMap<Id<Stack>, u64> = FxHashMap::default();
        for sample in self.within(thread, start_ns, end_ns) {
            let Some(stack) = sample.stack else { continue };
            let sum = stacks.entry(stack).or_default();
            *sum = sum.saturating_add(sample.value);
        }
        let most = stacks.into_iter().max_by_key(|&(stack, value)| (value, stack));
        most.map(|(stack, _)| stack)
    }

    /// Adds what `thread` did from `start_ns` to `end_ns`, during `wait`.
    pub(super) fn add(
        &self,
        sum: &mut Meanwhile,
        wait: &LockWait,
        thread: Id<Thread>,
        (start_ns, end_ns): (u64, u64),
    ) {
        let weight = wait.stands_for();
        for sample in self.within(thread, start_ns, end_ns) {
            sum.samples += 1;
            *sum.doing.entry(self.doing(sample)).or_default() += weight * sample.value as f64;
        }
        sum.waited += weight * end_ns.saturating_sub(start_ns) as f64;
        let slow = self
            .slow
            .get(&ids(self.profile, thread))
            .map_or(&[][..], Vec::as_slice);
        let first = slow.partition_point(|event| event.end_ns <= start_ns);
        // A thread is in one call at a time: what ends later begins later.
        for event in slow[first..]
            .iter()
            .take(MOST)
            .take_while(|event| slow::start_ns(event) < end_ns)
        {
            let overlap = event
                .end_ns
                .min(end_ns)
                .saturating_sub(slow::start_ns(event).max(start_ns));
            *sum.calls.entry(self.call(event)).or_default() += weight * overlap as f64;
        }
        let spans = self
            .spans
            .get(&ids(self.profile, thread))
            .map_or(&[][..], Vec::as_slice);
        let first = spans.partition_point(|span| span.end_ns <= start_ns);
        for span in spans[first..]
            .iter()
            .take(MOST)
            .take_while(|span| span.start_ns < end_ns)
        {
            let overlap = span
                .end_ns
                .min(end_ns)
                .saturating_sub(span.start_ns.max(start_ns));
            let length = span.end_ns.saturating_sub(span.start_ns).max(1);
            let part = weight * overlap as f64 / length as f64;
            for (sum, ns) in sum.states.iter_mut().zip(span.ns) {
                *sum += part * ns as f64;
            }
        }
    }

    fn call(&self, event: &SlowEvent) -> LongCall {
        let on = event
            .target
            .map_or("", |target| self.profile.targets[target].0.as_str());
        LongCall {
            call: operation(event.operation).into_owned(),
            on: on.to_owned(),
        }
    }

    fn doing(&self, sample: &Sample) -> Doing {
        if !self.off_cpu.contains(&sample.sample_type) {
            return Doing::Cpu(self.function(sample.stack));
        }
        match sample.waker {
            Waker::Nobody => Doing::Runnable,
            _ => Doing::Blocked(self.function(sample.stack)),
        }
    }

    /// The innermost function of the program that has a name, or else of the kernel; raw.
    fn function(&self, stack: Option<Id<Stack>>) -> String {
        let Some(stack) = stack else {
            return "[no stack]".to_owned();
        };
        let locations = self.profile.stacks.locations(stack);
        let mut all = locations.flat_map(|location| frames(self.profile, location));
        let first = all.next();
        let named = first
            .into_iter()
            .chain(all)
            .find(|frame| !frame.kernel && frame.function.is_some());
        named
            .or(first)
            .map_or(String::new(), |frame| frame.label().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{
            Operation, Target,
            folded::{from_folded, with_waits},
        },
        query::{locks::tests::wait, slow::tests::event},
    };

    #[test]
    fn a_holder_did_what_its_samples_within_the_wait_say() {
        let mut profile = with_waits(
            from_folded("app/7;main;work 3\napp/7;main;before 1"),
            "app/7;main;libc.so.6`fdatasync;schedule_[k] 30\napp/7;main;work 10",
        );
        let millis = [10, 20, 30, 1, 60, 70];
        for (sample, at) in profile.samples.iter_mut().zip(millis) {
            sample.time_ns = at * 1_000_000;
        }
        profile.samples[5].waker = Waker::Nobody;
        let mut ns = [0; State::COUNT];
        (ns[State::Running as usize], ns[State::Disk as usize]) = (750_000_000, 250_000_000);
        let thread = profile.samples[0].thread;
        profile.thread_times.push(ThreadTime {
            thread,
            start_ns: 0,
            end_ns: 1_000_000_000,
            ns,
            waits: 1,
            preemptions: 0,
            in_calls_ns: None,
        });
        assert!(Activity::new(&profile).samples.is_empty(), "nobody waited");
        profile.lock_waits = vec![LockWait { thread, ..wait(0, 0) }];
        let activity = Activity::new(&profile);
        let mut sum = Meanwhile::default();
        activity.add(&mut sum, &wait(0, 0), thread, (5_000_000, 80_000_000));
        let doing = sum.doing();
        assert_eq!(sum.samples, 5);
        assert_eq!(*doing[0].0, Doing::Cpu("work".into()));
        assert_eq!(*doing[1].0, Doing::Blocked("fdatasync".into()));
        assert_eq!(
            (doing[2].0, (doing[2].1 * 100.0).round()),
            (&Doing::Runnable, 14.0)
        );
        assert_eq!(sum.states(), [(State::Running, 0.75), (State::Disk, 0.25)]);
        assert_eq!(activity.stack(thread, 0, 5_000_000), profile.samples[3].stack);
        assert_eq!(activity.stack(thread, 2_000_000, 5_000_000), None);
        let mut nothing = Meanwhile::default();
        activity.add(
            &mut nothing,
            &wait(0, 0),
            Id::new(0),
            (2_000_000_000, 3_000_000_000),
        );
        assert_eq!((nothing.doing(), nothing.states()), (vec![], vec![]));
    }

    #[test]
    fn the_slow_calls_of_a_holder_are_said_with_their_files() {
        let mut profile = from_folded("app/7;main;work 1");
        profile.samples.clear();
        profile.lock_waits = vec![wait(0, 0)];
        let log = profile.targets.intern(Target("/srv/app.log".into()));
        let futex = Operation::Call(202);
        let call = |operation, start_ms: u64, end_ms: u64| SlowEvent {
            operation,
            target: Some(log),
            end_ns: end_ms * 1_000_000,
            duration_ns: (end_ms - start_ms) * 1_000_000,
            ..event(0, 0, 0, Waker::Unknown)
        };
        // fdatasync is call 75. Of the first 10 ms lie within the wait, of the second all 20, of the third nothing.
        profile.slow = vec![
            call(Operation::Call(75), 0, 60),
            call(Operation::Call(75), 70, 90),
            call(Operation::Call(75), 100, 120),
            call(futex, 50, 100),
        ];
        let activity = Activity::new(&profile);
        let mut sum = Meanwhile::default();
        let thread = profile.slow[0].thread;
        activity.add(&mut sum, &wait(0, 0), thread, (50_000_000, 100_000_000));
        let share = |part: f64| format!("{:.0} %", part * 100.0);
        assert_eq!(
            sum.sentence(2, share, str::to_owned).unwrap(),
            "meanwhile at least 60 % in fdatasync on /srv/app.log"
        );
    }
}
