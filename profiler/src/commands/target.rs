//! From the target on the command line to what is recorded. Targets that are not there are refused in words.

use std::{fs, path::Path, path::PathBuf};

use anyhow::{Result, bail};

use crate::{
    cli::target::{DEFAULT_PROBES, Event, MAX_OVERHEAD, ProbeName, SamplingOptions, TargetOptions},
    collect::{Options, perf_event::Clock},
};

/// What the flags ask for; of `probes`, or the default set if there are none.
///
/// # Errors
/// If a target is not there, or cannot be meant.
pub(super) fn options(
    target: &TargetOptions,
    sampling: &SamplingOptions,
    probes: &[ProbeName],
    verbose: u8,
) -> Result<Options> {
    if !target.pids.is_empty() || !target.tids.is_empty() {
        check_namespace()?;
    }
    for &pid in &target.pids {
        check_process(pid)?;
    }
    for &tid in &target.tids {
        if !Path::new(&format!("/proc/{tid}")).exists() {
            bail!("there is no thread {tid}: `ps -eLo tid,comm` lists threads");
        }
    }
    let wanted = |probe| match probes {
        [] => DEFAULT_PROBES.contains(&probe),
        probes => probes.contains(&probe),
    };
    Ok(Options {
        frequency: sampling.frequency,
        clock: match sampling.event {
            Event::CpuClock => Clock::CpuClock,
            Event::Cycles => Clock::Cycles,
        },
        pids: (!target.pids.is_empty()).then(|| target.pids.clone()),
        tids: target.tids.clone(),
        cgroup: target.cgroup.as_deref().map(cgroup_directory).transpose()?,
        comm: target.comm.clone(),
        cpu: wanted(ProbeName::Cpu),
        // The others are kept in the accounts of threads.
        states: [
            ProbeName::States,
            ProbeName::OffCpu,
            ProbeName::Syscalls,
            ProbeName::Lock,
        ]
        .into_iter()
        .any(wanted),
        off_cpu: wanted(ProbeName::OffCpu),
        calls: wanted(ProbeName::Syscalls),
        block: wanted(ProbeName::Block),
        locks: wanted(ProbeName::Lock),
        max_overhead: probes.is_empty().then_some(MAX_OVERHEAD),
        kernel_stacks: !sampling.no_kernel,
        user_stacks: !sampling.no_user,
        max_stack: sampling.max_stack,
        log_kernel_side: verbose >= 2,
        command_line: std::env::args().collect(),
        ..Options::default()
    })
}

/// Whether a process is there, and not only a zombie's entry.
pub(super) fn is_alive(pid: u32) -> bool {
    // `pid (name) state …`; the name may contain anything, so the last parenthesis counts.
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat
        .iter()
        .rposition(|&byte| byte == b')')
        .map_or(&[][..], |at| &stat[at..]);
    !matches!(after.get(2), None | Some(b'Z' | b'X'))
}

fn check_process(pid: u32) -> Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    if let Some(tgid) = field(&status, "Tgid:").and_then(|tgid| tgid.parse::<u32>().ok()) {
        if tgid != pid {
            bail!(
                "{pid} is a thread of process {tgid}: say -p {tgid} for the process or -t {pid} for the thread"
            );
        }
        return Ok(());
    }
    match inside_namespaces(pid).as_slice() {
        [] => bail!("there is no process {pid}: `ps -e` lists processes"),
        found => {
            let found: Vec<String> = found
                .iter()
                .map(|(outer, name)| format!("{outer} ({name})"))
                .collect();
            bail!(
                "there is no process {pid} here; inside a container that is the number of {}: say -p with the number \
                 it has here",
                found.join(", ")
            )
        }
    }
}

/// Processes that have the number `pid` in a namespace of their own: what they are called here.
fn inside_namespaces(pid: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(outer) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let innermost =
            field(&status, "NSpid:").and_then(|list| list.rsplit('\t').next()?.trim().parse().ok());
        if innermost == Some(pid) {
            let name = field(&status, "Name:").unwrap_or_default();
            found.push((outer, crate::query::clean(name).into_owned()));
        }
    }
    found
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

/// The kernel side sees the host's process ids. `PROC_PID_INIT_INO` (include/linux/proc_ns.h) is the host's namespace.
fn check_namespace() -> Result<()> {
    const HOST: &str = "pid:[4026531836]";
    match fs::read_link("/proc/self/ns/pid") {
        Ok(namespace) if namespace.as_os_str() != HOST => bail!(
            "this runs in a PID namespace of its own, where process ids are not those that the kernel counts by: run it \
             on the host, or in a container with --pid=host"
        ),
        _ => Ok(()),
    }
}

/// `/system.slice/x` below the cgroup v2 mount, or a directory as it is.
fn cgroup_directory(path: &Path) -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let Some(mount) = cgroup_mount(&mounts) else {
        bail!("-G needs cgroup v2, which is not mounted here");
    };
    if path.starts_with(&mount) && path.is_dir() {
        return Ok(path.to_owned());
    }
    let below = mount.join(path.strip_prefix("/").unwrap_or(path));
    if below.is_dir() {
        return Ok(below);
    }
    bail!(
        "there is no cgroup {} below {}: `systemd-cgls` lists them",
        path.display(),
        mount.display()
    )
}

fn cgroup_mount(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, place, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_offers_as_many_frames_as_the_kernel_side_holds() {
        assert_eq!(
            crate::cli::target::MAX_STACK as usize,
            profiler_common::config::MAX_USER_FRAMES
        );
    }

    #[test]
    fn we_are_alive_and_nobody_has_number_zero() {
        assert!(is_alive(std::process::id()));
        assert!(!is_alive(0));
    }

    #[test]
    fn the_mount_of_cgroup_v2_is_found_among_others() {
        let mounts =
            "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(cgroup_mount(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(cgroup_mount(""), None);
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let error = check_process(u32::MAX).unwrap_err().to_string();
        assert!(error.starts_with("there is no process 4294967295"), "{error}");
    }
}
