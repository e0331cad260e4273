/* A process whose first thread has ended while another goes on: /proc/PID/maps is empty then. */
#define _GNU_SOURCE
#include "workload.h"

#include <pthread.h>

static uint64_t end;

FUNCTION void without_leader(void) { work(UNIT); }

FUNCTION void *survivor(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "survivor");
    do {
        for (int i = 0; i < 100; i++)
            without_leader();
    } while (now_ns() < end);
    truth("without_leader", 1, 1);
    cpu_seconds();
    exit(0);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    end = deadline_ns(argc, argv);
    if (pthread_create(&thread, NULL, survivor, NULL) != 0)
        return 1;
    pthread_exit(NULL);
}
