/* The helper of forkstorm: one short piece of work in a function that names the KIND of program. */
#include "workload.h"

FUNCTION void PASTE(storm_work_, KIND)(unsigned long count) { work(count); }

FUNCTION void PASTE(storm_outer_, KIND)(unsigned long count)
{
    PASTE(storm_work_, KIND)(count);
    STAY();
}

int main(int argc, char **argv)
{
    PASTE(storm_outer_, KIND)(argc > 1 ? strtoul(argv[1], NULL, 10) : UNIT);
    return 0;
}
