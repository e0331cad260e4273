/* Names that attack whoever prints them: the process's name, its first argument, a thread's and a function's name hold
 * escape sequences, line breaks and markup. */
#define _GNU_SOURCE
#include "workload.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

void hostile_function(void) __asm__("\"hostile\033[2J\033]0;owned\007<script>alert(1)</script>;fold 7\"");

__attribute__((noinline)) void hostile_function(void) { work(UNIT); }

static uint64_t end;

FUNCTION void *hostile_thread(void *name)
{
    pthread_setname_np(pthread_self(), name);
    do {
        for (int i = 0; i < 100; i++)
            hostile_function();
    } while (now_ns() < end);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        char *again[] = {"line one\nline two\033[31m\033]0;owned\007<b>", argc > 1 ? argv[1] : "10", "again", NULL};
        execv("/proc/self/exe", again);
        return 1;
    }
    end = deadline_ns(argc, argv);
    prctl(PR_SET_NAME, "\033[31m\nred\r\t<b>");
    pthread_t thread;
    if (pthread_create(&thread, NULL, hostile_thread, "\xff\xfe\033c;a b") != 0)
        return 1;
    hostile_thread("\033[31m\nred\r\t<b>");
    pthread_join(thread, NULL);
    cpu_seconds();
    return 0;
}
