/* Work inside signal handlers that interrupt at any instruction: one on the ordinary stack, one on an alternate stack,
 * which here lies far below. Behind the handler is the signal trampoline, and behind that a frame that made no call. */
#define _GNU_SOURCE
#include "workload.h"

#include <signal.h>
#include <string.h>

/* A handler works 20 units, about 0.2 ms, every millisecond on average. The intervals are random: with a fixed one, a
 * sampling clock of 999 Hz would drift through it too slowly. */
#define HANDLER_UNITS 20

static volatile uint64_t units[3];
static timer_t timer[2];
static char alternate_stack[256 * 1024];

FUNCTION void in_handler(void) { work(HANDLER_UNITS * UNIT); }
FUNCTION void in_handler_on_alternate_stack(void) { work(HANDLER_UNITS * UNIT); }
FUNCTION void interrupted(void) { work(UNIT); }

static void again(int which)
{
    struct itimerspec once = {{0, 0}, {0, 500000 + 1000 * (long)random_below(1000)}};
    timer_settime(timer[which], 0, &once, NULL);
}

FUNCTION void on_signal(int signal)
{
    (void)signal;
    again(0);
    units[0] += HANDLER_UNITS;
    in_handler();
    STAY();
}

FUNCTION void on_signal_alternate(int signal)
{
    (void)signal;
    again(1);
    units[1] += HANDLER_UNITS;
    in_handler_on_alternate_stack();
    STAY();
}

FUNCTION void outer(void)
{
    interrupted();
    STAY();
}

static void every_millisecond(int which, int signal, void (*handler)(int), int flags)
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
    if (timer_create(CLOCK_MONOTONIC, &event, &timer[which]) != 0)
        abort();
    again(which);
}

int main(int argc, char **argv)
{
    uint64_t end = deadline_ns(argc, argv);
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = alternate_stack;
    stack.ss_size = sizeof alternate_stack;
    sigaltstack(&stack, NULL);
    every_millisecond(0, SIGPROF, on_signal, 0);
    every_millisecond(1, SIGALRM, on_signal_alternate, SA_ONSTACK);
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
