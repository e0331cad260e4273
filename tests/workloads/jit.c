/* Code that no file backs, as a JIT compiler makes it: two functions with frame pointers in an anonymous mapping, named
 * in /tmp/perf-PID.map. The outer one calls the inner one; the inner one works itself or calls back into the program,
 * which has no frame pointers. */
#include "workload.h"

#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "the machine code is for x86-64"
#endif

/* jit_outer(callback, iterations): push rbp; mov rbp,rsp; call jit_inner; pop rbp; ret */
static const unsigned char outer_code[] = {0x55, 0x48, 0x89, 0xe5, 0xe8, 0x37, 0, 0, 0, 0x5d, 0xc3};

/* jit_inner(callback, iterations), 64 bytes behind: a callback, or a loop of multiplications as in work(). */
static const unsigned char inner_code[] = {
    0x55,                                     /*     push rbp                 */
    0x48, 0x89, 0xe5,                         /*     mov  rbp, rsp            */
    0x48, 0x85, 0xff,                         /*     test rdi, rdi            */
    0x74, 0x04,                               /*     jz   1f                  */
    0xff, 0xd7,                               /*     call rdi                 */
    0x5d,                                     /*     pop  rbp                 */
    0xc3,                                     /*     ret                      */
    0xb8, 0x15, 0x7c, 0x4a, 0x7f,             /* 1:  mov  eax, 0x7f4a7c15     */
    0x48, 0x0f, 0xaf, 0xc0,                   /* 2:  imul rax, rax            */
    0x48, 0xff, 0xce,                         /*     dec  rsi                 */
    0x75, 0xf7,                               /*     jnz  2b                  */
    0x5d,                                     /*     pop  rbp                 */
    0xc3,                                     /*     ret                      */
};

typedef void (*jitted)(void (*callback)(void), uint64_t iterations);

FUNCTION void jit_callback(void) { work(UNIT); }

FUNCTION void run_jitted(jitted run, int call_back)
{
    run(call_back ? jit_callback : NULL, UNIT);
    STAY();
}

int main(int argc, char **argv)
{
    unsigned char *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) {
        perror("jit: cannot map executable memory");
        return 1;
    }
    memcpy(code, outer_code, sizeof outer_code);
    memcpy(code + 64, inner_code, sizeof inner_code);

    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *map = fopen(path, "w");
    if (!map) {
        perror("jit: cannot write the perf map");
        return 1;
    }
    fprintf(map, "%lx 40 jit_outer\n%lx %zx jit_inner\n", (unsigned long)code, (unsigned long)code + 64,
            sizeof inner_code);
    fclose(map);

    uint64_t end = deadline_ns(argc, argv), units[2] = {0, 0};
    do {
        for (int i = 0; i < 100; i++) {
            int call_back = random_below(10) < 4;
            units[call_back]++;
            run_jitted((jitted)code, call_back);
        }
    } while (now_ns() < end);
    unlink(path);
    truth("jit_inner", units[0], units[0] + units[1]);
    truth("jit_callback", units[1], units[0] + units[1]);
    cpu_seconds();
    return 0;
}
