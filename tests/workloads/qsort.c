/* The C library calls back: main, sort_once, qsort (two or more frames of libc), compare. */
#include "workload.h"

#define COUNT 500

FUNCTION int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    work(UNIT / 10);
    return (x > y) - (x < y);
}

FUNCTION void sort_once(void)
{
    int numbers[COUNT];
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (int)random_below(1000000);
    qsort(numbers, COUNT, sizeof numbers[0], compare);
    STAY();
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    do
        sort_once();
    while (now_ns() < end);
    truth("compare", 1, 1);
    cpu_seconds();
    return 0;
}
