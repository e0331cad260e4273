/* Time in the vDSO: code that no file backs and that has unwind information of its own. */
#include "workload.h"

FUNCTION uint64_t ask_time(void)
{
    uint64_t time = 0;
    for (int i = 0; i < 1000; i++)
        time = now_ns();
    return time;
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    while (ask_time() < end)
        ;
    cpu_seconds();
    return 0;
}
