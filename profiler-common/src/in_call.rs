//! The system call that a thread is in.

/// The system call that a thread is in, as far as its begin was seen.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InCall {
    /// When it began, or when it was found running; 0: none.
    since: u64,
    /// Its number, or [`CHILD`].
    number: u16,
    /// `CALL_*`.
    flags: u8,
    /// What the descriptor was that it closes: an `ObjectKind`.
    closes: u8,
    /// The number of a call that the kernel will go on with under the number of `restart_syscall`; 0: none.
    restarts: u16,
    /// Calls whose ends were told one by one so far.
    told: u16,
}

/// The number was looked up in the table of 32-bit programs.
pub const CALL_COMPAT: u8 = 1;
/// The call ran when the thread was first seen.
pub const CALL_BEGUN_BEFORE: u8 = 2;

/// Stands for the call that made the thread: it returns twice, and its begin was its parent's.
const CHILD: u16 = u16::MAX;

/// `ERESTART_RESTARTBLOCK` (include/linux/errno.h): the call is interrupted, and `restart_syscall` goes on with it.
const RESTART_BLOCK: i64 = -516;
/// The numbers of `restart_syscall`: 64-bit and 32-bit.
const RESTART: u16 = 219;
const RESTART_COMPAT: u16 = 0;

/// A call that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When it began, or when it was found running.
    pub since: u64,
    /// Its number.
    pub number: u16,
    /// `CALL_*`.
    pub flags: u8,
    /// What the descriptor was that it closed: an `ObjectKind`.
    pub closes: u8,
}

impl InCall {
    /// The thread was just made: its first return is from no call of its own.
    #[inline(always)]
    pub fn is_child(&mut self) {
        self.number = CHILD;
    }

    /// The thread was found in call `number` at `now`.
    #[inline(always)]
    pub fn found(&mut self, now: u64, number: u16) {
        if self.since == 0 {
            (self.since, self.number, self.flags) = (now, number, CALL_BEGUN_BEFORE);
        }
    }

    /// The thread begins call `number` at `now`. `closes` is what it closes, if it does.
    #[inline(always)]
    pub fn enters(&mut self, now: u64, number: u16, compat: bool, closes: u8) {
        let restart = if compat { RESTART_COMPAT } else { RESTART };
        self.number = if number == restart && self.restarts != 0 {
            self.restarts
        } else {
            number
        };
        self.restarts = 0;
        self.since = now;
        self.flags = compat as u8;
        self.closes = closes;
    }

    /// The call returns `result`. `None` if its begin was not the thread's, or not seen.
    #[inline(always)]
    pub fn leaves(&mut self, result: i64) -> Option<Ended> {
        let Self {
            since,
            number,
            flags,
            closes,
            ..
        } = *self;
        self.since = 0;
        if number == CHILD {
            self.number = 0;
            return None;
        }
        if since == 0 {
            return None;
        }
        if result == RESTART_BLOCK {
            self.restarts = number;
        }
        Some(Ended {
            since,
            number,
            flags,
            closes,
        })
    }

    /// Nobody has followed the thread's calls: it may be in any.
    #[inline(always)]
    pub fn forget(&mut self) {
        (self.since, self.number, self.restarts) = (0, 0, 0);
    }

    /// When the call began that the thread is in, or when it was found in it; 0: it is in none, or that was not seen.
    #[inline(always)]
    pub fn since(&self) -> u64 {
        self.since
    }

    /// The call that the thread is in; `None` if it is in none, or its begin was not seen.
    #[inline(always)]
    pub fn now(&self) -> Option<Ended> {
        if self.since == 0 || self.number == CHILD {
            return None;
        }
        Some(Ended {
            since: self.since,
            number: self.number,
            flags: self.flags,
            closes: self.closes,
        })
    }

    /// Whether the end of a call is told by itself: those of a thread's first `limit` calls are.
    #[inline(always)]
    pub fn tells(&mut self, limit: u16) -> bool {
        if self.told >= limit {
            return false;
        }
        self.told += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_a_begin_and_an_end() {
        let mut call = InCall::default();
        assert_eq!((call.leaves(0), call.now()), (None, None));
        call.enters(10, 1, false, 0);
        let ended = Ended {
            since: 10,
            number: 1,
            flags: 0,
            closes: 0,
        };
        assert_eq!(
            (call.now(), call.leaves(5), call.leaves(5)),
            (Some(ended), Some(ended), None)
        );
    }

    #[test]
    fn the_return_of_a_child_is_no_call_of_its_own() {
        let mut call = InCall::default();
        call.is_child();
        assert_eq!((call.now(), call.leaves(0)), (None, None));
        call.enters(20, 0, false, 0);
        assert_eq!(call.leaves(0).map(|ended| ended.since), Some(20));
    }

    #[test]
    fn a_call_that_was_running_before_is_marked() {
        let mut call = InCall::default();
        call.found(5, 232);
        let before = call.leaves(1).unwrap();
        assert_eq!(
            (before.since, before.number, before.flags),
            (5, 232, CALL_BEGUN_BEFORE)
        );
        // One whose begin was seen is not found.
        call.enters(20, 0, false, 0);
        call.found(25, 0);
        assert_eq!(
            call.leaves(0).map(|ended| (ended.since, ended.flags)),
            Some((20, 0))
        );
    }

    #[test]
    fn a_restart_is_the_call_that_it_restarts() {
        for (restart, compat) in [(219, false), (0, true)] {
            let mut call = InCall::default();
            call.enters(10, 35, compat, 0);
            assert_eq!(call.leaves(RESTART_BLOCK).unwrap().number, 35);
            call.enters(20, restart, compat, 0);
            assert_eq!(call.leaves(0).unwrap().number, 35);
            call.enters(30, restart, compat, 0);
            assert_eq!(call.leaves(0).unwrap().number, restart);
        }
        // A signal's handler ran in between, and it did not go on.
        let mut call = InCall::default();
        call.enters(10, 35, false, 0);
        call.leaves(RESTART_BLOCK);
        call.enters(20, 15, false, 0);
        call.leaves(-4);
        call.enters(30, 219, false, 0);
        assert_eq!(call.leaves(0).unwrap().number, 219);
    }

    #[test]
    fn only_the_first_calls_are_told() {
        let mut call = InCall::default();
        let told = (0..5).filter(|_| call.tells(2)).count();
        assert_eq!(told, 2);
    }
}
