/* Recursion 200 calls deep, by two functions in turn. */
#include "workload.h"

#define DEPTH 200

/* Long enough that going down and up again, a microsecond or two, does not count. */
FUNCTION void bottom(void) { work(40 * UNIT); }

FUNCTION void recurse_odd(int depth);

FUNCTION void recurse_even(int depth)
{
    if (depth == 0)
        bottom();
    else
        recurse_odd(depth - 1);
    STAY();
}

FUNCTION void recurse_odd(int depth)
{
    recurse_even(depth - 1);
    STAY();
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    do {
        for (int i = 0; i < 2; i++)
            recurse_even(DEPTH - 2);
    } while (now_ns() < end);
    truth("bottom", 1, 1);
    cpu_seconds();
    return 0;
}
