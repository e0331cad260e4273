/* How fast a program gets on, as it sees it itself: counter SECONDS [MILLISECONDS]. Prints a line for every 10 ms (or
 * MILLISECONDS): the monotonic clock at its end and the units done in it. Twelve calls deep, without frame pointers:
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

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv), step = (argc > 2 ? strtoull(argv[2], NULL, 10) : 10) * 1000000;
    setvbuf(stdout, NULL, _IOLBF, 0);
    uint64_t now = now_ns();
    while (now < end) {
        uint64_t done = 0, window = now + step;
        do {
            counted_01();
            done++;
            now = now_ns();
        } while (now < window);
        printf("%lu %lu\n", (unsigned long)now, (unsigned long)done);
    }
    return 0;
}
