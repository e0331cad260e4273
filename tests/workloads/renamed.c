/* A program whose file is gone, as after an upgrade: it deletes itself (`delete`) or puts another program in its place
 * (`replace PATH`): renamed SECONDS [delete | replace PATH]. */
#define _GNU_SOURCE
#include "workload.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

FUNCTION void work_without_file(void) { work(UNIT); }

FUNCTION void outer_without_file(void)
{
    work_without_file();
    STAY();
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    int replace = argc > 3 && strcmp(argv[2], "replace") == 0;
    if (replace ? rename(argv[3], self) : unlink(self)) {
        perror("renamed");
        return 1;
    }
    do {
        for (int i = 0; i < 100; i++)
            outer_without_file();
    } while (now_ns() < end);
    truth("work_without_file", 1, 1);
    cpu_seconds();
    return 0;
}
