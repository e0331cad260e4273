//! Who we are, what we may, and who else has a say.

use crate::collect::kernel::{
    Check, Facts,
    privileges::{CAPABILITIES, Capability},
};

const RUN_AS_ROOT: &str = "run with sudo, or let everyone who may run this binary record: sudo setcap \
     cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search,cap_syslog+ep \"$(command -v profiler)\"";

pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![user(facts)];
    checks.extend(
        facts
            .privileges
            .missing()
            .map(|capability| lacks(facts, capability)),
    );
    checks.extend([
        lockdown(facts),
        seccomp(facts),
        unprivileged(facts),
        paranoid(facts),
    ]);
    checks
}

fn user(facts: &Facts) -> Check {
    const NAME: &str = "privileges";
    let uid = facts.privileges.uid;
    if facts.privileges.host_users == Some(false) {
        return Check::missing(
            NAME,
            format!("user {uid} of a container with users of its own"),
            "its capabilities do not count for bpf() and perf_event_open()",
            "run on the host, or in a container without a user namespace (rootless containers have one)",
        );
    }
    let missing: Vec<_> = facts.privileges.missing().collect();
    let found = format!(
        "user {uid}, {} of {} capabilities",
        CAPABILITIES.len() - missing.len(),
        CAPABILITIES.len()
    );
    if missing.is_empty() {
        Check::ok(NAME, found)
    } else if missing.iter().any(|capability| capability.required) {
        Check::missing(NAME, found, "this user may not record", RUN_AS_ROOT)
    } else {
        Check::ok(NAME, found)
    }
}

fn lacks(facts: &Facts, capability: &Capability) -> Check {
    const FOUND: &str = "not held";
    let mend = "see privileges";
    // Kernel addresses are shown to whoever asks while kptr_restrict is 0.
    if capability.name == "cap_syslog" && facts.settings.kernel_addresses == Some(true) {
        return Check::ok(
            capability.name,
            "not held, and not needed: kernel addresses are shown",
        );
    }
    if capability.required {
        Check::missing(capability.name, FOUND, capability.lost, mend)
    } else {
        Check::degraded(capability.name, FOUND, capability.lost, mend)
    }
}

fn lockdown(facts: &Facts) -> Check {
    const NAME: &str = "lockdown";
    match facts.settings.lockdown.as_deref() {
        None => Check::ok(NAME, "not in this kernel"),
        Some(mode @ "confidentiality") => Check::missing(
            NAME,
            mode,
            "programs may not read kernel memory and perf not sample the kernel",
            "boot with lockdown=integrity or less; with Secure Boot, ask who set the policy",
        ),
        Some(mode) => Check::ok(NAME, mode),
    }
}

fn seccomp(facts: &Facts) -> Check {
    const NAME: &str = "seccomp";
    match facts.privileges.seccomp {
        Some(0) => Check::ok(NAME, "off"),
        None => Check::ok(NAME, "not in this kernel"),
        Some(_) if is_filtered(facts) => Check::missing(
            NAME,
            "a filter refuses bpf() or perf_event_open()",
            "the privileges are there, but the calls do not reach the kernel",
            "let the container's profile pass both (docker: --security-opt seccomp=unconfined)",
        ),
        Some(_) => Check::ok(NAME, "a filter that lets bpf() and perf_event_open() pass"),
    }
}

/// Whether it must be the filter that says no: the privileges are there, or the call is denied to exist.
pub(super) fn is_filtered(facts: &Facts) -> bool {
    let errors = [facts.bpf.map.err(), facts.system_wide.err()];
    let refused = |error: &crate::collect::kernel::Errno| {
        error.0 == libc::ENOSYS || error.is_refusal() && facts.privileges.suffice()
    };
    facts.privileges.seccomp == Some(2) && errors.iter().flatten().any(refused)
}

fn unprivileged(facts: &Facts) -> Check {
    const NAME: &str = "unprivileged_bpf_disabled";
    // It says what users without privileges may, and those may not record in any case.
    match facts.settings.unprivileged_bpf_disabled {
        Some(0) => Check::ok(NAME, "0: every user may load socket filters; no matter here"),
        Some(value) => Check::ok(NAME, format!("{value}: no matter here")),
        None => Check::ok(NAME, "not in this kernel"),
    }
}

fn paranoid(facts: &Facts) -> Check {
    const NAME: &str = "perf_event_paranoid";
    let found = match facts.settings.perf_event_paranoid {
        Some(value) => value.to_string(),
        None if facts.system_wide.is_ok() => "cannot be read".to_owned(),
        None => {
            return Check::missing(
                NAME,
                "no such setting",
                "this kernel has no perf events",
                "use a kernel built with CONFIG_PERF_EVENTS=y",
            );
        }
    };
    match facts.system_wide {
        Ok(()) => Check::ok(NAME, format!("{found}: events of the whole system can be opened")),
        Err(error) if facts.privileges.suffice() => Check::missing(
            NAME,
            format!("{found}: an event of the whole system cannot be opened: {error}"),
            "the sampler has no clock, although the privileges are there",
            if is_filtered(facts) {
                "see seccomp"
            } else if error.is_refusal() {
                "some distributions refuse above 2: sysctl kernel.perf_event_paranoid=2; or ask the security module \
                 (dmesg, ausearch)"
            } else {
                "see dmesg; perf stat -a true should fail alike"
            },
        ),
        Err(error) => Check::missing(
            NAME,
            format!("{found}: an event of the whole system cannot be opened: {error}"),
            "the sampler has no clock",
            "get the privileges above: this setting does not bind who holds cap_perfmon",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{line, sound, troubles};
    use crate::collect::kernel::{
        Errno, Status,
        privileges::{BPF, PERFMON},
    };

    #[test]
    fn each_missing_capability_says_what_is_lost() {
        let mut facts = sound();
        facts.privileges.uid = 65534;
        facts.privileges.effective = 0;
        facts.settings.kernel_addresses = Some(false);
        facts.system_wide = Err(Errno(libc::EACCES));
        assert_eq!(line(&facts, "privileges").status, Status::Missing);
        assert_eq!(line(&facts, "cap_bpf").status, Status::Missing);
        let ptrace = line(&facts, "cap_sys_ptrace");
        assert_eq!(ptrace.status, Status::Degraded);
        assert!(ptrace.meaning.contains("other users' processes"));
        assert_eq!(line(&facts, "cap_syslog").status, Status::Degraded);
        assert!(line(&facts, "perf_event_paranoid").mend.contains("cap_perfmon"));
    }

    #[test]
    fn a_capability_that_is_not_needed_is_no_trouble() {
        let mut facts = sound();
        facts.privileges.effective = 1 << BPF | 1 << PERFMON;
        assert_eq!(line(&facts, "cap_syslog").status, Status::Ok);
    }

    #[test]
    fn a_seccomp_filter_is_named_when_it_must_be_the_one() {
        let mut facts = sound();
        facts.privileges.seccomp = Some(2);
        assert_eq!(line(&facts, "seccomp").status, Status::Ok);
        // Privileges, and yet refused.
        facts.bpf.map = Err(Errno(libc::EPERM));
        assert_eq!(line(&facts, "seccomp").status, Status::Missing);
        // No privileges: EPERM is the kernel's own answer.
        facts.privileges.effective = 0;
        assert_eq!(line(&facts, "seccomp").status, Status::Ok);
        // A kernel with BTF has bpf().
        facts.bpf.map = Err(Errno(libc::ENOSYS));
        assert_eq!(line(&facts, "seccomp").status, Status::Missing);
    }

    #[test]
    fn the_paranoid_setting_is_judged_by_what_it_does() {
        let mut facts = sound();
        facts.settings.perf_event_paranoid = Some(4);
        assert_eq!(troubles(&facts), []);
        facts.system_wide = Err(Errno(libc::EACCES));
        let check = line(&facts, "perf_event_paranoid");
        assert_eq!(check.status, Status::Missing);
        assert!(check.mend.contains("sysctl"), "{check:?}");
    }

    #[test]
    fn lockdown_binds_in_its_strict_mode_only() {
        let status = |mode: Option<&str>| {
            let mut facts = sound();
            facts.settings.lockdown = mode.map(str::to_owned);
            line(&facts, "lockdown").status
        };
        assert_eq!(status(None), Status::Ok);
        assert_eq!(status(Some("integrity")), Status::Ok);
        assert_eq!(status(Some("confidentiality")), Status::Missing);
    }
}
