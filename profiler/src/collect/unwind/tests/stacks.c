// Stacks of every shape, for a walker to be compared on. The first argument says which.
// With -DPLAIN no frame is on a realigned stack.
#define _GNU_SOURCE
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <pthread.h>

#ifdef PLAIN
#define REALIGNED
#else
#define REALIGNED alignas(64)
#endif
#define FAR __attribute__((noinline, noclone))
static volatile unsigned sink;

static FAR unsigned leaf(unsigned n) {
    for (unsigned i = 0; i < 3; i++) sink += n * i;
    return sink;
}
static FAR unsigned by_plt(unsigned n) {
    char text[32];
    return snprintf(text, sizeof text, "%u", n) + (unsigned)strtoul(text, 0, 10) + leaf(n);
}
// A frame whose size is only known when it runs: the CFA is found by rbp.
static FAR unsigned dynamic(unsigned n) {
    volatile char *space = __builtin_alloca(n % 512 + 16);
    memset((char *)space, 1, n % 512);
    return by_plt(n) + space[0];
}
// A frame on a realigned stack: the CFA is itself on the stack.
static FAR unsigned aligned(unsigned n) {
    REALIGNED volatile unsigned space[32];
    for (int i = 0; i < 32; i++) space[i] = n;
    return dynamic(n) + space[n % 32];
}
static FAR unsigned aligned_dynamic(unsigned n) {
    REALIGNED volatile unsigned space[16];
    volatile char *more = __builtin_alloca(n % 512 + 16);
    space[n % 16] = more[0] = n;
    return aligned(n) + space[0] + more[0];
}
// More live values than registers: all callee-saved ones, rbp too, are saved and hold data.
static FAR unsigned crowded(unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned f, unsigned g,
                            unsigned h) {
    unsigned x = a * b + c, y = d * e + f, z = g * h + a, w = b * d, v = c * e, u = f * g;
    x += aligned_dynamic(x + y + z + w);
    y += leaf(x * z), z += leaf(y), w += leaf(z), v += leaf(w), u += leaf(v);
    return x + y + z + w + v + u + a + b + c + d + e + f + g + h;
}
static FAR unsigned variadic(unsigned n, ...) {
    __builtin_va_list list;
    __builtin_va_start(list, n);
    unsigned first = __builtin_va_arg(list, unsigned);
    __builtin_va_end(list);
    return crowded(n, first, 3, 4, 5, 6, 7, 8) + 1;
}
static FAR unsigned calls(unsigned n) { return variadic(n, n + 1, n + 2) + leaf(n); }

static FAR unsigned deep(unsigned depth) {
    volatile char space[48];
    space[depth % 48] = 1;
    unsigned below = depth ? deep(depth - 1) : 0;
    for (unsigned n = 0; !depth && n < 10000000; n++) below += calls(n);
    return below + space[depth % 48];
}

static int compare(const void *a, const void *b) {
    return (int)(leaf(*(const unsigned *)a) % 7) - (int)(calls(*(const unsigned *)b) % 7);
}
static FAR unsigned sort(unsigned n) {
    unsigned items[40];
    for (unsigned i = 0; i < 40; i++) items[i] = (i * 2654435761u + n) % 97;
    qsort(items, 40, sizeof *items, compare);
    return items[0];
}

// Tells the registers that the signal interrupted, then stays in the handler.
static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    unsigned long told[3] = {registers[REG_RIP], registers[REG_RSP], registers[REG_RBP]};
    if (write(1, told, sizeof told) != sizeof told) _exit(1);
    for (unsigned n = 0;; n++) calls(n);
}
static void handle(int signal, int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigaction(signal, &action, 0);
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&stack, 0);
}
static FAR void interrupted(int flags) {
    handle(SIGALRM, flags);
    ualarm(20000, 0);
    for (unsigned n = 0;; n++) sort(n);
}
// The first instruction of a function faults; the byte before it belongs to a function with another frame.
void faulting(void);
asm(".text\n"
    "before: .cfi_startproc\n .cfi_def_cfa_offset 1024\n nop\n .cfi_endproc\n"
    "faulting: .cfi_startproc\n mov 0, %eax\n ret\n .cfi_endproc\n");
static FAR void fault(void) {
    handle(SIGSEGV, SA_ONSTACK);
    faulting();
    sink++;
}

static void *thread(void *argument) {
    for (unsigned n = 0;; n++) calls(n);
    return argument;
}

int main(int argc, char **argv) {
    const char *shape = argc > 1 ? argv[1] : "calls";
    if (!strcmp(shape, "signal")) interrupted(0);
    if (!strcmp(shape, "altstack")) interrupted(SA_ONSTACK);
    if (!strcmp(shape, "fault")) fault();
    if (!strcmp(shape, "thread")) {
        pthread_t id;
        pthread_create(&id, 0, thread, 0);
        pthread_join(id, 0);
    }
    for (unsigned n = 0;; n++) {
        if (!strcmp(shape, "deep")) sink += deep(200);
        else if (!strcmp(shape, "sort")) sink += sort(n);
        else sink += calls(n);
    }
}
