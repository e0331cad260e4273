/* Short processes at a steady rate: forkstorm SECONDS RATE. In turn: fork and exec of a position-independent program,
 * fork and exec of one that is not (linked, like this program, at the fixed address 0x400000), posix_spawn of either,
 * and a fork that goes on as this program. Each works about 2 ms, in a function that names its kind. */
#define _GNU_SOURCE
#include "workload.h"

#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char helper[2][PATH_MAX];
static const char *const name[2] = {"storm_pie", "storm_nopie"};
static unsigned long iterations;

FUNCTION void storm_work_fork(unsigned long count) { work(count); }

FUNCTION void storm_outer_fork(unsigned long count)
{
    storm_work_fork(count);
    STAY();
}

FUNCTION void start(unsigned kind)
{
    char count[32];
    snprintf(count, sizeof count, "%lu", iterations);
    char *arguments[] = {(char *)name[kind & 1], count, NULL};
    pid_t child;
    if (kind == 4) {
        child = fork();
        if (child == 0) {
            storm_outer_fork(iterations);
            _exit(0);
        }
    } else if (kind >= 2) {
        if (posix_spawn(&child, helper[kind & 1], NULL, NULL, arguments, environ) != 0)
            child = -1;
    } else {
        child = fork();
        if (child == 0) {
            execv(helper[kind & 1], arguments);
            _exit(127);
        }
    }
    if (child < 0) {
        perror("forkstorm: cannot start a process");
        exit(1);
    }
}

/* The iterations of 2 ms, the best of several tries. */
static unsigned long calibrate(void)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        uint64_t start = now_ns();
        work(10 * UNIT);
        uint64_t took = now_ns() - start;
        best = took < best ? took : best;
    }
    return (unsigned long)(2000000.0 * 10 * UNIT / (double)best);
}

int main(int argc, char **argv)
{
    double rate = argc > 2 ? atof(argv[2]) : 500;
    for (int i = 0; i < 2; i++) {
        ssize_t length = readlink("/proc/self/exe", helper[i], sizeof helper[i] - 20);
        helper[i][length > 0 ? length : 0] = 0;
        strcpy(strrchr(helper[i], '/') + 1, name[i]);
    }
    iterations = calibrate();
    uint64_t begin = now_ns(), end = deadline_ns(argc, argv), started = 0, ended = 0, failed = 0;
    int status;
    for (; now_ns() < end; started++) {
        uint64_t due = begin + (uint64_t)((double)started * 1e9 / rate);
        struct timespec time = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
        start((unsigned)(started % 5));
        /* At most 100 at a time, so that a slow machine falls behind instead of drowning. */
        while (waitpid(-1, &status, started - ended >= 100 ? 0 : WNOHANG) > 0) {
            ended++;
            failed += status != 0;
        }
    }
    while (waitpid(-1, &status, 0) > 0)
        failed += status != 0;
    printf("started %lu\nper_second %.1f\nfailed %lu\n", (unsigned long)started,
           (double)started * 1e9 / (double)(now_ns() - begin), (unsigned long)failed);
    return failed != 0;
}
