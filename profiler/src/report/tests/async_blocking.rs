//! Tasks that kept a worker of an async runtime from other tasks.

use super::*;
use crate::{
    profile::{Id, Process, SlowEvent, Target, Thread, Waker, folded::with_waits},
    query::{
        async_blocking::{
            THRESHOLD_NS,
            tests::{PARK, POLL, WORKER},
        },
        slow::tests::event,
    },
};

const MS: u64 = 1_000_000;
const ASYNC: View = View::Async(THRESHOLD_NS);

/// A server with a task that reads files, one that sleeps, and one that computes.
pub(super) fn server() -> Profile {
    let poll = format!("server/1207;{WORKER};{POLL}");
    let handle = "shop::orders::handle::{{closure}}";
    let read = format!(
        "{poll};{handle};shop::orders::load_catalogue;<std::fs::File as std::io::Read>::read;libc.so.6`read;vfs_read_[k]"
    );
    let sleep = format!(
        "{poll};shop::retry::with_backoff::{{{{closure}}}};std::thread::sleep;libc.so.6`clock_nanosleep;hrtimer_nanosleep_[k]"
    );
    let compute = format!("{poll};shop::prices::refresh::{{{{closure}}}};shop::prices::matrix::invert");
    let mut profile = with_waits(
        from_folded(&format!(
            "{poll};{handle} 9\n{compute} 15\nserver/1207;{WORKER};{PARK} 5\nworker/9;main 1"
        )),
        &format!("{read} 20\n{read} 12\n{sleep} 8\nserver/1207;{WORKER};{PARK} 800\nworker/9;main 3"),
    );
    let stack = profile.samples[30].stack;
    let target = Some(profile.targets.intern(Target("/srv/shop/catalogue.db".into())));
    let waker = Waker::Thread(profile.samples[29].thread);
    profile.slow = vec![
        SlowEvent {
            stack,
            target,
            wait_ns: 11 * MS,
            ..event(0, 300 * MS, 312 * MS, Waker::Interrupt)
        },
        SlowEvent {
            stack,
            target,
            wait_ns: 20 * MS,
            result: 512,
            ..event(0, 350 * MS, 371 * MS, waker)
        },
    ];
    profile
}

/// As [`server`], with names that do not fit.
fn long_names() -> Profile {
    let mut profile = server();
    let long = "shop::orders::storage::postgres::pool::connection::prepared_statements::cache::evict_oldest";
    let names: Vec<_> = profile
        .functions
        .iter()
        .map(|(id, function)| (id, function.name.clone()))
        .collect();
    let (old, _) = names
        .iter()
        .find(|(_, name)| name == "shop::orders::load_catalogue")
        .unwrap();
    let new = profile.functions.intern(crate::profile::Function {
        name: long.into(),
        file: String::new(),
    });
    for line in profile
        .lines
        .values_mut()
        .flatten()
        .filter(|line| line.function == *old)
    {
        line.function = new;
    }
    let target = format!("/srv/{}catalogue.db", "shop/".repeat(20));
    let target = Some(profile.targets.intern(Target(target)));
    profile.slow.iter_mut().for_each(|event| event.target = target);
    profile
}

fn both() -> Selection {
    Selection {
        sample_types: vec![0, 1],
        ..Selection::default()
    }
}

fn show(profile: &Profile, width: Option<usize>) -> String {
    let layout = text::Layout { width, color: false };
    let text = as_text(&report(profile, &both(), ASYNC), layout);
    let (_, below) = text.split_once("whole system\n").expect("the line of the host");
    let list = below.split_once("\n\n").map_or("", |(_, list)| list);
    let longest = list.lines().map(|line| line.chars().count()).max();
    assert!(longest <= width.or(longest), "{text}");
    below.to_owned()
}

#[test]
fn tasks_at_120_columns() {
    assert_eq!(
        show(&server(), Some(120)),
        "\
100 % = 33 samples of 1 worker thread, 1.1 s of their time; 27 samples in task polls; ± is the 95 % interval

blocked: in a task's poll, so that other tasks of the worker had to wait
  share           time  samples  function
  2.8 % ±12.2  32.0 ms        2  shop::orders::load_catalogue
          in std::fs::File::read, of server/1207
          2 slow calls, 33.0 ms in all
          longest 21.0 ms: read /srv/shop/catalogue.db
          last wait 20.0 ms, woken by worker/9
            <std::fs::File as std::io::Read>::read  [server]
            shop::orders::load_catalogue
            shop::orders::handle::{{closure}}
  0.7 % ±10.9  8.00 ms        1  shop::retry::with_backoff::{{closure}}
          in std::thread::sleep, of server/1207
            std::thread::sleep  [server]
            shop::retry::with_backoff::{{closure}}

suspected: 100 ms or more in one poll; all samples in a row show the same task
    longest     in all    times  function
   ≥ 140 ms   ≥ 140 ms        1  shop::prices::matrix::invert
          the longest from 0.090 s on, 15 samples, by server/1207 of server/1207
            shop::prices::matrix::invert  [server]
            shop::prices::refresh::{{closure}}
"
    );
}

#[test]
fn tasks_at_80_columns() {
    assert_eq!(
        show(&long_names(), Some(80)),
        "\
100 % = 33 samples of 1 worker thread, 1.1 s of their time; 27 samples in task polls; ± is the 95 % interval

blocked: in a task's poll, so that other tasks of the worker had to wait
  share           time  samples  function
  2.8 % ±12.2  32.0 ms        2  shop::orders::storage::…ts::cache::evict_oldest
          in std::fs::File::read, of server/1207
          2 slow calls, 33.0 ms in all
          longest 21.0 ms: read /srv/shop/shop/shop/shop…/shop/shop/catalogue.db
          last wait 20.0 ms, woken by worker/9
            <std::fs::File as std::io::Read>::read  [server]
            shop::orders::storage::postgres::p…d_statements::cache::evict_oldest
            shop::orders::handle::{{closure}}
  0.7 % ±10.9  8.00 ms        1  shop::retry::with_backoff::{{closure}}
          in std::thread::sleep, of server/1207
            std::thread::sleep  [server]
            shop::retry::with_backoff::{{closure}}

suspected: 100 ms or more in one poll; all samples in a row show the same task
    longest     in all    times  function
   ≥ 140 ms   ≥ 140 ms        1  shop::prices::matrix::invert
          the longest from 0.090 s on, 15 samples, by server/1207 of server/1207
            shop::prices::matrix::invert  [server]
            shop::prices::refresh::{{closure}}
"
    );
}

#[test]
fn names_in_full_come_with_the_whole_stack() {
    let text = show(&server(), None);
    for frame in [
        "vfs_read",
        "tokio::runtime::task::core::Core<T,S>::poll",
        "clone3",
    ] {
        assert!(text.contains(frame), "{text}");
    }
}

#[test]
fn where_nothing_is_accused_it_says_what_was_seen() {
    let poll = format!("server/7;{WORKER};{POLL};app::task");
    let healthy = with_waits(
        from_folded(&format!("{poll} 3")),
        &format!("server/7;{WORKER};{PARK} 20"),
    );
    assert_eq!(
        show(&healthy, Some(80)),
        "No task of an async runtime was seen blocking its worker: 1 worker thread, 3 samples in task polls.\n"
    );
    assert!(show(&busy(), Some(80)).starts_with("No async runtime was recognised: "));
    let nothing = show(&without_samples(QualityWindow::default()), Some(80));
    assert_eq!(nothing, "No samples: the sampler never ran.\n");
}

#[test]
fn limits_say_what_they_leave_out() {
    let (profile, selection) = (server(), both());
    let report = Report {
        limit: Some(1),
        ..report(&profile, &selection, ASYNC)
    };
    let text = as_text(&report, PLAIN);
    assert!(
        text.contains("… 1 more, 20.0 % of the blocked time; a larger --limit shows them"),
        "{text}"
    );
}

#[test]
fn hostile_text_is_cleaned() {
    let mut profile = server();
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
    let target = Some(profile.targets.intern(Target(evil.into())));
    for event in &mut profile.slow {
        (event.thread, event.target, event.waker) = (thread, target, Waker::Thread(thread));
    }
    for sample in &mut profile.samples {
        sample.thread = thread;
    }
    let (_, lines) = profile
        .lines
        .iter_mut()
        .find(|(_, lines)| profile.functions[lines[0].function].name == "shop::orders::load_catalogue")
        .unwrap();
    lines[0].function = profile.functions.intern(crate::profile::Function {
        name: "shop::\x1b[2J\u{202e}".into(),
        file: "a\x1b.rs".into(),
    });
    let selection = both();
    let report = report(&profile, &selection, ASYNC);
    for width in [Some(80), Some(120), None] {
        let text = as_text(&report, text::Layout { width, color: false });
        assert!(
            !text.chars().any(|c| c != '\n' && crate::query::acts(c)),
            "{text:?}"
        );
        assert!(text.contains("ev�il��") && text.contains("shop::�[2J�"), "{text}");
    }
    assert!(!as_json(&report).trim_end().chars().any(crate::query::acts));
}

#[test]
fn json_has_figures_and_whole_stacks() {
    let profile = server();
    let selection = both();
    let value: serde_json::Value =
        serde_json::from_str(&as_json(&report(&profile, &selection, ASYNC))).unwrap();
    let found = &value["async"];
    assert_eq!(
        (&found["workers"], &found["samples"], &found["poll_samples"]),
        (&1.into(), &33.into(), &27.into())
    );
    let read = &found["blocked"][0];
    assert_eq!(
        (&read["function"], &read["operation"], &read["task"]),
        (
            &"shop::orders::load_catalogue".into(),
            &"std::fs::File::read".into(),
            &"shop::orders::handle::{{closure}}".into()
        )
    );
    assert_eq!(
        (&read["total"]["value"], &read["total"]["samples"]),
        (&(32 * MS).into(), &2.into())
    );
    assert_eq!(
        (&read["calls"], &read["calls_ns"]),
        (&2.into(), &(33 * MS).into())
    );
    assert_eq!(read["longest"]["target"], "/srv/shop/catalogue.db");
    assert_eq!(read["stack"][0]["function"], "vfs_read");
    let suspected = &found["suspected"][0];
    assert_eq!(
        (&suspected["function"], &suspected["spans"]),
        (&"shop::prices::matrix::invert".into(), &1.into())
    );
    assert_eq!(
        (&suspected["total_ns"], &suspected["longest"]["samples"]),
        (&(140 * MS).into(), &15.into())
    );
}
