//! Locks, waits for them and stacks of calls, with the ids of the profile.

use crate::profile::{CallStack, Id, Lock, LockWait, Thread};

use super::{Assembler, DAMAGED, Malformed, bounded};

impl Assembler {
    pub(super) fn locks(&mut self, first: u64, rows: Vec<Lock>) {
        self.locks.continue_at(first);
        for row in rows {
            let process = row.process.map(|process| self.process_of(process));
            let place = row.place.and_then(|(mapping, address)| {
                let mapping = self.mappings.get(mapping);
                self.oddities.dangling += usize::from(mapping.is_none());
                Some((mapping?, address))
            });
            let row = Lock {
                process,
                place,
                ..row
            };
            self.locks.push(self.profile.locks.intern(row));
        }
    }

    pub(super) fn lock_waits(&mut self, rows: Vec<LockWait>) -> Result<(), Malformed> {
        let sum = rows
            .iter()
            .flat_map(|row| [row.duration_ns, row.blocked_ns])
            .try_fold(self.lock_sum, u64::checked_add);
        self.lock_sum = bounded(sum)?;
        self.profile.lock_waits.reserve(rows.len());
        for row in rows {
            let thread = self.thread_of(row.thread);
            let row = LockWait {
                thread,
                lock: self.lock_of(&row, thread),
                owner: self.waker_of(row.owner),
                waker: self.waker_of(row.waker),
                stack: row.stack.map(|stack| self.stack_of(stack)),
                ..row
            };
            self.profile.lock_waits.push(row);
        }
        Ok(())
    }

    pub(super) fn call_stacks(&mut self, rows: Vec<CallStack>) {
        for row in rows {
            let row = CallStack {
                thread: self.thread_of(row.thread),
                stack: row.stack.map(|stack| self.stack_of(stack)),
                ..row
            };
            self.profile.call_stacks.push(row);
        }
    }

    /// The lock that `wait`, of this thread of the profile, is for; one that was lost is still the kernel's or the program's.
    fn lock_of(&mut self, wait: &LockWait, thread: Id<Thread>) -> Id<Lock> {
        self.locks.get(wait.lock).unwrap_or_else(|| {
            self.oddities.dangling += 1;
            let process = self.profile.threads[thread].process;
            self.profile.locks.intern(Lock {
                process: wait.contention.is_futex().then_some(process),
                address: 0,
                place: None,
                name: DAMAGED.into(),
            })
        })
    }
}
