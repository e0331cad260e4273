//! How a thread's time is divided among its states: a pure state machine, driven by the scheduler's hooks.
//!
//! Only the thread's own switches change it, one after the other. Who wakes the thread writes the time of that, nothing
//! else; what it means is worked out when the thread runs again. So no two CPUs ever write the same word, and it does
//! not matter that a wake-up may be seen before the switch that it answers: the waker's CPU does not wait for the
//! sleeper's.

use crate::{
    in_call::InCall,
    lock::LockWaiting,
    state::State,
    waits::Points,
    waker::{Wait, Waker},
};

/// The state of a thread that has ended: none.
const ENDED: u32 = u32::MAX;

/// The account of a thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Nanoseconds in each state, by its discriminant, up to `since`.
    ns: [u64; State::COUNT],
    /// When accounting began; 0: it did not.
    begun: u64,
    /// When the thread entered its state.
    since: u64,
    /// Nanoseconds it ran in system calls, up to its last switch or the end of its last call.
    in_calls: u64,
    /// When it last got a CPU.
    ran_at: u64,
    /// When somebody last woke it.
    woken_at: u64,
    /// Who that was.
    waker: Waker,
    /// A [`State`].
    state: u32,
    waits: u32,
    preemptions: u32,
    /// `waits + preemptions` when user space was last told.
    told: u32,
    /// Which of its waits are sampled.
    points: Points,
    /// A wait that is sampled when the thread leaves its system call.
    pub pending: Pending,
    /// The user stack that it left the CPU with, outside of system calls.
    pub outside: Outside,
    /// Its last wait.
    pub wait: Wait,
    /// The system call it is in.
    pub call: InCall,
    /// Its waits for locks.
    pub locks: LockWaiting,
}

/// A wait that was chosen for a sample, whose user stack is not known yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// What it weighs, in nanoseconds; 0: there is none.
    pub weight: u64,
    /// Hash of the kernel stack that waited.
    pub kernel_stack: u64,
    /// Who ended the wait. The thread may wait again before it leaves its call.
    pub waker: Waker,
}

/// The user stack of a thread that is off the CPU, but in no system call.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Its hash; 0: it was not taken.
    pub user_stack: u64,
    /// How the walk ended: a `stats::Outcome`.
    pub outcome: u32,
    /// How many frames it has.
    pub frames: u32,
}

/// What an account says at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// When accounting began.
    pub begun: u64,
    /// Nanoseconds in each state since then.
    pub ns: [u64; State::COUNT],
    /// Nanoseconds it ran in system calls.
    pub in_calls_ns: u64,
    /// How often the thread left the CPU to wait.
    pub waits: u32,
    /// How often it was taken off the CPU though it could have gone on.
    pub preemptions: u32,
    /// What it does now: a [`State`].
    pub state: u32,
    /// Since when.
    pub since: u64,
}

impl Account {
    /// Begins at `now` with a thread that is in `state`. An account that has begun is left alone.
    #[inline(always)]
    pub fn begin(&mut self, now: u64, state: State) {
        if self.begun == 0 {
            self.begun = now;
            self.since = now;
            self.state = state as u32;
        }
    }

    /// The thread leaves its CPU at `now`, and is then in `state`.
    #[inline(always)]
    pub fn leaves(&mut self, now: u64, state: State) {
        let was_running = self.state == State::Running as u32;
        let was = if was_running {
            State::Running
        } else {
            State::Unknown
        };
        self.add(was as u32, now.wrapping_sub(self.since));
        self.in_calls = self.in_calls.wrapping_add(self.runs_in_call(now));
        self.outside.user_stack = 0;
        self.since = now;
        self.state = state as u32;
        if state as u32 == State::Runnable as u32 {
            self.preemptions = self.preemptions.wrapping_add(1);
        } else {
            self.waits = self.waits.wrapping_add(1);
        }
    }

    /// The thread leaves its CPU at `now` for good. Returns its totals, the last there are: its parent may leave it a
    /// zombie for long, and that is nobody's time.
    #[inline(always)]
    pub fn ends(&mut self, now: u64) -> Totals {
        let totals = self.tell(now);
        (self.ns, self.in_calls) = (totals.ns, totals.in_calls_ns);
        (self.since, self.state) = (now, ENDED);
        totals
    }

    /// How long the thread has been off the CPU at `now`, in nanoseconds; 0 if it is on one, or has ended.
    #[inline(always)]
    pub fn waits_since(&self, now: u64) -> u64 {
        if self.state == State::Running as u32 || self.has_ended() {
            return 0;
        }
        now.saturating_sub(self.since)
    }

    /// What the thread does: a [`State`].
    #[inline(always)]
    pub fn state(&self) -> u32 {
        self.state
    }

    /// Whether the thread has ended.
    #[inline(always)]
    pub fn has_ended(&self) -> bool {
        self.state == ENDED
    }

    /// The thread, which is on a CPU, ends its system call at `now`. To be called before [`InCall::leaves`].
    #[inline(always)]
    pub fn leaves_call(&mut self, now: u64) {
        self.in_calls = self.in_calls.wrapping_add(self.runs_in_call(now));
    }

    /// How long it has run at `now` in the system call that it is in, since it last got a CPU.
    #[inline(always)]
    fn runs_in_call(&self, now: u64) -> u64 {
        if self.state != State::Running as u32 {
            return 0;
        }
        match self.call.since() {
            0 => 0,
            call if call > self.since => now.saturating_sub(call),
            _ => now.saturating_sub(self.since),
        }
    }

    /// `waker` wakes the thread at `now`.
    #[inline(always)]
    pub fn wakes(&mut self, now: u64, waker: Waker) {
        self.woken_at = now;
        self.waker = waker;
    }

    /// When the thread was woken, how long it had been blocked then, in nanoseconds, and by whom; `None` if it was not woken
    /// at `now` or before.
    #[inline(always)]
    pub fn was_woken(&self, now: u64) -> Option<(u64, u64, Waker)> {
        let woken = self.woken(now)?;
        Some((woken, woken - self.since, self.waker))
    }

    /// The thread gets a CPU at `now`. Returns how long it was off, and how long of that it waited for one; `None` if
    /// that is not known.
    #[inline(always)]
    pub fn arrives(&mut self, now: u64) -> (u64, Option<u64>) {
        let all = now.wrapping_sub(self.since);
        let off = if self.state == State::Running as u32 {
            0
        } else {
            all
        };
        let (waited, woken, waker) = if self.state == State::Runnable as u32 {
            self.add(State::Runnable as u32, all);
            (Some(all), 0, Waker::NOBODY)
        } else if let Some(woken) = self.woken(now) {
            self.add(self.state, woken - self.since);
            self.add(State::Runnable as u32, now - woken);
            (Some(now - woken), woken, self.waker)
        } else {
            // It left a CPU unseen, or nobody was seen to wake it.
            self.add(State::Unknown as u32, all);
            (None, 0, Waker::UNKNOWN)
        };
        if off > 0 {
            self.wait = Wait {
                end: now,
                ns: off,
                woken,
                waker,
                kernel_stack: 0,
            };
        }
        self.since = now;
        self.ran_at = now;
        self.state = State::Running as u32;
        (off, waited)
    }

    /// What the wait of `off` nanoseconds that just ended weighs as a sample; mostly nothing.
    #[inline(always)]
    pub fn weigh(&mut self, off: u64, random: u32) -> u64 {
        self.points.weigh(off, random)
    }

    /// When a blocked thread was woken from this wait.
    #[inline(always)]
    fn woken(&self, now: u64) -> Option<u64> {
        let woken = self.woken_at;
        if self.state <= State::Runnable as u32 || woken <= self.ran_at || woken > now {
            return None;
        }
        Some(if woken > self.since { woken } else { self.since })
    }

    #[inline(always)]
    fn add(&mut self, state: u32, ns: u64) {
        add(&mut self.ns, state, ns);
    }

    /// Whether user space knows all that follows from switches.
    #[inline(always)]
    pub fn is_told(&self) -> bool {
        self.state != State::Running as u32 && self.told == self.waits.wrapping_add(self.preemptions)
    }

    /// What to tell user space at `now`: the state that the thread is in counts up to then.
    #[inline(always)]
    pub fn tell(&mut self, now: u64) -> Totals {
        self.told = self.waits.wrapping_add(self.preemptions);
        let mut totals = Totals {
            begun: self.begun,
            ns: self.ns,
            in_calls_ns: self.in_calls.wrapping_add(self.runs_in_call(now)),
            waits: self.waits,
            preemptions: self.preemptions,
            state: self.state,
            since: self.since,
        };
        // Another CPU may have switched it since `now` was read.
        if now > self.since {
            let woken = match self.woken(now) {
                Some(woken) => woken,
                None => now,
            };
            add(&mut totals.ns, self.state, woken - self.since);
            add(&mut totals.ns, State::Runnable as u32, now - woken);
        }
        totals
    }
}

#[inline(always)]
fn add(ns: &mut [u64; State::COUNT], state: u32, more: u64) {
    if let Some(ns) = ns.get_mut(state as usize) {
        *ns = ns.wrapping_add(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: Waker = Waker { tid: 8, pid: 7 };

    fn account(now: u64, state: State) -> Account {
        let mut account = Account::default();
        account.begin(now, state);
        account
    }

    /// The states that have time, at `now`; their sum is checked.
    fn spent(account: &mut Account, now: u64) -> Vec<(State, u64)> {
        let totals = account.tell(now);
        assert_eq!(totals.ns.iter().sum::<u64>(), now - totals.begun);
        let spent = State::ALL.into_iter().zip(totals.ns);
        spent.filter(|(_, ns)| *ns > 0).collect()
    }

    #[test]
    fn a_wait_ends_with_the_wake_up_and_the_rest_is_waiting_for_a_cpu() {
        let mut account = account(100, State::Running);
        account.leaves(150, State::Disk);
        assert_eq!(
            spent(&mut account, 180),
            [(State::Running, 50), (State::Disk, 30)]
        );
        account.wakes(200, BOB);
        let halfway = [(State::Running, 50), (State::Runnable, 5), (State::Disk, 50)];
        assert_eq!(spent(&mut account, 205), halfway);
        assert_eq!(account.arrives(210), (60, Some(10)));
        let after = [(State::Running, 60), (State::Runnable, 10), (State::Disk, 50)];
        assert_eq!(spent(&mut account, 220), after);
    }

    #[test]
    fn a_preempted_thread_is_runnable_all_the_time() {
        let mut account = account(100, State::Running);
        account.leaves(150, State::Runnable);
        // Woken while it runs or waits for a CPU: nothing changes.
        account.wakes(160, BOB);
        assert_eq!(account.arrives(190), (40, Some(40)));
        assert_eq!(
            spent(&mut account, 190),
            [(State::Running, 50), (State::Runnable, 40)]
        );
        assert_eq!((account.waits, account.preemptions), (0, 1));
    }

    #[test]
    fn a_wake_up_that_is_seen_before_the_switch_counts() {
        let mut account = account(100, State::Running);
        account.wakes(148, BOB);
        account.leaves(150, State::Lock);
        assert_eq!(account.arrives(160), (10, Some(10)));
        assert_eq!(
            spent(&mut account, 160),
            [(State::Running, 50), (State::Runnable, 10)]
        );
    }

    #[test]
    fn a_wait_knows_who_ended_it() {
        let mut account = account(100, State::Running);
        let ended_by = |account: &mut Account, now| {
            account.arrives(now);
            (account.wait.end, account.wait.ns, account.wait.waker)
        };
        account.leaves(150, State::Ipc);
        account.wakes(200, BOB);
        assert_eq!(ended_by(&mut account, 210), (210, 60, BOB));
        account.leaves(220, State::Runnable);
        assert_eq!(ended_by(&mut account, 230), (230, 10, Waker::NOBODY));
        // Nobody was seen to wake it, and Bob did so before.
        account.leaves(240, State::Ipc);
        assert_eq!(ended_by(&mut account, 250), (250, 10, Waker::UNKNOWN));
        // A missed switch is no wait.
        assert_eq!(ended_by(&mut account, 260), (250, 10, Waker::UNKNOWN));
    }

    #[test]
    fn a_wake_up_of_an_earlier_wait_does_not_count() {
        let mut account = account(100, State::Running);
        account.leaves(110, State::Lock);
        account.wakes(120, BOB);
        account.arrives(130);
        account.leaves(140, State::Sleep);
        let blocked = [
            (State::Running, 20),
            (State::Runnable, 10),
            (State::Lock, 10),
            (State::Sleep, 60),
        ];
        assert_eq!(spent(&mut account, 200), blocked);
        // The edge was missed: unknown, and no guess.
        assert_eq!(account.arrives(200).1, None);
        let missed = [
            (State::Running, 20),
            (State::Runnable, 10),
            (State::Lock, 10),
            (State::Unknown, 60),
        ];
        assert_eq!(spent(&mut account, 200), missed);
    }

    #[test]
    fn a_missed_switch_is_unknown_time() {
        let mut account = account(100, State::Running);
        account.arrives(150);
        account.leaves(160, State::Ipc);
        account.leaves(170, State::Ipc);
        let unknown = [(State::Running, 10), (State::Unknown, 60)];
        assert_eq!(spent(&mut account, 170), unknown);
    }

    #[test]
    fn the_account_of_a_thread_that_ended_is_closed() {
        let mut account = account(100, State::Running);
        assert!(!account.has_ended());
        let last = account.ends(150);
        assert_eq!(
            (last.ns.iter().sum::<u64>(), last.state),
            (50, State::Running as u32)
        );
        assert!(account.has_ended());
        assert_eq!(account.tell(900).ns, last.ns);
    }

    #[test]
    fn running_in_calls_is_told_apart() {
        let mut account = account(100, State::Running);
        let in_calls = |account: &mut Account, now| account.tell(now).in_calls_ns;
        account.call.enters(120, 0, false, 0);
        assert_eq!(in_calls(&mut account, 150), 30);
        account.leaves(160, State::Ipc);
        assert_eq!(in_calls(&mut account, 200), 40);
        account.wakes(210, BOB);
        account.arrives(220);
        assert_eq!(in_calls(&mut account, 225), 45);
        account.leaves_call(230);
        account.call.leaves(0);
        assert_eq!(in_calls(&mut account, 290), 50);
        // Preempted in user mode.
        account.leaves(300, State::Runnable);
        account.arrives(310);
        assert_eq!(in_calls(&mut account, 320), 50);
        // `exit` does not return.
        account.call.enters(330, 60, false, 0);
        assert_eq!(account.ends(340).in_calls_ns, 60);
        assert_eq!(in_calls(&mut account, 400), 60);
    }

    #[test]
    fn a_wait_that_goes_on_has_a_length() {
        let mut account = account(100, State::Running);
        assert_eq!(account.waits_since(150), 0);
        account.leaves(150, State::Ipc);
        assert_eq!((account.waits_since(190), account.waits_since(140)), (40, 0));
        account.ends(200);
        assert_eq!(account.waits_since(300), 0);
    }

    #[test]
    fn what_did_not_switch_need_not_be_told_again() {
        let mut account = account(100, State::Running);
        assert!(!account.is_told());
        account.leaves(150, State::Events);
        assert!(!account.is_told());
        account.tell(160);
        assert!(account.is_told());
        account.arrives(170);
        account.leaves(180, State::Events);
        assert!(!account.is_told());
    }

    #[test]
    fn totals_asked_for_before_the_last_switch_are_those_of_the_switch() {
        let mut account = account(100, State::Running);
        account.leaves(150, State::Disk);
        assert_eq!(account.tell(140).ns.iter().sum::<u64>(), 50);
    }
}
