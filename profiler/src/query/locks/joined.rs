//! The whole stack of a wait, of which the two sides may have been walked at different times.

use super::CallStacks;
use crate::profile::{Id, Location, LockWait, Profile, Stack};

/// A stack in one piece or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Joined {
    /// The innermost frames.
    pub inner: Option<Id<Stack>>,
    /// Those that called them: of a wait for a lock of the kernel, the user stack of the system call.
    pub outer: Option<Id<Stack>>,
}

impl Joined {
    /// The stack of `wait`.
    pub fn of(profile: &Profile, calls: &CallStacks<'_>, wait: &LockWait) -> Self {
        let inner = wait.stack;
        let kernel_only = || {
            let mut locations = inner
                .into_iter()
                .flat_map(|stack| profile.stacks.locations(stack));
            locations.all(|location| profile.mapping_of(location).is_kernel())
        };
        let outer = match wait.contention.is_futex() {
            false if kernel_only() => calls.at(wait.thread, wait.end_ns).and_then(|call| call.stack),
            _ => None,
        };
        Self { inner, outer }
    }

    /// Its locations, innermost first.
    pub fn locations(self, profile: &Profile) -> impl Iterator<Item = Id<Location>> + '_ {
        let parts = [self.inner, self.outer].into_iter().flatten();
        parts.flat_map(|stack| profile.stacks.locations(stack))
    }
}
