//! How running threads divide their time into the program's code and the kernel's.
//!
//! In system calls it is measured, at their begins and ends. Outside of them the kernel works, too: it handles faults and
//! interrupts. No hook tells of these cheaply, so their part of the time outside of calls is that of the samples.

use crate::profile::{Id, Profile, Stack, State};

use super::{frames, states::StateTimes};

/// Time on a CPU, by who had it. User and kernel time add up to the time that threads ran.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Modes {
    /// Nanoseconds in system calls, and those of kernel threads: exact.
    pub calls_ns: u64,
    /// Nanoseconds in the kernel otherwise: faults, interrupts and, where calls were not recorded, calls. By samples.
    pub other_kernel_ns: u64,
    /// Nanoseconds in the program's own code: what is left.
    pub user_ns: u64,
    /// How far from the truth the two estimates may be, in nanoseconds: 95 % of the time it is less. As they add up to what
    /// is exact, what one has too much the other has too little. `None` where there was no sample to tell by.
    pub plus_minus_ns: Option<f64>,
}

impl Modes {
    /// Nanoseconds in the kernel.
    pub fn kernel_ns(&self) -> u64 {
        self.calls_ns.saturating_add(self.other_kernel_ns)
    }
}

/// What the thread did that a sample hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    User,
    /// In the kernel, but in no system call.
    Kernel,
    Call,
}

/// With what the kernel's part of a stack begins in a system call, outermost frame or the next: x86 (`arch/x86/entry`) and
/// arm64 (`arch/arm64/kernel/entry-common.c`).
const ENTRIES: [&str; 8] = [
    "entry_SYSCALL_64_after_hwframe",
    "do_syscall_64",
    "entry_SYSCALL_compat_after_hwframe",
    "do_fast_syscall_32",
    "do_int80_emulation",
    "do_int80_syscall_32",
    "el0_svc",
    "el0_svc_compat",
];

/// For each stack what a thread with it does.
pub(super) struct ModesOfStacks(Vec<Mode>);

impl ModesOfStacks {
    /// Callers come before callees: one pass.
    pub(super) fn of(profile: &Profile) -> Self {
        let locations: Vec<Mode> = profile
            .locations
            .iter()
            .map(|(id, _)| {
                let is_entry = || {
                    frames(profile, id)
                        .any(|frame| frame.function.is_some_and(|name| ENTRIES.contains(&name)))
                };
                match profile.mapping_of(id).is_kernel() {
                    false => Mode::User,
                    true if is_entry() => Mode::Call,
                    true => Mode::Kernel,
                }
            })
            .collect();
        let mut modes: Vec<Mode> = Vec::with_capacity(profile.stacks.len());
        for stack in profile.stacks.since(0) {
            let caller = stack.caller.map_or(Mode::User, |caller| modes[caller.index()]);
            modes.push(match (caller, locations[stack.location.index()]) {
                (Mode::User, own) => own,
                (Mode::Kernel, Mode::Call) => Mode::Call,
                (caller, _) => caller,
            });
        }
        Self(modes)
    }

    pub(super) fn at(&self, stack: Id<Stack>) -> Mode {
        self.0[stack.index()]
    }
}

/// What is known of the modes of some threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Nanoseconds in system calls, and those of kernel threads.
    pub calls_ns: u64,
    /// Nanoseconds that they ran in spans in which calls were recorded, but in no call.
    pub outside_ns: u64,
    /// Nanoseconds that they ran in spans in which calls were not recorded.
    pub anywhere_ns: u64,
    /// Samples in user mode, in the kernel outside of calls, and in calls.
    pub samples: [u64; 3],
}

impl Evidence {
    /// Threads ran as `times` say.
    pub(super) fn ran(&mut self, times: &StateTimes, is_kernel: bool) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        let running = times.of(State::Running);
        if is_kernel {
            return add(&mut self.calls_ns, running);
        }
        let divided = running.saturating_sub(times.not_divided_ns);
        add(&mut self.calls_ns, times.in_calls_ns);
        add(&mut self.outside_ns, divided.saturating_sub(times.in_calls_ns));
        add(&mut self.anywhere_ns, times.not_divided_ns);
    }

    pub(super) fn sampled(&mut self, mode: Mode) {
        self.samples[mode as usize] += 1;
    }

    pub(super) fn modes(&self) -> Modes {
        let [user, kernel, call] = self.samples;
        let (outside, outside_error) = estimate(self.outside_ns, kernel, user + kernel);
        let (anywhere, anywhere_error) = estimate(self.anywhere_ns, kernel + call, user + kernel + call);
        let other_kernel_ns = outside.saturating_add(anywhere);
        let rest = self.outside_ns.saturating_add(self.anywhere_ns);
        Modes {
            calls_ns: self.calls_ns,
            other_kernel_ns,
            user_ns: rest.saturating_sub(other_kernel_ns),
            plus_minus_ns: outside_error
                .zip(anywhere_error)
                .map(|(outside, anywhere)| outside + anywhere),
        }
    }
}

/// The part of `ns` that `hits` of `samples` stand for, and how far off it may be. Agresti and Coull (1998): two more hits
/// and two more misses, so that none of a few does not mean certainly none.
fn estimate(ns: u64, hits: u64, samples: u64) -> (u64, Option<f64>) {
    if ns == 0 {
        return (0, Some(0.0));
    }
    if samples == 0 {
        return (0, None);
    }
    let share = hits as f64 / samples as f64;
    let (more, all) = (hits as f64 + 2.0, samples as f64 + 4.0);
    let spread = 1.96 * (more / all * (1.0 - more / all) / all).sqrt();
    let shift = (more / all - share).abs();
    ((ns as f64 * share) as u64, Some(ns as f64 * (spread + shift)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    #[test]
    fn the_kernels_outermost_frames_say_whether_it_is_in_a_call() {
        let profile = from_folded(
            "app/7;main;work 1\n\
             app/7;main;entry_SYSCALL_64_after_hwframe_[k];do_syscall_64_[k];vfs_read_[k];asm_exc_page_fault_[k] 1\n\
             app/7;main;asm_exc_page_fault_[k];handle_mm_fault_[k] 1\n\
             app/7;main;do_syscall_64 1",
        );
        let modes = ModesOfStacks::of(&profile);
        let of_samples: Vec<Mode> = profile
            .samples
            .iter()
            .filter_map(|sample| sample.stack)
            .map(|stack| modes.at(stack))
            .collect();
        // A function of the program may have any name.
        assert_eq!(of_samples, [Mode::User, Mode::Call, Mode::Kernel, Mode::User]);
    }

    #[test]
    fn calls_are_exact_and_the_rest_is_as_sampled() {
        let mut evidence = Evidence {
            calls_ns: 700,
            outside_ns: 1_000,
            ..Evidence::default()
        };
        let modes = evidence.modes();
        assert_eq!(
            (modes.kernel_ns(), modes.user_ns, modes.plus_minus_ns),
            (700, 1_000, None)
        );
        (0..75).for_each(|_| evidence.sampled(Mode::User));
        (0..25).for_each(|_| evidence.sampled(Mode::Kernel));
        (0..99).for_each(|_| evidence.sampled(Mode::Call));
        let modes = evidence.modes();
        assert_eq!((modes.other_kernel_ns, modes.user_ns), (250, 750));
        // 1.96 √(0.25 · 0.75 / 100) = 8.5 %, and a little more for what chance may hide.
        let error = modes.plus_minus_ns.unwrap();
        assert!((80.0..110.0).contains(&error), "{error}");
        // Without calls, their samples count, too.
        evidence = Evidence {
            anywhere_ns: 1_990,
            calls_ns: 0,
            outside_ns: 0,
            ..evidence
        };
        let modes = evidence.modes();
        assert_eq!((modes.kernel_ns(), modes.user_ns), (1_240, 750));
    }

    #[test]
    fn nothing_out_of_a_few_is_not_certainly_nothing() {
        assert_eq!(estimate(0, 0, 0), (0, Some(0.0)));
        let (none, error) = estimate(1_000, 0, 10);
        assert!(none == 0 && error.unwrap() > 200.0, "{error:?}");
    }
}
