//! Waits for locks as samples, so that all that draws or exports samples can draw and export them.

use super::{CallStacks, Joined, Purpose, place::Places, purpose, subject::Subjects};
use crate::{
    profile::{
        Function, Id, Line, Location, Mapping, MappingKind, Outcome, Profile, Sample, SampleType, Stack, Unit,
    },
    query::sampled::LOCK,
};

/// The module of frames that are locks.
const MODULE: &str = "[lock]";

/// Adds a sample of type `lock` for each wait that is, or may be, contention: its value is the waiting time that it stands
/// for, in nanoseconds, and the innermost frame of its stack is the lock. Idle waits are left out: `off_cpu` has them.
pub fn add(profile: &mut Profile) {
    let samples = {
        let profile = &*profile;
        let mut places = Places::new(profile);
        let subjects = Subjects::new(profile, &profile.lock_waits, &mut places);
        let calls = CallStacks::new(profile);
        let waits = profile.lock_waits.iter().zip(&subjects.waits);
        let waits = waits.filter(|(_, judged)| purpose(&subjects.subjects[judged.subject]) != Purpose::Idle);
        waits
            .map(|(wait, judged)| {
                let mut locations: Vec<_> = Joined::of(profile, &calls, wait).locations(profile).collect();
                locations.reverse();
                (*wait, subjects.labels[judged.subject].clone(), locations)
            })
            .collect::<Vec<_>>()
    };
    let Some(sample_type) = sample_type(profile) else {
        return;
    };
    let mapping = profile.mappings.intern(Mapping {
        kind: MappingKind::FileOffset,
        path: MODULE.into(),
        build_id: Vec::new(),
    });
    for (wait, label, locations) in samples {
        let lock = location(profile, mapping, label);
        let stack: Option<Id<Stack>> = profile.stacks.intern(locations.into_iter().chain([lock]));
        profile.samples.push(Sample {
            time_ns: wait.end_ns,
            thread: wait.thread,
            stack,
            sample_type,
            outcome: match wait.stack {
                None => Outcome::NotInCall,
                Some(_) => wait.outcome,
            },
            cpu: 0,
            value: wait.weight_ns() as u64,
            waker: wait.waker,
        });
    }
}

fn sample_type(profile: &mut Profile) -> Option<u8> {
    let types = &mut profile.sample_types;
    let place = types
        .iter()
        .position(|kind| kind.name == LOCK)
        .unwrap_or_else(|| {
            types.push(SampleType {
                name: LOCK.into(),
                unit: Unit::Nanoseconds,
            });
            types.len() - 1
        });
    u8::try_from(place).ok()
}

/// The place that stands for a lock: its address is the number of its name.
fn location(profile: &mut Profile, mapping: Id<Mapping>, label: String) -> Id<Location> {
    let function = profile.functions.intern(Function {
        name: label,
        file: String::new(),
    });
    let location = profile.locations.intern(Location {
        mapping,
        address: function.raw().into(),
    });
    profile
        .lines
        .entry(location)
        .or_insert_with(|| vec![Line { function, line: 0 }]);
    location
}
