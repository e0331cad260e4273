/* Waits for locks, each in a known way.
 *
 * locks MODE SECONDS, where MODE is
 *   mutex     one thread holds `hot_lock` for 5 ms of every 10, in `hot_section`; eight want it, in two functions
 *   shared    the same, and the lock is in memory that two processes share
 *   library   the same, and the lock is a variable of a library
 *   pi        the same, with priority inheritance
 *   rwlock    the same: one writer, eight readers
 *   pool      four workers wait for work on a condition variable; nobody waits for the mutex
 *   deadlock  two threads lock two locks in opposite order, and the program sleeps
 *   many      two threads that want 10,000 locks at the same time, one after the other
 *   pingpong  two threads hand a futex word to and fro
 *   idle      nobody waits: pairs of lock and unlock
 *   garbage   waits for a word as glibc does, behind which there is no thread
 *   storm     four threads make and close files in one directory: locks of the kernel
 *
 * At the end it says `holder TID`, `waits N` and `waited NS` of waits longer than 20 us, as it saw them itself; `pairs N` or
 * `rounds N` in `idle` and `pingpong`. */
#define _GNU_SOURCE
#include "workload.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAITERS = 8, LOCKS = 10000 };

static pthread_mutex_t hot_lock = PTHREAD_MUTEX_INITIALIZER;
/* In liblocks.so. */
pthread_mutex_t *library_mutex(void);

static pthread_rwlock_t hot_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t *lock = &hot_lock;
static uint64_t deadline;
static atomic_ulong waited_ns, waits;
static atomic_int holder_tid;

static void spin(uint64_t ns)
{
    for (uint64_t end = now_ns() + ns; now_ns() < end;)
        ;
}

static void nap(long us)
{
    struct timespec time = {.tv_nsec = us * 1000};
    nanosleep(&time, NULL);
}

static void note(uint64_t begin)
{
    uint64_t ns = now_ns() - begin;
    if (ns > 20000) {
        waited_ns += ns;
        waits++;
    }
}

FUNCTION static void hot_section(void)
{
    pthread_mutex_lock(lock);
    spin(5000000);
    pthread_mutex_unlock(lock);
    STAY();
}

FUNCTION static void hot_write(void)
{
    pthread_rwlock_wrlock(&hot_rwlock);
    spin(5000000);
    pthread_rwlock_unlock(&hot_rwlock);
    STAY();
}

FUNCTION static void want(void)
{
    uint64_t begin = now_ns();
    pthread_mutex_lock(lock);
    note(begin);
    pthread_mutex_unlock(lock);
    STAY();
}

FUNCTION static void first_path(void)
{
    want();
    STAY();
}

FUNCTION static void second_path(void)
{
    want();
    STAY();
}

FUNCTION static void hot_read(void)
{
    uint64_t begin = now_ns();
    pthread_rwlock_rdlock(&hot_rwlock);
    note(begin);
    pthread_rwlock_unlock(&hot_rwlock);
    STAY();
}

static void *hold(void *section)
{
    holder_tid = gettid();
    while (now_ns() < deadline) {
        ((void (*)(void))section)();
        nap(5000);
    }
    return NULL;
}

static void *wait_for_it(void *section)
{
    while (now_ns() < deadline) {
        ((void (*)(void))section)();
        nap(1000);
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*begin)(void *), void *argument)
{
    if (pthread_create(thread, NULL, begin, argument) != 0) {
        perror("locks");
        exit(1);
    }
}

static void contend(void (*holds)(void), void (*first)(void), void (*second)(void))
{
    pthread_t threads[WAITERS + 1];
    start(&threads[WAITERS], hold, (void *)holds);
    for (int i = 0; i < WAITERS; i++)
        start(&threads[i], wait_for_it, (void *)(i % 2 ? first : second));
    for (int i = 0; i <= WAITERS; i++)
        pthread_join(threads[i], NULL);
    printf("holder %d\nwaits %lu\nwaited %lu\n", holder_tid, (unsigned long)waits, (unsigned long)waited_ns);
}

static void with_protocol(int shared, int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, shared);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutex_init(lock, &attributes);
}

/* The parent holds, the child's threads want. */
static void share(void)
{
    lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    with_protocol(PTHREAD_PROCESS_SHARED, PTHREAD_PRIO_NONE);
    pid_t child = fork();
    if (child == 0) {
        pthread_t threads[WAITERS];
        for (int i = 0; i < WAITERS; i++)
            start(&threads[i], wait_for_it, (void *)(i % 2 ? first_path : second_path));
        for (int i = 0; i < WAITERS; i++)
            pthread_join(threads[i], NULL);
        printf("waits %lu\nwaited %lu\n", (unsigned long)waits, (unsigned long)waited_ns);
        fflush(stdout);
        _exit(0);
    }
    hold((void *)hot_section);
    waitpid(child, NULL, 0);
    printf("holder %d\n", holder_tid);
}

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_work = PTHREAD_COND_INITIALIZER;
static int pool_jobs, pool_stop;

FUNCTION static int next_job(void)
{
    pthread_mutex_lock(&pool_lock);
    while (pool_jobs == 0 && !pool_stop)
        pthread_cond_wait(&pool_work, &pool_lock);
    int job = pool_jobs > 0 ? pool_jobs-- : 0;
    pthread_mutex_unlock(&pool_lock);
    return job;
}

static void *pool_worker(void *unused)
{
    (void)unused;
    while (next_job() != 0)
        spin(200000);
    return NULL;
}

static void pool(void)
{
    pthread_t workers[4];
    for (int i = 0; i < 4; i++)
        start(&workers[i], pool_worker, NULL);
    while (now_ns() < deadline) {
        pthread_mutex_lock(&pool_lock);
        pool_jobs++;
        pthread_mutex_unlock(&pool_lock);
        pthread_cond_signal(&pool_work);
        nap(5000);
    }
    pthread_mutex_lock(&pool_lock);
    pool_stop = 1;
    pthread_mutex_unlock(&pool_lock);
    pthread_cond_broadcast(&pool_work);
    for (int i = 0; i < 4; i++)
        pthread_join(workers[i], NULL);
}

static pthread_mutex_t left_lock = PTHREAD_MUTEX_INITIALIZER, right_lock = PTHREAD_MUTEX_INITIALIZER;

FUNCTION static void left_then_right(void)
{
    pthread_mutex_lock(&left_lock);
    nap(100000);
    pthread_mutex_lock(&right_lock);
    STAY();
}

FUNCTION static void right_then_left(void)
{
    pthread_mutex_lock(&right_lock);
    nap(100000);
    pthread_mutex_lock(&left_lock);
    STAY();
}

static void *locks_twice(void *section)
{
    ((void (*)(void))section)();
    return NULL;
}

static void deadlock(double seconds)
{
    pthread_t thread;
    start(&thread, locks_twice, (void *)left_then_right);
    start(&thread, locks_twice, (void *)right_then_left);
    usleep((unsigned)(seconds * 1e6));
    fflush(stdout);
    _exit(0);
}

static pthread_mutex_t many[LOCKS];

FUNCTION static void one_of_many(unsigned at)
{
    uint64_t begin = now_ns();
    pthread_mutex_lock(&many[at]);
    note(begin);
    spin(100000);
    pthread_mutex_unlock(&many[at]);
    STAY();
}

static void *go_through_many(void *barrier)
{
    for (unsigned at = 0; now_ns() < deadline; at = (at + 1) % LOCKS) {
        pthread_barrier_wait(barrier);
        one_of_many(at);
    }
    _exit(0);
}

static void through_many(void)
{
    pthread_barrier_t barrier;
    pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, 2);
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_init(&many[i], NULL);
    for (int i = 0; i < 2; i++)
        start(&threads[i], go_through_many, &barrier);
    pthread_join(threads[0], NULL);
}

static atomic_uint ball;

static void futex(atomic_uint *word, int operation, unsigned value)
{
    syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Whoever finds its own number in the word gives it to the other. */
static unsigned long play(unsigned own)
{
    unsigned long rounds = 0;
    while (now_ns() < deadline) {
        unsigned value;
        while ((value = ball) != own && value != 2)
            futex(&ball, FUTEX_WAIT, value);
        if (value == 2)
            break;
        ball = !own;
        futex(&ball, FUTEX_WAKE, 1);
        rounds++;
    }
    ball = 2;
    futex(&ball, FUTEX_WAKE, 2);
    return rounds;
}

static void *other_player(void *unused)
{
    (void)unused;
    play(1);
    return NULL;
}

static void pingpong(void)
{
    pthread_t thread;
    start(&thread, other_player, NULL);
    printf("rounds %lu\n", play(0));
    pthread_join(thread, NULL);
}

static void idle(void)
{
    unsigned long pairs = 0;
    for (; now_ns() < deadline; pairs += 1000) {
        for (int i = 0; i < 1000; i++) {
            pthread_mutex_lock(&hot_lock);
            pthread_mutex_unlock(&hot_lock);
        }
    }
    printf("pairs %lu\n", pairs);
}

static struct {
    atomic_uint word;
    unsigned count, owner;
} fake = {2, 0, 0x7ffffff0};

static void garbage(void)
{
    while (now_ns() < deadline) {
        struct timespec time = {.tv_nsec = 10000000};
        syscall(SYS_futex, &fake.word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, &time, NULL, 0);
        fake.owner = fake.owner == 1 ? 0x7ffffff0 : 1;
    }
}

static atomic_ulong files;

static void *make_files(void *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%d", (char *)directory, gettid());
    while (now_ns() < deadline) {
        int file = open(path, O_CREAT | O_RDWR, 0600);
        if (file < 0 || write(file, path, 100) != 100) {
            perror("locks");
            exit(1);
        }
        close(file);
        unlink(path);
        files++;
    }
    return NULL;
}

static void storm(void)
{
    char directory[] = "/tmp/locks-XXXXXX";
    pthread_t threads[4];
    if (mkdtemp(directory) == NULL) {
        perror("locks");
        exit(1);
    }
    for (int i = 0; i < 4; i++)
        start(&threads[i], make_files, directory);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    rmdir(directory);
    printf("files %lu\n", (unsigned long)files);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "mutex";
    deadline = deadline_ns(argc - 1, argv + 1);
    if (strcmp(mode, "mutex") == 0) {
        contend(hot_section, first_path, second_path);
    } else if (strcmp(mode, "shared") == 0) {
        share();
    } else if (strcmp(mode, "library") == 0) {
        lock = library_mutex();
        contend(hot_section, first_path, second_path);
    } else if (strcmp(mode, "pi") == 0) {
        with_protocol(PTHREAD_PROCESS_PRIVATE, PTHREAD_PRIO_INHERIT);
        contend(hot_section, first_path, second_path);
    } else if (strcmp(mode, "rwlock") == 0) {
        contend(hot_write, hot_read, hot_read);
    } else if (strcmp(mode, "pool") == 0) {
        pool();
    } else if (strcmp(mode, "deadlock") == 0) {
        deadlock(argc > 2 ? atof(argv[2]) : 10);
    } else if (strcmp(mode, "many") == 0) {
        through_many();
    } else if (strcmp(mode, "pingpong") == 0) {
        pingpong();
    } else if (strcmp(mode, "idle") == 0) {
        idle();
    } else if (strcmp(mode, "garbage") == 0) {
        garbage();
    } else if (strcmp(mode, "storm") == 0) {
        storm();
    } else {
        fprintf(stderr, "locks: unknown mode %s\n", mode);
        return 2;
    }
    fflush(stdout);
    return 0;
}
