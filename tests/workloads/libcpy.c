/* Time in assembly functions of the C library that has lost its local symbols: a name must not be invented for them.
 * The truth is only that the callers are right. */
#include "workload.h"

#include <string.h>

static char from[1 << 20], to[1 << 20];

FUNCTION void copy_block(void)
{
    memcpy(to, from, sizeof to);
    __asm__ volatile("" ::"r"(to) : "memory");
}

FUNCTION void measure_block(void)
{
    sink = strlen(from);
    __asm__ volatile("" ::"r"(from) : "memory");
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    memset(from, 'x', sizeof from - 1);
    do {
        for (int i = 0; i < 10; i++) {
            copy_block();
            measure_block();
        }
    } while (now_ns() < end);
    cpu_seconds();
    return 0;
}
