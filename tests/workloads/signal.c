/* Work inside signal handlers that interrupt at any instruction: one on the ordinary stack, one on an alternate stack,
 * which here lies far below. Behind the handler is the signal trampoline, and behind that a frame that made no call. */
#define _GNU_SOURCE
#include "workload.h"

#include <signal.h>
#include <string.h>

/* A handler works 20 units, about 0.2 ms, every millisecond. */
#define HANDLER_UNITS 20

static volatile uint64_t units[3];
static char alternate_stack[256 * 1024];

FUNCTION void in_handler(void) { work(HANDLER_UNITS * UNIT); }
FUNCTION void in_handler_on_alternate_stack(void) { work(HANDLER_UNITS * UNIT); }
FUNCTION void interrupted(void) { work(UNIT); }

FUNCTION void on_signal(int signal)
{
    (void)signal;
    units[0] += HANDLER_UNITS;
    in_handler();
    STAY();
}

FUNCTION void on_signal_alternate(int signal)
{
    (void)signal;
    units[1] += HANDLER_UNITS;
    in_handler_on_alternate_stack();
    STAY();
}

FUNCTION void outer(void)
{
    interrupted();
    STAY();
}

static void every_millisecond(int signal, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags | SA_RESTART;
    sigfillset(&action.sa_mask);
    sigaction(signal, &action, NULL);

    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    timer_t timer;
    struct itimerspec interval = {{0, 1000000}, {0, 1000000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || timer_settime(timer, 0, &interval, NULL) != 0)
        abort();
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = alternate_stack;
    stack.ss_size = sizeof alternate_stack;
    sigaltstack(&stack, NULL);
    every_millisecond(SIGPROF, on_signal, 0);
    every_millisecond(SIGALRM, on_signal_alternate, SA_ONSTACK);
    do {
        for (int i = 0; i < 100; i++) {
            units[2]++;
            outer();
        }
    } while (now_ns() < end);
    uint64_t all = units[0] + units[1] + units[2];
    truth("in_handler", units[0], all);
    truth("in_handler_on_alternate_stack", units[1], all);
    truth("interrupted", units[2], all);
    cpu_seconds();
    return 0;
}
