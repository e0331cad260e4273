/* Makes known system calls.
 *
 * calls count N     N of each, on every kind of descriptor, failing ones, 32-bit ones, in a thread, in N / 10 children of
 *                   10 calls each, and at last in another image of the same process. Says at the end of each image a line
 *                   `call NAME OBJECT COUNT ERRNO ERRORS` for those that only it makes.
 * calls slow N      N waits of 15 ms each: for a pipe, for a TCP peer, for a Unix socket that is bound to a path (the
 *                   second argument is a directory for it); and a file that is synced. Says `partner TID`.
 * calls storm N     for N seconds, two pairs of threads pass a byte to and fro, and two threads call getppid. Says at the end
 *                   `switches N` (those that the kernel counted of all threads) and `getppid N`.
 * calls uring N     N empty requests, N reads and N / 10 that fail through an io_uring, one at a time. Says `requests N` if there is io_uring.
 * calls flight      waits in nanosleep and in a read from standard input, until it is killed. */
#define _GNU_SOURCE
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok)
{
    if (!ok) {
        perror("calls");
        exit(1);
    }
}

static void tcp_pair(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(pair[0], (struct sockaddr *)&address, length) == 0);
    pair[1] = accept(listener, NULL, NULL);
    must(pair[1] >= 0);
    setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(pair[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

static void pass(int from, int to, size_t bytes)
{
    char buffer[8] = {0};
    must(write(to, buffer, bytes) == (ssize_t)bytes);
    must(read(from, buffer, bytes) == (ssize_t)bytes);
}

/* getppid is 64 of the 32-bit table. */
static long getppid_32(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(64) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static void *count_in_thread(void *count)
{
    for (long i = 0; i < *(long *)count; i++)
        syscall(SYS_getpgrp);
    return NULL;
}

static void count(long n, char **argv)
{
    int pipes[2], locals[2], tcp[2], zero, file, event, empty[2];
    char byte;
    must(pipe(pipes) == 0 && pipe2(empty, O_NONBLOCK) == 0);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, locals) == 0);
    tcp_pair(tcp);
    zero = open("/dev/zero", O_RDONLY);
    file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    event = eventfd(0, 0);
    must(zero >= 0 && file >= 0 && event >= 0);
    for (long i = 0; i < n; i++) {
        pass(pipes[0], pipes[1], 1);
        pass(locals[0], locals[1], 1);
        pass(tcp[0], tcp[1], 1);
        must(read(zero, &byte, 1) == 1);
        must(pwrite(file, "x", 1, 0) == 1 && pread(file, &byte, 1, 0) == 1);
        uint64_t one = 1;
        must(write(event, &one, 8) == 8 && read(event, &one, 8) == 8);
        must(read(empty[0], &byte, 1) == -1 && errno == EAGAIN);
        must(syscall(SYS_fsync, -1) == -1 && errno == EBADF);
        must(access("/nonexistent/file", F_OK) == -1 && errno == ENOENT);
        syscall(SYS_getsid, 0);
    }
    long compat = getppid_32() > 0 ? n : 0;
    for (long i = 1; i < compat; i++)
        getppid_32();
    pthread_t thread;
    must(pthread_create(&thread, NULL, count_in_thread, &n) == 0 && pthread_join(thread, NULL) == 0);
    for (long i = 0; i < n / 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (int j = 0; j < 10; j++)
                syscall(SYS_getpriority, 0, 0);
            _exit(0);
        }
        must(child > 0 && waitpid(child, NULL, 0) == child);
    }
    printf("call read pipe %ld 11 %ld\ncall write pipe %ld 0 0\n", 2 * n, n, n);
    printf("call read local_socket %ld 0 0\ncall write local_socket %ld 0 0\n", n, n);
    printf("call read socket %ld 0 0\ncall write socket %ld 0 0\n", n, n);
    printf("call read device %ld 0 0\n", n);
    printf("call pwrite64 file %ld 0 0\n", n);
    printf("call read event %ld 0 0\ncall write event %ld 0 0\n", n, n);
    printf("call fsync none %ld 9 %ld\ncall access none %ld 2 %ld\n", n, n, n, n);
    printf("call getsid none %ld 0 0\ncall getpgrp none %ld 0 0\n", n, n);
    printf("call getppid_32 none %ld 0 0\n", compat);
    printf("call getpriority none %ld 0 0\n", n / 10 * 10);
    printf("call wait4 none %ld 0 0\n", n / 10);
    fflush(stdout);
    char number[32];
    snprintf(number, sizeof number, "%ld", n);
    execl("/proc/self/exe", argv[0], "again", number, (char *)NULL);
    must(0);
}

static void count_again(long n)
{
    for (long i = 0; i < n; i++)
        syscall(SYS_getpgid, 0);
    printf("call getpgid none %ld 0 0\n", n);
}

struct ends {
    int orders[2], pipe[2], tcp[2], local[2];
};

static void *partner(void *argument)
{
    struct ends *ends = argument;
    char order;
    prctl(PR_SET_NAME, "partner");
    while (read(ends->orders[0], &order, 1) == 1) {
        struct timespec pause = {0, 15000000};
        nanosleep(&pause, NULL);
        int to = order == 'p' ? ends->pipe[1] : order == 't' ? ends->tcp[1] : ends->local[1];
        must(write(to, "x", 1) == 1);
    }
    return NULL;
}

FUNCTION void slow_pipe(struct ends *ends)
{
    char byte;
    must(write(ends->orders[1], "p", 1) == 1 && read(ends->pipe[0], &byte, 1) == 1);
    STAY();
}

FUNCTION void slow_tcp(struct ends *ends)
{
    char byte;
    must(write(ends->orders[1], "t", 1) == 1 && recv(ends->tcp[0], &byte, 1, 0) == 1);
    STAY();
}

FUNCTION void slow_local(struct ends *ends)
{
    char byte;
    must(write(ends->orders[1], "l", 1) == 1 && recv(ends->local[0], &byte, 1, 0) == 1);
    STAY();
}

FUNCTION void slow_sync(int file)
{
    static char block[1 << 20];
    must(pwrite(file, block, sizeof block, 0) == sizeof block && fsync(file) == 0);
    STAY();
}

static void slow(long n, const char *directory)
{
    static struct ends ends;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[100];
    must(pipe(ends.orders) == 0 && pipe(ends.pipe) == 0);
    tcp_pair(ends.tcp);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/peer.sock", directory);
    unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    ends.local[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    must(connect(ends.local[0], (struct sockaddr *)&address, sizeof address) == 0);
    ends.local[1] = accept(listener, NULL, NULL);
    must(ends.local[1] >= 0);
    snprintf(path, sizeof path, "%s/synced-file", directory);
    int file = open(path, O_RDWR | O_CREAT, 0600);
    must(file >= 0);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    must(getpeername(ends.tcp[0], (struct sockaddr *)&peer, &length) == 0);
    pthread_t thread;
    must(pthread_create(&thread, NULL, partner, &ends) == 0);
    prctl(PR_SET_NAME, "waiter");
    for (long i = 0; i < n; i++) {
        slow_pipe(&ends);
        slow_tcp(&ends);
        slow_local(&ends);
        slow_sync(file);
    }
    printf("peer 127.0.0.1:%d\nlocal %s\nfile %s\n", ntohs(peer.sin_port), address.sun_path, path);
}

static void *sleep_long(void *unused)
{
    struct timespec forever = {1000, 0};
    (void)unused;
    prctl(PR_SET_NAME, "sleeper");
    nanosleep(&forever, NULL);
    return NULL;
}

static void *sleep_short(void *unused)
{
    prctl(PR_SET_NAME, "napper");
    for (;;) {
        struct timespec nap = {0, 700000000};
        nanosleep(&nap, NULL);
    }
    return unused;
}

static uint64_t storm_end;

struct share {
    int from, to;
    uint64_t calls, switches;
};

static void note_switches(struct share *share)
{
    struct rusage usage;
    must(getrusage(RUSAGE_THREAD, &usage) == 0);
    share->switches = (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw);
}

static void *pass_on(void *argument)
{
    struct share *share = argument;
    char byte;
    while (read(share->from, &byte, 1) == 1 && now_ns() < storm_end)
        must(write(share->to, &byte, 1) == 1);
    close(share->to);
    note_switches(share);
    return NULL;
}

static void *call_on(void *argument)
{
    struct share *share = argument;
    while (now_ns() < storm_end) {
        for (int i = 0; i < 100; i++)
            syscall(SYS_getppid);
        share->calls += 100;
    }
    note_switches(share);
    return NULL;
}

static void storm(long seconds)
{
    struct share shares[6] = {0};
    pthread_t threads[6];
    uint64_t switches = 0, calls = 0;
    signal(SIGPIPE, SIG_IGN);
    storm_end = now_ns() + (uint64_t)seconds * 1000000000u;
    for (int pair = 0; pair < 2; pair++) {
        int there[2], back[2];
        must(pipe(there) == 0 && pipe(back) == 0);
        shares[2 * pair] = (struct share){.from = there[0], .to = back[1]};
        shares[2 * pair + 1] = (struct share){.from = back[0], .to = there[1]};
        must(write(there[1], "x", 1) == 1);
    }
    for (int i = 0; i < 6; i++)
        must(pthread_create(&threads[i], NULL, i < 4 ? pass_on : call_on, &shares[i]) == 0);
    for (int i = 0; i < 6; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        switches += shares[i].switches;
        calls += shares[i].calls;
    }
    printf("switches %lu\ngetppid %lu\n", (unsigned long)switches, (unsigned long)calls);
}

struct ring {
    int descriptor;
    char *submission, *completion;
    struct io_uring_sqe *entries;
    struct io_uring_params params;
};

static int ring_make(struct ring *ring)
{
    ring->descriptor = (int)syscall(SYS_io_uring_setup, 8, &ring->params);
    if (ring->descriptor < 0)
        return 0;
    int access = PROT_READ | PROT_WRITE;
    ring->submission = mmap(NULL, 4096, access, MAP_SHARED, ring->descriptor, IORING_OFF_SQ_RING);
    ring->completion = mmap(NULL, 4096, access, MAP_SHARED, ring->descriptor, IORING_OFF_CQ_RING);
    ring->entries = mmap(NULL, 4096, access, MAP_SHARED, ring->descriptor, IORING_OFF_SQES);
    must(ring->submission != MAP_FAILED && ring->completion != MAP_FAILED && ring->entries != MAP_FAILED);
    return 1;
}

static void ring_do(struct ring *ring, unsigned char opcode, int file, void *buffer, unsigned length)
{
    struct io_sqring_offsets *at = &ring->params.sq_off;
    unsigned *tail = (unsigned *)(ring->submission + at->tail);
    unsigned mask = *(unsigned *)(ring->submission + at->ring_mask), index = *tail & mask;
    memset(&ring->entries[index], 0, sizeof ring->entries[index]);
    ring->entries[index].opcode = opcode;
    ring->entries[index].fd = file;
    ring->entries[index].addr = (uint64_t)buffer;
    ring->entries[index].len = length;
    ((unsigned *)(ring->submission + at->array))[index] = index;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    must(syscall(SYS_io_uring_enter, ring->descriptor, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
    unsigned *head = (unsigned *)(ring->completion + ring->params.cq_off.head);
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
}

static void uring(long n)
{
    static struct ring ring;
    static char block[4096];
    if (!ring_make(&ring))
        return;
    int file = open("/proc/self/exe", O_RDONLY);
    must(file >= 0);
    for (long i = 0; i < n; i++) {
        ring_do(&ring, IORING_OP_NOP, -1, NULL, 0);
        ring_do(&ring, IORING_OP_READ, file, block, sizeof block);
        if (i % 10 == 0)
            ring_do(&ring, IORING_OP_READ, -1, block, sizeof block);
    }
    printf("requests %ld\n", n);
}

int main(int argc, char **argv)
{
    long n = argc > 2 ? atol(argv[2]) : 0;
    if (argc > 2 && strcmp(argv[1], "count") == 0)
        count(n, argv);
    else if (argc > 2 && strcmp(argv[1], "again") == 0)
        count_again(n);
    else if (argc > 3 && strcmp(argv[1], "slow") == 0)
        slow(n, argv[3]);
    else if (argc > 2 && strcmp(argv[1], "uring") == 0)
        uring(n);
    else if (argc > 2 && strcmp(argv[1], "storm") == 0)
        storm(n);
    else if (argc > 1 && strcmp(argv[1], "flight") == 0) {
        pthread_t thread;
        must(pthread_create(&thread, NULL, sleep_long, NULL) == 0);
        must(pthread_create(&thread, NULL, sleep_short, NULL) == 0);
        pause();
    } else {
        fprintf(stderr, "calls count N | slow N DIRECTORY | flight\n");
        return 2;
    }
    return 0;
}
