//! One lock: who waited for it, and who held it.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    CallStacks, Class, Estimate, Held, Holder, Joined, Library, Meanwhile, Mode,
    call_stacks::ids,
    chains::Chains,
    holder::{Evidence, Holders, clipped, stretch, where_held, within, within_ns},
    meanwhile::Activity,
    place::Places,
    subject::Subjects,
};
use crate::{
    profile::{Contention, Id, LockWait, Outcome, Process, Profile, Stack, Thread},
    query::Selection,
};

/// One lock, or several that a person would call one.
#[derive(Clone, Debug)]
pub struct LockRow<'a> {
    /// What it is called, such as `mutex pool_lock` or `rw lock in app::Cache::get`; raw.
    pub label: String,
    /// Whether it is the kernel's.
    pub kernel: bool,
    /// What kind of lock it is.
    pub class: Class,
    /// Whose code waits for it.
    pub library: Library,
    /// Whose threads waited, by what they waited in all, most first.
    pub processes: Vec<Id<Process>>,
    /// How many locks at different addresses it is.
    pub objects: u64,
    /// Where it is, if it is one: the address.
    pub address: Option<u64>,
    /// In which ways it was waited for.
    pub contentions: Vec<Contention>,
    /// The waits.
    pub waits: Estimate,
    /// Those to read.
    pub read: Estimate,
    /// Those to write.
    pub write: Estimate,
    /// How long all threads of its processes lived, in nanoseconds, as far as it was measured; `None` for the kernel's locks.
    pub threads_ns: Option<u64>,
    /// Who waited, by where: longest in all first.
    pub waiters: Vec<Waiter>,
    /// Who held it, by thread and where: what cost others most is first.
    pub holders: Vec<Holder>,
    /// Of how many waits it is not known who held it, estimated.
    pub unheld_count: f64,
    /// How long those took in the selected time, in nanoseconds, estimated.
    pub unheld_ns: f64,
    /// Each of its waits.
    pub members: Vec<Member<'a>>,
    /// Its longest wait.
    pub longest: Link<'a>,
    /// What the holder waited for itself during the longest wait, what the holder of that did, and so on.
    pub chain: Vec<Link<'a>>,
}

/// A wait, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The wait.
    pub wait: &'a LockWait,
    /// Which of the row's waiters.
    pub waiter: usize,
    /// Which of the row's holders, if it is known who held the lock.
    pub holder: Option<usize>,
}

/// Threads that waited at one place.
#[derive(Clone, Debug)]
pub struct Waiter {
    /// Where.
    pub stack: Joined,
    /// How the walk of that stack ended, the first time.
    pub outcome: Outcome,
    /// How many of the stack's frames, from the innermost on, are the lock's own code.
    pub within: usize,
    /// How they wanted it.
    pub mode: Mode,
    /// The waits.
    pub waits: Estimate,
    /// How many threads.
    pub threads: u64,
    /// The one that waited longest in all.
    pub thread: Id<Thread>,
}

/// One wait, in a chain of them.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    /// The wait.
    pub wait: &'a LockWait,
    /// What its lock is called; raw.
    pub label: String,
    /// Where it was.
    pub stack: Joined,
    /// How many of the stack's frames, from the innermost on, are the lock's own code.
    pub within: usize,
    /// Who held the lock, if that is known.
    pub holder: Option<(Id<Thread>, Evidence)>,
}

/// A circle of threads, each of which waits for a lock that the next one holds. None of the waits had ended when the
/// recording did.
#[derive(Clone, Debug)]
pub struct Deadlock<'a> {
    /// The wait of each thread; the lock of each is held by the thread of the next, and that of the last by the first's.
    pub links: Vec<Link<'a>>,
}

/// How long the threads of each process lived, by its id, in nanoseconds.
pub(super) fn thread_ns(profile: &Profile, selection: &Selection) -> FxHashMap<u32, u64> {
    let mut all: FxHashMap<u32, u64> = FxHashMap::default();
    for span in &profile.thread_times {
        if selection.holds_middle(span.start_ns, span.end_ns) {
            let sum = all.entry(ids(profile, span.thread).0).or_default();
            *sum = sum.saturating_add(span.end_ns.saturating_sub(span.start_ns));
        }
    }
    all
}

/// All that rows are made of.
pub(super) struct Tables<'t, 'a> {
    pub(super) profile: &'a Profile,
    pub(super) subjects: &'t Subjects,
    pub(super) places: &'t mut Places<'a>,
    pub(super) calls: &'t CallStacks<'a>,
    pub(super) activity: &'t Activity<'a>,
    pub(super) chains: &'t Chains<'t>,
    pub(super) holders: &'t Holders<'t>,
    pub(super) thread_ns: FxHashMap<u32, u64>,
    /// What of the waits counts.
    pub(super) time: Option<Range<u64>>,
}

impl<'a> Tables<'_, 'a> {
    /// The row of subject `number` and of these of its waits, of which there is one at least.
    pub(super) fn row(&mut self, number: usize, waits: &[usize]) -> LockRow<'a> {
        let (profile, subjects) = (self.profile, self.subjects);
        let subject = &subjects.subjects[number];
        let all = &profile.lock_waits;
        let (mut sum, mut read, mut write) = (Estimate::default(), Estimate::default(), Estimate::default());
        let mut objects: FxHashSet<(Option<u32>, u64)> = FxHashSet::default();
        let mut processes: FxHashMap<Id<Process>, f64> = FxHashMap::default();
        let mut contentions = Vec::new();
        for &number in waits {
            let wait = &all[number];
            let within_ns = self.within_ns(wait);
            sum.add(wait, within_ns);
            match subjects.waits[number].mode {
                Mode::Any => {}
                Mode::Read => read.add(wait, within_ns),
                Mode::Write => write.add(wait, within_ns),
            }
            let lock = &profile.locks[wait.lock];
            let process = lock.process.map(|process| profile.processes[process].pid);
            objects.insert((process, lock.address));
            *processes.entry(profile.threads[wait.thread].process).or_default() +=
                wait.stands_for() * within_ns as f64;
            if !contentions.contains(&wait.contention) {
                contentions.push(wait.contention);
            }
        }
        contentions.sort_unstable();
        let mut processes: Vec<_> = processes.into_iter().collect();
        processes.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let processes: Vec<_> = processes.into_iter().map(|(process, _)| process).collect();
        let longest = waits
            .iter()
            .copied()
            .max_by_key(|&number| (all[number].duration_ns, number));
        let longest = longest.unwrap_or_default();
        let (waiters, of_waiters) = self.waiters(waits);
        let (holders, of_holders, unheld) = self.holders(waits);
        let whose = of_waiters.into_iter().zip(of_holders);
        let members = waits.iter().zip(whose).map(|(&number, (waiter, holder))| Member {
            wait: &all[number],
            waiter,
            holder,
        });
        LockRow {
            label: subjects.labels[number].clone(),
            kernel: subject.kernel,
            class: subject.class,
            library: subjects.libraries[number],
            objects: objects.len() as u64,
            address: (objects.len() == 1).then(|| profile.locks[all[longest].lock].address),
            contentions,
            waits: sum,
            read,
            write,
            threads_ns: (!subject.kernel).then(|| self.lived(&processes)).flatten(),
            processes,
            waiters,
            holders,
            unheld_count: unheld.count,
            unheld_ns: unheld.total_ns,
            members: members.collect(),
            longest: self.link(longest),
            chain: self
                .chains
                .of(longest)
                .into_iter()
                .map(|wait| self.link(wait))
                .collect(),
        }
    }

    /// Wait `number` as a link of a chain.
    pub(super) fn link(&mut self, number: usize) -> Link<'a> {
        let wait = &self.profile.lock_waits[number];
        Link {
            wait,
            label: self.subjects.labels[self.subjects.waits[number].subject].clone(),
            stack: Joined::of(self.profile, self.calls, wait),
            within: self.within(wait),
            holder: self.holders.of(number),
        }
    }

    fn within_ns(&self, wait: &LockWait) -> u64 {
        within_ns(wait, self.time.as_ref())
    }

    fn within(&mut self, wait: &LockWait) -> usize {
        match wait.stack {
            None => 0,
            Some(stack) if wait.contention.is_futex() => self.places.futex(stack).within,
            Some(stack) => self.places.kernel(stack, wait.contention).within,
        }
    }

    fn lived(&self, processes: &[Id<Process>]) -> Option<u64> {
        let mut pids: Vec<u32> = processes
            .iter()
            .map(|&process| self.profile.processes[process].pid)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        let known = pids.iter().filter_map(|pid| self.thread_ns.get(pid));
        let sum = known.fold(0u64, |sum, ns| sum.saturating_add(*ns));
        (sum > 0).then_some(sum)
    }

    /// Who waited, and which of these each wait is of.
    fn waiters(&mut self, waits: &[usize]) -> (Vec<Waiter>, Vec<usize>) {
        /// The waits, how long each thread waited, how many frames are the lock's own, and how the walk of the stack ended.
        type Sums = (Estimate, FxHashMap<Id<Thread>, f64>, usize, Outcome);
        let profile = self.profile;
        let mut places: FxHashMap<(Joined, Mode), Sums> = FxHashMap::default();
        let key = |number: usize| {
            let wait = &profile.lock_waits[number];
            (
                Joined::of(profile, self.calls, wait),
                self.subjects.waits[number].mode,
            )
        };
        let keys: Vec<_> = waits.iter().map(|&number| key(number)).collect();
        for (&number, &key) in waits.iter().zip(&keys) {
            let wait = &profile.lock_waits[number];
            let within = self.within(wait);
            let (sum, threads, ..) = places
                .entry(key)
                .or_insert_with(|| (Estimate::default(), FxHashMap::default(), within, wait.outcome));
            let within_ns = within_ns(wait, self.time.as_ref());
            sum.add(wait, within_ns);
            *threads.entry(wait.thread).or_default() += wait.stands_for() * within_ns as f64;
        }
        let mut waiters: Vec<_> = places
            .into_iter()
            .map(|((stack, mode), (waits, threads, within, outcome))| Waiter {
                stack,
                outcome,
                within,
                mode,
                waits,
                threads: threads.len() as u64,
                thread: most(&threads).unwrap_or(Id::new(0)),
            })
            .collect();
        waiters.sort_by(|a, b| {
            let sizes = b.waits.total_ns.total_cmp(&a.waits.total_ns);
            sizes.then_with(|| (a.stack, a.mode).cmp(&(b.stack, b.mode)))
        });
        let number = |(place, waiter): (usize, &Waiter)| ((waiter.stack, waiter.mode), place);
        let numbers: FxHashMap<_, _> = waiters.iter().enumerate().map(number).collect();
        (waiters, keys.iter().map(|key| numbers[key]).collect())
    }

    /// Who held it, which of these held it during each wait, and the waits of which that is not known.
    fn holders(&mut self, waits: &[usize]) -> (Vec<Holder>, Vec<Option<usize>>, Estimate) {
        let profile = self.profile;
        type Key = ((u32, u32), Evidence, Option<Id<Stack>>, Held);
        let mut holders: FxHashMap<Key, Holder> = FxHashMap::default();
        let mut unheld = Estimate::default();
        let mut keys: Vec<Option<Key>> = Vec::with_capacity(waits.len());
        for &number in waits {
            let wait = &profile.lock_waits[number];
            let Some((thread, evidence)) = self.holders.of(number) else {
                unheld.add(wait, self.within_ns(wait));
                keys.push(None);
                continue;
            };
            let (stack, held) = where_held(profile, number, thread, self.calls, self.activity, self.holders);
            let key = (ids(profile, thread), evidence, stack, held);
            keys.push(Some(key));
            let holder = holders.entry(key).or_insert_with(|| Holder {
                thread,
                evidence,
                stack,
                held,
                within: within(self.places, stack),
                count: 0.0,
                total_ns: 0.0,
                meanwhile: Meanwhile::default(),
            });
            holder.count += wait.stands_for();
            holder.total_ns += wait.stands_for() * self.within_ns(wait) as f64;
            let (start_ns, end_ns) = clipped(stretch(wait), self.time.as_ref());
            if start_ns <= end_ns {
                self.activity
                    .add(&mut holder.meanwhile, wait, thread, (start_ns, end_ns));
            }
        }
        let mut holders: Vec<_> = holders.into_iter().collect();
        holders.sort_by(|(a, x), (b, y)| y.total_ns.total_cmp(&x.total_ns).then_with(|| a.cmp(b)));
        let number = |(place, (key, _)): (usize, &(Key, Holder))| (*key, place);
        let numbers: FxHashMap<_, _> = holders.iter().enumerate().map(number).collect();
        let of = keys.into_iter().map(|key| key.map(|key| numbers[&key]));
        let of = of.collect();
        (
            holders.into_iter().map(|(_, holder)| holder).collect(),
            of,
            unheld,
        )
    }
}

fn most(threads: &FxHashMap<Id<Thread>, f64>) -> Option<Id<Thread>> {
    let most = threads
        .iter()
        .max_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| b.cmp(a)));
    most.map(|(thread, _)| *thread)
}
