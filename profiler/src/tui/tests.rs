//! Keys and data in, drawn screens out.
//!
//! The screens are in `screens/`; `BLESS=1 cargo test tui::` writes them anew, for a person to look at.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::mpsc::{self, Sender},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{backend::TestBackend, layout::Size};

use super::*;
use crate::{
    profile::{Id, Mark, Outcome, Profile, folded::from_folded},
    query::{Direction, Selection, Summary, Tree, functions},
    tui::{app::Tab, forest::Forest},
};

mod annotation;
mod changes;
mod chosen;
mod clicking;
mod detail;
mod exporting;
mod flame;
mod header;
mod heat;
mod large;
pub(super) mod locks;
mod measured;
mod overview;
mod recording;
mod replay;
mod searching;
mod soak;
mod sorting;
mod subject;
mod weights;

const WEB: &str = "\
redis-server/812;_start;__libc_start_main;main;aeMain;processCommand;lookupKey;dictFind 180
redis-server/812;_start;__libc_start_main;main;aeMain;processCommand;libc.so.6`memcpy 90
redis-server/812;_start;__libc_start_main;main;aeMain;libc.so.6`read;do_syscall_64_[k];ksys_read_[k];vfs_read_[k];tcp_recvmsg_[k] 120
redis-server/812;_start;__libc_start_main;main;aeMain;sdsnew;libjemalloc.so.2`malloc 60
python3/2201;_start;main;Py_RunMain;_PyEval_EvalFrameDefault;_PyEval_EvalFrameDefault;_PyEval_EvalFrameDefault;long_mul 210
nginx/77;_start;main;ngx_worker_process_cycle;ngx_epoll_process_events;libc.so.6`epoll_wait 40
kworker/u8/31;ret_from_fork_[k];kthread_[k];worker_thread_[k] 15";

const HOSTILE: &str = "\
\x1b[2Jevil/13;ma\x1b[31min;<script>alert(1)</script>;a\u{202e}b\u{9b}c 20
数据库服务器进程/14;主函数;处理请求处理请求处理请求处理请求处理请求处理请求;计算 20
/15;; 3";

/// What a collector would send of `profile`, in one piece.
pub(super) fn delta(mut profile: Profile) -> Feed {
    let lines = std::mem::take(&mut profile.lines);
    let mut delta = profile.take_delta(&mut Mark::default());
    delta.lines = lines.into_iter().collect();
    Feed::Delta(Box::new(delta))
}

fn web() -> Profile {
    let mut profile = from_folded(WEB);
    profile.metadata.hostname = "web1".into();
    profile.metadata.cpus = 4;
    for (index, sample) in profile.samples.iter_mut().enumerate() {
        sample.outcome = match index % 40 {
            7 => Outcome::NoUnwindInfo,
            _ => sample.outcome,
        };
    }
    let quality = &mut profile.quality[0];
    quality.own_cpu_ns = 60_000_000;
    quality.host_busy_ns = 7_150_000_000;
    quality.host_idle_ns = 21_450_000_000;
    quality.lost.insert("ring full".into(), 3);
    profile
}

fn app_of(profile: Profile) -> App {
    let mut app = App::new(Options::default());
    app.absorb(delta(profile));
    app.refresh();
    app
}

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\x1b' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            '→' => KeyCode::Right,
            c => KeyCode::Char(c),
        };
        // As in the loop, every key finds the rows that the one before it left.
        app.prepare();
        let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
        if let Some(action) = app.keys.action(&event, app.mode()) {
            app.update(action);
        }
    }
}

fn screen(app: &mut App, width: u16, height: u16) -> String {
    screen_in(app, width, height, &Theme::DARK)
}

fn screen_in(app: &mut App, width: u16, height: u16, theme: &Theme) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    app.resize(Size::new(width, height));
    app.rests(Duration::ZERO);
    app.prepare();
    terminal.draw(|frame| view::draw(frame, app, theme)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let mut line = String::new();
        let mut covered = 0;
        for x in 0..width {
            let symbol = buffer[(x, y)].symbol();
            if covered == 0 {
                line.push_str(symbol);
                covered = ratatui::text::Span::raw(symbol).width().max(1);
            }
            covered -= 1;
        }
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

#[track_caller]
fn assert_screen(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/tui/screens")
        .join(name)
        .with_extension("txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, drawn).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, expected, "screen {name} is not as in {}", path.display());
}

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

fn assert_screens(name: &str, app: &mut App) {
    for (width, height) in SIZES {
        assert_screen(&format!("{name}-{width}x{height}"), &screen(app, width, height));
    }
}

#[test]
fn the_hottest_functions() {
    assert_screens("functions", &mut app_of(web()));
}

#[test]
fn the_hottest_processes() {
    let mut app = app_of(web());
    press(&mut app, "\t");
    assert_screens("processes", &mut app);
}

#[test]
fn the_tree_of_all_stacks() {
    let mut app = app_of(web());
    press(&mut app, "\t\t\n");
    assert_screens("stacks", &mut app);
}

#[test]
fn a_function_opens_into_its_callers_and_callees_and_escape_goes_back() {
    let mut app = app_of(web());
    press(&mut app, "/aemain\n\n");
    assert_screens("around-a-function", &mut app);
    press(&mut app, "\x1b");
    assert_eq!((app.tab, app.function()), (Tab::Functions, None));
    assert!(!app.filter.is_empty());
    press(&mut app, "\x1b");
    assert!(app.filter.is_empty());
}

#[test]
fn a_process_opens_into_its_stacks_and_every_view_shows_just_that() {
    let mut app = app_of(web());
    press(&mut app, "\tj\n");
    let stacks = screen(&mut app, 80, 24);
    assert!(stacks.contains("in python3 2201"), "{stacks}");
    assert!(!stacks.contains("redis"), "{stacks}");
    press(&mut app, "1");
    let functions = screen(&mut app, 80, 24);
    assert!(
        functions.contains("long_mul") && !functions.contains("dictFind"),
        "{functions}"
    );
    press(&mut app, "\x1b");
    assert_eq!((app.tab, app.process()), (Tab::Processes, None));
}

#[test]
fn sorting_by_total_puts_the_callers_first() {
    let mut app = app_of(web());
    press(&mut app, "s");
    assert_screen("sorted-by-total-80x24", &screen(&mut app, 80, 24));
}

#[test]
fn without_the_kernel_its_time_belongs_to_who_called_it() {
    let mut app = app_of(web());
    press(&mut app, "K");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("read") && !drawn.contains("tcp_recvmsg"),
        "{drawn}"
    );
    assert!(drawn.contains("kernel hidden"), "{drawn}");
}

#[test]
fn a_filter_is_seen_while_it_is_typed_and_works_at_once() {
    let mut app = app_of(web());
    press(&mut app, "/libc");
    assert_screens("filter", &mut app);
    press(&mut app, "zzz");
    assert!(screen(&mut app, 80, 24).contains("nothing here contains “libczzz”"));
    press(&mut app, "\x1b");
    assert!(screen(&mut app, 80, 24).contains("dictFind"));
}

#[test]
fn the_help_names_every_key() {
    let mut app = app_of(web());
    press(&mut app, "?");
    assert_screens("help", &mut app);
    let drawn = screen(&mut app, 200, 60);
    for bound in app.keys.bindings(app.mode()) {
        let long = bound.binding.long;
        assert!(drawn.contains(long), "{long}");
    }
    press(&mut app, "q");
    assert!(!app.quit && app.help.is_none());
}

#[test]
fn before_the_first_samples_it_waits_and_an_idle_host_is_no_error() {
    let mut app = App::new(Options::default());
    assert_screens("empty", &mut app);
    let mut idle = web();
    idle.samples.clear();
    app.absorb(delta(idle));
    app.refresh();
    assert!(screen(&mut app, 80, 24).contains("no samples (last 10 s): nothing of this ran"));
}

#[test]
fn a_pause_holds_the_picture_while_data_come_in() {
    let mut app = app_of(web());
    press(&mut app, "p");
    let held = screen(&mut app, 80, 24);
    assert!(held.contains("PAUSED"), "{held}");
    app.absorb(Feed::Restart);
    let mut other = from_folded("other;somewhere_else 2000");
    other.metadata = web().metadata;
    app.absorb(delta(other));
    assert!(!app.refresh());
    assert_eq!(screen(&mut app, 80, 24), held);
    press(&mut app, "w");
    assert_eq!(screen(&mut app, 80, 24), held);
    press(&mut app, "p");
    let on = screen(&mut app, 80, 24);
    assert!(on.contains("somewhere_else") && !on.contains("PAUSED"), "{on}");
}

#[test]
fn an_end_is_said_with_its_reason_and_the_picture_stays() {
    let mut app = app_of(web());
    app.absorb(Feed::Ended("the command has exited".into()));
    app.absorb(delta(from_folded("late;late 1")));
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("ENDED: the command has exited") && drawn.contains("dictFind"),
        "{drawn}"
    );
}

#[test]
fn names_that_would_act_on_the_terminal_do_not() {
    let mut app = app_of(from_folded(HOSTILE));
    for tab in ["1", "2", "3"] {
        press(&mut app, tab);
        for (width, height) in [(80, 24), (200, 60), (61, 13), (30, 9)] {
            let drawn = screen(&mut app, width, height);
            let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!drawn.contains(acts), "{drawn:?}");
            assert!(
                drawn.lines().all(|line| text_width(line) <= width.into()),
                "{drawn}"
            );
        }
    }
    press(&mut app, "1");
    assert_screen("hostile-80x24", &screen(&mut app, 80, 24));
}

fn text_width(text: &str) -> usize {
    ratatui::text::Span::raw(text).width()
}

#[test]
fn every_size_can_be_drawn() {
    for profile in [Profile::default(), measured::waiting(), from_folded(HOSTILE)] {
        let mut app = app_of(profile);
        for keys in ["1", "G", "2", "\n", "3", "4", "\n", "5", "I", "\n", "?", "?/x"] {
            press(&mut app, keys);
            for width in [1, 2, 3, 7, 13, 14, 15, 23, 25, 30, 39, 45, 59, 60, 79, 110, 300] {
                for height in (1..8).chain([11, 12, 13, 24, 40]) {
                    screen(&mut app, width, height);
                }
            }
        }
    }
}

#[test]
fn the_cursor_stays_on_its_function_when_others_overtake_it() {
    let mut app = app_of(web());
    press(&mut app, "↓↓");
    app.prepare();
    let name = |app: &App| {
        let row = app.function_rows[app.shown_list().cursor()];
        app.answers.functions.as_ref().unwrap().rows[row.index]
            .label
            .clone()
    };
    let chosen = name(&app);
    app.absorb(Feed::Restart);
    let mut more = from_folded(&format!("{WEB}\nhot;hot1 500\nhot;hot2 500"));
    // At the same time as the others.
    more.samples
        .iter_mut()
        .for_each(|sample| sample.time_ns = 17_000_000_000);
    app.absorb(delta(more));
    app.refresh();
    app.prepare();
    assert_eq!(name(&app), chosen);
    assert_eq!(app.shown_list().cursor(), 4);
}

/// Runs the loop with these keys, on data that is there already.
fn run_loop(keys: &[KeyCode], news: Vec<Feed>, interrupted: Option<Ending>) -> (Ending, String) {
    let bursts: Vec<&[KeyCode]> = keys.chunks(1).collect();
    run_bursts(&bursts, news, interrupted)
}

/// As [`run_loop`], with several keys at once.
fn run_bursts(bursts: &[&[KeyCode]], news: Vec<Feed>, interrupted: Option<Ending>) -> (Ending, String) {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let (send_key, events) = mpsc::channel();
    let (send_news, feed): (Sender<Feed>, _) = mpsc::channel();
    news.into_iter().for_each(|news| send_news.send(news).unwrap());
    let bursts: Vec<Vec<KeyCode>> = bursts.iter().map(|keys| keys.to_vec()).collect();
    let typist = std::thread::spawn(move || {
        for keys in bursts {
            std::thread::sleep(Duration::from_millis(30));
            for code in keys {
                let _ = send_key.send(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
            }
        }
        std::thread::sleep(Duration::from_millis(300));
    });
    let dashboard = Dashboard {
        terminal: &mut terminal,
        theme: Theme::PLAIN,
        app: App::new(Options::default()),
        refresh: Duration::from_millis(10),
        rest: REST,
    };
    let ending = dashboard.run(&events, &feed, &|| interrupted).unwrap().why;
    drop(events);
    typist.join().unwrap();
    let text = terminal.backend().to_string();
    (ending, text)
}

#[test]
fn keys_that_come_at_once_mean_what_they_mean_one_by_one() {
    let mut keys: Vec<KeyCode> = "/sdsnew".chars().map(KeyCode::Char).collect();
    keys.extend([KeyCode::Enter, KeyCode::Enter]);
    let bursts = [
        &[KeyCode::Tab, KeyCode::BackTab][..],
        &keys,
        &[KeyCode::Char('q')],
    ];
    let (ending, drawn) = run_bursts(&bursts, vec![delta(web())], None);
    assert_eq!(ending, Ending::Left);
    assert!(drawn.contains("callers of sdsnew"), "{drawn}");
}

#[test]
fn the_loop_draws_what_comes_and_ends_with_a_key() {
    let keys = [KeyCode::Tab, KeyCode::Char('q')];
    let (ending, drawn) = run_loop(&keys, vec![delta(web())], None);
    assert_eq!(ending, Ending::Left);
    assert!(
        drawn.contains("[2 Processes]") && drawn.contains("redis-server"),
        "{drawn}"
    );
}

#[test]
fn what_belongs_to_a_row_comes_when_the_cursor_rests() {
    let mut app = app_of(web());
    screen(&mut app, 200, 60);
    let title = |app: &App| app.answers.preview.as_ref().map(|it| it.title.clone());
    let first = title(&app).unwrap();
    press(&mut app, "jj");
    app.prepare();
    assert_eq!(title(&app), None);
    assert!(!app.rests(Duration::from_secs(3600)));
    assert!(app.rests(Duration::ZERO) && !app.rests(Duration::ZERO));
    app.prepare();
    assert!(title(&app).is_some_and(|title| title != first));
}

#[test]
fn the_loop_ends_with_a_signal_and_with_its_terminal() {
    assert_eq!(
        run_loop(&[], vec![], Some(Ending::Signal(15))).0,
        Ending::Signal(15)
    );
    assert_eq!(run_loop(&[KeyCode::Down], vec![], None).0, Ending::HungUp);
}

/// Run by hand, in release, for the figures: `cargo test --release … measured -- --ignored --nocapture`.
#[test]
#[ignore = "measures; its figures are for people (#5)"]
fn the_cost_of_a_picture_of_many_stacks_is_measured() {
    const STACKS: u32 = 100_000;
    let profile = many_stacks(STACKS);
    let mut distinct: Vec<_> = profile.samples.iter().map(|sample| sample.stack).collect();
    distinct.sort();
    distinct.dedup();
    println!(
        "{} distinct stacks of {} nodes",
        distinct.len(),
        profile.stacks.len()
    );
    let samples = delta(profile);
    let mut app = App::new(Options::default());
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let mut times: Vec<_> = (0..if what.starts_with("draw") { 200 } else { 1 })
            .map(|_| {
                let begin = cpu_time();
                work();
                cpu_time() - begin
            })
            .collect();
        times.sort();
        println!(
            "{what}: median {:?}, p99 {:?}",
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
    };
    let mut samples = Some(samples);
    timed("absorb", &mut || app.absorb(samples.take().unwrap()));
    timed("show", &mut || {
        app.refresh();
    });
    let (profile, all) = (app.source.shown(), Selection::default());
    let mut tree = Tree::default();
    timed("query: summary", &mut || drop(Summary::of(profile, &all)));
    timed("query: functions", &mut || drop(functions(profile, &all)));
    timed("query: tree", &mut || {
        tree = Tree::build(profile, &all, Direction::TopDown)
    });
    timed("forest around a function", &mut || {
        drop(Forest::around(&tree, &tree.names[7]))
    });
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    app.resize(Size::new(200, 60));
    for (tab, key) in [
        ("functions", "1"),
        ("processes", "2"),
        ("stacks", "3"),
        ("stacks, inverted", "i"),
        ("flame graph", "v"),
        ("flame graph, inverted", "i"),
        ("time", "4"),
        ("calls", "5"),
        ("heat", "6"),
        ("overview", "0"),
        ("locks", "7"),
    ] {
        app.update(match key {
            "i" => Action::Invert,
            "v" => Action::Shape,
            tab => Action::Tab(tab.parse::<usize>().unwrap()),
        });
        timed(&format!("ask for {tab}"), &mut || app.prepare());
        timed(&format!("draw {tab}, all cells"), &mut || {
            terminal.clear().unwrap();
            app.prepare();
            terminal
                .draw(|frame| view::draw(frame, &app, &Theme::DARK))
                .unwrap();
        });
        timed(&format!("draw {tab}, cursor moving"), &mut || {
            app.update(Action::Move(1));
            app.prepare();
            terminal
                .draw(|frame| view::draw(frame, &app, &Theme::DARK))
                .unwrap();
        });
    }
    timed("restart", &mut || app.absorb(Feed::Restart));
}

/// The time this thread ran: other programs do not count.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the write, and outlives the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// One sample of each of so many stacks of 20 frames, of 5,000 functions in 50 processes.
fn many_stacks(stacks: u32) -> Profile {
    let mut profile = from_folded(
        &(0..50)
            .map(|process| format!("app{process};main 1\n"))
            .collect::<String>(),
    );
    let threads: Vec<_> = profile.threads.iter().map(|(id, _)| id).collect();
    let locations: Vec<_> = (0..5_000u32)
        .map(|function| {
            let mapping = profile.locations[Id::new(function % 50)].mapping;
            let location = profile.locations.intern(crate::profile::Location {
                mapping,
                address: 0x9000 + u64::from(function) * 16,
            });
            let function = profile.functions.intern(crate::profile::Function {
                name: format!("core::iter::adapters::Map<some_crate::module::Type{function}, F>::next"),
                file: String::new(),
            });
            profile
                .lines
                .insert(location, vec![crate::profile::Line { function, line: 0 }]);
            location
        })
        .collect();
    let template = profile.samples[0];
    profile.samples.clear();
    for number in 0..stacks {
        // A caller has ten callees, the way real stacks fan out; what is left makes every stack differ.
        let frames = (0..20u32).map(|depth| {
            let path = number / 10u32.saturating_pow(19u32.saturating_sub(depth).min(9));
            let mixed = (path + 1).wrapping_mul(2_654_435_761).wrapping_add(depth * 97);
            locations[mixed as usize % locations.len()]
        });
        let stack = profile.stacks.intern(frames);
        profile.samples.push(crate::profile::Sample {
            stack,
            thread: threads[number as usize % threads.len()],
            time_ns: u64::from(number) * 100_000,
            ..template
        });
    }
    profile.quality[0].end_ns = u64::from(stacks) * 100_000;
    profile
}
