//! Keeps the cost of a recording within its bound: says which probe has to go.
//!
//! Samples are never dropped for cost, and nothing is counted in part: a probe is on, or it is off and the trace says for
//! how long.

use super::own_cost::Measured;
use crate::probes;

/// Probes that may be shed, the one that is most easily done without first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sheddable {
    /// System calls.
    Syscalls,
    /// Stacks of waits.
    OffCpu,
    /// Waits for locks.
    Locks,
    /// States of threads, and with them the others.
    States,
}

impl Sheddable {
    /// As users type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syscalls => "syscalls",
            Self::OffCpu => "off-cpu",
            Self::Locks => "lock",
            Self::States => "states",
        }
    }
}

/// Keeps the cost within its bound.
#[derive(Clone, Debug)]
pub struct Governor {
    /// Nanoseconds a second that all together may cost, on all CPUs; `None`: as they will.
    allowed: Option<f64>,
    /// What a system call costs, in nanoseconds.
    call_ns: f64,
    /// Calls up to the last look.
    calls: u64,
    /// How many windows there were.
    windows: u32,
}

/// What a system call is taken to cost until it is measured, in nanoseconds.
const CALL_NS: f64 = 400.0;
/// Windows at the start in which this program's own CPU time does not count: it reads the unwind information of all that
/// runs, once.
const WARM_UP: u32 = 5;
/// A probe that costs less than this share of the bound is not shed: it is not what costs.
const MATTERS: f64 = 0.3;

impl Governor {
    /// `percent` of the time of `cpus` CPUs is allowed.
    pub fn new(percent: Option<f64>, cpus: usize) -> Self {
        Self {
            allowed: percent.map(|percent| percent / 100.0 * 1e9 * cpus as f64),
            call_ns: CALL_NS,
            calls: 0,
            windows: 0,
        }
    }

    /// A quick look, many times a second: `calls` system calls were counted so far, the last ones in `ns` nanoseconds.
    pub fn look(&mut self, calls: u64, ns: u64) -> Option<Sheddable> {
        let new = calls.saturating_sub(self.calls);
        self.calls = calls;
        let cost = new as f64 * self.call_ns / (ns.max(1) as f64 / 1e9);
        (cost > self.allowed?).then_some(Sheddable::Syscalls)
    }

    /// A window has ended, in which this program used `own_ns` of CPU time in `ns`; the programs' run time was measured in
    /// part of it, or was not. `on` are the probes that may be shed, and `trial` the one of them that was put back, which goes
    /// before one that costs more.
    pub fn window(
        &mut self,
        ns: u64,
        own_ns: u64,
        measured: &Measured,
        on: &[Sheddable],
        trial: Option<Sheddable>,
    ) -> Option<Sheddable> {
        self.windows += 1;
        if measured.over_ns == 0 {
            return None;
        }
        let calls = |name: &str| {
            let run = measured.programs.iter().find(|run| run.name == name)?;
            (run.runs > 0).then(|| run.ns as f64 / run.runs as f64)
        };
        if let (Some(enter), Some(exit)) = (calls("calls_enter"), calls("calls_exit")) {
            self.call_ns = enter + exit;
        }
        let a_second = |run_ns: u64| run_ns as f64 / (measured.over_ns as f64 / 1e9);
        let own = match self.windows > WARM_UP {
            true => own_ns as f64 / (ns.max(1) as f64 / 1e9),
            false => 0.0,
        };
        let allowed = self.allowed?;
        if own + a_second(measured.run_ns()) <= allowed {
            return None;
        }
        // The stacks of waits are taken where calls end.
        let users = [Sheddable::Syscalls, Sheddable::OffCpu, Sheddable::Locks];
        let calls_are_for = users.into_iter().find(|probe| on.contains(probe));
        let cost = |probe: Sheddable| {
            let programs = measured.programs.iter();
            let of_probe = programs.filter(|run| {
                let mut pays = probes::of_program(&run.name);
                if pays == Some(Sheddable::Syscalls.name()) {
                    pays = calls_are_for.map(Sheddable::name);
                }
                pays == Some(probe.name())
            });
            a_second(of_probe.map(|run| run.ns).sum())
        };
        let dearest = on.iter().copied().max_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        let mut first = trial
            .filter(|trial| on.contains(trial))
            .into_iter()
            .chain(dearest);
        first.find(|probe| cost(*probe) > MATTERS * allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::own_cost::Run;

    const SECOND: u64 = 1_000_000_000;
    const ALL: [Sheddable; 2] = [Sheddable::Syscalls, Sheddable::States];

    fn measured(programs: &[(&str, u64, u64)]) -> Measured {
        let programs = programs.iter().map(|&(name, ns, runs)| Run {
            name: name.to_owned(),
            ns,
            runs,
        });
        Measured {
            over_ns: SECOND,
            programs: programs.collect(),
        }
    }

    #[test]
    fn a_storm_of_calls_is_seen_at_once() {
        // 3 % of 2 CPUs: 60 ms a second, 150,000 calls of 400 ns.
        let mut governor = Governor::new(Some(3.0), 2);
        assert_eq!(governor.look(7_000, SECOND / 20), None);
        assert_eq!(governor.look(15_000, SECOND / 20), Some(Sheddable::Syscalls));
        let mut unbounded = Governor::new(None, 2);
        assert_eq!(unbounded.look(1 << 40, 1), None);
    }

    #[test]
    fn what_calls_cost_is_learnt() {
        let mut governor = Governor::new(Some(3.0), 2);
        let cheap = measured(&[("calls_enter", 40_000, 1_000), ("calls_exit", 60_000, 1_000)]);
        assert_eq!(governor.window(SECOND, 0, &cheap, &ALL, None), None);
        // 100 ns each now.
        assert_eq!(governor.look(25_000, SECOND / 20), None);
        assert_eq!(governor.look(60_000, SECOND / 20), Some(Sheddable::Syscalls));
    }

    #[test]
    fn the_dearest_goes() {
        let mut governor = Governor::new(Some(3.0), 2);
        let costs = measured(&[
            ("calls_exit", 30_000_000, 9),
            ("states_switch", 40_000_000, 9),
            ("cpu", SECOND, 9),
        ]);
        assert_eq!(
            governor.window(SECOND, 0, &costs, &ALL, None),
            Some(Sheddable::States)
        );
        assert_eq!(
            governor.window(SECOND, 0, &costs, &[Sheddable::Syscalls], None),
            Some(Sheddable::Syscalls)
        );
        assert_eq!(
            governor.window(SECOND, 0, &costs, &[Sheddable::OffCpu], None),
            Some(Sheddable::OffCpu)
        );
        assert_eq!(governor.window(SECOND, 0, &costs, &[], None), None);
        // What was put back goes first, if it costs anything.
        let mut tried = |trial| governor.window(SECOND, 0, &costs, &ALL, Some(trial));
        assert_eq!(tried(Sheddable::Syscalls), Some(Sheddable::Syscalls));
        assert_eq!(tried(Sheddable::Locks), Some(Sheddable::States));
        assert_eq!(governor.window(SECOND, 0, &Measured::default(), &ALL, None), None);
    }

    #[test]
    fn own_time_counts_once_it_is_warm_and_nothing_cheap_is_shed_for_it() {
        let mut governor = Governor::new(Some(3.0), 2);
        let costs = measured(&[("calls_exit", 20_000_000, 9)]);
        let shed: Vec<_> = (0..7)
            .map(|_| governor.window(SECOND, 45_000_000, &costs, &ALL, None).is_some())
            .collect();
        assert_eq!(shed, [false, false, false, false, false, true, true]);
        let cheap = measured(&[("calls_exit", 15_000_000, 9)]);
        assert_eq!(governor.window(SECOND, SECOND, &cheap, &ALL, None), None);
    }
}
