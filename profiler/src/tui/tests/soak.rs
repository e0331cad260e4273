//! Hours of a busy host in seconds: what is remembered, and the time that a picture takes, stay what they were.

use super::*;
use crate::{
    profile::{
        CallStack, Contention, Delta, Extent, Function, Id, Latency, Line, Location, Lock, LockWait, Mapping,
        MappingKind, Operation, Process, QualityWindow, Sample, SlowEvent, Stack, State, Thread, ThreadTime,
        Waker,
    },
    query::{locks::tests::wait, timing::tests::counted},
    tui::{
        history::{History, KEPT},
        source::Source,
    },
};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Samples of a window.
const SAMPLES: u64 = 16;
/// Processes that live as long as the host does.
const SERVICES: u64 = 4;
/// Functions that stacks are made of.
const FUNCTIONS: u64 = 150;
/// The room for what is remembered is so many times smaller than it is, so that hours fill it as days do.
const SMALLER: usize = 24;
/// How often the feed begins its tables anew, in windows.
const RESTART: u64 = 20 * MINUTE;

/// A host whose services go on while other processes come and go, each with code, stacks and locks of its own.
struct Host {
    profile: Profile,
    mark: Mark,
    /// Names of this window's new locations.
    named: Vec<(Id<Location>, Vec<Line>)>,
    second: u64,
    chance: u64,
}

impl Host {
    fn new() -> Self {
        Self {
            profile: Self::tables(),
            mark: Mark::default(),
            named: Vec::new(),
            second: 0,
            chance: 1,
        }
    }

    fn tables() -> Profile {
        let mut profile = web();
        profile.samples.clear();
        profile.quality.clear();
        profile.thread_times.clear();
        Profile {
            metadata: profile.metadata,
            sample_types: profile.sample_types,
            ..Profile::default()
        }
    }

    fn chance(&mut self, below: u64) -> u64 {
        // Marsaglia's xorshift: the same numbers in every run.
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % below
    }

    /// What a window has of a process: one of the services, or that of this second.
    fn thread(&mut self, number: u64) -> (Id<Process>, Id<Thread>) {
        let pid = match number {
            ..SERVICES => 100 + number,
            _ => 1000 + self.second,
        };
        let (name, second) = match number {
            ..SERVICES => (format!("service-{number}"), 0),
            _ => ("short".to_owned(), self.second),
        };
        let process = self.profile.processes.intern(Process {
            pid: pid as u32,
            ppid: 1,
            name,
            exe: String::new(),
            cgroup: String::new(),
            unit: String::new(),
            container: String::new(),
            start_ns: second * SECOND,
            kernel_thread: false,
        });
        let thread = self.profile.threads.intern(Thread {
            process,
            tid: pid as u32,
            name: "main".into(),
        });
        (process, thread)
    }

    /// A stack that may never have been seen before.
    fn stack(&mut self, process: Id<Process>) -> Option<Id<Stack>> {
        // Code of its own, as of a program that compiles while it runs.
        let mapping = self.profile.mappings.intern(Mapping {
            kind: MappingKind::Anonymous(process),
            path: "[anon]".into(),
            build_id: Vec::new(),
        });
        let depth = 3 + self.chance(5);
        let locations: Vec<Id<Location>> = (0..depth)
            .map(|_| {
                let number = self.chance(FUNCTIONS);
                let known = self.profile.locations.len();
                let location = self.profile.locations.intern(Location {
                    mapping,
                    address: 0x1000 * number,
                });
                if self.profile.locations.len() > known {
                    let function = self.profile.functions.intern(Function {
                        name: format!("function_{number}"),
                        file: String::new(),
                    });
                    self.named.push((location, vec![Line { function, line: 0 }]));
                }
                location
            })
            .collect();
        self.profile.stacks.intern(locations)
    }

    /// The next second.
    fn window(&mut self) -> Delta {
        let end_ns = (self.second + 1) * SECOND;
        let start_ns = self.second * SECOND;
        for _ in 0..SAMPLES {
            let number = self.chance(SERVICES + 1);
            let (process, thread) = self.thread(number);
            let stack = self.stack(process);
            let time_ns = start_ns + self.chance(SECOND);
            self.profile.samples.push(Sample {
                time_ns,
                thread,
                stack,
                sample_type: 0,
                outcome: Outcome::Complete,
                cpu: 0,
                value: 10_000_000,
                waker: Waker::Unknown,
            });
        }
        for number in 0..=SERVICES {
            let (process, thread) = self.thread(number);
            let mut ns = [0; State::COUNT];
            ns[State::Running as usize] = SECOND;
            self.profile.thread_times.push(ThreadTime {
                thread,
                start_ns,
                end_ns,
                ns,
                waits: 1,
                preemptions: 0,
                in_calls_ns: None,
            });
            let row = counted(&[(1_000, 5), (2_000_000, 1)]);
            for call in 0..3 {
                let mut row = Latency {
                    start_ns,
                    end_ns,
                    ..row.clone()
                };
                row.key.process = process;
                row.key.operation = Operation::Call(call);
                self.profile.latencies.push(row);
            }
            let stack = self.stack(process);
            let (duration_ns, number_of_lock) = (self.chance(SECOND), self.chance(1_000));
            self.profile.slow.push(SlowEvent {
                thread,
                end_ns,
                stack,
                ..measured::a_read(duration_ns)
            });
            let lock = self.profile.locks.intern(Lock {
                process: Some(process),
                address: 64 * number_of_lock,
                place: None,
                name: String::new(),
            });
            self.profile.lock_waits.push(LockWait {
                lock,
                stack,
                end_ns,
                duration_ns,
                contention: Contention::FutexWait,
                extent: Extent::Whole,
                waker: Waker::Thread(thread),
                woken_ns: end_ns - 1,
                ..wait(thread.raw(), 0)
            });
            self.profile.call_stacks.push(CallStack {
                thread,
                start_ns,
                end_ns,
                stack,
                outcome: Outcome::Complete,
            });
        }
        self.profile.quality.push(QualityWindow {
            start_ns,
            end_ns,
            samples: SAMPLES,
            expected: SAMPLES,
            ..QualityWindow::default()
        });
        self.second += 1;
        Delta {
            lines: std::mem::take(&mut self.named),
            ..self.profile.take_delta(&mut self.mark)
        }
    }

    /// As many windows as that, shown to `app`.
    fn run(&mut self, app: &mut App, windows: u64) {
        for _ in 0..windows {
            if self.second.is_multiple_of(RESTART) && self.second > 0 {
                self.profile = Self::tables();
                self.mark = Mark::default();
                app.absorb(Feed::Restart);
            }
            let delta = self.window();
            app.absorb(Feed::Delta(Box::new(delta)));
        }
        assert_eq!(app.ended, None);
    }
}

/// The most that was remembered in an hour, in rows of whatever kind.
fn hour(host: &mut Host, app: &mut App) -> usize {
    let minutes = (0..HOUR / (10 * MINUTE)).map(|_| {
        host.run(app, 10 * MINUTE);
        let Source::Live(history) = &app.source else {
            unreachable!("it looks at what happens now");
        };
        history.entries()
    });
    minutes.max().unwrap_or(0)
}

/// How long a picture of each view takes, the fastest of some.
fn drawing(app: &mut App) -> Duration {
    let one = |app: &mut App| {
        let begin = Instant::now();
        for tab in ["0", "1", "3", "4", "5", "7"] {
            press(app, tab);
            app.show();
            screen(app, 200, 60);
        }
        begin.elapsed()
    };
    (0..3).map(|_| one(app)).min().unwrap_or_default()
}

#[test]
fn after_hours_it_remembers_no_more_and_draws_as_fast() {
    let mut app = App::new(Options::default());
    let span = Duration::from_secs(5 * MINUTE);
    app.source = Source::Live(Box::new(History::smaller(span, SMALLER)));
    let mut host = Host::new();
    let first = hour(&mut host, &mut app);
    // As many samples came in as are kept of all, and more.
    assert!(HOUR * SAMPLES > 2 * (KEPT / SMALLER) as u64);
    let fast = drawing(&mut app);
    let hours = [2, 3, 4].map(|_| hour(&mut host, &mut app));
    let slow = drawing(&mut app);
    assert!(
        hours.iter().all(|&hour| hour <= first + first / 5),
        "{first}, then {hours:?}"
    );
    assert!(
        slow < 3 * fast + Duration::from_millis(50),
        "{fast:?}, then {slow:?}"
    );
    app.refresh();
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("4 h"), "{drawn}");
}
