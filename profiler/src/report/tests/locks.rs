//! Locks: who waited for each, and who held it.

use super::*;
use crate::{
    profile::{
        CallStack, Contention, Extent, Id, Latency, LatencyKey, Lock, LockWait, ObjectKind, Operation,
        Process, State, Thread, ThreadTime, Waker, folded::with_waits,
    },
    query::{
        locks::{Asked, Which, tests as built},
        timing::tests::counted,
    },
};

const MS: u64 = 1_000_000;
const US: u64 = 1_000;

pub(super) const LOCKS: View = View::Locks(Asked {
    which: Which::All,
    threshold_ns: 0,
});
pub(super) const LONG_KERNEL: View = View::Locks(Asked {
    which: Which::Kernel,
    threshold_ns: MS,
});

/// The samples of [`shop`], by their numbers.
const STACKS: &str = "\
shop/1207;_start;main;serve;checkout;reserve;libc.so.6`pthread_mutex_lock;do_syscall_64_[k];do_futex_[k];futex_wait_[k]
shop/1207;_start;main;flush;write_log;libc.so.6`pthread_mutex_unlock
shop/1207;_start;main;flush;write_log;compress
shop/1207;_start;main;serve;prices::get;<std::sync::poison::rwlock::RwLock<T>>::read;std::sys::sync::rwlock::futex::RwLock::read_contended;libc.so.6`syscall;futex_wait_[k]
shop/1207;_start;main;refresh;prices::put;std::sys::sync::rwlock::futex::RwLock::write_contended;libc.so.6`syscall;futex_wait_[k]
shop/1207;_start;main;worker;libc.so.6`pthread_cond_wait;futex_wait_[k]
shop/1207;_start;main;worker;std::thread::park;std::sys::sync::thread_parking::futex::Parker::park;libc.so.6`syscall;futex_wait_[k]
shop/1207;_start;main;odd;libc.so.6`syscall;futex_wait_[k]
shop/1207;asm_exc_page_fault_[k];do_user_addr_fault_[k];lock_mm_and_find_vma_[k];down_read_killable_[k];rwsem_down_read_slowpath_[k]
shop/1207;_start;main;serve;render;grow
shop/1207;_start;main;transfer;debit;libc.so.6`pthread_mutex_lock;futex_wait_[k]
shop/1207;_start;main;refund;credit;libc.so.6`pthread_mutex_lock;futex_wait_[k]
other/9;main;pipe_write_[k];__mutex_lock.constprop.0_[k]
";

/// A shop with a lock that a thread holds while it writes a log, prices that are read and written, idle workers, a circle of
/// two, and locks of the kernel.
pub(super) fn shop() -> Profile {
    let mut profile = with_waits(
        from_folded(STACKS),
        "shop/1207;_start;main;flush;write_log;libc.so.6`fdatasync;do_syscall_64_[k];io_schedule_[k] 60",
    );
    let log = built::thread(&mut profile, "log-writer", 1_208);
    let [first, second] =
        [1_209, 1_210].map(|tid| built::thread(&mut profile, &format!("worker-{}", tid - 1_208), tid));
    let main = profile.samples[0].thread;
    for (sample, at) in [(2, 3_230), (13, 3_290)] {
        (profile.samples[sample].thread, profile.samples[sample].time_ns) = (log, at * MS);
    }
    profile.samples[2].value = 20 * MS;
    let app = profile.locations.iter().next().unwrap().1.mapping;
    let shared = profile.locks.intern(Lock {
        process: Some(Id::new(0)),
        address: 0x5581_0000_4040,
        place: Some((app, 0x4040)),
        name: "stock_lock".into(),
    });
    let locks: Vec<_> = (0..8).map(|number| built::lock(&mut profile, number)).collect();
    let mmap = built::kernel_lock(&mut profile, 0xffff_8881_0000_1000, "");
    let pipe = built::kernel_lock(&mut profile, 0xffff_8881_0000_2000, "");
    let base = |thread: Id<Thread>, lock, sample: usize, end_us: u64, duration_us: u64| LockWait {
        lock,
        stack: profile.samples[sample].stack,
        end_ns: end_us * US,
        duration_ns: duration_us * US,
        blocked_ns: duration_us * US,
        ..built::wait(thread.raw(), 0)
    };
    let held = |wait: LockWait, owner: Id<Thread>| LockWait {
        owner: Waker::Thread(owner),
        ..wait
    };
    let woken = |wait: LockWait, waker: Id<Thread>| LockWait {
        waker: Waker::Thread(waker),
        woken_ns: wait.end_ns - 20 * US,
        ..wait
    };
    let bits = |wait: LockWait, value| LockWait {
        contention: Contention::FutexWaitBitset,
        value,
        ..wait
    };
    let kernel = |wait: LockWait, contention| LockWait {
        contention,
        value: 0,
        ..wait
    };
    let short = |wait: LockWait| LockWait {
        threshold_ns: 2 * MS,
        ..wait
    };
    let stuck = |wait: LockWait| LockWait {
        extent: Extent::NotEnded,
        ..wait
    };
    profile.lock_waits = vec![
        woken(held(base(main, shared, 0, 3_300_000, 80_000), log), log),
        woken(held(base(first, shared, 0, 3_310_000, 30_000), log), log),
        short(base(second, shared, 0, 4_000_000, 500)),
        LockWait {
            errno: 110,
            ..base(second, shared, 0, 4_100_000, 10_000)
        },
        woken(bits(base(first, locks[0], 3, 5_000_000, 12_000), 7), second),
        woken(bits(base(main, locks[1], 3, 5_010_000, 9_000), 7), second),
        bits(base(second, locks[0], 4, 5_100_000, 4_000), 9),
        bits(base(first, locks[2], 5, 9_000_000, 2_000_000), 6),
        bits(base(second, locks[3], 6, 9_500_000, 3_000_000), u32::MAX),
        bits(base(main, locks[4], 7, 6_000_000, 3_000), 1),
        kernel(base(main, mmap, 8, 7_000_000, 2_500), Contention::SemaphoreRead),
        kernel(base(Id::new(1), pipe, 12, 7_100_000, 1_500), Contention::Mutex),
        stuck(held(base(first, locks[5], 10, 10_000_000, 400_000), second)),
        stuck(held(base(second, locks[6], 11, 10_000_000, 300_000), first)),
    ];
    let call = |thread, at_us: u64, sample: usize| CallStack {
        thread,
        start_ns: (at_us - 50) * US,
        end_ns: (at_us + 50) * US,
        stack: profile.samples[sample].stack,
        outcome: Outcome::Complete,
    };
    profile.call_stacks = vec![
        call(log, 3_300_000, 1),
        call(log, 3_310_000, 1),
        call(main, 7_000_000, 9),
    ];
    let mut ns = [0; State::COUNT];
    (ns[State::Running as usize], ns[State::Disk as usize]) = (8_000 * MS, 2_000 * MS);
    for thread in [main, log, first, second] {
        profile.thread_times.push(ThreadTime {
            thread,
            start_ns: 0,
            end_ns: 10_000 * MS,
            ns,
            waits: 9,
            preemptions: 1,
            in_calls_ns: None,
        });
    }
    for (contention, durations) in [
        (Contention::Spin, &[(900, 12_000), (40_000, 3)][..]),
        (Contention::SemaphoreRead, &[(15_000, 40), (2_500_000, 1)]),
    ] {
        profile.latencies.push(Latency {
            key: LatencyKey {
                process: Id::new(0),
                operation: Operation::KernelLock(contention),
                object: ObjectKind::None,
                device: 0,
            },
            ..counted(durations)
        });
    }
    profile
}

/// What stands beneath the line of the host.
fn show(profile: &Profile, view: View, layout: text::Layout) -> String {
    let text = as_text(&report(profile, &Selection::default(), view), layout);
    let (_, below) = text.split_once("whole system\n").expect("the line of the host");
    let (_, list) = below.split_once("\n\n").unwrap_or_default();
    let longest = list.lines().map(|line| line.chars().count()).max();
    assert!(longest <= layout.width.or(longest), "{text}");
    below.to_owned()
}

const WIDE: text::Layout = text::Layout {
    width: Some(110),
    color: false,
};

#[test]
fn locks_at_110_columns() {
    let text = show(&shop(), LOCKS, WIDE);
    assert_eq!(text, include_str!("locks.txt"), "{text}");
}

#[test]
fn nothing_goes_beyond_the_edge_and_full_names_show_all() {
    for width in [80, 100, 120] {
        show(
            &shop(),
            LOCKS,
            text::Layout {
                width: Some(width),
                color: false,
            },
        );
    }
    let whole = show(
        &shop(),
        LOCKS,
        text::Layout {
            width: None,
            color: false,
        },
    );
    assert!(
        whole.contains("            pthread_mutex_lock  [libc.so.6]\n"),
        "{whole}"
    );
    assert!(!whole.contains("--full-names"), "{whole}");
}

#[test]
fn a_kind_and_a_length_choose() {
    let text = show(&shop(), LONG_KERNEL, WIDE);
    assert!(
        text.starts_with(
            "100 % = 4 ms of contention in 2 waits of 1.00 ms or more; every wait was kept, none is estimated\n"
        ),
        "{text}"
    );
    assert!(!text.contains("idle:") && !text.contains("stock_lock"), "{text}");
    // A circle of threads is too important to be left out.
    assert!(text.contains("suspected deadlock"), "{text}");
}

#[test]
fn what_runtimes_keep_to_themselves_is_said() {
    let note = |stack: &str| {
        let mut profile = from_folded(&format!("app/7;{stack};futex_wait_[k]"));
        let (lock, stack) = (built::lock(&mut profile, 0), profile.samples[0].stack);
        profile.lock_waits.push(LockWait {
            lock,
            stack,
            value: 0,
            ..built::wait(0, 10)
        });
        let text = show(&profile, LOCKS, WIDE);
        let note = text.lines().find_map(|line| line.strip_prefix("note: "));
        note.unwrap_or_default().to_owned()
    };
    let go = "runtime.mstart;runtime.findRunnable;runtime.stopm;runtime.notesleep;runtime.futexsleep;runtime.futex.abi0";
    assert!(note(go).starts_with("app/7 is a Go program"), "{}", note(go));
    let java =
        "JavaMain;libjvm.so`Unsafe_Park;libjvm.so`Parker::park(bool, long);libc.so.6`pthread_cond_wait";
    assert!(note(java).starts_with("app/7 parks threads"), "{}", note(java));
    assert_eq!(note("main;worker;libc.so.6`pthread_cond_wait"), "");
}

#[test]
fn where_there_is_nothing_it_says_what_to_record() {
    let text = super::show(&busy(), LOCKS);
    assert!(
        text.ends_with(
            "\nNo waits for locks: none was recorded (`profiler record --probe lock` records them).\n"
        ),
        "{text}"
    );
    let mut idle = shop();
    idle.lock_waits = vec![idle.lock_waits[7]];
    idle.latencies.clear();
    let text = show(&idle, LOCKS, WIDE);
    assert!(
        text.starts_with("No contention: no thread waited for a lock that another one had.\n\nidle: "),
        "{text}"
    );
    let filtered = Selection {
        pids: vec![1],
        ..Selection::default()
    };
    let text = as_text(&report(&shop(), &filtered, LONG_KERNEL), WIDE);
    assert!(
        text.contains("No lock wait matches: pid 1. 14 lock waits recorded."),
        "{text}"
    );
}

#[test]
fn locks_of_hostile_names_are_cleaned() {
    let mut profile = shop();
    let evil = "\x1b[2Jev\u{9b}il\u{202e}\n";
    let process = profile.processes.intern(Process {
        name: evil.into(),
        ..profile.processes[Id::new(0)].clone()
    });
    let thread = profile.threads.intern(Thread {
        process,
        tid: 66,
        name: evil.into(),
    });
    let lock = built::kernel_lock(&mut profile, 1, evil);
    for wait in &mut profile.lock_waits {
        (wait.lock, wait.thread, wait.owner) = (lock, thread, Waker::Thread(thread));
    }
    for sample in &mut profile.samples {
        sample.thread = thread;
    }
    let selection = Selection::default();
    let report = report(&profile, &selection, LOCKS);
    for width in [Some(80), Some(120), None] {
        let text = as_text(&report, text::Layout { width, color: false });
        assert!(
            !text.chars().any(|c| c != '\n' && crate::query::acts(c)),
            "{text:?}"
        );
        assert!(text.contains("ev�il��"), "{text}");
    }
    let json = as_json(&report);
    assert!(!json.trim_end().chars().any(crate::query::acts), "{json:?}");
}

#[test]
fn colour_only_adds_escape_sequences_to_locks() {
    let coloured = text::Layout { color: true, ..WIDE };
    let mut text = show(&shop(), LOCKS, WIDE);
    let mut painted = as_text(&report(&shop(), &Selection::default(), LOCKS), coloured);
    for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[36m"] {
        painted = painted.replace(code, "");
    }
    text.retain(|c| c != ' ');
    painted.retain(|c| c != ' ');
    assert!(painted.ends_with(&text), "{painted}");
}

#[test]
fn what_is_left_out_is_said() {
    let (profile, selection) = (shop(), Selection::default());
    let few = Report {
        limit: Some(1),
        ..report(&profile, &selection, LOCKS)
    };
    let text = as_text(&few, WIDE);
    assert!(
        text.contains("… 5 more, 53.0 % of the waiting time; a larger --limit shows them"),
        "{text}"
    );
}

#[test]
fn figures_of_locks_in_json_are_exact() {
    let (profile, selection) = (shop(), Selection::default());
    let json: serde_json::Value =
        serde_json::from_str(&as_json(&report(&profile, &selection, LOCKS))).unwrap();
    let locks = &json["locks"];
    assert_eq!((&locks["recorded"], &locks["which"]), (&14.into(), &"all".into()));
    assert_eq!(locks["deadlocks"][0][0]["holder"]["tid"], 1_210);
    let row = &locks["rows"][2];
    assert_eq!(
        (&row["lock"], &row["purpose"], &row["library"], &row["address"]),
        (
            &"mutex stock_lock".into(),
            &"contention".into(),
            &"glibc".into(),
            &0x5581_0000_4040_u64.into()
        )
    );
    assert_eq!(
        (&row["waits"]["kept"], &row["waits"]["exact"]),
        (&4.into(), &false.into())
    );
    assert_eq!(
        (&row["waits"]["count"], &row["waits"]["gave_up"]),
        (&7.0.into(), &1.into())
    );
    let holder = &row["holders"][0];
    assert_eq!(
        (&holder["tid"], &holder["evidence"]),
        (&1_208.into(), &"owner".into())
    );
    assert_eq!(
        (&holder["stack_shows"], &holder["total_ns"]),
        (&"released".into(), &110e6.into())
    );
    assert_eq!(holder["meanwhile"]["doing"][0]["function"], "fdatasync");
    assert_eq!(holder["stack"][0]["function"], "pthread_mutex_unlock");
    assert_eq!(locks["kernel_kinds"][0]["count"], 12_003);
    let purposes: Vec<_> = locks["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["purpose"].as_str())
        .collect();
    assert_eq!(purposes[6..], [Some("unknown"), Some("idle"), Some("idle")]);
}

/// What it costs to see where a call was ended: the stack of the thread that did.
#[test]
fn slow_calls_say_where_they_were_woken() {
    let mut profile = calls::calls();
    let writer = match profile.slow[0].waker {
        Waker::Thread(writer) => writer,
        other => panic!("{other:?}"),
    };
    profile.slow[0].woken_ns = profile.slow[0].end_ns - 10 * US;
    profile.call_stacks.push(CallStack {
        thread: writer,
        start_ns: profile.slow[0].end_ns - 20 * US,
        end_ns: profile.slow[0].end_ns,
        stack: profile.samples[998].stack,
        outcome: Outcome::Complete,
    });
    let view = View::Slow(crate::report::Idle::LeftOut);
    let text = show(&profile, view, WIDE);
    assert!(
        text.contains("last wait 79.0 ms, woken by walwriter/1208 at\n            main  [walwriter]\n          <- walwriter"),
        "{text}"
    );
    assert!(
        text.contains("          waited at\n            schedule"),
        "{text}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&as_json(&report(&profile, &Selection::default(), view))).unwrap();
    let waker = &json["slow"]["rows"][1]["waker"];
    assert_eq!(waker["stack"][0]["function"], "main");
    assert_eq!(waker["time_ns"], profile.slow[0].woken_ns);
}
