/* A thread with a known schedule: schedule SECONDS [THREADS]. Each period spins 100 ms, sleeps 50 ms, reads a pipe for
 * 30 ms and waits for a mutex for 20 ms, in functions that say so. At the end: a line `period_ms STATE MILLISECONDS` for
 * each state, `periods N` and `thread_cpu SECONDS` of the first such thread, `cpu SECONDS` of all. The other ends of pipe and mutex are threads `partner`. */
#include "workload.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct pair {
    int pipe[2];
    pthread_mutex_t mutex;
    /* What the partner shall do next: a byte through here. */
    int orders[2];
    uint64_t end, periods;
    uint64_t spin_ns;
    /* The CPU time of the scheduled thread. */
    double cpu;
};

static void pause_ms(long ms)
{
    struct timespec time = {0, ms * 1000000};
    nanosleep(&time, NULL);
}

FUNCTION void spin_100(struct pair *pair)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    do {
        work(UNIT);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        pair->spin_ns = (uint64_t)((now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec);
    } while (pair->spin_ns < 100000000);
    STAY();
}

FUNCTION void sleep_50(void)
{
    pause_ms(50);
    STAY();
}

FUNCTION void read_pipe_30(struct pair *pair)
{
    char byte;
    if (read(pair->pipe[0], &byte, 1) != 1)
        abort();
    STAY();
}

FUNCTION void wait_lock_20(struct pair *pair)
{
    pthread_mutex_lock(&pair->mutex);
    pthread_mutex_unlock(&pair->mutex);
    STAY();
}

static void order(struct pair *pair, char what)
{
    if (write(pair->orders[1], &what, 1) != 1)
        abort();
}

static void *partner(void *argument)
{
    struct pair *pair = argument;
    char what;
    prctl(PR_SET_NAME, "partner");
    while (read(pair->orders[0], &what, 1) == 1 && what != 'q') {
        if (what == 'p') {
            pause_ms(30);
            if (write(pair->pipe[1], "x", 1) != 1)
                abort();
        } else {
            pthread_mutex_lock(&pair->mutex);
            if (write(pair->pipe[1], "x", 1) != 1)
                abort();
            pause_ms(20);
            pthread_mutex_unlock(&pair->mutex);
        }
    }
    return NULL;
}

static void *scheduled(void *argument)
{
    struct pair *pair = argument;
    char byte;
    prctl(PR_SET_NAME, "scheduled");
    while (now_ns() < pair->end) {
        spin_100(pair);
        sleep_50();
        order(pair, 'p');
        read_pipe_30(pair);
        order(pair, 'l');
        /* The partner has the mutex when this byte comes. */
        if (read(pair->pipe[0], &byte, 1) != 1)
            abort();
        wait_lock_20(pair);
        pair->periods++;
    }
    order(pair, 'q');
    struct timespec cpu;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    pair->cpu = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    return NULL;
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    struct pair *pairs = calloc((size_t)threads, sizeof *pairs);
    pthread_t *all = calloc(2 * (size_t)threads, sizeof *all);
    for (int i = 0; i < threads; i++) {
        pairs[i].end = end;
        pthread_mutex_init(&pairs[i].mutex, NULL);
        if (pipe(pairs[i].pipe) != 0 || pipe(pairs[i].orders) != 0)
            abort();
        pthread_create(&all[2 * i], NULL, partner, &pairs[i]);
        pthread_create(&all[2 * i + 1], NULL, scheduled, &pairs[i]);
    }
    for (int i = 0; i < 2 * threads; i++)
        pthread_join(all[i], NULL);
    printf("period_ms running 100\nperiod_ms sleep 50\nperiod_ms ipc 30\nperiod_ms lock 20\n");
    printf("periods %lu\n", (unsigned long)pairs[0].periods);
    printf("thread_cpu %.6f\n", pairs[0].cpu);
    cpu_seconds();
    return 0;
}
