//! Slow calls as samples, so that all that draws or exports samples can draw and export them.

use super::{
    operation::{is_call, object, operation},
    sampled::{self, CALL_MODULE, SLOW},
};
use crate::profile::{Outcome, Profile, Sample, SlowEvent};

/// Adds a sample of type `slow_call` for each of the profile's slow calls that is `wanted`: its value is how long the call
/// took, in nanoseconds, and the innermost frame of its stack is the call. They are those that were told one by one, and
/// not all calls.
pub fn add(profile: &mut Profile, wanted: impl Fn(&SlowEvent) -> bool) {
    let Some(sample_type) = sampled::made(profile, SLOW) else {
        return;
    };
    let events = profile.slow.iter();
    let events = events.filter(|event| is_call(event.operation) && wanted(event));
    let samples: Vec<_> = events
        .map(|event| {
            let mut label = operation(event.operation).into_owned();
            let object = object(event.object);
            if !object.is_empty() {
                label = format!("{label} {object}");
            }
            let sample = Sample {
                time_ns: event.end_ns,
                thread: event.thread,
                stack: event.stack,
                sample_type,
                outcome: match event.stack {
                    None => Outcome::NoUserStack,
                    Some(_) => event.outcome,
                },
                cpu: 0,
                value: event.duration_ns,
                waker: event.waker,
            };
            (sample, label)
        })
        .collect();
    for (sample, label) in samples {
        let call = sampled::location(profile, CALL_MODULE, label);
        let mut locations: Vec<_> = sample
            .stack
            .into_iter()
            .flat_map(|stack| profile.stacks.locations(stack))
            .collect();
        locations.reverse();
        let stack = profile.stacks.intern(locations.into_iter().chain([call]));
        profile.samples.push(Sample { stack, ..sample });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{Waker, folded::from_folded},
        query::{Sampled, Selection, functions, slow::tests::event},
    };

    #[test]
    fn a_slow_call_is_a_sample_that_weighs_what_it_took() {
        let mut profile = from_folded("app/7;main;read 1\nother/9;main 1");
        let stack = profile.samples[0].stack;
        profile.slow = vec![
            SlowEvent {
                stack,
                ..event(0, 100, 300, Waker::Unknown)
            },
            event(1, 50, 300, Waker::Unknown),
        ];
        add(&mut profile, |event| event.thread.index() == 0);
        let selection = |time| Selection {
            time,
            sample_types: Sampled::Slow.sample_types(&profile).unwrap(),
            ..Selection::default()
        };
        let rows = |time| {
            let functions = functions(&profile, &selection(time));
            functions
                .rows
                .into_iter()
                .map(|row| (row.label, row.self_value, row.total_value))
                .collect::<Vec<_>>()
        };
        assert_eq!(Sampled::of(&profile, &selection(None)), Sampled::Slow);
        assert_eq!(
            rows(None),
            [
                ("read".into(), 200, 200),
                ("main".into(), 0, 200),
                ("read".into(), 0, 200)
            ]
        );
        assert_eq!(rows(Some(0..150))[0].1, 50);
    }
}
