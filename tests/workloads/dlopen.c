/* Code in libraries that come and go: every 3.4 s the other of two plugins is loaded, where the last one was.
 * The plugins call back into the program. */
#define _GNU_SOURCE
#include "workload.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static uint64_t units[3];

FUNCTION void host_leaf(void)
{
    units[2]++;
    work(UNIT);
}

typedef void (*plugin)(void (*callback)(void), unsigned draw);

FUNCTION void call_plugin(plugin run, int side)
{
    unsigned draw = random_below(10);
    if (draw < 6)
        units[side]++;
    run(host_leaf, draw);
    STAY();
}

FUNCTION void one_load(const char *path, int side, uint64_t end)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    plugin run = library ? (plugin)dlsym(library, "plugin_run") : NULL;
    if (!run) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    do {
        for (int i = 0; i < 100; i++)
            call_plugin(run, side);
    } while (now_ns() < end);
    dlclose(library);
    STAY();
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    char path[2][PATH_MAX];
    for (int side = 0; side < 2; side++) {
        ssize_t length = readlink("/proc/self/exe", path[side], sizeof path[side] - 20);
        path[side][length > 0 ? length : 0] = 0;
        strcpy(strrchr(path[side], '/'), side ? "/plugin_b.so" : "/plugin_a.so");
    }
    for (int side = 0; now_ns() < end; side = !side) {
        uint64_t next = now_ns() + 3400000000u;
        one_load(path[side], side, next < end ? next : end);
    }
    uint64_t all = units[0] + units[1] + units[2];
    truth("plugin_leaf_a", units[0], all);
    truth("plugin_leaf_b", units[1], all);
    truth("host_leaf", units[2], all);
    cpu_seconds();
    return 0;
}
