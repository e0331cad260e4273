/* Twelve calls below main, leaves that take 60, 30 and 10 percent. Frames of every ordinary kind on the way: fixed,
 * large, with all callee-saved registers pushed, and of variable size (which needs rbp as the base even without frame
 * pointers). */
#include "workload.h"

#include <string.h>

static uint64_t units[3];

FUNCTION void leaf_60(void) { work(UNIT); }
FUNCTION void leaf_30(void) { work(UNIT); }
FUNCTION void leaf_10(void) { work(UNIT); }

FUNCTION void step_11(unsigned draw)
{
    if (draw < 6) {
        units[0]++;
        leaf_60();
    } else if (draw < 9) {
        units[1]++;
        leaf_30();
    } else {
        units[2]++;
        leaf_10();
    }
    STAY();
}

#define STEP(name, next)                                                                                               \
    FUNCTION void name(unsigned draw)                                                                                  \
    {                                                                                                                  \
        next(draw);                                                                                                    \
        STAY();                                                                                                        \
    }

/* Keeps six values over the call: every callee-saved register is pushed. */
#define STEP_PUSHING(name, next)                                                                                       \
    FUNCTION void name(unsigned draw)                                                                                  \
    {                                                                                                                  \
        uint64_t a = sink, b = sink, c = sink, d = sink, e = sink, f = sink;                                           \
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));                                   \
        next(draw);                                                                                                    \
        sink = a ^ b ^ c ^ d ^ e ^ f;                                                                                  \
    }

#define STEP_LARGE(name, next)                                                                                         \
    FUNCTION void name(unsigned draw)                                                                                  \
    {                                                                                                                  \
        char buffer[5000];                                                                                             \
        buffer[draw] = 1;                                                                                              \
        __asm__ volatile("" ::"r"(buffer) : "memory");                                                                 \
        next(draw);                                                                                                    \
        STAY();                                                                                                        \
    }

#define STEP_VARIABLE(name, next)                                                                                      \
    FUNCTION void name(unsigned draw)                                                                                  \
    {                                                                                                                  \
        char buffer[16 + 16 * draw];                                                                                   \
        memset(buffer, 0, sizeof buffer);                                                                              \
        __asm__ volatile("" ::"r"(buffer) : "memory");                                                                 \
        next(draw);                                                                                                    \
        STAY();                                                                                                        \
    }

STEP(step_10, step_11)
STEP_PUSHING(step_09, step_10)
STEP(step_08, step_09)
STEP_VARIABLE(step_07, step_08)
STEP(step_06, step_07)
STEP_LARGE(step_05, step_06)
STEP(step_04, step_05)
STEP_PUSHING(step_03, step_04)
STEP_VARIABLE(step_02, step_03)
STEP(step_01, step_02)

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    do {
        for (int i = 0; i < 100; i++)
            step_01(random_below(10));
    } while (now_ns() < end);
    uint64_t all = units[0] + units[1] + units[2];
    truth("leaf_60", units[0], all);
    truth("leaf_30", units[1], all);
    truth("leaf_10", units[2], all);
    cpu_seconds();
    return 0;
}
