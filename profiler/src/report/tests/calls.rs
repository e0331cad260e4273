//! System calls, slow calls, block I/O and wakers, letter by letter.

use profiler_common::histogram::bucket;

use super::*;
use crate::{
    profile::{
        BlockOperation, Extent, Id, Latency, LatencyKey, ObjectKind, Operation, Process, SlowEvent, Stack,
        Target, Thread, Waker, folded::with_waits,
    },
    query::Targets,
    report::Idle,
};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;

const READ: Operation = Operation::Call(0);
const OPENAT: Operation = Operation::Call(257);
const FUTEX: Operation = Operation::Call(202);
const FDATASYNC: Operation = Operation::Call(75);
const RECVFROM: Operation = Operation::Call(45);
const EPOLL_WAIT: Operation = Operation::Call(232);

const SYSCALLS: View = View::Syscalls(Owner::Process);
const SLOW: View = View::Slow(Idle::LeftOut);
const FILES: View = View::Targets(Targets::Files, Idle::LeftOut);
const SOCKETS: View = View::Targets(Targets::Sockets, Idle::LeftOut);
const WAKERS: View = View::Wakers(Owner::Process);
const BLOCK: View = View::Block(Owner::Process);

const fn columns(width: usize) -> text::Layout {
    text::Layout {
        width: Some(width),
        color: false,
    }
}

/// Adds as many operations of each duration, in nanoseconds, and their errors.
fn add(
    profile: &mut Profile,
    process: Id<Process>,
    (operation, object, device): (Operation, ObjectKind, u32),
    durations: &[(u64, u64)],
    errors: &[(u16, u64)],
) {
    let mut buckets = std::collections::BTreeMap::new();
    for &(duration, count) in durations {
        *buckets
            .entry(u8::try_from(bucket(duration)).unwrap())
            .or_default() += count;
    }
    let timed: u64 = durations.iter().map(|(_, count)| count).sum();
    profile.latencies.push(Latency {
        key: LatencyKey {
            process,
            operation,
            object,
            device,
        },
        start_ns: 0,
        end_ns: S,
        // What never returns has no duration.
        count: timed.max(1),
        total_ns: durations.iter().map(|(duration, count)| duration * count).sum(),
        min_ns: durations.iter().map(|(duration, _)| *duration).min().unwrap_or(0),
        max_ns: durations.iter().map(|(duration, _)| *duration).max().unwrap_or(0),
        errors: errors.to_vec(),
        buckets: buckets.into_iter().collect(),
    });
}

struct World {
    profile: Profile,
    postgres: Id<Thread>,
    writer: Id<Thread>,
    nginx: Id<Thread>,
    stack: Id<Stack>,
}

/// 10 s of a database, the process that writes for it, and a web server.
fn world() -> World {
    let mut profile = with_waits(
        from_folded("postgres/1207;main 998\nwalwriter/1208;main 1\nnginx/88;main 1"),
        "postgres/1207;_start;main;exec;commit;wait_for_wal;libc.so.6`syscall;do_syscall_64_[k];futex_wait_[k];schedule_[k] 900
         postgres/1207;main 90
         walwriter/1208;main 60
         nginx/88;main 2000
         nginx/88;main 5",
    );
    let thread = |sample: usize, profile: &Profile| profile.samples[sample].thread;
    let [postgres, writer, nginx] = [0, 998, 999].map(|sample| thread(sample, &profile));
    let stack = profile.samples[1_000].stack.unwrap();
    let wakers = [
        Waker::Thread(writer),
        Waker::Nobody,
        Waker::Interrupt,
        Waker::Interrupt,
        Waker::Unknown,
    ];
    for (sample, waker) in profile.samples[1_000..].iter_mut().zip(wakers) {
        sample.waker = waker;
    }
    World {
        profile,
        postgres,
        writer,
        nginx,
        stack,
    }
}

/// Durations in nanoseconds, and how often each.
type Durations = &'static [(u64, u64)];
/// Errors by number, and how often each.
type Errors = &'static [(u16, u64)];

fn with_latencies(mut profile: Profile, threads: [Id<Thread>; 3]) -> Profile {
    let [postgres, writer, nginx] = threads.map(|thread| profile.threads[thread].process);
    let file = ObjectKind::File;
    let none = ObjectKind::None;
    let rows: [(_, _, Durations, Errors); 11] = [
        (
            postgres,
            (READ, file, 0),
            &[(2 * US, 100_000), (90 * US, 2_000), (20 * MS, 3)],
            &[],
        ),
        (
            postgres,
            (FUTEX, none, 0),
            &[(5 * MS, 600)],
            &[(11, 42), (110, 7)],
        ),
        (
            postgres,
            (OPENAT, none, 0),
            &[(8 * US, 1_500)],
            &[(2, 1_200), (13, 3), (0, 1)],
        ),
        (writer, (FDATASYNC, file, 0), &[(4 * MS, 500), (80 * MS, 2)], &[]),
        (
            nginx,
            (RECVFROM, ObjectKind::Socket, 0),
            &[(700, 40_000)],
            &[(11, 9_000)],
        ),
        (
            nginx,
            (EPOLL_WAIT, ObjectKind::Event, 0),
            &[(900 * US, 9_000), (S, 1)],
            &[(4, 1)],
        ),
        (nginx, (Operation::IoUring(22), file, 0), &[(30 * US, 50)], &[]),
        (
            nginx,
            (Operation::CompatCall(3), ObjectKind::Pipe, 0),
            &[(20 * US, 10)],
            &[],
        ),
        (nginx, (Operation::Call(999), none, 0), &[(200, 1)], &[(38, 1)]),
        (nginx, (Operation::Call(231), none, 0), &[], &[]),
        (
            postgres,
            (Operation::RunQueue, none, 0),
            &[(15 * US, 5_000), (12 * MS, 60)],
            &[],
        ),
    ];
    for (process, key, durations, errors) in rows {
        add(&mut profile, process, key, durations, errors);
    }
    let (sda, nvme) = (8 << 20, 259 << 20 | 3);
    let block = ObjectKind::None;
    for (process, operation, device, io, queue) in [
        (writer, BlockOperation::Write, nvme, 3 * MS, 40 * US),
        (writer, BlockOperation::Flush, nvme, MS, 2 * US),
        (postgres, BlockOperation::Read, sda, 9 * MS, 250 * US),
    ] {
        add(
            &mut profile,
            process,
            (Operation::Block(operation), block, device),
            &[(io, 400), (io * 9, 5)],
            &[],
        );
        add(
            &mut profile,
            process,
            (Operation::BlockQueue(operation), block, device),
            &[(queue, 400), (queue * 20, 5)],
            &[],
        );
    }
    profile
}

fn with_slow(world: World) -> Profile {
    let World {
        mut profile,
        postgres,
        writer,
        nginx,
        stack,
    } = world;
    let mut target = |text: &str| Some(profile.targets.intern(Target(text.into())));
    let wal = target("/var/lib/postgresql/15/main/pg_wal/000000010000000000000001");
    let table = target("/var/lib/postgresql/15/main/base/13397/2610");
    let client = target("10.0.0.17:40312");
    let missing = target("/etc/missing");
    let plain = |thread, start: u64, end: u64, operation, object, target| SlowEvent {
        thread,
        end_ns: end,
        duration_ns: end - start,
        extent: Extent::Whole,
        operation,
        object,
        target,
        result: 0,
        arguments: [5, 0x7fff_0000_1000, 8_192, 0, 0, 0],
        stack: None,
        outcome: Outcome::Complete,
        wait_ns: 0,
        waker: Waker::Unknown,
    };
    let (file, socket, none) = (ObjectKind::File, ObjectKind::Socket, ObjectKind::None);
    profile.slow = vec![
        SlowEvent {
            stack: Some(stack),
            wait_ns: 79 * MS,
            waker: Waker::Thread(writer),
            ..plain(postgres, 3_217 * MS, 3_298 * MS, FUTEX, none, None)
        },
        SlowEvent {
            wait_ns: 80 * MS,
            waker: Waker::Interrupt,
            ..plain(writer, 3_216 * MS, 3_297 * MS, FDATASYNC, file, wal)
        },
        SlowEvent {
            result: 8_192,
            waker: Waker::Nobody,
            ..plain(postgres, 4 * S, 4 * S + 20 * MS, READ, file, table)
        },
        SlowEvent {
            result: -2,
            ..plain(postgres, 5 * S, 5 * S + 3 * MS, OPENAT, none, missing)
        },
        SlowEvent {
            result: 1,
            wait_ns: 2 * MS,
            ..plain(nginx, 6 * S, 6 * S + 2_100 * US, RECVFROM, socket, client)
        },
        SlowEvent {
            extent: Extent::BegunBefore,
            result: -11,
            ..plain(nginx, 0, 30 * MS, RECVFROM, socket, client)
        },
        SlowEvent {
            extent: Extent::NotEnded,
            ..plain(nginx, 9 * S, 10 * S, READ, ObjectKind::Pipe, None)
        },
        SlowEvent {
            extent: Extent::Throughout,
            ..plain(nginx, 0, 10 * S, EPOLL_WAIT, ObjectKind::Event, None)
        },
    ];
    profile
}

/// All of it.
pub(super) fn calls() -> Profile {
    let world = world();
    let threads = [world.postgres, world.writer, world.nginx];
    with_latencies(with_slow(world), threads)
}

fn waits() -> Selection {
    Selection {
        sample_types: vec![1],
        ..Selection::default()
    }
}

fn show(view: View, width: usize) -> String {
    let (profile, selection) = (calls(), Selection::default());
    let waits = waits();
    let selection = if matches!(view, View::Wakers(_)) {
        &waits
    } else {
        &selection
    };
    let text = as_text(&report(&profile, selection, view), columns(width));
    let (_, below) = text.split_once("whole system\n").expect("the line of the host");
    let table = below.split_once("\n\n").map_or("", |(_, table)| table);
    let longest = table.lines().max_by_key(|line| line.chars().count());
    assert!(
        longest.is_none_or(|line| line.chars().count() <= width),
        "{longest:?} {text}"
    );
    below.to_owned()
}

fn show_with(view: View, change: impl Fn(&mut Report<'_>)) -> String {
    let (profile, selection) = (calls(), Selection::default());
    let mut report = report(&profile, &selection, view);
    change(&mut report);
    as_text(&report, columns(120))
}

fn base(selection: Selection, view: View) -> String {
    let profile = calls();
    let text = as_text(&report(&profile, &selection, view), columns(120));
    text.lines().nth(2).unwrap_or_default().to_owned()
}

#[test]
fn calls_at_120_columns() {
    assert_eq!(show(SYSCALLS, 120), "\
100 % = 5.64 s in 144,667 calls of 3 processes, without 9,001 that waited for events or slept; all measured, none sampled

 share    total    calls  calls/s  errors      p50      p90      p99      max   pid  process    call           on
53.2 %   3.00 s      600       60      49  5.00 ms  5.00 ms  5.00 ms  5.00 ms  1207  postgres   futex
        errors are: 42 EAGAIN, 7 ETIMEDOUT
38.3 %   2.16 s      502       50       ·  4.06 ms  4.06 ms  4.06 ms  80.0 ms  1208  walwriter  fdatasync      file
 7.8 %   440 ms  102,003   10,160       ·  2.00 µs  2.00 µs  86.0 µs  20.0 ms  1207  postgres   read           file
 0.5 %  28.0 ms   40,000    3,984   9,000   700 ns   700 ns   700 ns   700 ns    88  nginx      recvfrom       socket
        errors are: 9,000 EAGAIN
 0.2 %  12.0 ms    1,500      149   1,204  8.00 µs  8.00 µs  8.00 µs  8.00 µs  1207  postgres   openat
        errors are: 1,200 ENOENT, 3 EACCES, 1 other
<0.1 %  1.50 ms       50      5.0       ·  30.0 µs  30.0 µs  30.0 µs  30.0 µs    88  nginx      io_uring read  file
<0.1 %   200 µs       10      1.0       ·  20.0 µs  20.0 µs  20.0 µs  20.0 µs    88  nginx      read (32-bit)  pipe
<0.1 %   200 ns        1     <0.1       1   200 ns   200 ns   200 ns   200 ns    88  nginx      syscall 999
        errors are: 1 ENOSYS
   0 %     0 ns        1     <0.1       ·        ·        ·        ·        ·    88  nginx      exit_group
waiting for events or sleeping:
     ·   9.10 s    9,001      897       1   900 µs   900 µs   900 µs   1.00 s    88  nginx      epoll_wait     event
        errors are: 1 EINTR
1 call still ran when the recording ended, and 1 idle one
  1.00 s  nginx/88  read [pipe]
1 call already ran when the recording began
 30.0 ms  nginx/88  recvfrom 10.0.0.17:40312
");
}

#[test]
fn calls_at_80_columns() {
    assert_eq!(show(SYSCALLS, 80), "\
100 % = 5.64 s in 144,667 calls of 3 processes, without 9,001 that waited for events or slept; all measured, none sampled

 share   total   calls errors     p99  pid process   call          on
53.2 %  3.00 s     600     49 5.00 ms 1207 postgres  futex
        errors are: 42 EAGAIN, 7 ETIMEDOUT
38.3 %  2.16 s     502      · 4.06 ms 1208 walwriter fdatasync     file
 7.8 %  440 ms 102,003      · 86.0 µs 1207 postgres  read          file
 0.5 % 28.0 ms  40,000  9,000  700 ns   88 nginx     recvfrom      socket
        errors are: 9,000 EAGAIN
 0.2 % 12.0 ms   1,500  1,204 8.00 µs 1207 postgres  openat
        errors are: 1,200 ENOENT, 3 EACCES, 1 other
<0.1 % 1.50 ms      50      · 30.0 µs   88 nginx     io_uring read file
<0.1 %  200 µs      10      · 20.0 µs   88 nginx     read (32-bit) pipe
<0.1 %  200 ns       1      1  200 ns   88 nginx     syscall 999
        errors are: 1 ENOSYS
   0 %    0 ns       1      ·       ·   88 nginx     exit_group
waiting for events or sleeping:
     ·  9.10 s   9,001      1  900 µs   88 nginx     epoll_wait    event
        errors are: 1 EINTR
1 call still ran when the recording ended, and 1 idle one
  1.00 s  nginx/88  read [pipe]
1 call already ran when the recording began
 30.0 ms  nginx/88  recvfrom 10.0.0.17:40312
");
}

#[test]
fn calls_of_whoever_is_asked_for() {
    assert_eq!(show(View::Syscalls(Owner::Unit), 100), "\
100 % = 5.64 s in 144,667 calls of 3 processes, without 9,001 that waited for events or slept; all measured, none sampled

 share   total   calls calls/s errors     p50     p90     p99     max unit      call          on
53.2 %  3.00 s     600      60     49 5.00 ms 5.00 ms 5.00 ms 5.00 ms [no unit] futex
        errors are: 42 EAGAIN, 7 ETIMEDOUT
38.3 %  2.16 s     502      50      · 4.06 ms 4.06 ms 4.06 ms 80.0 ms [no unit] fdatasync     file
 7.8 %  440 ms 102,003  10,160      · 2.00 µs 2.00 µs 86.0 µs 20.0 ms [no unit] read          file
 0.5 % 28.0 ms  40,000   3,984  9,000  700 ns  700 ns  700 ns  700 ns [no unit] recvfrom      socket
        errors are: 9,000 EAGAIN
 0.2 % 12.0 ms   1,500     149  1,204 8.00 µs 8.00 µs 8.00 µs 8.00 µs [no unit] openat
        errors are: 1,200 ENOENT, 3 EACCES, 1 other
<0.1 % 1.50 ms      50     5.0      · 30.0 µs 30.0 µs 30.0 µs 30.0 µs [no unit] io_uring read file
<0.1 %  200 µs      10     1.0      · 20.0 µs 20.0 µs 20.0 µs 20.0 µs [no unit] read (32-bit) pipe
<0.1 %  200 ns       1    <0.1      1  200 ns  200 ns  200 ns  200 ns [no unit] syscall 999
        errors are: 1 ENOSYS
   0 %    0 ns       1    <0.1      ·       ·       ·       ·       · [no unit] exit_group
waiting for events or sleeping:
     ·  9.10 s   9,001     897      1  900 µs  900 µs  900 µs  1.00 s [no unit] epoll_wait    event
        errors are: 1 EINTR
1 call still ran when the recording ended, and 1 idle one
  1.00 s  nginx/88  read [pipe]
1 call already ran when the recording began
 30.0 ms  nginx/88  recvfrom 10.0.0.17:40312
");
}

#[test]
fn what_is_left_out_is_said() {
    let rest = |percent_limit, at_least, limit| {
        let text = show_with(SYSCALLS, |report| {
            (report.percent_limit, report.at_least, report.limit) = (percent_limit, at_least, limit);
        });
        let line = text.lines().find(|line| line.starts_with('…'));
        line.map(str::to_owned)
    };
    assert_eq!(rest(0.0, 0, None), None);
    assert_eq!(
        rest(0.5, 0, None).unwrap(),
        "… 6 more, 0.7 % of the time that was not idle; --percent-limit 0 shows them"
    );
    assert_eq!(
        rest(0.0, 0, Some(1)).unwrap(),
        "… 9 more, 46.8 % of the time that was not idle; a larger --limit shows them"
    );
    // What never returns takes no time: it is not among the largest, whatever the limit.
    assert_eq!(
        rest(0.5, 10, None).unwrap(),
        "… 1 more, 0 % of the time that was not idle; --percent-limit 0 shows them"
    );
    for view in [SLOW, FILES, BLOCK] {
        let text = show_with(view, |report| report.limit = Some(1));
        let rest = text.lines().last().unwrap();
        assert!(
            rest.starts_with("… ") && rest.ends_with("a larger --limit shows them"),
            "{text}"
        );
    }
}

#[test]
fn slow_calls_at_120_columns() {
    assert_eq!(show(SLOW, 120), "\
7 slow calls, 1.22 s in all, longest first; 1 that waited for events or slept left out (--idle shows them)

       when  duration  thread          call
    9.000 s    1.00 s  nginx/88        read [pipe] (still running)
    3.216 s   81.0 ms  walwriter/1208  fdatasync /var/lib/postgresql/15/main/pg_wal/000000010000000000000001 = 0
          last wait 80.0 ms, woken by an interrupt
    3.217 s   81.0 ms  postgres/1207   futex = 0
          last wait 79.0 ms, woken by walwriter/1208
          <- walwriter/1208 fdatasync /var/lib/po…0000000001 81.0 ms <- an interrupt
            schedule  [kernel]
            futex_wait
            do_syscall_64
            syscall  [libc.so.6]
            wait_for_wal  [postgres]
            commit
            exec
            main
            … 1 caller (--full-names shows them)
    0.000 s   30.0 ms  nginx/88        recvfrom 10.0.0.17:40312 = EAGAIN (begun before)
    4.000 s   20.0 ms  postgres/1207   read /var/lib/postgresql/15/main/base/13397/2610 = 8,192 bytes
          waited for a CPU only
    5.000 s   3.00 ms  postgres/1207   openat /etc/missing = ENOENT
    6.000 s   2.10 ms  nginx/88        recvfrom 10.0.0.17:40312 = 1 byte
          last wait 2.00 ms, who woke it is not known
");
}

#[test]
fn slow_calls_at_80_columns() {
    assert_eq!(
        show(SLOW, 80),
        "\
7 slow calls, 1.22 s in all, longest first; 1 that waited for events or slept left out (--idle shows them)

       when  duration  thread          call
    9.000 s    1.00 s  nginx/88        read [pipe] (still running)
    3.216 s   81.0 ms  walwriter/1208  fdatasync /var/lib/post…0000000000001 = 0
          last wait 80.0 ms, woken by an interrupt
    3.217 s   81.0 ms  postgres/1207   futex = 0
          last wait 79.0 ms, woken by walwriter/1208
          <- walwriter/1208 fdatasync /var/li…0000000001 81.0 ms <- an interrupt
            schedule  [kernel]
            futex_wait
            do_syscall_64
            syscall  [libc.so.6]
            wait_for_wal  [postgres]
            commit
            exec
            main
            … 1 caller (--full-names shows them)
    0.000 s   30.0 ms  nginx/88        recvfrom 10.0…312 = EAGAIN (begun before)
    4.000 s   20.0 ms  postgres/1207   read /var/lib/po…13397/2610 = 8,192 bytes
          waited for a CPU only
    5.000 s   3.00 ms  postgres/1207   openat /etc/missing = ENOENT
    6.000 s   2.10 ms  nginx/88        recvfrom 10.0.0.17:40312 = 1 byte
          last wait 2.00 ms, who woke it is not known
"
    );
}

#[test]
fn idle_calls_are_slow_for_who_asks() {
    let text = show(View::Slow(Idle::Shown), 120);
    assert!(
        text.starts_with("8 slow calls, 11.2 s in all, longest first\n"),
        "{text}"
    );
    assert!(
        text.contains("  10.0 s  nginx/88        epoll_wait [event] (running all through)\n"),
        "{text}"
    );
}

#[test]
fn names_and_stacks_in_full() {
    let (profile, selection) = (calls(), Selection::default());
    let layout = text::Layout {
        width: None,
        color: false,
    };
    let text = as_text(&report(&profile, &selection, SLOW), layout);
    for line in [
        "            _start\n",
        "<- walwriter/1208 fdatasync /var/lib/postgresql/15/main/pg_wal/000000010000000000000001 81.0 ms <- an interrupt\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains('…'), "{text}");
}

#[test]
fn files_and_sockets_at_120_columns() {
    assert_eq!(show(FILES, 120), "\
100 % = 1.10 s in 4 calls: slow calls only, since of no other it is known what it was on

 share    total  calls      p50      p99      max    on  file                                  calls are  process
90.6 %   1.00 s      1   1.00 s   1.00 s   1.00 s  pipe  [pipe]                                read       nginx/88
 7.3 %  81.0 ms      1  81.0 ms  81.0 ms  81.0 ms  file  /var/lib/postgresq…10000000000000001  fdatasync  walwriter/1208
 1.8 %  20.0 ms      1  20.0 ms  20.0 ms  20.0 ms  file  /var/lib/postgresq…n/base/13397/2610  read       postgres/1207
 0.3 %  3.00 ms      1  3.00 ms  3.00 ms  3.00 ms        /etc/missing                          openat     postgres/1207
");
    assert_eq!(
        show(SOCKETS, 120),
        "\
100 % = 32.1 ms in 2 calls: slow calls only, since of no other it is known what it was on

share    total  calls      p50      p99      max      on  peer             calls are  process
100 %  32.1 ms      2  2.10 ms  30.0 ms  30.0 ms  socket  10.0.0.17:40312  recvfrom   nginx/88
"
    );
}

#[test]
fn files_and_sockets_at_80_columns() {
    assert_eq!(
        show(FILES, 80),
        "\
100 % = 1.10 s in 4 calls: slow calls only, since of no other it is known what it was on

 share   total calls     p50     max file             calls are process
90.6 %  1.00 s     1  1.00 s  1.00 s [pipe]           read      nginx/88
 7.3 % 81.0 ms     1 81.0 ms 81.0 ms /var/lib…0000001 fdatasync walwriter/1208
 1.8 % 20.0 ms     1 20.0 ms 20.0 ms /var/lib…97/2610 read      postgres/1207
 0.3 % 3.00 ms     1 3.00 ms 3.00 ms /etc/missing     openat    postgres/1207
"
    );
    assert_eq!(
        show(SOCKETS, 80),
        "\
100 % = 32.1 ms in 2 calls: slow calls only, since of no other it is known what it was on

share   total calls     p50     p99     max peer            calls are process
100 % 32.1 ms     2 2.10 ms 30.0 ms 30.0 ms 10.0.0.17:40312 recvfrom  nginx/88
"
    );
}

#[test]
fn wakers_at_120_columns() {
    assert_eq!(show(View::Wakers(Owner::Thread), 120), "\
100 % = 5 waiting samples, 3.0 s of waiting time; ± is the 95 % interval; waits for events and sleep are among them

  share           time  samples   pid   tid  thread     woken by
 65.5 % ±38.8   2.00 s        1    88    88  nginx      an interrupt
 29.5 % ±40.3   900 ms        1  1207  1207  postgres   walwriter/1208
  2.9 % ±43.7  90.0 ms        1  1207  1207  postgres   nobody: waited for a CPU
  2.0 % ±43.7  60.0 ms        1  1208  1208  walwriter  an interrupt
  0.2 % ±43.5  5.00 ms        1    88    88  nginx      not known
");
}

#[test]
fn wakers_at_80_columns() {
    assert_eq!(show(WAKERS, 80), "\
100 % = 5 waiting samples, 3.0 s of waiting time; ± is the 95 % interval; waits for events and sleep are among them

  share          time samples  pid process   woken by
 65.5 % ±38.8  2.00 s       1   88 nginx     an interrupt
 29.5 % ±40.3  900 ms       1 1207 postgres  walwriter/1208
  2.9 % ±43.7 90.0 ms       1 1207 postgres  nobody: waited for a CPU
  2.0 % ±43.7 60.0 ms       1 1208 walwriter an interrupt
  0.2 % ±43.5 5.00 ms       1   88 nginx     not known
");
}

#[test]
fn block_io_at_120_columns() {
    assert_eq!(show(BLOCK, 120), "\
100 % = 5.79 s in devices + 146 ms in queues before them, 1,215 requests; all measured, none sampled

 share   total  requests      p50      p99      max  queue p50  queue p99  queue max  device  request   pid  process
69.6 %  4.13 s       405  9.00 ms  79.7 ms  81.0 ms     254 µs    4.98 ms    5.00 ms     8:0  read     1207  postgres
22.8 %  1.35 s       405  3.01 ms  26.2 ms  27.0 ms    40.0 µs     800 µs     800 µs   259:3  write    1208  walwriter
 7.5 %  446 ms       405  1.02 ms  8.91 ms  9.00 ms    2.00 µs    38.9 µs    40.0 µs   259:3  flush    1208  walwriter
");
}

#[test]
fn block_io_at_80_columns() {
    assert_eq!(
        show(BLOCK, 80),
        "\
100 % = 5.79 s in devices + 146 ms in queues before them, 1,215 requests; all measured, none sampled

 share  total requests     p50     p99 queue p99 device request  pid process
69.6 % 4.13 s      405 9.00 ms 79.7 ms   4.98 ms    8:0 read    1207 postgres
22.8 % 1.35 s      405 3.01 ms 26.2 ms    800 µs  259:3 write   1208 walwriter
 7.5 % 446 ms      405 1.02 ms 8.91 ms   38.9 µs  259:3 flush   1208 walwriter
"
    );
}

#[test]
fn a_selection_is_named() {
    let of = |pids: &[u32]| Selection {
        pids: pids.to_vec(),
        ..Selection::default()
    };
    for (view, selected, nothing) in [
        (
            SYSCALLS,
            "100 % = 2.16 s in 502 calls of 1 process (of 153,668: pid 1208); all measured, none sampled",
            "No call matches: pid 1. 153,668 calls recorded.",
        ),
        (
            SLOW,
            "1 slow call (of 8: pid 1208), 81.0 ms in all, longest first",
            "No slow call matches: pid 1. 8 slow calls recorded.",
        ),
        (
            FILES,
            "100 % = 81.0 ms in 1 call (of 8: pid 1208): slow calls only, since of no other it is known what it was on",
            "No slow call on a file (of 8: pid 1).",
        ),
        (
            SOCKETS,
            "No slow call on a socket (of 8: pid 1208).",
            "No slow call on a socket (of 8: pid 1).",
        ),
        (
            BLOCK,
            "100 % = 1.78 s in devices + 21.0 ms in queues before them, 810 requests (of 1,215: pid 1208); all measured, \
             none sampled",
            "No request matches: pid 1. 1,215 requests recorded.",
        ),
    ] {
        assert_eq!(base(of(&[1208]), view), selected);
        assert_eq!(base(of(&[1]), view), nothing);
    }
    let late = Selection {
        time: Some(5 * S..u64::MAX),
        ..Selection::default()
    };
    assert_eq!(
        base(late.clone(), SYSCALLS),
        "No call matches: time 5.0 s-. 153,668 calls recorded."
    );
    assert!(base(late, SLOW).starts_with("3 slow calls (of 8: time 5.0 s-), 1.01 s in all"));
}

#[test]
fn where_nothing_was_recorded_it_says_so() {
    for (view, text) in [
        (SYSCALLS, "No calls: none was recorded."),
        (SLOW, "No slow calls: none was recorded."),
        (FILES, "No slow calls: none was recorded."),
        (SOCKETS, "No slow calls: none was recorded."),
        (BLOCK, "No requests: none was recorded."),
    ] {
        let shown = super::show(&busy(), view);
        assert!(shown.ends_with(&format!("\n{text}\n")), "{shown}");
    }
}

fn every_view() -> Vec<View> {
    vec![
        SYSCALLS,
        View::Syscalls(Owner::Comm),
        SLOW,
        View::Slow(Idle::Shown),
        FILES,
        SOCKETS,
        WAKERS,
        View::Wakers(Owner::Thread),
        BLOCK,
    ]
}

#[test]
fn hostile_text_is_cleaned() {
    let mut profile = calls();
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
        (event.thread, event.target, event.waker) = (thread, target, Waker::Thread(event.thread));
    }
    for window in &mut profile.latencies {
        window.key.process = process;
    }
    for sample in &mut profile.samples {
        (sample.thread, sample.waker) = (thread, Waker::Thread(thread));
    }
    for view in every_view() {
        for selection in [Selection::default(), waits()] {
            let report = report(&profile, &selection, view);
            for text in [80, 120].map(|width| as_text(&report, columns(width))) {
                assert!(
                    !text.chars().any(|c| c != '\n' && crate::query::acts(c)),
                    "{text:?}"
                );
                assert!(text.contains("ev�il��"), "{text}");
            }
            let json = as_json(&report);
            assert!(!json.trim_end().chars().any(crate::query::acts), "{json:?}");
        }
    }
}

#[test]
fn colour_only_adds_escape_sequences() {
    let (profile, selection) = (calls(), Selection::default());
    for view in every_view() {
        let report = report(&profile, &selection, view);
        let coloured = text::Layout {
            color: true,
            ..columns(120)
        };
        let mut text = as_text(&report, coloured);
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[36m"] {
            text = text.replace(code, "");
        }
        let text: String = text
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        assert_eq!(text, as_text(&report, columns(120)));
    }
}

#[test]
fn figures_in_json_are_exact() {
    let (profile, selection, waits) = (calls(), Selection::default(), waits());
    let json = |view, selection| -> serde_json::Value {
        serde_json::from_str(&as_json(&report(&profile, selection, view))).unwrap()
    };
    let all = json(SYSCALLS, &selection);
    let syscalls = &all["syscalls"];
    assert_eq!(syscalls["calls"], 144_667);
    assert_eq!(syscalls["idle_calls"], 9_001);
    let futex = &syscalls["rows"][0];
    assert_eq!((&futex["call"], &futex["number"]), (&"futex".into(), &202.into()));
    assert_eq!(
        (&futex["pid"], &futex["interface"]),
        (&1207.into(), &"call".into())
    );
    assert_eq!(
        futex["errors"][0],
        serde_json::json!({"errno": 11, "error": "EAGAIN", "count": 42})
    );
    assert_eq!(
        futex["histogram"],
        serde_json::json!([{"from_ns": 4_718_592, "to_ns": 5_242_880, "count": 600}])
    );
    assert_eq!(syscalls["rows"][9]["idle"], true);
    let extents: Vec<_> = syscalls["unfinished"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["extent"].as_str().unwrap())
        .collect();
    assert_eq!(extents, ["throughout", "not_ended", "begun_before"]);

    let all = json(SLOW, &selection);
    let slow = &all["slow"];
    assert_eq!((&slow["count"], &slow["idle_left_out"]), (&7.into(), &1.into()));
    let futex = &slow["rows"][2];
    assert_eq!(
        (&futex["start_ns"], &futex["result"]),
        (&(3_217 * MS).into(), &0.into())
    );
    assert_eq!(futex["waker"]["thread"]["tid"], 1208);
    assert_eq!(futex["chain"][0]["call"], "fdatasync");
    assert_eq!(
        futex["stack"][0],
        serde_json::json!({"function": "schedule", "module": "[kernel.kallsyms]", "kernel": true})
    );
    assert_eq!(futex["stack"].as_array().unwrap().len(), 9);
    let openat = &slow["rows"][5];
    assert_eq!(
        (&openat["result"], &openat["error"]),
        (&(-2).into(), &"ENOENT".into())
    );
    assert_eq!(slow["rows"][0]["result"], serde_json::Value::Null);

    let files = json(FILES, &selection);
    assert_eq!(files["files"]["rows"][3]["target"], "/etc/missing");
    let sockets = json(SOCKETS, &selection);
    assert_eq!(sockets["sockets"]["rows"][0]["calls"][0]["count"], 2);
    let wakers = json(WAKERS, &waits);
    assert_eq!(wakers["sample_type"]["name"], "off_cpu");
    assert_eq!(
        wakers["wakers"]["rows"][1]["waker"],
        serde_json::json!({"kind": "thread", "name": "walwriter", "pid": 1208})
    );
    let block = json(BLOCK, &selection);
    assert_eq!(
        (
            &block["block"]["rows"][1]["major"],
            &block["block"]["rows"][1]["minor"]
        ),
        (&259.into(), &3.into())
    );
    assert_eq!(block["block"]["rows"][1]["device"]["max_ns"], 27 * MS);
}
