//! Letter by letter.

use super::*;

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
    9.000 s    1.00 s  nginx/88        read [pipe] (still running)
");
}

#[test]
fn slow_calls_at_80_columns() {
    assert_eq!(
        show(SLOW, 80),
        "\
7 slow calls, 1.22 s in all, longest first; 1 that waited for events or slept left out (--idle shows them)

       when  duration  thread          call
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
    9.000 s    1.00 s  nginx/88        read [pipe] (still running)
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
