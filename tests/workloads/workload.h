/* What the workloads share: work in equal units, and how they say what they did.
 *
 * A unit is a chain of dependent multiplications, so its time depends on the CPU's clock and on nothing else: not on
 * alignment, not on caches, not on which function it is inlined into. Shares of CPU time are shares of units, whatever
 * the machine's speed. Which function works next is random (from a fixed seed), so that no sampling clock can fall into
 * step with the program.
 *
 * At the end a program prints its own account: a line `truth FUNCTION SHARE` for each function, as a part of 1, and a
 * line `cpu SECONDS` with the CPU time it got, which on a machine with other work is less than the time it ran. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__clang__)
#define FUNCTION __attribute__((noinline, aligned(64)))
#else
#define FUNCTION __attribute__((noinline, noclone, noipa, aligned(64)))
#endif

/* After a call, this keeps it from being the function's last act: no tail calls, no missing frames. */
#define STAY() __asm__ volatile("" ::: "memory")

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

/* About 10 us at 3 GHz: 10,000 multiplications of 3 cycles. */
#define UNIT 10000

static volatile uint64_t sink;

static inline __attribute__((always_inline)) void work(uint64_t iterations)
{
    uint64_t value = sink | 1;
    for (uint64_t i = 0; i < iterations; i++) {
        value *= 0x9e3779b97f4a7c15u;
        __asm__ volatile("" : "+r"(value));
    }
    sink = value;
}

static inline uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t random_state = 0x853c49e6748fea9bu;

/* xorshift64: a number below `limit`, which is small. */
static inline unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % limit;
}

/* The first argument: how many seconds to run (default 10). */
static inline uint64_t deadline_ns(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 10;
    return now_ns() + (uint64_t)(seconds * 1e9);
}

static inline void truth(const char *function, uint64_t units, uint64_t of)
{
    printf("truth %s %.4f\n", function, of ? (double)units / (double)of : 0.0);
}

static inline void cpu_seconds(void) { printf("cpu %.3f\n", (double)clock() / CLOCKS_PER_SEC); }

#endif
