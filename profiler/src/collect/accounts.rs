//! Running totals of threads → what is new in them.

use profiler_common::state::State;
use rustc_hash::FxHashMap;

use super::event::RawThread;

/// What was told of each thread so far, by thread id.
#[derive(Debug, Default)]
pub struct Accounts(FxHashMap<u32, Told>);

#[derive(Clone, Copy, Debug)]
struct Told {
    begun: u64,
    until: u64,
    ns: [u64; State::COUNT],
    in_calls_ns: u64,
    waits: u32,
    preemptions: u32,
}

/// What a thread did since it was last told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When that was, or when accounting began (`CLOCK_MONOTONIC`, nanoseconds).
    pub start: u64,
    /// Nanoseconds in each state.
    pub ns: [u64; State::COUNT],
    /// Nanoseconds it ran in system calls, where those are recorded.
    pub in_calls_ns: u64,
    /// How often it left the CPU to wait.
    pub waits: u32,
    /// How often it was taken off the CPU though it could have gone on.
    pub preemptions: u32,
}

impl Accounts {
    /// What is new in the totals of a thread at `time`; `None` if nothing is. Of a thread that ended nothing is kept.
    pub fn span(&mut self, time: u64, raw: &RawThread) -> Option<Span> {
        let told = match self.0.get(&raw.tid) {
            Some(told) if told.begun == raw.begun => *told,
            // A thread that is new, or an earlier one's number used again.
            _ => Told {
                begun: raw.begun,
                until: raw.begun,
                ns: [0; State::COUNT],
                in_calls_ns: 0,
                waits: 0,
                preemptions: 0,
            },
        };
        if raw.ended {
            self.0.remove(&raw.tid);
        }
        if time <= told.until {
            return None;
        }
        if !raw.ended {
            let RawThread {
                pid: _,
                tid,
                begun,
                ns,
                waits,
                preemptions,
                ended: _,
                call: _,
                state: _,
                state_since: _,
                in_calls_ns,
            } = *raw;
            let until = time;
            self.0.insert(
                tid,
                Told {
                    begun,
                    until,
                    ns,
                    in_calls_ns,
                    waits,
                    preemptions,
                },
            );
        }
        let mut ns = raw.ns;
        for (ns, told) in ns.iter_mut().zip(told.ns) {
            // The state it is in may turn out to be another: a wait whose end nobody saw is unknown in hindsight.
            *ns = ns.saturating_sub(told);
        }
        // Then what was told before is not told again.
        let twice = ns.iter().sum::<u64>().saturating_sub(time - told.until);
        let unknown = &mut ns[State::Unknown as usize];
        *unknown = unknown.saturating_sub(twice);
        Some(Span {
            start: told.until,
            ns,
            in_calls_ns: raw.in_calls_ns.saturating_sub(told.in_calls_ns),
            waits: raw.waits.wrapping_sub(told.waits),
            preemptions: raw.preemptions.wrapping_sub(told.preemptions),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(begun: u64, running: u64, disk: u64) -> RawThread {
        let mut ns = [0; State::COUNT];
        (ns[State::Running as usize], ns[State::Disk as usize]) = (running, disk);
        RawThread {
            state: 0,
            state_since: 0,
            in_calls_ns: 0,
            pid: 7,
            tid: 8,
            begun,
            ns,
            waits: 0,
            preemptions: 0,
            ended: false,
            call: None,
        }
    }

    fn spent(span: Option<Span>) -> Option<(u64, u64, u64)> {
        let span = span?;
        Some((
            span.start,
            span.ns[State::Running as usize],
            span.ns[State::Disk as usize],
        ))
    }

    /// Nanoseconds go from one enumeration to the other by their place.
    #[test]
    fn the_profile_has_the_kernel_sides_states() {
        let names = State::ALL.map(|state| format!("{state:?}"));
        assert_eq!(
            names,
            crate::profile::State::ALL.map(|state| format!("{state:?}"))
        );
        for (at, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, at);
        }
    }

    #[test]
    fn spans_follow_each_other() {
        let mut accounts = Accounts::default();
        assert_eq!(spent(accounts.span(200, &raw(100, 60, 40))), Some((100, 60, 40)));
        assert_eq!(spent(accounts.span(300, &raw(100, 60, 140))), Some((200, 0, 100)));
        assert_eq!(accounts.span(300, &raw(100, 60, 140)), None);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_thread() {
        let mut accounts = Accounts::default();
        accounts.span(200, &raw(100, 100, 0));
        assert_eq!(spent(accounts.span(400, &raw(300, 100, 0))), Some((300, 100, 0)));
        accounts.span(
            500,
            &RawThread {
                ended: true,
                ..raw(300, 200, 0)
            },
        );
        assert!(accounts.0.is_empty());
    }

    #[test]
    fn a_wait_that_was_told_and_turns_out_to_be_unknown_counts_once() {
        let mut accounts = Accounts::default();
        accounts.span(200, &raw(100, 0, 100));
        let mut unknown = raw(100, 30, 0);
        unknown.ns[State::Unknown as usize] = 170;
        let span = accounts.span(300, &unknown).unwrap();
        assert_eq!(span.ns[State::Running as usize], 30);
        assert_eq!(span.ns[State::Unknown as usize], 70);
    }
}
