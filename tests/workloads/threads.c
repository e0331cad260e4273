/* Busy threads with names (worker-00 and so on): threads SECONDS COUNT. Without COUNT, 64. */
#define _GNU_SOURCE
#include "workload.h"

#include <pthread.h>

static uint64_t end;
static uint64_t units[1024];

FUNCTION void busy_worker(uint64_t *mine)
{
    work(UNIT);
    ++*mine;
}

FUNCTION void *thread_main(void *mine)
{
    char name[16];
    snprintf(name, sizeof name, "worker-%02d", (int)((uint64_t *)mine - units));
    pthread_setname_np(pthread_self(), name);
    do {
        for (int i = 0; i < 100; i++)
            busy_worker(mine);
    } while (now_ns() < end);
    return NULL;
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 64;
    pthread_t threads[1024];
    end = deadline_ns(argc, argv);
    if (count < 1 || count > 1024)
        return 2;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, thread_main, &units[i]) != 0)
            return 1;
    uint64_t all = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        all += units[i];
    }
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "worker-%02d", i);
        truth(name, units[i], all);
    }
    cpu_seconds();
    return 0;
}
