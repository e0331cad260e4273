//! What `bpf()` takes.

use super::privilege::is_filtered;
use crate::collect::kernel::{
    Check, Errno, Facts,
    bpf::{Attempt, Kind},
};

pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![call(facts)];
    for &(kind, attempt) in &facts.bpf.programs {
        checks.push(program(facts, kind, attempt));
    }
    checks.extend([
        required(
            facts,
            "ring buffer",
            facts.bpf.ring_buffer,
            "samples have no way out of the kernel",
        ),
        required(facts, "bpf_loop", facts.bpf.bpf_loop, "stacks cannot be unwound"),
        jit(facts),
    ]);
    checks
}

fn call(facts: &Facts) -> Check {
    const NAME: &str = "bpf()";
    match facts.bpf.map {
        Ok(()) => Check::ok(NAME, "a map can be created"),
        Err(error) => Check::missing(
            NAME,
            format!("a map cannot be created: {error}"),
            "nothing can be recorded",
            mend(facts, error),
        ),
    }
}

fn program(facts: &Facts, kind: Kind, attempt: Attempt) -> Check {
    let name = kind.name();
    match attempt {
        Ok(()) => Check::ok(name, "programs load"),
        Err(error) if kind.is_required() => Check::missing(
            name,
            format!("programs do not load: {error}"),
            "CPU profiles need them",
            mend(facts, error),
        ),
        Err(error) => Check::degraded(
            name,
            format!("programs do not load: {error}"),
            "CPU profiles do without them",
            mend(facts, error),
        ),
    }
}

fn required(facts: &Facts, name: &'static str, attempt: Attempt, without: &str) -> Check {
    match attempt {
        Ok(()) => Check::ok(name, "there"),
        Err(error) => Check::missing(
            name,
            format!("not to be had: {error}"),
            without,
            mend(facts, error),
        ),
    }
}

/// Who said no, as far as the error tells.
fn mend(facts: &Facts, error: Errno) -> &'static str {
    if is_filtered(facts) {
        "see seccomp"
    } else if error.is_refusal() && !facts.privileges.suffice() {
        "get the privileges above"
    } else if error.is_refusal() {
        "the privileges are there: a security module or the kernel's build refuses it; see dmesg and ausearch"
    } else if matches!(
        error.0,
        libc::ENOSYS | libc::EINVAL | libc::ENOENT | libc::EOPNOTSUPP
    ) {
        "this kernel has none: use one of 6.1 or later, built with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS and \
         CONFIG_DEBUG_INFO_BTF"
    } else if error.0 == libc::ENOMEM {
        "see memory"
    } else {
        "see dmesg"
    }
}

fn jit(facts: &Facts) -> Check {
    const NAME: &str = "BPF JIT";
    match facts.settings.jit {
        Some(0) => Check::degraded(
            NAME,
            "off",
            "programs are interpreted, which makes each sample several times dearer",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        Some(value) => Check::ok(NAME, format!("on ({value})")),
        // Only root may read the setting.
        None if facts.privileges.uid != 0 => {
            Check::ok(NAME, "this user may not ask; it is on nearly everywhere")
        }
        None => Check::degraded(
            NAME,
            "no such setting",
            "if this kernel has none, programs are interpreted, which makes each sample several times dearer",
            "mount /proc, or use a kernel built with CONFIG_BPF_JIT=y",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{line, sound, troubles};
    use crate::collect::kernel::{Errno, Facts, Status, bpf::Kind};

    fn without(kind: Kind, error: i32) -> Facts {
        let mut facts = sound();
        for (tried, attempt) in &mut facts.bpf.programs {
            if *tried == kind {
                *attempt = Err(Errno(error));
            }
        }
        facts
    }

    #[test]
    fn only_the_programs_of_the_cpu_probe_are_indispensable() {
        for kind in Kind::ALL {
            let status = line(&without(kind, libc::EPERM), kind.name()).status;
            let expected = if kind.is_required() {
                Status::Missing
            } else {
                Status::Degraded
            };
            assert_eq!(status, expected, "{}", kind.name());
        }
    }

    #[test]
    fn a_refusal_and_a_lack_are_mended_differently() {
        let refused = line(&without(Kind::PerfEvent, libc::EPERM), "perf_event");
        assert!(refused.mend.contains("security module"), "{refused:?}");
        let absent = line(&without(Kind::PerfEvent, libc::EINVAL), "perf_event");
        assert!(absent.mend.contains("6.1"), "{absent:?}");
        let mut facts = without(Kind::PerfEvent, libc::EPERM);
        facts.privileges.effective = 0;
        let user = line(&facts, "perf_event");
        assert!(user.mend.contains("privileges above"), "{user:?}");
        facts.privileges.effective = u64::MAX;
        facts.privileges.seccomp = Some(2);
        facts.bpf.map = Err(Errno(libc::EPERM));
        assert_eq!(line(&facts, "perf_event").mend, "see seccomp");
    }

    #[test]
    fn interpreted_programs_work_but_cost() {
        let mut facts = sound();
        facts.settings.jit = Some(0);
        assert_eq!(troubles(&facts), [(Status::Degraded, "BPF JIT")]);
    }

    #[test]
    fn what_a_user_may_not_read_is_not_called_off() {
        let mut facts = sound();
        facts.settings.jit = None;
        facts.privileges.uid = 1000;
        assert!(line(&facts, "BPF JIT").found.contains("may not ask"));
    }
}
