//! What each wait was for: the same lock of many objects, such as one in every connection, is one.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Class, Function, Library, Mode, place::Places, values::Values};
use crate::{
    profile::{Id, Lock, LockWait, Mapping, Process, Profile},
    query::frame::module,
};

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) kernel: bool,
    pub(super) class: Class,
    pub(super) identity: Identity,
}

/// What makes locks one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Identity {
    /// They are the same static variable of a module.
    Static(Id<Mapping>, u64),
    /// They are many in one static variable of a module, such as an array.
    Array(Id<Mapping>, u64),
    /// They have a name, in programs of this file.
    Name(String, String),
    /// They are used by a function, in programs of this file.
    User(String, Option<Function>),
}

/// What a wait was, as far as can be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// The number of its subject.
    pub(super) subject: usize,
    pub(super) mode: Mode,
}

/// All subjects, and the one of each wait.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    pub(super) subjects: Vec<Subject>,
    /// Of each subject, what a person calls it; raw.
    pub(super) labels: Vec<String>,
    pub(super) libraries: Vec<Library>,
    /// Of each of the waits, in their order.
    pub(super) waits: Vec<Judged>,
}

/// What votes were cast for, by what they weigh.
type Votes<T> = FxHashMap<T, f64>;

fn winner<T: Copy + Ord>(votes: &Votes<T>) -> Option<T> {
    let most = votes
        .iter()
        .max_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| b.cmp(a)));
    most.map(|(winner, _)| *winner)
}

impl Subjects {
    /// Those of `waits`, which belong to the profile whether it holds them now or not.
    pub(super) fn new(profile: &Profile, waits: &[LockWait], places: &mut Places<'_>) -> Self {
        let classes = classes(profile, waits, places);
        let arrays = arrays(profile);
        // Of each lock of each class, which function uses it most and what it is called.
        let mut objects: FxHashMap<(Id<Lock>, Class), Object> = FxHashMap::default();
        let mut functions: Vec<Function> = Vec::new();
        let mut numbers: FxHashMap<Function, usize> = FxHashMap::default();
        for (wait, &(class, _, library)) in waits.iter().zip(&classes) {
            let object = objects.entry((wait.lock, class)).or_insert_with(|| Object {
                process: profile.threads[wait.thread].process,
                ..Object::default()
            });
            let weight = wait.weight_ns().max(1.0);
            *object.libraries.entry(library).or_default() += weight;
            let Some(stack) = wait.stack else { continue };
            let place = match wait.contention.is_futex() {
                true => places.futex(stack),
                false => places.kernel(stack, wait.contention),
            };
            if let Some(name) = place.name {
                *object.names.entry(name).or_default() += weight;
            }
            if let Some(user) = &place.user {
                let number = *numbers.entry(user.clone()).or_insert_with(|| {
                    functions.push(user.clone());
                    functions.len() - 1
                });
                *object.users.entry(number).or_default() += weight;
            }
        }
        let mut all = Self::default();
        let mut known: FxHashMap<Subject, usize> = FxHashMap::default();
        let mut of_object: FxHashMap<(Id<Lock>, Class), usize> = FxHashMap::default();
        for (wait, &(class, mode, _)) in waits.iter().zip(&classes) {
            let key = (wait.lock, class);
            let subject = *of_object.entry(key).or_insert_with(|| {
                let object = &objects[&key];
                let kernel = !wait.contention.is_futex();
                let subject = Subject {
                    kernel,
                    class,
                    identity: object.identity(
                        profile,
                        &profile.locks[wait.lock],
                        kernel,
                        &functions,
                        &arrays,
                    ),
                };
                *known.entry(subject.clone()).or_insert_with(|| {
                    all.labels.push(subject.label(profile, &profile.locks[wait.lock]));
                    all.libraries.push(winner(&object.libraries).unwrap_or_default());
                    all.subjects.push(subject);
                    all.subjects.len() - 1
                })
            });
            all.waits.push(Judged { subject, mode });
        }
        all
    }
}

/// A variable with more locks than this is an array of them; one with fewer may be a structure of several.
const STRUCTURE: usize = 8;

/// The variables that have many locks in them, by module and address.
fn arrays(profile: &Profile) -> FxHashSet<(Id<Mapping>, u64)> {
    let mut locks: FxHashMap<(Id<Mapping>, u64), FxHashSet<u64>> = FxHashMap::default();
    for lock in profile.locks.since(0) {
        if let Some((mapping, address)) = lock.place
            && !lock.name.is_empty()
        {
            let offset = symbol(&lock.name).1;
            locks
                .entry((mapping, address.saturating_sub(offset)))
                .or_default()
                .insert(offset);
        }
    }
    locks.retain(|_, offsets| offsets.len() > STRUCTURE);
    locks.into_keys().collect()
}

/// A variable's symbol and the offset into it, of `symbol+0x10`.
fn symbol(name: &str) -> (&str, u64) {
    let parted = name.rsplit_once("+0x");
    let offset = parted.and_then(|(symbol, offset)| Some((symbol, u64::from_str_radix(offset, 16).ok()?)));
    offset.unwrap_or((name, 0))
}

/// What each wait is for: by its frames; else by those of other waits for that lock; else by operation and value.
fn classes(profile: &Profile, waits: &[LockWait], places: &mut Places<'_>) -> Vec<(Class, Mode, Library)> {
    let values = Values::new(profile, waits);
    let mut votes: FxHashMap<Id<Lock>, Votes<(Class, Library)>> = FxHashMap::default();
    let mut told: Vec<Option<(Class, Mode, Library)>> = Vec::with_capacity(waits.len());
    for wait in waits {
        let found = by_frames(wait, places, &values);
        if let Some((class, _, library)) = found {
            let votes = votes.entry(wait.lock).or_default();
            *votes.entry((class, library)).or_default() += wait.weight_ns().max(1.0);
        }
        told.push(found);
    }
    let judged = waits.iter().zip(told).map(|(wait, found)| {
        found
            .or_else(|| {
                let most = votes.get(&wait.lock).and_then(winner);
                let (class, library) = most.or_else(|| values.class(wait))?;
                Some((class, Mode::Any, library))
            })
            .unwrap_or_default()
    });
    judged.collect()
}

fn by_frames(wait: &LockWait, places: &mut Places<'_>, values: &Values) -> Option<(Class, Mode, Library)> {
    if !wait.contention.is_futex() {
        let (class, mode) = Class::of_kernel(wait.contention);
        return Some((class, mode, Library::Kernel));
    }
    let found = places.futex(wait.stack?).class?;
    // A thread that was woken from a condition variable of a stripped glibc needs its mutex again.
    let again = found.0 == Class::Condition
        && found.2 == Library::Glibc
        && wait.contention == crate::profile::Contention::FutexWait
        && wait.value == 2
        && values.only_locked(wait.lock);
    Some(if again {
        (Class::Mutex, Mode::Any, found.2)
    } else {
        found
    })
}

/// What is known of one lock.
#[derive(Debug)]
struct Object {
    process: Id<Process>,
    names: Votes<&'static str>,
    users: Votes<usize>,
    libraries: Votes<Library>,
}

impl Default for Object {
    fn default() -> Self {
        Self {
            process: Id::new(0),
            names: Votes::default(),
            users: Votes::default(),
            libraries: Votes::default(),
        }
    }
}

impl Object {
    fn identity(
        &self,
        profile: &Profile,
        lock: &Lock,
        kernel: bool,
        functions: &[Function],
        arrays: &FxHashSet<(Id<Mapping>, u64)>,
    ) -> Identity {
        // Of the kernel's locks, the name is that of the kind, and the place that of one of many per-CPU variables.
        if kernel {
            let name = match lock.name.as_str() {
                "" => winner(&self.names).unwrap_or_default(),
                name => name,
            };
            return match name {
                "" => Identity::User(String::new(), self.user(functions)),
                name => Identity::Name(String::new(), name.to_owned()),
            };
        }
        if let Some((mapping, address)) = lock.place {
            let variable = (mapping, address - symbol(&lock.name).1.min(address));
            return match arrays.contains(&variable) {
                true => Identity::Array(mapping, variable.1),
                false => Identity::Static(mapping, address),
            };
        }
        let process = &profile.processes[lock.process.unwrap_or(self.process)];
        let image = match process.exe.as_str() {
            "" => process.name.clone(),
            exe => exe.to_owned(),
        };
        match lock.name.as_str() {
            "" => Identity::User(image, self.user(functions)),
            name => Identity::Name(image, name.to_owned()),
        }
    }

    fn user(&self, functions: &[Function]) -> Option<Function> {
        winner(&self.users).map(|number| functions[number].clone())
    }
}

impl Subject {
    /// What a person calls it; raw.
    fn label(&self, profile: &Profile, lock: &Lock) -> String {
        let class = self.class.name();
        match &self.identity {
            Identity::Static(mapping, address) => match lock.name.as_str() {
                "" => format!("{class} {}+{address:#x}", module(&profile.mappings[*mapping])),
                name => format!("{class} {name}"),
            },
            Identity::Array(..) => format!("{class} {}[]", symbol(&lock.name).0),
            Identity::Name(_, name) => format!("{class} {name}"),
            Identity::User(_, Some(user)) => format!("{class} in {}", user.label),
            Identity::User(_, None) => format!("{class}, used by unknown code"),
        }
    }
}
