//! From the flags of `profiler report` to the view they ask for, and what cannot be had together.

use std::path::Path;

use anyhow::{Result, bail};

use super::filter::NO_LOCKS;
use crate::{
    cli::{By, FilterOptions, LockKind, ProfileTime, ReportOptions, ReportView, SortKey},
    profile::{Operation, Profile},
    query::{
        Direction, GroupBy, Owner, Targets,
        async_blocking::THRESHOLD_NS,
        locks::{Asked, Which},
        operation::is_call,
    },
    report::{Idle, Sort, View},
};

/// # Errors
/// If what is asked for cannot be had together.
pub(super) fn view(options: &ReportOptions) -> Result<View> {
    if let Some(refusal) = refusal(options) {
        bail!("{refusal}");
    }
    let idle = if options.idle { Idle::Shown } else { Idle::LeftOut };
    let threshold_ns = options
        .threshold
        .map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    Ok(match options.view {
        ReportView::Functions => view_of_samples(options),
        ReportView::States => View::States(owner(options.by)),
        ReportView::Syscalls => View::Syscalls(owner(options.by)),
        ReportView::Slow => View::Slow(idle),
        ReportView::Files => View::Targets(Targets::Files, idle),
        ReportView::Sockets => View::Targets(Targets::Sockets, idle),
        ReportView::Wakers => View::Wakers(owner(options.by)),
        ReportView::Block => View::Block(owner(options.by)),
        ReportView::Locks => View::Locks(Asked {
            which: match options.kind {
                None => Which::All,
                Some(LockKind::User) => Which::User,
                Some(LockKind::Kernel) => Which::Kernel,
            },
            threshold_ns: threshold_ns.unwrap_or(0),
        }),
        ReportView::Async => View::Async(threshold_ns.unwrap_or(THRESHOLD_NS)),
    })
}

/// The filters, with the time that the view is about.
pub(super) fn filter(options: &ReportOptions) -> FilterOptions {
    let mut filter = options.filter.clone();
    match options.view {
        ReportView::Wakers => filter.profile = ProfileTime::OffCpu,
        ReportView::Async => filter.profile = ProfileTime::Wall,
        _ => {}
    }
    filter
}

/// # Errors
/// If the profile that was read from `trace` does not hold what the view shows.
pub(super) fn check(view: View, trace: &Path, profile: &Profile) -> Result<()> {
    let counts = |asked: fn(Operation) -> bool| {
        let mut windows = profile.latencies.iter();
        windows.any(|window| asked(window.key.operation))
    };
    let missing = match view {
        View::States(_) if profile.thread_times.is_empty() => {
            "how threads spent their time: the recording had no `states` probe; record again with `profiler record \
             --probe states`, or without --probe"
        }
        View::Syscalls(_) if !counts(is_call) && !profile.slow.iter().any(|slow| is_call(slow.operation)) => {
            "system calls: the recording had no `syscalls` probe, or nothing made a call; record again with `profiler \
             record --probe syscalls`"
        }
        View::Slow(_) | View::Targets(..) if profile.slow.is_empty() && !counts(is_call) => {
            "slow calls: the recording had no `syscalls` probe; record again with `profiler record --probe syscalls`"
        }
        View::Locks(_) if profile.lock_waits.is_empty() && !counts(is_kernel_lock) => {
            bail!("{trace:?} {NO_LOCKS}")
        }
        View::Block(_) if !counts(is_block) => {
            "block I/O: the recording had no `block` probe, or no device was used; record again with `profiler record \
             --probe block`"
        }
        _ => return Ok(()),
    };
    bail!("{trace:?} does not hold {missing}")
}

fn is_block(operation: Operation) -> bool {
    matches!(operation, Operation::Block(_) | Operation::BlockQueue(_))
}

fn is_kernel_lock(operation: Operation) -> bool {
    matches!(operation, Operation::KernelLock(_))
}

/// A view other than that of samples, as it is typed, and what it shows.
struct Other {
    view: ReportView,
    name: &'static str,
    shows: &'static str,
    /// Where to look instead for who has flags about stacks in mind.
    stacks: &'static str,
}

const OTHERS: [Other; 9] = [
    Other {
        view: ReportView::States,
        name: "states",
        shows: "how threads spent all their time",
        stacks: " (--profile off-cpu shows the stacks of waiting threads)",
    },
    Other {
        view: ReportView::Syscalls,
        name: "syscalls",
        shows: "how often each system call was made and how long it took",
        stacks: " (--view slow shows the stacks of slow calls)",
    },
    Other {
        view: ReportView::Slow,
        name: "slow",
        shows: "single calls, the longest first",
        stacks: "",
    },
    Other {
        view: ReportView::Files,
        name: "files",
        shows: "what slow calls were on",
        stacks: " (--view slow shows the stacks of slow calls)",
    },
    Other {
        view: ReportView::Sockets,
        name: "sockets",
        shows: "what slow calls were on",
        stacks: " (--view slow shows the stacks of slow calls)",
    },
    Other {
        view: ReportView::Wakers,
        name: "wakers",
        shows: "who ended the waits of whom",
        stacks: " (--profile off-cpu shows the stacks of waiting threads)",
    },
    Other {
        view: ReportView::Locks,
        name: "locks",
        shows: "which locks threads waited for and who held them",
        stacks: " (--profile lock shows the stacks of waits for locks)",
    },
    Other {
        view: ReportView::Block,
        name: "block",
        shows: "how long block I/O took",
        stacks: "",
    },
    Other {
        view: ReportView::Async,
        name: "async",
        shows: "tasks that kept a worker from other tasks",
        stacks: " (--profile wall shows the stacks of all threads)",
    },
];

/// Why flags cannot be had together, in words for the person who typed them.
fn refusal(options: &ReportOptions) -> Option<String> {
    let view = options.view;
    if options.threshold.is_some() && !matches!(view, ReportView::Async | ReportView::Locks) {
        return Some(
            "--threshold is for --view async: how long a poll lasts that is suspected; and for --view locks: how long a \
             wait lasted"
                .to_owned(),
        );
    }
    if options.kind.is_some() && view != ReportView::Locks {
        return Some("--kind is for --view locks: whose locks it shows".to_owned());
    }
    let Some(other) = OTHERS.iter().find(|other| other.view == view) else {
        return options
            .idle
            .then(|| "--idle is for --view slow, files and sockets, which leave out idle calls".to_owned());
    };
    let Other {
        name, shows, stacks, ..
    } = other;
    if let Some(flag) = about_order(options).or_else(|| about_stacks(options)) {
        return Some(format!(
            "{flag} is about stacks, and --view {name} has none to give it: it shows {shows}; leave out the one or the \
             other{stacks}"
        ));
    }
    let single = [
        ReportView::Slow,
        ReportView::Files,
        ReportView::Sockets,
        ReportView::Locks,
        ReportView::Async,
    ];
    if options.by.is_some() && single.contains(&view) {
        return Some(format!(
            "--by puts rows together by whose they are, and --view {name} shows {shows}; leave out the one or the other \
             (-p, --comm, --unit show one owner's)"
        ));
    }
    let threads = !options.filter.tids.is_empty();
    let by_thread = options.by == Some(By::Thread);
    if matches!(view, ReportView::Syscalls | ReportView::Block) && (threads || by_thread) {
        let flag = if threads { "--tid" } else { "--by thread" };
        return Some(format!(
            "{flag} is about threads, and --view {name} knows processes only: every call is counted, but not by thread; \
             leave it out (-p selects a process, --view slow knows the threads of slow calls)"
        ));
    }
    if options.idle && !matches!(view, ReportView::Slow | ReportView::Files | ReportView::Sockets) {
        return Some(format!(
            "--idle is for --view slow, files and sockets; --view {name} shows {shows}, idle or not"
        ));
    }
    None
}

/// The flag that is about how functions are put in order, if there is one; only samples have functions.
fn about_order(options: &ReportOptions) -> Option<&'static str> {
    let flags = [
        ("--tree", options.tree),
        ("--inverted", options.inverted),
        ("--children", options.children),
        ("--sort", options.sort.is_some()),
        (
            "--by module, package or outcome",
            matches!(options.by, Some(By::Module | By::Package | By::Outcome)),
        ),
    ];
    flags.into_iter().find_map(|(flag, asked)| asked.then_some(flag))
}

/// The flag that selects by stacks or samples which the view does not have, if there is one.
fn about_stacks(options: &ReportOptions) -> Option<&'static str> {
    let filter = &options.filter;
    let other_time = filter.profile != ProfileTime::Cpu;
    // What selects stacks, and what leaves frames of them out.
    let (profile, stacks, frames) = match options.view {
        ReportView::Wakers => (
            matches!(filter.profile, ProfileTime::Wall | ProfileTime::Lock),
            false,
            false,
        ),
        ReportView::Slow | ReportView::Files | ReportView::Sockets | ReportView::Locks => {
            (other_time, false, false)
        }
        // What a worker did in between is in other stacks.
        ReportView::Async => (other_time, true, false),
        _ => (other_time, true, true),
    };
    let flags = [
        ("--profile", profile),
        ("--module", stacks && !filter.modules.is_empty()),
        ("--function", stacks && filter.function.is_some()),
        ("--no-kernel", frames && filter.no_kernel),
        ("--no-user", frames && filter.no_user),
    ];
    flags.into_iter().find_map(|(flag, asked)| asked.then_some(flag))
}

fn owner(by: Option<By>) -> Owner {
    match by {
        None | Some(By::Process | By::Module | By::Package | By::Outcome) => Owner::Process,
        Some(By::Thread) => Owner::Thread,
        Some(By::Comm) => Owner::Comm,
        Some(By::Cgroup) => Owner::Cgroup,
        Some(By::Unit) => Owner::Unit,
        Some(By::Container) => Owner::Container,
    }
}

fn view_of_samples(options: &ReportOptions) -> View {
    if options.inverted {
        return View::Tree(Direction::BottomUp);
    }
    if options.tree {
        return View::Tree(Direction::TopDown);
    }
    if let Some(by) = options.by {
        return View::Groups(match by {
            By::Process => GroupBy::Process,
            By::Thread => GroupBy::Thread,
            By::Comm => GroupBy::Comm,
            By::Module => GroupBy::Module,
            By::Package => GroupBy::Package,
            By::Cgroup => GroupBy::Cgroup,
            By::Unit => GroupBy::Unit,
            By::Container => GroupBy::Container,
            By::Outcome => GroupBy::Outcome,
        });
    }
    View::Functions(match options.sort {
        Some(SortKey::Total) => Sort::Total,
        Some(SortKey::Name) => Sort::Name,
        Some(SortKey::Module) => Sort::Module,
        None if options.children => Sort::Total,
        Some(SortKey::SelfTime) | None => Sort::SelfValue,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        profile::{State, ThreadTime, folded::from_folded},
    };

    fn refused(line: &str) -> Option<String> {
        let words = ["profiler", "report"].into_iter().chain(line.split_whitespace());
        match Cli::parse_from(words).command {
            Command::Report(options) => view(&options).err().map(|error| error.to_string()),
            _ => unreachable!("the line begins with report"),
        }
    }

    #[test]
    fn what_a_view_does_not_have_cannot_be_asked_of_it() {
        for (view, flags) in [
            (
                "states",
                "--tree|--sort name|--profile wall|--module libc.so.6|--function f|--no-kernel|--by module|--idle",
            ),
            (
                "syscalls",
                "--inverted|--profile off-cpu|--function f|--no-user|--by outcome|--by thread|--tid 7|--idle",
            ),
            (
                "slow",
                "--tree|--children|--profile wall|--by process|--by thread",
            ),
            ("files", "--tree|--sort name|--by unit"),
            ("sockets", "--tree|--sort name|--by unit"),
            (
                "wakers",
                "--tree|--profile wall|--profile lock|--by module|--idle",
            ),
            ("locks", "--tree|--children|--profile lock|--by process|--idle"),
            ("block", "--tree|--module m|--tid 7|--by thread|--idle"),
            (
                "async",
                "--tree|--module m|--function f|--profile wall|--by process|--idle",
            ),
        ] {
            for flag in flags.split('|') {
                let error = refused(&format!("--view {view} {flag}")).expect(flag);
                let name = flag.split(' ').next().unwrap();
                assert!(
                    error.starts_with(name) && error.contains(&format!("--view {view}"))
                        || name == "--idle" && error.contains("--view slow"),
                    "{error}"
                );
            }
        }
        for line in ["--threshold 1s", "--view slow --threshold 1s"] {
            assert!(
                refused(line)
                    .unwrap()
                    .starts_with("--threshold is for --view async"),
                "{line}"
            );
        }
        assert!(
            refused("--kind user")
                .unwrap()
                .starts_with("--kind is for --view locks")
        );
        assert!(
            refused("--idle")
                .unwrap()
                .starts_with("--idle is for --view slow")
        );
    }

    #[test]
    fn what_a_view_has_can_be_asked_of_it() {
        for line in [
            "--view states --by thread -t 7",
            "--view syscalls -p 7 --comm a* --time 1s- --by unit",
            "--view slow -t 7 --function f --no-kernel --idle --module libc.so.6",
            "--view files -t 7 --idle",
            "--view sockets -n 3",
            "--view wakers --by thread -t 7 --function f --profile off-cpu",
            "--view block --by cgroup -G /a",
            "--view locks -p 7 --function f --no-kernel --kind user --threshold 1ms -n 3",
            "--view async -p 7 -t 8 --comm a* --time 1s- --threshold 20ms --no-kernel",
        ] {
            assert_eq!(refused(line), None, "{line}");
        }
    }

    #[test]
    fn what_was_not_recorded_is_said_with_the_next_step() {
        let profile = from_folded("a/7;main 1");
        let check = |view, profile: &Profile| {
            check(view, Path::new("x.trace"), profile)
                .err()
                .map(|error| error.to_string())
        };
        for (view, probe) in [
            (View::States(Owner::Process), "states"),
            (View::Syscalls(Owner::Process), "syscalls"),
            (View::Slow(Idle::LeftOut), "syscalls"),
            (View::Targets(Targets::Files, Idle::Shown), "syscalls"),
            (View::Targets(Targets::Sockets, Idle::LeftOut), "syscalls"),
            (View::Block(Owner::Unit), "block"),
            (View::Locks(Asked::default()), "lock"),
        ] {
            let error = check(view, &profile).unwrap();
            let next = format!("record --probe {probe}");
            assert!(
                error.contains("x.trace") && error.replace("  ", "").contains(&next),
                "{error}"
            );
        }
        assert_eq!(check(View::Groups(GroupBy::Process), &profile), None);
        let mut profile = profile;
        profile.thread_times.push(ThreadTime {
            thread: profile.samples[0].thread,
            start_ns: 0,
            end_ns: 1,
            ns: [0; State::COUNT],
            waits: 0,
            preemptions: 0,
            in_calls_ns: None,
        });
        assert_eq!(check(View::States(Owner::Process), &profile), None);
    }
}
