//! From facts to lines: what was found, what it means and what mends it. Nothing here looks at the host.

mod host;
mod privilege;
mod programs;
mod sampling;

use super::{Check, Facts};

/// Every line, in the order in which a person would mend them.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![host::kernel(facts), host::architecture(facts), host::types(facts)];
    checks.extend(privilege::all(facts));
    checks.extend(programs::all(facts));
    checks.extend(sampling::all(facts));
    checks.extend(host::surroundings(facts));
    checks
}

#[cfg(test)]
mod tests {
    use crate::collect::{
        kernel::{
            Check, Errno, Facts, Status, Ticks, bpf,
            check::can_record,
            checks, clock,
            privileges::{BPF, PERFMON, Privileges},
            settings::Settings,
        },
        perf_event::Clock,
    };

    /// A host on which everything works.
    pub(super) fn sound() -> Facts {
        Facts {
            release: "6.12.0-test".into(),
            machine: "x86_64".into(),
            btf: Ok(5_300_000),
            privileges: Privileges {
                uid: 0,
                effective: u64::MAX,
                seccomp: Some(0),
                host_users: Some(true),
                host_pids: Some(true),
            },
            settings: Settings {
                unprivileged_bpf_disabled: Some(2),
                perf_event_paranoid: Some(2),
                kptr_restrict: Some(0),
                kernel_addresses: Some(true),
                max_sample_rate: Some(100_000),
                cpu_time_max_percent: Some(25),
                jit: Some(1),
                lockdown: Some("none".into()),
                tracefs: Some("/sys/kernel/tracing".into()),
                clock_source: Some("tsc".into()),
                memory_available: Some(4 << 30),
                memory_lockable: None,
            },
            clocks: vec![
                (
                    Clock::CpuClock,
                    Ok(Ticks {
                        samples: 49,
                        expected: Some(50),
                    }),
                ),
                (
                    Clock::Cycles,
                    Ok(Ticks {
                        samples: 150,
                        expected: None,
                    }),
                ),
            ],
            system_wide: Ok(()),
            bpf: bpf::Bpf {
                map: Ok(()),
                ring_buffer: Ok(()),
                programs: bpf::Kind::ALL.map(|kind| (kind, Ok(()))).to_vec(),
                bpf_loop: Ok(()),
            },
            cgroup2: Some("/sys/fs/cgroup".into()),
            debug_files: true,
        }
    }

    /// The lines that are not ok.
    pub(super) fn troubles(facts: &Facts) -> Vec<(Status, &'static str)> {
        let bad = |check: &Check| check.status != Status::Ok;
        checks(facts)
            .iter()
            .filter(|check| bad(check))
            .map(|check| (check.status, check.name))
            .collect()
    }

    pub(super) fn line(facts: &Facts, name: &str) -> Check {
        let checks = checks(facts);
        checks
            .into_iter()
            .find(|check| check.name == name)
            .unwrap_or_else(|| panic!("no line {name}"))
    }

    #[test]
    fn a_sound_host_has_no_trouble() {
        assert_eq!(troubles(&sound()), []);
        assert!(can_record(&checks(&sound())));
    }

    #[test]
    fn whatever_is_not_ok_says_what_it_means_and_what_to_do() {
        let facts = Facts {
            release: "5.4.0".into(),
            machine: "riscv64".into(),
            btf: Err(Errno(libc::ENOENT)),
            privileges: Privileges {
                uid: 1000,
                effective: 0,
                seccomp: Some(2),
                host_users: Some(false),
                host_pids: Some(false),
            },
            settings: Settings {
                lockdown: Some("confidentiality".into()),
                ..Settings::default()
            },
            clocks: clock::CLOCKS
                .map(|clock| (clock, Err(Errno(libc::EACCES))))
                .to_vec(),
            system_wide: Err(Errno(libc::EACCES)),
            bpf: bpf::Bpf {
                map: Err(Errno(libc::EPERM)),
                ring_buffer: Err(Errno(libc::EPERM)),
                programs: bpf::Kind::ALL
                    .map(|kind| (kind, Err(Errno(libc::EPERM))))
                    .to_vec(),
                bpf_loop: Err(Errno(libc::EPERM)),
            },
            cgroup2: None,
            debug_files: false,
        };
        let checks = checks(&facts);
        assert!(!can_record(&checks));
        for check in checks.iter().filter(|check| check.status != Status::Ok) {
            assert!(!check.found.is_empty(), "{check:?}");
            assert!(!check.meaning.is_empty(), "{check:?}");
            assert!(!check.mend.is_empty(), "{check:?}");
        }
    }

    #[test]
    fn an_ordinary_user_is_told_the_cause_once() {
        let mut facts = sound();
        facts.privileges.uid = 1000;
        facts.privileges.effective = 0;
        facts.system_wide = Err(Errno(libc::EACCES));
        facts.bpf.map = Err(Errno(libc::EPERM));
        facts.bpf.ring_buffer = Err(Errno(libc::EPERM));
        facts.bpf.bpf_loop = Err(Errno(libc::EPERM));
        for (_, attempt) in &mut facts.bpf.programs {
            *attempt = Err(Errno(libc::EPERM));
        }
        let checks = checks(&facts);
        let mends: Vec<_> = checks
            .iter()
            .filter(|check| check.mend.contains("sudo"))
            .collect();
        assert!(!mends.is_empty());
        assert!(
            line(&facts, "bpf()").mend.contains("privileges above"),
            "{:?}",
            line(&facts, "bpf()")
        );
    }

    #[test]
    fn two_capabilities_suffice_to_record() {
        let mut facts = sound();
        facts.privileges.uid = 1000;
        facts.privileges.effective = 1 << BPF | 1 << PERFMON;
        let checks = checks(&facts);
        assert!(can_record(&checks));
        let lost = checks
            .iter()
            .find(|check| check.name == "cap_sys_ptrace")
            .unwrap();
        assert_eq!(lost.status, Status::Degraded);
    }
}
