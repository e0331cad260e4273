/* modes SECONDS       divides its time on the CPU into its own code, system calls and page faults, and says how.
 * modes fault FILE    makes a file of 32 MB that is on the disk only, and reads a byte of each of 1,000 pages of it through a
 *                     mapping. Says `faults N`: how many had to wait for the disk, by the kernel's count.
 *
 * Each period: spins 6 ms, is in getrandom(2) for 4 ms, and touches new memory for 3 ms. A page that is touched first is a
 * fault and next to nothing else. Times are those of the thread's own CPU clock, so that waiting for a CPU is not among
 * them; asking for that one is a call, so loops look at the other clock, which is not. */
#define _GNU_SOURCE
#include "workload.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define MS 1000000u
#define BLOCK (64u << 10)
#define PAGES 256u
#define PAGE 4096u

static uint64_t cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static char block[BLOCK];

static void FUNCTION spin(uint64_t until)
{
    while (now_ns() < until)
        work(UNIT);
}

static void FUNCTION call(uint64_t until)
{
    while (now_ns() < until)
        if (getrandom(block, BLOCK, 0) < 0)
            abort();
}

/* Touches pages until then; mapping them is not a fault, so its time is taken off. */
static uint64_t FUNCTION fault(uint64_t until)
{
    uint64_t mapping = 0;
    while (now_ns() < until) {
        uint64_t from = cpu_ns();
        char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED || madvise(pages, PAGES * PAGE, MADV_NOHUGEPAGE))
            abort();
        mapping += cpu_ns() - from;
        for (unsigned page = 0; page < PAGES; page++)
            ((volatile char *)pages)[page * PAGE] = 1;
        from = cpu_ns();
        munmap(pages, PAGES * PAGE);
        mapping += cpu_ns() - from;
    }
    return mapping;
}

#define FILE_BYTES (32u << 20)

static int FUNCTION touch_pages(volatile char *bytes)
{
    int sum = 0;
    for (unsigned i = 0; i < 1000; i++)
        sum += bytes[random_below(FILE_BYTES / PAGE) * PAGE];
    STAY();
    return sum;
}

static void fault_from_disk(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    memset(block, 1, BLOCK);
    for (unsigned done = 0; done < FILE_BYTES; done += BLOCK)
        if (write(fd, block, BLOCK) != (ssize_t)BLOCK)
            abort();
    if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
        abort();
    char *bytes = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED || madvise(bytes, FILE_BYTES, MADV_RANDOM))
        abort();
    sink += (uint64_t)touch_pages(bytes);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("faults %ld\n", usage.ru_majflt);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "fault") == 0) {
        fault_from_disk(argv[2]);
        return 0;
    }
    uint64_t end = deadline_ns(argc, argv), user = 0, calls = 0, faults = 0;
    while (now_ns() < end) {
        uint64_t a = cpu_ns();
        spin(now_ns() + 6 * MS);
        uint64_t b = cpu_ns();
        call(now_ns() + 4 * MS);
        uint64_t c = cpu_ns();
        uint64_t mapping = fault(now_ns() + 3 * MS);
        uint64_t d = cpu_ns();
        user += b - a;
        calls += c - b + mapping;
        faults += d - c - mapping;
    }
    printf("user %.6f\ncalls %.6f\nfaults %.6f\n", (double)user / 1e9, (double)calls / 1e9, (double)faults / 1e9);
    return 0;
}
