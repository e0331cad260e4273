/* A library that is loaded long after the program started. Built twice (SIDE a and b): the second takes the place of
 * the first, at the same addresses, with another layout. */
#include "workload.h"

#define SIDED(name) PASTE(name, SIDE)

#ifdef PADDING
/* Moves everything behind it: rows of the other library would be wrong here. */
FUNCTION void padding(void) { work(UNIT); __asm__ volatile(".skip 4096, 0x90"); }
#endif

FUNCTION void SIDED(plugin_leaf_)(void) { work(UNIT); }

FUNCTION void SIDED(plugin_middle_)(void (*callback)(void), unsigned draw)
{
    char buffer[PADDED_FRAME];
    __asm__ volatile("" ::"r"(buffer) : "memory");
    if (draw < 6)
        SIDED(plugin_leaf_)();
    else
        callback();
    STAY();
}

__attribute__((visibility("default"))) FUNCTION void plugin_run(void (*callback)(void), unsigned draw)
{
    SIDED(plugin_middle_)(callback, draw);
    STAY();
}
