/* How fast a program gets on, as it sees it itself: counter SECONDS [MILLISECONDS]. Prints a line for every 10 ms (or
 * MILLISECONDS): the monotonic clock at its end, the units done in it, and how many nanoseconds the median interrupt
 * took from it (0: none): a unit that takes thrice as long as the usual one was interrupted. Twelve calls deep, without frame pointers:
 * whoever samples it pays for a whole stack. Units are ten times shorter than elsewhere, for resolution. */
#include "workload.h"

FUNCTION void counted_leaf(void) { work(UNIT / 10); }

#define STEP(name, next)                                                                                               \
    FUNCTION void name(void)                                                                                           \
    {                                                                                                                  \
        next();                                                                                                        \
        STAY();                                                                                                        \
    }

STEP(counted_11, counted_leaf)
STEP(counted_10, counted_11)
STEP(counted_09, counted_10)
STEP(counted_08, counted_09)
STEP(counted_07, counted_08)
STEP(counted_06, counted_07)
STEP(counted_05, counted_06)
STEP(counted_04, counted_05)
STEP(counted_03, counted_04)
STEP(counted_02, counted_03)
STEP(counted_01, counted_02)

/* Interrupts by their length, in steps of 50 ns up to 200 us. */
#define BINS 4000
#define BIN_NS 50

/* The length that half of `count` interrupts do not pass; the bins are emptied. */
static uint64_t take_median(uint32_t *bins, uint64_t count)
{
    uint64_t below = 0, median = 0;
    for (int i = 0; i < BINS; i++) {
        below += bins[i];
        if (median == 0 && count > 0 && 2 * below >= count)
            median = (uint64_t)i * BIN_NS + BIN_NS / 2;
        bins[i] = 0;
    }
    return median;
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv), step = (argc > 2 ? strtoull(argv[2], NULL, 10) : 10) * 1000000;
    setvbuf(stdout, NULL, _IOLBF, 0);
    static uint32_t bins[BINS];
    /* The usual length of a unit: the least of many, for interrupts only add. */
    uint64_t usual = UINT64_MAX, now = now_ns();
    for (int i = 0; i < 1000; i++) {
        uint64_t before = now;
        counted_01();
        now = now_ns();
        if (now - before < usual)
            usual = now - before;
    }
    while (now < end) {
        uint64_t done = 0, interrupts = 0, window = now + step;
        do {
            uint64_t before = now;
            counted_01();
            done++;
            now = now_ns();
            if (now - before > 3 * usual) {
                uint64_t bin = (now - before - usual) / BIN_NS;
                bins[bin < BINS ? bin : BINS - 1]++;
                interrupts++;
            }
        } while (now < window);
        uint64_t median = take_median(bins, interrupts);
        printf("%lu %lu %lu\n", (unsigned long)now, (unsigned long)done, (unsigned long)median);
    }
    return 0;
}
