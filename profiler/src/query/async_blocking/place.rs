//! Where in an async runtime a stack is: in the poll of a task, or elsewhere.

use super::{
    path::path,
    role::{Role, role},
};
use crate::{
    profile::{Id, Location, Profile, Stack},
    query::frame::{Frame, frames},
};

/// A frame of a location: the location, and how many calls inlined there are within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameId {
    location: Id<Location>,
    index: u32,
}

impl FrameId {
    /// The frames at a location, innermost first.
    pub fn all(
        profile: &Profile,
        location: Id<Location>,
    ) -> impl DoubleEndedIterator<Item = (Self, Frame<'_>)> {
        let frames = frames(profile, location).enumerate();
        frames.map(move |(index, frame)| {
            let index = index as u32;
            (Self { location, index }, frame)
        })
    }

    fn of(self, profile: &Profile) -> Frame<'_> {
        frames(profile, self.location)
            .nth(self.index as usize)
            .expect("the frame was met at this location")
    }

    /// What a person calls the function; its path where it has one. Raw.
    pub fn name(self, profile: &Profile) -> String {
        let frame = self.of(profile);
        path(&frame).map_or_else(|| frame.label().into_owned(), |path| path.join("::"))
    }
}

/// Where in an async runtime a stack is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Where it may block: in no runtime at all, or in a part of it that is made for it.
    #[default]
    Outside,
    /// A worker that looks for something to do; `true`: outside of tasks it polls the future it was started with.
    Worker(bool),
    /// A worker that has nothing to do.
    Parked,
    /// A worker in the poll of a task.
    Poll(Poll),
}

/// The poll of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// The outermost function of the program: the task.
    pub task: Option<FrameId>,
    /// The innermost function of the program.
    pub user: Option<FrameId>,
    /// The function of a library that it called.
    pub operation: Option<FrameId>,
    /// Whether the runtime is within the innermost function of the program, so that what happens is the runtime's.
    pub(super) in_runtime: bool,
}

impl Poll {
    /// Whether what happens there is the program's own doing.
    pub(super) fn is_own(self) -> bool {
        self.user.is_some() && !self.in_runtime
    }

    fn user(&mut self, frame: FrameId, whole: bool, names_task: bool) {
        // A closure that was inlined has no name of its own.
        if whole || self.user.is_none() {
            self.user = Some(frame);
        }
        if names_task && self.task.is_none() {
            self.task = Some(frame);
        }
        (self.operation, self.in_runtime) = (None, false);
    }
}

/// Where every stack of a profile is. Callers come before callees: one pass.
pub(super) fn places(profile: &Profile) -> Vec<Place> {
    let mut known: Vec<Option<Vec<Step>>> = vec![None; profile.locations.len()];
    let mut places: Vec<Place> = Vec::with_capacity(profile.stacks.len());
    for &Stack { caller, location } in profile.stacks.since(0) {
        let mut place = caller.map_or(Place::Outside, |caller| places[caller.index()]);
        let steps = known[location.index()].get_or_insert_with(|| steps(profile, location));
        steps.iter().for_each(|step| place.enter(*step));
        places.push(place);
    }
    places
}

/// A call from one function to another.
#[derive(Clone, Copy, Debug)]
struct Step {
    frame: FrameId,
    role: Option<Role>,
    /// Whether it is a function with a name of its own, and not a closure.
    whole: bool,
}

/// The calls at a location, outermost first. `None` is code without a path: C in a process, and the kernel, which
/// begins nothing.
fn steps(profile: &Profile, location: Id<Location>) -> Vec<Step> {
    let frames = FrameId::all(profile, location).rev();
    let frames = frames.filter(|(_, frame)| !frame.kernel);
    frames
        .map(|(id, frame)| {
            let path = path(&frame);
            Step {
                frame: id,
                role: path.as_deref().map(role),
                whole: !frame.function.is_some_and(|name| name.starts_with('{')),
            }
        })
        .collect()
}

impl Place {
    fn enter(&mut self, Step { frame, role, whole }: Step) {
        match (role, &mut *self) {
            (Some(Role::MayBlock), _) => *self = Self::Outside,
            (Some(Role::Worker), _) => *self = Self::Worker(false),
            (Some(Role::RootWorker), _) => *self = Self::Worker(true),
            (Some(Role::Poll), Self::Worker(_) | Self::Parked) => *self = Self::Poll(Poll::default()),
            (Some(Role::Park), Self::Worker(_) | Self::Poll(_)) => *self = Self::Parked,
            (Some(Role::User | Role::Wrapper), Self::Worker(true)) => {
                let mut poll = Poll::default();
                poll.user(frame, whole, role == Some(Role::User));
                *self = Self::Poll(poll);
            }
            (Some(Role::User | Role::Wrapper), Self::Poll(poll)) => {
                poll.user(frame, whole, role == Some(Role::User));
            }
            (Some(Role::Runtime | Role::Poll), Self::Poll(poll)) => poll.in_runtime = true,
            (Some(Role::Library) | None, Self::Poll(poll)) if poll.is_own() => {
                poll.operation = poll.operation.or(Some(frame));
            }
            _ => {}
        }
    }
}
